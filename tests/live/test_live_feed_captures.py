"""The live feed against a venue that plays the real captures: the same books as the reference answers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random

import pytest
from ws_kit import FeedReader, Peer, ScriptedVenue, book_sha256, playing, read_capture

from engine.core.events import FeedState, FeedStatus
from engine.exchange.coinbase.network import NetworkSettings
from engine.exchange.coinbase.wire.sessions import Api
from engine.exchange.recording import observe

ADVANCED = "advanced_ws_btc_eth_20260809_first10s.jsonl.gz"
EXCHANGE = "exchange_ws_20210417_6products.jsonl.gz"


SEQUENCE = re.compile(r'("sequence_num": ?)\d+')
LOSSES = ("lost", "heartbeat lost", "swapped", "cut off", "cut JSON")
VARIANTS = (*LOSSES, "duplicate", "snapshot again", "noise")


def damaged(frames: list[tuple[float, str]], variant: str, at: int) -> list[tuple[float, str]]:
    """What the venue sends on its first connection."""
    frames = list(frames)
    if variant == "lost":
        del frames[at]
    elif variant == "heartbeat lost":
        # The frame is gone and nothing in the sequence shows it: only the counter jumps.
        beats = [place for place, (_, raw) in enumerate(frames) if '"heartbeats"' in raw[:40]]
        at = next(place for place in beats if place > at)
        time, raw = frames[at]
        frame = json.loads(raw)
        frame["events"][0]["heartbeat_counter"] += 1
        frames[at] = (time, json.dumps(frame))
    elif variant == "duplicate":
        frames.insert(at + 1, frames[at])
    elif variant == "swapped":
        frames[at], frames[at + 1] = frames[at + 1], frames[at]
    elif variant == "snapshot again":
        first = next(
            place for place, (_, raw) in enumerate(frames) if '"snapshot"' in raw and "l2_data" in raw[:60]
        )
        frames.insert(first, frames[first])
        frames = [
            (time, SEQUENCE.sub(rf"\g<1>{number}", raw, count=1)) for number, (time, raw) in enumerate(frames)
        ]
    elif variant == "cut off":
        del frames[at:]
    elif variant == "cut JSON":
        frames[at] = (frames[at][0], frames[at][1][:-20])
    else:
        frames[at:at] = [
            (frames[at][0], '{"type":"error","message":"rate limit exceeded"}'),
            (frames[at][0], '{"type":"novelty","words":[1,null,{}]}'),
        ]
    return frames


@pytest.mark.parametrize(
    ("name", "api", "speed"),
    [
        pytest.param(ADVANCED, Api.ADVANCED, None, id="advanced-max"),
        pytest.param(ADVANCED, Api.ADVANCED, 20.0, id="advanced-20x"),
        pytest.param(ADVANCED, Api.ADVANCED, 1.0, id="advanced-1x", marks=pytest.mark.nightly),
        pytest.param(EXCHANGE, Api.EXCHANGE, None, id="exchange-max"),
        pytest.param(EXCHANGE, Api.EXCHANGE, 20.0, id="exchange-20x"),
    ],
)
async def test_books_equal_the_reference(shared_data: Path, name: str, api: Api, speed: float | None) -> None:
    path = shared_data / "coinbase" / name
    expected = json.loads((shared_data / "coinbase" / "expected.json").read_text())[name]
    frames = read_capture(path)
    instruments = observe(path).instruments()
    reader = FeedReader()
    async with ScriptedVenue(playing(frames, speed)) as venue:
        feed = reader.make(
            venue, instruments, api=api, settings=NetworkSettings(stale_soft_ms=20_000, stale_hard_ms=20_000)
        )
        await feed.start()
        try:
            await reader.until(lambda: feed.counters.frames == len(frames), 30)
            reader.take()
        finally:
            await feed.stop()
    assert feed.counters.gaps == feed.counters.malformed == feed.counters.reconnects == feed.overflows == 0
    for product, book in expected["books"].items():
        assert book_sha256(instruments[product], reader.books[product]) == book["book_sha256"]
        assert reader.states[product] is FeedState.LIVE
    assert len(venue.peers) == 1


@pytest.mark.parametrize("variant", VARIANTS)
async def test_a_fault_in_the_capture_ends_in_the_very_same_books(shared_data: Path, variant: str) -> None:
    """A loss costs a new connection; what is no loss costs nothing."""
    path = shared_data / "coinbase" / ADVANCED
    expected = json.loads((shared_data / "coinbase" / "expected.json").read_text())[ADVANCED]["books"]
    frames = read_capture(path)
    first = damaged(frames, variant, 200)
    assert first != frames
    instruments = observe(path).instruments()
    reader = FeedReader()

    async def script(peer: Peer) -> None:
        await playing(first if not peer.number else frames, None)(peer)
        if variant == "cut off" and not peer.number:
            await peer.socket.close(1001)

    async with ScriptedVenue(script) as venue:
        feed = reader.make(
            venue,
            instruments,
            settings=NetworkSettings(stale_soft_ms=20_000, stale_hard_ms=20_000),
            random=Random(4),
        )
        await feed.start()
        try:
            connects = 2 if variant in LOSSES else 1
            await reader.until(
                lambda: (
                    feed.figures()[0].connects == connects
                    and reader.is_live(*expected)
                    and all(
                        book_sha256(instruments[product], reader.books[product]) == book["book_sha256"]
                        for product, book in expected.items()
                    )
                ),
                20,
            )
        finally:
            await feed.stop()
    states = [
        event.state for event in reader.events if isinstance(event, FeedStatus) and event.product == "BTC-USD"
    ]
    again = [FeedState.STALE, FeedState.LIVE] if variant in LOSSES else []
    assert states == [FeedState.SUBSCRIBED, FeedState.LIVE, *again]
    assert {product: feed.unique_trades(product) for product in expected} == {"BTC-USD": 126, "ETH-USD": 118}
