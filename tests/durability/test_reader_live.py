"""Reading beside the engine that writes, what `verify` says, and giving up what is damaged."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from durability import journal_writer
from durability.crash_disk import CrashDisk, PowerCut
from durability.journal_writer import batch_of
from durability.recovery_kit import (
    FOLDER,
    Files,
    History,
    files_of,
    found_in,
    recovered,
    recovered_on,
    stop_at,
    written_journal,
)

from engine.core.errors import UsageError
from engine.persistence import repair
from engine.persistence.directory import JournalDirectory
from engine.persistence.errors import DamageError
from engine.persistence.reader import CLEAN, CORRUPT, TORN, JournalReader, VerifyReport

DIFFERENT = 25
"""Lengths of the journal that were seen."""
MOST_LOOKS = 20_000


@pytest.mark.parametrize(
    "mode", [*(pytest.param(mode, marks=pytest.mark.nightly) for mode in ("none", "interval")), "group"]
)
def test_a_reader_beside_a_writing_process_finds_a_prefix_and_never_damage(tmp_path: Path, mode: str) -> None:
    path = f"{tmp_path}/j"
    JournalDirectory.create(path, created_ns=0).close()
    reader = JournalReader(path)
    lengths = [0]
    with subprocess.Popen(
        [sys.executable, journal_writer.__file__, path, mode, "20"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        bufsize=0,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as process:
        assert process.stdin is not None
        try:
            for _ in range(MOST_LOOKS):
                process.stdin.write(b"+")  # it goes on while we read
                payloads = [record.payload for record in reader.records() if record.kind == 14]
                batches = int(payloads[-1].split()[0]) if payloads else 0
                wanted = [payload for number in range(1, batches + 1) for _, payload in batch_of(number)]
                assert payloads == wanted
                assert len(payloads) >= lengths[-1]
                lengths.append(len(payloads))
                assert reader.verify(is_deep=True).status != CORRUPT
                assert reader.last_seq() >= len(payloads)
                if len(set(lengths)) >= DIFFERENT:
                    break
        finally:
            process.kill()
    assert len(set(lengths)) >= DIFFERENT
    assert len(reader.segments()) >= 2


def verified(files: Files, *, is_deep: bool = False) -> VerifyReport:
    disk = CrashDisk.holding(FOLDER, files)
    report = JournalReader(FOLDER, disk).verify(is_deep=is_deep)
    assert disk.files(FOLDER) == files, "reading changes nothing"
    return report


def journal(seed: int = 1) -> History:
    """Three files or more."""
    history = written_journal(Random(seed), 900)
    assert len(history.segments) >= 3
    return history


def flipped(history: History, index: int, at: int) -> Files:
    """The same with one bit flipped at an offset of a file."""
    name = history.segments[index].name
    image = bytearray(history.files[name])
    image[at] ^= 1
    return history.files | {name: bytes(image)}


def test_verify_counts_what_is_there() -> None:
    history = journal()
    report = verified(history.files, is_deep=True)
    assert (report.status, report.problems) == (CLEAN, [])
    assert report.segments == len(history.segments)
    assert report.records == sum(len(segment.records) for segment in history.segments)
    assert (report.first_seq, report.last_seq) == (1, history.last_seq)
    assert report.bytes == sum(segment.size for segment in history.segments)


def test_verify_tells_a_torn_end_from_damage() -> None:
    history = written_journal(Random(3), 20, "interval", sync_share=0.0)
    last = history.segments[-1].records[-1]
    torn = verified(flipped(history, -1, last.end - 1))
    assert (torn.status, torn.last_seq) == (TORN, history.batch_before(last.seq))
    assert torn.torn_bytes > 0
    [problem] = torn.problems
    assert problem.offset is not None
    assert problem.offset <= last.offset

    history = journal()
    middle = history.segments[1].records[3]
    damaged = verified(flipped(history, 1, middle.end - 1))
    assert damaged.status == CORRUPT
    assert any(history.segments[1].name in problem.file for problem in damaged.problems)
    header = verified(flipped(history, 1, 50))
    assert header.status == CORRUPT


def test_padding_is_looked_at_when_asked_for_and_changes_no_record() -> None:
    history = journal()
    record = next(record for record in history.segments[0].records if record.end % 8)
    files = flipped(history, 0, record.end)
    assert verified(files).status == CLEAN
    deep = verified(files, is_deep=True)
    assert deep.status == CORRUPT
    assert [problem.offset for problem in deep.problems] == [record.end]
    assert found_in(recovered(files)) == history.written


def test_a_reader_tells_all_before_the_damage_then_of_the_damage() -> None:
    history = journal()
    middle = history.segments[1].records[30]
    files = flipped(history, 1, middle.end - 1)
    reader = JournalReader(FOLDER, CrashDisk.holding(FOLDER, files))
    whole = history.batch_before(middle.seq)
    records = reader.records()
    assert [next(records).seq for _ in range(whole)] == list(range(1, whole + 1))
    with pytest.raises(DamageError, match=f"record {whole + 1} cannot be read"):
        next(records)
    assert [record.seq for record in reader.records(5, whole - 1)] == list(range(5, whole))


# -- repair ------------------------------------------------------------------------------------------


def damaged_journal() -> tuple[History, Files, int]:
    """Damage in a file that is not the last, and the record to cut at."""
    history = journal()
    record = history.segments[1].records[30]
    files = flipped(history, 1, record.end - 1)
    with pytest.raises(DamageError) as raised:
        recovered(files)
    cut_at = history.batch_before(record.seq) + 1
    assert f"repair --truncate-at {cut_at}" in str(raised.value)
    return history, files, cut_at


def repaired(disk: CrashDisk, cut_at: int) -> None:
    directory = JournalDirectory.open(FOLDER, disk)
    repair.carry_out(directory, repair.plan(FOLDER, cut_at, disk))
    directory.close()


def test_a_plan_changes_nothing_and_what_is_carried_out_is_what_it_said() -> None:
    history, files, cut_at = damaged_journal()
    disk = CrashDisk.holding(FOLDER, files)
    decided = repair.plan(FOLDER, cut_at, disk)
    assert disk.files(FOLDER) == files
    assert decided.truncate_at == cut_at
    assert decided.segments_dropped == tuple(segment.name for segment in history.segments[2:])
    repaired(disk, cut_at)
    left = files_of(disk)
    for name in decided.segments_dropped:
        assert left[f"{name}.broken"] == files[name]
        assert name not in left
    assert decided.segment is not None
    cut = decided.segment.name
    assert [image for name, image in left.items() if name.startswith(f"{cut}.")] == [files[cut]]
    assert verified(left).status == CLEAN
    result = recovered(left)
    assert found_in(result) == history.upto(cut_at - 1)
    assert result.continuation.cut is not None
    assert result.records_dropped > 0


def test_a_cut_between_two_files_drops_the_later_one_alone() -> None:
    history = journal()
    first = history.segments[-1].first_seq
    disk = CrashDisk.holding(FOLDER, history.files)
    repaired(disk, first)
    left = files_of(disk)
    assert left[f"{history.segments[-1].name}.broken"] == history.files[history.segments[-1].name]
    assert found_in(recovered(left)) == history.upto(first - 1)


def test_a_repair_that_is_cut_off_anywhere_is_finished_by_the_next_one() -> None:
    history, files, cut_at = damaged_journal()
    rng, states, is_done = Random(1), 0, False
    for number in itertools.count(1):
        disk = CrashDisk.holding(FOLDER, files)
        stop_at(disk, number, PowerCut)
        try:
            repaired(disk, cut_at)
            is_done = True
        except PowerCut:
            pass
        for left in (disk.after_kill(), disk.after_cut(rng), disk.after_cut(rng)):
            repaired(left, cut_at)
            result = recovered_on(left)
            assert found_in(result) == history.upto(cut_at - 1), number
            kept = files_of(left)
            assert {image for name, image in kept.items() if name.endswith(".broken")} >= {
                files[segment.name] for segment in history.segments[2:]
            }
            states += 1
        if is_done:
            break
    assert states >= 100


@pytest.mark.parametrize("beyond", [2, 1_000])
def test_a_record_that_cannot_be_cut_at_is_refused(beyond: int) -> None:
    history, files, _ = damaged_journal()
    disk = CrashDisk.holding(FOLDER, files)
    with pytest.raises(UsageError, match="nothing of it would be left"):
        repair.plan(FOLDER, 1, disk)
    whole = CrashDisk.holding(FOLDER, history.files)
    with pytest.raises(UsageError, match="records are sound up to"):
        repair.plan(FOLDER, history.last_seq + beyond, whole)
    assert disk.files(FOLDER) == files
