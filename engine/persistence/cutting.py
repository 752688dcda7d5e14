"""Cutting a segment's end off: a copy is kept, zeros take its place, and an end mark closes it."""

from __future__ import annotations

import os
from typing import Final

from engine.persistence.directory import JournalDirectory
from engine.persistence.format import COMMIT, RecordType, record_bytes
from engine.persistence.segments import Segment, read_file

_ZEROS: Final = bytes(1 << 20)


def broken_name(name: str, seq: int) -> str:
    """The copy of a segment that was cut off before record `seq`: the name says that it was begun."""
    return f"{name}.{seq}.broken"


def keep_copy(directory: JournalDirectory, segment: Segment, broken: str) -> None:
    """Put a copy of a segment beside it, whole or not at all. Raises `OSError`."""
    directory.disk.write_whole(directory.path, broken, read_file(segment.path, directory.disk))


def cut_behind(directory: JournalDirectory, segment: Segment, end: int, last_seq: int, records: int) -> None:
    """Zeros from offset `end` on, then the end mark there, each on the disk before the next.

    `last_seq` is the record before, `records` how many there are. Done twice it comes to the same. Raises
    `OSError`.
    """
    disk, header = directory.disk, segment.header
    descriptor = disk.open(segment.path, os.O_RDWR)
    try:
        for offset in range(end, header.size, len(_ZEROS)):
            disk.pwrite(descriptor, _ZEROS[: header.size - offset], offset)
        disk.fdatasync(descriptor)
        before = records.to_bytes(8, "little")
        seal = record_bytes(
            header.salt, header.crc_kind, last_seq + 1, header.created_ns, RecordType.SEAL, COMMIT, 1, before
        )
        disk.pwrite(descriptor, seal, end)
        disk.fdatasync(descriptor)
    finally:
        disk.close(descriptor)
