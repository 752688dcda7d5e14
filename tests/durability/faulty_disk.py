"""The real disk, watched, and made to fail at a chosen call."""

from __future__ import annotations

import errno
import mmap
import os
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from engine.persistence.disk import Disk

CALLS: Final = (
    "open", "close", "fstat", "lstat", "statvfs", "listdir", "mkdir", "lock", "pread", "pwrite", "allocate",
    "map", "unmap", "fsync", "fdatasync", "rename", "unlink",
)  # fmt: skip
SYNCS: Final = ("fsync", "fdatasync")


class FaultyDisk(Disk):
    """Counts every call; the one numbered `fails_at` (from 1) fails with `error`.

    A write that fails has written half, a close has closed all the same: as systems do it.
    """

    def __init__(self, fails_at: int = 0, error: int = errno.EIO, kind: str = "") -> None:
        self.fails_at = fails_at
        self.error = error
        self.kind = kind
        """Of the file system."""
        self.calls: list[str] = []
        self.counts: Counter[str] = Counter()
        self.failed_call = ""
        self.before: Callable[[str], None] = lambda call: None
        """Told of every call before it is made."""
        self.open_descriptors: set[int] = set()
        self.mappings: list[mmap.mmap] = []

    @property
    def calls_since_failure(self) -> list[str]:
        """What was asked for after the call that failed."""
        return self.calls[self.fails_at :] if self.failed_call else []

    def file_system(self, path: str) -> str:
        return self.kind

    def open(self, path: str, flags: int, mode: int = 0o600) -> int:
        self._count("open")
        descriptor = super().open(path, flags, mode)
        self.open_descriptors.add(descriptor)
        return descriptor

    def close(self, descriptor: int) -> None:
        self.open_descriptors.discard(descriptor)
        super().close(descriptor)
        self._count("close")

    def map(self, descriptor: int, length: int) -> mmap.mmap:
        self._count("map")
        mapping = super().map(descriptor, length)
        self.mappings.append(mapping)
        return mapping

    def unmap(self, mapping: mmap.mmap) -> None:
        super().unmap(mapping)
        self._count("unmap")

    def pwrite(self, descriptor: int, data: bytes | bytearray | memoryview, offset: int) -> None:
        try:
            self._count("pwrite")
        except OSError:
            os.pwrite(descriptor, data[: len(data) // 2], offset)
            raise
        super().pwrite(descriptor, data, offset)

    def _count(self, call: str) -> None:
        self.before(call)
        self.calls.append(call)
        self.counts[call] += 1
        if len(self.calls) == self.fails_at:
            self.failed_call = call
            raise OSError(self.error, os.strerror(self.error))


def _counted(call: str) -> Any:
    real = getattr(Disk, call)

    def counted(self: FaultyDisk, *arguments: Any, **named: Any) -> Any:
        self._count(call)
        return real(self, *arguments, **named)

    return counted


for _call in CALLS:
    if _call not in vars(FaultyDisk):
        setattr(FaultyDisk, _call, _counted(_call))
