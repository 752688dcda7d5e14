"""From one segment to the next: nothing is lost, acknowledged too early, or kept waiting by the disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from durability.faulty_disk import FaultyDisk
from durability.journal_kit import LARGE_PAYLOAD, SMALL, Heard, journal_at
from durability.naive_journal import (
    COMMIT,
    MORE,
    SEAL,
    read_batches,
    read_records,
    read_segments,
)

each_mode = pytest.mark.parametrize("mode", ["none", "interval", "group", "every"])


@each_mode
def test_rotation_acknowledges_in_the_stated_order(tmp_path: Path, mode: str) -> None:
    """SEAL and sync of the old file; header, sync, name, sync of the folder; only then word of it."""
    disk = FaultyDisk()
    heard = Heard()
    order: list[tuple[str, int]] = []
    with journal_at(f"{tmp_path}/j", mode, heard, disk=disk) as journal:
        journal.append(14, b"begins the segment")
        journal.step()
        while journal.last_seq != 4:  # three more fill it to three quarters
            journal.append(14, bytes([7]) * (LARGE_PAYLOAD - 200))
        while journal.durable_seq < 4 and mode != "none":
            journal.step()
        journal.step()  # prepares the next file
        journal.append(14, b"y" * LARGE_PAYLOAD)
        assert journal.last_seq == 6, "the SEAL is record 5"
        sealed = 5 if mode in ("none", "interval") else 4
        assert journal.acked_seq == sealed
        disk.before = lambda call: order.append((call, journal.acked_seq))
        journal.step()
        disk.before = lambda call: None
        assert journal.acked_seq == 6
    order = order[: [call for call, _ in order].index("rename") + 4]
    assert [call for call, _ in order if call in ("fdatasync", "pwrite", "fsync", "lstat", "rename")] == [
        "fdatasync",  # the outgoing segment with its SEAL
        "pwrite",  # the header, with what was waiting behind it
        "pwrite",
        "fsync",
        "lstat",  # whether the name is free
        "rename",
        "fsync",  # the folder
    ]
    assert order[0] == ("fdatasync", sealed)
    assert {acked for _, acked in order[1:]} <= {sealed, 5}, "record 6 was acknowledged too early"
    records = read_records(f"{tmp_path}/j")
    assert [record.kind == SEAL for record in records] == [False] * 4 + [True, False]


@each_mode
def test_many_rotations_lose_and_repeat_nothing(tmp_path: Path, mode: str) -> None:
    path = f"{tmp_path}/j"
    given = [[(14, b"%d " % n * (n % 400 + 1))] for n in range(900)]
    heard = Heard()
    with journal_at(path, mode, heard) as journal:
        for count, batch in enumerate(given):
            number = journal.append_batch(batch)
            assert journal.acked_seq <= number
            if count % 7 == 0:
                journal.step()
        journal.finish()
        assert journal.acked_seq == journal.durable_seq == journal.last_seq
    assert list(read_batches(path)) == given
    assert len(read_segments(path)) >= 8
    assert heard.acked == sorted(set(heard.acked))


def test_records_wait_in_memory_while_the_disk_is_slow(tmp_path: Path) -> None:
    """Whatever comes before the disk is done waits in order, over more than one segment."""
    path = f"{tmp_path}/j"
    heard = Heard()
    with journal_at(path, "interval", heard) as journal:
        for n in range(2_000):
            journal.append(14, b"%d" % n * 20)
        assert journal.acked_seq == 0
        assert journal.lag() == (journal.last_seq, 0)
        journal.step()
        assert journal.acked_seq == journal.durable_seq == journal.last_seq
        assert heard.acked == [segment.first_seq - 1 for segment in read_segments(path)[1:]] + [
            journal.last_seq
        ]
    assert [batch[0][1] for batch in read_batches(path)] == [b"%d" % n * 20 for n in range(2_000)]


@pytest.mark.parametrize("spare", [-8, 0, 8])
def test_room_for_the_seal_is_always_kept(tmp_path: Path, spare: int) -> None:
    """A record may take all but the last 40 bytes; one word more and it opens the next segment."""
    path = f"{tmp_path}/j"
    with journal_at(path, "group") as journal:
        room = SMALL - 4096 - 40
        while room >= 2 * (LARGE_PAYLOAD + 33):
            room -= LARGE_PAYLOAD + 33
            journal.append(14, b"x" * LARGE_PAYLOAD)
        half = room // 2 & ~7
        journal.append(14, b"x" * (half - 32))
        journal.append(14, b"y" * (room - half + spare - 32))
        journal.step()
        assert len(read_segments(path)) == (2 if spare > 0 else 1)
        journal.append(14, b"z" * 100)
        journal.step()
        first, second = read_segments(path)
    end = 4096 + sum(-(-(32 + len(record.payload)) // 8) * 8 for record in first.records)
    assert first.is_sealed
    assert end == SMALL + spare if spare <= 0 else end < SMALL
    assert len(second.records) == (2 if spare > 0 else 1)


@pytest.mark.parametrize("excess", [0, 1, LARGE_PAYLOAD, LARGE_PAYLOAD + 1, 200_000])
def test_a_large_payload_is_split(tmp_path: Path, excess: int) -> None:
    path = f"{tmp_path}/j"
    payload = os.urandom(LARGE_PAYLOAD + excess)
    batch = [(14, b"before"), (14, payload), (15, b"after")]
    with journal_at(path, "group") as journal:
        journal.append(14, b"first")
        assert journal.append_batch(batch) == journal.last_seq
        journal.finish()
    assert list(read_batches(path)) == [[(14, b"first")], batch]
    parts = [record for record in read_records(path) if record.flags & MORE]
    assert len(parts) == -(-len(payload) // LARGE_PAYLOAD) - 1
    assert {len(record.payload) for record in parts} <= {LARGE_PAYLOAD}
    assert not any(record.flags & COMMIT for record in parts)


def test_a_payload_that_is_split_over_the_end_of_a_segment_keeps_its_parts(tmp_path: Path) -> None:
    """The SEAL takes a number of its own; the parts' flags must not be off by it."""
    path = f"{tmp_path}/j"
    batch = [(14, os.urandom(2 * LARGE_PAYLOAD + 5))]
    with journal_at(path, "group") as journal:
        for _ in range(3):
            journal.append(14, b"x" * 15_000)
        journal.append_batch(batch)
        journal.step()
    assert list(read_batches(path))[-1] == batch
    assert [segment.is_sealed for segment in read_segments(path)] == [True, False]


