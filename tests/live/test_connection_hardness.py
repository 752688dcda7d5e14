"""The connection against lines and servers that are not as they should be: TLS, slowness, size, deafness."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import pytest
from coinbase_frames import INSTRUMENTS, heartbeat, l2, l2_snapshot
from local_venue.certificates import bad_context
from ws_kit import QUICK, FeedReader, Peer, ScriptedVenue

from engine.core.clock import SystemClock
from engine.core.events import FeedState
from engine.exchange.coinbase.feed.connection import MAX_FRAME_BYTES
from engine.exchange.coinbase.feed.refusals import ConnectionRefusedForGood
from engine.exchange.coinbase.network import NetworkSettings
from engine.local_venue.tls import server_context, tls_files

BTC = {"BTC-USD": INSTRUMENTS["BTC-USD"]}
SENT = "2026-08-09T21:05:48.483587501Z"


async def nobody(peer: Peer) -> None:
    raise AssertionError("nobody may come this far")


async def small_book(peer: Peer) -> None:
    await peer.asked("subscribe", "level2")
    await peer.send(heartbeat(0, 1), l2_snapshot(1))


# -- TLS ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["self-signed", "expired", "wrong-host"])
async def test_bad_tls_is_final_and_tried_once(tmp_path: Path, fault: str) -> None:
    context, ca = bad_context(tmp_path, fault)
    reader = FeedReader()
    async with ScriptedVenue(nobody, tls=context) as venue:
        feed = reader.make(venue, BTC, settings=NetworkSettings(ca_file=str(ca)))
        with pytest.raises(ConnectionRefusedForGood) as caught:
            await feed.start()
        assert caught.value.code == "TLS"
        assert venue.attempts == 0
        assert feed.figures()[0].attempts == 1
        assert reader.restraints[0][:2] == ("FEED", "halted")


async def test_an_alert_for_our_version_of_tls_is_final() -> None:
    """What a server of TLS 1.0 says, byte for byte: a fatal alert, protocol_version."""

    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\x15\x03\x01\x00\x02\x02\x46")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(old, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    class There:
        endpoints = NetworkSettings(endpoint=f"https://127.0.0.1:{port}").endpoints("coinbase")

    with pytest.raises(ConnectionRefusedForGood, match=r"TLS 1\.2 or newer"):
        await FeedReader().make(There(), BTC).start()  # type: ignore[arg-type]
    server.close()
    await server.wait_closed()


async def test_a_server_of_tls_1_0_is_never_spoken_to(tmp_path: Path) -> None:
    """This one cuts the line without an alert, so it might be the network: it is tried again, in its time."""
    context, ca = bad_context(tmp_path, "tls-1.0")
    reader = FeedReader()
    async with ScriptedVenue(nobody, tls=context) as venue:
        feed = reader.make(venue, BTC, settings=NetworkSettings(ca_file=str(ca)))
        await feed.start()
        await asyncio.sleep(0.6)
        await feed.stop()
        assert venue.attempts == 0
        assert 1 <= feed.figures()[0].attempts <= 10
        assert feed.figures()[0].connects == 0


async def test_good_tls_is_spoken_with_the_named_authority_only(tmp_path: Path) -> None:
    files = tls_files(tmp_path, SystemClock())
    reader = FeedReader()
    async with ScriptedVenue(small_book, tls=server_context(files)) as venue:
        stranger = FeedReader().make(venue, BTC)
        with pytest.raises(ConnectionRefusedForGood, match=r"network\.ca_file"):
            await stranger.start()
        feed = reader.make(venue, BTC, settings=NetworkSettings(ca_file=str(files.ca)))
        await feed.start()
        await reader.until(lambda: reader.is_live("BTC-USD"))
        await feed.stop()


async def test_compression_is_refused_unless_asked_for() -> None:
    reader = FeedReader()
    async with ScriptedVenue(small_book) as venue:
        for deflate in (False, True):
            feed = reader.make(venue, BTC, settings=NetworkSettings(deflate=deflate))
            await feed.start()
            await reader.until(lambda: reader.is_live("BTC-USD"))
            await feed.stop()
    offers = [peer.socket.request.headers.get("Sec-WebSocket-Extensions") for peer in venue.peers]  # type: ignore[union-attr]
    assert offers[0] is None
    assert offers[1] is not None
    assert "permessage-deflate" in offers[1]


# -- size and speed ----------------------------------------------------------------------------------


def big_snapshot(levels: int) -> str:
    bids = [(f"{price / 100:.2f}", "1") for price in range(1, levels)]
    return l2(1, "snapshot", "BTC-USD", bids, [("999999", "1")])


async def test_a_big_first_book_on_a_slow_line_is_no_silence() -> None:
    """Fragments of one frame come for longer than a connection may be silent."""

    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "level2")
        whole = big_snapshot(4_000)
        part = len(whole) // 20

        async def parts() -> AsyncIterator[str]:
            for at in range(0, len(whole), part):
                yield whole[at : at + part]
                await asyncio.sleep(0.06)

        await peer.send(heartbeat(0, 1))
        await peer.socket.send(parts())

    reader = FeedReader()
    async with ScriptedVenue(script) as venue:
        feed = reader.make(venue, BTC, settings=NetworkSettings(stale_soft_ms=500, stale_hard_ms=500))
        await feed.start()
        try:
            await reader.until(lambda: reader.is_live("BTC-USD"))
            assert len(venue.peers) == 1
        finally:
            await feed.stop()


async def test_a_frame_without_end_is_refused_and_a_big_one_taken() -> None:
    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "level2")
        if not peer.number:
            await peer.send("x" * (MAX_FRAME_BYTES + 1))
        else:
            await peer.send(heartbeat(0, 1), big_snapshot(60_000))

    reader = FeedReader()
    async with ScriptedVenue(script) as venue:
        feed = reader.make(venue, BTC, random=Random(3))
        await feed.start()
        try:
            await reader.until(lambda: feed.figures()[0].last_close_code == 1009)
            assert f"exceeds limit of {MAX_FRAME_BYTES}" in feed.figures()[0].last_ending
            await reader.until(lambda: reader.is_live("BTC-USD"), 15)
            assert len(reader.books["BTC-USD"].bids()) == 59_999
        finally:
            await feed.stop()


async def test_a_backlog_is_not_worked_off_but_dropped() -> None:
    """The venue's times fall behind ours: what comes is old, and there is more of it."""
    late = timedelta(0)

    def now(frame: str) -> str:
        return frame.replace(SENT, (datetime.now(UTC) - late).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))

    async def script(peer: Peer) -> None:
        nonlocal late
        late = timedelta(0)
        await peer.asked("subscribe", "level2")
        await peer.send(now(heartbeat(0, 1)), now(l2_snapshot(1)))
        for number in range(2, 1_000):
            await asyncio.sleep(0.03)
            if not peer.number:
                late += timedelta(milliseconds=60)
            await peer.send(now(l2(number, "update", "BTC-USD", [("99.99", "7")])))

    reader = FeedReader()
    async with ScriptedVenue(script) as venue:
        feed = reader.make(venue, BTC, random=Random(1))
        await feed.start()
        try:
            await reader.until(lambda: reader.is_live("BTC-USD"))
            await reader.until(lambda: reader.states["BTC-USD"] is FeedState.STALE)
            assert reader.reasons[-1].endswith(" ms behind the venue")
            assert 500 < int(reader.reasons[-1].split()[0]) < 700
            await reader.until(lambda: len(venue.peers) == 2 and reader.is_live("BTC-USD"))
        finally:
            await feed.stop()


