"""What a live feed makes of a connection that is not as it should be, over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from random import Random
from typing import Any

import pytest
from coinbase_frames import INSTRUMENTS, advanced, heartbeat, l2, l2_snapshot, trades
from ws_kit import QUICK, FeedReader, Peer, Script, ScriptedVenue, http_answer

from engine.core.clock import ManualClock
from engine.core.events import FeedState, TradePrint
from engine.core.instrument import Instrument
from engine.exchange.coinbase.feed.refusals import ConnectionRefusedForGood
from engine.exchange.coinbase.network import Endpoints, NetworkSettings
from engine.exchange.coinbase.wire.sessions import Api

BTC = {"BTC-USD": INSTRUMENTS["BTC-USD"]}
BOTH = {name: INSTRUMENTS[name] for name in ("BTC-USD", "ETH-USD")}
SHORT = NetworkSettings(stale_soft_ms=300, stale_hard_ms=900)


class Numbers:
    """The sequence of one connection."""

    def __init__(self) -> None:
        self.next = 0

    def take(self, skip: int = 0) -> int:
        number = self.next + skip
        self.next = number + 1
        return number


@asynccontextmanager
async def running(
    script: Script, instruments: dict[str, Instrument] = BTC, **given: Any
) -> AsyncIterator[tuple[FeedReader, ScriptedVenue]]:
    """A feed that is connected to a venue with this script."""
    reader = FeedReader()
    refuse = given.pop("refuse", lambda number: None)
    async with ScriptedVenue(script, refuse=refuse) as venue:
        feed = reader.make(venue, instruments, random=Random(1), **given)
        await feed.start()
        try:
            yield reader, venue
        finally:
            await feed.stop()


def update(number: int, size: str = "7", product: str = "BTC-USD") -> str:
    return l2(number, "update", product, [("99.99", size)])


async def go_on(peer: Peer, numbers: Numbers, every_s: float = 0.05) -> None:
    """A healthy book from now on."""
    while True:
        await peer.send(update(numbers.take()))
        await asyncio.sleep(every_s)


def best_bid_size(reader: FeedReader) -> int:
    return dict(reader.books["BTC-USD"].bids())[9999]


# -- the eight variants ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variant", "reason"),
    [
        ("frame lost", "sequence gap: expected 3, got 4"),
        ("heartbeat lost", "heartbeat jumped from 5 to 7"),
        ("swapped", "sequence gap: expected 3, got 4"),
        ("cut", "sequence gap: expected 3, got 4"),
        ("closed", "code 1001"),
    ],
)
async def test_a_loss_makes_every_book_stale_until_a_new_connection(variant: str, reason: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "level2")
        await peer.send(heartbeat(0, 5), l2_snapshot(1), l2_snapshot(2, "ETH-USD"))
        if peer.number:
            await peer.send(update(3, "42"))
            return
        await asyncio.sleep(0.05)
        if variant == "frame lost":
            await peer.send(update(4))
        elif variant == "heartbeat lost":
            await peer.send(heartbeat(3, 7))
        elif variant == "swapped":
            await peer.send(update(4), update(3))
        elif variant == "cut":
            await peer.send(update(3)[:60], update(4))
        else:
            await peer.socket.close(1001)

    async with running(script, BOTH) as (reader, venue):
        await reader.until(lambda: reader.is_live("BTC-USD", "ETH-USD"))
        await reader.until(lambda: len(venue.peers) == 2 and reader.is_live("BTC-USD", "ETH-USD"))
        await reader.until(lambda: best_bid_size(reader) == 42 * 10**8)
        states = [
            event.state
            for event in reader.events
            if getattr(event, "state", None) and event.product == "ETH-USD"
        ]
        assert states == [FeedState.SUBSCRIBED, FeedState.LIVE, FeedState.STALE, FeedState.LIVE]
        assert any(reason in text for text in reader.reasons)
        assert reader.feed is not None
        assert reader.feed.counters.reconnects == 1


@pytest.mark.parametrize("variant", ["duplicate", "snapshot again", "unknown frames", "error frame"])
async def test_what_is_no_loss_leaves_the_book_live(variant: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "level2")
        await peer.send(heartbeat(0, 5), l2_snapshot(1))
        number = 2
        if variant == "duplicate":
            await peer.send(l2_snapshot(1), l2_snapshot(1))
        elif variant == "snapshot again":
            await peer.send(update(2, "3"), l2_snapshot(3))
            number = 4
        elif variant == "unknown frames":
            await peer.send(advanced("candles", 2, {"type": "update"}), advanced("novelties", 3, {"x": None}))
            number = 4
        else:
            await peer.send('{"type":"error","message":"rate limit\\u001b[31m exceeded"}')
        await peer.send(update(number, "42"))

    async with running(script) as (reader, venue):
        await reader.until(lambda: "BTC-USD" in reader.books and best_bid_size(reader) == 42 * 10**8)
        assert reader.is_live("BTC-USD")
        assert len(venue.peers) == 1
        feed = reader.feed
        assert feed is not None
        counted = (feed.counters.duplicates, feed.counters.unknown, feed.counters.errors, feed.counters.gaps)
        assert (
            counted
            == {
                "duplicate": (2, 0, 0, 0),
                "snapshot again": (0, 0, 0, 0),
                "unknown frames": (0, 1, 0, 0),
                "error frame": (0, 0, 1, 0),
            }[variant]
        )
        if variant == "error frame":
            assert reader.warnings == [
                ("VENUE", "the venue refused a request for market data: rate limit exceeded")
            ]


# -- silence -----------------------------------------------------------------------------------------


async def test_silence_is_stale_and_then_a_new_connection_and_fresh_before_live(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.exchange.coinbase.feed.product_guard.FRESH_NS", 200_000_000)
    fell_silent = 0.0

    async def script(peer: Peer) -> None:
        nonlocal fell_silent
        await peer.asked("subscribe", "level2")
        await peer.send(heartbeat(0, 5), l2_snapshot(1))
        if peer.number:
            numbers = Numbers()
            numbers.next = 2
            await go_on(peer, numbers)
        fell_silent = asyncio.get_running_loop().time()

    async with running(script, settings=SHORT) as (reader, venue):
        await reader.until(lambda: reader.is_live("BTC-USD"))
        await reader.until(lambda: reader.states["BTC-USD"] is FeedState.STALE)
        assert 0.25 < asyncio.get_running_loop().time() - fell_silent < 0.8
        assert reader.reasons[-1].startswith("silent for 0.3 s")
        await reader.until(lambda: len(venue.peers) == 2)
        assert asyncio.get_running_loop().time() - fell_silent > 0.85
        began = asyncio.get_running_loop().time()
        await reader.until(lambda: reader.is_live("BTC-USD"))
        assert asyncio.get_running_loop().time() - began > 0.15


async def test_half_open_is_stale_within_two_and_a_half_seconds() -> None:
    """With the settings as they are: the line is up, pings are answered, and nothing comes."""

    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "level2")
        await peer.send(heartbeat(0, 5), l2_snapshot(1))

    async with running(script) as (reader, _):
        await reader.until(lambda: reader.is_live("BTC-USD"))
        began = asyncio.get_running_loop().time()
        await reader.until(lambda: reader.states["BTC-USD"] is FeedState.STALE)
        assert 1.8 < asyncio.get_running_loop().time() - began < 2.5


async def test_a_quiet_product_is_asked_for_anew_when_it_speaks_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.exchange.coinbase.feed.product_guard.FRESH_NS", 200_000_000)

    async def script(peer: Peer) -> None:
        numbers = Numbers()
        await peer.asked("subscribe", "level2")
        await peer.send(heartbeat(numbers.take(), 1), l2_snapshot(numbers.take()))
        for beat in range(2, 12):
            await asyncio.sleep(0.05)
            await peer.send(heartbeat(numbers.take(), beat))
        await peer.send(update(numbers.take()))
        await peer.asked("unsubscribe", "level2")
        # On its way before the venue knew that we leave: whole, but nobody sends its changes.
        await peer.send(l2_snapshot(numbers.take()))
        await peer.send(
            advanced("subscriptions", numbers.take(), {"subscriptions": {"heartbeats": ["heartbeats"]}})
        )
        await peer.asked("subscribe", "level2", 2)
        await peer.send(l2_snapshot(numbers.take()))
        await go_on(peer, numbers)

    async with running(script, settings=SHORT) as (reader, venue):
        await reader.until(lambda: reader.is_live("BTC-USD"))
        await reader.until(lambda: reader.states["BTC-USD"] is FeedState.STALE)
        await reader.until(lambda: len(venue.peers[0].requests) >= 4)
        assert not reader.is_live("BTC-USD")
        await reader.until(lambda: reader.is_live("BTC-USD"))
        assert len(venue.peers) == 1
        states = [event.state for event in reader.events if hasattr(event, "state")]
        assert states == [FeedState.SUBSCRIBED, FeedState.LIVE, FeedState.STALE, FeedState.LIVE]


async def test_missing_heartbeats_make_the_connection_suspect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.exchange.coinbase.feed.feed_shard._HEARTBEAT_NS", 200_000_000)

    async def script(peer: Peer) -> None:
        numbers = Numbers()
        await peer.asked("subscribe", "level2")
        await peer.send(heartbeat(numbers.take(), 1), l2_snapshot(numbers.take()))
        for _ in range(10):
            await peer.send(update(numbers.take()))
            await asyncio.sleep(0.05)
        for beat in range(2, 100):
            await peer.send(heartbeat(numbers.take(), beat), update(numbers.take()))
            await asyncio.sleep(0.05)

    async with running(script) as (reader, venue):
        await reader.until(lambda: reader.is_live("BTC-USD"))
        await reader.until(lambda: reader.states["BTC-USD"] is FeedState.STALE)
        assert reader.reasons[-1].startswith("no heartbeat for 0.2 s")
        await reader.until(lambda: reader.is_live("BTC-USD"))
        assert len(venue.peers) == 1


# -- noise -------------------------------------------------------------------------------------------


async def test_three_unreadable_frames_end_the_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "level2")
        await peer.send(heartbeat(0, 5), l2_snapshot(1))
        if not peer.number:
            await peer.send("{", b"\x00\x01", "[" * 100_000)

    async with running(script) as (reader, venue):
        await reader.until(lambda: len(venue.peers) == 2 and reader.is_live("BTC-USD"))
        assert any("3 frames within 10 s could not be read" in text for text in reader.reasons)


@pytest.mark.parametrize("close", [1000, 1013, 4001])
async def test_a_venue_that_asks_for_patience_gets_it(close: int) -> None:
    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "level2")
        await peer.send(heartbeat(0, 5), l2_snapshot(1))
        if not peer.number:
            await peer.socket.close(close)

    async with running(script) as (reader, _):
        await reader.until(lambda: reader.states.get("BTC-USD") is FeedState.STALE)
        feed = reader.feed
        assert feed is not None
        figures = feed.figures()[0]
        assert figures.last_close_code == close
        if close == 1000:
            await reader.until(lambda: reader.is_live("BTC-USD"))
            assert figures.connects == 2
        else:
            await asyncio.sleep(0.3)
            assert figures.state == "waiting"
        assert (f"CLOSED_{close}", f"market data: {figures.last_ending}; connecting again") in reader.warnings


# -- refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN])
async def test_a_refused_upgrade_is_final_and_tried_once(status: HTTPStatus) -> None:
    async def script(peer: Peer) -> None:
        raise AssertionError("nobody may come this far")

    reader = FeedReader()
    async with ScriptedVenue(script, refuse=lambda number: http_answer(status)) as venue:
        feed = reader.make(venue, BTC)
        with pytest.raises(ConnectionRefusedForGood, match=rf"HTTP {status.value}.*key") as caught:
            await feed.start()
        assert caught.value.code == f"HTTP_{status.value}"
        assert venue.attempts == 1
        assert reader.restraints[0][:2] == ("FEED", "halted")


async def test_retry_after_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.exchange.coinbase.feed.backoff._BUSY_STEPS", 0)

    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "level2")
        await peer.send(heartbeat(0, 5), l2_snapshot(1))

    def refuse(number: int) -> Any:
        return http_answer(HTTPStatus.TOO_MANY_REQUESTS, **{"Retry-After": "1"}) if number == 0 else None

    began = asyncio.get_running_loop().time()
    async with running(script, refuse=refuse) as (reader, _):
        assert ("HTTP_429", reader.warnings[0][1]) == reader.warnings[0]
        await reader.until(lambda: reader.is_live("BTC-USD"), 15)
        assert asyncio.get_running_loop().time() - began >= 1.0


async def test_a_venue_that_is_not_there_is_tried_again() -> None:
    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "level2")
        await peer.send(heartbeat(0, 5), l2_snapshot(1))

    reader = FeedReader()
    async with ScriptedVenue(script) as venue:
        pass
    feed = reader.make(venue_at(venue), BTC, random=Random(2))
    await feed.start()
    try:
        await asyncio.sleep(0.05)
        assert reader.warnings[0][0] == "REFUSED"
        assert "nothing listens at 127.0.0.1" in reader.warnings[0][1]
        assert feed.figures()[0].state in ("waiting", "connecting")
    finally:
        await feed.stop()


def venue_at(venue: ScriptedVenue) -> Any:
    """The address of a venue that has gone."""

    class Gone:
        endpoints = Endpoints(
            "http://127.0.0.1:9", "ws://127.0.0.1:9/advanced", "ws://127.0.0.1:9/advanced-user"
        )

    return Gone()


async def test_a_name_that_cannot_be_resolved_is_called_so() -> None:
    class Nowhere:
        endpoints = Endpoints("https://x", "ws://venue.invalid/advanced", "ws://venue.invalid/advanced-user")

    reader = FeedReader()
    feed = reader.make(Nowhere(), BTC)  # type: ignore[arg-type]
    await feed.start()
    await feed.stop()
    assert reader.warnings[0][0] == "DNS"
    assert "cannot be resolved (DNS" in reader.warnings[0][1]


async def test_a_storm_of_accept_and_close_is_limited() -> None:
    async def script(peer: Peer) -> None:
        await peer.socket.close(1000)

    async with running(script) as (_, venue):
        await asyncio.sleep(1.0)
        assert 1 < venue.attempts <= 10


# -- the consumer ------------------------------------------------------------------------------------


async def test_an_engine_that_does_not_poll_loses_the_book_and_gets_a_new_one() -> None:
    async def script(peer: Peer) -> None:
        numbers = Numbers()
        await peer.asked("subscribe", "level2")
        await peer.send(heartbeat(numbers.take(), 1), l2_snapshot(numbers.take()))
        await peer.send(trades(numbers.take(), "update", (1, "100.01", "0.1", "SELL")))
        await go_on(peer, numbers, 0.02)

    async with running(script) as (reader, venue):
        await reader.until(lambda: reader.is_live("BTC-USD"))
        await asyncio.sleep(0.8)
        reader.take()
        assert reader.feed is not None
        assert reader.feed.overflows == 1
        # Live, by the book of before; then all that waited is void.
        assert reader.reasons[2].startswith("the engine is behind: ")
        assert [event.state for event in reader.events if hasattr(event, "state")][2] is FeedState.STALE
        await reader.until(lambda: len(venue.peers) == 2 and reader.is_live("BTC-USD"))
        assert sum(isinstance(event, TradePrint) for event in reader.events) == 1


async def test_a_burst_of_ten_thousand_is_taken_whole() -> None:
    async def script(peer: Peer) -> None:
        numbers = Numbers()
        await peer.asked("subscribe", "level2")
        await peer.send(heartbeat(numbers.take(), 1), l2_snapshot(numbers.take()))
        for _ in range(9_999):
            await peer.send(update(numbers.take()))
        await peer.send(update(numbers.take(), "42"))

    async with running(script) as (reader, venue):
        await reader.until(lambda: "BTC-USD" in reader.books and best_bid_size(reader) == 42 * 10**8, 10)
        assert reader.is_live("BTC-USD")
        assert reader.feed is not None
        assert reader.feed.overflows == 0
        assert len(venue.peers) == 1


async def test_a_first_book_that_is_refused_is_asked_for_again() -> None:
    async def script(peer: Peer) -> None:
        numbers = Numbers()
        await peer.asked("subscribe", "level2")
        await peer.send(
            heartbeat(numbers.take(), 1), l2(numbers.take(), "snapshot", "BTC-USD", [("99.999", "1")])
        )
        await peer.asked("unsubscribe", "level2")
        await peer.send(advanced("subscriptions", numbers.take(), {"subscriptions": {}}))
        await peer.asked("subscribe", "level2", 2)
        await peer.send(l2_snapshot(numbers.take()))

    async with running(script) as (reader, venue):
        await reader.until(lambda: reader.is_live("BTC-USD"))
        assert "a book frame was refused" in reader.reasons
        assert len(venue.peers) == 1


async def test_minutes_without_market_data_halt_trading_until_it_is_back() -> None:
    clock = ManualClock(0, 0)
    gate = asyncio.Event()

    async def script(peer: Peer) -> None:
        await gate.wait()
        await peer.send(heartbeat(0, 5), l2_snapshot(1))

    reader = FeedReader(clock)
    async with ScriptedVenue(script) as venue:
        feed = reader.make(venue, BTC, settings=NetworkSettings(stale_hard_ms=60_000))
        await feed.start()
        try:
            for _ in range(6):
                clock.advance(50 * 10**9)
                await asyncio.sleep(0.06)
            assert reader.restraints == []
            clock.advance(10**9)
            await reader.until(lambda: reader.restraints != [])
            assert reader.restraints[0][:2] == ("FEED", "halted")
            assert reader.restraints[0][2].startswith("no market data for 5 minutes")
            gate.set()
            await reader.until(lambda: len(reader.restraints) == 2)
            assert reader.restraints[1] == ("FEED", "none", "market data is back")
        finally:
            await feed.stop()


async def test_a_watch_that_fails_halts_trading(monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "level2")

    async with running(script) as (reader, _):
        monkeypatch.setattr(reader.feed, "settings", None)
        await reader.until(lambda: reader.restraints != [])
        assert reader.restraints[0][:2] == ("FEED", "halted")
        assert "the watch over market data has failed" in reader.restraints[0][2]


async def test_distrust_is_told_at_once_and_ends_with_a_new_book() -> None:
    async def script(peer: Peer) -> None:
        numbers = Numbers()
        await peer.asked("subscribe", "level2")
        await peer.send(
            heartbeat(numbers.take(), 1), l2_snapshot(numbers.take()), l2_snapshot(numbers.take(), "ETH-USD")
        )
        await peer.asked("unsubscribe", "level2")
        await peer.send(advanced("subscriptions", numbers.take(), {"subscriptions": {"level2": ["ETH-USD"]}}))
        await peer.asked("subscribe", "level2", 2)
        await peer.send(l2_snapshot(numbers.take()))

    async with running(script, BOTH) as (reader, venue):
        await reader.until(lambda: reader.is_live("BTC-USD", "ETH-USD"))
        feed = reader.feed
        assert feed is not None
        (status,) = feed.distrust("BTC-USD", "crossed", 1, 2)
        assert (status.product, status.recv_ns, status.wall_ns) == ("BTC-USD", 1, 2)
        reader.states["BTC-USD"] = status.state
        assert feed.state("BTC-USD") is FeedState.STALE
        assert feed.distrust("BTC-USD", "crossed", 1, 2) == []
        assert feed.distrust("DOGE-USD", "crossed", 1, 2) == []
        await reader.until(lambda: reader.is_live("BTC-USD"))
        unsubscribed = [request for request in venue.peers[0].requests if request["type"] == "unsubscribe"]
        assert [request["product_ids"] for request in unsubscribed] == [["BTC-USD"]]
        assert len(venue.peers) == 1
        assert [
            event.state
            for event in reader.events
            if getattr(event, "state", None) and event.product == "ETH-USD"
        ] == [
            FeedState.SUBSCRIBED,
            FeedState.LIVE,
        ]


# -- products ----------------------------------------------------------------------------------------


async def test_an_alias_comes_out_under_our_name() -> None:
    async def script(peer: Peer) -> None:
        asked = await peer.asked("subscribe", "level2")
        assert asked["product_ids"] == ["BTC-USD"]
        await peer.send(heartbeat(0, 1), l2_snapshot(1), trades(2, "update", (1, "100.01", "0.1", "SELL")))

    products = {
        name: Instrument.create(name, tick="0.01", lot="0.00000001") for name in ("BTC-USDC", "BTC-USD")
    }
    async with running(script, products, aliases={"BTC-USDC": "BTC-USD"}) as (reader, venue):
        await reader.until(lambda: reader.is_live("BTC-USDC", "BTC-USD"))
        await reader.until(lambda: sum(isinstance(event, TradePrint) for event in reader.events) == 2)
        assert len(venue.peers) == 2
        assert {event.product for event in reader.events} == {"BTC-USDC", "BTC-USD"}


async def test_products_are_spread_over_connections_and_a_loss_stays_on_its_own() -> None:
    served: list[str] = []

    async def script(peer: Peer) -> None:
        (product,) = (await peer.asked("subscribe", "level2"))["product_ids"]
        await peer.send(heartbeat(0, 1), l2_snapshot(1, product))
        served.append(product)
        if product == "BTC-USD" and served.count(product) == 1:
            await peer.send(update(9))

    settings = NetworkSettings(products_per_connection=1)
    async with running(script, BOTH, settings=settings) as (reader, venue):
        await reader.until(lambda: len(venue.peers) == 3 and reader.is_live("BTC-USD", "ETH-USD"))
        states = [
            event.state
            for event in reader.events
            if getattr(event, "state", None) and event.product == "ETH-USD"
        ]
        assert states == [FeedState.SUBSCRIBED, FeedState.LIVE]
        assert [figures.connects for figures in reader.feed.figures()] == [2, 1]  # type: ignore[union-attr]


async def test_heartbeats_are_asked_for_first_and_nothing_is_left_behind() -> None:
    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "market_trades")
        await peer.send(heartbeat(0, 1), l2_snapshot(1))

    before = asyncio.all_tasks()
    async with running(script, patience=QUICK) as (reader, venue):
        await reader.until(lambda: reader.is_live("BTC-USD"))
    assert [request["channel"] for request in venue.peers[0].requests] == [
        "heartbeats",
        "level2",
        "market_trades",
    ]
    await asyncio.sleep(0)
    assert {task for task in asyncio.all_tasks() if task not in before} == set()


async def test_exchange_asks_in_its_own_words() -> None:
    async def script(peer: Peer) -> None:
        asked = await peer.asked("subscribe", "level2_batch")
        assert asked["product_ids"] == ["BTC-USD"]
        await peer.send(
            '{"type":"heartbeat","product_id":"BTC-USD","sequence":1,"last_trade_id":1,"time":"2026-08-09T21:05:48Z"}',
            '{"type":"snapshot","product_id":"BTC-USD","bids":[["99.99","1"]],"asks":[["100.01","1"]]}',
            # One that cannot be read: whose it was nobody knows.
            '{"type":"l2update","product_id":"BTC-USD","changes":[["buy","99.99","NaN"]]}',
        )
        await peer.asked("unsubscribe", "level2_batch")
        await peer.send(
            '{"type":"subscriptions","channels":[{"name":"heartbeat","product_ids":["BTC-USD"]}]}'
        )
        await peer.asked("subscribe", "level2_batch", 2)
        await peer.send(
            '{"type":"snapshot","product_id":"BTC-USD","bids":[["99.98","1"]],"asks":[["100.01","1"]]}'
        )

    async with running(script, api=Api.EXCHANGE) as (reader, venue):
        await reader.until(lambda: reader.states.get("BTC-USD") is FeedState.STALE)
        assert reader.reasons[-1] == "a book frame was refused"
        await reader.until(lambda: reader.is_live("BTC-USD"))
        assert reader.books["BTC-USD"].best_bid() == 9998
        assert len(venue.peers) == 1
