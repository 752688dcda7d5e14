"""The disk fails at any call: it is said, nothing is acknowledged after it, nothing is synced again."""

from __future__ import annotations

import errno
import os
import threading
from collections import Counter
from pathlib import Path

import pytest
from durability.faulty_disk import SYNCS, FaultyDisk
from durability.journal_kit import DEADLINE_S, LARGE_PAYLOAD, SMALL, WALL_NS, Clock, Heard, journal_at
from durability.naive_journal import SEAL, read_records

from engine.persistence.continuation import Continuation
from engine.persistence.directory import JournalDirectory
from engine.persistence.errors import JournalError
from engine.persistence.journal import Journal
from engine.persistence.settings import Durability

MODES = ["none", "interval", "group", "every"]
ERRORS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.EDQUOT)
BATCHES = 24
"""Enough for three rotations."""


class Run:
    """A scripted life of a journal on a disk that fails once: what was promised, and when it was said."""

    def __init__(self, path: str, mode: str, disk: FaultyDisk) -> None:
        self.path = path
        self.disk = disk
        self.heard = Heard()
        self.raised: list[JournalError] = []
        self.promised = 0
        """What was acknowledged before the failure."""
        self.journal: Journal | None = None
        sound = FaultyDisk(kind=disk.kind)
        directory = JournalDirectory.create(path, sound, created_ns=WALL_NS)
        directory.disk = disk
        try:
            self.journal = Journal(
                directory,
                Continuation(),
                durability=Durability(mode),
                segment_bytes=SMALL,
                wall_ns=lambda: WALL_NS,
                monotonic_ns=Clock(),
                on_acked=self.heard.on_acked,
                on_failed=self.heard.on_failed,
            )
            self._live(self.journal)
        except JournalError as error:
            self.raised.append(error)
        finally:
            directory.disk = sound
            directory.close()

    def _live(self, journal: Journal) -> None:
        for number in range(BATCHES):
            self._try(journal.append_batch, [(14, bytes([number + 1]) * 9_000), (15, b"end of batch")])
            self._notice(journal)
            if number % 3 == 2:
                journal.step()
                self._notice(journal)
            self._try(journal.free_space)
        self._try(journal.finish)
        self._notice(journal)
        journal.close()

    def _try(self, call, *arguments):  # type: ignore[no-untyped-def]
        try:
            call(*arguments)
        except JournalError as error:
            self.raised.append(error)

    def _notice(self, journal: Journal) -> None:
        if not self.disk.failed_call:
            self.promised = journal.acked_seq


def calls_of_a_sound_run(path: Path, mode: str, kind: str) -> list[str]:
    run = Run(f"{path}/sound", mode, FaultyDisk(kind=kind))
    assert not run.raised
    assert not run.heard.failures
    assert not run.disk.open_descriptors
    assert all(mapping.closed for mapping in run.disk.mappings)
    records = read_records(run.path)
    assert sum(record.kind == SEAL for record in records) >= 4
    assert sum(record.kind == 14 for record in records) == BATCHES
    return run.disk.calls


def check(run: Run, error: int) -> None:
    disk, journal = run.disk, run.journal
    where = f"{disk.failed_call}, call {disk.fails_at}"
    assert disk.failed_call, where
    assert run.raised, f"{where}: nobody was told"
    assert len(run.heard.failures) == (journal is not None), where
    for said in (*run.heard.failures, *run.raised):
        assert said.exit_code == 74, where
        assert errno.errorcode[error] in str(said), f"{where}: {said}"
        assert run.path in str(said), f"{where}: {said}"
        assert "open orders are cancelled" in str(said), f"{where}: {said}"
    assert not set(disk.calls_since_failure) & {*SYNCS, "pwrite", "rename", "allocate", "open"}, where
    assert not disk.open_descriptors, where
    assert all(mapping.closed for mapping in disk.mappings), where
    if journal is None:
        return
    assert f"Records up to {journal.durable_seq} are on the disk" in str(run.heard.failures[0])
    assert max(run.heard.acked, default=0) <= journal.acked_seq
    with pytest.raises(JournalError):
        journal.append(14, b"x")
    kept = kept_records(run.path)
    assert journal.durable_seq <= len(kept), f"{where}: less is there than was said to be on the disk"
    assert run.promised <= len(kept), f"{where}: acknowledged records are missing"


