"""Cumulative depth around the mid, column by column of a chart.

Pure functions of integers. Distances from the mid are half ticks; ranges are hundredths of a basis point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engine.link.view import Level, ProductView
from pinnacle_tui.widgets.ladder_levels import ASK, BID

RANGES: Final[tuple[int, ...]] = tuple(digit * 10**power for power in range(1, 6) for digit in (1, 2, 5))
"""Half widths of a chart that can be chosen: 0.1 bp to 50 %."""
_MID: Final = 1_000_000
"""Hundredths of a basis point in a whole."""


def distance(side: int, price: int, mid: int) -> int:
    """How far outside the mid (half ticks) a price (ticks) is, in half ticks."""
    return side * (mid - 2 * price)


def in_hundredths(half_ticks: int, mid: int) -> int:
    """A distance as a share of the mid, rounded down."""
    return half_ticks * _MID // mid


@dataclass(frozen=True, slots=True)
class DepthCurve:
    """One side: what stands between the mid and the outer edge of each column, from the mid outwards.

    Columns that reach beyond the last known level are missing: nobody knows what they hold.
    """

    totals: list[int]
    """Lots, never falling; at most one for each column."""
    known: int | None
    """Distance of the deepest level that is known, where the book goes on beyond it within the range."""
    total: int
    """Lots within the range, or as far as is known."""


def depth_curve(
    side: int, levels: Sequence[Level], mid: int, reach: int, columns: int, *, is_cut: bool
) -> DepthCurve:
    """The curve of a side over `columns` columns that end `reach` hundredths of a bp from the mid."""
    known = distance(side, levels[-1][0], mid) if is_cut and levels else None
    # An edge is mid * reach / _MID * n / columns half ticks away; both sides are multiplied by the divisors.
    step, divisor = mid * reach, _MID * columns
    totals: list[int] = []
    total = at = 0
    for column in range(1, columns + 1):
        edge = column * step
        if known is not None and edge > known * divisor:
            return DepthCurve(totals, known, sum(size for _, size in levels))
        while at < len(levels) and distance(side, levels[at][0], mid) * divisor <= edge:
            total += levels[at][1]
            at += 1
        totals.append(total)
    return DepthCurve(totals, None, total)


def column_of(side: int, price: int, mid: int, reach: int, columns: int) -> int:
    """The column of a price, counted from the mid outwards; `columns` where it lies outside the range."""
    column = -(-distance(side, price, mid) * _MID * columns // (mid * reach)) - 1
    return max(0, min(columns, column))


def price_at(mid: int, offset: int) -> int:
    """The price (ticks) nearest to `offset` hundredths of a bp above the mid (half ticks)."""
    return (mid * (_MID + offset) + _MID) // (2 * _MID)


def known_reach(book: ProductView, mid: int) -> int:
    """Hundredths of a bp that hold every level that is known."""
    ends = [
        distance(side, levels[-1][0], mid) for side, levels in ((BID, book.bids), (ASK, book.asks)) if levels
    ]
    return max(1, -in_hundredths(-max(ends), mid))


def nearest_range(reach: int, direction: int) -> int:
    """The next choosable range below (-1) or above (1) `reach`; the last one at the ends."""
    if direction < 0:
        return max((choice for choice in RANGES if choice < reach), default=RANGES[0])
    return min((choice for choice in RANGES if choice > reach), default=RANGES[-1])
