"""Power cuts at random moments of a journal's life, and what must be there when the power is back."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from random import Random
from types import FrameType
from typing import Any, Final, NamedTuple

from durability.crash_disk import CrashDisk, PowerCut
from durability.naive_journal import SEAL
from durability.recovery_kit import FOLDER, journal_on, stop_at

from engine.persistence import archive, segment, snapshots
from engine.persistence.directory import JournalDirectory
from engine.persistence.errors import DamageError, JournalError
from engine.persistence.format import LEAST_SEGMENT, RecordType
from engine.persistence.journal import Journal
from engine.persistence.records import SnapshotRef, encode
from engine.persistence.recovery import RecoveredJournal, recover
from engine.persistence.settings import Durability, MarketDataClass

SNAPSHOTS_KEPT: Final = 2
_MOST_PAYLOAD: Final = LEAST_SEGMENT // 4 - 1
_NOISE: Final = Random(0).randbytes(64 << 10)
_KINDS: Final = tuple(
    int(kind) for kind in (RecordType.MARKET_EVENT, RecordType.FILL, RecordType.ORDER_INTENT)
)
_EVENTFUL: Final = frozenset({"syncing", "fsync", "rename", "unlink"})
"""Calls before which a cut is likelier to show something new."""

Batch = list[tuple[int, bytes]]


class Broken(AssertionError):
    """A promise was broken: which one, and how to see it again."""


class Start(NamedTuple):
    """A disk as a cut left it, and what is on it."""

    disk: CrashDisk
    last_seq: int
    snapshot_seq: int


@contextmanager
def instants_of(file: str, note: Callable[[], None]) -> Iterator[None]:
    """Every line of `file` that runs in here is an instant of its own."""

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code.co_filename != file:
            return None
        note()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


class CutCampaign:
    """One journal, used, cut off and recovered several times over.

    Between any two calls to the disk, within its syncs and within the stores of one append it draws what a
    cut now might leave, recovers that and compares it with what was appended. Each life goes on from one
    of those states; recovery itself is cut off too.
    """

    def __init__(self, seed: int, durability: Durability, *, kind: str = "ext4") -> None:
        """`kind` is the file system's: it decides how the journal writes."""
        self.counts: Counter[str] = Counter()
        self._rng = Random(f"{seed} {durability} {kind}")
        self._durability = durability
        self._name = f"seed {seed}, {durability}, {kind}"
        self._disk = CrashDisk()
        self._disk.kind = kind
        self._written: dict[int, tuple[int, bytes]] = {}
        """By number; SEALs alone are not in it."""
        self._ends = {0}
        """The last numbers of batches."""
        self._pending: Batch = []
        """Being appended: it may be there already, whole or not at all."""
        self._bodies: dict[int, bytes] = {}
        """Of snapshots, by number."""
        self._saved = 0
        """The last record of the newest snapshot that must be there."""
        self._floor = 0
        """What was found at the last start, which must never be lost again."""
        self._directory: JournalDirectory | None = None
        self._journal: Journal | None = None
        self._next: Start | None = None
        """What the next life may begin with."""

    def run(self, lives: int = 4, actions: int = 40) -> Counter[str]:
        """Live several lives; the counts of what happened. Raises `Broken`."""
        JournalDirectory.create(FOLDER, self._disk, created_ns=0).close()
        try:
            for _ in range(lives):
                self._live(actions)
                self._die()
        except JournalError as error:  # what is raised within its calls to the disk is wrapped by it
            raise Broken(f"{self._name}: {error}") from error
        return self.counts

    # -- one life --------------------------------------------------------------------------------

    def _live(self, actions: int) -> None:
        self._disk.watch = self._watch
        self._open()
        for _ in range(actions):
            drawn = self._rng.random()
            if drawn < 0.75:
                self._append(self._batch())
            elif drawn < 0.96:
                self._step()
            else:
                self._save()
            if self._rng.random() < 0.3:
                self._cut()
        self.counts["lives"] += 1

    def _open(self) -> None:
        self._directory = JournalDirectory.open(FOLDER, self._disk)
        start = recover(self._directory).continuation
        self._journal = journal_on(self._directory, start, self._durability)
        if start.cut is not None:
            self._wrote([(int(RecordType.RECOVERED), encode(start.cut))], self._journal.last_seq)
            self.counts["starts that had cut something"] += 1

    def _batch(self) -> Batch:
        rng = self._rng
        return [(rng.choice(_KINDS), self._payload()) for _ in range(rng.choice((1, 1, 1, 2, 3, 6)))]

    def _payload(self) -> bytes:
        rng = self._rng
        length = rng.choice((1, 90, 90, 200, 500, 1500, rng.randint(1, 6000)))
        if rng.random() < 0.01:
            length = 3 * _MOST_PAYLOAD // 2
        start = rng.randrange(len(_NOISE) - length)
        return _NOISE[start : start + length]

    def _append(self, batch: Batch) -> int:
        assert self._journal is not None
        self._pending = batch
        if self._rng.random() < 0.1:
            with instants_of(segment.__file__, self._disk.note):
                last = self._journal.append_batch(batch)
        else:
            last = self._journal.append_batch(batch)
        self._pending = []
        self._wrote(batch, last)
        if self._rng.random() < 0.3:
            self._disk.note()
        return last

    def _wrote(self, batch: Batch, last: int) -> None:
        parts = _parts(batch)
        self._written.update(enumerate(parts, last - len(parts) + 1))
        self._ends.add(last)
        self.counts["batches"] += 1

    def _step(self) -> None:
        journal = self._journal
        assert journal is not None
        before = journal.durable_seq
        journal.step()
        self.counts["records synced"] += journal.durable_seq - before

    def _save(self) -> None:
        """A snapshot in the order of steps that a crash demands."""
        journal, directory = self._journal, self._directory
        assert journal is not None
        assert directory is not None
        seq, crc = journal.last_seq, journal.last_crc
        if not seq:
            return
        body = self._bodies[seq] = b"the state after %d" % seq
        self._make_durable(seq)
        snapshots.write(directory, seq=seq, ts_ns=0, body=body, record_crc=crc, crc_kind=journal.crc_kind)
        self._saved = seq
        self._make_durable(
            self._append([(int(RecordType.SNAPSHOT_REF), encode(SnapshotRef(seq, len(body))))])
        )
        self.counts["retired"] += len(archive.retire(directory, SNAPSHOTS_KEPT, MarketDataClass.FULL))
        archive.delete_beyond(directory, 1, 0, 0)
        self.counts["saved"] += 1

    def _make_durable(self, seq: int) -> None:
        journal = self._journal
        assert journal is not None
        with suppress(JournalError):  # nobody syncs meanwhile, so it says that it took too long
            journal.wait_durable(seq, 0.0)
        while journal.durable_seq < seq:
            journal.step()

    def _die(self) -> None:
        """The next life begins with what a cut left, now or at some call before."""
        start = self._next
        if start is None or self._rng.random() < 0.3:
            start = self._judge(self._disk.after_cut(self._rng), *self._promised(), "at the end")
        old, self._next = self._disk, None
        self._disk, self._floor, self._saved = start
        self._disk.kind = old.kind
        old.watch = lambda call, path: None
        assert self._journal is not None
        assert self._directory is not None
        self._journal.close()
        self._directory.close()
        self._journal = None
        for seq in [seq for seq in self._written if seq > self._floor]:
            del self._written[seq]
        self._ends = {seq for seq in self._ends if seq <= self._floor}
        self._bodies = {seq: body for seq, body in self._bodies.items() if seq <= self._floor}

    # -- cuts ------------------------------------------------------------------------------------

    def _watch(self, call: str, path: str) -> None:
        if self._rng.random() < (0.35 if call in _EVENTFUL else 0.05):
            self._cut(f"at {call} {path}")

    def _promised(self) -> tuple[int, int]:
        """What must be there after a power cut, and what after the end of the process alone."""
        journal = self._journal
        if journal is None:
            return self._floor, self._floor
        is_acked_durable = self._durability in (Durability.GROUP, Durability.EVERY)
        on_disk = max(self._floor, journal.durable_seq, journal.acked_seq if is_acked_durable else 0)
        return on_disk, max(on_disk, journal.acked_seq)

    def _cut(self, where: str = "between") -> None:
        on_disk, in_memory = self._promised()
        start = self._judge(self._disk.after_cut(self._rng), on_disk, in_memory, where)
        if self._rng.random() < 0.2:
            self._judge(self._disk.after_kill(), in_memory, in_memory, where)
            self.counts["kills"] += 1
        if self._rng.random() < 0.1 and not self._pending:
            self._next = start

    def _judge(self, disk: CrashDisk, floor: int, in_memory: int, where: str) -> Start:
        """Recover a state; sometimes recovery is cut off first. What it holds, as the cut left it."""
        untouched = disk.after_kill()
        for _ in range(2 if self._rng.random() < 0.1 else 0):
            stop_at(disk, self._rng.randint(1, 60), PowerCut)
            with suppress(PowerCut):
                directory = JournalDirectory.open(FOLDER, disk)
                recover(directory)
            disk = disk.after_cut(self._rng)
            self.counts["recoveries cut"] += 1
        try:
            directory = JournalDirectory.open(FOLDER, disk)
            result = recover(directory)
            directory.close()
        except (DamageError, JournalError) as error:
            raise Broken(f"{self._name}, {where}: a cut is taken for damage: {error}") from error
        last = self._check(result, floor, where)
        self.counts["states"] += 1
        self.counts["states that lost something"] += last < in_memory
        self.counts["torn"] += result.continuation.cut is not None
        return Start(untouched, last, 0 if result.snapshot is None else result.snapshot.seq)

    def _check(self, result: RecoveredJournal, floor: int, where: str) -> int:
        """Raise `Broken` unless an exact prefix was found that has all up to `floor`; its last record."""
        snapshot = result.snapshot
        first = 0 if snapshot is None else snapshot.seq
        found = {each.seq: (each.kind, each.payload) for each in result.records() if each.kind != SEAL}
        last = max(found, default=first)
        wanted = {seq: record for seq, record in self._written.items() if first < seq <= last}
        beyond = [record for seq, record in found.items() if seq not in wanted]
        problem = ""
        if {seq: found.get(seq) for seq in wanted} != wanted:
            problem = "what was found is not what was written"
        elif beyond not in ([], _parts(self._pending)):
            problem = f"{len(beyond)} records were found that are not of one batch"
        elif not beyond and last not in self._ends and last != first:
            problem = f"half a batch, up to {last}"
        elif max(last, result.last_seq) < floor or any(seq > last and seq <= floor for seq in self._written):
            problem = f"records up to {floor} were promised, {last} is left"
        elif snapshot is not None and snapshot.body != self._bodies.get(snapshot.seq):
            problem = f"{snapshot.name} is not what was saved"
        elif first < self._saved:
            problem = f"the state after {self._saved} was saved, {first} is left"
        elif result.warnings:
            problem = f"it was warned of {result.warnings}"
        if problem:
            raise Broken(f"{self._name}, {where}: {problem}")
        return last


def _parts(batch: Batch) -> Batch:
    """The records of a batch, the large ones split."""
    return [
        (kind, payload[at : at + _MOST_PAYLOAD])
        for kind, payload in batch
        for at in range(0, len(payload), _MOST_PAYLOAD)
    ]


def campaign(seeds: range, *, lives: int = 4, actions: int = 40) -> Counter[str]:
    """Several journals in every mode, mapped and written with calls. Raises `Broken`."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        for durability in Durability:
            kind = "btrfs" if seed % 4 == 3 else "ext4"
            found = CutCampaign(seed, durability, kind=kind).run(lives, actions)
            counts += found
            counts[f"states in {durability}"] += found["states"]
    return counts
