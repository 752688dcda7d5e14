"""What `verify` says of saved states, and of bytes that belong to no record."""

from __future__ import annotations

import hashlib
import itertools
import struct
from random import Random

import pytest
from durability.crash_disk import CrashDisk
from durability.journal_kit import WALL_NS
from durability.recovery_kit import FOLDER, files_of, recovered, written_journal
from durability.snapshot_kit import events, saved_session

from engine.persistence.archive import delete_beyond, retire
from engine.persistence.errors import JournalError
from engine.persistence.reader import CLEAN, CORRUPT, JournalReader
from engine.persistence.settings import MarketDataClass
from engine.persistence.snapshots import snapshot_name


def test_a_state_that_is_saved_meanwhile_is_no_damage() -> None:
    session = saved_session(Random(1), 700)
    before = session.journal.last_seq
    saved = []

    def meanwhile(checked: int) -> None:
        session.record(events(Random(2), 1_001 + len(saved)))
        saved.append(session.save())
        retire(session.directory, 2, MarketDataClass.THINNED)

    report = JournalReader(FOLDER, session.disk).verify(progress=meanwhile)
    assert (report.status, report.problems) == (CLEAN, [])
    assert len(saved) >= 3
    assert report.last_seq >= before
    again = JournalReader(FOLDER, session.disk).verify(is_deep=True)
    assert (again.status, again.snapshots, again.last_seq) == (CLEAN, 2, session.journal.last_seq)
    session.end()


def test_a_state_that_does_not_fit_its_record_is_told_and_passed_over() -> None:
    session = saved_session(Random(1), 300)
    files = files_of(session.disk)
    session.end()
    *_, before, newest = sorted(session.bodies)
    name = snapshot_name(newest)
    image = bytearray(files[name][:-32])
    struct.pack_into("<I", image, 48, struct.unpack_from("<I", image, 48)[0] ^ 1)
    other = files | {name: bytes(image) + hashlib.sha256(image).digest()}
    report = JournalReader(FOLDER, CrashDisk.holding(FOLDER, other)).verify()
    [problem] = report.problems
    assert (report.status, problem.file, problem.seq) == (CORRUPT, f"{FOLDER}/{name}", newest)
    assert "does not fit" in problem.text
    snapshot = recovered(other).snapshot
    assert snapshot is not None
    assert snapshot.seq == before


@pytest.mark.parametrize("at", [96, 1_000, 4_095])
def test_bytes_behind_the_header_are_looked_at_when_asked_for(at: int) -> None:
    history = written_journal(Random(1), 30)
    [segment] = history.segments
    image = bytearray(history.files[segment.name])
    image[at] = 1
    files = history.files | {segment.name: bytes(image)}
    reader = JournalReader(FOLDER, CrashDisk.holding(FOLDER, files))
    assert reader.verify().status == CLEAN
    report = reader.verify(is_deep=True)
    assert (report.status, [problem.offset for problem in report.problems]) == (CORRUPT, [at])


def test_what_is_deleted_from_the_archive_meanwhile_is_said_and_is_no_damage() -> None:
    session = saved_session(Random(1), 700)
    moved = retire(session.directory, 2, MarketDataClass.FULL)
    assert len(moved) >= 2
    reader = JournalReader(FOLDER, session.disk)
    records = reader.records()
    next(records)
    assert delete_beyond(session.directory, 30, 0, WALL_NS) == moved
    with pytest.raises(JournalError, match=rf"{moved[1]} was deleted while it was read"):
        list(records)
    assert reader.verify().status == CLEAN
    assert next(reader.records()).seq == reader.segments()[0].header.first_seq > 1
    session.end()


def listed_while_deleted(call: int) -> tuple[list[str], list[str], list[str]]:
    """The segments that are found when the archive is deleted at a call of the listing; those that were
    deleted, and those that stayed."""
    session = saved_session(Random(1), 300)
    disk = session.disk
    assert retire(session.directory, 2, MarketDataClass.FULL)
    stayed = [each.name for each in JournalReader(FOLDER, disk, with_archive=False).segments()]
    reader = JournalReader(FOLDER, disk)
    calls, deleted = itertools.count(1), []

    def watch(name: str, path: str) -> None:
        if next(calls) == call:
            disk.watch = lambda name, path: None
            deleted.extend(delete_beyond(session.directory, 30, 0, WALL_NS))

    disk.watch = watch
    found = [segment.name for segment in reader.segments()]
    disk.watch = lambda name, path: None
    session.end()
    return found, deleted, stayed


def test_a_listing_while_files_are_deleted_finds_those_that_are_left() -> None:
    for call in itertools.count(1):
        found, deleted, stayed = listed_while_deleted(call)
        assert found[-len(stayed) :] == stayed
        if not deleted:
            break
        assert set(found) <= {*deleted, *stayed}
    assert call > 10
