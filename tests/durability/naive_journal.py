"""A journal read the simplest way, straight from the tables of the format: nothing is shared with the engine.

It accepts no damage: the first thing that is not as the tables say is an `AssertionError`.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

COMMIT, MORE = 1, 2
WRITTEN_BY_PWRITE, WRITTEN_WHOLE = 1, 2
SEAL = 0xFFFE


def castagnoli(data: bytes, value: int = 0) -> int:
    """CRC-32C, bit by bit."""
    value ^= 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


CRC = {1: castagnoli, 2: zlib.crc32}


class Read(NamedTuple):
    """One record."""

    seq: int
    ts_ns: int
    kind: int
    flags: int
    lag: int
    payload: bytes
    crc: int
    file: str
    offset: int

    @property
    def end(self) -> int:
        """Offset of the first byte that its checksum does not cover: padding, or the next record."""
        return self.offset + 32 + len(self.payload)

    @property
    def watermark(self) -> int:
        """Up to here everything was on the disk when this was written."""
        return self.seq - self.lag


class Segment(NamedTuple):
    """One file."""

    name: str
    size: int
    index: int
    first_seq: int
    uuid: bytes
    salt: int
    previous_salt: int
    previous_crc: int
    flags: int
    records: list[Read]

    @property
    def is_sealed(self) -> bool:
        """Whether its last record says that there is nothing behind it."""
        return bool(self.records) and self.records[-1].kind == SEAL


def read_segment(path: str) -> Segment:
    """A segment that is sound from the first byte to the last."""
    with open(path, "rb") as file:
        return segment_of(os.path.basename(path), file.read())


def segment_of(name: str, content: bytes) -> Segment:
    """The same of a file's content."""
    fields = struct.unpack("<8sHHIQQQQ16sQQIIII", content[:96])
    magic, major, minor, length, size, index, first, _, uuid, salt, before, seal, kind, flags, crc = fields
    assert (magic, major, minor, length) == (b"PNCLJNL1", 1, 0, 4096), name
    assert CRC[kind](content[:92]) == crc, f"{name}: header"
    assert not any(content[96:4096]), f"{name}: something behind the header"
    assert size == len(content), f"{name}: {len(content)} bytes"
    assert not size % 4096, f"{name}: {size} bytes"
    assert name == f"{first:020d}.pjl"
    records: list[Read] = []
    at, expected = 4096, first
    while at < size:
        word = content[at : at + 8]
        if word == bytes(8):
            break
        length, crc, seq, ts_ns, what, bits, lag = struct.unpack("<IIQQHHI", content[at : at + 32])
        payload = content[at + 32 : at + 32 + length]
        assert 0 < length == len(payload) <= 1 << 20, f"{name} at {at}: {length} bytes"
        computed = CRC[kind](content[at + 8 : at + 32] + payload, CRC[kind](word[:4], salt & 0xFFFFFFFF))
        assert computed == crc, f"{name} at {at}"
        assert seq == expected, f"{name} at {at}: {seq} instead of {expected}"
        records.append(Read(seq, ts_ns, what, bits, lag, payload, crc, name, at))
        end = at + 32 + length
        at = end + -end % 8
        assert not any(content[end:at]), f"{name}: padding before {at}"
        expected += 1
        if what == SEAL:
            assert struct.unpack("<Q", payload) == (len(records) - 1,), f"{name}: SEAL at {at}"
            break
    assert not any(content[at:]), f"{name}: something behind {at}"
    return Segment(name, size, index, first, uuid, salt, before, seal, flags, records)


def read_segments(folder: str) -> list[Segment]:
    """All segments of a journal, and how they hang together."""
    names = sorted(name for name in os.listdir(folder) if name.endswith(".pjl"))
    segments = [read_segment(f"{folder}/{name}") for name in names]
    for index, segment in enumerate(segments):
        assert segment.index == index
        assert segment.uuid == segments[0].uuid
        if not index:
            assert (segment.first_seq, segment.previous_salt, segment.previous_crc) == (1, 0, 0)
            continue
        last = segments[index - 1]
        assert last.is_sealed, last.name
        assert segment.first_seq == last.records[-1].seq + 1
        assert (segment.previous_salt, segment.previous_crc) == (last.salt, last.records[-1].crc)
    assert len({segment.salt for segment in segments}) == len(segments)
    return segments


def read_records(folder: str) -> list[Read]:
    """All records of a journal, SEALs among them."""
    return [record for segment in read_segments(folder) for record in segment.records]


def read_batches(folder: str) -> Iterator[list[tuple[int, bytes]]]:
    """The batches as they were appended: parts put together, SEALs left out."""
    batch: list[tuple[int, bytes]] = []
    parts = b""
    for record in read_records(folder):
        if record.kind == SEAL:
            assert not batch, "a batch goes over the end of its segment"
            continue
        parts += record.payload
        if record.flags & MORE:
            continue
        batch.append((record.kind, parts))
        parts = b""
        if record.flags & COMMIT:
            yield batch
            batch = []
    assert not batch
    assert not parts
