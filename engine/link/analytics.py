"""What the fills of a product come to, as a part of the view: sums since the start.

Money is quote atoms, sizes lots, spreads ticks, times ns. Every kind of group (side, level, age) holds all
the fills there are, so the groups of one kind add up to the group "all".
"""

from __future__ import annotations

import msgspec

TOTAL, SIDE, LEVEL, AGE = "total", "side", "level", "age"
"""What groups are told apart by."""


class GroupMarkout(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A group's passive fills at one horizon. Averages are in ticks per unit of size."""

    horizon_ns: int
    fills: int
    """Whose horizon has come,"""
    censored: int
    """whose horizon came without a mid,"""
    waiting: int
    """and whose horizon is still to come."""
    captured: int
    adverse: int
    average: float | None
    """Markout; None without a fill."""
    error: float | None
    """Its standard error; None with fewer than two fills."""
    captured_average: float | None
    """Captured by the same fills: half the effective spread; the average markout is half the realised one."""
    fees_average: float | None = None
    """Fees of the same fills: the average markout less these is what is left of it."""


class FillGroup(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The fills of one group: profit = captured + revaluation - fees."""

    kind: str
    name: str
    """`all`; `buy`, `sell`; `B0` and so on; `< 0.5 s` and so on, `10 s +`. Among levels and ages, `other`
    for fills that took or were no quote's."""
    fills: int
    lots: int
    captured: int
    revaluation: int
    fees: int
    markouts: tuple[GroupMarkout, ...] = ()
    """One for each horizon."""


class HourShare(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What came in within one hour of the market's wall time."""

    start_wall_ns: int
    fills: int
    captured: int
    revaluation: int
    fees: int
    adverse: tuple[int, ...]
    """By horizon: of the fills whose horizon came within the hour."""


class SlotFills(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """How much of what was quoted at one slot was filled."""

    slot: str
    sent_orders: int
    sent_lots: int
    filled_orders: int
    """Ended orders of which anything was filled."""
    filled_lots: int


class Presence(msgspec.Struct, frozen=True, gc=False):
    """How long we quoted and where, over engine time."""

    watched_ns: int
    """While the market had two sides to compare with; what follows is out of this."""
    bid_ns: int
    ask_ns: int
    both_ns: int
    bid_touch_ns: int
    """While our best bid was at the market's, or better."""
    ask_touch_ns: int
    own_spread: float | None
    """Between our best orders, on average while both sides worked; ticks."""
    market_spread: float | None


class Analytics(msgspec.Struct, frozen=True):
    """All of it, at one moment."""

    horizons_ns: tuple[int, ...]
    groups: tuple[FillGroup, ...]
    hours: tuple[HourShare, ...]
    """Oldest first, the last 48 and the one that is open."""
    slots: tuple[SlotFills, ...]
    presence: Presence
    half_life_s: float | None
    """How long until half of a position is worked off; None while it cannot be told."""
    hold: int | None = None
    """What the base balance of the opening has earned by itself since the first mark; None before it.

    The profit is over this: the account as a whole has moved by both.
    """
    residual: int = 0
    """What the sum over the groups and the accounts differ by: anything but 0 is an error."""
