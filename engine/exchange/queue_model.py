"""Where a paper order stands in the queue at its price, and how cancels of others move it.

A level shows one size. When it shrinks without a trade, somebody cancelled, and nobody says where in
the queue. A model guesses the probability p that it happened behind us, from the lots in front of us
and behind us; strategy notes section 10.1 then gives one rule for all of them. Lots ahead are kept as
floats, exact up to 2**53, and are rounded up to whole lots wherever they decide a fill, so that a
model can make a fill late by less than a lot and never early.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, Self

from engine.core.errors import UsageError
from engine.core.events import TradePrint
from engine.core.order import Side
from engine.exchange.paper_state import PriceQueueState, RestingOrderState

Behind = Callable[[float, float], float]
"""(lots in front, lots behind) to the probability that a cancel was behind; front + back is above 0."""

_LATE_PRINT_HORIZON_NS: Final = 10_000_000_000
"""Prints trail the book by tens of milliseconds; one later than this is not waited for."""


def risk_averse(front: float, back: float) -> float:
    """Every cancel was behind us, as long as there was anybody: ahead = min(ahead, size)."""
    return 1.0


def power(n: float) -> Behind:
    """back^n / (back^n + front^n)."""
    return lambda front, back: 0.0 if back <= 0 else 1.0 / (1.0 + (front / back) ** n)


def power2(n: float) -> Behind:
    """(back / (front + back))^n."""
    return lambda front, back: (back / (front + back)) ** n


def power3(n: float) -> Behind:
    """1 - (front / (front + back))^n."""
    return lambda front, back: 1.0 - (front / (front + back)) ** n


def log(front: float, back: float) -> float:
    """ln(1 + back) / (ln(1 + back) + ln(1 + front))."""
    return math.log1p(back) / (math.log1p(back) + math.log1p(front))


def log2(front: float, back: float) -> float:
    """ln(1 + back) / ln(1 + back + front)."""
    return math.log1p(back) / math.log1p(back + front)


QUEUE_MODELS: Final = ("risk_averse", "power", "power2", "power3", "log", "log2")


def queue_model(name: str, n: float) -> Behind:
    """The model of that name; `n` shapes the `power` family. An unknown name is a `UsageError`."""
    models: dict[str, Behind] = {
        "risk_averse": risk_averse,
        "power": power(n),
        "power2": power2(n),
        "power3": power3(n),
        "log": log,
        "log2": log2,
    }
    if name not in models:
        raise UsageError(f"exchange.queue_model = {name!r}: must be one of {', '.join(QUEUE_MODELS)}")
    return models[name]


def ahead_after_change(behind: Behind, ahead: float, before: int, after: int, traded: int = 0) -> float:
    """Lots ahead once a level has gone from `before` to `after` lots, of which `traded` were printed.

    The trades have already lowered `ahead`; only the decrease they do not explain, Delta, is left to
    the model: front - (1 - p) Delta + min(back - p Delta, 0), capped at the new size (notes section
    10.1). Growth never moves us back. While the level stands, somebody else's cancel brings us at most
    to the last lot: the queue is cleared by trades, or by the whole level going.
    """
    decrease = before - traded - after
    if decrease > 0 and ahead > 0:
        back = max(before - ahead, 0.0)
        p = behind(ahead, back)
        moved = ahead - (1.0 - p) * decrease + min(back - p * decrease, 0.0)
        ahead = max(moved, min(ahead, 1.0))
    return min(ahead, float(after))


class RestingOrder:
    """One of our orders in a queue. `ahead` counts strangers' lots only, never our own."""

    __slots__ = ("_shrinkage", "ahead", "client_id", "fills", "joined_ns", "price", "remaining", "side")

    def __init__(self, client_id: str, side: Side, price: int, size: int, ahead: int, joined_ns: int) -> None:
        self.client_id = client_id
        self.side = side
        self.price = price
        self.remaining = size
        self.ahead = float(ahead)
        self.joined_ns = joined_ns
        """Venue time of the order's arrival, or of the book that `ahead` was read from if that is later."""
        self.fills = 0
        self._shrinkage: deque[tuple[int, float]] = deque()

    @property
    def lots_ahead(self) -> int:
        """Whole lots ahead, rounded up."""
        return math.ceil(self.ahead)

    def predates(self, trade: TradePrint) -> bool:
        """True unless the venue stamped the print before this order had its place."""
        return not 0 < trade.exchange_ns <= self.joined_ns

    def move_up(self, ahead: float, book_ns: int) -> None:
        """Take a new place because the level shrank in the book of venue time `book_ns`."""
        gained = self.ahead - ahead
        self.ahead = ahead
        if gained > 0 and book_ns:
            self._shrinkage.append((book_ns, gained))
            while self._shrinkage[0][0] < book_ns - _LATE_PRINT_HORIZON_NS:
                self._shrinkage.popleft()

    def uncounted(self, trade: TradePrint, volume: int) -> int:
        """What of a print's volume has not moved us up yet.

        Books often arrive before the prints that explain them (on Coinbase nearly always: trades are
        batched). What such a book moved us up by was this print, and is not counted again.
        """
        shrinkage, left = self._shrinkage, float(volume)
        while shrinkage and shrinkage[0][0] < trade.exchange_ns:
            shrinkage.popleft()
        while shrinkage and left > 0 and trade.exchange_ns:
            book_ns, gained = shrinkage.popleft()
            if gained > left:
                shrinkage.appendleft((book_ns, gained - left))
            left -= gained
        return max(0, math.floor(left))

    def save(self) -> RestingOrderState:
        """All of it, copied."""
        return RestingOrderState(
            self.client_id,
            self.side,
            self.price,
            self.remaining,
            self.ahead,
            self.joined_ns,
            self.fills,
            list(self._shrinkage),
        )

    @classmethod
    def loaded(cls, state: RestingOrderState) -> Self:
        """The order that was saved."""
        order = cls(state.client_id, state.side, state.price, state.remaining, 0, state.joined_ns)
        order.ahead, order.fills = state.ahead, state.fills
        order._shrinkage.extend(state.shrinkage)
        return order