def kept_records(path: str) -> list[int]:
    """The numbers of the whole records, from 1 without a gap; what is torn may follow."""
    found: list[int] = []
    for name in sorted(name for name in os.listdir(path) if name[0] == "0"):
        content = Path(path, name).read_bytes()
        at = 4096
        while length := int.from_bytes(content[at : at + 4], "little"):
            seq = int.from_bytes(content[at + 8 : at + 16], "little")
            assert seq == len(found) + 1
            found.append(seq)
            at += -(-(32 + length) // 8) * 8
    return found


@pytest.mark.parametrize("kind", ["ext4", "btrfs"])
@pytest.mark.parametrize("mode", MODES)
def test_every_call_may_fail(tmp_path: Path, mode: str, kind: str) -> None:
    calls = calls_of_a_sound_run(tmp_path, mode, kind)
    tried: Counter[str] = Counter()
    for number, call in enumerate(calls, 1):
        error = ERRORS[number % len(ERRORS)]
        run = Run(f"{tmp_path}/{number}", mode, FaultyDisk(number, error, kind))
        assert run.disk.failed_call == call, "the script is not the same each time"
        check(run, error)
        tried[call] += 1
    assert sum(tried.values()) >= 100
    for call in ("open", "close", "fstat", "lstat", "statvfs", "pwrite", "fsync", "rename", "fdatasync"):
        assert tried[call] >= 4, call
    for call in ("allocate", "map", "unmap"):
        assert (tried[call] >= 4) == (kind == "ext4"), call


def append_on_and_on(journal: Journal) -> None:
    while True:
        journal.append(14, b"y" * LARGE_PAYLOAD)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("call", ["fdatasync", "fsync", "fstat", "rename", "allocate", "map", "lstat"])
def test_the_thread_says_it_and_ends(tmp_path: Path, mode: str, call: str) -> None:
    """With the real thread: an answer comes, whoever waits is told, and closing does not hang."""
    disk = FaultyDisk(error=errno.EIO)
    heard = Heard()
    with journal_at(f"{tmp_path}/j", mode, heard, disk=disk, is_threaded=True) as journal:
        journal.append(14, b"x")
        journal.wait_durable(1, DEADLINE_S)
        heard.news.clear()

        def fail(called: str) -> None:
            if called == call and not disk.failed_call:
                disk.fails_at = len(disk.calls) + 1

        disk.before = fail
        with pytest.raises(JournalError):
            append_on_and_on(journal)
        with pytest.raises(JournalError):
            journal.wait_durable(journal.last_seq, DEADLINE_S)
        acked = journal.acked_seq
        journal.close()
        assert journal.acked_seq == acked
        assert len(heard.failures) == 1
    assert heard.threads == {"journal-sync"}
    assert not any(thread.name == "journal-sync" for thread in threading.enumerate())
    assert not set(disk.calls_since_failure) & set(SYNCS)


def test_after_a_failed_sync_a_disk_that_has_healed_is_not_believed(tmp_path: Path) -> None:
    disk = FaultyDisk(error=errno.EIO)
    heard = Heard()
    with journal_at(f"{tmp_path}/j", "group", heard, disk=disk) as journal:
        journal.append(14, b"x")
        journal.step()
        journal.append(14, b"y")
        disk.fails_at = len(disk.calls) + 1
        journal.step()
        assert disk.failed_call == "fdatasync"
        for _ in range(5):
            journal.step()
        with pytest.raises(JournalError):
            journal.finish()
        assert disk.counts["fdatasync"] == 1
        assert (journal.acked_seq, journal.durable_seq, heard.acked) == (1, 1, [1])
        assert "Records up to 1 are on the disk, the 1 after them" in str(journal.failed)


@pytest.mark.parametrize("mode", MODES)
def test_a_deleted_segment_is_noticed_at_the_next_sync(tmp_path: Path, mode: str) -> None:
    heard = Heard()
    with journal_at(f"{tmp_path}/j", mode, heard, is_threaded=True) as journal:
        journal.append(14, b"x")
        journal.wait_durable(1, DEADLINE_S)
        os.unlink(f"{tmp_path}/j/{1:020}.pjl")
        journal.append(14, b"y")
        with pytest.raises(JournalError, match="was deleted by somebody else"):
            journal.wait_durable(2, DEADLINE_S)
        assert journal.durable_seq == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [SMALL + 4096, SMALL + 1])
def test_a_changed_size_is_noticed_at_the_next_sync(tmp_path: Path, mode: str, size: int) -> None:
    with journal_at(f"{tmp_path}/j", mode, is_threaded=True) as journal:
        journal.append(14, b"x")
        journal.wait_durable(1, DEADLINE_S)
        os.truncate(f"{tmp_path}/j/{1:020}.pjl", size)
        journal.append(14, b"y")
        with pytest.raises(JournalError, match=f"{size} bytes where {SMALL} are allocated"):
            journal.wait_durable(2, DEADLINE_S)


def test_a_shortened_file_is_noticed_too(tmp_path: Path) -> None:
    """Nothing is stored behind its new end here: that would be a SIGBUS, which no program survives."""
    with journal_at(f"{tmp_path}/j", "group") as journal:
        journal.append(14, b"x")
        journal.step()
        os.truncate(f"{tmp_path}/j/{1:020}.pjl", SMALL - 4096)
        journal.append(14, b"y")
        journal.step()
        assert f"{SMALL - 4096} bytes where {SMALL} are allocated" in str(journal.failed)


@pytest.mark.parametrize("batch", [[], [(14, b"")], [(1 << 16, b"x")], [(14, b"x"), (-1, b"y")]])
def test_what_cannot_be_recorded_ends_recording(tmp_path: Path, batch: list[tuple[int, bytes]]) -> None:
    """A batch that is half there must not be followed by anything: no append is dropped in silence."""
    path = f"{tmp_path}/j"
    heard = Heard()
    with journal_at(path, "interval", heard) as journal:
        journal.append(14, b"x")
        journal.step()
        with pytest.raises(JournalError) as caught:
            journal.append_batch(batch)
        assert caught.value.exit_code == 74
        with pytest.raises(JournalError):
            journal.append(14, b"fine")
        assert (journal.last_seq, journal.acked_seq) == (1, 1)
        journal.step()
    assert len(heard.failures) == 1


def test_a_listener_that_fails_ends_recording(tmp_path: Path) -> None:
    class Deaf(Heard):
        def on_acked(self, seq: int) -> None:
            raise RuntimeError("the loop is closed")

    heard = Deaf()
    with journal_at(f"{tmp_path}/j", "group", heard) as journal:
        journal.append(14, b"x")
        journal.step()
        assert "the loop is closed" in str(heard.failures[0])


def test_waiting_ends_when_the_disk_does_not_answer(tmp_path: Path) -> None:
    with journal_at(f"{tmp_path}/j", "none") as journal:
        journal.append(14, b"x")
        with pytest.raises(JournalError, match=r"did not take record 1 .* within 0\.01 s") as caught:
            journal.wait_durable(1, 0.01)
        assert caught.value.exit_code == 74
        assert journal.failed is None, "slow is not broken"
        journal.step()
        journal.wait_durable(1, 0.0)
