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
from engine.persistence.format import HEADER_BYTES, THINNED, SegmentHeader
from engine.persistence.scanner import Scanned, scan

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
    header = SegmentHeader.unpack(page, path)
    if header.uuid != uuid:
        raise DamageError(f"{path} belongs to another journal ({header.uuid.hex()}); nothing was changed")
    if header.first_seq != int(name[:20]) or not HEADER_BYTES <= header.size <= MOST_SEGMENT:
        raise DamageError(f"{path}: the header at offset 0 does not fit the file's name; nothing was changed")
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
    return len(image) > HEADER_BYTES and not any(image[HEADER_BYTES:])


def check_chain(before: Segment, after: Segment) -> None:
    """`DamageError` when `after` does not follow `before`."""
    header = after.header
    if header.index != before.header.index + 1 or (
        header.previous_salt != before.header.salt and not before.is_thinned
    ):
        raise DamageError(
            f"{after.path} does not follow {before.name}: a file is missing, or is not from this journal. "
            "Nothing was changed; see `pinnacle-tui journal verify`"
        )


def check_seal(segment: Segment, found: Scanned, after: Segment) -> None:
    """`DamageError` when a segment that another follows is not whole to its end mark, or is another's."""
    if not found.is_sealed or found.stop:
        raise damaged(segment, found, None, "a file follows it, so it was whole once")
    if after.header.first_seq != found.seq + 1 or after.header.previous_crc != found.crc:
        raise DamageError(
            f"{after.path} does not follow {segment.name}, which ends with record {found.seq}. Nothing was "
            "changed; see `pinnacle-tui journal verify`"
        )


def damaged(segment: Segment, found: Scanned, watermark: int | None, why: str) -> DamageError:
    """What is said of durable data that cannot be read."""
    seq = found.committed_seq + 1
    known = "" if watermark is None else f", records up to {watermark} were on the disk once"
    return DamageError(
        f"{segment.path} is damaged at offset {found.committed_end}: record {seq} cannot be read "
        f"({found.stop or 'the end mark is missing'}){known}; {why}. Nothing was changed and no order was "
        f"sent. See `pinnacle-tui journal verify`; `journal repair --truncate-at {seq}` says what "
        "giving up the rest would mean",
        file=segment.path,
        offset=found.committed_end,
        seq=seq,
    )


def scan_segment(segment: Segment, disk: Disk) -> tuple[bytes, Scanned]:
    """A segment's bytes and how far they can be read."""
    image = read_segment(segment, disk)
    return image, scan(image, segment.header)
