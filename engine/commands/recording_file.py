"""Writing a recording: whole lines in whole blocks, so that whatever ends it leaves what came before.

A block is a gzip member of its own (or plain lines). One that the disk does not take is cut off again,
and what stands before it is a recording like any other. Nothing is written on the event loop.
"""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from engine.core.errors import PinnacleError, UsageError

BLOCK_BYTES: Final = 1 << 20
MOST_WAITING_BYTES: Final = 64 << 20
"""So much may wait for the disk; then the venue's connection waits too."""
_FLUSH_S: Final = 1.0
_LEVEL: Final = 6


class RecordingWriteError(PinnacleError):
    """The disk does not take more of a recording. What was written before is whole."""

    exit_code = 74


class _Line(msgspec.Struct, gc=False):
    ts: str
    dir: str
    raw: str


class RecordingFile:
    """A new recording; gzip where the name ends with `.gz`. `UsageError` for a file that is there already.

    `on_failure` is called once when the disk takes no more.
    """

    def __init__(self, path: Path, on_failure: Callable[[], None]) -> None:
        self.path = path
        self.lines = 0
        self.bytes_written = 0
        self.failure: RecordingWriteError | None = None
        """Why nothing is written any more."""
        self._on_failure = on_failure
        self._is_gzip = path.suffix == ".gz"
        try:
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            raise UsageError(f"{path} is there already; a recording is never written over another") from None
        except OSError as error:
            raise UsageError(f"{path}: cannot be made: {error.strerror}") from None
        self._encoder = msgspec.json.Encoder()
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._more = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._is_closing = False
        self._task = asyncio.create_task(self._run(), name="recording")

    def add(self, direction: str, raw: str, wall_ns: int) -> None:
        """Add a line: `connect`, `send` or `recv`, and when."""
        if self.failure is not None:
            return
        seconds, rest = divmod(wall_ns, 10**9)
        line = self._encoder.encode(_Line(f"{seconds}.{rest:09d}", direction, raw)) + b"\n"
        self._waiting.append(line)
        self._waiting_bytes += len(line)
        self.lines += 1
        if self._waiting_bytes >= BLOCK_BYTES:
            self._more.set()
        if self._waiting_bytes >= MOST_WAITING_BYTES:
            self._room.clear()

    async def room(self) -> None:
        """Return when there is room for more."""
        await self._room.wait()

    async def close(self) -> None:
        """Write what waits, see it on the disk, and close. Raises `RecordingWriteError`."""
        self._is_closing = True
        self._more.set()
        await self._task
        try:
            if self.failure is None:
                await asyncio.to_thread(self._sync)
        except OSError as error:
            self._fail(error)
        finally:
            os.close(self._fd)
        if self.failure is not None:
            raise self.failure

    async def _run(self) -> None:
        while self.failure is None and not (self._is_closing and not self._waiting):
            if not self._is_closing:
                try:
                    async with asyncio.timeout(_FLUSH_S):
                        await self._more.wait()
                except TimeoutError:
                    pass
            self._more.clear()
            lines, self._waiting, self._waiting_bytes = self._waiting, [], 0
            self._room.set()
            if lines:
                try:
                    await asyncio.to_thread(self._write, lines)
                except OSError as error:
                    self._fail(error)

    def _write(self, lines: list[bytes]) -> None:
        """Append a block, or nothing. In a thread."""
        block = b"".join(lines)
        data = gzip.compress(block, _LEVEL) if self._is_gzip else block
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            os.ftruncate(self._fd, self.bytes_written)
            raise
        self.bytes_written += len(data)

    def _sync(self) -> None:
        os.fsync(self._fd)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _fail(self, error: OSError) -> None:
        self.failure = RecordingWriteError(
            f"{self.path}: nothing more can be written ({error.strerror}); the {self.bytes_written:,} bytes "
            "before that are a whole recording. Make room and begin another"
        )
        self._waiting.clear()
        self._room.set()
        self._on_failure()
