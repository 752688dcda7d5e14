"""Reads a journal without a lock and without changing it: also beside the engine that writes it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from engine.persistence.directory import read_meta
from engine.persistence.disk import DISK, Disk
from engine.persistence.errors import DamageError, JournalError
from engine.persistence.records import Entry, batches_of
from engine.persistence.scanner import Record, Scanned, crc_of, padding_flips, records_of, scan
from engine.persistence.segments import (
    ARCHIVE,
    Segment,
    check_chain,
    check_seal,
    damaged,
    is_cut_off,
    is_never_begun,
    judge_end,
    open_segment,
    read_segment,
    segment_names,
)
from engine.persistence.snapshots import Snapshot, load, snapshot_names

CLEAN: Final = "clean"
TORN: Final = "torn"
CORRUPT: Final = "corrupt"
_MOST_PROBLEMS: Final = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it should be."""

    file: str
    offset: int | None
    text: str
    seq: int | None = None
    """The first record that it concerns, where that is known."""


@dataclass(slots=True)
class VerifyReport:
    """What was checked, and what was found."""

    status: str = CLEAN
    """`clean`, `torn` (an end that a crash leaves, which the next start cuts off), or `corrupt`."""
    segments: int = 0
    records: int = 0
    bytes: int = 0
    """Of all files of the journal."""
    first_seq: int = 0
    last_seq: int = 0
    """The last record of a whole batch."""
    first_ns: int = 0
    last_ns: int = 0
    """Wall clock of the first and the last record."""
    snapshots: int = 0
    torn_bytes: int = 0
    torn_records: int = 0
    problems: list[Problem] = field(default_factory=list)

    def tell(self, status: str, file: str, offset: int | None, text: str, seq: int | None = None) -> None:
        """Note a problem; the worst status stays."""
        if self.status != CORRUPT:
            self.status = status
        if len(self.problems) < _MOST_PROBLEMS:
            self.problems.append(Problem(file, offset, text, seq))

    def tell_damage(self, file: str, error: DamageError) -> None:
        """Note what an error says; `file` is where it was met."""
        self.tell(CORRUPT, error.file or file, error.offset, str(error), error.seq)


