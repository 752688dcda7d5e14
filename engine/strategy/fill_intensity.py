"""How often a quote is filled at which depth, measured on the tape: A and k of A e^(-k depth)."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

from engine.core.events import TradePrint

MOST_ARRIVALS: Final = 1_000
"""Remembered; where trades come faster, the window is shorter."""
MOST_GAPS: Final = 100
"""Likewise; of more, the oldest ones count as watched."""
POINTS: Final = 12
"""Depths that the line is laid through,"""
NEAR_SHARE: Final = 0.8
"""out to the one that this share of the trades does not pass: the tail is another law."""

_SECOND_NS: Final = 1_000_000_000
_LARGEST_LOG: Final = 700.0
"""Of a number that a float can be."""


class IntensityFit(msgspec.Struct, frozen=True):
    """A line through the logarithm of the intensity. `k_per_tick` is not above 0 when there is no slope."""

    A_per_s: float
    k_per_tick: float
    r_squared: float
    count: int
    """Trades it was laid through."""
    window_s: float
    """And the time they came in, less that in which nobody watched."""


class FillIntensityState(msgspec.Struct, frozen=True):
    """The arrivals that count: when, and how deep in half ticks."""

    arrivals: list[tuple[int, int]]
    began_ns: int | None
    seen_ns: int
    gaps: list[tuple[int, int]]
    mid: int
    buys: int | None
    sells: int | None


class FillIntensity:
    """Collects how far from the mid trades reach.

    One arrival is everything that one side takes between two looks at the book, and its depth is that of its
    worst price from the mid before: a quote nearer than that would have been filled. Both sides count alike.
    Trades nearer to the mid than `nearest` are left out: those at the touch are many, follow a law of their
    own, and say nothing about the depths where a quote waits. Time in which nobody watched (`interrupt`) is
    no time without trades: it is left out. Memory is bounded by `MOST_ARRIVALS` and `MOST_GAPS`.
    """

    __slots__ = ("_arrivals", "_began_ns", "_buys", "_gaps", "_mid", "_seen_ns", "_sells", "nearest")

    def __init__(self, nearest: float = 0.0) -> None:
        self.nearest = nearest
        """Depth from which trades count, as a share of the mid."""
        self._arrivals: deque[tuple[int, int]] = deque(maxlen=MOST_ARRIVALS)
        self._began_ns: int | None = None
        self._seen_ns = 0
        """When a mid was seen last."""
        self._gaps: deque[tuple[int, int]] = deque(maxlen=MOST_GAPS)
        """From when to when nobody watched."""
        self._mid = 0
        self._buys: int | None = None
        """Depth of what was bought since the book was shown last,"""
        self._sells: int | None = None
        """and of what was sold."""

    def on_trade(self, trade: TradePrint) -> None:
        """A print on the tape. Those before the first mid, or on its wrong side, say nothing about depth."""
        depth = (2 * trade.price - self._mid) * trade.taker_side.value
        if not self._mid or depth < self.nearest * self._mid:
            return
        if trade.taker_side.value > 0:
            self._buys = depth if self._buys is None else max(self._buys, depth)
        else:
            self._sells = depth if self._sells is None else max(self._sells, depth)

    def on_mid(self, now_ns: int, mid: int) -> None:
        """The book is shown; its mid in half ticks."""
        if self._buys is not None:
            self._arrivals.append((now_ns, self._buys))
            self._buys = None
        if self._sells is not None:
            self._arrivals.append((now_ns, self._sells))
            self._sells = None
        if self._began_ns is None:
            self._began_ns = now_ns
        elif not self._mid:
            self._gaps.append((self._seen_ns, now_ns))
        self._mid, self._seen_ns = mid, now_ns

    def interrupt(self) -> None:
        """Nobody watches until the next mid. What was taken from a book that has not been shown since is
        forgotten: its depth is that from a mid of long ago."""
        self._buys = self._sells = None
        self._mid = 0

    def count(self, now_ns: int, window_s: int) -> int:
        """Arrivals of the window that ends now; older ones are dropped."""
        arrivals, since = self._arrivals, now_ns - window_s * _SECOND_NS
        while arrivals and arrivals[0][0] <= since:
            arrivals.popleft()
        return len(arrivals)

    def fit(self, now_ns: int, window_s: int) -> IntensityFit | None:
        """The line, weighted by counts; None where depths do not differ enough to lay one."""
        count = self.count(now_ns, window_s)
        if not count or self._began_ns is None:
            return None
        arrivals = self._arrivals
        began = arrivals[0][0] if count == MOST_ARRIVALS else self._began_ns
        began = max(began, now_ns - window_s * _SECOND_NS)
        unseen = sum(max(0, end - max(begin, began)) for begin, end in self._gaps)
        seconds = (now_ns - began - unseen) / _SECOND_NS
        depths = sorted(depth for _, depth in arrivals)
        near = sorted(set(depths[: math.ceil(NEAR_SHARE * count)]))
        near = near[:: -(-len(near) // POINTS)]
        if len(near) < 3 or seconds <= 0:
            return None
        reached = [count - bisect_left(depths, depth) for depth in near]
        # Both sides are watched, so a quote on one of them meets half of the arrivals.
        rates = [math.log(number / (2 * seconds)) for number in reached]
        slope, at_mid, r_squared = _line(near, rates, reached)
        return IntensityFit(math.exp(min(at_mid, _LARGEST_LOG)), -2 * slope, r_squared, count, seconds)

    def save(self) -> FillIntensityState:
        """All of it, copied."""
        return FillIntensityState(
            list(self._arrivals),
            self._began_ns,
            self._seen_ns,
            list(self._gaps),
            self._mid,
            self._buys,
            self._sells,
        )

    def load(self, state: FillIntensityState) -> None:
        """Go on from there."""
        self._arrivals = deque(state.arrivals, maxlen=MOST_ARRIVALS)
        self._began_ns, self._seen_ns, self._mid = state.began_ns, state.seen_ns, state.mid
        self._gaps = deque(state.gaps, maxlen=MOST_GAPS)
        self._buys, self._sells = state.buys, state.sells


def _line(xs: Sequence[float], ys: Sequence[float], weights: Sequence[float]) -> tuple[float, float, float]:
    """Slope, value at 0 and R² of the weighted least squares line; the xs are not all equal."""
    total = math.fsum(weights)
    x_mean = math.fsum(w * x for w, x in zip(weights, xs, strict=True)) / total
    y_mean = math.fsum(w * y for w, y in zip(weights, ys, strict=True)) / total
    xx = math.fsum(w * (x - x_mean) ** 2 for w, x in zip(weights, xs, strict=True))
    yy = math.fsum(w * (y - y_mean) ** 2 for w, y in zip(weights, ys, strict=True))
    xy = math.fsum(w * (x - x_mean) * (y - y_mean) for w, x, y in zip(weights, xs, ys, strict=True))
    slope = xy / xx
    return slope, y_mean - slope * x_mean, slope * xy / yy if yy else 0.0
