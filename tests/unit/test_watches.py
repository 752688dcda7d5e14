"""Loop, disk and clock are watched, and trading is kept back while one of them is wrong (R27, R19)."""

from __future__ import annotations

from typing import Any

import pytest

from engine.config import load_config
from engine.core.clock import ManualClock
from engine.core.events import Restraint
from engine.runtime.bell import Bell
from engine.runtime.builder import build_engine, build_market
from engine.runtime.clock_watch import ClockWatch
from engine.runtime.loop_watch import LoopWatch
from engine.runtime.observers import Observers
from engine.runtime.storage_watch import StorageWatch

MS, S = 1_000_000, 1_000_000_000


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


class _Disk:
    """What a `StorageWatch` reads of a journal."""

    def __init__(self) -> None:
        self.failed = None
        self.sync_ns = self.busy_ns = 0
        self.free = self.needed = 100 << 20
        self.directory = self
        self.path = "the folder"

    def free_space(self) -> tuple[int, int]:
        return self.free, self.needed


class _Watched:
    """A simulated engine over such a disk; `look` is one look at it after some time."""

    def __init__(self) -> None:
        config = load_config(env={}).config
        self.engine = build_engine(
            config, build_market(config), ManualClock(), Observers(), status_interval_ns=S
        )
        self.disk: Any = _Disk()
        self.clock = ManualClock(3 * S)
        self.watch = StorageWatch(self.disk, self.engine, self.clock)

    def look(self, after_ns: int = 0) -> list[str]:
        """The codes of what holds trading then."""
        self.clock.advance(after_ns)
        self.watch.look()
        (desk,) = self.engine.desks.values()
        return [restriction.code for restriction in desk.trader.risk.restrictions()]


@pytest.mark.parametrize(("busy_ns", "codes"), [(S - 1, []), (S, []), (S + 1, ["DISK_SLOW"])])
async def test_a_disk_that_takes_more_than_a_second_pulls_the_quotes(busy_ns: int, codes: list[str]) -> None:
    watched = _Watched()
    watched.disk.busy_ns = busy_ns
    assert watched.look() == codes


@pytest.mark.parametrize(("free", "codes"), [(1, []), (0, []), (-1, ["DISK_SPACE"])])
async def test_a_disk_with_less_room_than_is_needed_pulls_the_quotes(free: int, codes: list[str]) -> None:
    watched = _Watched()
    watched.disk.free = watched.disk.needed + free
    assert watched.look() == codes


async def test_a_disk_is_well_again_after_ten_seconds_and_not_by_turns() -> None:
    watched = _Watched()
    for _ in range(5):
        watched.disk.busy_ns = 2 * S
        assert watched.look(4 * S) == ["DISK_SLOW"]
        watched.disk.busy_ns = 0
        assert watched.look(4 * S) == ["DISK_SLOW"]
    assert watched.look(6 * S - 1) == ["DISK_SLOW"]
    assert watched.look(1) == []
    watched.disk.free = 0
    assert watched.look(2 * S) == ["DISK_SPACE"]
    watched.disk.free = watched.disk.needed
    assert watched.look(10 * S - 1) == ["DISK_SPACE"]
    assert watched.look(2 * S) == []


def test_the_clock_warns_holds_and_lets_go() -> None:
    heard = _Heard()
    broker: Any = None
    watch = ClockWatch(broker, heard.bell)
    for offset, restraints, warned in (
        (249, 0, 0), (-250, 0, 1), (251, 0, 1), (300, 0, 1), (1_000, 0, 1), (1_001, 1, 1), (600, 1, 1),
        (250, 1, 1), (249, 2, 1), (-1_000, 2, 2), (-1_001, 3, 2),
    ):  # fmt: skip
        watch.judge(offset * MS)
        assert (len(heard.restraints), len(heard.warned)) == (restraints, warned), offset
    assert [restraint for _, restraint in heard.restraints] == [
        Restraint.HALTED,
        Restraint.NONE,
        Restraint.HALTED,
    ]
    assert "ahead of" in heard.warned[0]
