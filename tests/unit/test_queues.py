"""Queues between stages: each overflow rule, and counters that add up."""

from __future__ import annotations

import pytest

from engine.core.queues import BoundedQueue, Overflow, QueueOverflow


def filled(overflow: Overflow, capacity: int, items: int) -> BoundedQueue[int]:
    queue: BoundedQueue[int] = BoundedQueue("test", capacity, overflow)
    for item in range(items):
        queue.push(item)
    return queue


@pytest.mark.parametrize("overflow", list(Overflow))
def test_first_in_first_out_below_capacity(overflow: Overflow) -> None:
    queue = filled(overflow, 4, 3)
    assert len(queue) == 3
    assert [queue.pop(), queue.pop(), queue.pop(), queue.pop()] == [0, 1, 2, None]
    assert (queue.pushed, queue.lost, queue.high_water) == (3, 0, 3)


def test_refuse_raises_and_keeps_what_it_has() -> None:
    queue = filled(Overflow.REFUSE, 2, 2)
    with pytest.raises(QueueOverflow, match="rebuilt"):
        queue.push(2)
    assert queue.drain() == [0, 1]
    assert (queue.pushed, queue.lost) == (2, 1)
    assert queue.push(3)


def test_grow_never_loses_and_sounds_the_alarm_past_its_capacity() -> None:
    queue = filled(Overflow.GROW, 2, 2)
    assert not queue.is_over_capacity
    queue.push(2)
    assert queue.is_over_capacity
    assert queue.drain() == [0, 1, 2]
    assert not queue.is_over_capacity
    assert (queue.pushed, queue.lost, queue.high_water) == (3, 0, 3)


def test_latest_wins() -> None:
    queue = filled(Overflow.LATEST, 1, 5)
    assert queue.drain() == [4]
    assert (queue.pushed, queue.lost, queue.high_water) == (5, 4, 1)


def test_drop_keeps_the_first_and_counts_the_rest() -> None:
    queue = filled(Overflow.DROP, 3, 3)
    assert queue.push(3) is False
    assert queue.push(4) is False
    assert queue.drain() == [0, 1, 2]
    assert (queue.pushed, queue.lost) == (3, 2)


@pytest.mark.parametrize("overflow", list(Overflow))
def test_every_item_is_accounted_for(overflow: Overflow) -> None:
    queue: BoundedQueue[int] = BoundedQueue("test", 5, overflow)
    taken = raised = 0
    for item in range(1_000):
        try:
            queue.push(item)
        except QueueOverflow:
            raised += 1
        if item % 3 == 0 and queue.pop() is not None:
            taken += 1
    remaining = len(queue)
    overwritten = queue.lost if overflow is Overflow.LATEST else 0
    assert queue.pushed == taken + remaining + overwritten
    refused = 0 if overflow is Overflow.LATEST else queue.lost
    assert queue.pushed + refused == 1_000
    assert raised == (queue.lost if overflow is Overflow.REFUSE else 0)
    assert (queue.lost > 500) is (overflow is not Overflow.GROW)
    assert (queue.high_water == 5) is (overflow is not Overflow.GROW)
    assert queue.clear() == remaining
    assert (len(queue), queue.pop()) == (0, None)


def test_the_bell_rings_once_per_burst() -> None:
    rings: list[int] = []
    queue: BoundedQueue[int] = BoundedQueue(
        "test", 10, Overflow.REFUSE, wake=lambda: rings.append(len(queue))
    )
    queue.push(1)
    queue.push(2)
    assert rings == [1]
    queue.drain()
    queue.push(3)
    assert rings == [1, 1]


def test_counters_are_a_picture() -> None:
    queue = filled(Overflow.DROP, 2, 4)
    queue.pop()
    picture = queue.counters()
    queue.push(9)
    assert (picture.name, picture.capacity, picture.depth) == ("test", 2, 1)
    assert (picture.high_water, picture.pushed, picture.lost) == (2, 2, 2)


def test_a_queue_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity 0"):
        BoundedQueue("test", 0, Overflow.DROP)
