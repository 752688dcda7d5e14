"""How fast market data becomes a book: level changes, depth reads, and frames from bytes to book.

The changes go to `PriceLevels` and to a bare loop over a dict and a sorted list, the least that this
work can cost in the interpreter; the ratio of the two is what counts. Both must end with the same book.
"""

from __future__ import annotations

import random
import re
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from engine.commands.bench_timing import BenchResult, Candidate, skipped, time_interleaved
from engine.core.events import BookSnapshot, BookUpdate, Level
from engine.core.instrument import Instrument
from engine.core.order import Side
from engine.core.price_levels import PriceLevels
from engine.exchange.coinbase.products import catalogue
from engine.exchange.coinbase.wire.advanced import AdvancedSession
from engine.exchange.coinbase.wire.advanced_messages import L2Frame
from engine.exchange.recording import observe, read_recording

_MIDDLE = 6_508_366
_LEVELS = 20_000
_READ_EVERY = 10
_DEPTH = 10
_SEQUENCE = re.compile(rb'("sequence_num":\s*)\d+')

Update = tuple[list[Level], list[Level]]


def opening_book() -> Update:
    """A book of the size of BTC-USD's: 40,000 levels, three ticks apart."""
    bids = [(_MIDDLE - 1 - 3 * step, 10_000_000) for step in range(_LEVELS)]
    asks = [(_MIDDLE + 1 + 3 * step, 10_000_000) for step in range(_LEVELS)]
    return bids, asks


def updates(seed: int, count: int, mean_changes: float = 5.0) -> list[Update]:
    """`count` updates near the touch, each of one change or more, with a mean of `mean_changes`.

    Five is what a frame of a busy product carries on Advanced Trade.
    A third of the changes delete; distances from the middle are exponential with a mean of 60 ticks.
    """
    source = random.Random(seed)
    stream: list[Update] = []
    for _ in range(count):
        bids: list[Level] = []
        asks: list[Level] = []
        while True:
            distance = 1 + int(source.expovariate(1 / 60))
            size = 0 if source.random() < 0.33 else source.randint(1, 100_000_000)
            if source.random() < 0.5:
                bids.append((_MIDDLE - distance, size))
            else:
                asks.append((_MIDDLE + distance, size))
            if source.random() < 1 / mean_changes:
                break
        stream.append((bids, asks))
    return stream


class _Mirror:
    """`PriceLevels`, as a holder of a book uses it."""

    def __init__(self) -> None:
        self.book = PriceLevels()
        self.book.apply_snapshot(*opening_book())
        self.seen = 0

    def run(self, chunk: Sequence[Update]) -> None:
        book, seen = self.book, 0
        for number, (bids, asks) in enumerate(chunk):
            book.apply(bids, asks)
            if number % _READ_EVERY == 0:
                best_bid, best_ask = book.best_bid(), book.best_ask()
                if best_bid is None or best_ask is None:
                    break
                seen += best_bid + best_ask
                seen += len(book.levels(Side.BUY, _DEPTH)) + len(book.levels(Side.SELL, _DEPTH))
        self.seen += seen

    def levels(self) -> list[list[Level]]:
        return [self.book.bids(), self.book.asks()]


class _BareLoop:
    """The same work without a class: no refusals, no counters, no calls."""

    def __init__(self) -> None:
        bids, asks = opening_book()
        self.bid_sizes, self.ask_sizes = dict(bids), dict(asks)
        self.bid_keys, self.ask_keys = sorted(self.bid_sizes), sorted(-price for price in self.ask_sizes)
        self.seen = 0

    def run(self, chunk: Sequence[Update]) -> None:
        bid_sizes, ask_sizes, bid_keys, ask_keys = (
            self.bid_sizes,
            self.ask_sizes,
            self.bid_keys,
            self.ask_keys,
        )
        seen = 0
        for number, (bids, asks) in enumerate(chunk):
            for price, size in bids:
                if size:
                    if price not in bid_sizes:
                        insort(bid_keys, price)
                    bid_sizes[price] = size
                elif price in bid_sizes:
                    del bid_sizes[price]
                    del bid_keys[bisect_left(bid_keys, price)]
            for price, size in asks:
                if size:
                    if price not in ask_sizes:
                        insort(ask_keys, -price)
                    ask_sizes[price] = size
                elif price in ask_sizes:
                    del ask_sizes[price]
                    del ask_keys[bisect_left(ask_keys, -price)]
            if number % _READ_EVERY == 0:
                seen += bid_keys[-1] - ask_keys[-1]
                seen += len([(price, bid_sizes[price]) for price in bid_keys[: -_DEPTH - 1 : -1]])
                seen += len([(-key, ask_sizes[-key]) for key in ask_keys[: -_DEPTH - 1 : -1]])
        self.seen += seen

    def levels(self) -> list[list[Level]]:
        return [
            [(price, self.bid_sizes[price]) for price in reversed(self.bid_keys)],
            [(-key, self.ask_sizes[-key]) for key in reversed(self.ask_keys)],
        ]


