"""Engine time on the network: it follows the machine's monotonic clock, whatever the wall clock does."""

from __future__ import annotations

from engine.core.clock import LiveClock, ManualClock

H = 3_600 * 10**9


class _Machine:
    """A machine whose wall clock can be set."""

    def __init__(self) -> None:
        self.monotonic = 500
        self.wall = 1_000 * H

    def monotonic_ns(self) -> int:
        return self.monotonic

    def wall_ns(self) -> int:
        return self.wall


def test_it_begins_at_zero_and_runs_with_the_machine() -> None:
    machine = _Machine()
    clock = LiveClock(machine)
    machine.monotonic += 7
    machine.wall += 7
    assert (clock.monotonic_ns(), clock.wall_ns()) == (7, 1_000 * H + 7)


def test_a_step_of_the_wall_clock_moves_neither_reading() -> None:
    for step in (H, -H):
        machine = _Machine()
        clock = LiveClock(machine)
        machine.wall += step
        machine.monotonic += 10
        assert (clock.monotonic_ns(), clock.wall_ns()) == (10, 1_000 * H + 10)


def test_a_session_that_goes_on_continues_its_time_and_reads_the_wall_anew() -> None:
    machine = _Machine()
    clock = LiveClock(machine)
    machine.wall += 5 * H
    machine.monotonic += 5 * H
    clock.begin_at(42)
    assert (clock.monotonic_ns(), clock.wall_ns()) == (42, 1_005 * H)


def test_a_manual_clock_is_realigned_without_a_step_of_its_time() -> None:
    clock = ManualClock(10, 20)
    clock.realign(900)
    clock.advance_to(15)
    assert (clock.monotonic_ns(), clock.wall_ns()) == (15, 905)
