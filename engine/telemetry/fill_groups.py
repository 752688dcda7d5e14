"""The groups that fills are compared in: side, level of the quote, and how old the quote was."""

from __future__ import annotations

import re
from typing import Final, NamedTuple, Self

from engine.core.order import Side
from engine.core.own_orders import OwnOrder

AGE_BOUNDS_NS: Final = (500_000_000, 2_000_000_000, 10_000_000_000)
"""A quote's age at its fill falls into one of the classes below, between and above these."""
DEEPEST: Final = 19
"""Levels farther out count with this one, so that there is an end to the groups."""
NO_LEVEL: Final = -1
"""Of a fill that took, and of one whose order is no quote or is not known any more."""
_SLOT: Final = re.compile(r"[BA](\d+)")


def level_of(slot: str) -> int:
    """The level of a slot ("B0" is the first bid); `NO_LEVEL` for a slot that is no quote's."""
    match = _SLOT.fullmatch(slot)
    return NO_LEVEL if match is None else min(DEEPEST, int(match[1]))


class FillGroup(NamedTuple):
    """Where a fill belongs. `age` is the class of the quote's age, from its sending to the fill."""

    side: int
    """1 buy, -1 sell."""
    level: int
    age: int

    @classmethod
    def of(cls, side: Side, order: OwnOrder | None, is_maker: bool, at_ns: int) -> Self:
        """The group of a fill of an order at a moment of engine time."""
        if order is None or not is_maker:
            return cls(int(side), NO_LEVEL, 0)
        age = at_ns - order.sent_ns
        return cls(int(side), level_of(order.slot), sum(age >= bound for bound in AGE_BOUNDS_NS))

    @classmethod
    def parse(cls, name: str) -> Self:
        """The group of a name."""
        side, level, age = map(int, name.split(":"))
        return cls(side, level, age)

    @property
    def name(self) -> str:
        """A text that stands for the group."""
        return f"{self.side}:{self.level}:{self.age}"
