"""Cutting a journal's end off: it is kept beside, zeros take its place, and an end mark closes it."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from engine.persistence.directory import JournalDirectory
from engine.persistence.errors import DamageError
from engine.persistence.format import (
    COMMIT,
    HEADER_BYTES,
    SEAL_BYTES,
    RecordType,
    SegmentHeader,
    record_bytes,
)
from engine.persistence.records import LogCut
from engine.persistence.scanner import Scanned, look_on
from engine.persistence.segments import Segment, read_file

_ZEROS: Final = bytes(1 << 20)
_PUT_ASIDE: Final = re.compile(r"(\d{20})\.pjl(-\d+)?\.broken")


def broken_name(name: str, seq: int) -> str:
    """The copy of a segment that was cut off before record `seq`: the name says that it was begun."""
    return f"{name}.{seq}.broken"


def put_aside_name(name: str, taken: Collection[str]) -> str:
    """What a file that is given up as a whole is called: one that was put aside before stays."""
    names = (f"{name}{'' if number == 1 else f'-{number}'}.broken" for number in itertools.count(1))
    return next(each for each in names if each not in taken)


def keep_copy(directory: JournalDirectory, segment: Segment, broken: str) -> None:
    """Put a copy of a segment beside it, whole or not at all, under this name.

    Another copy of that name stays; the new one gets a number where it is different. Raises `OSError`.
    """
    disk, folder = directory.disk, directory.path
    content = read_file(segment.path, disk)
    names = disk.listdir(folder)
    if broken in names and read_file(f"{folder}/{broken}", disk) != content:
        broken = put_aside_name(broken.removesuffix(".broken"), names)
    if broken not in names:
        disk.write_whole(folder, broken, content)


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


class _Part(NamedTuple):
    """A file that holds something of what was cut off: from this offset and record on."""

    name: str
    header: SegmentHeader | None
    """None where it cannot be read."""
    start: int
    seq: int


def cut_behind_seal(directory: JournalDirectory, segment: Segment, found: Scanned) -> LogCut | None:
    """What was cut off behind a sealed last segment, told from what was kept: the same whenever it is asked.

    None where nothing was. Raises `OSError`.
    """
    names = directory.disk.listdir(directory.path)
    copy = broken_name(segment.name, found.seq)
    parts = [_Part(copy, segment.header, found.committed_end - SEAL_BYTES, found.seq)] * (copy in names)
    parts += _put_aside(directory, names, segment.header.salt, found.seq + 1)
    if not parts:
        return None
    size = records = 0
    for name, header, start, seq in parts:
        image = read_file(f"{directory.path}/{name}", directory.disk)
        size += len(image[start:].rstrip(b"\0"))
        if header is not None:
            records += sum(1 for _ in look_on(image.ljust(header.size, b"\0"), header, start, seq))
    return LogCut(size, records, parts[0].name)


def _put_aside(directory: JournalDirectory, names: list[str], salt: int, next_seq: int) -> Iterator[_Part]:
    """The segments that a repair has put aside behind one with this salt.

    What an earlier repair has put aside may have names as late; it followed another segment.
    """
    before: int | None = salt
    for name in names:
        match = _PUT_ASIDE.fullmatch(name)
        if match is None or (first := int(match[1])) < next_seq:
            continue
        header = None
        with suppress(DamageError):
            page = read_file(f"{directory.path}/{name}", directory.disk, HEADER_BYTES)
            header = SegmentHeader.unpack(page, name)
        if header is None:
            follows = before is None or first == next_seq
        else:
            follows = before in (None, header.previous_salt)
        if follows:
            before = None if header is None else header.salt
            yield _Part(name, header, HEADER_BYTES, first)
