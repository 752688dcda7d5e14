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
    MOST_PAYLOAD,
    THINNED,
    RecordType,
    SegmentHeader,
    padded,
)

_SOMETHING: Final = re.compile(rb"[^\0]")
_WORDS: Final = struct.Struct("<II")
_SEAL: Final = int(RecordType.SEAL)
_MOST_IN_VAIN: Final = 8
_HEADER_USED: Final = 96


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


def is_blank(image: bytes, start: int) -> bool:
    """Whether nothing but zeros stands at or behind an offset."""
    return image[start:] == bytes(len(image) - start)


def scan(image: bytes, header: SegmentHeader) -> Scanned:
    """Check every record of a segment. `image` has the header's page and at most `header.size` bytes."""
    view = memoryview(image)
    size = len(image)
    checksum = CHECKSUMS[header.crc_kind]
    salt = header.salt & 0xFFFFFFFF
    unpack = FRAME.unpack_from
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
            if found or not is_blank(image, at):
                stop = "a hole, with something behind it"
            break
        end = at + FRAME_BYTES + length
        if length > MOST_PAYLOAD or end > size:
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
                if not is_blank(image, at):
                    stop = "something behind the segment's end mark"
                break
    else:
        if not is_blank(image, at):
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


def crc_of(image: bytes, end: int, seq: int) -> int | None:
    """The crc field of a record before offset `end`, which `scan` has found whole; None where it is not."""
    at = HEADER_BYTES
    while at < end:
        length, crc, number, *_ = FRAME.unpack_from(image, at)
        if number == seq:
            return int(crc)
        at += padded(length)
    return None


def look_on(image: bytes, header: SegmentHeader, start: int, least_seq: int) -> Iterator[Record]:
    """Whole records of this segment at or behind offset `start`, wherever they stand, in steps of 8 bytes.

    They are what was written later than what is damaged. Numbers below `least_seq`, and those that the
    space before them cannot hold, are not looked at: garbage rarely gets as far as a checksum. Bytes that
    were made to look like frames do, at every step; once checksums over several times the segment were in
    vain, what looks like a record counts as one. It ends in time, and on the side of refusing.
    """
    view = memoryview(image)
    size = len(image)
    checksum = CHECKSUMS[header.crc_kind]
    salt = header.salt & 0xFFFFFFFF
    unpack = FRAME.unpack_from
    find = _SOMETHING.search
    left = _MOST_IN_VAIN * size
    at = size if is_blank(image, start) else start
    while at + FRAME_BYTES <= size:
        length, found, seq, ts_ns, kind, flags, lag = unpack(image, at)
        end = at + FRAME_BYTES + length
        most_seq = header.first_seq + (at - HEADER_BYTES) // (FRAME_BYTES + 8)
        if 0 < length <= MOST_PAYLOAD and end <= size and least_seq <= seq <= most_seq:
            if left < 0 or checksum(view[at + 8 : end], checksum(view[at : at + 4], salt)) == found:
                payload = image[at + FRAME_BYTES : end]
                yield Record(seq, ts_ns, kind, flags, lag, payload, "", at)
                at += padded(length)
                continue
            left -= length
        at += 8
        if not length:
            something = find(image, at)
            if something is None:
                return
            at = max(at, something.start() & ~7)


def padding_flips(image: bytes, end: int) -> Iterator[int]:
    """Offsets of bytes before `end` that are not zero and should be: no checksum covers them."""
    behind_header = image[_HEADER_USED:HEADER_BYTES].lstrip(b"\0")
    if behind_header:
        yield HEADER_BYTES - len(behind_header)
    at = HEADER_BYTES
    while at < end:
        (length, _) = _WORDS.unpack_from(image, at)
        stop = at + FRAME_BYTES + length
        at = (stop + 7) & ~7
        if any(image[stop:at]):
            yield stop
