"""Clocks: two readings, one for intervals and one for people, both integer nanoseconds.

The Trader never reads a clock; edges stamp events with one. Tests and simulations inject a
`ManualClock`; recordings drive a `ReplayClock`.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where an edge gets the time from."""

    def monotonic_ns(self) -> int:
        """Nanoseconds that never go back; only differences mean anything."""
        ...

    def wall_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC, for people and for the UTC day."""
        ...


class SystemClock:
    """The machine's own clocks."""

    __slots__ = ()

    def monotonic_ns(self) -> int:
        """See `Clock`."""
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        """See `Clock`."""
        return time.time_ns()


class ManualClock:
    """A clock that moves only when told to; both readings move together."""

    __slots__ = ("_monotonic", "_wall")

    def __init__(self, monotonic_ns: int = 0, wall_ns: int = 0) -> None:
        self._monotonic = monotonic_ns
        self._wall = wall_ns

    def monotonic_ns(self) -> int:
        """See `Clock`."""
        return self._monotonic

    def wall_ns(self) -> int:
        """See `Clock`."""
        return self._wall

    def advance(self, ns: int) -> None:
        """Move both readings forward by `ns`; a negative step is a `ValueError`."""
        if ns < 0:
            raise ValueError(f"a clock cannot go back: advance({ns})")
        self._monotonic += ns
        self._wall += ns

    def advance_to(self, monotonic_ns: int) -> None:
        """Move to a monotonic reading; an earlier one leaves the clock where it is."""
        if monotonic_ns > self._monotonic:
            self.advance(monotonic_ns - self._monotonic)

    def realign(self, wall_ns: int) -> None:
        """The wall reads this now, whatever time has passed unseen; the monotonic reading stays."""
        self._wall = wall_ns


class LiveClock:
    """The engine's time while it follows the real one: nanoseconds since its session began.

    Both readings run with the machine's monotonic clock from one anchor, so a machine whose wall clock is
    set does not make a timer misfire nor a day end twice. Everything on the network stamps with it.
    """

    __slots__ = ("_origin", "_real", "_real_origin", "_wall_origin")

    def __init__(self, real: Clock) -> None:
        self._real = real
        self.begin_at(0)

    def begin_at(self, monotonic_ns: int) -> None:
        """It is this engine time now: a session that goes on continues the time of before."""
        self._origin = monotonic_ns
        self._real_origin = self._real.monotonic_ns()
        self._wall_origin = self._real.wall_ns()

    def monotonic_ns(self) -> int:
        """See `Clock`."""
        return self._origin + self._real.monotonic_ns() - self._real_origin

    def wall_ns(self) -> int:
        """See `Clock`."""
        return self._wall_origin + self._real.monotonic_ns() - self._real_origin


class ReplayClock(ManualClock):
    """A clock that follows a recording: monotonic time never goes back even where the recorder's did.

    A recording has one time column. Its differences drive the monotonic reading, itself the wall reading.
    """

    __slots__ = ()

    def follow(self, recorded_wall_ns: int) -> None:
        """Take the time of the next recorded line; a step back is ignored."""
        if recorded_wall_ns > self._wall:
            self._monotonic += recorded_wall_ns - self._wall
            self._wall = recorded_wall_ns
