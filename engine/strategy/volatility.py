"""Realised volatility of the mid, and the judgement whether a market is stressed."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import msgspec

WINDOW: Final = 60
"""One-second returns that count: the last minute."""

_SECOND_NS: Final = 1_000_000_000
_TO_PERCENT_PER_SQRT_MINUTE: Final = math.sqrt(60) * 100
_CALM_CHECKS: Final = 3
_CALM_SHARE: Final = 0.8


class VolatilityState(msgspec.Struct, frozen=True):
    """The samples that count, and the value that follows from them."""

    value: float
    mid: int
    sample: int
    next_ns: int
    squares: list[float]


class StressState(msgspec.Struct, frozen=True):
    """The judgement so far."""

    is_stressed: bool
    calm_checks: int
    next_ns: int | None


class Volatility:
    """Volatility of the mid in % per √minute: √(mean of squared 1-s log returns over 60 s) · √60 · 100.

    The mid is sampled on a one-second grid that starts with the first mid; a sample is the mid in
    force at its second, so a quiet market counts as one that did not move. Until the minute is full
    the mean runs over the returns there are; before the first return the value is 0.
    """

    __slots__ = ("_mid", "_next_ns", "_sample", "_squares", "value")

    def __init__(self) -> None:
        self.value = 0.0
        self._mid = 0
        self._sample = 0
        self._next_ns = 0
        self._squares: deque[float] = deque(maxlen=WINDOW)

    @property
    def count(self) -> int:
        """Returns that the value is made of."""
        return len(self._squares)

    def on_mid(self, now_ns: int, mid: int) -> None:
        """The mid is `mid` (any positive unit, always the same one) from `now_ns` on."""
        if self._mid:
            self.advance(now_ns)
        else:
            self._next_ns = now_ns
        self._mid = mid

    def advance(self, now_ns: int) -> None:
        """Take the samples of every second that ended before `now_ns`."""
        if not self._mid or self._next_ns >= now_ns:
            return
        # After a silence longer than the window only the seconds still inside it matter.
        behind = (now_ns - self._next_ns) // _SECOND_NS
        self._next_ns += max(0, behind - WINDOW - 1) * _SECOND_NS
        while self._next_ns < now_ns:
            if self._sample:
                step = math.log(self._mid / self._sample)
                self._squares.append(step * step)
            self._sample = self._mid
            self._next_ns += _SECOND_NS
        if self._squares:
            mean = math.fsum(self._squares) / len(self._squares)
            self.value = math.sqrt(mean) * _TO_PERCENT_PER_SQRT_MINUTE

    def save(self) -> VolatilityState:
        """All of it, copied."""
        return VolatilityState(self.value, self._mid, self._sample, self._next_ns, list(self._squares))

    def load(self, state: VolatilityState) -> None:
        """Go on from there."""
        self.value, self._mid, self._sample = state.value, state.mid, state.sample
        self._next_ns = state.next_ns
        self._squares = deque(state.squares, maxlen=WINDOW)


class StressGauge:
    """Stress begins at a check with volatility >= `threshold` and ends after three calm checks in a row.

    A check is calm below 0.8 x threshold; the gap between the two keeps quotes from flapping.
    `threshold` is in % per √minute; checks happen at most every `interval_ns`.
    """

    __slots__ = ("_calm_below", "_calm_checks", "_interval_ns", "_next_ns", "_threshold", "is_stressed")

    def __init__(self, threshold: float, interval_ns: int) -> None:
        self.is_stressed = False
        self._calm_checks = 0
        self._next_ns: int | None = None
        self._interval_ns = interval_ns
        self.configure(threshold, interval_ns)

    def configure(self, threshold: float, interval_ns: int) -> None:
        """Another threshold and interval; the judgement so far stays, the next check comes by them."""
        if self._next_ns is not None:
            self._next_ns += interval_ns - self._interval_ns
        self._threshold = threshold
        self._calm_below = _CALM_SHARE * threshold
        self._interval_ns = interval_ns

    def judge(self, now_ns: int, volatility: float) -> None:
        """Check if a check is due."""
        if self._next_ns is not None and now_ns < self._next_ns:
            return
        self._next_ns = now_ns + self._interval_ns
        if volatility >= self._threshold:
            self.is_stressed = True
            self._calm_checks = 0
        elif self.is_stressed:
            self._calm_checks = self._calm_checks + 1 if volatility < self._calm_below else 0
            if self._calm_checks == _CALM_CHECKS:
                self.is_stressed = False
                self._calm_checks = 0

    def save(self) -> StressState:
        """The judgement so far; threshold and interval are settings."""
        return StressState(self.is_stressed, self._calm_checks, self._next_ns)

    def load(self, state: StressState) -> None:
        """Go on from there, under the threshold and interval in force."""
        self.is_stressed, self._calm_checks = state.is_stressed, state.calm_checks
        self._next_ns = state.next_ns
