"""Realised volatility of the mid: what strategies quote by and what the circuit breaker judges by."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import msgspec

WINDOW: Final = 60
"""One-second returns that count: the last minute."""

_SECOND_NS: Final = 1_000_000_000
_TO_PERCENT_PER_SQRT_MINUTE: Final = math.sqrt(60) * 100


class VolatilityState(msgspec.Struct, frozen=True):
    """The samples that count, and the value that follows from them."""

    value: float
    mid: int
    sample: int
    next_ns: int
    squares: list[float]


class Volatility:
    """Volatility of the mid in % per √minute: √(mean of squared 1-s log returns over 60 s) · √60 · 100.

    The mid is sampled on a one-second grid that starts with the first mid; a sample is the mid in
    force at its second, so a quiet market counts as one that did not move. Time in which nobody watched
    (`interrupt`) does not count: the last returns before it stay until newer ones take their place. Until
    the minute is full the mean runs over the returns there are; before the first return the value is 0.
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

    def interrupt(self) -> None:
        """Nobody watches until the next mid: what happens meanwhile is no return of a second."""
        self._mid = self._sample = 0

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
