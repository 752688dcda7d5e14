"""The reader beside a writer, what `verify` says, and giving up a damaged end on purpose."""

from __future__ import annotations

import threading
from itertools import pairwise
from pathlib import Path

import pytest

from engine.core.errors import UsageError
from engine.persistence.archive import retire
from engine.persistence.continuation import Continuation
from engine.persistence.directory import JournalDirectory
from engine.persistence.disk import DISK
from engine.persistence.errors import DamageError
from engine.persistence.format import RecordType
from engine.persistence.journal import Journal
from engine.persistence.reader import CLEAN, CORRUPT, TORN, JournalReader
from engine.persistence.records import LogCut, decode
from engine.persistence.recovery import RecoveredJournal, recover
from engine.persistence.repair import carry_out, plan
from engine.persistence.settings import Durability, MarketDataClass
from engine.persistence.snapshots import write

SEGMENT = 64 << 10
KIND = int(RecordType.TIMER_EVENT)


def opened(path: Path, start: Continuation | None = None) -> tuple[JournalDirectory, Journal]:
    """A journal to be written to, its thread running."""
    if start is None:
        directory = JournalDirectory.create(str(path), created_ns=1)
        start = Continuation()
    else:
        directory = JournalDirectory.open(str(path))
    journal = Journal(
        directory,
        start,
        durability=Durability.INTERVAL,
        segment_bytes=SEGMENT,
        on_acked=lambda seq: None,
        on_failed=lambda error: None,
    )
    journal.start()
    return directory, journal


def written(path: Path, batches: int, *, is_finished: bool = False) -> int:
    """A journal of batches of three; its last record."""
    directory, journal = opened(path)
    for number in range(batches):
        journal.append_batch([(KIND, number.to_bytes(4, "little") * 20)] * 3)
    journal.wait_durable(journal.last_seq, 30)
    last = journal.last_seq
    if is_finished:
        journal.finish()
        last += 1
    else:
        journal.close()
    directory.close()
    return last


def recovered(path: Path) -> RecoveredJournal:
    directory = JournalDirectory.open(str(path))
    try:
        return recover(directory)
    finally:
        directory.close()


def flip(file: Path, offset: int) -> None:
    data = bytearray(file.read_bytes())
    data[offset] ^= 0x20
    file.write_bytes(data)


# -- verify ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_finished", [True, False])
def test_a_sound_journal_is_clean(tmp_path: Path, is_finished: bool) -> None:
    last = written(tmp_path / "j", 1_000, is_finished=is_finished)
    report = JournalReader(str(tmp_path / "j")).verify(is_deep=True)
    assert (report.status, report.first_seq, report.last_seq) == (CLEAN, 1, last)
    assert report.records == last
    assert report.segments > 2
    assert report.problems == []


def test_a_torn_end_is_told_and_is_no_damage(tmp_path: Path) -> None:
    last = written(tmp_path / "j", 10)
    [file] = (tmp_path / "j").glob("*.pjl")
    data = bytearray(file.read_bytes())
    end = len(bytes(data).rstrip(b"\0")) + 7 & ~7
    data[end : end + 40] = b"\x07" * 40
    file.write_bytes(data)
    report = JournalReader(str(tmp_path / "j")).verify()
    assert (report.status, report.last_seq, report.torn_bytes) == (TORN, last, 40)
    assert [record.seq for record in JournalReader(str(tmp_path / "j")).records()] == list(range(1, last + 1))


def test_damage_is_told_with_file_offset_and_what_to_do(tmp_path: Path) -> None:
    written(tmp_path / "j", 1_000)
    file = sorted((tmp_path / "j").glob("*.pjl"))[1]
    flip(file, 4_096 + 500)
    report = JournalReader(str(tmp_path / "j")).verify()
    assert report.status == CORRUPT
    assert file.name in report.problems[0].text
    assert "at offset " in report.problems[0].text
    with pytest.raises(DamageError, match="at offset"):
        list(JournalReader(str(tmp_path / "j")).records())


def test_a_flip_between_two_records_changes_none_and_is_found_by_a_deep_look(tmp_path: Path) -> None:
    directory, journal = opened(tmp_path / "j")
    for number in range(10):
        journal.append(KIND, bytes([number + 1]) * 5)
    journal.wait_durable(journal.last_seq, 30)
    journal.close()
    directory.close()
    [file] = (tmp_path / "j").glob("*.pjl")
    before = list(JournalReader(str(tmp_path / "j")).records())
    flip(file, 4_096 + 32 + 5)
    reader = JournalReader(str(tmp_path / "j"))
    assert list(reader.records()) == before
    assert reader.verify().status == CLEAN
    deep = reader.verify(is_deep=True)
    assert (deep.status, deep.problems[0].offset) == (CORRUPT, 4_096 + 32 + 5)


def test_a_state_beyond_the_end_says_that_records_are_missing(tmp_path: Path) -> None:
    last = written(tmp_path / "j", 10)
    directory = JournalDirectory.open(str(tmp_path / "j"))
    write(directory, seq=last + 5, ts_ns=1, body=b"state", record_crc=1, crc_kind=2)
    directory.close()
    report = JournalReader(str(tmp_path / "j")).verify()
    assert report.status == CORRUPT
    assert "are missing" in report.problems[0].text
    with pytest.raises(DamageError):
        recovered(tmp_path / "j")


