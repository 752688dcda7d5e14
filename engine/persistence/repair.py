"""Giving up the end of a damaged journal on purpose: everything that is cut away is kept beside it."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.errors import UsageError
from engine.persistence.cutting import broken_name, cut_behind, keep_copy, put_aside_name
from engine.persistence.directory import JournalDirectory, read_meta
from engine.persistence.disk import Disk
from engine.persistence.errors import DamageError, JournalError
from engine.persistence.format import COMMIT, HEADER_BYTES
from engine.persistence.scanner import records_of
from engine.persistence.segments import Segment, open_segment, scan_segment, segment_names
from engine.persistence.snapshots import seq_of, snapshot_names


@dataclass(frozen=True, slots=True)
class Plan:
    """What a repair does."""

    truncate_at: int
    """The first record to be dropped: the first one of its batch."""
    segment: Segment | None
    """The segment that is cut within; None where it is cut between two."""
    end: int
    """Offset of the cut in it."""
    records: int
    """That stay in it."""
    segments_dropped: tuple[str, ...]
    snapshots_dropped: tuple[str, ...]


def plan(path: str, truncate_at: int, disk: Disk) -> Plan:
    """What dropping everything from a record on means. Nothing is changed.

    Raises `UsageError` for a record that cannot be cut at, and as `read_meta` does.
    """
    uuid = bytes.fromhex(read_meta(path, disk).uuid)
    segments = segment_names(path, disk)
    holding = [name for name in segments if int(name[:20]) < truncate_at]
    if not holding:
        raise UsageError(
            f"--truncate-at {truncate_at}: the journal begins with record "
            f"{int(segments[0][:20]) if segments else 1}, nothing of it would be left. Nothing was changed"
        )
    try:
        segment = open_segment(path, holding[-1], disk, uuid)
    except DamageError as error:
        raise UsageError(
            f"--truncate-at {truncate_at}: {error}; cut at {int(holding[-1][:20])}, its beginning, or before"
        ) from None
    image, found = scan_segment(segment, disk)
    if truncate_at > found.committed_seq + 1:
        raise UsageError(
            f"--truncate-at {truncate_at}: records are sound up to {found.committed_seq}; cut at "
            f"{found.committed_seq + 1} or before. Nothing was changed"
        )
    if found.is_sealed and found.stop:  # what is behind the end mark goes, and the mark is set anew
        truncate_at = min(truncate_at, found.committed_seq)
    end, last_seq, records = HEADER_BYTES, segment.header.first_seq - 1, 0
    whole = list(records_of(image, segment.header, segment.name, found.committed_end))
    for number, record in enumerate(whole):
        if record.seq >= truncate_at:
            break
        if record.flags & COMMIT:
            last_seq, records = record.seq, number + 1
            end = whole[number + 1].offset if number + 1 < len(whole) else found.committed_end
    is_whole = found.is_sealed and end == found.committed_end and not found.stop
    cut_at = last_seq + 1
    names = snapshot_names(path, disk)
    return Plan(
        cut_at,
        None if is_whole else segment,
        end,
        records,
        tuple(name for name in segments if int(name[:20]) >= truncate_at),
        tuple(name for name in names if seq_of(name) >= cut_at),
    )


def carry_out(directory: JournalDirectory, decided: Plan) -> None:
    """Do it. Killed at any point, the same repair goes on. Raises `JournalError` when the disk fails."""
    disk, folder = directory.disk, directory.path
    try:
        for name in (*decided.snapshots_dropped, *reversed(decided.segments_dropped)):
            disk.rename(f"{folder}/{name}", f"{folder}/{put_aside_name(name, disk.listdir(folder))}")
            disk.sync_folder(folder)
        if decided.segment is not None:
            keep_copy(directory, decided.segment, broken_name(decided.segment.name, decided.truncate_at))
            cut_behind(directory, decided.segment, decided.end, decided.truncate_at - 1, decided.records)
    except OSError as error:
        raise JournalError(
            f"the repair of {folder} could not be finished: {error.strerror}; mend the disk, then repeat it"
        ) from error
