"""Power cuts at random moments of a journal's life, and what must be there when the power is back."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import suppress
from typing import Final

from durability.crash_disk import CrashDisk

from engine.persistence import archive, segment, snapshots
from engine.persistence.continuation import Continuation
from engine.persistence.directory import JournalDirectory
from engine.persistence.errors import JournalError
from engine.persistence.format import LEAST_SEGMENT, ZLIB, RecordType
from engine.persistence.journal import Journal
from engine.persistence.records import SnapshotRef, encode
from engine.persistence.recovery import recover
from engine.persistence.settings import Durability

FOLDER: Final = "/session"
SNAPSHOTS_KEPT: Final = 2
_MOST_PAYLOAD: Final = LEAST_SEGMENT // 4 - 1
_NOISE: Final = random.Random(0).randbytes(64 << 10)


class Broken(AssertionError):
    """A promise was broken: which one, and how to see it again."""


class CutCampaign:
    """One journal, used, cut off and recovered several times over.

    Between any two calls to the disk, within its syncs and within the stores of one append it draws what a
    cut now might leave, recovers that and compares it with what was appended. Each life goes on from one
    of those states; recovery itself is cut off too.
    """

    def __init__(
        self, seed: int, durability: Durability, *, kind: str = "ext4", states_a_cut: int = 2
    ) -> None:
        """`kind` is the file system's: it decides how the journal writes."""
        self.counts: Counter[str] = Counter()
        self._rng = random.Random(f"{seed} {durability} {kind}")
        self._durability = durability
        self._states_a_cut = states_a_cut
        self._name = f"seed {seed}, {durability}, {kind}"
        self._disk = CrashDisk()
        self._disk.kind = kind
        self._now_ns = 1_700_000_000 * 10**9
        self._written: dict[int, tuple[int, bytes]] = {}
        """By number; SEALs alone are not in it."""
        self._ends = {0}
        """The last numbers of batches."""
        self._bodies: dict[int, bytes] = {}
        """Of snapshots, by number."""
        self._floor = 0
        """What was found at the last start, which must never be lost again."""
        self._directory: JournalDirectory | None = None
        self._journal: Journal | None = None
        self._is_busy = False

    def run(self, lives: int = 4, actions: int = 40) -> Counter[str]:
        """Live several lives; the counts of what happened. Raises `Broken`."""
        JournalDirectory.create(FOLDER, self._disk, created_ns=self._now_ns).close()
        for _ in range(lives):
            self._live(actions)
            self._die()
        return self.counts

    # -- one life --------------------------------------------------------------------------------

    def _live(self, actions: int) -> None:
        self._disk.watch = self._watch
        self._open()
        assert self._journal is not None
        for _ in range(actions):
            drawn = self._rng.random()
            if drawn < 0.70:
                self._append()
            elif drawn < 0.94:
                self._step()
            else:
                self._save()
            if self._rng.random() < 0.15:
                self._cut()

    def _open(self) -> None:
        self._directory = JournalDirectory.open(FOLDER, self._disk)
        start = recover(self._directory).continuation
        self._take_up(start)
        self._journal = Journal(
            self._directory,
            start,
            durability=self._durability,
            segment_bytes=LEAST_SEGMENT,
            wall_ns=lambda: self._now_ns,
            monotonic_ns=lambda: self._now_ns,
            on_acked=lambda seq: None,
            on_failed=self._failed,
        )
        if start.cut is not None:
            self._written[self._journal.last_seq] = (RecordType.RECOVERED, encode(start.cut))
            self._ends.add(self._journal.last_seq)

    def _take_up(self, start: Continuation) -> None:
        pass

    def _append(self) -> None:
        rng, journal = self._rng, self._journal
        assert journal is not None
        self._now_ns += 1_000_000
        batch = [
            (rng.choice((RecordType.MARKET_EVENT, RecordType.FILL, RecordType.ORDER_INTENT)), self._payload())
            for _ in range(rng.choice((1, 1, 1, 2, 3, 6)))
        ]
        if rng.random() < 0.1:
            with instants_of(segment.__file__, self._disk.note):
                last = journal.append_batch(batch)
        else:
            last = journal.append_batch(batch)
        self._wrote(batch, last)
        if rng.random() < 0.3:
            self._disk.note()

    def _payload(self) -> bytes:
        rng = self._rng
        length = rng.choice((1, 90, 90, 200, 500, 1500, rng.randint(1, 6000)))
        if rng.random() < 0.01:
            length = 3 * _MOST_PAYLOAD // 2
        start = rng.randrange(len(_NOISE) - length)
        return _NOISE[start : start + length]

    def _wrote(self, batch: list[tuple[int, bytes]], last: int) -> None:
        parts = [
            (kind, payload[at : at + _MOST_PAYLOAD])
            for kind, payload in batch
            for at in range(0, len(payload), _MOST_PAYLOAD)
        ]
        self._written.update(enumerate(parts, last - len(parts) + 1))
        self._ends.add(last)

    def _step(self) -> None:
        journal = self._journal
        assert journal is not None
        before = journal.last_seq
        journal.step()
        if self._durability is not Durability.NONE and journal.durable_seq < before:
            if self._durability is not Durability.EVERY:  # it syncs one batch a step
                raise Broken(f"{self._name}: a sync left {before - journal.durable_seq} records behind")
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
        self._wait_durable(seq)
        snapshots.write(directory, seq=seq, ts_ns=self._now_ns, body=body, record_crc=crc, crc_kind=ZLIB)
        reference = [(int(RecordType.SNAPSHOT_REF), encode(SnapshotRef(seq, len(body))))]
        last = journal.append_batch(reference)
        self._wrote(reference, last)
        self._wait_durable(last)
        self.counts["retired"] += len(archive.retire(directory, SNAPSHOTS_KEPT, "full"))
        self.counts["saved"] += 1

    def _wait_durable(self, seq: int) -> None:
        journal = self._journal
        assert journal is not None
        with suppress(JournalError):  # nobody syncs meanwhile, so it says that it took too long
            journal.wait_durable(seq, 0.0)
        while journal.durable_seq < seq:
            journal.step()

    def _failed(self, error: JournalError) -> None:
        raise Broken(f"{self._name}: {error}")
