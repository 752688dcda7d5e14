"""One segment while it is written: its file, and the two ways of putting records into it."""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, Protocol, Self

from engine.persistence.disk import Disk
from engine.persistence.errors import JournalError
from engine.persistence.format import CHECKSUMS, FRAME_BYTES, HEADER_BYTES, SegmentHeader, record_bytes

_START: Final = struct.Struct("<IQQHHI")
"""What the crc begins with: length, seq, ts_ns, type, flags, lag; the crc itself is left out."""
_ZEROS: Final = bytes(1 << 20)


@contextmanager
def naming(path: str) -> Iterator[None]:
    """An `OSError` in here says which file it is about."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = path
        raise


class Writer(Protocol):
    """Puts records behind one another."""

    header: SegmentHeader
    end: int
    """Offset of the first free byte."""

    def write(self, seq: int, ts_ns: int, kind: int, flags: int, lag: int, payload: bytes) -> int:
        """Put one record at `end`; whether there is room is the caller's business. Returns its crc field."""
        ...

    def close(self) -> None:
        """Let go of the memory."""
        ...


class MappedWriter:
    """Writes into memory. The commit word is stored last, so a torn record is never taken for a whole one."""

    __slots__ = ("_bytes", "_checksum", "_first", "_words", "end", "header")

    def __init__(self, mapping: mmap.mmap, header: SegmentHeader, end: int) -> None:
        self.header = header
        self.end = end
        self._bytes = memoryview(mapping)
        self._words = self._bytes.cast("Q")
        self._checksum = CHECKSUMS[header.crc_kind]
        self._first = header.salt & 0xFFFFFFFF

    def write(self, seq: int, ts_ns: int, kind: int, flags: int, lag: int, payload: bytes) -> int:
        """See `Writer`."""
        length = len(payload)
        record = _START.pack(length, seq, ts_ns, kind, flags, lag) + payload
        crc = self._checksum(record, self._first)
        at = self.end
        end = at + FRAME_BYTES + length
        self._bytes[at + 8 : end] = record[4:]
        self._words[at >> 3] = length | crc << 32
        self.end = (end + 7) & ~7
        return crc

    def close(self) -> None:
        """See `Writer`."""
        self._words.release()
        self._bytes.release()


