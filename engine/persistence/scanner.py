"""Reads one segment's bytes: what of it is whole, where that ends, and what stands behind the end."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from engine.persistence.format import (
    CHECKSUMS,
    COMMIT,
    FRAME,
    FRAME_BYTES,
    HEADER_BYTES,
    THINNED,
    RecordType,
    SegmentHeader,
    padded,
)

_SOMETHING: Final = re.compile(rb"[^\0]")
_WORDS: Final = struct.Struct("<II")
_SEAL: Final = int(RecordType.SEAL)


class Record(NamedTuple):
    """One record as it stands in a file; `offset` is that of its first byte."""

    seq: int
    ts_ns: int
    kind: int
    flags: int
    lag: int
    payload: bytes
    file: str
    offset: int


@dataclass(slots=True)
class Scanned:
    """How far a segment can be read. Offsets are those behind the last byte of what they speak of."""

    end: int
    """Of the last whole record."""
    seq: int
    """Of the last whole record; one less than the segment's first where there is none."""
    records: int
    committed_end: int
    """Of the last whole batch: what is behind it was never acknowledged."""
    committed_seq: int
    committed_records: int
    crc: int
    """The crc field of the last record of the last whole batch; 0 where there is none."""
    is_sealed: bool
    stop: str
    """Why the reading ended: empty where nothing follows, else what is wrong with what follows."""


def scan(image: bytes, header: SegmentHeader) -> Scanned:
    """Check every record of a segment. `image` has the header's page and at most `header.size` bytes."""
    view = memoryview(image)
    size = len(image)
    checksum = CHECKSUMS[header.crc_kind]
    salt = header.salt & 0xFFFFFFFF
    unpack = FRAME.unpack_from
    most = header.size // 4 if header.size > HEADER_BYTES else 0
    most = max(most, 1 << 20)
    has_gaps = bool(header.flags & THINNED)
    at = committed_end = HEADER_BYTES
    expected = header.first_seq
    seq = committed_seq = expected - 1
    records = committed_records = crc = 0
    is_sealed = False
    stop = ""
    while at + FRAME_BYTES <= size:
        length, found, number, _, kind, flags, _ = unpack(image, at)
        if not length:
            if found or _SOMETHING.search(image, at):
                stop = "a hole, with something behind it"
            break
        end = at + FRAME_BYTES + length
        if length > most or end > size:
            stop = f"a length of {length} bytes, which does not fit"
            break
        if checksum(view[at + 8 : end], checksum(view[at : at + 4], salt)) != found:
            stop = "a checksum that does not match"
            break
        if number != expected and not (has_gaps and number > expected):
            stop = f"number {number} where {expected} should be"
            break
        records += 1
        seq = number
        expected = number + 1
        at = (end + 7) & ~7
        if flags & COMMIT:
            committed_end, committed_seq, committed_records, crc = at, number, records, found
            if kind == _SEAL:
                is_sealed = True
                if _SOMETHING.search(image, at):
                    stop = "something behind the segment's end mark"
                break
    else:
        if at < size and _SOMETHING.search(image, at):
            stop = "a record that is cut off"
    return Scanned(at, seq, records, committed_end, committed_seq, committed_records, crc, is_sealed, stop)


def records_of(image: bytes, header: SegmentHeader, file: str, end: int) -> Iterator[Record]:
    """The records before offset `end`, which `scan` has found whole."""
    unpack = FRAME.unpack_from
    at = HEADER_BYTES
    new = tuple.__new__
    while at < end:
        length, _, seq, ts_ns, kind, flags, lag = unpack(image, at)
        start = at + FRAME_BYTES
        yield new(Record, (seq, ts_ns, kind, flags, lag, image[start : start + length], file, at))
        at = (start + length + 7) & ~7


def look_on(image: bytes, header: SegmentHeader, start: int, least_seq: int) -> Iterator[Record]:
    """Whole records of this segment at or behind offset `start`, wherever they stand, in steps of 8 bytes.

    They are what was written later than what is damaged. Numbers below `least_seq`, and those that the
    space before them cannot hold, are not looked at: garbage rarely gets as far as a checksum.
    """
    view = memoryview(image)
    size = len(image)
    checksum = CHECKSUMS[header.crc_kind]
    salt = header.salt & 0xFFFFFFFF
    unpack = FRAME.unpack_from
    find = _SOMETHING.search
    at = start
    while at + FRAME_BYTES <= size:
        length, found, seq, ts_ns, kind, flags, lag = unpack(image, at)
        end = at + FRAME_BYTES + length
        most_seq = header.first_seq + (at - HEADER_BYTES) // (FRAME_BYTES + 8)
        if (
            length
            and end <= size
            and least_seq <= seq <= most_seq
            and checksum(view[at + 8 : end], checksum(view[at : at + 4], salt)) == found
        ):
            payload = image[at + FRAME_BYTES : end]
            yield Record(seq, ts_ns, kind, flags, lag, payload, "", at)
            at += padded(length)
            continue
        at += 8
        if not length:
            something = find(image, at)
            if something is None:
                return
            at = max(at, something.start() & ~7)


def padding_flips(image: bytes, end: int) -> Iterator[int]:
    """Offsets of padding before `end` that is not zero, which no checksum covers."""
    at = HEADER_BYTES
    while at < end:
        (length, _) = _WORDS.unpack_from(image, at)
        stop = at + FRAME_BYTES + length
        at = (stop + 7) & ~7
        if any(image[stop:at]):
            yield stop
