"""The growing end of a journal: what was appended last, where it stands, and how far it is safe."""

from __future__ import annotations

import errno
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager

from engine.persistence.continuation import Chain, Continuation
from engine.persistence.errors import JournalError
from engine.persistence.format import (
    BY_PWRITE,
    COMMIT,
    HEADER_BYTES,
    MORE,
    MOST_PAYLOAD,
    PAGE,
    SEAL_BYTES,
    ZLIB,
    RecordType,
    SegmentHeader,
    padded,
)
from engine.persistence.segment import MemoryWriter, Writer
from engine.persistence.settings import Durability

Records = Sequence[tuple[int, bytes]]
"""Of one batch: type and payload of each."""


class Tail:
    """Appends records in memory; the sync thread makes them safe.

    A batch never spans two segments, so a crash can leave an unfinished one at the very end alone; one that
    is larger than a segment gets a segment of its own size. Everything that changes is changed under `lock`,
    which is never held over a call that can take long. Methods with a leading underscore expect it held.
    """

    def __init__(
        self,
        start: Continuation,
        *,
        uuid: bytes,
        is_mapped: bool,
        durability: Durability,
        segment_bytes: int,
        wall_ns: Callable[[], int],
        monotonic_ns: Callable[[], int],
    ) -> None:
        """Nothing is appended before `go_on`, where `start` names an open segment."""
        self.durability = durability
        self.lock = threading.Lock()
        self.work = threading.Event()
        """Set when there is something to do for the sync thread."""
        self.done = threading.Condition(self.lock)
        """Told when more is durable, and when nothing will be."""
        self.last_seq = self.durable_seq = self.acked_seq = start.next_seq - 1
        self._owed: tuple[int, int] | None = None
        """The first and the last record that were not acknowledged at once and nobody was told of since."""
        self.last_crc = start.last_crc
        self.failed: JournalError | None = None
        self.is_closing = False
        self.writer: Writer | None = None
        """Where the next record goes; None before the first one of all."""
        self.unplaced: deque[MemoryWriter] = deque()
        """Segments that have no file yet, oldest first; the last one may be `writer`."""
        self.is_next_wanted = False
        """True when the segment fills up and the next file should be prepared."""
        self._is_turn_wanted = False
        self._uuid = uuid
        self._flags = 0 if is_mapped else BY_PWRITE
        self._segment_bytes = segment_bytes
        self._most_payload = min(MOST_PAYLOAD, segment_bytes // 4 - 1)
        self._wall_ns = wall_ns
        self._monotonic_ns = monotonic_ns
        self._limit = 0
        """Up to where `writer` may be filled before something has to be done about it."""
        self._chain = start.chain
        self._wanted_seq = 0
        """What somebody waits for to be durable, whatever the mode."""
        self._oldest_ns = 0
        """When the oldest record that is not durable was appended, or earlier."""
        self._is_memory_enough = durability in (Durability.NONE, Durability.INTERVAL)
        self._ends: deque[int] | None = deque() if durability is Durability.EVERY else None
        """The last record of each batch that is not durable yet, where each gets a sync of its own."""

    # -- the owner's side --------------------------------------------------------------------------

    def append(self, records: Records) -> int:
        """Append one batch; the number of its last record. `JournalError` once the journal has failed."""
        with self.lock:
            if self.failed is not None:
                raise JournalError(*self.failed.args)
            try:
                last = self._append(records)
            except Exception as error:
                raise self._fail(error) from error
            except BaseException as error:  # half a batch may stand there
                self._fail(error)
                raise
        if self._is_turn_wanted:
            time.sleep(0)  # a lock is not fair: whoever only appends would have it again at once, and again
        return last

    def _append(self, records: Records) -> int:
        if not records:
            raise ValueError("a batch without records")
        size = 0
        more: Container[int] = ()
        most = self._most_payload
        for _, payload in records:
            length = len(payload)
            if not 0 < length <= most:
                records, more = _split(records, most)
                size = sum(padded(len(payload)) for _, payload in records)
                break
            size += (length + 39) & ~7  # `padded`, without a call
        writer = self.writer
        if writer is None or writer.end + size > self._limit:
            writer = self._make_room(size)
        write = writer.write
        durable = self.durable_seq
        seq = self.last_seq
        ts_ns = self._wall_ns()
        if seq == durable:
            self._oldest_ns = self._monotonic_ns()
        last = seq + len(records)
        for kind, payload in records:
            seq += 1
            flags = COMMIT if seq == last else MORE if more and last - seq in more else 0
            crc = write(seq, ts_ns, kind, flags, seq - durable, payload)
        self.last_seq, self.last_crc = last, crc
        if self._is_memory_enough:
            if not self.unplaced:
                self.acked_seq = last
            else:
                self._owe(last)
        else:
            self._owe(last)
            if self._ends is not None:
                self._ends.append(last)
            self.work.set()
        return last

    def close(self, *, is_sealed: bool) -> None:
        """Append no more; everything is wanted on the disk. `is_sealed` ends the segment as well."""
        with self.lock:
            if is_sealed and self.failed is None and not self.is_closing and self.writer is not None:
                try:
                    self._seal(self.writer)
                except Exception as error:
                    self._fail(error)
            self.is_closing = True
            self._limit = 0
            self._wanted_seq = self.last_seq
            self.work.set()

    def wait_durable(self, seq: int, timeout_s: float) -> None:
        """Have record `seq` put on the disk and wait for it. `JournalError` if that fails or takes longer."""
        with self.lock:
            self._wanted_seq = max(self._wanted_seq, seq)
            self.work.set()
            self.done.wait_for(lambda: self.durable_seq >= seq or self.failed is not None, timeout_s)
            if self.durable_seq >= seq:
                return
            if self.failed is not None:
                raise JournalError(*self.failed.args)
            raise JournalError(
                f"the disk did not take record {seq} of the journal within {timeout_s:g} s; everything up to "
                f"record {self.durable_seq} is on it"
            )

    def lag(self) -> tuple[int, int]:
        """Records that are not durable, and the ns since the oldest of them was appended."""
        with self.lock:
            count = self.last_seq - self.durable_seq
            return count, self._monotonic_ns() - self._oldest_ns if count else 0

    def _make_room(self, size: int) -> Writer:
        if self.is_closing:
            raise JournalError("something was to be recorded after the journal's end")
        writer = self.writer
        if writer is not None:
            room = writer.header.size - SEAL_BYTES
            if writer.end + size <= room:
                self._limit = room
                self.is_next_wanted = True
                self.work.set()
                return writer
            self._seal(writer)
        least = -(-(HEADER_BYTES + size + SEAL_BYTES) // PAGE) * PAGE
        chain = self._chain
        header = SegmentHeader(
            size=max(self._segment_bytes, least),
            index=0 if chain is None else chain.index + 1,
            first_seq=self.last_seq + 1,
            created_ns=self._wall_ns(),
            uuid=self._uuid,
            salt=secrets.randbits(64),
            previous_salt=0 if chain is None else chain.salt,
            previous_crc=0 if chain is None else chain.seal_crc,
            flags=self._flags,
        )
        memory = MemoryWriter(header, self._monotonic_ns())
        self.unplaced.append(memory)
        self.is_next_wanted = False
        self.work.set()
        self.go_on(memory)
        self._limit = max(self._limit, memory.end + size)
        return memory

    def _seal(self, writer: Writer) -> None:
        if self.last_seq == self.durable_seq:
            self._oldest_ns = self._monotonic_ns()
        seq = self.last_seq + 1
        lag = seq - self.durable_seq
        before = (seq - writer.header.first_seq).to_bytes(8, "little")
        crc = writer.write(seq, self._wall_ns(), RecordType.SEAL, COMMIT, lag, before)
        self._chain = Chain(writer.header.index, writer.header.salt, crc)
        self.last_seq, self.last_crc = seq, crc
        if self._is_memory_enough and not self.unplaced:
            self.acked_seq = seq

    @property
    def crc_kind(self) -> int:
        """How the last record's crc was computed."""
        return ZLIB if self.writer is None else self.writer.header.crc_kind

    # -- the sync thread's side --------------------------------------------------------------------

    @contextmanager
    def turn(self) -> Iterator[None]:
        """The lock, which whoever appends without a pause lets go of."""
        self._is_turn_wanted = True
        with self.lock:
            self._is_turn_wanted = False
            yield

    def go_on(self, writer: Writer) -> None:
        """Append here from now on; what stood in memory is there already. Expects the lock."""
        self.writer = writer
        size = writer.header.size
        self._limit = 0 if self.is_closing else min(size * 3 // 4, size - SEAL_BYTES)

    def has_work(self) -> bool:
        """Whether the sync thread must not wait any longer. Expects the lock."""
        is_waited_for = self.last_seq if not self._is_memory_enough else min(self._wanted_seq, self.last_seq)
        return bool(self.unplaced) or self.is_next_wanted or is_waited_for > self.durable_seq

    def to_sync(self) -> int:
        """The record up to which the current file is to be synced now; 0 for no sync. Expects the lock."""
        if self.unplaced or self.failed is not None:
            return 0
        if self._ends is not None:
            while self._ends and self._ends[0] <= self.durable_seq:
                self._ends.popleft()
            target = self._ends[0] if self._ends else self.last_seq
        elif self.durability is Durability.NONE and min(self._wanted_seq, self.last_seq) <= self.durable_seq:
            return 0
        else:
            target = self.last_seq
        return target if target > self.durable_seq else 0

    def advance(self, seq: int, since_ns: int) -> bool:
        """Everything up to `seq` is on the disk; later records were appended after `since_ns`.

        Returns whether anything is acknowledged that was not when it was appended. Expects the lock.
        """
        if self.failed is not None:
            return False
        if seq > self.durable_seq:
            self.durable_seq = seq
            self._oldest_ns = since_ns
            self.done.notify_all()
        if not self._is_memory_enough:
            self.acked_seq = self.durable_seq
        elif self.unplaced:
            self.acked_seq = self.unplaced[0].header.first_seq - 1
        else:
            self.acked_seq = self.last_seq
        # Not whether it grew: an append since the segment was placed has acknowledged all before it, too.
        owed = self._owed
        if owed is None or self.acked_seq < owed[0]:
            return False
        self._owed = None if self.acked_seq >= owed[1] else (self.acked_seq + 1, owed[1])
        return True

    def _owe(self, last: int) -> None:
        self._owed = (last if self._owed is None else self._owed[0], last)

    def fail(self, error: Exception) -> None:
        """Nothing is on record from now on."""
        with self.turn():
            self._fail(error)

    def _fail(self, error: BaseException) -> JournalError:
        if self.failed is None:
            lost = self.last_seq - self.durable_seq
            self.failed = JournalError(
                f"the journal failed: {_what(error)}. Records up to {self.durable_seq} are on the disk, the "
                f"{lost} after them are not promised. No new order leaves and open orders are cancelled; the "
                "next start asks the venue what became of them. Mend the disk first"
            )
            self.work.set()
            self.done.notify_all()
        return self.failed


def _split(records: Records, most: int) -> tuple[Records, Container[int]]:
    """The batch with payloads of at most `most` bytes, and which parts go on, counted from the last one."""
    parts: list[tuple[int, bytes]] = []
    going_on: list[int] = []
    for kind, payload in records:
        if not payload:
            raise ValueError(f"a record of type {kind} without content")
        for start in range(0, len(payload), most):
            if start + most < len(payload):
                going_on.append(len(parts))
            parts.append((kind, payload[start : start + most]))
    return parts, {len(parts) - 1 - index for index in going_on}


def _what(error: BaseException) -> str:
    if not isinstance(error, OSError):
        return str(error) or type(error).__name__
    name = errno.errorcode.get(error.errno or 0, "?")
    return f"{error.filename or 'memory'}: {error.strerror} ({name})"
