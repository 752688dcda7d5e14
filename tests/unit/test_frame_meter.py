"""What a frame costs, when it is too much, and when the screen stood still."""

from __future__ import annotations

import pytest

from pinnacle_tui.frame_meter import FrameMeter, known_rate, lower_rate

MS = 1_000_000
S = 1_000_000_000


def run(meter: FrameMeter, seconds: int, *, hz: int, frame_ms: float, start_ns: int = 0) -> int:
    """Frames at `hz` that cost `frame_ms` of processor time each; the time afterwards."""
    for n in range(seconds * hz + 1):
        meter.tick(start_ns + n * S // hz, int((start_ns * hz / S + n) * frame_ms * MS))
    return start_ns + seconds * S


def test_cost_and_rate_are_those_of_the_last_second() -> None:
    meter = FrameMeter()
    assert meter.fps == 0
    run(meter, 2, hz=10, frame_ms=6.5)
    assert meter.frame_ns == pytest.approx(6.5 * MS, rel=0.01)
    assert meter.fps == pytest.approx(10)
    assert meter.share == pytest.approx(0.065)
    assert meter.worst_gap_ns == 100 * MS


def test_a_screen_within_its_budget_is_left_alone() -> None:
    meter = FrameMeter()
    run(meter, 60, hz=10, frame_ms=30)
    assert not meter.is_over_budget()


def test_five_dear_seconds_in_a_row_are_told_once() -> None:
    meter = FrameMeter()
    now = run(meter, 4, hz=10, frame_ms=40)
    assert not meter.is_over_budget()
    run(meter, 2, hz=10, frame_ms=40, start_ns=now)
    assert meter.is_over_budget()
    assert not meter.is_over_budget()


def test_one_cheap_second_between_starts_the_count_anew() -> None:
    meter, now, cpu = FrameMeter(), 0, 0
    for second in range(9):
        for _ in range(10):
            meter.tick(now, cpu)
            now += 100 * MS
            cpu += (1 if second == 4 else 50) * MS
    assert not meter.is_over_budget()


def test_only_a_gap_that_a_person_would_notice_is_a_stall() -> None:
    meter = FrameMeter()
    assert meter.stalled_ns(5 * S) == 0
    meter.tick(0, 0)
    assert meter.stalled_ns(S) == 0
    assert meter.stalled_ns(7 * S) == 7 * S


@pytest.mark.parametrize(("hz", "lower"), [(30, 10), (20, 10), (10, 5), (5, 2), (2, 1), (1, 1)])
def test_the_next_lower_rate_is_half_or_less(hz: int, lower: int) -> None:
    assert lower_rate(hz) == lower


@pytest.mark.parametrize(("hz", "known"), [(1, 1), (3, 2), (10, 10), (29, 20), (30, 30), (99, 30)])
def test_a_rate_counts_as_the_next_lower_of_the_list(hz: int, known: int) -> None:
    assert known_rate(hz) == known
