"""An open vault that nobody uses: when its time is over."""

from __future__ import annotations

import pytest

from engine.core.clock import ManualClock
from engine.credentials.idle_lock import IdleLock

SECOND = 10**9


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(7 * SECOND, 0)


def test_it_is_due_when_the_time_is_over_and_not_before(clock: ManualClock) -> None:
    lock = IdleLock(clock, 300)
    assert not lock.is_due()
    clock.advance(300 * SECOND - 1)
    assert not lock.is_due()
    clock.advance(1)
    assert lock.is_due()
    clock.advance(86_400 * SECOND)
    assert lock.is_due()


def test_what_a_person_does_begins_the_time_anew(clock: ManualClock) -> None:
    lock = IdleLock(clock, 300)
    for _ in range(10):
        clock.advance(299 * SECOND)
        assert not lock.is_due()
        lock.touch()
    clock.advance(300 * SECOND)
    assert lock.is_due()
    lock.touch()
    assert not lock.is_due()


def test_the_time_may_be_a_part_of_a_second(clock: ManualClock) -> None:
    lock = IdleLock(clock, 0.25)
    clock.advance(SECOND // 4 - 1)
    assert not lock.is_due()
    clock.advance(1)
    assert lock.is_due()
