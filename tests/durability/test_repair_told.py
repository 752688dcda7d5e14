"""What a repair gave up is told in the journal, all of it and once."""

from __future__ import annotations

from random import Random

import pytest
from durability.crash_disk import CrashDisk
from durability.journal_kit import SMALL
from durability.recovery_kit import (
    FOLDER,
    Files,
    History,
    files_of,
    found_in,
    journal_on,
    recovered,
    recovered_on,
    written_journal,
)

from engine.persistence.directory import JournalDirectory
from engine.persistence.records import LogCut
from engine.persistence.recovery import recover
from engine.persistence.repair import carry_out, plan

PAGE = 4096


def journal() -> History:
    history = written_journal(Random(1), 900)
    assert len(history.segments) >= 3
    return history


def repaired(files: Files, cut_at: int) -> CrashDisk:
    disk = CrashDisk.holding(FOLDER, files)
    directory = JournalDirectory.open(FOLDER, disk)
    carry_out(directory, plan(FOLDER, cut_at, disk))
    directory.close()
    return disk


def dropped_from(history: History, seq: int) -> tuple[int, int]:
    """Bytes and records at or behind record `seq`, as they stand in the files."""
    size = records = 0
    for segment in history.segments:
        gone = [record for record in segment.records if record.seq >= seq]
        if gone:
            size += len(history.files[segment.name][gone[0].offset :].rstrip(b"\0"))
            records += len(gone)
    return size, records


def told(disk: CrashDisk) -> LogCut:
    cut = recovered_on(disk).continuation.cut
    assert cut is not None
    return cut


@pytest.mark.parametrize("seq", [5, 300, 700, 1_500])
def test_a_cut_within_a_file_counts_all_that_was_behind_it(seq: int) -> None:
    history = journal()
    first = history.batch_before(seq) + 1 if seq not in {end + 1 for end in history.ends} else seq
    disk = repaired(history.files, seq)
    cut = told(disk)
    assert (cut.bytes_dropped, cut.records_dropped) == dropped_from(history, first)
    assert disk.files(FOLDER)[cut.kept_as] in history.files.values()


@pytest.mark.parametrize("index", [1, -1])
def test_a_cut_between_two_files_is_told_as_well(index: int) -> None:
    history = journal()
    first = history.segments[index].first_seq
    disk = repaired(history.files, first)
    cut = told(disk)
    assert (cut.bytes_dropped, cut.records_dropped) == dropped_from(history, first)
    assert cut.kept_as == f"{history.segments[index].name}.broken"


def test_of_a_file_whose_header_is_gone_the_bytes_are_told() -> None:
    history = journal()
    middle = history.segments[1]
    image = b"\xff" * PAGE + history.files[middle.name][PAGE:]
    disk = repaired(history.files | {middle.name: image}, middle.first_seq)
    cut = told(disk)
    size, records = dropped_from(history, middle.first_seq)
    assert (cut.bytes_dropped, cut.records_dropped) == (size, records - len(middle.records))


def test_it_is_told_once_and_a_later_repair_tells_of_its_own_alone() -> None:
    history = journal()
    second = history.segments[1].first_seq
    disk = repaired(history.files, second)
    directory = JournalDirectory.open(FOLDER, disk)
    start = recover(directory).continuation
    assert start.cut is not None
    going_on = journal_on(directory, start, "group")
    numbers = [going_on.append(14, b"%d" % number * 20) for number in range(SMALL // 100)]
    while going_on.acked_seq < going_on.last_seq:
        going_on.step()
    going_on.close()
    directory.close()
    files = files_of(disk)
    again = recovered(files)
    assert again.continuation.cut is None
    assert [record.kind for record in found_in(again)].count(13) == 1
    assert [record.seq for record in found_in(again)][-len(numbers) :] == numbers

    disk = repaired(files, numbers[10])
    cut = told(disk)
    assert cut.records_dropped == len(numbers) - 10
    disk = repaired(files_of(disk), second)  # the name of what was put aside first is taken
    cut = told(disk)
    assert cut.kept_as == f"{history.segments[1].name}-2.broken"
    assert cut.records_dropped == 12  # the first cut's record, ten of ours, and the end mark
    kept = files_of(disk)
    assert kept[f"{history.segments[1].name}.broken"] == history.files[history.segments[1].name]
