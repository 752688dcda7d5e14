"""How a journal may end, and what recovery and `verify` say of it: the same."""

from __future__ import annotations

import errno
import itertools
import tracemalloc
from collections import Counter
from random import Random

import pytest
from durability.crash_disk import CrashDisk, PowerCut
from durability.journal_kit import SMALL, WALL_NS
from durability.naive_journal import SEAL, WRITTEN_WHOLE, segment_of
from durability.recovery_kit import (
    FOLDER,
    Files,
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
from engine.persistence.errors import DamageError, JournalError
from engine.persistence.journal import Journal
from engine.persistence.reader import CLEAN, CORRUPT, TORN, JournalReader
from engine.persistence.recovery import recover
from engine.persistence.repair import carry_out, plan

BATCHES = 40


def begun(batches: int = BATCHES) -> tuple[CrashDisk, JournalDirectory, Journal]:
    disk = CrashDisk()
    directory = JournalDirectory.create(FOLDER, disk, created_ns=WALL_NS)
    journal = journal_on(directory, Continuation(), "group")
    for number in range(batches):
        journal.append(14, b"%d;" % number * 9)
    return disk, directory, journal


def finished(batches: int = BATCHES) -> tuple[Files, str]:
    """A journal of one file that ended as it should, and that file."""
    disk, directory, journal = begun(batches)
    journal.finish()
    directory.close()
    files = files_of(disk)
    [name] = [name for name in files if name.endswith(".pjl")]
    assert segment_of(name, files[name]).flags & WRITTEN_WHOLE
    return files, name


def status_of(files: Files) -> str:
    return JournalReader(FOLDER, CrashDisk.holding(FOLDER, files)).verify(is_deep=True).status


def numbers(files: Files) -> list[int]:
    return [record.seq for record in found_in(recovered(files))]


# -- a file that was written whole -----------------------------------------------------------------


def test_an_end_that_is_cut_off_at_any_call_is_no_damage_and_loses_nothing_that_was_synced() -> None:
    counts, rng = Counter[str](), Random(1)
    for number in itertools.count(1):
        disk, directory, journal = begun()
        while journal.durable_seq < journal.last_seq:
            journal.step()
        stop_at(disk, number, PowerCut)
        try:
            journal.finish()
        except PowerCut:
            pass
        else:
            counts["ended"] += 1
        disk.watch = lambda call, path: None
        for left in (disk.after_kill(), *(disk.after_cut(rng) for _ in range(6))):
            result = recovered_on(left)
            assert [record.seq for record in found_in(result)] == list(range(1, BATCHES + 1))
            [name] = [name for name in files_of(left) if name.endswith(".pjl")]
            counts["whole" if segment_of(name, files_of(left)[name]).flags & WRITTEN_WHOLE else "open"] += 1
        if counts["ended"]:
            directory.close()
            break
    assert min(counts["whole"], counts["open"]) >= 10, counts


def test_it_has_its_end_mark_or_is_damaged_wherever_it_stops() -> None:
    """Nothing behind it tells what is missing: that it was written whole does."""
    files, name = finished()
    records = segment_of(name, files[name]).records
    assert records[-1].kind == SEAL
    for record in records:
        short = files[name][: record.offset].ljust(len(files[name]), b"\0")
        with pytest.raises(DamageError, match="it was written whole") as raised:
            recovered(files | {name: short})
        assert (raised.value.seq, raised.value.offset) == (record.seq, record.offset)
        assert status_of(files | {name: short}) == CORRUPT
        with pytest.raises(DamageError):
            list(JournalReader(FOLDER, CrashDisk.holding(FOLDER, files | {name: short})).records())


def test_giving_its_end_up_is_a_repair_and_then_it_goes_on() -> None:
    files, name = finished()
    lost = segment_of(name, files[name]).records[30]
    disk = CrashDisk.holding(
        FOLDER, files | {name: files[name][: lost.offset].ljust(len(files[name]), b"\0")}
    )
    directory = JournalDirectory.open(FOLDER, disk)
    carry_out(directory, plan(FOLDER, lost.seq, disk))
    directory.close()
    assert numbers(files_of(disk)) == list(range(1, lost.seq))
    assert status_of(files_of(disk)) == CLEAN


# -- what is missing of a file, and what is too much ------------------------------------------------


def test_zeros_that_were_cut_off_behind_the_end_mark_are_not_missed_in_any_mode() -> None:
    files, name = finished()
    used = segment_of(name, files[name]).records[-1].end
    assert used < len(files[name]) - 8
    for length in (used, used + 1, len(files[name]) - 1):
        short = files | {name: files[name][:length]}
        result = recovered(short, is_cut_allowed=False)
        assert (len(found_in(result)), result.warnings, result.continuation.cut) == (BATCHES, [], None)
        assert status_of(short) == CLEAN
    cut = files | {name: files[name][: segment_of(name, files[name]).records[-1].offset + 20]}
    assert status_of(cut) == TORN
    with pytest.raises(DamageError, match="somebody cut it off"):
        recovered(cut, is_cut_allowed=False)
    assert numbers(cut) == list(range(1, BATCHES + 1))


@pytest.mark.parametrize("is_whole", [True, False])
def test_something_behind_the_end_mark_is_damage_and_the_repair_it_names_mends_it(is_whole: bool) -> None:
    if is_whole:
        files, name = finished()
    else:  # closed by the recovery of a torn end
        history = written_journal(Random(5), 20, "interval", sync_share=0.0)
        [segment] = history.segments
        torn = bytearray(history.files[segment.name])
        torn[segment.records[-1].end - 1] ^= 1
        disk = CrashDisk.holding(FOLDER, history.files | {segment.name: bytes(torn)})
        recovered_on(disk)
        files, name = files_of(disk), segment.name
    before, last = numbers(files), recovered(files).last_seq
    at = len(files[name]) - 9
    stray = files | {name: files[name][:at] + b"\x10" + files[name][at + 1 :]}
    assert status_of(stray) == CORRUPT
    with pytest.raises(DamageError, match=f"end mark.* repair --truncate-at {last}`"):
        recovered(stray)
    for asked in (last, last + 1):
        disk = CrashDisk.holding(FOLDER, stray)
        directory = JournalDirectory.open(FOLDER, disk)
        carry_out(directory, plan(FOLDER, asked, disk))
        directory.close()
        left = files_of(disk)
        assert status_of(left) == CLEAN
        assert numbers(left) == before
        assert recovered(left).last_seq == last
        assert stray[name] in [image for kept, image in left.items() if kept.endswith(".broken")]


def test_a_file_never_begun_stays_where_something_before_it_is_damaged() -> None:
    history = written_journal(Random(1), 900)
    first = history.segments[0]
    image = bytearray(history.files[first.name])
    image[first.records[3].end - 1] ^= 1
    files = history.files | {first.name: bytes(image), f"{history.last_seq + 1:020}.pjl": bytes(SMALL)}
    disk = CrashDisk.holding(FOLDER, files)
    with pytest.raises(DamageError, match="Nothing was changed"):
        recovered_on(disk)
    assert {**disk.files(FOLDER), "LOCK": b""} == {**files, "LOCK": b""}


@pytest.mark.parametrize("index", [0, 1, -1])
def test_a_header_that_cannot_be_read_is_told_with_its_place_and_what_to_do(index: int) -> None:
    history = written_journal(Random(1), 900)
    segment = history.segments[index]
    image = bytearray(history.files[segment.name])
    image[40] ^= 1
    files = history.files | {segment.name: bytes(image)}
    with pytest.raises(DamageError, match=f"journal verify.*--truncate-at {segment.first_seq}`") as raised:
        recovered(files)
    error = raised.value
    assert (error.file, error.offset, error.seq) == (f"{FOLDER}/{segment.name}", 0, segment.first_seq)
    assert "Nothing was changed" in str(error)
    assert "no order was sent" in str(error).lower()


# -- long journals -----------------------------------------------------------------------------------


def test_a_long_journal_is_not_held_in_memory() -> None:
    history = written_journal(Random(2), 4_000)
    assert len(history.segments) >= 10
    disk = CrashDisk.holding(FOLDER, history.files)
    directory = JournalDirectory.open(FOLDER, disk)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        result = recover(directory)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 3 * SMALL
    assert found_in(result) == found_in(result) == history.written
    directory.close()


def test_what_cannot_be_read_a_second_time_is_told() -> None:
    history = written_journal(Random(2), 900)
    disk = CrashDisk.holding(FOLDER, history.files)
    directory = JournalDirectory.open(FOLDER, disk)
    result = recover(directory)
    stop_at(disk, 1, lambda: OSError(errno.EIO, "Input/output error"))
    with pytest.raises(JournalError, match="Input/output error"):
        list(result.records())
    segment = history.segments[1]
    disk.watch = lambda call, path: None
    descriptor = disk.open(f"{FOLDER}/{segment.name}", 2)
    disk.pwrite(descriptor, b"\xff", segment.records[7].offset + 33)
    disk.close(descriptor)
    records = result.records()
    assert [next(records).seq for _ in range(segment.first_seq - 1)][-1] == segment.first_seq - 1
    with pytest.raises(DamageError, match="it could be read a moment ago"):
        next(records)
    directory.close()
