"""The loop and the clock are watched, and trading is kept back while either is wrong (R27, R19)."""

from __future__ import annotations

from typing import Any

from engine.core.clock import ManualClock
from engine.core.events import Restraint
from engine.runtime.bell import Bell
from engine.runtime.clock_watch import ClockWatch
from engine.runtime.loop_watch import LoopWatch

MS = 1_000_000


class _Heard:
    def __init__(self) -> None:
        self.restraints: list[tuple[str, Restraint]] = []
        self.warned: list[str] = []
        self.bell = Bell()
        self.bell.connect(
            lambda: None,
            lambda code, restraint, reason, release: self.restraints.append((code, restraint)),
            lambda code, text: self.warned.append(text),
        )


def test_a_late_loop_pulls_the_quotes_until_it_kept_time_for_ten_seconds() -> None:
    heard, clock = _Heard(), ManualClock()
    watch = LoopWatch(clock, heard.bell)
    watch.judge(250 * MS)
    assert heard.restraints == []
    watch.judge(250 * MS + 1)
    watch.judge(900 * MS)
    assert heard.restraints == [("LOOP", Restraint.PAUSED)]
    clock.advance(10_000 * MS - 1)
    watch.judge(0)
    assert len(heard.restraints) == 1
    clock.advance(1)
    watch.judge(0)
    assert heard.restraints[1:] == [("LOOP", Restraint.NONE)]
    watch.judge(0)
    assert len(heard.restraints) == 2


def test_the_clock_warns_holds_and_lets_go() -> None:
    heard = _Heard()
    broker: Any = None
    watch = ClockWatch(broker, heard.bell)
    for offset, restraints, warned in (
        (249, 0, 0), (-251, 0, 1), (300, 0, 1), (1_001, 1, 1), (600, 1, 1), (249, 2, 1), (-1_001, 3, 1),
    ):  # fmt: skip
        watch.judge(offset * MS)
        assert (len(heard.restraints), len(heard.warned)) == (restraints, warned), offset
    assert [restraint for _, restraint in heard.restraints] == [
        Restraint.HALTED,
        Restraint.NONE,
        Restraint.HALTED,
    ]
    assert "ahead of" in heard.warned[0]
