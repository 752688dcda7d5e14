"""Control R15: many fills at once mean that the market knows something the quotes do not."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from engine.core.instrument import Instrument
from engine.risk.limits import RiskLimits
from engine.risk.state import RiskState, TradingState

FILLS: Final = "FILLS"
_WINDOW_NS: Final = 1_000_000_000


class FillBurstState(msgspec.Struct, frozen=True):
    """The fills of the last second as (time, lots), and until when quoting rests."""

    recent: tuple[tuple[int, int], ...]
    until_ns: int


class FillBurst:
    """More fills, or more lots, within a second than the limits say: hold PAUSED for `fill_hold_s`.

    Fills are collected, and judged by `on_time`. Another burst during the hold begins it anew.
    """

    __slots__ = ("_instrument", "_lots", "_recent", "_state", "_until_ns", "limits")

    def __init__(self, instrument: Instrument, limits: RiskLimits, state: RiskState) -> None:
        self.limits = limits
        self._instrument = instrument
        self._state = state
        self._recent: deque[tuple[int, int]] = deque()
        self._lots = 0
        self._until_ns = 0

    def on_fill(self, size: int, now_ns: int) -> None:
        """A fill of `size` lots was booked."""
        self._recent.append((now_ns, size))
        self._lots += size

    def on_time(self, now_ns: int) -> None:
        """Hold after a burst, and release when the time of the hold has passed."""
        recent, limits = self._recent, self.limits
        while recent and recent[0][0] <= now_ns - _WINDOW_NS:
            self._lots -= recent.popleft()[1]
        if len(recent) > limits.max_fills_per_s or self._lots > limits.max_filled_per_s:
            self._hold(now_ns)
        elif now_ns >= self._until_ns and self._state.has_hold(FILLS):
            self._state.release(FILLS)

    def _hold(self, now_ns: int) -> None:
        limits = self.limits
        self._until_ns = now_ns + limits.fill_hold_ns
        lots = f"{self._instrument.size_text(self._lots)} {self._instrument.base}"
        self._state.hold(
            FILLS,
            TradingState.PAUSED,
            f"{len(self._recent)} fills of {lots} within a second",
            f"{limits.fill_hold_ns // 1_000_000_000} s have passed without another burst",
            now_ns,
        )
        self._recent.clear()
        self._lots = 0

    def save(self) -> FillBurstState:
        """All of it; the limits are settings."""
        return FillBurstState(tuple(self._recent), self._until_ns)

    def load(self, state: FillBurstState) -> None:
        """Go on from there."""
        self._recent = deque(state.recent)
        self._lots = sum(size for _, size in self._recent)
        self._until_ns = state.until_ns