# -- beside a writer -------------------------------------------------------------------------------


def test_beside_a_writer_it_never_finds_damage_and_always_a_beginning(tmp_path: Path) -> None:
    directory, journal = opened(tmp_path / "j")
    is_over = threading.Event()
    ahead = threading.Semaphore(200)
    """Batches by which the writer may be ahead: each look has the next ones written beside it."""

    def write_on() -> None:
        number = 0
        while ahead.acquire() and not is_over.is_set():
            number += 1
            journal.append_batch([(KIND, number.to_bytes(4, "little") * (number % 30 + 1))] * 4)
            if not number % 500:
                write(
                    directory,
                    seq=journal.last_seq,
                    ts_ns=1,
                    body=b"s",
                    record_crc=journal.last_crc,
                    crc_kind=2,
                )
                journal.wait_durable(journal.last_seq, 30)
                retire(directory, 2, MarketDataClass.FULL)

    thread = threading.Thread(target=write_on)
    thread.start()
    looks = longest = 0
    try:
        while looks < 60 or longest < 20_000:
            reader = JournalReader(str(tmp_path / "j"))
            seqs = [record.seq for record in reader.records()]
            assert all(after == before + 1 for before, after in pairwise(seqs))
            assert not seqs or seqs[0] == 1
            assert len(seqs) >= longest
            longest = len(seqs)
            looks += 1
            ahead.release(100)
    finally:
        is_over.set()
        ahead.release()
        thread.join()
        journal.close()
        directory.close()
    assert JournalReader(str(tmp_path / "j")).verify(is_deep=True).status == CLEAN
    assert list((tmp_path / "j" / "archive").glob("*.pjl"))


# -- repair ----------------------------------------------------------------------------------------


def test_a_plan_changes_nothing(tmp_path: Path) -> None:
    written(tmp_path / "j", 500)
    before = {file.name: file.read_bytes() for file in (tmp_path / "j").glob("*.pjl")}
    decided = plan(str(tmp_path / "j"), 100, DISK)
    assert decided.truncate_at == 100
    assert decided.segments_dropped
    assert {file.name: file.read_bytes() for file in (tmp_path / "j").glob("*.pjl")} == before


@pytest.mark.parametrize("at", [2, 3, 4, 100, 1_000, 1_499])
def test_a_repair_keeps_what_was_before_and_a_copy_of_all(tmp_path: Path, at: int) -> None:
    last = written(tmp_path / "j", 500)
    path = tmp_path / "j"
    before = list(JournalReader(str(path)).records())
    files = {file.name: file.read_bytes() for file in path.glob("*.pjl")}
    directory = JournalDirectory.open(str(path))
    write(directory, seq=last, ts_ns=1, body=b"state", record_crc=before[-1].seq, crc_kind=2)
    try:
        decided = plan(str(path), at, DISK)
        carry_out(directory, decided)
    except UsageError:
        assert at < 4  # the first batch would be cut: nothing would be left
        return
    finally:
        directory.close()
    assert decided.truncate_at <= at < decided.truncate_at + 4
    log = recovered(path)
    left = [record for record in log.records() if record.kind != RecordType.SEAL]
    wanted = [r for r in before if r.seq < decided.truncate_at and r.kind != RecordType.SEAL]
    assert [(r.seq, r.payload) for r in left] == [(r.seq, r.payload) for r in wanted]
    kept = {file.read_bytes() for file in path.glob("*.broken")}
    cut = decided.segment
    dropped = {*decided.segments_dropped, *(() if cut is None else (cut.name,))}
    assert {files[name] for name in dropped} <= kept
    assert list(path.glob("snap-*.psn")) == []
    directory, journal = opened(path, log.continuation)
    journal.append(KIND, b"on it goes")
    journal.wait_durable(journal.last_seq, 30)
    journal.close()
    directory.close()
    after = [record for record in recovered(path).records() if record.kind != RecordType.SEAL]
    assert after[-1].payload == b"on it goes"
    if cut is not None:
        assert isinstance(decode(after[-2].payload, after[-2].seq), LogCut)


def test_what_cannot_be_reached_cannot_be_cut(tmp_path: Path) -> None:
    last = written(tmp_path / "j", 10)
    with pytest.raises(UsageError, match=f"sound up to {last}"):
        plan(str(tmp_path / "j"), last + 2, DISK)


def test_a_state_that_cannot_be_read_counts_for_none_when_the_old_are_let_go(tmp_path: Path) -> None:
    path = tmp_path / "j"
    written(path, 1_500)
    seqs = [record.seq for record in JournalReader(str(path)).records() if record.flags & 1]
    directory = JournalDirectory.open(str(path))
    recover(directory)
    names = [
        write(directory, seq=seqs[-place], ts_ns=1, body=b"state", record_crc=1, crc_kind=2)
        for place in (400, 300, 200, 100)
    ]
    for name in names[1:3]:
        flip(path / name, 80)
    moved = retire(directory, 2, MarketDataClass.FULL)
    assert moved
    assert (path / names[0]).exists(), "of the two that are kept one is this"
    assert all(int(after[:20]) - 1 <= seqs[-400] for after in sorted(moved)[1:])
    flip(path / names[3], 80)
    assert retire(directory, 2, MarketDataClass.FULL) == []
    directory.close()
