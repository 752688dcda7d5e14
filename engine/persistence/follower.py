"""Follows a journal as it grows: each look reads what is new and nothing else."""

from __future__ import annotations

import os
from typing import Final, Self

from engine.persistence.disk import DISK, Disk
from engine.persistence.errors import JournalError
from engine.persistence.format import CHECKSUMS, COMMIT, FRAME, FRAME_BYTES, HEADER_BYTES, RecordType
from engine.persistence.reader import JournalReader
from engine.persistence.scanner import Record
from engine.persistence.segments import ARCHIVE, Segment, open_segment, segment_names

_WINDOW: Final = 1 << 18
"""Bytes that are read at first; more where a batch is larger."""


class Follower:
    """The records of whole batches behind a number, as they come, from one segment to the next.

    A segment's file stays open until its end mark was read: what becomes of it meanwhile, in the archive or
    at the session's end, does not matter.
    """

    def __init__(self, reader: JournalReader, seen: int, disk: Disk = DISK) -> None:
        """`seen` is the last record that is known already."""
        self._reader = reader
        self._disk = disk
        self._seen = seen
        self._least_segment = 0
        """Segments that begin before this record were read to their end mark."""
        self._segment: Segment | None = None
        self._descriptor = -1
        self._at = 0
        """Offset of the next batch."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def look(self) -> list[Record]:
        """Some of what is new, in order; nothing once there is nothing new.

        Raises `DamageError` where a segment that another one follows cannot be read to its end,
        `JournalError` where the disk fails.
        """
        try:
            while (segment := self._segment or self._enter()) is not None:
                batches = self._next_batches(segment)
                if not batches and self._is_followed(segment):
                    # Sealed between the two looks, or damaged: then reading it all says so.
                    batches = self._next_batches(segment)
                    if not batches:
                        for _ in self._reader.records(self._seen + 1):
                            pass
                        self._leave()
                if not batches:
                    return []
                new = [record for record in batches if record.seq > self._seen]
                if new:
                    self._seen = new[-1].seq
                    return new
        except OSError as error:
            raise JournalError(
                f"{error.filename or self._reader.path} cannot be read: {error.strerror}; nothing was changed"
            ) from error
        return []

    def _enter(self) -> Segment | None:
        """Open the segment of the next record, if it is there yet."""
        names = self._segments()
        before = [name for name in names if int(name[:20]) <= self._seen + 1]
        name = max(before, default=None) or min(names, default=None)
        if name is None:
            return None
        try:
            self._segment = open_segment(names[name], name, self._disk, self._reader.uuid)
            self._descriptor = self._disk.open(self._segment.path, os.O_RDONLY)
        except FileNotFoundError:  # it moves to the archive just now; the next look finds it there
            self._segment = None
        self._at = HEADER_BYTES
        return self._segment

    def _leave(self) -> None:
        if self._segment is not None:
            self._segment = None
            self._disk.close(self._descriptor)

    def _is_followed(self, segment: Segment) -> bool:
        return any(int(name[:20]) > segment.header.first_seq for name in self._segments())

    def _segments(self) -> dict[str, str]:
        """The folder of each segment that was not read yet."""
        return {
            name: folder
            for folder in (f"{self._reader.path}/{ARCHIVE}", self._reader.path)
            for name in segment_names(folder, self._disk)
            if int(name[:20]) >= self._least_segment
        }

    def _next_batches(self, segment: Segment) -> list[Record]:
        """The records of the whole batches that follow, a windowful of them."""
        window = _WINDOW
        while True:
            image = self._disk.pread(self._descriptor, min(window, segment.header.size - self._at), self._at)
            batches, end, is_cut = self._batches(image, segment)
            if batches or not is_cut or len(image) < window:
                break
            window *= 2
        self._at += end
        if batches and batches[-1].kind == RecordType.SEAL:
            self._least_segment = segment.header.first_seq + 1
            self._leave()
        return batches

    def _batches(self, image: bytes, segment: Segment) -> tuple[list[Record], int, bool]:
        """The whole batches at the beginning, where they end, and whether the bytes end within a record."""
        checksum, salt = CHECKSUMS[segment.header.crc_kind], segment.header.salt & 0xFFFFFFFF
        view = memoryview(image)
        records: list[Record] = []
        count = at = end = 0
        while at + FRAME_BYTES <= len(image):
            length, crc, seq, ts_ns, kind, flags, lag = FRAME.unpack_from(image, at)
            stop = at + FRAME_BYTES + length
            if length and stop > len(image):
                break
            if not length or checksum(view[at + 8 : stop], checksum(view[at : at + 4], salt)) != crc:
                return records[:count], end, False
            payload = image[at + FRAME_BYTES : stop]
            records.append(Record(seq, ts_ns, kind, flags, lag, payload, segment.name, self._at + at))
            at = (stop + 7) & ~7
            if flags & COMMIT:
                count, end = len(records), at
        return records[:count], end, True
