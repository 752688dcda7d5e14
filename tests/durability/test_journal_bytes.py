"""The bytes of the journal are the format's, whoever writes them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from durability.faulty_disk import FaultyDisk
from durability.journal_kit import journal_at
from durability.naive_journal import (
    SEAL,
    WRITTEN_BY_PWRITE,
    WRITTEN_WHOLE,
    castagnoli,
    read_records,
    read_segments,
)
from hypothesis import given
from hypothesis import strategies as st

from engine.persistence.checksums import crc32c, zlib_crc
from engine.persistence.disk import DISK
from engine.persistence.format import CRC32C, ZLIB, SegmentHeader, record_bytes
from engine.persistence.segment import MappedWriter, MemoryWriter, SegmentFile, Writer

SALT = 0x0123456789ABCDEF
NOW = 1_700_000_000_000_000_000
RECORD = {
    CRC32C: "05000000891b7a8b010000000000000000002a36fe9c9717010001000100000068656c6c6f000000",
    ZLIB: "050000002cdb4da0010000000000000000002a36fe9c9717010001000100000068656c6c6f000000",
}
HEADER_CRC = {CRC32C: 0x38FA72CF, ZLIB: 0x6A1CB26D}
KINDS = pytest.mark.parametrize("kind", [CRC32C, ZLIB])


def header(kind: int = ZLIB, size: int = 16 << 20) -> SegmentHeader:
    return SegmentHeader(size, 0, 1, NOW, bytes(range(16)), SALT, crc_kind=kind)


def test_the_check_values_of_the_checksums() -> None:
    assert crc32c(b"123456789") == castagnoli(b"123456789") == 0xE3069283
    assert zlib_crc(b"123456789") == 0xCBF43926
    assert crc32c(b"6789", crc32c(b"12345")) == 0xE3069283


@KINDS
def test_a_record_has_the_bytes_of_the_known_answer(kind: int) -> None:
    assert record_bytes(SALT, kind, 1, NOW, 1, 1, 1, b"hello").hex() == RECORD[kind]


@KINDS
def test_a_header_has_the_checksum_of_the_known_answer(kind: int) -> None:
    page = header(kind).pack()
    assert len(page) == 4096
    assert page[:8] == b"PNCLJNL1"
    assert int.from_bytes(page[92:96], "little") == HEADER_CRC[kind]
    assert not any(page[96:])
    assert SegmentHeader.unpack(page, "x") == header(kind)


def writers(tmp_path: Path, kind: int) -> list[tuple[Writer, SegmentFile | MemoryWriter]]:
    """Every way of writing, each with where its bytes can be read."""
    size = 64 << 10
    memory = MemoryWriter(header(kind, size), 0)
    files = [
        SegmentFile.create(DISK, f"{tmp_path}/{is_mapped}", size, is_mapped=is_mapped)
        for is_mapped in (True, False)
    ]
    return [(memory, memory), *((file.writer(header(kind, size), 4096), file) for file in files)]


@KINDS
def test_every_writer_writes_the_known_answer(tmp_path: Path, kind: int) -> None:
    for writer, place in writers(tmp_path, kind):
        crc = writer.write(1, NOW, 1, 1, 1, b"hello")
        assert writer.end == 4096 + 40
        assert crc == int.from_bytes(bytes.fromhex(RECORD[kind])[4:8], "little")
        if isinstance(place, MemoryWriter):
            with place.image(4096, 4096 + 48) as image:
                written = bytes(image)
        else:
            written = place.read(4096 + 48)[4096:]
        assert written.hex() == RECORD[kind] + "00" * 8
        writer.close()
        if isinstance(place, SegmentFile):
            place.close()


def test_the_writer_in_the_file_is_the_mapped_one_where_it_may_be(tmp_path: Path) -> None:
    (_, _), (mapped, mapped_file), (by_call, file) = writers(tmp_path, ZLIB)
    assert isinstance(mapped, MappedWriter)
    assert not isinstance(by_call, MappedWriter)
    for writer, place in ((mapped, mapped_file), (by_call, file)):
        writer.close()
        assert isinstance(place, SegmentFile)
        place.close()


@given(
    payload=st.binary(min_size=1, max_size=2000),
    seq=st.integers(1, 2**64 - 1),
    ts=st.integers(0, 2**64 - 1),
    kind=st.integers(0, 0xFFFF),
    flags=st.integers(0, 3),
    lag=st.integers(0, 2**32 - 1),
)
def test_a_mapped_record_is_byte_for_byte_the_one_that_is_written_by_a_call(
    payload: bytes, seq: int, ts: int, kind: int, flags: int, lag: int
) -> None:
    writer = MemoryWriter(header(size=64 << 10), 0)
    crc = writer.write(seq, ts, kind, flags, lag, payload)
    expected = record_bytes(SALT, ZLIB, seq, ts, kind, flags, lag, payload)
    with writer.image(4096, writer.end) as image:
        assert bytes(image) == expected
    assert crc == int.from_bytes(expected[4:8], "little")
    writer.close()


def test_the_commit_word_is_stored_last() -> None:
    """Whoever reads while a record is written sees either none or all of it."""
    writer = MemoryWriter(header(size=64 << 10), 0)
    seen: list[str] = []

    def look() -> str:
        with writer.image(4096, 4096 + 40) as image:
            return bytes(image).hex()

    class Words:
        """Looks at the record in the moment before the word is stored."""

        def __init__(self, words: memoryview) -> None:
            self.words = words

        def __setitem__(self, index: int, value: int) -> None:
            seen.append(look())
            self.words[index] = value

        def release(self) -> None:
            self.words.release()

    writer._words = Words(writer._words)  # type: ignore[assignment]
    writer.write(1, NOW, 1, 1, 1, b"hello")
    assert seen == ["00" * 8 + RECORD[ZLIB][16:]]
    assert look() == RECORD[ZLIB]
    writer.close()


@pytest.mark.parametrize("kind", ["btrfs", "zfs", "nfs4", "fuse.sshfs", "fuseblk", "9p", "overlay"])
def test_where_memory_is_not_safe_records_are_written_by_calls(tmp_path: Path, kind: str) -> None:
    disk = FaultyDisk(kind=kind)
    path = f"{tmp_path}/j"
    with journal_at(path, "interval", disk=disk) as journal:
        for number in range(5):
            journal.append(14, bytes([number + 1]) * 50)
            journal.step()
        is_warned = any("network" in warning for warning in journal.directory.warnings)
        assert is_warned == (kind in ("nfs4", "fuse.sshfs", "9p"))
    assert not disk.counts["map"]
    assert not disk.counts["allocate"]
    (segment,) = read_segments(path)
    assert segment.flags == WRITTEN_BY_PWRITE
    assert [record.payload[0] for record in segment.records] == [1, 2, 3, 4, 5]


def test_without_allocation_nothing_is_mapped(tmp_path: Path) -> None:
    class Poor(FaultyDisk):
        def can_allocate(self) -> bool:
            return False

    disk = Poor(kind="ext4")
    with journal_at(f"{tmp_path}/j", "group", disk=disk) as journal:
        journal.append(14, b"x")
        journal.step()
        assert journal.acked_seq == 1
    assert not disk.counts["map"]


def test_a_mapped_journal_is_allocated_before_it_is_mapped(tmp_path: Path) -> None:
    disk = FaultyDisk(kind="ext4")
    with journal_at(f"{tmp_path}/j", "group", disk=disk) as journal:
        journal.append(14, b"x")
        journal.step()
        order = [call for call in disk.calls if call in ("allocate", "map")]
        assert order == ["allocate", "map"]
        status = os.stat(f"{tmp_path}/j/{1:020}.pjl")
        assert status.st_size == 64 << 10
        assert status.st_blocks * 512 >= 64 << 10, "the file has holes"


def test_mapped_and_called_journals_of_the_same_batches_differ_in_salt_and_flag_alone(tmp_path: Path) -> None:
    told = []
    for kind in ("ext4", "btrfs"):
        path = f"{tmp_path}/{kind}"
        with journal_at(path, "interval", disk=FaultyDisk(kind=kind)) as journal:
            for number in range(400):
                journal.append_batch([(14, b"%d" % number * 50), (15, b"t")])
                if number % 50 == 49:
                    journal.step()
            journal.finish()
        told.append([record._replace(crc=0) for record in read_records(path)])
        assert {segment.flags & ~WRITTEN_WHOLE for segment in read_segments(path)} == {
            WRITTEN_BY_PWRITE if kind == "btrfs" else 0
        }
    assert told[0] == told[1]
    assert sum(record.kind == SEAL for record in told[0]) >= 2


def test_the_machine_knows_its_file_systems(tmp_path: Path) -> None:
    assert DISK.file_system("/proc/self") == "proc"
    assert DISK.file_system("/proc") == "proc"
    assert DISK.file_system(str(tmp_path)) == DISK.file_system(f"{tmp_path}/not/there/yet")
    assert DISK.file_system("/procession") == DISK.file_system("/")
