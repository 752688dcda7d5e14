"""What persistence asks of the operating system, in one place: tests put faults and crashes here.

Every call may raise `OSError`; whoever asks turns it into an error of its own, with what it means.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import re
from typing import Final

_ESCAPED: Final = re.compile(r"\\([0-7]{3})")
"""How blanks and their like stand in the table of mounts."""


class Disk:
    """The machine's own files. Descriptors are never inherited and symbolic links never followed."""

    __slots__ = ()

    def open(self, path: str, flags: int, mode: int = 0o600) -> int:
        """A descriptor of a file or folder."""
        return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, mode)

    def close(self, descriptor: int) -> None:
        """Give a descriptor back."""
        os.close(descriptor)

    def fstat(self, descriptor: int) -> os.stat_result:
        """Size, links, kind, mode and owner of an open file."""
        return os.fstat(descriptor)

    def lstat(self, path: str) -> os.stat_result:
        """The same by name; of a symbolic link itself."""
        return os.lstat(path)

    def statvfs(self, path: str) -> os.statvfs_result:
        """Space and sizes of the file system."""
        return os.statvfs(path)

    def listdir(self, path: str) -> list[str]:
        """The names in a folder, sorted."""
        return sorted(os.listdir(path))

    def mkdir(self, path: str, mode: int = 0o700) -> None:
        """Make a folder."""
        os.mkdir(path, mode)

    def lock(self, descriptor: int) -> None:
        """Take the one lock there is on an open file or folder, until its last descriptor is closed.

        `BlockingIOError` at once when another one holds it.
        """
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def file_system(self, path: str) -> str:
        """The kind of file system a path is on, as the table of mounts calls it; "" where there is none."""
        try:
            with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
                lines = table.read().splitlines()
        except OSError:
            return ""
        place = os.path.realpath(path)
        depth, kind = 0, ""
        for line in lines:
            left, _, right = line.partition(" - ")
            point = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), left.split(" ")[4])
            inside = place == point or place.startswith(point.rstrip("/") + "/")
            if inside and len(point) >= depth:  # of two on one point the later one is seen
                depth, kind = len(point), right.split(" ")[0]
        return kind

    def can_allocate(self) -> bool:
        """Whether `allocate` can be asked of this machine."""
        return hasattr(os, "posix_fallocate")

    def pread(self, descriptor: int, length: int, offset: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer at the end of the file alone."""
        parts: list[bytes] = []
        while length and (part := os.pread(descriptor, length, offset)):
            parts.append(part)
            offset += len(part)
            length -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def pwrite(self, descriptor: int, data: bytes | bytearray | memoryview, offset: int) -> None:
        """All of `data` at `offset`."""
        left = memoryview(data).cast("B")
        while left:
            written = os.pwrite(descriptor, left, offset)
            left = left[written:]
            offset += written

    def allocate(self, descriptor: int, length: int) -> None:
        """Blocks for the first `length` bytes of a file, zeros where it is new."""
        os.posix_fallocate(descriptor, 0, length)

    def map(self, descriptor: int, length: int) -> mmap.mmap:
        """The first `length` bytes of an allocated file as shared, writable memory."""
        return mmap.mmap(descriptor, length, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)

    def unmap(self, mapping: mmap.mmap) -> None:
        """Give a mapping back; every view of it must be released before."""
        mapping.close()

    def fsync(self, descriptor: int) -> None:
        """Put a file or folder on the disk, with what finds it again."""
        os.fsync(descriptor)

    def fdatasync(self, descriptor: int) -> None:
        """Put a file's content on the disk, pages that were dirtied through a mapping included."""
        os.fdatasync(descriptor)

    def rename(self, source: str, target: str) -> None:
        """Give a file another name, at once and in place of whatever had it."""
        os.rename(source, target)

    def unlink(self, path: str) -> None:
        """Remove a name."""
        os.unlink(path)

    def sync_folder(self, path: str) -> None:
        """Put the names in a folder on the disk."""
        descriptor = self.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            self.fsync(descriptor)
        finally:
            self.close(descriptor)

    def write_whole(self, folder: str, name: str, data: bytes | bytearray | memoryview) -> None:
        """A file that is there whole or not at all: temporary file, fsync, rename, fsync of the folder."""
        temporary = f"{folder}/.tmp-{name}"
        descriptor = self.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        try:
            self.pwrite(descriptor, data, 0)
            self.fsync(descriptor)
        finally:
            self.close(descriptor)
        self.rename(temporary, f"{folder}/{name}")
        self.sync_folder(folder)


DISK: Final = Disk()
