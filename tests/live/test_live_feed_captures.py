"""The live feed against a venue that plays the real captures: the same books as the reference answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ws_kit import FeedReader, ScriptedVenue, book_sha256, playing, read_capture

from engine.core.events import FeedState
from engine.exchange.coinbase.network import NetworkSettings
from engine.exchange.coinbase.sessions import Api
from engine.exchange.recording import observe

ADVANCED = "advanced_ws_btc_eth_20260809_first10s.jsonl.gz"
EXCHANGE = "exchange_ws_20210417_6products.jsonl.gz"


VARIANTS = ("lost", "heartbeat lost", "duplicate", "swapped", "snapshot again", "cut off", "cut JSON", "noise")


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
        # The books of the end, whole, in place of the frame that follows.
        at = next(place for place in range(len(frames) - 1, 0, -1) if '"l2_data"' in frames[place][1][:60])
        frame = json.loads(frames[at][1])
        assert frame["events"][0]["type"] == "update"
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
