"""The last events of an engine in a ring: appending is cheap, whoever reads keeps a place of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, Final, ParamSpec

from engine.link.events import AnyEngineEvent

P = ParamSpec("P")

CAPACITY: Final = 10_000


class EventLog:
    """Numbers events from 1 and keeps the last `capacity` of them. Nothing is encoded here."""

    __slots__ = ("_capacity", "_ring", "last")

    def __init__(self, capacity: int = CAPACITY) -> None:
        if capacity < 1:
            raise ValueError(f"a log of {capacity} events keeps nothing")
        self.last = 0
        """The number of the newest event; 0 before any."""
        self._capacity = capacity
        self._ring: list[AnyEngineEvent] = []

    def publish(
        self, event: Callable[Concatenate[int, P], AnyEngineEvent], *args: P.args, **kwargs: P.kwargs
    ) -> AnyEngineEvent:
        """Make an event of its type and its fields without the number, and keep it."""
        number = self.last + 1
        made = event(number, *args, **kwargs)
        if number <= self._capacity:
            self._ring.append(made)
        else:
            self._ring[(number - 1) % self._capacity] = made
        self.last = number
        return made

    @property
    def lost(self) -> int:
        """The number of the newest event that is not kept any more; 0 while all are."""
        return max(0, self.last - self._capacity)

    def after(self, seen: int, most: int) -> tuple[AnyEngineEvent, ...]:
        """The next events after number `seen`, at most `most`; none of those that are lost."""
        first = max(seen, self.lost)
        ring, capacity = self._ring, self._capacity
        return tuple(ring[number % capacity] for number in range(first, min(first + most, self.last)))
