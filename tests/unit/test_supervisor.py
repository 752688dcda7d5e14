"""What a failure means: on the trading path the end, beside it a while without whoever watches."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.core.errors import RecordingError
from engine.runtime.supervisor import ALERTS, StageFailure, Supervisor

S = 1_000_000_000
MINUTE = 60 * S


class Watched:
    """A stage that only watches, at times of our choice."""

    def __init__(self, stage: str = "screen") -> None:
        self.told: list[str] = []
        self.calls = 0
        self.error: Exception | None = RuntimeError("no room")
        self._stage = stage
        self._supervisor = Supervisor(lambda code, text: self.told.append(f"{code} {text}"))

    def at(self, *times_ns: int) -> int:
        """Let it work at these times; how often it was called."""
        before = self.calls
        for now_ns in times_ns:
            self._supervisor.watch(self._stage, now_ns, self._work)
        return self.calls - before

    def _work(self) -> None:
        self.calls += 1
        if self.error is not None:
            raise self.error


def test_what_fails_all_the_time_is_left_out_and_tried_again_a_minute_later() -> None:
    watched = Watched()
    assert watched.at(*range(100)) == 4
    assert watched.at(3 + MINUTE - 1) == 0
    watched.error = None
    assert watched.at(*range(3 + MINUTE, 3 + MINUTE + 100)) == 100
    assert watched.told == [
        "STAGE_FAILED the screen stage failed: RuntimeError: no room; it goes on",
        "STAGE_FAILED the screen stage failed: RuntimeError: no room; it is left out for 60 s, then tried "
        "again; trading goes on",
    ]


def test_failures_far_apart_leave_nobody_out() -> None:
    watched = Watched()
    times = range(0, 100 * MINUTE, MINUTE // 3 + 1)
    assert watched.at(*times) == len(times)


def test_the_fourth_failure_within_a_minute_is_the_one_too_many() -> None:
    watched = Watched()
    assert watched.at(0, 20 * S, 40 * S, 61 * S, 62 * S) == 5, "by then the first is forgotten"
    assert watched.at(63 * S) == 0


def test_the_same_failure_is_told_once_in_ten_minutes_and_another_at_once() -> None:
    watched = Watched()
    watched.at(*range(0, 9 * MINUTE, S))
    assert len(watched.told) == 2
    watched.error = ValueError("another defect")
    watched.at(*range(9 * MINUTE, 10 * MINUTE, S))
    assert "another defect" in watched.told[2]
    watched.error = RuntimeError("no room")
    before = len(watched.told)
    watched.at(*range(20 * MINUTE, 22 * MINUTE, S))
    assert len(watched.told) == before + 2


def test_each_stage_has_its_own_budget() -> None:
    supervisor, calls = Supervisor(lambda code, text: None), dict.fromkeys("ab", 0)

    def failing(stage: str) -> Callable[[], None]:
        def work() -> None:
            calls[stage] += 1
            raise RuntimeError

        return work

    for stage in "aaaaaab":
        supervisor.watch(stage, 0, failing(stage))
    assert calls == {"a": 4, "b": 1}


def test_that_nobody_can_be_told_is_told_nobody() -> None:
    watched = Watched(ALERTS)
    assert watched.at(*range(10)) == 4
    assert watched.told == []


def test_a_failure_on_the_trading_path_is_told_once_and_ends_the_run_with_the_code_of_its_cause() -> None:
    told: list[str] = []
    supervisor = Supervisor(lambda code, text: told.append(text))

    def fail() -> None:
        raise RecordingError("the tape is torn")

    for _ in range(3):
        with pytest.raises(StageFailure, match="the market data stage failed") as failure:
            supervisor.run("market data", fail)
        assert failure.value.exit_code == 6
    assert told == ["the market data stage failed: the tape is torn"]
    assert supervisor.run("market data", lambda: 7) == 7
