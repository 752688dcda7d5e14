"""The segments of a journal's folder: listed, read and checked against one another."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass
from typing import Final

from engine.persistence.directory import check_file
from engine.persistence.disk import Disk
from engine.persistence.errors import DamageError
from engine.persistence.format import HEADER_BYTES, THINNED, WHOLE, SegmentHeader
from engine.persistence.scanner import Scanned, is_blank, look_on, scan

ARCHIVE: Final = "archive"
_NAME: Final = re.compile(r"\d{20}\.pjl")
MOST_SEGMENT: Final = 1 << 31
"""Bytes; a header that says more is not believed."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment's file and what its header says."""

    folder: str
    name: str
    header: SegmentHeader
    file_bytes: int

    @property
    def path(self) -> str:
        """Of the file."""
        return f"{self.folder}/{self.name}"

    @property
    def is_thinned(self) -> bool:
        """True where market data was left out."""
        return bool(self.header.flags & THINNED)


def segment_names(folder: str, disk: Disk) -> list[str]:
    """The names of segments in a folder, in order; none where the folder is not there."""
    try:
        return [name for name in disk.listdir(folder) if _NAME.fullmatch(name)]
    except FileNotFoundError:
        return []


def read_file(path: str, disk: Disk, length: int | None = None) -> bytes:
    """A file's bytes, or its first `length`. `UsageError` where a link or a pipe stands in its place."""
    if not check_file(path, disk):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    descriptor = disk.open(path, os.O_RDONLY)
    try:
        size = disk.fstat(descriptor).st_size
        if size > MOST_SEGMENT:
            raise DamageError(f"{path} has {size} bytes, which no file of a journal has; nothing was changed")
        return disk.pread(descriptor, size if length is None else min(length, size), 0)
    finally:
        disk.close(descriptor)


def open_segment(folder: str, name: str, disk: Disk, uuid: bytes) -> Segment:
    """A segment by its header. `DamageError` when the header is damaged or another journal's."""
    path = f"{folder}/{name}"
    page = read_file(path, disk, HEADER_BYTES)
    try:
        header = SegmentHeader.unpack(page, path)
    except DamageError as error:
        raise DamageError(str(error), file=path, offset=0, seq=int(name[:20])) from None
    if header.uuid != uuid:
        raise DamageError(
            f"{path} belongs to another journal ({header.uuid.hex()}); nothing was changed",
            file=path,
            offset=0,
            seq=int(name[:20]),
        )
    if header.first_seq != int(name[:20]) or not HEADER_BYTES <= header.size <= MOST_SEGMENT:
        raise DamageError(
            f"{path}: the header at offset 0 does not fit the file's name; nothing was changed",
            file=path,
            offset=0,
            seq=int(name[:20]),
        )
    return Segment(folder, name, header, disk.lstat(path).st_size)


def read_segment(segment: Segment, disk: Disk) -> bytes:
    """A segment's bytes; where the file was cut off, zeros stand for what is missing."""
    image = read_file(segment.path, disk)
    size = segment.header.size
    return image[:size] if len(image) >= size else image.ljust(size, b"\0")


def is_never_begun(path: str, disk: Disk) -> bool:
    """True for a file whose records were never written: only its header is damaged.

    A file without room for records was cut off by somebody, and what it held is not known.
    """
    image = read_file(path, disk)
    return len(image) > HEADER_BYTES and is_blank(image, HEADER_BYTES)


def check_chain(before: Segment, after: Segment) -> None:
    """`DamageError` when `after` does not follow `before`."""
    header = after.header
    if header.index != before.header.index + 1 or (
        header.previous_salt != before.header.salt and not before.is_thinned
    ):
        raise DamageError(
            f"{after.path} does not follow {before.name}: a file is missing, or is not from this journal. "
            f"Nothing was changed and no order was sent. {_what_to_do(header.first_seq)}",
            file=after.path,
            offset=0,
            seq=header.first_seq,
        )


def check_seal(segment: Segment, found: Scanned, after: Segment) -> None:
    """`DamageError` when a segment that another follows is not whole to its end mark, or is another's."""
    if not found.is_sealed or found.stop:
        raise damaged(segment, found, None, "a file follows it, so it was whole once")
    if after.header.first_seq != found.seq + 1 or after.header.previous_crc != found.crc:
        raise DamageError(
            f"{after.path} does not follow {segment.name}, which ends with record {found.seq}. Nothing was "
            f"changed and no order was sent. {_what_to_do(found.seq + 1)}",
            file=after.path,
            offset=0,
            seq=found.seq + 1,
        )


def is_cut_off(segment: Segment, found: Scanned) -> bool:
    """Whether some of a last segment is missing. Behind its end mark there was nothing to miss."""
    return not found.is_sealed and segment.file_bytes < segment.header.size


def judge_end(segment: Segment, image: bytes, found: Scanned, watermark: int = 0) -> int:
    """How many whole records stand behind the last whole batch of a last segment.

    Raises `DamageError` when they or `watermark` tell of records before them that were on the disk once, and
    when no crash explains the end: behind an end mark nothing is written, and what was written whole has one.
    """
    later = 0
    for record in look_on(image, segment.header, found.committed_end, found.committed_seq + 1):
        later += 1
        watermark = max(watermark, record.seq - record.lag)
    if watermark > found.committed_seq:
        raise damaged(segment, found, watermark, "it is not an end that a crash leaves")
    if found.is_sealed and found.stop:
        raise damaged(segment, found, None, "nothing is ever written there")
    if segment.header.flags & WHOLE and not found.is_sealed and not is_cut_off(segment, found):
        raise damaged(segment, found, None, "it was written whole, end mark and all")
    return later


def damaged(segment: Segment, found: Scanned, watermark: int | None, why: str) -> DamageError:
    """What is said of durable data that cannot be read."""
    seq = found.committed_seq + 1
    what = f"record {seq} cannot be read ({found.stop or 'it is not there'})"
    if found.is_sealed and found.stop:
        seq, what = found.committed_seq, found.stop
    known = "" if watermark is None else f", records up to {watermark} were on the disk once"
    return DamageError(
        f"{segment.path} is damaged at offset {found.committed_end}: {what}{known}; {why}. Nothing was "
        f"changed and no order was sent. {_what_to_do(seq)}",
        file=segment.path,
        offset=found.committed_end,
        seq=seq,
    )


def unreadable(error: DamageError) -> DamageError:
    """What is said where recovery meets a segment whose header is no header of this journal."""
    return DamageError(
        f"{error}. No order was sent. {_what_to_do(error.seq or 0)}",
        file=error.file,
        offset=error.offset,
        seq=error.seq,
    )


def _what_to_do(seq: int) -> str:
    return (
        f"See `pinnacle-tui journal verify`; `journal repair --truncate-at {seq}` says what giving up the "
        "rest would mean"
    )


def scan_segment(segment: Segment, disk: Disk) -> tuple[bytes, Scanned]:
    """A segment's bytes and how far they can be read."""
    image = read_segment(segment, disk)
    return image, scan(image, segment.header)
