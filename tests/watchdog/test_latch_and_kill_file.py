"""Files beside the sessions: the latch that a new session does not step around, and KILL."""

from __future__ import annotations

import asyncio
import errno
import os

import pytest
from virtual_sockets import run
from watchdog_kit import S

from engine.core.clock import ManualClock
from engine.core.kill_file import KillFile
from engine.persistence.disk import Disk
from engine.persistence.errors import JournalError
from engine.persistence.latch_file import Latch, LatchFile
from engine.runtime.kill_file import KillFileWatch

HALTED = Latch("HALTED", "LOSS", "the day's loss is $250", 1_700_000_000 * S, "live-btc-usd-0001")
KILLED = Latch("KILLED", "KILL", "a person wanted it", 1_700_000_001 * S, "live-btc-usd-0001")


class WritingDisk(Disk):
    """Remembers what was synced, and fails at the call that is named."""

    def __init__(self, failing: str = "") -> None:
        self.done: list[str] = []
        self.failing = failing

    def _do(self, call: str) -> None:
        if call == self.failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.done.append(call)

    def fsync(self, descriptor: int) -> None:
        self._do("fsync")
        super().fsync(descriptor)

    def rename(self, source: str, target: str) -> None:
        self._do("rename")
        super().rename(source, target)

    def unlink(self, path: str) -> None:
        self._do("unlink")
        super().unlink(path)

    def pread(self, descriptor: int, length: int, offset: int) -> bytes:
        self._do("pread")
        return super().pread(descriptor, length, offset)


def test_a_latch_is_kept_until_it_is_removed(tmp_path):
    file = LatchFile(tmp_path)
    assert file.read() is None
    assert file.write(HALTED) == HALTED
    assert LatchFile(tmp_path).read() == HALTED
    assert file.path.stat().st_mode & 0o777 == 0o600
    file.remove()
    assert file.read() is None
    file.remove()


def test_the_file_is_synced_before_it_has_its_name_and_the_folder_after(tmp_path):
    disk = WritingDisk()
    LatchFile(tmp_path, disk).write(KILLED)
    assert disk.done == ["fsync", "rename", "fsync"]
    disk.done.clear()
    LatchFile(tmp_path, disk).remove()
    assert disk.done == ["unlink", "fsync"]


def test_it_moves_to_the_right_only(tmp_path):
    file = LatchFile(tmp_path)
    file.write(HALTED)
    assert file.write(Latch("HALTED", "OTHER", "later", 1, "")) == HALTED
    assert file.write(KILLED) == KILLED
    assert file.write(HALTED) == KILLED
    assert file.read() == KILLED


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"state":"ACTIVE","code":"","reason":"","wall_ns":0,"session":""}',
        b"0" * 99_999,
    ],
)
def test_a_damaged_latch_counts_as_killed_and_can_be_rearmed(tmp_path, content):
    file = LatchFile(tmp_path)
    file.path.write_bytes(content)
    held = file.read()
    assert held is not None
    assert (held.state, held.code) == ("KILLED", "LATCH_FILE")
    assert str(file.path) in held.reason
    file.remove()
    assert file.read() is None


@pytest.mark.parametrize("make", ["folder", "link", "pipe", "unreadable"])
def test_whatever_cannot_be_read_counts_as_killed(tmp_path, make):
    disk = Disk()
    file = LatchFile(tmp_path)
    if make == "folder":
        file.path.mkdir()
    elif make == "link":
        file.path.symlink_to("nowhere")
    elif make == "pipe":
        os.mkfifo(file.path)
    else:
        file.write(HALTED)
        disk = WritingDisk("pread")
    held = LatchFile(tmp_path, disk).read()
    assert held is not None
    assert held.state == "KILLED"


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_disk_that_takes_no_latch_says_so(tmp_path, call):
    with pytest.raises(JournalError, match=r"LATCH.json cannot be written: No space left.*restart"):
        LatchFile(tmp_path, WritingDisk(call)).write(KILLED)


def test_a_latch_that_cannot_be_removed_still_holds(tmp_path):
    LatchFile(tmp_path).write(KILLED)
    with pytest.raises(JournalError, match="still holds"):
        LatchFile(tmp_path, WritingDisk("unlink")).remove()
    assert LatchFile(tmp_path).read() == KILLED
    with pytest.raises(JournalError, match="may find it again"):
        LatchFile(tmp_path, WritingDisk("fsync")).remove()


# -- KILL --------------------------------------------------------------------------------------------


def test_every_appearance_is_told_once(tmp_path):
    file = KillFile(tmp_path)
    assert not file.has_appeared()
    file.path.touch()
    assert file.has_appeared()
    assert not file.has_appeared()
    file.path.unlink()
    assert not file.has_appeared()
    file.path.mkdir()
    assert file.has_appeared()
    os.utime(file.path, ns=(1, 1))
    assert file.has_appeared(), "touching it anew means it anew"


def test_a_link_that_leads_nowhere_will_do_and_a_missing_folder_is_no_kill(tmp_path):
    (tmp_path / "KILL").symlink_to("nowhere")
    assert KillFile(tmp_path).has_appeared()
    assert not KillFile(tmp_path / "missing").has_appeared()


def test_the_engine_sees_it_within_200_ms_and_at_the_start(tmp_path):
    clock = ManualClock()
    kills: list[int] = []

    async def watching() -> None:
        watch = KillFileWatch(tmp_path, lambda reason: kills.append(clock.monotonic_ns()))
        await watch.start()
        for _ in range(3):
            await asyncio.sleep(1)
            assert kills == []
        before = clock.monotonic_ns()
        (tmp_path / "KILL").touch()
        await asyncio.sleep(1)
        assert len(kills) == 1
        assert kills[0] - before <= 200_000_000
        await watch.stop()
        (tmp_path / "KILL").unlink()
        (tmp_path / "KILL").touch()
        await asyncio.sleep(1)
        assert len(kills) == 1
        again = KillFileWatch(tmp_path, lambda reason: kills.append(-1))
        await again.start()
        assert kills[-1] == -1
        await again.stop()

    run(watching(), clock)