async def test_a_line_that_is_late_by_the_measured_clock_is_not_quoted_on() -> None:
    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "level2")
        number = 1
        while True:
            stamp = (datetime.now(UTC) - timedelta(milliseconds=1_300)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            frame = l2_snapshot(number) if number == 1 else l2(number, "update", "BTC-USD", [("99.99", "7")])
            if number == 1:
                await peer.send(heartbeat(0, 1).replace(SENT, stamp))
            await peer.send(frame.replace(SENT, stamp))
            number += 1
            await asyncio.sleep(0.03)

    offset = 0
    reader = FeedReader()
    async with ScriptedVenue(script) as venue:
        feed = reader.make(venue, BTC, clock_offset_ns=lambda: offset)
        await feed.start()
        try:
            await reader.until(lambda: reader.states.get("BTC-USD") is FeedState.STALE)
            assert reader.reasons[-1].startswith("1,3")
            assert reader.reasons[-1].endswith(" ms late")
            # The venue's clock is behind ours by as much: then the line is prompt.
            offset = -1_300_000_000
            await reader.until(lambda: reader.is_live("BTC-USD"))
            assert len(venue.peers) == 1
        finally:
            await feed.stop()


# -- deafness ----------------------------------------------------------------------------------------


async def test_a_venue_that_does_not_answer_the_handshake_is_left_after_the_open_time() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        finally:
            writer.close()

    server = await asyncio.start_server(deaf, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    reader = FeedReader()

    class There:
        endpoints = NetworkSettings(endpoint=f"http://127.0.0.1:{port}").endpoints("coinbase")

    feed = reader.make(There(), BTC, patience=replace(QUICK, open_s=0.3))  # type: ignore[arg-type]
    began = asyncio.get_running_loop().time()
    await feed.start()
    assert 0.25 < asyncio.get_running_loop().time() - began < 1.0
    assert reader.warnings[0][0] == "TIMEOUT"
    await feed.stop()
    server.close()
    await server.wait_closed()


async def test_unanswered_pings_end_a_connection() -> None:
    async def script(peer: Peer) -> None:
        await small_book(peer)
        if not peer.number:
            # Nothing is read any more, pings included.
            peer.socket.transport.pause_reading()

    reader = FeedReader()
    async with ScriptedVenue(script) as venue:
        feed = reader.make(
            venue,
            BTC,
            patience=replace(QUICK, ping_interval_s=0.1, first_pong_s=0.3, pong_s=0.2),
            settings=NetworkSettings(stale_soft_ms=60_000, stale_hard_ms=60_000),
        )
        await feed.start()
        try:
            await reader.until(lambda: len(venue.peers) == 2)
            assert feed.figures()[0].last_close_code == 1011
        finally:
            await feed.stop()


async def test_a_venue_that_takes_nothing_any_more_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our request finds the buffers full."""
    monkeypatch.setattr("engine.exchange.coinbase.feed.feed_shard.book_request", lambda *_: "x" * (20 << 20))

    async def script(peer: Peer) -> None:
        await small_book(peer)
        if not peer.number:
            peer.socket.transport.pause_reading()

    reader = FeedReader()
    async with ScriptedVenue(script) as venue:
        feed = reader.make(
            venue,
            BTC,
            patience=replace(QUICK, ping_interval_s=60.0),
            settings=NetworkSettings(stale_soft_ms=60_000, stale_hard_ms=60_000),
        )
        await feed.start()
        try:
            await reader.until(lambda: reader.is_live("BTC-USD"))
            feed.distrust("BTC-USD", "crossed", 1, 1)
            await reader.until(lambda: len(venue.peers) == 2)
            assert feed.figures()[0].last_ending == "a request could not be sent within 0.5 s"
        finally:
            await feed.stop()


async def test_an_address_that_swallows_everything_does_not_keep_us_from_the_next_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name with two addresses of which the first (IPv6 on many machines) leads nowhere."""
    loop = asyncio.get_running_loop()
    real_lookup, real_connect = loop.getaddrinfo, loop.sock_connect

    async def lookup(host: str, port: int, **given: object) -> list[object]:
        (found, *_) = await real_lookup("127.0.0.1", port, **given)  # type: ignore[arg-type]
        return [(*found[:4], ("127.0.0.2", port)), found]

    async def connect(sock: object, address: tuple[str, int]) -> None:
        if address[0] == "127.0.0.2":
            await asyncio.Event().wait()
        await real_connect(sock, address)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "getaddrinfo", lookup)
    monkeypatch.setattr(loop, "sock_connect", connect)
    reader = FeedReader()
    async with ScriptedVenue(small_book) as venue:

        class There:
            endpoints = NetworkSettings(
                endpoint=f"http://localhost:{urlsplit(venue.endpoints.market).port}"
            ).endpoints("coinbase")

        feed = reader.make(There(), BTC, patience=replace(QUICK, open_s=2.0))  # type: ignore[arg-type]
        await feed.start()
        assert feed.figures()[0].connects == 1
        await feed.stop()