class Reached(NamedTuple):
    """An order that a print got to, for `size` lots, with the lots ahead of it before and after."""

    order: RestingOrder
    size: int
    ahead_before: int
    ahead_after: int


class PriceQueue:
    """Our orders at one price of one side, first come first, among the strangers displayed there."""

    __slots__ = ("_displayed", "_traded", "_traded_ns", "orders")

    def __init__(self, displayed: int) -> None:
        self.orders: list[RestingOrder] = []
        self._displayed = displayed
        self._traded = 0
        self._traded_ns = 0

    def save(self) -> PriceQueueState:
        """All of it, copied."""
        return PriceQueueState(
            self._displayed, self._traded, self._traded_ns, [order.save() for order in self.orders]
        )

    @classmethod
    def loaded(cls, state: PriceQueueState) -> Self:
        """The queue that was saved."""
        queue = cls(state.displayed)
        queue._traded, queue._traded_ns = state.traded, state.traded_ns
        queue.orders = [RestingOrder.loaded(order) for order in state.orders]
        return queue

    def on_level(self, behind: Behind, displayed: int, book_ns: int) -> None:
        """The level now shows `displayed` lots, in the book of venue time `book_ns` (0 = not given)."""
        # A book from before the last print cannot contain it yet.
        contains_prints = not 0 < book_ns < self._traded_ns
        traded = self._traded if contains_prints else 0
        for order in self.orders:
            ahead = ahead_after_change(behind, order.ahead, self._displayed, displayed, traded)
            order.move_up(ahead, book_ns)
        if contains_prints:
            self._traded = 0
        self._displayed = displayed

    def on_resync(self, displayed: int, book_ns: int) -> None:
        """A new book after a gap: what happened in between is unknown, so only the cap acts."""
        for order in self.orders:
            order.move_up(min(order.ahead, float(displayed)), book_ns)
        self._traded = 0
        self._displayed = displayed

    def on_print(self, trade: TradePrint, book_ns: int, *, partial_fills: bool) -> list[Reached]:
        """Let a print at this price work through the queue; every lot of it is used once.

        With `partial_fills` an order gets what is left after the queue ahead of it; without, it gets
        all of its size or nothing, and what was too little for it reaches nobody behind it either.
        """
        reached = []
        used = 0
        for order in self.orders:
            if not order.predates(trade):
                continue
            volume = order.uncounted(trade, trade.size - used)
            before = order.lots_ahead
            order.ahead = max(0.0, order.ahead - volume)
            size = min(volume - before, order.remaining)
            if size > 0:
                used += size
                if partial_fills or size == order.remaining:
                    reached.append(Reached(order, size, before, order.lots_ahead))
        if not 0 < trade.exchange_ns <= book_ns:
            self._traded += trade.size
            self._traded_ns = max(self._traded_ns, trade.exchange_ns)
        return reached
