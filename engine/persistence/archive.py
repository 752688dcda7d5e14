"""What happens to the journal behind the oldest kept snapshot: moved, thinned, and deleted only when told."""

from __future__ import annotations

import itertools
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from engine.core.events import BookSnapshot, BookUpdate
from engine.persistence.directory import JournalDirectory
from engine.persistence.disk import Disk
from engine.persistence.errors import DamageError
from engine.persistence.format import (
    HEADER_BYTES,
    MORE,
    PAGE,
    THINNED,
    WHOLE,
    RecordType,
    SegmentHeader,
    record_bytes,
)
from engine.persistence.records import decode
from engine.persistence.scanner import Record, Scanned, records_of
from engine.persistence.segments import ARCHIVE, Segment, open_segment, scan_segment, segment_names
from engine.persistence.settings import MarketDataClass
from engine.persistence.snapshots import LEAST_KEPT, load, seq_of, snapshot_names

_DAY_NS: Final = 86_400_000_000_000


def retire(directory: JournalDirectory, keep_snapshots: int, market_data: MarketDataClass) -> list[str]:
    """Let go of what no kept snapshot needs; the names of the segments that moved to the archive.

    Snapshots beyond the newest `keep_snapshots` are deleted first, then segments that lie wholly at or
    below the oldest kept one move, oldest first. Killed at any point, the next time goes on.
    """
    disk, folder = directory.disk, directory.path
    names = snapshot_names(folder, disk)
    kept = _newest_sound(directory, names, max(keep_snapshots, LEAST_KEPT))
    if len(kept) < LEAST_KEPT:
        return []
    for name in names[: names.index(kept[-1])]:
        disk.unlink(f"{folder}/{name}")
    segments = segment_names(folder, disk)
    oldest = seq_of(kept[-1])
    moved = []
    for name, after in itertools.pairwise(segments):
        if int(after[:20]) - 1 > oldest:
            break
        _move(directory, name, market_data)
        moved.append(name)
    return moved


def _newest_sound(directory: JournalDirectory, names: list[str], count: int) -> list[str]:
    """The newest snapshots that can be read, newest first: one that cannot is nothing to go on from."""
    found: list[str] = []
    for name in reversed(names):
        with suppress(DamageError):
            load(directory.path, name, directory.disk, directory.uuid)
            found.append(name)
        if len(found) == count:
            break
    return found


def _move(directory: JournalDirectory, name: str, market_data: MarketDataClass) -> None:
    disk, folder = directory.disk, directory.path
    archive = f"{folder}/{ARCHIVE}"
    with suppress(FileExistsError):
        disk.mkdir(archive)
        disk.sync_folder(folder)
    thinned = None if market_data is MarketDataClass.FULL else _thinned(directory, name, market_data)
    if thinned is None:
        disk.rename(f"{folder}/{name}", f"{archive}/{name}")
        disk.sync_folder(archive)
    else:
        disk.write_whole(archive, name, thinned)
        disk.unlink(f"{folder}/{name}")
    disk.sync_folder(folder)


def _thinned(directory: JournalDirectory, name: str, market_data: MarketDataClass) -> bytes | None:
    """A segment without most of its market data and its timers; None for one that cannot be read to its end.

    What is left of that one is evidence, every byte of it.
    """
    try:
        segment = open_segment(directory.path, name, directory.disk, directory.uuid)
        image, found = scan_segment(segment, directory.disk)
        if found.stop or not found.is_sealed:
            return None
        return _written_anew(segment, image, found, market_data)
    except DamageError:
        return None


def _written_anew(segment: Segment, image: bytes, found: Scanned, market_data: MarketDataClass) -> bytes:
    """Numbers stay as they were."""
    old = segment.header
    salt = secrets.randbits(64)
    body = bytearray()
    is_dropped = False
    for record in records_of(image, old, segment.name, found.committed_end):
        if not is_dropped:
            is_dropped = _is_dropped(record, market_data)
        if is_dropped:
            is_dropped = bool(record.flags & MORE)
            continue
        body += record_bytes(
            salt,
            old.crc_kind,
            record.seq,
            record.ts_ns,
            record.kind,
            record.flags,
            record.lag,
            record.payload,
        )
    size = -(-(HEADER_BYTES + len(body)) // PAGE) * PAGE
    header = SegmentHeader(
        size=size,
        index=old.index,
        first_seq=old.first_seq,
        created_ns=old.created_ns,
        uuid=old.uuid,
        salt=salt,
        previous_salt=old.previous_salt,
        previous_crc=old.previous_crc,
        crc_kind=old.crc_kind,
        flags=WHOLE | THINNED,
    )
    return (header.pack() + body).ljust(size, b"\0")


def _is_dropped(record: Record, market_data: MarketDataClass) -> bool:
    if record.kind in (RecordType.TIMER_EVENT, RecordType.MD_CHECKPOINT):
        return True
    if record.kind != RecordType.MARKET_EVENT:
        return False
    if market_data is MarketDataClass.OFF or record.flags & MORE:
        return True
    return isinstance(decode(record.payload, record.seq), BookSnapshot | BookUpdate)


@dataclass(frozen=True, slots=True)
class ArchiveSize:
    """What the archive holds."""

    files: int
    bytes: int
    oldest_ns: int | None
    """When its oldest file was begun, wall clock."""


def archive_size(folder: str, disk: Disk, uuid: bytes) -> ArchiveSize:
    """How large the archive is, and how old."""
    segments = _archived(folder, disk, uuid)
    return ArchiveSize(
        len(segments),
        sum(segment.file_bytes for segment in segments),
        min((segment.header.created_ns for segment in segments), default=None),
    )


def delete_beyond(directory: JournalDirectory, most_days: int, most_bytes: int, now_ns: int) -> list[str]:
    """Delete archived segments, oldest first, until neither limit is exceeded; their names."""
    disk = directory.disk
    segments = _archived(directory.path, disk, directory.uuid)
    left = sum(segment.file_bytes for segment in segments)
    deleted = []
    for segment in segments:
        is_old = now_ns - segment.header.created_ns > most_days * _DAY_NS
        if left <= most_bytes and not is_old:
            break
        disk.unlink(segment.path)
        left -= segment.file_bytes
        deleted.append(segment.name)
    if deleted:
        disk.sync_folder(f"{directory.path}/{ARCHIVE}")
    return deleted


def _archived(folder: str, disk: Disk, uuid: bytes) -> list[Segment]:
    archive = f"{folder}/{ARCHIVE}"
    found = []
    for name in segment_names(archive, disk):
        with suppress(DamageError):  # `journal verify` tells of it
            found.append(open_segment(archive, name, disk, uuid))
    return found