def bench_l2_update(seed: int = 7, chunks: int = 60, size: int = 500) -> list[BenchResult]:
    """A level change, with best prices and the top ten read every ten updates; then the bare loop."""
    stream = updates(seed, chunks * size)
    parts = [stream[start : start + size] for start in range(0, len(stream), size)]
    mirror, bare = _Mirror(), _BareLoop()
    timings = time_interleaved(
        [Candidate("price levels", mirror.run), Candidate("bare loop", bare.run)],
        parts,
        lambda chunk: sum(len(bids) + len(asks) for bids, asks in chunk),
        warm_up=2,
    )
    assert mirror.levels() == bare.levels(), "the two books differ"
    assert mirror.seen == bare.seen > 0, "the depth reads differ"
    assert mirror.book.updates == len(stream), "updates were left out"
    name = f"L2 change + top-{_DEPTH} read each {_READ_EVERY} updates"
    ours, theirs = timings[0].result(name), timings[1].result(f"{name}, bare loop")
    ratio = ours.median / theirs.median
    return [replace(ours, note=f"{ratio:.2f} x the bare loop, same book at the end"), theirs]


def bench_top_of_book(chunks: int = 40, size: int = 1_000) -> BenchResult:
    """Reading the ten best levels of both sides of a full book."""
    book = PriceLevels()
    book.apply_snapshot(*opening_book())
    seen = 0

    def run(count: int) -> None:
        nonlocal seen
        for _ in range(count):
            seen += len(book.levels(Side.BUY, _DEPTH)) + len(book.levels(Side.SELL, _DEPTH))

    (timing,) = time_interleaved([Candidate("top ten", run)], [size] * chunks, lambda count: count)
    assert seen == chunks * size * 2 * _DEPTH, "levels are missing"
    return timing.result("top-10 read, both sides")


def level2_frames(seed: int, count: int, instrument: Instrument) -> list[bytes]:
    """`count` single-change `l2_data` frames in the wire format of Advanced Trade, after their snapshot."""
    bids, asks = opening_book()
    frames = [level2_frame(0, "snapshot", instrument, bids, asks)]
    for number, (bid, ask) in enumerate(updates(seed, count, mean_changes=1.0), start=1):
        frames.append(level2_frame(number, "update", instrument, bid, ask))
    return frames


def level2_frame(
    sequence: int, kind: str, instrument: Instrument, bids: Sequence[Level], asks: Sequence[Level]
) -> bytes:
    """One `l2_data` frame as Advanced Trade sends it; `kind` is snapshot or update."""
    changes = ",".join(
        f'{{"side":"{side}","event_time":"2026-01-02T03:04:05.678901Z",'
        f'"price_level":"{instrument.price_text(price)}","new_quantity":"{instrument.size_text(size)}"}}'
        for side, levels in (("bid", bids), ("offer", asks))
        for price, size in levels
    )
    return (
        f'{{"channel":"l2_data","timestamp":"2026-01-02T03:04:05.{sequence % 10**9:09d}Z",'
        f'"sequence_num":{sequence},"events":[{{"type":"{kind}","product_id":"{instrument.symbol}",'
        f'"updates":[{changes}]}}]}}'
    ).encode()


class _Pipeline:
    """From the bytes of a frame to the book, through the session of the live feed."""

    def __init__(self, instruments: dict[str, Instrument], opening: Sequence[bytes]) -> None:
        self.session = AdvancedSession(instruments)
        self.books = {symbol: PriceLevels() for symbol in instruments}
        self.run(opening)

    def run(self, frames: Sequence[bytes]) -> None:
        on_frame, books = self.session.on_frame, self.books
        for raw in frames:
            for event in on_frame(raw, 0, 0):
                if isinstance(event, BookUpdate):
                    books[event.product].apply(event.bids, event.asks)
                elif isinstance(event, BookSnapshot):
                    books[event.product].apply_snapshot(event.bids, event.asks)

    def objection(self, updates: int) -> str | None:
        """Why the work was not that of applying `updates` updates; None if it was."""
        counters = self.session.counters
        refused = counters.gaps + counters.malformed + counters.duplicates + counters.unknown
        if refused:
            return f"{refused} frames or events were refused"
        applied = sum(book.updates for book in self.books.values())
        if applied != updates:
            return f"{applied} of {updates} updates were applied"
        if not all(book.best_bid() for book in self.books.values() if book.updates):
            return "a book has no bids at the end"
        return None


