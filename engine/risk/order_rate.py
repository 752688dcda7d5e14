"""Control R11: how many orders may leave in a second. A bucket of tokens, filled by the events' time."""

from __future__ import annotations

from typing import Final

import msgspec

_TOKEN: Final = 1_000_000_000
"""A token in parts of a billionth: so many are added a nanosecond as orders are allowed a second."""


class OrderRateState(msgspec.Struct, frozen=True):
    """What is left in the bucket, and since when."""

    parts: int | None
    filled_ns: int


class OrderRate:
    """A token bucket: `burst` orders at once, `per_s` a second on and on. It begins full.

    `is_free` tells whether an order may leave, `take` takes its token. The limits are given each time,
    because a person may change them; time that runs backwards adds nothing.
    """

    __slots__ = ("_filled_ns", "_parts")

    def __init__(self) -> None:
        self._parts: int | None = None
        """None until the first order: a full bucket of whatever size."""
        self._filled_ns = 0

    def is_free(self, now_ns: int, per_s: int, burst: int, orders: int = 1) -> bool:
        """True when there is a token for each of so many orders."""
        full = burst * _TOKEN
        parts = self._parts
        if parts is None:
            parts, self._filled_ns = full, now_ns
        elif now_ns > self._filled_ns:
            parts += (now_ns - self._filled_ns) * per_s
            self._filled_ns = now_ns
        self._parts = parts = min(full, parts)
        return parts >= orders * _TOKEN

    def take(self) -> None:
        """An order leaves: the one that `is_free` was asked about last, and there was a token."""
        assert self._parts is not None
        self._parts -= _TOKEN

    def save(self) -> OrderRateState:
        """All of it."""
        return OrderRateState(self._parts, self._filled_ns)

    def load(self, state: OrderRateState) -> None:
        """Go on from there."""
        self._parts, self._filled_ns = state.parts, state.filled_ns
