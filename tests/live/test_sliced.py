"""A big frame read in pieces gives what the session gives for the whole, and holds nothing up."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from random import Random

import pytest
from coinbase_frames import INSTRUMENTS, advanced, l2_event, l2_snapshot
from ws_kit import read_capture

from engine.exchange.coinbase.feed import sliced
from engine.exchange.coinbase.feed.sliced import take_frame
from engine.exchange.coinbase.wire.advanced import AdvancedSession
from engine.exchange.coinbase.wire.exchange import ExchangeSession
from engine.exchange.coinbase.wire.session import FeedSession
from engine.exchange.recording import observe

STAMPS = (5, 7)


def book(size: int, seed: int = 1) -> dict[str, object]:
    source = Random(seed)
    bids = [
        (f"{10_000 + source.randrange(size * 3) / 100:.2f}", f"{source.random():.8f}") for _ in range(size)
    ]
    asks = [
        (f"{90_000 + source.randrange(size * 3) / 100:.2f}", f"{source.random():.8f}") for _ in range(size)
    ]
    return l2_event("snapshot", "BTC-USD", bids, asks)


def exchange_book(size: int) -> str:
    event = book(size)
    sides: dict[str, list[list[str]]] = {"bid": [], "offer": []}
    for change in event["updates"]:  # type: ignore[attr-defined]
        sides[change["side"]].append([change["price_level"], change["new_quantity"]])
    return json.dumps(
        {
            "type": "snapshot",
            "product_id": "BTC-USD",
            "bids": sides["bid"],
            "asks": sides["offer"],
            "time": "",
        }
    )


async def both(frames: list[str], kind: type[AdvancedSession] | type[ExchangeSession]) -> None:
    """The same events and counters, frame by frame."""
    whole, pieces = kind(INSTRUMENTS), kind(INSTRUMENTS)
    for raw in frames:
        assert await take_frame(pieces, raw, lambda: STAMPS) == whole.on_frame(raw, *STAMPS)
        assert pieces.counters == whole.counters
        assert pieces.last_sent == whole.last_sent
        assert pieces.state("BTC-USD") is whole.state("BTC-USD")


@pytest.fixture(params=[100, 1_000, 10**9])
def piece_bytes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sliced, "BIG_FRAME", 1)
    monkeypatch.setattr(sliced, "PIECE_BYTES", request.param)
    return int(request.param)


@pytest.mark.usefixtures("piece_bytes")
@pytest.mark.parametrize(
    "events",
    [
        [book(50)],
        [book(50), l2_event("update", "BTC-USD", [("99.9", "0")])],
        [l2_event("snapshot", "BTC-USD")],
        [l2_event("snapshot", "BTC-USD"), book(30)],
        [book(30), l2_event("snapshot", "ETH-USD", [("9", "1")], [("10", "1")])],
        [book(30), l2_event("snapshot", "DOGE-USD", [("9", "1")], [("10", "1")])],
        [book(30), l2_event("update", "BTC-USD", [("NaN", "1")])],
        [book(30), l2_event("update", "BTC-USD", [("1.001", "1")])],
        [book(30), l2_event("novelty", "BTC-USD", [("1", "1")])],
        [l2_event("snapshot", "BTC-USD", [("11", "1")], [("10", "1")])],
    ],
    ids=[
        "one",
        "two",
        "empty",
        "empty first",
        "products",
        "stranger",
        "nan",
        "off tick",
        "novelty",
        "crossed",
    ],
)
async def test_the_same_as_the_whole_frame(events: list[object]) -> None:
    frames = [l2_snapshot(0), advanced("l2_data", 1, *events), l2_snapshot(2)]
    await both(frames, AdvancedSession)
    compact = [json.dumps(json.loads(raw), separators=(",", ":")) for raw in frames]
    await both(compact, AdvancedSession)


@pytest.mark.usefixtures("piece_bytes")
async def test_sequence_counts_at_the_socket() -> None:
    big = advanced("l2_data", 4, book(50))
    await both([l2_snapshot(0), big, big, l2_snapshot(1), l2_snapshot(5)], AdvancedSession)


@pytest.mark.usefixtures("piece_bytes")
@pytest.mark.parametrize("text", ['"a},{b"', "{}", "[[{},{}],{}]", "{", '"\\u007d,{"'])
async def test_what_looks_like_a_boundary_is_none(text: str) -> None:
    raw = advanced("l2_data", 0, book(20)).replace('"event_time":', f'"extra": {text}, "event_time":')
    await both([raw, raw[:-30], raw[:500], l2_snapshot(1)], AdvancedSession)


@pytest.mark.usefixtures("piece_bytes")
@pytest.mark.parametrize(
    "damage", [("0.", "x."), ("]]", "]"), ('"BTC-USD"', '"DOGE-USD"'), ('"bids"', '"bins"')]
)
async def test_exchange_the_same_as_the_whole_frame(damage: tuple[str, str]) -> None:
    whole = exchange_book(50)
    await both([whole, whole.replace(*damage), whole.replace(", ", ",")], ExchangeSession)


async def test_the_first_books_hold_nothing_up(shared_data: Path) -> None:
    """The two real snapshots, 5.1 and 2.5 MB: equal, and the loop runs on between the pieces."""
    path = shared_data / "coinbase" / "advanced_ws_btc_eth_20260809_first10s.jsonl.gz"
    instruments = observe(path).instruments()
    frames = [raw for _, raw in read_capture(path)][:40]
    assert max(map(len, frames)) > 5_000_000
    whole: FeedSession = AdvancedSession(instruments)
    pieces = AdvancedSession(instruments)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    try:
        for raw in frames:
            before = turns
            assert await take_frame(pieces, raw, lambda: STAMPS) == whole.on_frame(raw, *STAMPS)
            assert turns - before >= len(raw) // sliced.PIECE_BYTES
    finally:
        counting.cancel()
        await asyncio.gather(counting, return_exceptions=True)


@pytest.mark.bench
async def test_the_longest_stop_is_short(shared_data: Path) -> None:
    path = shared_data / "coinbase" / "advanced_ws_btc_eth_20260809_first10s.jsonl.gz"
    session = AdvancedSession(observe(path).instruments())
    frames = [raw for _, raw in read_capture(path)][:40]
    longest, last = 0.0, time.perf_counter()

    async def watch() -> None:
        nonlocal longest, last
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0)
            now = time.perf_counter()
            longest, last = max(longest, now - last), now

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    for raw in frames:
        await take_frame(session, raw, lambda: STAMPS)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    print(f"longest stop {longest * 1e3:.1f} ms")  # noqa: T201
    assert longest < 0.020
