"""What is appended stands in the journal, in every mode, and is acknowledged neither too early nor never."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from durability.faulty_disk import FaultyDisk
from durability.journal_kit import LARGE_PAYLOAD, SMALL, WALL_NS, Clock, Heard, journal_at
from durability.naive_journal import (
    COMMIT,
    MORE,
    SEAL,
    read_batches,
    read_records,
    read_segments,
)
from hypothesis import given, settings
from hypothesis import strategies as st

MODES = ["none", "interval", "group", "every"]
IN_MEMORY = ("none", "interval")
each_mode = pytest.mark.parametrize("mode", MODES)


@each_mode
def test_n_appends_are_the_records_1_to_n(tmp_path: Path, mode: str) -> None:
    path = f"{tmp_path}/j"
    with journal_at(path, mode, segment_bytes=1 << 20) as journal:
        numbers = [journal.append(14, b"payload %d" % n) for n in range(1, 501)]
        assert numbers == list(range(1, 501))
        assert journal.last_seq == 500
    records = read_records(path)
    assert [record.seq for record in records] == list(range(1, 501))
    assert [record.payload for record in records] == [b"payload %d" % n for n in range(1, 501)]
    assert {(record.kind, record.flags, record.ts_ns) for record in records} == {(14, COMMIT, WALL_NS)}


def test_the_last_crc_is_the_last_records(tmp_path: Path) -> None:
    path = f"{tmp_path}/j"
    with journal_at(path, "group") as journal:
        assert journal.last_crc == 0
        journal.append_batch([(14, b"first"), (15, b"second")])
        told = journal.last_crc, journal.crc_kind
    assert told == (read_records(path)[-1].crc, 2)


@each_mode
def test_nothing_is_acknowledged_before_the_first_segment_is_in_place(tmp_path: Path, mode: str) -> None:
    heard = Heard()
    path = f"{tmp_path}/j"
    with journal_at(path, mode, heard) as journal:
        journal.append(14, b"x")
        assert journal.acked_seq == 0
        assert not [name for name in os.listdir(path) if name.endswith(".pjl")]
        journal.step()
        assert journal.acked_seq == 1
        assert heard.acked == [1]


@each_mode
def test_what_acknowledged_means(tmp_path: Path, mode: str) -> None:
    heard = Heard()
    with journal_at(f"{tmp_path}/j", mode, heard) as journal:
        journal.append(14, b"begins the segment")
        journal.step()
        heard.acked.clear()
        last = [journal.append(14, b"x") for _ in range(3)][-1]
        if mode in IN_MEMORY:
            assert (journal.acked_seq, journal.durable_seq) == (last, 1)
        else:
            assert (journal.acked_seq, journal.durable_seq) == (1, 1)
        steps = 0
        while journal.durable_seq < last and steps < 10:
            journal.step()
            steps += 1
        assert steps == {"none": 10, "interval": 1, "group": 1, "every": 3}[mode]
        assert journal.acked_seq == last
        assert heard.acked == {"group": [4], "every": [2, 3, 4]}.get(mode, [])


def test_the_lag_is_counted_and_timed(tmp_path: Path) -> None:
    clock = Clock()
    with journal_at(f"{tmp_path}/j", "interval", clock=clock) as journal:
        assert journal.lag() == (0, 0)
        journal.append(14, b"x")
        clock.now_ns += 7
        journal.append(14, b"x")
        assert journal.lag() == (2, 7)
        journal.step()
        assert journal.lag() == (0, 0)
        clock.now_ns += 1_000_000
        journal.append(14, b"x")
        clock.now_ns += 5
        assert journal.lag() == (1, 5), "counted from the first record, not from the last sync"


def test_records_that_come_during_a_sync_are_as_old_as_that_sync_at_most(tmp_path: Path) -> None:
    clock = Clock()
    disk = FaultyDisk()
    with journal_at(f"{tmp_path}/j", "interval", clock=clock, disk=disk) as journal:
        journal.append(14, b"x")
        journal.step()
        clock.now_ns = 50_000
        journal.append(14, b"x")

        def slow(call: str) -> None:
            if call == "fdatasync":
                clock.now_ns += 300
                journal.append(14, b"comes meanwhile")
                clock.now_ns += 40
                assert journal.sync_ns == 340, "the sync that is under way"

        disk.before = slow
        clock.now_ns = 60_000
        journal.step()
        disk.before = lambda call: None
        assert journal.sync_ns == 340, "the last one"
        assert journal.lag() == (1, 340)


@each_mode
def test_an_idle_journal_asks_nothing_of_the_disk(tmp_path: Path, mode: str) -> None:
    disk = FaultyDisk()
    with journal_at(f"{tmp_path}/j", mode, disk=disk) as journal:
        journal.append(14, b"x")
        journal.step()
        before = len(disk.calls)
        for _ in range(5):
            journal.step()
        assert len(disk.calls) == before


def test_the_space_that_is_needed(tmp_path: Path) -> None:
    class Sized(FaultyDisk):
        blocks = 1 << 20

        def statvfs(self, path: str) -> os.statvfs_result:
            return os.statvfs_result((4096, 4096, self.blocks, 9, 7, 0, 0, 0, 0, 255))

    disk = Sized()
    with journal_at(f"{tmp_path}/j", "interval", disk=disk) as journal:
        assert journal.free_space() == (7 * 4096, 2 * SMALL + (64 << 20)), "two segments and 64 MiB"
        disk.blocks = 100 << 20
        assert journal.free_space() == (7 * 4096, 4096 << 20), "one per cent"


def test_a_segment_size_that_cannot_be_is_refused(tmp_path: Path) -> None:
    for size in (SMALL - 4096, SMALL + 8):
        with pytest.raises(ValueError), journal_at(f"{tmp_path}/{size}", "group", segment_bytes=size):
            pass


batches = st.lists(
    st.one_of(
        st.integers(1, 900),
        st.integers(LARGE_PAYLOAD - 2, LARGE_PAYLOAD + 2),
        st.integers(1, 5).map(lambda n: n * 12_000),
    ),
    min_size=1,
    max_size=5,
)
operations = st.lists(st.one_of(batches, st.just("step"), st.just("step")), min_size=10, max_size=60)
seen: Counter[str] = Counter()


@settings(max_examples=60, deadline=None)
@given(operations=operations, mode=st.sampled_from(MODES), is_mapped=st.booleans())
def check_any_history(operations: list[list[int] | str], mode: str, is_mapped: bool) -> None:
    given_batches: list[list[tuple[int, bytes]]] = []
    durable_at: dict[int, int] = {}
    ends: set[int] = {0}
    heard = Heard()
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/j"
        disk = FaultyDisk(kind="ext4" if is_mapped else "btrfs")
        with journal_at(path, mode, heard, disk=disk) as journal:
            for operation in operations:
                if isinstance(operation, str):
                    journal.step()
                    continue
                batch = [(14, bytes([size % 255 + 1]) * size) for size in operation]
                durable = journal.durable_seq
                number = journal.append_batch(batch)
                given_batches.append(batch)
                durable_at[number] = durable
                ends.add(number)
                assert journal.durable_seq == durable <= journal.acked_seq <= number == journal.last_seq
            journal.finish()
        segments = read_segments(path)
        assert list(read_batches(path)) == given_batches
        records = [record for segment in segments for record in segment.records]
        ends |= {record.seq for record in records if record.kind == SEAL}
        for record in records:
            assert record.watermark in ends, "the watermark is inside a batch"
            if record.seq in durable_at:
                assert record.watermark == durable_at[record.seq]
        watermarks = [record.watermark for record in records]
        assert watermarks == sorted(watermarks)
        assert set(heard.acked) <= ends
        assert not disk.open_descriptors
        seen["rotations"] += len(segments) - 1
        seen["splits"] += sum(bool(record.flags & MORE) for record in records)
        seen["larger segments"] += sum(segment.size > SMALL for segment in segments[:-1])
        seen["synced between"] += len(set(watermarks)) > 1


def test_any_history_of_appends_and_syncs_is_read_back_as_it_was() -> None:
    seen.clear()
    check_any_history()
    assert seen["rotations"] >= 60, seen
    assert seen["splits"] >= 60, seen
    assert seen["larger segments"] >= 5, seen
    assert seen["synced between"] >= 30, seen