class MemoryWriter(MappedWriter):
    """Writes what has no file yet, laid out as the file will be."""

    __slots__ = ("_mapping", "begun_ns")

    def __init__(self, header: SegmentHeader, begun_ns: int) -> None:
        self.begun_ns = begun_ns
        """Monotonic."""
        # Not a bytearray: that is filled with zeros at once, this only where it is used.
        self._mapping = mmap.mmap(-1, header.size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._mapping[:HEADER_BYTES] = header.pack()
        super().__init__(self._mapping, header, HEADER_BYTES)

    def image(self, start: int, end: int) -> memoryview:
        """What the file must contain from `start` to before `end`; to be released before `close`."""
        return self._bytes[start:end]

    def close(self) -> None:
        """See `Writer`."""
        super().close()
        self._mapping.close()


class PwriteWriter:
    """Writes each record with one call: for file systems where memory that shows a file is not safe."""

    __slots__ = ("_file", "end", "header")

    def __init__(self, file: SegmentFile, header: SegmentHeader, end: int) -> None:
        self.header = header
        self.end = end
        self._file = file

    def write(self, seq: int, ts_ns: int, kind: int, flags: int, lag: int, payload: bytes) -> int:
        """See `Writer`."""
        header = self.header
        record = record_bytes(header.salt, header.crc_kind, seq, ts_ns, kind, flags, lag, payload)
        self._file.write(record, self.end)
        self.end += len(record)
        return int.from_bytes(record[4:8], "little")

    def close(self) -> None:
        """See `Writer`."""


class SegmentFile:
    """A segment's file. An `OSError` of any call names it."""

    __slots__ = ("_descriptor", "_disk", "_mapping", "path", "size")

    def __init__(self, disk: Disk, path: str, size: int, flags: int) -> None:
        """See `create` and `open`."""
        self.path = path
        self.size = size
        self._disk = disk
        self._mapping: mmap.mmap | None = None
        with naming(path):
            self._descriptor = disk.open(path, os.O_RDWR | flags)

    @classmethod
    def create(cls, disk: Disk, path: str, size: int, *, is_mapped: bool) -> Self:
        """A file of `size` zeros whose blocks are its own, and on the disk.

        The zeros are written, not only reserved: an append then finds its page in memory, and a sync does
        not have to note which blocks are in use.
        """
        file = cls(disk, path, size, os.O_CREAT | os.O_EXCL)
        with file._opening():
            if is_mapped:
                disk.allocate(file._descriptor, size)
            for offset in range(0, size, len(_ZEROS)):
                disk.pwrite(file._descriptor, _ZEROS[: size - offset], offset)
            disk.fsync(file._descriptor)
            if is_mapped:
                file._mapping = disk.map(file._descriptor, size)
        return file

    @classmethod
    def open(cls, disk: Disk, path: str, size: int, *, is_mapped: bool) -> Self:
        """The file of a segment that is continued. Raises `JournalError` when it has another size."""
        file = cls(disk, path, size, 0)
        with file._opening():
            file._check()
            if is_mapped:
                disk.allocate(file._descriptor, size)  # a copy may have holes
                file._mapping = disk.map(file._descriptor, size)
        return file

    def writer(self, header: SegmentHeader, end: int) -> Writer:
        """Whoever writes into it from `end` on."""
        if self._mapping is None:
            return PwriteWriter(self, header, end)
        return MappedWriter(self._mapping, header, end)

    def write(self, data: bytes | memoryview, offset: int) -> None:
        """Put bytes into the file."""
        with naming(self.path):
            self._disk.pwrite(self._descriptor, data, offset)

    def read(self, length: int) -> bytes:
        """The first bytes of the file."""
        with naming(self.path):
            return self._disk.pread(self._descriptor, length, 0)

    def sync(self) -> None:
        """Put on the disk what was written, through the mapping too.

        Raises `JournalError` when the file was deleted or its size changed: writes to such a file vanish
        without an error.
        """
        with naming(self.path):
            self._disk.fdatasync(self._descriptor)
            self._check()

    def publish(self, folder: str, name: str) -> None:
        """Put the file on the disk, then under its name. A name that is taken is a `JournalError`."""
        disk = self._disk
        path = f"{folder}/{name}"
        with naming(self.path):
            disk.fsync(self._descriptor)
            try:
                disk.lstat(path)
            except FileNotFoundError:
                disk.rename(self.path, path)
                self.path = path
            else:
                raise JournalError(f"{path} is there already and would be lost")
            disk.sync_folder(folder)
            self._check()

    def remove(self) -> None:
        """Delete the file; it has no name any more, and is still to be closed."""
        with naming(self.path):
            self._disk.unlink(self.path)

    def close(self) -> None:
        """Let go of it; its writers must be closed before."""
        with naming(self.path):
            mapping, self._mapping = self._mapping, None
            try:
                if mapping is not None:
                    self._disk.unmap(mapping)
            finally:
                self._disk.close(self._descriptor)

    def _check(self) -> None:
        status = self._disk.fstat(self._descriptor)
        if status.st_nlink < 1:
            raise JournalError(f"{self.path} was deleted by somebody else while it was written")
        if status.st_size != self.size:
            raise JournalError(
                f"{self.path} has {status.st_size} bytes where {self.size} are allocated: it was changed by "
                "somebody else"
            )

    @contextmanager
    def _opening(self) -> Iterator[None]:
        try:
            with naming(self.path):
                yield
        except BaseException:
            with suppress(OSError):  # what went wrong before is said
                self._disk.close(self._descriptor)
            raise
