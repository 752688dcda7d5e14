"""The rungs of the ladder: what stands at each price, the market's and ours, grouped by ticks, and where.

Pure functions of integers: prices in ticks, sizes in lots. Bids are grouped down and asks up, so that
grouping never moves anything through the spread.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from engine.link.view import Level, ProductView, Trade, WorkingOrder

BID: Final = 1
ASK: Final = -1
MULTIPLES: Final[tuple[int, ...]] = tuple(digit * 10**power for power in range(6) for digit in (1, 2, 5))
"""How many ticks a rung may span."""

_ROUND: Final = (10, 15, 20, 30, 40, 50, 60, 80, 100)
"""Tenths of the numbers that a scale may end with."""
_ATTENTION: Final = {"new": 0, "partially_filled": 1, "pending_cancel": 2, "pending": 3, "uncertain": 4}
_RESTING: Final = frozenset({"new", "partially_filled", "pending_cancel"})
"""States in which the venue shows an order. What is uncertain is not counted on."""


class OwnOrders(NamedTuple):
    """Our orders on one rung, summed."""

    lots: int
    """What remains of them."""
    resting: int
    """The part of `lots` that the venue shows."""
    orders: int
    """How many there are."""
    state: str
    """Of the one that needs most attention."""
    ahead: int | None
    """Strangers' lots before the first of those nearest to the touch; None where nobody knows."""


class Rung(NamedTuple):
    """One price of the ladder."""

    side: int
    price: int
    """For a bid the lowest price of its group, for an ask the highest."""
    size: int | None
    """What the market shows; 0 where only we are, None where nobody knows what there is."""
    own: OwnOrders | None
    is_complete: bool
    """False where more may belong to it than is known: `size` is then the least that it can be."""


def grouped_price(side: int, price: int, multiple: int) -> int:
    """The rung that a price belongs to: away from the spread."""
    return price // multiple * multiple if side == BID else -(-price // multiple) * multiple


def own_orders(side: int, orders: Iterable[WorkingOrder], multiple: int) -> dict[int, OwnOrders]:
    """Our orders of a side by rung."""
    by_rung: dict[int, list[WorkingOrder]] = {}
    for order in orders:
        if order.side == side:
            by_rung.setdefault(grouped_price(side, order.price, multiple), []).append(order)
    return {at: _summed(side, there) for at, there in by_rung.items()}


def in_queue(side: int, orders: Iterable[WorkingOrder]) -> list[WorkingOrder]:
    """Orders in the order in which they would be filled: by price, by place in the queue, by time."""
    return sorted(
        orders,
        key=lambda order: (-side * order.price, order.ahead is None, order.ahead or 0, order.sent_ns),
    )


def most_urgent(states: Iterable[str]) -> str:
    """The state that needs most attention: uncertain, pending, pending_cancel, partially_filled, new."""
    return max(states, key=lambda state: _ATTENTION.get(state, len(_ATTENTION)))


def _summed(side: int, orders: list[WorkingOrder]) -> OwnOrders:
    first = orders[0] if len(orders) == 1 else in_queue(side, orders)[0]
    return OwnOrders(
        lots=sum(order.size - order.filled for order in orders),
        resting=sum(order.size - order.filled for order in orders if order.state in _RESTING),
        orders=len(orders),
        state=most_urgent(order.state for order in orders),
        ahead=first.ahead,
    )


def rungs(
    side: int,
    levels: Sequence[Level],
    orders: Iterable[WorkingOrder] = (),
    multiple: int = 1,
    *,
    is_cut: bool = False,
) -> list[Rung]:
    """One side of the ladder, best first, from levels that are best first.

    `is_cut` says that the book may hold more levels than these.
    """
    sizes: dict[int, int] = {}
    if multiple == 1:
        sizes = dict(levels)
    else:
        for price, size in levels:
            at = grouped_price(side, price, multiple)
            sizes[at] = sizes.get(at, 0) + size
    own = own_orders(side, orders, multiple)
    prices: Iterable[int] = sizes
    if not sizes.keys() >= own.keys():
        prices = sorted(sizes.keys() | own.keys(), reverse=side == BID)
    if not (is_cut and levels):
        return [Rung(side, at, sizes.get(at, 0), own.get(at), True) for at in prices]
    deepest = levels[-1][0]
    made = []
    for at in prices:
        is_complete = (at - deepest) * side >= 0
        made.append(Rung(side, at, sizes.get(at, 0 if is_complete else None), own.get(at), is_complete))
    return made


