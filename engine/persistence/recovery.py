"""Recovery: from a folder as a crash left it to a state, the records behind it, and where to go on.

What is on disk decides, and only what could never have been acknowledged is cut off, with a copy kept
beside. Run twice, or killed at any point and run again, it comes to the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from engine.persistence.continuation import Chain, Continuation, OpenSegment
from engine.persistence.cutting import broken_name, cut_behind, keep_copy
from engine.persistence.directory import JournalDirectory
from engine.persistence.errors import DamageError, JournalError
from engine.persistence.records import Entry, LogCut, batches_of
from engine.persistence.scanner import Record, Scanned, look_on, records_of, scan
from engine.persistence.segments import (
    Segment,
    check_chain,
    check_seal,
    damaged,
    is_never_begun,
    open_segment,
    read_file,
    read_segment,
    scan_segment,
    segment_names,
)
from engine.persistence.snapshots import Snapshot, newest_first


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
    """The file that has what was dropped."""
    warnings: list[str] = field(default_factory=list)
    _parts: list[tuple[bytes, Segment, int]] = field(default_factory=list)

    @property
    def last_seq(self) -> int:
        """The last record; 0 where there is none."""
        return self.continuation.next_seq - 1

    def records(self) -> Iterator[Record]:
        """The records behind the snapshot, in order, whole batches alone. Can be asked for again."""
        least = 0 if self.snapshot is None else self.snapshot.seq
        for image, segment, end in self._parts:
            for record in records_of(image, segment.header, segment.name, end):
                if record.seq > least:
                    yield record

    def batches(self) -> Iterator[list[Entry]]:
        """The same by batches, with what they mean."""
        least = 1 if self.snapshot is None else self.snapshot.seq + 1
        for image, _, end in self._parts:
            yield from batches_of(image, end, least)


def recover(directory: JournalDirectory, *, is_cut_allowed: bool = True) -> RecoveredJournal:
    """Read a journal in and mend its torn end. The folder is locked, and its `.tmp-*` files are gone.

    Raises `DamageError`, with nothing changed, where data that was on the disk once cannot be read; with
    `is_cut_allowed` False also where somebody cut the last file off. `JournalError` when the disk fails.
    """
    try:
        return _recover(directory, is_cut_allowed)
    except OSError as error:
        where = error.filename or directory.path
        raise JournalError(
            f"the journal cannot be read in: {where}: {error.strerror}. No order was sent; mend the disk, "
            "then start again"
        ) from error


def _recover(directory: JournalDirectory, is_cut_allowed: bool) -> RecoveredJournal:
    warnings: list[str] = []
    segments = _list(directory)
    sound = list(newest_first(directory.path, directory.disk, directory.uuid, warnings))
    if not segments:
        if sound:
            raise DamageError(
                f"{directory.path} has states and no journal they belong to; nothing was changed"
            )
        return RecoveredJournal(Continuation(), None, warnings=warnings)
    watermark = max((snapshot.seq for snapshot in sound), default=0)
    parts: list[tuple[bytes, Segment, int]] = []
    snapshot, start = _start(sound, segments, directory, warnings)
    for segment, after in zip(segments[start:-1], segments[start + 1 :], strict=True):
        image, found = scan_segment(segment, directory.disk)
        check_seal(segment, found, after)
        parts.append((image, segment, found.committed_end))
    result = _last(directory, segments[-1], watermark, is_cut_allowed, warnings)
    result.snapshot = snapshot
    result._parts = parts + result._parts
    return result


def _list(directory: JournalDirectory) -> list[Segment]:
    """The segments, in order and following one another. A last one that was never begun is removed."""
    disk, folder = directory.disk, directory.path
    names = segment_names(folder, disk)
    segments: list[Segment] = []
    for name in names:
        try:
            segment = open_segment(folder, name, disk, directory.uuid)
        except DamageError:
            path = f"{folder}/{name}"
            if name != names[-1] or not is_never_begun(path, disk):
                raise
            disk.unlink(path)
            disk.sync_folder(folder)
            continue
        if segments:
            check_chain(segments[-1], segment)
        segments.append(segment)
    return segments


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
    for record in records_of(image, segment.header, segment.name, found.end):
        if record.seq == snapshot.seq:
            return (
                int.from_bytes(image[record.offset + 4 : record.offset + 8], "little") == snapshot.record_crc
            )
    return False


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
    for record in look_on(image, segment.header, end, seq + 1):
        watermark = max(watermark, record.seq - record.lag)
    if watermark > seq:
        raise damaged(segment, found, watermark, "it is not an end that a crash leaves")
    is_cut_off = segment.file_bytes < segment.header.size
    if is_cut_off:
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
    is_torn = any(memoryview(image)[end:]) or is_cut_off
    if found.is_sealed:
        return _sealed(directory, segment, image, found, broken, warnings)
    if not is_torn and not _exists(directory, broken):
        descriptor = disk.open(segment.path, os.O_RDWR)
        try:
            disk.fdatasync(descriptor)
        finally:
            disk.close(descriptor)
        go_on = OpenSegment(segment.name, segment.header, end, found.committed_records)
        continuation = Continuation(seq + 1, go_on, None, found.crc)
        return RecoveredJournal(continuation, None, warnings=warnings, _parts=[(image, segment, end)])
    if not _exists(directory, broken):
        keep_copy(directory, segment, broken)
    cut_behind(directory, segment, end, seq, found.committed_records)
    image = read_segment(segment, disk)
    return _sealed(directory, segment, image, scan(image, segment.header), broken, warnings)


def _sealed(
    directory: JournalDirectory,
    segment: Segment,
    image: bytes,
    found: Scanned,
    broken: str,
    warnings: list[str],
) -> RecoveredJournal:
    """A last segment with its end mark: a new one follows. What was cut from it is told there."""
    if found.stop:
        raise damaged(segment, found, None, "its end mark stands before it")
    chain = Chain(segment.header.index, segment.header.salt, found.crc)
    kept = broken_name(segment.name, found.seq)
    cut = _cut_of(directory, segment, kept, found) if _exists(directory, kept) else None
    descriptor = directory.disk.open(segment.path, os.O_RDWR)
    try:
        directory.disk.fdatasync(descriptor)
    finally:
        directory.disk.close(descriptor)
    continuation = Continuation(found.seq + 1, None, chain, found.crc, cut)
    result = RecoveredJournal(
        continuation, None, warnings=warnings, _parts=[(image, segment, found.committed_end)]
    )
    if cut is not None:
        result.bytes_dropped, result.records_dropped = cut.bytes_dropped, cut.records_dropped
        result.kept_as = cut.kept_as
    return result


def _cut_of(directory: JournalDirectory, segment: Segment, kept: str, found: Scanned) -> LogCut:
    """What was cut from a segment, told from the copy that was kept: the same whenever it is asked."""
    image = read_file(f"{directory.path}/{kept}", directory.disk).ljust(segment.header.size, b"\0")
    before = scan(image, segment.header)
    rest = image[before.committed_end :].rstrip(b"\0")
    later = sum(1 for _ in look_on(image, segment.header, before.committed_end, before.committed_seq + 1))
    return LogCut(len(rest), later, kept)


def _exists(directory: JournalDirectory, name: str) -> bool:
    return name in directory.disk.listdir(directory.path)
