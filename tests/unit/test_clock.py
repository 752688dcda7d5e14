"""Clocks: two readings, never back."""

from __future__ import annotations

import pytest

from engine.core.clock import Clock, ManualClock, ReplayClock, SystemClock


def test_the_system_clock_reads_the_machine() -> None:
    clock: Clock = SystemClock()
    first, second = clock.monotonic_ns(), clock.monotonic_ns()
    assert second >= first
    assert clock.wall_ns() > 1_700_000_000 * 10**9


def test_a_manual_clock_moves_only_when_told_and_both_readings_together() -> None:
    clock = ManualClock(monotonic_ns=5, wall_ns=1_000)
    assert (clock.monotonic_ns(), clock.wall_ns()) == (5, 1_000)
    clock.advance(7)
    assert (clock.monotonic_ns(), clock.wall_ns()) == (12, 1_007)
    clock.advance(0)
    assert (clock.monotonic_ns(), clock.wall_ns()) == (12, 1_007)


def test_a_manual_clock_refuses_to_go_back() -> None:
    clock = ManualClock(monotonic_ns=5)
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(-1)
    assert clock.monotonic_ns() == 5


def test_advance_to_an_earlier_reading_changes_nothing() -> None:
    clock = ManualClock(monotonic_ns=100, wall_ns=900)
    clock.advance_to(150)
    assert (clock.monotonic_ns(), clock.wall_ns()) == (150, 950)
    clock.advance_to(120)
    assert (clock.monotonic_ns(), clock.wall_ns()) == (150, 950)


def test_a_replay_clock_follows_its_recording_and_ignores_steps_back() -> None:
    clock = ReplayClock(monotonic_ns=0, wall_ns=1_000)
    readings = []
    for recorded in (1_000, 1_250, 1_200, 1_250, 1_400):
        clock.follow(recorded)
        readings.append((clock.monotonic_ns(), clock.wall_ns()))
    assert readings == [(0, 1_000), (250, 1_250), (250, 1_250), (250, 1_250), (400, 1_400)]
