"""The thread that puts a journal on the disk: files prepared, put in place, synced."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Final

from engine.persistence.continuation import OpenSegment
from engine.persistence.directory import TEMPORARY, JournalDirectory, segment_name
from engine.persistence.errors import JournalError
from engine.persistence.format import BY_PWRITE, HEADER_BYTES, PAGE, WHOLE
from engine.persistence.segment import MemoryWriter, SegmentFile, Writer, naming
from engine.persistence.tail import Tail

_NEXT: Final = f"{TEMPORARY}next"


class Syncer:
    """Does for a `Tail` what can take long. After an error it does nothing any more.

    `step` is one pass; `start` has a thread do them as there is work. Only files are touched here, so the
    lock is held for moments, between two calls that take long.
    """

    def __init__(
        self,
        tail: Tail,
        directory: JournalDirectory,
        *,
        is_mapped: bool,
        segment_bytes: int,
        interval_s: float | None,
        monotonic_ns: Callable[[], int],
        on_acked: Callable[[int], None],
        on_failed: Callable[[JournalError], None],
    ) -> None:
        """`interval_s` is the longest pause between two passes; None waits until there is work."""
        self._tail = tail
        self._folder = directory.path
        self._disk = directory.disk
        self._is_mapped = is_mapped
        self._segment_bytes = segment_bytes
        self._interval_s = interval_s
        self._monotonic_ns = monotonic_ns
        self._on_acked = on_acked
        self._on_failed = on_failed
        self._is_told = False
        self._file: SegmentFile | None = None
        """Of the last segment that is in place."""
        self._writer: Writer | None = None
        """Its writer."""
        self._next: SegmentFile | None = None
        """Prepared for the segment after it."""
        self._thread: threading.Thread | None = None
        self._began_ns: int | None = None
        self._took_ns = 0

    @property
    def busy_ns(self) -> int:
        """How long the disk has been busy for us by now; 0 while it is not."""
        began = self._began_ns
        return 0 if began is None else self._monotonic_ns() - began

    @property
    def sync_ns(self) -> int:
        """How long the disk has been busy for us by now; while it is not, how long it was the last time."""
        began = self._began_ns
        return self._took_ns if began is None else self._monotonic_ns() - began

    def open(self, segment: OpenSegment) -> None:
        """Go on in a segment that is there."""
        header = segment.header
        is_mapped = self._is_mapped and not header.flags & BY_PWRITE
        path = f"{self._folder}/{segment.name}"
        self._file = SegmentFile.open(self._disk, path, header.size, is_mapped=is_mapped)
        self._writer = self._file.writer(header, segment.end)
        self._tail.go_on(self._writer)

    def prepare(self) -> None:
        """Have the file of the next segment ready: a full disk is noticed here, before it hurts."""
        if self._next is None:
            self._next = self._create(_NEXT, self._segment_bytes)

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="journal-sync", daemon=True)
        self._thread.start()

    def step(self) -> None:
        """One pass: put segments in place, sync as the mode asks, prepare the next file."""
        tail = self._tail
        if tail.failed is None:
            try:
                self._pass()
            except Exception as error:
                tail.fail(error)
        self.tell_failure()

    def stop(self) -> None:
        """Do what is left, which `Tail.close` has asked for, and end the thread."""
        if self._thread is not None:
            self._thread.join()
        else:
            self._finish_work()

    def rewrite(self) -> None:
        """Write the last segment, which is sealed, again: whole, and no larger than it is."""
        file, writer = self._file, self._writer
        if file is None or writer is None:
            return
        size = -(-writer.end // PAGE) * PAGE
        header = replace(writer.header, size=size, flags=writer.header.flags | WHOLE)
        content = header.pack() + file.read(writer.end)[HEADER_BYTES:]
        with naming(file.path):
            self._disk.write_whole(self._folder, segment_name(header.first_seq), content.ljust(size, b"\0"))

    def release(self) -> None:
        """Let go of all files; nothing is written any more."""
        tail = self._tail
        with tail.turn():
            tail.writer = None
        try:
            with ExitStack() as everything:  # one that fails does not keep the others
                for memory in tail.unplaced:
                    everything.callback(memory.close)
                if self._next is not None:
                    everything.callback(self._next.close)
                    everything.callback(self._next.remove)
                everything.callback(self._leave)
        except Exception as error:
            tail.fail(error)
        self._next = None
        tail.unplaced.clear()

    def _run(self) -> None:
        tail = self._tail
        while not (tail.is_closing or tail.failed is not None):
            if not self._is_work_left():
                tail.work.wait(self._interval_s)
            tail.work.clear()
            self.step()
        self._finish_work()

    def _finish_work(self) -> None:
        while self._is_work_left():
            self.step()
        self.tell_failure()

    def _is_work_left(self) -> bool:
        with self._tail.turn():
            return self._tail.failed is None and self._tail.has_work()

    def _pass(self) -> None:
        tail = self._tail
        while tail.unplaced and tail.failed is None:
            self._place(tail.unplaced[0])
        with tail.turn():
            target = tail.to_sync()
            since_ns = self._monotonic_ns()
        if target and self._file is not None:
            with self._busy():
                self._file.sync()
            self._advance(target, since_ns)
        if tail.is_next_wanted and tail.failed is None:
            self.prepare()
            with tail.turn():
                tail.is_next_wanted = False

    def _place(self, memory: MemoryWriter) -> None:
        """Close the outgoing segment and give the next one its file, in the order that a crash demands."""
        tail = self._tail
        header = memory.header
        with self._busy():
            if self._file is not None:
                self._file.sync()
                self._advance(header.first_seq - 1, memory.begun_ns)
                self._leave()
            file = self._file = self._take_next(header.size)
            upto = memory.end
            with memory.image(0, upto) as image:
                file.write(image, 0)
            with tail.turn():
                with memory.image(upto, memory.end) as image:
                    file.write(image, upto)
                self._writer = file.writer(header, memory.end)
                if tail.writer is memory:
                    tail.go_on(self._writer)
                    reached = tail.last_seq
                else:
                    reached = tail.unplaced[1].header.first_seq - 1
                since_ns = self._monotonic_ns()
            file.publish(self._folder, segment_name(header.first_seq))
        with tail.turn():
            tail.unplaced.popleft()
        memory.close()
        self._advance(reached, since_ns)

    def _advance(self, seq: int, since_ns: int) -> None:
        tail = self._tail
        with tail.turn():
            is_more = tail.advance(seq, since_ns)
            acked = tail.acked_seq
        if is_more:
            self._on_acked(acked)

    def _take_next(self, size: int) -> SegmentFile:
        file = self._next
        if file is not None and file.size == size:
            self._next = None
            return file
        return self._create(f"{TEMPORARY}{size}", size)

    def _create(self, name: str, size: int) -> SegmentFile:
        return SegmentFile.create(self._disk, f"{self._folder}/{name}", size, is_mapped=self._is_mapped)

    def _leave(self) -> None:
        """Let go of the last segment."""
        file, writer = self._file, self._writer
        self._file = self._writer = None
        if writer is not None:
            writer.close()
        if file is not None:
            file.close()

    def tell_failure(self) -> None:
        """Say, once, that the journal failed, if it did."""
        failed = self._tail.failed
        if failed is not None and not self._is_told:
            self._is_told = True
            self._on_failed(failed)

    @contextmanager
    def _busy(self) -> Iterator[None]:
        self._began_ns = began = self._monotonic_ns()
        try:
            yield
        finally:
            self._took_ns = self._monotonic_ns() - began
            self._began_ns = None
