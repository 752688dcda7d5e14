"""The journal: everything that went into the Traders and came out, on record before anybody is told.

Appending is cheap and never touches the disk's own work; one thread does all that can take long. When a
segment is full, records go on in memory, laid out as the next file will be. The thread syncs the old
file, puts the new one in its place with what has come so far, and appending goes on in it. Only then is
anything of it acknowledged.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from engine.persistence.continuation import Continuation
from engine.persistence.directory import JournalDirectory
from engine.persistence.errors import JournalError
from engine.persistence.format import DEFAULT_SEGMENT, LEAST_SEGMENT, PAGE
from engine.persistence.records import TYPES, encode
from engine.persistence.segment import naming
from engine.persistence.settings import Durability
from engine.persistence.syncing import Syncer
from engine.persistence.tail import Records, Tail

_LEAST_FREE: Final = 64 << 20


class Journal:
    """Appends records and says when they are safe. One thread appends; anybody may read the figures.

    `durability` says what acknowledged means. In `none` and `interval`: in memory that outlives the process;
    `interval` also puts it on the disk every `sync_interval_ns`, `none` when a segment is full. In `group`
    and `every`: on the disk, with one sync for all that wait, or one for each batch.

    Any error makes the journal FAILED for good: nothing is acknowledged any more, and nothing is synced
    again, because after a failed sync nobody knows what is on the disk.
    """

    def __init__(
        self,
        directory: JournalDirectory,
        start: Continuation,
        *,
        durability: Durability,
        segment_bytes: int = DEFAULT_SEGMENT,
        sync_interval_ns: int = 50_000_000,
        wall_ns: Callable[[], int] = time.time_ns,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
        on_acked: Callable[[int], None],
        on_failed: Callable[[JournalError], None],
    ) -> None:
        """Go on where `start` says; a file is opened or prepared at once. `JournalError` when that fails.

        `on_acked` is told how far records are acknowledged where `append` did not do it at once, `on_failed`
        once that the journal failed. Both are called in the journal's own thread, or in the one that is in
        `step`, `close` or `finish`.
        """
        if segment_bytes < LEAST_SEGMENT or segment_bytes % PAGE:
            raise ValueError(f"a segment of {segment_bytes} bytes")
        disk = directory.disk
        is_mapped = directory.is_mappable and disk.can_allocate()
        self.directory = directory
        self._segment_bytes = segment_bytes
        self._tail = Tail(
            start,
            uuid=directory.uuid,
            is_mapped=is_mapped,
            durability=durability,
            segment_bytes=segment_bytes,
            wall_ns=wall_ns,
            monotonic_ns=monotonic_ns,
        )
        self._syncer = Syncer(
            self._tail,
            directory,
            is_mapped=is_mapped,
            segment_bytes=segment_bytes,
            interval_s=sync_interval_ns / 1e9 if durability is Durability.INTERVAL else None,
            monotonic_ns=monotonic_ns,
            on_acked=on_acked,
            on_failed=on_failed,
        )
        self._is_released = False
        try:
            if start.segment is None:
                self._syncer.prepare()
            else:
                self._syncer.open(start.segment)
        except Exception as error:
            self._tail.fail(error)
            self._syncer.release()
            raise self._failure() from error
        if start.cut is not None:
            self.append(TYPES[type(start.cut)], encode(start.cut))

    # -- appending ---------------------------------------------------------------------------------

    def append(self, kind: int, payload: bytes) -> int:
        """Append one record, a batch of its own; its number. Raises `JournalError` once FAILED."""
        return self._tail.append(((kind, payload),))

    def append_batch(self, records: Records) -> int:
        """Append records that a crash leaves all or none of; the number of the last one.

        One that is too large is split, so more numbers may be used than there are records.
        """
        return self._tail.append(records)

    # -- figures -----------------------------------------------------------------------------------

    @property
    def last_seq(self) -> int:
        """The number of the last record; 0 before the first."""
        return self._tail.last_seq

    @property
    def last_crc(self) -> int:
        """The crc field of that record, which tells it from any other of the same number."""
        return self._tail.last_crc

    @property
    def crc_kind(self) -> int:
        """How it was computed."""
        return self._tail.crc_kind

    @property
    def acked_seq(self) -> int:
        """Up to here nothing is lost by what `durability` protects from. Stands still once FAILED."""
        return self._tail.acked_seq

    @property
    def durable_seq(self) -> int:
        """Up to here everything is on the disk. Never inside a batch."""
        return self._tail.durable_seq

    @property
    def failed(self) -> JournalError | None:
        """Why nothing is recorded any more, or None."""
        return self._tail.failed

    @property
    def busy_ns(self) -> int:
        """How long the disk has been busy for us by now; 0 while it is not."""
        return self._syncer.busy_ns

    @property
    def sync_ns(self) -> int:
        """How long the disk has been busy for us by now; while it is not, how long it was the last time."""
        return self._syncer.sync_ns

    def lag(self) -> tuple[int, int]:
        """Records that are not on the disk yet, and the ns since the oldest of them was appended."""
        return self._tail.lag()

    def free_space(self) -> tuple[int, int]:
        """Free bytes of the file system, and how many it must have for new orders to be sent."""
        path = self.directory.path
        try:
            with naming(path):
                status = self.directory.disk.statvfs(path)
        except OSError as error:
            self._tail.fail(error)
            raise self._failure() from error
        needed = max(2 * self._segment_bytes + _LEAST_FREE, status.f_blocks * status.f_frsize // 100)
        return status.f_bavail * status.f_frsize, needed

    # -- safety ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread that makes records safe."""
        self._syncer.start()

    def step(self) -> None:
        """Do one pass of that thread's work here, where none was started."""
        self._syncer.step()

    def wait_durable(self, seq: int, timeout_s: float) -> None:
        """Have record `seq` put on the disk, and wait for it; never to be called where nobody may wait.

        Raises `JournalError` when the journal fails, or the disk takes longer.
        """
        self._tail.wait_durable(seq, timeout_s)

    def close(self) -> None:
        """Put everything on the disk and let go of it; blocks. What went wrong is in `failed`.

        The last segment stays open for whoever takes the journal up.
        """
        self._tail.close(is_sealed=False)
        self._syncer.stop()
        self._release()

    def finish(self) -> None:
        """End the journal and close it; blocks. Raises `JournalError` when not all of it is on the disk.

        The last segment is sealed and written anew, no larger than what is in it.
        """
        self._tail.close(is_sealed=True)
        self._syncer.stop()
        if self.failed is None and not self._is_released:
            try:
                self._syncer.rewrite()
            except OSError as error:
                self._tail.fail(error)
        self._release()
        if self.failed is not None:
            raise self._failure()

    def _release(self) -> None:
        if not self._is_released:
            self._is_released = True
            self._syncer.release()
            self._syncer.tell_failure()

    def _failure(self) -> JournalError:
        failed = self.failed
        return JournalError(*(failed.args if failed is not None else ()))