@dataclass(frozen=True, slots=True)
class Ladder:
    """Both sides around the spread. Places count down the screen from the spread, which is 0:
    the best ask is -1, the best bid 1."""

    asks: list[Rung]
    bids: list[Rung]
    is_cut: bool = False
    """True where the book goes on beyond the last rungs."""

    @classmethod
    def of(cls, book: ProductView, multiple: int) -> Ladder:
        """The ladder of a product."""
        is_cut = book.is_depth_cut
        return cls(
            rungs(ASK, book.asks, book.orders, multiple, is_cut=is_cut),
            rungs(BID, book.bids, book.orders, multiple, is_cut=is_cut),
            is_cut,
        )

    def at(self, place: int) -> Rung | None:
        """The rung at a place; None at the spread and beyond both ends."""
        side, index = (self.bids, place - 1) if place > 0 else (self.asks, -place - 1)
        return side[index] if 0 <= index < len(side) else None

    def is_end(self, place: int) -> bool:
        """True just beyond the last rung of a side that goes on where nobody sees it."""
        side = self.bids if place > 0 else self.asks
        return self.is_cut and bool(side) and abs(place) == len(side) + 1

    def place_of(self, half_ticks: int) -> int:
        """The place of a price: of its rung, or of the next one towards the spread, or of the spread."""
        for side, rungs_of_side in ((BID, self.bids), (ASK, self.asks)):
            inside = sum(1 for rung in rungs_of_side if (2 * rung.price - half_ticks) * side >= 0)
            if inside:
                return side * inside
        return 0

    def scrolled(self, centre: int, by: int, height: int) -> int:
        """The place in the middle of `height` rows after scrolling, which ends where the rungs end."""
        ends = 1 if self.is_cut else 0
        above, below = height // 2, height - height // 2 - 1
        highest = min(0, above - len(self.asks) - ends)
        lowest = max(0, len(self.bids) + ends - below)
        return max(highest, min(lowest, centre + by))


def changed_prices(before: Ladder, now: Ladder) -> frozenset[tuple[int, int]]:
    """(side, price) of every rung whose size is another one than before.

    What comes into sight at the far end has not changed: it was only not known.
    """
    changed = []
    for side, old, new in ((BID, before.bids, now.bids), (ASK, before.asks, now.asks)):
        if not old:
            continue
        sizes = {rung.price: rung.size for rung in old if rung.is_complete}
        deepest = old[-1].price
        for rung in new:
            if before.is_cut and (rung.price - deepest) * side < 0:
                break
            if rung.is_complete and rung.size != sizes.get(rung.price, 0):
                changed.append((side, rung.price))
    return frozenset(changed)


def traded_rung(ladder: Ladder, trade: Trade, multiple: int) -> tuple[int, int] | None:
    """(side, price) of the rung that a trade's price belongs to now; None between the best prices.

    Who sells takes bids, so that side is looked at first.
    """
    sides = ((BID, ladder.bids), (ASK, ladder.asks))
    for side, rungs_of_side in sides if trade.side < 0 else sides[::-1]:
        at = grouped_price(side, trade.price, multiple)
        if rungs_of_side and (rungs_of_side[0].price - at) * side >= 0:
            return side, at
    return None


class Scale:
    """The size that fills a bar: a round number that follows the market without trembling."""

    def __init__(self) -> None:
        self.full = 0
        """0 before anything was seen."""

    def fit(self, size: int) -> int:
        """Make room for `size`. The scale shrinks only when less than half of it is needed."""
        if size > self.full or size * 2 < self.full:
            self.full = round_up(size)
        return self.full


def round_up(size: int) -> int:
    """The next number of one round digit or one and a half, such as 1, 1.5, 2, 3, 40, 600; 0 for 0."""
    if size <= 0:
        return 0
    power: int = 10 ** (len(str(size)) - 1)
    return next(rounded for tenths in _ROUND if (rounded := -(-tenths * power // 10)) >= size)


def typical_largest(sizes: Iterable[int]) -> int:
    """The size that nine tenths of `sizes` do not exceed: a few giants do not flatten the others."""
    known = sorted(sizes)
    return known[(len(known) - 1) * 9 // 10] if known else 0
