"""Following a journal: every record once and in order, whatever happens to its files, and no byte twice."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from durability.journal_kit import SMALL, WALL_NS, directory_at, journal_at
from durability.recovery_kit import journal_on

from engine.persistence.continuation import Continuation
from engine.persistence.disk import Disk
from engine.persistence.errors import DamageError, JournalError
from engine.persistence.follower import Follower
from engine.persistence.format import COMMIT, MORE, RecordType
from engine.persistence.journal import Journal
from engine.persistence.reader import JournalReader
from engine.persistence.recovery import recover
from engine.persistence.scanner import Record

KIND = int(RecordType.TIMER_EVENT)


def told(records: list[Record]) -> list[tuple[int, int, int, bytes]]:
    return [(record.seq, record.kind, record.flags, record.payload) for record in records]


def everything(follower: Follower) -> list[Record]:
    """Look until there is nothing new."""
    found: list[Record] = []
    while new := follower.look():
        found += new
    return found


def settled(journal: Journal) -> None:
    """The last file is in its place."""
    while journal.acked_seq < journal.last_seq:
        journal.step()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with journal_at(f"{tmp_path}/j", "none") as made:
        yield made


def follower_of(journal: Journal, seen: int = 0, disk: Disk | None = None) -> Follower:
    reader = JournalReader(journal.directory.path)
    return Follower(reader, seen) if disk is None else Follower(reader, seen, disk)


@pytest.mark.parametrize("seed", range(20))
def test_every_record_is_told_once_and_in_order_across_files(tmp_path: Path, seed: int) -> None:
    rng = Random(seed)
    rotations = 0
    with journal_at(f"{tmp_path}/j", "none") as journal, follower_of(journal) as follower:
        found: list[Record] = []
        for _ in range(150):
            sizes = [rng.choice((1, 8, 300, 5_000)) for _ in range(rng.choice((1, 1, 3, 6)))]
            journal.append_batch([(KIND, rng.randbytes(size)) for size in sizes])
            if rng.random() < 0.3:
                settled(journal)
            if rng.random() < 0.5:
                found += everything(follower)
                assert [record.seq for record in found] == list(range(1, len(found) + 1))
        settled(journal)
        found += everything(follower)
        expected = list(JournalReader(f"{tmp_path}/j").records())
        assert told(found) == told(expected)
        rotations = sum(record.kind == RecordType.SEAL for record in found)
    assert rotations > 3


def test_it_begins_behind_a_number_in_whatever_file_that_is(journal: Journal) -> None:
    for _ in range(200):
        journal.append(KIND, bytes([7]) * 900)
    settled(journal)
    expected = told(list(JournalReader(journal.directory.path).records()))
    firsts = [each.header.first_seq for each in JournalReader(journal.directory.path).segments()]
    assert len(firsts) > 2
    for seen in (0, 1, firsts[1] - 2, firsts[1] - 1, firsts[1], journal.last_seq - 1, journal.last_seq):
        with follower_of(journal, seen) as follower:
            assert told(everything(follower)) == [each for each in expected if each[0] > seen]


def test_a_batch_is_told_whole_or_not_at_all(journal: Journal) -> None:
    journal.append(KIND, b"first")
    settled(journal)
    segment = JournalReader(journal.directory.path).segments()[0]
    with follower_of(journal) as follower:
        assert [record.payload for record in follower.look()] == [b"first"]
        last = journal.append_batch([(KIND, b"a"), (KIND, b"b")])
        with open(segment.path, "r+b") as file:  # as if the commit of the batch were not stored yet
            image = file.read()
            at = image.rindex(b"b" + bytes(7)) - 32
            word = image[at : at + 8]
            os.pwrite(file.fileno(), bytes(8), at)
            assert follower.look() == []
            os.pwrite(file.fileno(), word, at)
        assert [record.seq for record in follower.look()] == [last - 1, last]


def test_a_batch_larger_than_what_is_read_at_once(journal: Journal) -> None:
    with follower_of(journal) as follower:
        payload = Random(1).randbytes(3_000_000)
        last = journal.append_batch([(KIND, b"x"), (KIND, payload)])
        journal.append(KIND, b"y")
        settled(journal)
        found = [record for record in everything(follower) if record.kind == KIND]
        assert b"".join(record.payload for record in found if 1 < record.seq <= last) == payload
        assert sum(bool(record.flags & MORE) for record in found) > 100
        assert found[-1].payload == b"y"


def test_files_that_move_to_the_archive_are_found_there(journal: Journal) -> None:
    path = journal.directory.path
    with follower_of(journal) as early, follower_of(journal) as late:
        journal.append(KIND, b"first")
        settled(journal)
        found = everything(early)
        for _ in range(200):
            journal.append(KIND, bytes([7]) * 900)
        settled(journal)
        os.mkdir(f"{path}/archive", 0o700)
        for segment in JournalReader(path).segments()[:-1]:
            os.rename(segment.path, f"{path}/archive/{segment.name}")
        expected = told(list(JournalReader(path).records()))
        assert told(found + everything(early)) == expected
        assert told(everything(late)) == expected


def test_the_end_of_a_session_is_told_though_its_file_is_written_anew(tmp_path: Path) -> None:
    with journal_at(f"{tmp_path}/j", "none") as journal, follower_of(journal) as follower:
        journal.append(KIND, b"first")
        settled(journal)
        assert [record.payload for record in follower.look()] == [b"first"]
        journal.append(KIND, b"last")
        journal.finish()
        found = everything(follower)
        assert [record.kind for record in found] == [KIND, RecordType.SEAL]
        assert found[0].payload == b"last"
        assert follower.look() == []


def test_it_goes_on_behind_a_crash_and_the_recovery_from_it(tmp_path: Path) -> None:
    path = f"{tmp_path}/j"
    with directory_at(path) as directory:
        journal = journal_on(directory, Continuation(), "none")
        journal.append(KIND, b"first")
        settled(journal)
        segment = JournalReader(path).segments()[0]
        with Follower(JournalReader(path), 0) as follower:
            assert len(everything(follower)) == 1
            journal.append_batch([(KIND, b"a"), (KIND, b"b")])
            journal.close()
            with open(segment.path, "r+b") as file:
                at = file.read().rindex(b"b" + bytes(7))
                os.pwrite(file.fileno(), b"?", at)  # half of the batch is there
            assert everything(follower) == []
            continuation = recover(directory).continuation
            again = journal_on(directory, continuation, "none")
            again.append(KIND, b"after")
            settled(again)
            found = everything(follower)
            assert [record.kind for record in found] == [RecordType.SEAL, RecordType.RECOVERED, KIND]
            assert found[-1].payload == b"after"
            again.close()


def test_damage_in_a_file_that_another_follows_is_told_and_is_no_wait_for_ever(journal: Journal) -> None:
    for _ in range(200):
        journal.append(KIND, bytes([7]) * 900)
    settled(journal)
    reader = JournalReader(journal.directory.path)
    segment = reader.segments()[1]
    at = next(iter(reader.records(segment.header.first_seq + 3))).offset
    with open(segment.path, "r+b") as file:
        os.pwrite(file.fileno(), b"?", at + 40)
    with follower_of(journal) as follower:
        before: list[Record] = []
        with pytest.raises(DamageError, match=rf"{segment.name} is damaged at offset {at}"):
            before.extend(itertools.chain.from_iterable(iter(follower.look, None)))
        assert before[-1].seq == segment.header.first_seq + 2


def test_a_journal_that_is_not_there_yet(tmp_path: Path) -> None:
    path = f"{tmp_path}/j"
    with directory_at(path) as directory:
        follower = Follower(JournalReader(path), 0)
        assert follower.look() == []
        journal = journal_on(directory, Continuation(), "none")
        journal.append(KIND, b"first")
        settled(journal)
        with follower:
            assert [record.payload for record in follower.look()] == [b"first"]
        journal.close()


class Counting(Disk):
    """Knows what was read and what is open."""

    def __init__(self) -> None:
        self.bytes = 0
        self.open_files: set[int] = set()
        self.error: OSError | None = None

    def open(self, path: str, flags: int, mode: int = 0o600) -> int:
        descriptor = super().open(path, flags, mode)
        self.open_files.add(descriptor)
        return descriptor

    def close(self, descriptor: int) -> None:
        self.open_files.discard(descriptor)
        super().close(descriptor)

    def pread(self, descriptor: int, length: int, offset: int) -> bytes:
        if self.error is not None:
            raise self.error
        found = super().pread(descriptor, length, offset)
        self.bytes += len(found)
        return found


def test_a_look_at_nothing_new_costs_no_more_than_the_rest_of_a_window(journal: Journal) -> None:
    disk = Counting()
    for _ in range(40):
        journal.append(KIND, bytes([7]) * 1_000)
    settled(journal)
    with follower_of(journal, disk=disk) as follower:
        everything(follower)
        disk.bytes = 0
        for _ in range(10):
            assert follower.look() == []
        written = 4_096 + 40 * 1_032
        assert disk.bytes == 10 * (SMALL - written)
        assert len(disk.open_files) == 1
    assert disk.open_files == set()


def test_a_disk_that_fails_is_an_error_of_ours(journal: Journal) -> None:
    disk = Counting()
    journal.append(KIND, b"first")
    settled(journal)
    with follower_of(journal, disk=disk) as follower:
        everything(follower)
        disk.error = OSError(5, "Input/output error")
        with pytest.raises(JournalError, match="cannot be read: Input/output error; nothing was changed"):
            follower.look()
    assert disk.open_files == set()


def test_single_records_carry_a_commit(journal: Journal) -> None:
    journal.append(KIND, b"one")
    settled(journal)
    with follower_of(journal) as follower:
        [record] = follower.look()
    assert (record.flags, record.ts_ns) == (COMMIT, WALL_NS)
