"""Many fills of one side in a short time: somebody knows more, so that side waits."""

from __future__ import annotations

from collections import deque

import msgspec

from engine.core.order import BUY, Side
from engine.strategy.basic_settings import MOST_BRAKING_FILLS


class FillBrakeState(msgspec.Struct, frozen=True):
    """When each side was filled, engine nanoseconds."""

    buys: list[int]
    sells: list[int]


class FillBrake:
    """Remembers when each side was filled, whatever the settings, so that a change of them acts at once."""

    __slots__ = ("_buys", "_sells")

    def __init__(self) -> None:
        self._buys: deque[int] = deque(maxlen=MOST_BRAKING_FILLS)
        self._sells: deque[int] = deque(maxlen=MOST_BRAKING_FILLS)

    def on_fill(self, side: Side, now_ns: int) -> None:
        """One of our orders on this side was filled."""
        (self._buys if side is BUY else self._sells).append(now_ns)

    def holds(self, side: Side, count: int, window_ns: int, now_ns: int) -> bool:
        """True while `count` (above 0) fills of the side lie within the window that ends now."""
        fills = self._buys if side is BUY else self._sells
        return len(fills) >= count and fills[-count] > now_ns - window_ns

    def save(self) -> FillBrakeState:
        """All of it, copied."""
        return FillBrakeState(list(self._buys), list(self._sells))

    def load(self, state: FillBrakeState) -> None:
        """Go on from there."""
        self._buys = deque(state.buys, maxlen=MOST_BRAKING_FILLS)
        self._sells = deque(state.sells, maxlen=MOST_BRAKING_FILLS)
