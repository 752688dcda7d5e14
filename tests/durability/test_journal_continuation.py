"""Where a journal ends, and how the next process goes on."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from durability.faulty_disk import FaultyDisk
from durability.journal_kit import SMALL, WALL_NS, Heard, directory_at, journal_at
from durability.naive_journal import (
    SEAL,
    WRITTEN_WHOLE,
    read_records,
    read_segments,
)

from engine.persistence.continuation import Chain, Continuation, OpenSegment
from engine.persistence.directory import JournalDirectory
from engine.persistence.errors import JournalError
from engine.persistence.format import SegmentHeader
from engine.persistence.journal import Journal
from engine.persistence.records import LogCut, RecordType, decode
from engine.persistence.settings import Durability

MODES = ["none", "interval", "group", "every"]


def go_on(path: str, start: Continuation, heard: Heard | None = None) -> Journal:
    """A journal that takes up where `start` says; whoever asks for it closes it and its directory."""
    heard = heard or Heard()
    return Journal(
        JournalDirectory.open(path),
        start,
        durability=Durability.GROUP,
        segment_bytes=SMALL,
        wall_ns=lambda: WALL_NS,
        on_acked=heard.on_acked,
        on_failed=heard.on_failed,
    )


@pytest.mark.parametrize("call", [Journal.close, Journal.finish])
def test_the_end_puts_everything_on_the_disk(tmp_path: Path, call: Callable[[Journal], None]) -> None:
    disk = FaultyDisk()
    for mode in MODES:
        with journal_at(f"{tmp_path}/{mode}", mode, disk=disk) as journal:
            for n in range(1, 4):
                journal.append(14, b"%d" % n)
            call(journal)
            call(journal)  # once more is nothing
            assert journal.durable_seq == journal.last_seq >= 3
        assert [record.payload for record in read_records(f"{tmp_path}/{mode}")][:3] == [b"1", b"2", b"3"]
    assert not disk.open_descriptors
    assert all(mapping.closed for mapping in disk.mappings)


def test_a_finished_journal_is_no_larger_than_its_records(tmp_path: Path) -> None:
    path = f"{tmp_path}/j"
    with journal_at(path, "interval", segment_bytes=1 << 20) as journal:
        for n in range(60):
            journal.append(14, b"%d" % n * 50)
        journal.finish()
        (segment,) = read_segments(path)
        assert segment.is_sealed
        assert segment.flags == WRITTEN_WHOLE
        used = 4096 + sum(-(-(32 + len(record.payload)) // 8) * 8 for record in segment.records)
        assert segment.size == -(-used // 4096) * 4096 < 1 << 20
        assert sorted(os.listdir(path)) == [segment.name, "LOCK", "META.json"]


def test_a_finished_journal_without_records_has_no_segments(tmp_path: Path) -> None:
    path = f"{tmp_path}/j"
    with journal_at(path, "interval") as journal:
        journal.finish()
    assert sorted(os.listdir(path)) == ["LOCK", "META.json"]


def test_nothing_is_appended_behind_the_end(tmp_path: Path) -> None:
    with journal_at(f"{tmp_path}/j", "interval") as journal:
        journal.append(14, b"x")
        journal.finish()
        with pytest.raises(JournalError, match="after the journal's end"):
            journal.append(14, b"y")


def test_a_segment_that_ended_cleanly_is_continued(tmp_path: Path) -> None:
    path = f"{tmp_path}/j"
    with journal_at(path, "group") as journal:
        journal.append_batch([(14, b"a"), (14, b"b")])
    (before,) = read_segments(path)
    with open(f"{path}/{before.name}", "rb") as file:
        header = SegmentHeader.unpack(file.read(4096), before.name)
    end = 4096 + 2 * 40
    start = Continuation(3, OpenSegment(before.name, header, end, 2), None, before.records[-1].crc)
    journal = go_on(path, start)
    assert (journal.last_seq, journal.durable_seq, journal.acked_seq) == (2, 2, 2)
    assert journal.last_crc == before.records[-1].crc
    assert journal.append(14, b"c") == 3
    journal.close()
    journal.directory.close()
    (after,) = read_segments(path)
    assert after.records[:2] == before.records
    assert [(record.payload, record.lag) for record in after.records[2:]] == [(b"c", 1)]


def test_behind_a_sealed_segment_a_new_one_is_begun_with_the_first_record(tmp_path: Path) -> None:
    path = f"{tmp_path}/j"
    with journal_at(path, "group") as journal:
        journal.append(14, b"a")
        journal.finish()
    (first,) = read_segments(path)
    start = Continuation(3, None, Chain(0, first.salt, first.records[-1].crc), first.records[-1].crc)
    for _ in range(3):  # nothing recorded, nothing left
        journal = go_on(path, start)
        journal.close()
        journal.directory.close()
        assert sorted(os.listdir(path)) == [first.name, "LOCK", "META.json"]
    journal = go_on(path, start)
    journal.append(14, b"b")
    journal.close()
    journal.directory.close()
    assert [record.payload for record in read_records(path) if record.kind != SEAL] == [b"a", b"b"]
    assert [segment.first_seq for segment in read_segments(path)] == [1, 3]


def test_what_was_cut_is_the_first_record(tmp_path: Path) -> None:
    path = f"{tmp_path}/j"
    with journal_at(path, "group") as journal:
        journal.append(14, b"a")
        journal.finish()
    (first,) = read_segments(path)
    cut = LogCut(120, 3, "x.broken")
    chain = Chain(0, first.salt, first.records[-1].crc)
    journal = go_on(path, Continuation(3, None, chain, first.records[-1].crc, cut))
    journal.append(14, b"b")
    journal.close()
    journal.directory.close()
    record = read_segments(path)[1].records[0]
    assert (record.seq, record.kind) == (3, RecordType.RECOVERED)
    assert decode(record.payload, 3) == cut


def test_a_segment_of_another_size_is_not_continued(tmp_path: Path) -> None:
    path = f"{tmp_path}/j"
    with journal_at(path, "group") as journal:
        journal.append(14, b"a")
    (before,) = read_segments(path)
    with open(f"{path}/{before.name}", "r+b") as file:
        header = SegmentHeader.unpack(file.read(4096), before.name)
        file.truncate(SMALL - 4096)
    directory = JournalDirectory.open(path)
    heard = Heard()
    with pytest.raises(JournalError, match=rf"{SMALL - 4096} bytes where {SMALL} are allocated"):
        Journal(
            directory,
            Continuation(2, OpenSegment(before.name, header, 4096 + 40, 1)),
            durability=Durability.GROUP,
            segment_bytes=SMALL,
            on_acked=heard.on_acked,
            on_failed=heard.on_failed,
        )
    directory.close()
    assert heard.failures == [], "who is told by an error needs no second word"


def test_the_directory_is_free_when_the_journal_is_closed(tmp_path: Path) -> None:
    path = f"{tmp_path}/j"
    with directory_at(path):
        pass
    JournalDirectory.open(path).close()
