"""Which rung stands in which row of the ladder, with rows for our orders that are far from the spread."""

from __future__ import annotations

import enum
from collections.abc import Hashable, Sequence
from typing import Final, NamedTuple

from pinnacle_tui.widgets.ladder_levels import ASK, BID, Ladder, Rung

MOST_PINS: Final = 3
"""Rows of a side for our orders beyond the others."""
_PINS_FROM: Final = 11
"""Rows of both sides from which on such orders have any; with fewer, the edge tells of them."""
_KEPT_NS: Final = 2_000_000_000
"""An order that is replaced is away for a moment: its row waits for the next one."""


class Mark(enum.Enum):
    """A row without a rung."""

    SPREAD = "spread"
    END = "end"
    """The book goes on where nobody sees it."""
    NOTHING = "nothing"


class Gap(NamedTuple):
    """The row between the rungs near the spread and our orders beyond them."""

    side: int
    levels: int
    """Rungs up to the nearest of those orders, which are left out."""
    is_least: bool
    """True where there may be more of them than are known."""
    price: int
    """Of the nearest of those orders, in ticks."""
    away: int
    """Ticks from there to the best price of the side."""
    more: int
    """Orders of ours beyond that have no row."""
    has_pins: bool
    """True where any has one."""


Standing = Rung | Gap | Mark


class FarRows:
    """The rows that each side keeps for far orders: more at once, fewer only after a while, and while some
    of the orders are away the others stay where they are."""

    def __init__(self) -> None:
        self._of: Hashable = None
        self._now_ns = 0
        self._kept: dict[int, tuple[int, int]] = {}
        self._prices: dict[int, list[int | None]] = {}

    def begin(self, of: Hashable, now_ns: int) -> None:
        """A new frame. `of` is what the rows hold for: with another one nothing is kept."""
        self._now_ns = now_ns
        if of != self._of:
            self._of, self._kept, self._prices = of, {}, {}

    def rows(self, side: int, needed: int) -> int:
        """Rows to keep when so many are needed."""
        kept, until_ns = self._kept.get(side, (0, 0))
        if needed >= kept or self._now_ns >= until_ns:
            kept = needed
            self._kept[side] = (needed, self._now_ns + _KEPT_NS)
        return kept

    def places(self, side: int, pinned: Sequence[Rung], rows: int) -> list[Standing]:
        """The row of each order, nearest first."""
        before = self._prices.get(side, [])
        here: dict[int | None, Standing] = {rung.price: rung for rung in pinned}
        if len(pinned) < rows == len(before) and here.keys() <= set(before):
            return [here.get(price, Mark.NOTHING) for price in before]
        free = rows - len(pinned)
        self._prices[side] = [*[None] * free, *here]
        return [*[Mark.NOTHING] * free, *pinned]


def around_spread(ladder: Ladder, body: int, far: FarRows) -> list[Standing]:
    """`body` rows with the spread in the middle, those at both ends for our far orders."""
    above = body // 2
    below = body - above - 1
    pins = MOST_PINS if body >= _PINS_FROM else 0
    asks = _side(ladder, ASK, above, min(pins, above // 3), far)
    bids = _side(ladder, BID, below, min(pins, below // 3), far)
    return [*reversed(asks), Mark.SPREAD, *bids]


def around(ladder: Ladder, centre: int, body: int) -> list[Standing]:
    """`body` rows with a place in the middle, and nothing else."""
    first = centre - body // 2
    return [_standing(ladder, place) for place in range(first, first + body)]


def _standing(ladder: Ladder, place: int) -> Standing:
    if place == 0:
        return Mark.SPREAD
    return ladder.at(place) or (Mark.END if ladder.is_end(place) else Mark.NOTHING)


def _side(ladder: Ladder, side: int, rows: int, pins: int, far: FarRows) -> list[Standing]:
    """A side from the spread outwards."""
    rungs = ladder.bids if side == BID else ladder.asks
    kept = far.rows(side, _needed(rungs, rows, pins))
    near = rows - kept
    made = [_standing(ladder, side * place) for place in range(1, near + 1)]
    beyond = [(at, rung) for at, rung in enumerate(rungs[near:]) if rung.own] if kept else []
    if not beyond:
        return made + [Mark.NOTHING] * kept
    levels, first = beyond[0]
    pinned = [rung for _, rung in beyond[: kept - 1]]
    more = sum(rung.own.orders for _, rung in beyond[kept - 1 :] if rung.own)
    away = abs(first.price - rungs[0].price)
    gap = Gap(side, levels, not first.is_complete, first.price, away, more, bool(pinned))
    return [*made, gap, *far.places(side, pinned, kept - 1)]


def _needed(rungs: Sequence[Rung], rows: int, pins: int) -> int:
    """Rows for the orders beyond: one for the gap and one for each order, `pins` at most."""
    if rows < 2 or not any(rung.own for rung in rungs[rows:]):
        return 0
    for needed in range(2, pins + 1):
        if sum(bool(rung.own) for rung in rungs[rows - needed :]) < needed:
            return needed
    return pins + 1