def bench_decode_apply(seed: int = 7, chunks: int = 20, size: int = 2_500) -> BenchResult:
    """One single-change level2 frame, from bytes to book."""
    instrument = catalogue()["BTC-USD"]
    frames = level2_frames(seed, chunks * size, instrument)
    pipeline = _Pipeline({instrument.symbol: instrument}, frames[:1])
    parts = [frames[start : start + size] for start in range(1, len(frames), size)]
    (timing,) = time_interleaved([Candidate("decode and apply", pipeline.run)], parts, len, warm_up=2)
    return _verified(pipeline, timing.result("decode + apply, one level2 change"), chunks * size, "synthetic")


@dataclass(frozen=True, slots=True)
class RecordedBooks:
    """The level2 frames of a recording: with a snapshot, without, and how many updates are in the latter."""

    name: str
    instruments: dict[str, Instrument]
    opening: list[bytes]
    frames: list[bytes]
    updates: int


def read_books(path: Path) -> RecordedBooks:
    """The level2 frames of Advanced Trade in a recording; none when it is of something else."""
    opening: list[bytes] = []
    frames: list[bytes] = []
    updates = 0
    for line in read_recording(path):
        try:
            frame = msgspec.json.decode(line.raw, type=L2Frame, strict=False)
        except msgspec.MsgspecError:
            continue
        if any(event.type == "snapshot" for event in frame.events):
            opening.append(line.raw.encode())
        else:
            frames.append(line.raw.encode())
            updates += sum(event.type == "update" for event in frame.events)
    return RecordedBooks(path.name, observe(path).instruments(), opening, frames, updates)


def bench_recorded_frames(recorded: RecordedBooks, rounds: int = 15) -> BenchResult:
    """The level2 updates of a recording of Advanced Trade, several times over, from bytes to book.

    Their frames are renumbered so that nothing but level2 remains; one operation is one frame.
    """
    name = "decode + apply, recorded level2 frames"
    opening, frames = recorded.opening, recorded.frames
    if not opening or not recorded.updates:
        return skipped(name, f"{recorded.name} holds no level2 book of Advanced Trade")
    opening = [_renumbered(raw, number) for number, raw in enumerate(opening)]
    parts = [
        [_renumbered(raw, len(opening) + start + number) for number, raw in enumerate(frames)]
        for start in range(0, rounds * len(frames), len(frames))
    ]
    trial = _Pipeline(recorded.instruments, opening)
    trial.run(parts[0])
    if (reason := trial.objection(recorded.updates)) is not None:
        return skipped(name, f"{recorded.name}: {reason}")
    pipeline = _Pipeline(recorded.instruments, opening)
    changes = sum(raw.count(b'"price_level"') for raw in frames)
    (timing,) = time_interleaved([Candidate("recorded", pipeline.run)], parts, len)
    note = f"recorded, {changes / len(frames):.1f} changes a frame"
    return _verified(pipeline, timing.result(name), rounds * recorded.updates, note)


def _renumbered(raw: bytes, sequence: int) -> bytes:
    return _SEQUENCE.sub(rb"\g<1>%d" % sequence, raw, count=1)


def _verified(pipeline: _Pipeline, result: BenchResult, updates: int, note: str) -> BenchResult:
    objection = pipeline.objection(updates)
    assert objection is None, objection
    return replace(result, note=f"{1e9 / result.median:,.0f} a second, {note}")


def bench_feed(recording: Path | None = None) -> list[BenchResult]:
    """Every figure of this module; with a recording of Advanced Trade also its real frames."""
    # First, because a file that cannot be read should say so before a minute of measuring.
    recorded = None if recording is None else read_books(recording)
    results = [*bench_l2_update(), bench_top_of_book(), bench_decode_apply()]
    if recorded is not None:
        results.append(bench_recorded_frames(recorded))
    return results
