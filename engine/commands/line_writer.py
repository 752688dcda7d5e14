"""Lines for a reader who may be slow, stopped or gone: whoever hands them over never waits in a write.

A full pipe or a stopped terminal blocks a write for as long as it likes. Here only a thread of its own is
blocked by it; the event loop, and with it the engine and its signals, goes on.
"""

from __future__ import annotations

import asyncio
import os
import select
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TextIO

ROOM = 4_096
"""A writer that may wait for its reader does so while more lines than this wait."""
_CHUNK_BYTES = 4_096
"""Written at once: small enough that a slow reader is seen to take something."""
_BATCH_LINES = 256
_POLL_S = 0.005
_PATIENCE_POLLS = 400
"""How often a reader is looked at in vain before nobody waits for it any longer: two seconds."""


class LineWriter:
    """Writes lines to `stream` in a daemon thread; the first failure is kept and told, and ends the writing.

    `on_error` is called in that thread.
    """

    def __init__(self, stream: TextIO, on_error: Callable[[OSError], None]) -> None:
        self.error: OSError | None = None
        self.dropped = 0
        """Lines that found no room."""
        self._stream = stream
        self._on_error = on_error
        # Not through the stream's own buffer: its lock, held by a blocked write, would stop the interpreter
        # from ending.
        self._fd = _descriptor(stream)
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._pushed = 0
        self._written = 0
        self._bytes = 0
        threading.Thread(target=self._run, name="line writer", daemon=True).start()

    def write(self, line: str, most: int) -> None:
        """Hand over a line; it is dropped, and counted, when `most` lines wait already."""
        if self.error is not None:
            return
        if self._waiting >= most:
            self.dropped += 1
            return
        self._pushed += 1
        self._queue.put(line + "\n")

    async def room(self, stop: asyncio.Event) -> None:
        """Return when there is room, when `stop` is set, or when there is nothing to wait for any more."""
        # Polled: the writing thread knows no event loop, and a loop may end before it.
        while self._waiting > ROOM and self.error is None and not stop.is_set():  # noqa: ASYNC110
            await asyncio.sleep(_POLL_S)

    async def close(self, stop: asyncio.Event) -> None:
        """Return when everything is written; once `stop` is set, wait only while the reader still reads."""
        self._queue.put(None)
        taken, idle = -1, 0
        while self._waiting and self.error is None and idle < _PATIENCE_POLLS:
            idle = idle + 1 if stop.is_set() and self._bytes == taken else 0
            taken = self._bytes
            await asyncio.sleep(_POLL_S)

    @property
    def _waiting(self) -> int:
        """Lines handed over and not yet written."""
        return self._pushed - self._written

    def _run(self) -> None:
        is_open = True
        while is_open:
            lines = self._next_lines()
            is_open = lines[-1] is not None
            text = [line for line in lines if line is not None]
            try:
                self._put("".join(text))
            except OSError as error:
                self.error = error
                self._on_error(error)
                return
            self._written += len(text)

    def _next_lines(self) -> list[str | None]:
        """Whatever waits, at least one; None, the last there ever is, closes."""
        lines = [self._queue.get()]
        try:
            while lines[-1] is not None and len(lines) < _BATCH_LINES:
                lines.append(self._queue.get_nowait())
        except Empty:
            pass
        return lines

    def _put(self, text: str) -> None:
        if self._fd is None:
            self._stream.write(text)
            self._bytes += len(text)
            return
        rest = memoryview(text.encode())
        while rest:
            try:
                count = os.write(self._fd, rest[:_CHUNK_BYTES])
            except BlockingIOError:  # somebody who shares the terminal has made it non-blocking
                select.select([], [self._fd], [])
                continue
            self._bytes += count
            rest = rest[count:]


def _descriptor(stream: TextIO) -> int | None:
    """The file descriptor below a stream, or None for one in memory."""
    try:
        number = stream.fileno()
    except OSError:
        return None
    stream.flush()
    return number
