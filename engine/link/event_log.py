"""The last events of an engine in a ring: appending is cheap, whoever reads keeps a place of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Concatenate, Final, ParamSpec

from engine.link.events import AnyEngineEvent

P = ParamSpec("P")

CAPACITY: Final = 10_000


class EventLog:
    """Numbers events from 1 and keeps the last `capacity` of them. Nothing is encoded here."""

    __slots__ = ("_capacity", "_ring", "before", "last")

    def __init__(self, capacity: int = CAPACITY) -> None:
        if capacity < 1:
            raise ValueError(f"a log of {capacity} events keeps nothing")
        self.last = 0
        """The number of the newest event; 0 before any."""
        self._capacity = capacity
        self.before = 0
        """The number before the first event that is or was here: there is nothing to tell up to it."""
        self._ring: list[AnyEngineEvent] = []

    def publish(
        self, event: Callable[Concatenate[int, P], AnyEngineEvent], *args: P.args, **kwargs: P.kwargs
    ) -> AnyEngineEvent:
        """Make an event of its type and its fields without the number, and keep it."""
        number = self.last + 1
        made = event(number, *args, **kwargs)
        if len(self._ring) < self._capacity:
            self._ring.append(made)
        else:
            self._ring[self._at(number)] = made
        self.last = number
        return made

    def begin_anew(self, last: int, events: Sequence[AnyEngineEvent] = ()) -> None:
        """Forget everything; from now on `last` is the newest number, and `events` are those up to it.

        Whoever was told of other events must be told so: see `LinkServer.moved`.
        """
        self._ring = list(events[-self._capacity :])
        self.before = last - len(self._ring)
        if [event.eseq for event in self._ring] != list(range(self.before + 1, last + 1)):
            raise ValueError(f"these are not the events up to number {last}, one after the other")
        self.last = last

    @property
    def lost(self) -> int:
        """The number of the newest event that is not kept any more; `before` while all are."""
        return max(self.before, self.last - self._capacity)

    def after(self, seen: int, most: int) -> tuple[AnyEngineEvent, ...]:
        """The next events after number `seen`, at most `most`; none of those that are lost."""
        first = max(seen, self.lost)
        numbers = range(first + 1, min(first + most, self.last) + 1)
        return tuple(self._ring[self._at(number)] for number in numbers)

    def _at(self, number: int) -> int:
        return (number - 1 - self.before) % self._capacity
