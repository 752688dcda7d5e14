"""Two processes never share a journal's directory: six cases, with processes that are real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from durability.faulty_disk import FaultyDisk
from durability.journal_kit import WALL_NS

from engine.persistence.directory import JournalDirectory, read_meta
from engine.persistence.errors import LockedError

HOLDER = Path(__file__).with_name("lock_holder.py")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A journal that nobody uses."""
    JournalDirectory.create(f"{tmp_path}/j", created_ns=WALL_NS).close()
    return f"{tmp_path}/j"


@contextmanager
def holder(path: str, *wishes: str) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A process that has the directory, and the children it left."""
    process = subprocess.Popen(
        [sys.executable, str(HOLDER), path, *wishes],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    children: list[int] = []
    with process:
        try:
            said, *ids = process.stdout.readline().split()
            assert said == "held"
            children = [int(pid) for pid in ids]
            yield process, children
        finally:
            for pid in children:
                os.kill(pid, signal.SIGKILL)
            process.kill()


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    assert process.wait() == -signal.SIGKILL


def assert_is_free(path: str) -> None:
    JournalDirectory.open(path).close()


def assert_is_held(path: str, pid: int) -> None:
    with pytest.raises(LockedError, match=rf"in use by process {pid}; nothing was read or written") as caught:
        JournalDirectory.open(path)
    assert caught.value.exit_code == 3


def test_a_second_process_is_told_who_has_it_and_ends_with_3(path: str) -> None:
    with holder(path) as (process, _):
        second = subprocess.run(
            [sys.executable, str(HOLDER), path],
            input="",
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert second.returncode == 3
        assert f"process {process.pid}" in second.stderr
        assert second.stdout == ""
        assert_is_held(path, process.pid)


def test_kill_frees_it_at_once_whatever_the_lock_file_says(path: str) -> None:
    with holder(path) as (process, _):
        kill(process)
        assert str(process.pid) in Path(path, "LOCK").read_text()
        assert_is_free(path)


def test_a_child_that_lives_on_does_not_keep_it(path: str) -> None:
    with holder(path, "child") as (process, children):
        assert len(children) == 1
        kill(process)
        os.kill(children[0], 0)  # it lives
        assert_is_free(path)


def test_no_descriptor_is_inherited(path: str) -> None:
    disk = FaultyDisk()
    directory = JournalDirectory.open(path, disk)
    assert len(disk.open_descriptors) == 2
    assert not any(os.get_inheritable(descriptor) for descriptor in disk.open_descriptors)
    directory.close()


def test_closing_another_descriptor_of_the_lock_file_frees_nothing(path: str) -> None:
    with holder(path, "reopen") as (process, _):
        assert_is_held(path, process.pid)


def test_the_lock_file_stays(path: str) -> None:
    before = os.stat(f"{path}/LOCK").st_ino
    for _ in range(3):
        assert_is_free(path)
        with holder(path) as (process, _):
            kill(process)
    assert os.stat(f"{path}/LOCK").st_ino == before


def test_deleting_the_lock_file_frees_nothing(path: str) -> None:
    with holder(path) as (process, _):
        os.unlink(f"{path}/LOCK")
        with pytest.raises(LockedError, match="in use by another process"):
            JournalDirectory.open(path)
        kill(process)
        assert_is_free(path)


def test_the_lock_file_alone_keeps_others_out_too(path: str) -> None:
    """Somebody may have moved the folder's content to another one."""
    with holder(path) as (process, _), ExitStack() as stack:
        other = f"{path}-copy"
        os.mkdir(other, 0o700)
        for name in ("LOCK", "META.json"):
            os.link(f"{path}/{name}", f"{other}/{name}")
        stack.enter_context(pytest.raises(LockedError, match=f"process {process.pid}"))
        JournalDirectory.open(other)


def test_within_one_process_it_is_had_once(path: str) -> None:
    directory = JournalDirectory.open(path)
    assert_is_held(path, os.getpid())
    directory.close()
    assert_is_free(path)


def test_whoever_only_reads_takes_no_lock(path: str) -> None:
    with holder(path):
        assert read_meta(path).created_ns == WALL_NS


def test_who_is_refused_leaves_no_descriptor(path: str) -> None:
    directory = JournalDirectory.open(path)
    disk = FaultyDisk()
    with pytest.raises(LockedError):
        JournalDirectory.open(path, disk)
    assert disk.counts["open"] >= 1
    assert not disk.open_descriptors
    directory.close()
