"""How fast the order book matches, beside the matching engines of the package index.

One stream of operations for all: 55 % limit orders that rest, 35 % cancels of live orders, 10 % orders
that trade. Every engine must print the same tape, so that nobody is fast by doing nothing or wrong.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from engine.commands.bench_timing import BenchResult, Candidate, skipped, time_interleaved
from engine.core.instrument import Instrument
from engine.core.order import Side
from engine.core.order_book import OrderBook
from engine.core.order_book_events import Trade

_MIDDLE = 100_000
_DISTANCE = 50
_REACH = 1_000

Operation = tuple[str, Side | None, int, int]
"""(order id, side, size, price); side None is a cancel."""


Print = tuple[int, int]
"""(price, size) of one trade."""


@dataclass(frozen=True, slots=True)
class Workload:
    """`opening` builds a book to start from; `operations` are what is timed."""

    opening: list[Operation]
    operations: list[Operation]


class Engine(Protocol):
    """A matching engine under test."""

    name: str

    def run(self, operations: Sequence[Operation]) -> None:
        """Work through the operations."""
        ...

    def tape(self) -> list[Print]:
        """Every trade so far, in order."""
        ...

    def check(self) -> None:
        """Verify the end of the run, where the engine can tell."""
        ...


def _instrument() -> Instrument:
    return Instrument.create("BTC-USD", tick="0.01", lot="0.00000001")


def workload(seed: int, count: int, opening: int = 2_000) -> Workload:
    """A stream of `count` operations after `opening` resting orders; the same seed, the same stream.

    Resting orders lie 1 tick and more from a fixed middle, exponentially distributed with a mean of
    `_DISTANCE` ticks (some 250 levels a side; a real book has thousands); the orders that trade reach far
    through the middle, so that none of them rests. Sizes are 1 to 20 lots.
    """
    source = random.Random(seed)
    book = OrderBook(_instrument())
    live: list[str] = []
    number = 0

    def resting() -> Operation:
        nonlocal number
        number += 1
        side = Side.BUY if source.random() < 0.5 else Side.SELL
        distance = 1 + int(source.expovariate(1 / _DISTANCE))
        operation = (f"o{number}", side, source.randint(1, 20), _MIDDLE - side * distance)
        live.append(operation[0])
        book.submit(*operation)
        return operation

    def cancel() -> Operation | None:
        while live:
            index = source.randrange(len(live))
            live[index], live[-1] = live[-1], live[index]
            order_id = live.pop()
            if book.cancel(order_id):
                return (order_id, None, 0, 0)
        return None

    def trading() -> Operation:
        nonlocal number
        number += 1
        side = Side.BUY if source.random() < 0.5 else Side.SELL
        operation = (f"o{number}", side, source.randint(1, 20), _MIDDLE + side * _REACH)
        book.submit(*operation)
        return operation

    start = [resting() for _ in range(opening)]
    operations: list[Operation] = []
    while len(operations) < count:
        draw = source.random()
        if draw < 0.55:
            operations.append(resting())
        elif draw < 0.90:
            operations.append(cancel() or resting())
        else:
            operations.append(trading())
    return Workload(start, operations)


class OwnBook:
    """Our book; `track_levels` as the simulator runs it, noting which levels changed."""

    def __init__(self, *, track_levels: bool = False) -> None:
        self.name = "order book, levels tracked" if track_levels else "order book"
        self.book = OrderBook(_instrument(), track_levels=track_levels)
        self._trades: list[Trade] = []

    def run(self, operations: Sequence[Operation]) -> None:
        """See `Engine`."""
        submit, cancel = self.book.submit, self.book.cancel
        for order_id, side, size, price in operations:
            if side is None:
                cancel(order_id)
            else:
                submit(order_id, side, size, price)
        self._trades += self.book.drain_trades()
        self.book.drain_changed_levels()

    def tape(self) -> list[Print]:
        """See `Engine`."""
        return [(trade.price, trade.size) for trade in self._trades]

    def check(self) -> None:
        """See `Engine`."""
        assert self.book.order_count > 0, "the book is empty at the end: nothing was measured"
        assert not self.book.is_crossed(), "the book is crossed"


class LightMatchingEngine:
    """The package `lightmatchingengine`. It names orders itself and reports each trade twice.

    Once from the side that came, level by level, and once for each order that was hit: that is the tape.
    """

    name = "lightmatchingengine"

    def __init__(self) -> None:
        from lightmatchingengine.lightmatchingengine import LightMatchingEngine as Peer

        self._peer: Any = Peer()
        self._ids: dict[str, int] = {}
        self._reports: list[list[Any]] = []

    def run(self, operations: Sequence[Operation]) -> None:
        """See `Engine`."""
        add, cancel, ids, reports = self._peer.add_order, self._peer.cancel_order, self._ids, self._reports
        for order_id, side, size, price in operations:
            if side is None:
                cancel(ids[order_id], "BTC-USD")
                continue
            order, trades = add("BTC-USD", price, size, 1 if side is Side.BUY else 2)
            ids[order_id] = order.order_id
            if trades:
                reports.append(trades)

    def tape(self) -> list[Print]:
        """See `Engine`."""
        return [
            (trade.trade_price, trade.trade_qty)
            for trades in self._reports
            for trade in trades
            if trade.order_id != trades[0].order_id
        ]

    def check(self) -> None:
        """See `Engine`."""


class PyOrderBook:
    """The package `pyorderbook`. It takes order objects, which it names itself."""

    name = "pyorderbook"

    def __init__(self) -> None:
        from pyorderbook import Book, ask, bid

        self._peer: Any = Book()
        self._bid: Any = bid
        self._ask: Any = ask
        self._orders: dict[str, Any] = {}
        self._trades: list[Any] = []

    def run(self, operations: Sequence[Operation]) -> None:
        """See `Engine`."""
        match, cancel, orders, trades = self._peer.match, self._peer.cancel, self._orders, self._trades
        bid, ask = self._bid, self._ask
        for order_id, side, size, price in operations:
            if side is None:
                cancel(orders[order_id])
                continue
            order = (bid if side is Side.BUY else ask)("BTC-USD", price, size)
            orders[order_id] = order
            trades += match(order).trades

    def tape(self) -> list[Print]:
        """See `Engine`."""
        return [(trade.fill_price, trade.fill_quantity) for trade in self._trades]

    def check(self) -> None:
        """See `Engine`."""


def bench_matching(seed: int = 1, count: int = 100_000, chunks: int = 20) -> list[BenchResult]:
    """Time our book, plain and with levels tracked, and the peers that are installed, on one stream.

    Raises `AssertionError` when the work did not happen or the engines printed different tapes.
    """
    load = workload(seed, count)
    engines: list[Engine] = [OwnBook(), OwnBook(track_levels=True)]
    missing: list[BenchResult] = []
    for peer in (LightMatchingEngine, PyOrderBook):
        try:
            engines.append(peer())
        except ImportError:
            missing.append(skipped(f"matching, {peer.name}", f"the package {peer.name} is not installed"))
    for engine in engines:
        engine.run(load.opening)
    step = max(1, count // chunks)
    pieces = [load.operations[start : start + step] for start in range(0, count, step)]
    timings = time_interleaved([Candidate(engine.name, engine.run) for engine in engines], pieces, len)
    tape = engines[0].tape()
    assert tape, "nothing traded: nothing was measured"
    for engine in engines:
        assert engine.tape() == tape, f"{engine.name} printed another tape than {engines[0].name}"
        engine.check()
    own = timings[0].result("").median
    results = []
    for engine, timing in zip(engines, timings, strict=True):
        note = f"same tape of {len(tape)} trades"
        if engine is not engines[0]:
            note += f"; {timing.result('').median / own:.2f} times the cost of ours"
        results.append(timing.result(f"matching, {engine.name}", note))
    return results + missing