def test_a_batch_larger_than_a_segment_has_a_segment_of_its_size(tmp_path: Path) -> None:
    path = f"{tmp_path}/j"
    batch = [(14, b"%d" % n * 1000) for n in range(100)]
    with journal_at(path, "interval") as journal:
        journal.append(14, b"first")
        journal.step()
        journal.append_batch(batch)
        journal.step()
        journal.append(14, b"last")
        journal.step()
        for _ in range(5):
            journal.append(14, b"x" * LARGE_PAYLOAD)
            journal.step()
    assert list(read_batches(path))[1] == batch
    sizes = [segment.size for segment in read_segments(path)]
    assert sizes[0] == SMALL
    assert sizes[1] > SMALL
    assert set(sizes[2:]) == {SMALL}


def test_the_next_file_is_prepared_at_three_quarters(tmp_path: Path) -> None:
    path = f"{tmp_path}/j"
    with journal_at(path, "interval") as journal:
        journal.append(14, b"x" * 1000)
        journal.step()
        while 4096 + journal.last_seq * 1032 <= SMALL * 3 // 4:
            assert ".tmp-next" not in os.listdir(path)
            journal.append(14, b"x" * 1000)
            journal.step()
        assert os.stat(f"{path}/.tmp-next").st_size == SMALL
    assert ".tmp-next" not in os.listdir(path)


def test_a_segment_that_stands_there_already_is_never_replaced(tmp_path: Path) -> None:
    path = f"{tmp_path}/j"
    heard = Heard()
    with journal_at(path, "interval", heard) as journal:
        Path(path, f"{1:020}.pjl").write_bytes(b"evidence")
        journal.append(14, b"x")
        journal.step()
        assert "there already" in str(heard.failures[0])
    assert Path(path, f"{1:020}.pjl").read_bytes() == b"evidence"
