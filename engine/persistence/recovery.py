"""Recovery: from a folder as a crash left it to a state, the records behind it, and where to go on.

What is on disk decides, and only what could never have been acknowledged is cut off, with a copy kept
beside. Run twice, or killed at any point and run again, it comes to the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from engine.persistence.continuation import Chain, Continuation, OpenSegment
from engine.persistence.cutting import broken_name, cut_behind, cut_behind_seal, keep_copy
from engine.persistence.directory import JournalDirectory
from engine.persistence.disk import DISK, Disk
from engine.persistence.errors import DamageError, JournalError
from engine.persistence.records import Entry, batches_of
from engine.persistence.scanner import Record, Scanned, crc_of, is_blank, records_of, scan
from engine.persistence.segments import (
    Segment,
    check_chain,
    check_seal,
    damaged,
    is_cut_off,
    is_never_begun,
    judge_end,
    open_segment,
    read_segment,
    scan_segment,
    segment_names,
    unreadable,
)
from engine.persistence.snapshots import Snapshot, newest_first


class _Part(NamedTuple):
    """A segment whose records before offset `end` were found whole."""

    segment: Segment
    end: int
    image: bytes | None
    """None where it is read again: not all of a long journal is held in memory."""


@dataclass(slots=True)
class RecoveredJournal:
    """What a journal holds, verified."""

    continuation: Continuation
    snapshot: Snapshot | None
    """The newest sound one."""
    bytes_dropped: int = 0
    records_dropped: int = 0
    """Whole ones, of a batch that was not."""
    kept_as: str = ""
    """The file that has what was dropped, the first one of several."""
    warnings: list[str] = field(default_factory=list)
    _parts: list[_Part] = field(default_factory=list)
    _disk: Disk = DISK

    @property
    def last_seq(self) -> int:
        """The last record; 0 where there is none."""
        return self.continuation.next_seq - 1

    def records(self) -> Iterator[Record]:
        """The records behind the snapshot, in order, whole batches alone. Can be asked for again.

        Raises as `recover` does, where the disk does not give what it gave before.
        """
        least = 0 if self.snapshot is None else self.snapshot.seq
        for image, segment, end in self._images():
            for record in records_of(image, segment.header, segment.name, end):
                if record.seq > least:
                    yield record

    def batches(self) -> Iterator[list[Entry]]:
        """The same by batches, with what they mean."""
        least = 1 if self.snapshot is None else self.snapshot.seq + 1
        for image, _, end in self._images():
            yield from batches_of(image, end, least)

    def _images(self) -> Iterator[tuple[bytes, Segment, int]]:
        for segment, end, held in self._parts:
            image = held
            if image is None:
                with _reading(segment.folder):
                    image, found = scan_segment(segment, self._disk)
                if found.committed_end != end:
                    raise damaged(segment, found, None, "it could be read a moment ago")
            yield image, segment, end


def recover(directory: JournalDirectory, *, is_cut_allowed: bool = True) -> RecoveredJournal:
    """Read a journal in and mend its torn end. The folder is locked, and its `.tmp-*` files are gone.

    Raises `DamageError`, with nothing changed, where data that was on the disk once cannot be read; with
    `is_cut_allowed` False also where somebody cut the last file off. `JournalError` when the disk fails.
    """
    with _reading(directory.path):
        return _recover(directory, is_cut_allowed)


@contextmanager
def _reading(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or path
        raise JournalError(
            f"the journal cannot be read in: {where}: {error.strerror}. No order was sent; mend the disk, "
            "then start again"
        ) from error


def _recover(directory: JournalDirectory, is_cut_allowed: bool) -> RecoveredJournal:
    warnings: list[str] = []
    segments, unbegun = _list(directory)
    sound = list(newest_first(directory.path, directory.disk, directory.uuid, warnings))
    if not segments:
        if sound:
            raise DamageError(
                f"{directory.path} has states and no journal they belong to; nothing was changed"
            )
        _remove(directory, unbegun)
        return RecoveredJournal(Continuation(), None, warnings=warnings)
    watermark = max((snapshot.seq for snapshot in sound), default=0)
    parts: list[_Part] = []
    snapshot, start = _start(sound, segments, directory, warnings)
    for segment, after in zip(segments[start:-1], segments[start + 1 :], strict=True):
        _, found = scan_segment(segment, directory.disk)
        check_seal(segment, found, after)
        parts.append(_Part(segment, found.committed_end, None))
    result = _last(directory, segments[-1], watermark, is_cut_allowed, warnings)
    _remove(directory, unbegun)
    result.snapshot = snapshot
    result._parts = parts + result._parts
    result._disk = directory.disk
    return result


def _list(directory: JournalDirectory) -> tuple[list[Segment], str]:
    """The segments, in order and following one another; and the name of a last one that was never begun."""
    disk, folder = directory.disk, directory.path
    names = segment_names(folder, disk)
    segments: list[Segment] = []
    for name in names:
        try:
            segment = open_segment(folder, name, disk, directory.uuid)
        except DamageError as error:
            if name == names[-1] and is_never_begun(f"{folder}/{name}", disk):
                return segments, name
            raise unreadable(error) from None
        if segments:
            check_chain(segments[-1], segment)
        segments.append(segment)
    return segments, ""


def _remove(directory: JournalDirectory, unbegun: str) -> None:
    """Remove what a crash left of a segment before its first record."""
    if unbegun:
        directory.disk.unlink(f"{directory.path}/{unbegun}")
        directory.disk.sync_folder(directory.path)


def _start(
    sound: Sequence[Snapshot], segments: Sequence[Segment], directory: JournalDirectory, warnings: list[str]
) -> tuple[Snapshot | None, int]:
    """The snapshot to begin with, and the index of the segment that reading begins with."""
    for snapshot in sound:
        for index in range(len(segments) - 1, -1, -1):
            header = segments[index].header
            if header.first_seq <= snapshot.seq or header.first_seq == snapshot.seq + 1:
                if _fits(snapshot, segments[index], directory):
                    return snapshot, index
                warnings.append(
                    f"{snapshot.name} does not fit record {snapshot.seq}; an older state was taken"
                )
                break
    first = segments[0]
    if first.header.first_seq != 1:
        raise DamageError(
            f"{directory.path}: the journal begins with record {first.header.first_seq} and no state before "
            "it can be read: there is nothing to go on from. Nothing was changed and no order was sent"
        )
    return None, 0


def _fits(snapshot: Snapshot, segment: Segment, directory: JournalDirectory) -> bool:
    """False when the record that a snapshot stands behind is there and is another one."""
    if segment.header.first_seq > snapshot.seq:
        return True
    image, found = scan_segment(segment, directory.disk)
    if found.seq < snapshot.seq:
        return True  # that it is missing is judged by the watermark
    return crc_of(image, found.end, snapshot.seq) == snapshot.record_crc


def _last(
    directory: JournalDirectory,
    segment: Segment,
    watermark: int,
    is_cut_allowed: bool,
    warnings: list[str],
) -> RecoveredJournal:
    """Read the last segment and decide on its end."""
    disk = directory.disk
    image, found = scan_segment(segment, disk)
    end, seq = found.committed_end, found.committed_seq
    judge_end(segment, image, found, watermark)
    if found.is_sealed:
        return _sealed(directory, segment, image, found, warnings)
    is_short = is_cut_off(segment, found)
    if is_short:
        text = (
            f"{segment.name} has {segment.file_bytes} bytes of {segment.header.size}: somebody cut it off, "
            f"and what came after record {seq} is missing"
        )
        if not is_cut_allowed:
            raise DamageError(
                f"{text}. No order was sent; confirm: `pinnacle-tui journal repair --truncate-at {seq + 1}`"
            )
        warnings.append(text)
    broken = broken_name(segment.name, seq + 1)
    is_kept = broken in disk.listdir(directory.path)
    if not (is_short or is_kept) and is_blank(image, end):
        _sync(segment, disk)
        go_on = OpenSegment(segment.name, segment.header, end, found.committed_records)
        continuation = Continuation(seq + 1, go_on, None, found.crc)
        return RecoveredJournal(continuation, None, warnings=warnings, _parts=[_Part(segment, end, image)])
    if not is_kept:
        keep_copy(directory, segment, broken)
    cut_behind(directory, segment, end, seq, found.committed_records)
    image = read_segment(segment, disk)
    return _sealed(directory, segment, image, scan(image, segment.header), warnings)


def _sealed(
    directory: JournalDirectory,
    segment: Segment,
    image: bytes,
    found: Scanned,
    warnings: list[str],
) -> RecoveredJournal:
    """A last segment with its end mark: a new one follows. What was cut from it is told there."""
    chain = Chain(segment.header.index, segment.header.salt, found.crc)
    cut = cut_behind_seal(directory, segment, found)
    _sync(segment, directory.disk)
    continuation = Continuation(found.seq + 1, None, chain, found.crc, cut)
    result = RecoveredJournal(
        continuation, None, warnings=warnings, _parts=[_Part(segment, found.committed_end, image)]
    )
    if cut is not None:
        result.bytes_dropped, result.records_dropped = cut.bytes_dropped, cut.records_dropped
        result.kept_as = cut.kept_as
    return result


def _sync(segment: Segment, disk: Disk) -> None:
    descriptor = disk.open(segment.path, os.O_RDWR)
    try:
        disk.fdatasync(descriptor)
    finally:
        disk.close(descriptor)
