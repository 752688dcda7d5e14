"""The highest and the lowest price of the last while, in little memory."""

from __future__ import annotations

import msgspec

from engine.risk.limits import Ratio


class PriceRangeState(msgspec.Struct, frozen=True):
    """Number, lowest and highest price of each part of the window that has one."""

    parts: tuple[tuple[int, int, int], ...]


class PriceRange:
    """A sliding window over prices (any integer unit above 0), cut into equal parts.

    It reaches back at least `span_ns`, and at most a part further.
    """

    __slots__ = ("_before", "_count", "_parts", "_width_ns")

    def __init__(self, span_ns: int, parts: int) -> None:
        self._width_ns = span_ns // parts
        self._count = parts
        self._parts: list[tuple[int, int, int]] = []
        self._before: tuple[int, int] | None = None
        """Lowest and highest of all parts but the last: they change only when a part ends."""

    def add(self, price: int, now_ns: int) -> None:
        """A price at a time."""
        number = now_ns // self._width_ns
        parts = self._parts
        if parts and parts[-1][0] == number:
            _, low, high = parts[-1]
            if not low <= price <= high:
                parts[-1] = (number, min(low, price), max(high, price))
            return
        self._drop_old(number)
        self._parts.append((number, price, price))
        self._settle()

    def has_moved(self, price: int, limit: Ratio, now_ns: int) -> bool:
        """True when `price` is further than `limit` above the lowest or below the highest of the window."""
        self._drop_old(now_ns // self._width_ns)
        if not self._parts:
            return False
        _, low, high = self._parts[-1]
        if self._before is not None:
            low, high = min(low, self._before[0]), max(high, self._before[1])
        numerator, denominator = limit
        return (price - low) * denominator > low * numerator or (
            high - price
        ) * denominator > high * numerator

    def clear(self) -> None:
        """Begin anew: what was is not comparable."""
        self._parts, self._before = [], None

    def _drop_old(self, number: int) -> None:
        if self._parts and self._parts[0][0] < number - self._count:
            self._parts = [part for part in self._parts if part[0] >= number - self._count]
            self._settle()

    def _settle(self) -> None:
        older = self._parts[:-1]
        self._before = (min(low for _, low, _ in older), max(high for _, _, high in older)) if older else None

    def save(self) -> PriceRangeState:
        """All of it, copied."""
        return PriceRangeState(tuple(self._parts))

    def load(self, state: PriceRangeState) -> None:
        """Go on from there."""
        self._parts = list(state.parts)
        self._settle()
