"""The judgement whether a market is stressed."""

from __future__ import annotations

from typing import Final

import msgspec

_CALM_CHECKS: Final = 3
_CALM_SHARE: Final = 0.8


class StressState(msgspec.Struct, frozen=True):
    """The judgement so far."""

    is_stressed: bool
    calm_checks: int
    next_ns: int | None


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
