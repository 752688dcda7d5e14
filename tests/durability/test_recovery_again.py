"""P4: recovery comes to the same, run twice, or cut off anywhere and run again."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from durability.crash_disk import CrashDisk
from durability.journal_kit import SMALL, WALL_NS
from durability.naive_journal import SEAL, read_records, segment_of
from durability.recovery_kit import (
    FOLDER,
    Files,
    History,
    Written,
    files_of,
    found_in,
    journal_on,
    recovered,
    recovered_on,
    stop_at,
    written_journal,
)

from engine.persistence.continuation import Continuation
from engine.persistence.directory import JournalDirectory
from engine.persistence.errors import JournalError
from engine.persistence.journal import Journal
from engine.persistence.records import LogCut, decode
from engine.persistence.recovery import RecoveredJournal, recover
from engine.persistence.settings import Durability

RESTARTS = 100


class Found(NamedTuple):
    """What recovery came to."""

    records: list[Written]
    continuation: Continuation
    bytes_dropped: int
    records_dropped: int
    kept_as: str
    files: Files


def came_to(result: RecoveredJournal, disk: CrashDisk) -> Found:
    files = {name: image for name, image in disk.files(FOLDER).items() if name != "LOCK"}
    return Found(
        found_in(result),
        result.continuation,
        result.bytes_dropped,
        result.records_dropped,
        result.kept_as,
        files,
    )


def torn_journals(count: int) -> list[Files]:
    """Journals whose end is damaged, unfinished or cut off where a crash can do it, and whole ones."""
    journals = []
    for seed in range(count):
        rng = Random(seed)
        is_long = seed % 4 == 3
        history = written_journal(rng, 700 if is_long else 12, "interval", sync_share=0.0)
        last = history.segments[-1]
        image = bytearray(history.files[last.name])
        torn = rng.choice(last.records[-4:])
        match seed % 6:
            case 0:
                image[torn.end - 1] ^= 1
            case 1:
                image[torn.offset : torn.offset + 8] = bytes(8)
            case 2:
                image[torn.offset + 8 : torn.end] = bytes(torn.end - torn.offset - 8)
            case 3:
                del image[torn.end - 3 :]
            case 4:
                image[last.records[-1].end + 64] = 7
            case _:
                pass
        files = history.files | {last.name: bytes(image)}
        if seed % 5 == 4:
            files[f"{history.last_seq + 1:020}.pjl"] = bytes(SMALL)
        journals.append(files)
    return journals


def test_recovery_twice_comes_to_the_same() -> None:
    cut = 0
    for files in torn_journals(36):
        disk = CrashDisk.holding(FOLDER, files)
        first = came_to(recovered_on(disk), disk)
        again = came_to(recovered_on(disk), disk)
        assert again == first
        elsewhere = CrashDisk.holding(FOLDER, files)
        assert came_to(recovered_on(elsewhere), elsewhere) == first
        cut += first.continuation.cut is not None
    assert cut >= 20


class Stopped(BaseException):
    """The process is gone."""


def input_output_error() -> OSError:
    return OSError(errno.EIO, "Input/output error")


def calls_of(files: Files) -> int:
    """How many calls to the disk it takes."""
    disk, count = CrashDisk.holding(FOLDER, files), Counter[str]()
    disk.watch = lambda call, path: count.update([call])
    recovered_on(disk)
    return count.total()


def stopped_at(files: Files, number: int, error: Callable[[], BaseException]) -> CrashDisk:
    """The disk of a process whose call of this number ended it."""
    disk = CrashDisk.holding(FOLDER, files)
    stop_at(disk, number, error)
    with pytest.raises((Stopped, JournalError, OSError)):
        recovered_on(disk)
    return disk


def test_recovery_stopped_at_every_call_and_run_again_comes_to_the_same() -> None:
    """A process that is killed leaves what it wrote; one whose power fails leaves less."""
    counts = Counter[str]()
    for number, files in enumerate(torn_journals(12)):
        whole = CrashDisk.holding(FOLDER, files)
        wanted = came_to(recovered_on(whole), whole)
        for call in range(1, calls_of(files) + 1):
            disk = stopped_at(files, call, Stopped if call % 2 else input_output_error)
            rng = Random(call)
            for left in (disk.after_kill(), disk.after_cut(rng), disk.after_cut(rng)):
                again = came_to(recovered_on(left), left)
                assert again == wanted, (number, call)
                counts["cases"] += 1
                counts["cut"] += again.continuation.cut is not None
    assert counts["cases"] >= 500, counts
    assert counts["cut"] >= 300, counts


# -- what comes after -------------------------------------------------------------------------------


def restarted(path: str, payloads: list[bytes]) -> tuple[list[Written], RecoveredJournal]:
    """A start of the real journal on the real disk that appends this; what it found."""
    directory = JournalDirectory.open(path)
    result = recover(directory)
    found = found_in(result)
    journal = Journal(
        directory,
        result.continuation,
        durability=Durability.GROUP,
        segment_bytes=SMALL,
        wall_ns=lambda: WALL_NS,
        on_acked=lambda seq: None,
        on_failed=lambda error: None,
    )
    for payload in payloads:
        journal.append(14, payload)
    journal.close()
    directory.close()
    assert journal.failed is None
    return found, result


def sizes(path: str) -> dict[str, int]:
    return {file.name: file.stat().st_size for file in Path(path).iterdir()}


def test_a_hundred_empty_restarts_change_nothing_and_what_comes_then_is_journaled(tmp_path: Path) -> None:
    path = f"{tmp_path}/j"
    JournalDirectory.create(path, created_ns=WALL_NS).close()
    assert restarted(path, [b"%d" % n * 50 for n in range(1, 1_001)])[0] == []
    before, records = sizes(path), read_records(path)
    assert len([name for name in before if name.endswith(".pjl")]) >= 2
    for _ in range(RESTARTS):
        restarted(path, [])
    assert sizes(path) == before
    assert read_records(path) == records
    restarted(path, [b"later"])
    found, _ = restarted(path, [])
    assert [each.payload for each in found] == [*(b"%d" % n * 50 for n in range(1, 1_001)), b"later"]
    assert sizes(path) == before


def test_a_journal_that_never_had_a_record_stays_without_a_file(tmp_path: Path) -> None:
    path = f"{tmp_path}/j"
    JournalDirectory.create(path, created_ns=WALL_NS).close()
    before = sizes(path)
    for _ in range(10):
        restarted(path, [])
    assert sizes(path) == before


def torn(history: History) -> Files:
    last = history.segments[-1]
    image = bytearray(history.files[last.name])
    image[last.records[-1].end - 1] ^= 1
    return history.files | {last.name: bytes(image)}


def test_a_cut_journal_goes_on_in_a_new_file_that_begins_by_telling_of_it() -> None:
    history = written_journal(Random(5), 20, "interval", sync_share=0.0)
    disk = CrashDisk.holding(FOLDER, torn(history))
    old = history.segments[-1].name
    directory = JournalDirectory.open(FOLDER, disk)
    result = recover(directory)
    journal = journal_on(directory, result.continuation, "group")
    journal.append(14, b"after")
    journal.step()
    journal.close()
    directory.close()
    files = files_of(disk)
    names = sorted(name for name in files if name.endswith(".pjl"))
    assert names[:-1] == [old]
    closed, opened = (segment_of(name, files[name]) for name in names)
    assert closed.is_sealed
    last = history.batch_before(history.segments[-1].records[-1].seq)
    assert [each.seq for each in closed.records] == list(range(1, last + 2))
    assert (opened.first_seq, opened.previous_crc) == (last + 2, closed.records[-1].crc)
    assert opened.previous_salt == closed.salt
    told = decode(opened.records[0].payload, last + 2)
    assert told == LogCut(result.bytes_dropped, result.records_dropped, result.kept_as)
    assert told.bytes_dropped == history.segments[-1].records[-1].end - _offset_after(history, last)
    assert files[told.kept_as] == torn(history)[old]
    assert opened.records[1].payload == b"after"
    again = recovered(files)
    assert [each.payload for each in found_in(again)][-1] == b"after"
    assert again.continuation.cut is None
    assert again.bytes_dropped == 0


def _offset_after(history: History, seq: int) -> int:
    return next(each.offset for each in history.segments[-1].records if each.seq == seq + 1)


def test_it_is_told_once_however_often_it_was_cut_before_anybody_wrote_on() -> None:
    history = written_journal(Random(6), 20, "interval", sync_share=0.0)
    disk = CrashDisk.holding(FOLDER, torn(history))
    for _ in range(5):
        assert recovered_on(disk).continuation.cut is not None
    directory = JournalDirectory.open(FOLDER, disk)
    journal = journal_on(directory, recover(directory).continuation, "group")
    journal.step()
    journal.close()
    directory.close()
    for _ in range(3):
        assert recovered_on(disk).continuation.cut is None
    images = files_of(disk)
    records = [
        record
        for name in sorted(images)
        if name.endswith(".pjl")
        for record in segment_of(name, images[name]).records
    ]
    assert [record.kind for record in records].count(13) == 1
    assert [record.kind for record in records].count(SEAL) == 1
