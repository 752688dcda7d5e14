"""Journals in memory with their history, and what recovery makes of their files once something was done to
them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import Final, NamedTuple

from durability.crash_disk import CrashDisk
from durability.journal_kit import SMALL, WALL_NS
from durability.naive_journal import SEAL, Segment, segment_of

from engine.persistence.continuation import Continuation
from engine.persistence.directory import JournalDirectory
from engine.persistence.errors import JournalError
from engine.persistence.journal import Journal
from engine.persistence.recovery import RecoveredJournal, recover
from engine.persistence.settings import Durability

FOLDER: Final = "/session"
KINDS: Final = (1, 6, 14, 15)
Files = dict[str, bytes]


class Written(NamedTuple):
    """A record as it was given to the journal."""

    seq: int
    kind: int
    payload: bytes


@dataclass
class History:
    """What was appended to a journal, what was on the disk when, and the files that came of it."""

    written: list[Written] = field(default_factory=list)
    """SEALs are not among them."""
    ends: list[int] = field(default_factory=lambda: [0])
    """The last numbers of batches, SEALs too."""
    durable_at: dict[int, int] = field(default_factory=dict)
    """By record, SEALs too: up to where everything was on the disk when it was appended."""
    files: Files = field(default_factory=dict)

    @property
    def last_seq(self) -> int:
        return self.ends[-1]

    @cached_property
    def segments(self) -> list[Segment]:
        """Read without anything of the engine."""
        names = sorted(name for name in self.files if name.endswith(".pjl"))
        return [segment_of(name, self.files[name]) for name in names]

    def batch_before(self, seq: int) -> int:
        """The last record of the last batch that has nothing of record `seq` or later."""
        return max(end for end in self.ends if end < seq)

    def upto(self, seq: int) -> list[Written]:
        """What recovery must find when it ends with record `seq`."""
        return [record for record in self.written if record.seq <= seq]


def failed(error: JournalError) -> None:
    raise error


def journal_on(directory: JournalDirectory, start: Continuation, durability: Durability | str) -> Journal:
    """A journal without its thread: only `step` makes records safe."""
    return Journal(
        directory,
        start,
        durability=Durability(durability),
        segment_bytes=SMALL,
        wall_ns=lambda: WALL_NS,
        monotonic_ns=lambda: 1_000,
        on_acked=lambda seq: None,
        on_failed=failed,
    )


def written_journal(
    rng: Random,
    batches: int,
    durability: Durability | str = Durability.GROUP,
    *,
    lengths: Sequence[int] = (1, 7, 8, 40, 90, 200),
    sync_share: float = 0.2,
) -> History:
    """A journal as a killed process leaves it: batches of up to four records, synced now and then."""
    disk, history = CrashDisk.holding("/", {}), History()
    directory = JournalDirectory.create(FOLDER, disk, created_ns=WALL_NS)
    journal = journal_on(directory, Continuation(), durability)
    for _ in range(batches):
        batch = [
            (rng.choice(KINDS), rng.randbytes(rng.choice(lengths))) for _ in range(rng.choice((1, 1, 2, 4)))
        ]
        before, durable = journal.last_seq, journal.durable_seq
        last = journal.append_batch(batch)
        first = last - len(batch) + 1
        if first > before + 1:
            history.ends.append(first - 1)  # the SEAL
        history.durable_at.update(dict.fromkeys(range(before + 1, last + 1), durable))
        history.ends.append(last)
        history.written += [Written(first + n, *record) for n, record in enumerate(batch)]
        if rng.random() < sync_share:
            journal.step()
    while journal.acked_seq < journal.last_seq:  # the last file is in its place
        journal.step()
    history.files = files_of(disk)
    journal.close()
    directory.close()
    return history


def files_of(disk: CrashDisk) -> Files:
    """The journal's files, unfinished ones left out."""
    return {name: content for name, content in disk.files(FOLDER).items() if not name.startswith(".tmp-")}


def recovered_on(disk: CrashDisk, *, is_cut_allowed: bool = True) -> RecoveredJournal:
    """Open the folder, recover, and free it again."""
    directory = JournalDirectory.open(FOLDER, disk)
    try:
        return recover(directory, is_cut_allowed=is_cut_allowed)
    finally:
        directory.close()


def recovered(files: Files, *, is_cut_allowed: bool = True) -> RecoveredJournal:
    """The same on a disk that holds these files."""
    return recovered_on(CrashDisk.holding(FOLDER, files), is_cut_allowed=is_cut_allowed)


def found_in(result: RecoveredJournal) -> list[Written]:
    """The records that recovery found, SEALs left out."""
    return [Written(each.seq, each.kind, each.payload) for each in result.records() if each.kind != SEAL]


def stop_at(disk: CrashDisk, number: int, error: Callable[[], BaseException]) -> None:
    """Have the call of this number, from now on, end with an error; made there, so that it keeps no frame."""
    calls = itertools.count(1)

    def watch(call: str, path: str) -> None:
        if next(calls) == number:
            raise error()

    disk.watch = watch