class JournalReader:
    """The journal in a folder, archived segments included. Raises as `read_meta` does."""

    def __init__(self, path: str, disk: Disk = DISK, *, with_archive: bool = True) -> None:
        self.path = path
        self.uuid = bytes.fromhex(read_meta(path, disk).uuid)
        self._disk = disk
        self._with_archive = with_archive
        self._archive = f"{path}/{ARCHIVE}"

    def segments(self) -> list[Segment]:
        """The segments there are now, in order. `DamageError` for one whose header cannot be read.

        A last one that a crash left before its first record is none.
        """
        found = []
        for each in self._listed()[0]:
            if isinstance(each, DamageError):
                raise each
            found.append(each)
        return found

    def _listed(self) -> tuple[list[Segment | DamageError], str]:
        """The segments, or why one cannot be read, in order; and the file of one that was never begun."""
        # In this order: one that moves to the archive meanwhile is found in one of them, or in both.
        folders = [self.path, self._archive] if self._with_archive else [self.path]
        found: dict[str, Segment | DamageError] = {}
        with self._reading():
            for folder in folders:
                for name in segment_names(folder, self._disk):
                    with suppress(FileNotFoundError):  # deleted from the archive since it was listed
                        found[name] = self._open(folder, name)
            names = sorted(found)
            unbegun = ""
            if (
                names
                and isinstance(last := found[names[-1]], DamageError)
                and last.file == f"{self.path}/{names[-1]}"
                and is_never_begun(last.file, self._disk)
            ):
                unbegun = last.file
                names.pop()
        return [found[name] for name in names], unbegun

    def _open(self, folder: str, name: str) -> Segment | DamageError:
        try:
            return open_segment(folder, name, self._disk, self.uuid)
        except FileNotFoundError:
            return open_segment(self._archive, name, self._disk, self.uuid)
        except DamageError as error:
            return error

    def snapshots(self) -> list[Snapshot]:
        """The sound snapshots, oldest first; `verify` tells of the others."""
        return [state for state in self._states() if isinstance(state, Snapshot)]

    def records(self, from_seq: int = 1, to_seq: int | None = None) -> Iterator[Record]:
        """The records of whole batches, from one number to another, both included.

        Raises `DamageError` where data that was on the disk once cannot be read, after everything before it
        has been told. The growing end of a running engine, and a torn one, just end.
        """
        for segment, image, end in self._parts(from_seq, to_seq):
            for record in records_of(image, segment.header, segment.name, end):
                if to_seq is not None and record.seq > to_seq:
                    break
                if record.seq >= from_seq:
                    yield record

    def segment_start(self, seq: int) -> int:
        """The first record of the file that a record is in, or would be; 1 where there is none."""
        starts = (_first_seq(each) for each in self._listed()[0])
        return max((start for start in starts if start <= seq), default=1)

    def last_seq(self) -> int:
        """The last record of the last whole batch; 0 where there is none."""
        segments = self.segments()
        return self._read(segments[-1])[2].committed_seq if segments else 0

    def batches(self, from_seq: int = 1, to_seq: int | None = None) -> Iterator[list[Entry]]:
        """The same by batches, with what they mean: those that begin within the two numbers."""
        for _, image, end in self._parts(from_seq, to_seq):
            yield from batches_of(image, end, from_seq, to_seq)

    def _parts(self, from_seq: int, to_seq: int | None) -> Iterator[tuple[Segment, bytes, int]]:
        """The segments that hold these records, each with its bytes and the end of its whole batches."""
        listed = self._listed()[0]
        for index, segment in enumerate(listed):
            after = listed[index + 1] if index + 1 < len(listed) else None
            if after is not None and _first_seq(after) <= from_seq:
                continue
            if to_seq is not None and _first_seq(segment) > to_seq:
                return
            if isinstance(segment, DamageError):
                raise segment
            segment, image, found = self._read(segment)
            yield segment, image, found.committed_end
            if to_seq is not None and found.seq >= to_seq:
                return
            if after is None:
                judge_end(segment, image, found)
            elif isinstance(after, Segment) and not segment.is_thinned:
                check_seal(segment, found, after)

    def verify(
        self, *, is_deep: bool = False, progress: Callable[[int], None] = lambda _: None
    ) -> VerifyReport:
        """Check every header, the chain, every checksum, number and batch, and every snapshot.

        `is_deep` adds the zeros between records. `progress` is told of bytes that were checked.
        """
        report = VerifyReport()
        # States first: what is saved meanwhile stands behind records that were not read yet.
        states = self._states()
        crcs = {state.seq: -1 for state in states if isinstance(state, Snapshot)}
        listed, unbegun = self._listed()
        report.segments = len(listed)
        run: list[Segment] = []
        for each in (*listed, None):
            if isinstance(each, Segment):
                run.append(each)
                continue
            self._verify_run(run, report, crcs, is_deep=is_deep, progress=progress)
            run = []
            if each is not None:
                report.tell_damage(each.file, each)
        if unbegun:
            report.tell(
                TORN, unbegun, 0, "a crash left it before its first record; the next start removes it"
            )
        for state in states:
            self._verify_state(state, report, crcs)
        return report

    def _verify_run(
        self,
        segments: list[Segment],
        report: VerifyReport,
        crcs: dict[int, int],
        *,
        is_deep: bool,
        progress: Callable[[int], None],
    ) -> None:
        """Segments that follow one another; a run ends at the journal's end or at an unreadable header.

        `crcs` is told the crc field of the records whose numbers it has.
        """
        if segments and not report.first_seq:
            report.first_seq = segments[0].header.first_seq
        for index, segment in enumerate(segments):
            after = segments[index + 1] if index + 1 < len(segments) else None
            try:
                self._verify_segment(segment, after, report, crcs, is_deep=is_deep)
            except DamageError as error:
                report.tell_damage(segment.path, error)
            progress(segment.file_bytes)
        for before, after in pairwise(segments):
            try:
                check_chain(before, after)
            except DamageError as error:
                report.tell(CORRUPT, after.path, 0, str(error), after.header.first_seq)

    def _verify_segment(
        self,
        segment: Segment,
        after: Segment | None,
        report: VerifyReport,
        crcs: dict[int, int],
        *,
        is_deep: bool,
    ) -> None:
        segment, image, found = self._read(segment)
        for seq in crcs:
            if segment.header.first_seq <= seq <= found.committed_seq and not segment.is_thinned:
                crc = crc_of(image, found.committed_end, seq)
                crcs[seq] = -1 if crc is None else crc
        report.bytes += segment.file_bytes
        report.records += found.committed_records
        report.last_seq = max(report.last_seq, found.committed_seq)
        records = records_of(image, segment.header, segment.name, found.committed_end)
        first = next(records, None)
        if first is not None:
            report.first_ns = report.first_ns or first.ts_ns
            report.last_ns = first.ts_ns
            for record in records:
                report.last_ns = record.ts_ns
        if is_deep:
            for offset in padding_flips(image, found.committed_end):
                report.tell(CORRUPT, segment.path, offset, "a byte that belongs to no record is not zero")
        if after is not None:
            if not segment.is_thinned:
                check_seal(segment, found, after)
            elif found.stop:
                raise damaged(segment, found, None, "it was written whole")
            return
        later = judge_end(segment, image, found)
        torn = image[found.committed_end :].rstrip(b"\0")
        is_short = is_cut_off(segment, found)
        if torn or is_short:
            report.torn_bytes, report.torn_records = len(torn), later
            text = (
                f"{len(torn)} bytes behind record {found.committed_seq} were never acknowledged "
                f"({found.stop or 'a batch that was not finished'}); the next start cuts them off and keeps "
                "a copy"
            )
            if is_short:
                text = (
                    f"the file has {segment.file_bytes} bytes of {segment.header.size}: somebody cut it off; "
                    f"records up to {found.committed_seq} are there"
                )
            report.tell(TORN, segment.path, found.committed_end, text, found.committed_seq + 1)

    def _states(self) -> list[Snapshot | DamageError]:
        """The snapshots there are now, or why one cannot be read, oldest first."""
        found: list[Snapshot | DamageError] = []
        with self._reading():
            for name in snapshot_names(self.path, self._disk):
                try:
                    found.append(load(self.path, name, self._disk, self.uuid))
                except FileNotFoundError:  # retired meanwhile
                    continue
                except DamageError as error:
                    error.file = error.file or f"{self.path}/{name}"
                    found.append(error)
        return found

    def _verify_state(
        self, state: Snapshot | DamageError, report: VerifyReport, crcs: dict[int, int]
    ) -> None:
        if isinstance(state, DamageError):
            report.tell_damage(state.file, state)
            return
        report.snapshots += 1
        path = f"{self.path}/{state.name}"
        if state.seq > report.last_seq:
            text = (
                f"it is the state after record {state.seq}, and the journal ends with "
                f"{report.last_seq}: records that were on the disk once are missing"
            )
            report.tell(CORRUPT, path, None, text)
        elif crcs[state.seq] not in (-1, state.record_crc):
            text = f"it does not fit record {state.seq}, which is another one than it was saved behind"
            report.tell(CORRUPT, path, None, text, state.seq)

    def _read(self, segment: Segment) -> tuple[Segment, bytes, Scanned]:
        """A segment's bytes and how far they go. What grows meanwhile is read again until it makes sense.

        The segment comes back as it was read, which is another one where it was thinned meanwhile.
        """
        segment, image = self._bytes(segment)
        found = scan(image, segment.header)
        while found.stop or found.committed_end < found.end:
            segment, again = self._bytes(segment)
            if again == image:
                break
            image, found = again, scan(again, segment.header)
        return segment, image, found

    def _bytes(self, segment: Segment) -> tuple[Segment, bytes]:
        with self._reading():
            try:
                return segment, read_segment(segment, self._disk)
            except FileNotFoundError:  # moved to the archive since it was listed, and perhaps thinned
                pass
            try:
                segment = open_segment(self._archive, segment.name, self._disk, self.uuid)
                return segment, read_segment(segment, self._disk)
            except FileNotFoundError:
                raise JournalError(
                    f"{segment.name} was deleted while it was read. Nothing was changed; read again"
                ) from None

    def _reading(self) -> _Reading:
        return _Reading(self.path)


def _first_seq(listed: Segment | DamageError) -> int:
    return listed.header.first_seq if isinstance(listed, Segment) else listed.seq or 0


class _Reading:
    """Turns what the disk says into an error of ours; a file that is gone stays what it is."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            where = os.fspath(error.filename) if error.filename else self._path
            raise JournalError(f"{where} cannot be read: {error.strerror}; nothing was changed") from error
