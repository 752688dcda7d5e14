"""Waits after wrong passwords: how long each is, what ends them, and what the fifth one does."""

from __future__ import annotations

import pytest

from engine.core.clock import ManualClock
from engine.credentials.attempts import Attempts
from engine.credentials.desk import TooManyAttempts

SECOND = 10**9


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(7 * SECOND, 0)


def fail(attempts: Attempts, times: int) -> None:
    for _ in range(times):
        attempts.failed()


def test_at_first_nobody_waits(clock: ManualClock) -> None:
    assert Attempts(clock).wait_s == 0


def test_each_wait_is_twice_the_one_before(clock: ManualClock) -> None:
    attempts = Attempts(clock)
    waits = []
    for _ in range(4):
        attempts.failed()
        waits.append(attempts.wait_s)
        clock.advance(int(attempts.wait_s * SECOND))
        assert attempts.wait_s == 0
    assert waits == [1, 2, 4, 8]


def test_a_wait_ends_by_the_clock_and_never_counts_below_nothing(clock: ManualClock) -> None:
    attempts = Attempts(clock)
    fail(attempts, 2)
    clock.advance(SECOND // 2)
    assert attempts.wait_s == 1.5
    clock.advance(3 * SECOND // 2 - 1)
    assert 0 < attempts.wait_s < 1e-6
    clock.advance(1)
    assert attempts.wait_s == 0
    clock.advance(3_600 * SECOND)
    assert attempts.wait_s == 0


def test_the_fifth_failure_ends_the_program(clock: ManualClock) -> None:
    attempts = Attempts(clock)
    fail(attempts, 4)
    with pytest.raises(TooManyAttempts, match="wrong 5 times: nothing was opened") as ended:
        attempts.failed()
    assert ended.value.exit_code == 4
    with pytest.raises(TooManyAttempts):
        attempts.failed()


def test_however_long_somebody_waits_the_failures_are_remembered(clock: ManualClock) -> None:
    attempts = Attempts(clock)
    fail(attempts, 4)
    clock.advance(86_400 * SECOND)
    with pytest.raises(TooManyAttempts):
        attempts.failed()


def test_the_right_password_ends_the_wait_and_the_count(clock: ManualClock) -> None:
    attempts = Attempts(clock)
    fail(attempts, 4)
    attempts.succeeded()
    assert attempts.wait_s == 0
    attempts.failed()
    assert attempts.wait_s == 1
