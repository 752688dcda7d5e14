"""What will happen at the exchange and when, as data."""

from __future__ import annotations

import heapq

import msgspec

from engine.core.events import AnyCommand


class Turn(msgspec.Struct, frozen=True, gc=False, tag=True, array_like=True):
    """A participant acts; `participant` is its place among all of them."""

    participant: int


class Batch(msgspec.Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Market data is published."""


Task = Turn | Batch | AnyCommand
"""A command of ours arrives when its time comes."""

_Entry = tuple[int, int, Task]
"""When, its number in order of addition, and what."""


class AgendaState(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An `Agenda`: how many tasks there ever were, and those to come, next one first."""

    count: int
    entries: list[_Entry]


class Agenda:
    """Tasks by their time; among equals the one that was added first goes first."""

    __slots__ = ("_count", "_entries")

    def __init__(self) -> None:
        self._count = 0
        self._entries: list[_Entry] = []

    def add(self, due_ns: int, task: Task) -> None:
        """Let a task wait for its time."""
        self._count += 1
        heapq.heappush(self._entries, (due_ns, self._count, task))

    def next_ns(self) -> int | None:
        """When the next task is due."""
        return self._entries[0][0] if self._entries else None

    def take(self) -> tuple[int, Task]:
        """Take the next task out: its time and itself."""
        due_ns, _, task = heapq.heappop(self._entries)
        return due_ns, task

    def save(self) -> AgendaState:
        """A copy."""
        return AgendaState(self._count, sorted(self._entries))

    def load(self, state: AgendaState) -> None:
        """Go on from a saved one."""
        self._count = state.count
        self._entries = list(state.entries)  # sorted is heap enough
