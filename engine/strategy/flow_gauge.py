"""How unusual the order flow of the last ten seconds is."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import msgspec

WINDOW_S: Final = 10
"""Seconds of flow that are judged,"""
MEMORY_S: Final = 300
"""by the seconds of this long before,"""
LEAST_S: Final = 60
"""once there are so many of them."""

_SECOND_NS: Final = 1_000_000_000


class FlowGaugeState(msgspec.Struct, frozen=True):
    """The flow of each second that counts, in lots."""

    seconds: list[int]
    current: int
    end_ns: int | None


class FlowGauge:
    """The sum of the order flow over ten seconds, in its own standard deviations.

    z = sum of ten seconds / (√10 · root mean square of one second over five minutes); 0 in the first minute.
    Positive flow pushes up. `z` is that of `advance`'s time.
    """

    __slots__ = ("_before", "_current", "_end_ns", "_scale", "_seconds")

    def __init__(self) -> None:
        self._seconds: deque[int] = deque(maxlen=MEMORY_S)
        self._current = 0
        self._end_ns: int | None = None
        self._settle()

    @property
    def z(self) -> float:
        """See the class."""
        return (self._before + self._current) / self._scale if self._scale else 0.0

    def on_flow(self, now_ns: int, lots: int) -> None:
        """`lots` were added to the flow at this time."""
        if self._end_ns is None:
            self._end_ns = now_ns + _SECOND_NS
        self.advance(now_ns)
        self._current += lots

    def advance(self, now_ns: int) -> None:
        """End every second that has passed."""
        if self._end_ns is None or now_ns < self._end_ns:
            return
        passed = (now_ns - self._end_ns) // _SECOND_NS + 1
        self._end_ns += passed * _SECOND_NS
        self._seconds.append(self._current)
        self._seconds.extend([0] * min(passed - 1, MEMORY_S))
        self._current = 0
        self._settle()

    def save(self) -> FlowGaugeState:
        """All of it, copied."""
        return FlowGaugeState(list(self._seconds), self._current, self._end_ns)

    def load(self, state: FlowGaugeState) -> None:
        """Go on from there."""
        self._seconds = deque(state.seconds, maxlen=MEMORY_S)
        self._current, self._end_ns = state.current, state.end_ns
        self._settle()

    def _settle(self) -> None:
        """What the ended seconds say, until the next one has ended."""
        seconds = list(self._seconds)
        self._before = sum(seconds[1 - WINDOW_S :])
        squares = sum(lots * lots for lots in seconds)
        enough = len(seconds) >= LEAST_S
        self._scale = math.sqrt(WINDOW_S * squares / len(seconds)) if enough and squares else 0.0
