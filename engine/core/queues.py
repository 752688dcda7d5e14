"""Bounded queues between stages: one producer, one consumer, and a rule for when the consumer is late.

`collections.deque` appends and pops are atomic under the interpreter, so no lock is needed. What may be
lost differs by content, and nothing is ever lost without being counted.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from engine.core.errors import PinnacleError

T = TypeVar("T")


class QueueOverflow(PinnacleError):
    """A queue whose items must not be lost is full. The item was not taken."""


class Overflow(enum.Enum):
    """What a full queue does with one item more."""

    REFUSE = "refuse"
    """Raise `QueueOverflow`. For book deltas: the book is invalid now, drop the rest and resynchronise."""
    GROW = "grow"
    """Take it all the same. For fills and acknowledgements; `is_over_capacity` is the alarm."""
    LATEST = "latest"
    """Let the oldest go. For views: the newest wins."""
    DROP = "drop"
    """Let the new one go. For log lines."""


@dataclass(frozen=True, slots=True)
class QueueCounters:
    """A queue's figures at one moment; `lost` counts items refused, overwritten or dropped."""

    name: str
    capacity: int
    depth: int
    high_water: int
    pushed: int
    lost: int


class BoundedQueue(Generic[T]):
    """A single-producer single-consumer queue of at most `capacity` items.

    `wake` is called when the first item enters an empty queue: it rings the consumer's bell once per
    burst. `pushed` counts items taken in.
    """

    __slots__ = ("_items", "_wake", "capacity", "high_water", "lost", "name", "overflow", "pushed")

    def __init__(
        self, name: str, capacity: int, overflow: Overflow, wake: Callable[[], None] | None = None
    ) -> None:
        if capacity < 1:
            raise ValueError(f"queue {name}: capacity {capacity} must be at least 1")
        self.name = name
        self.capacity = capacity
        self.overflow = overflow
        self.high_water = 0
        self.pushed = 0
        self.lost = 0
        self._items: deque[T] = deque()
        self._wake = wake

    def push(self, item: T) -> bool:
        """Put an item in; False when it was dropped. Raises `QueueOverflow` where the rule is REFUSE."""
        items = self._items
        depth = len(items)
        if depth >= self.capacity and not self._make_room():
            return False
        items.append(item)
        self.pushed += 1
        if depth >= self.high_water:
            self.high_water = len(items)
        if not depth and self._wake is not None:
            self._wake()
        return True

    def _make_room(self) -> bool:
        if self.overflow is Overflow.GROW:
            return True
        self.lost += 1
        if self.overflow is Overflow.LATEST:
            self._items.popleft()
            return True
        if self.overflow is Overflow.DROP:
            return False
        raise QueueOverflow(
            f"queue {self.name} holds {self.capacity} items and its consumer is late: what it feeds is "
            "no longer complete and must be rebuilt"
        )

    def pop(self) -> T | None:
        """Take the oldest item; None when the queue is empty."""
        return self._items.popleft() if self._items else None

    def drain(self) -> list[T]:
        """Take everything there is now, oldest first."""
        items = self._items
        return [items.popleft() for _ in range(len(items))]

    def waiting(self) -> list[T]:
        """What is in the queue, oldest first; it stays there."""
        return list(self._items)

    def clear(self) -> int:
        """Throw everything away and say how many items that were; they count as lost."""
        count = len(self._items)
        self._items.clear()
        self.lost += count
        return count

    def __len__(self) -> int:
        return len(self._items)

    @property
    def is_over_capacity(self) -> bool:
        """True while a growing queue holds more than it was meant to."""
        return len(self._items) > self.capacity

    def counters(self) -> QueueCounters:
        """The figures now."""
        return QueueCounters(
            self.name, self.capacity, len(self._items), self.high_water, self.pushed, self.lost
        )
