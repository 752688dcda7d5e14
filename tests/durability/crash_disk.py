"""A disk in memory that forgets like a real one: what a power cut may leave of files and names.

The live side is an ordinary file system. Beside it stands what is durable: a file's content at its last
completed fsync or fdatasync, a name once its folder was synced. After a cut everything else is open: each
page dirtied since is at any version it ever had, torn between sectors perhaps; a file's length is any it
had; names changed since are there in part.
"""

from __future__ import annotations

import errno
import mmap
import os
import random
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from engine.persistence.disk import Disk

PAGE: Final = 4096
SECTOR: Final = 512
_BLOCK: Final = 4096
_FREE_BLOCKS: Final = 1 << 24
_MADE_NS: Final = 1_700_000_000 * 10**9

Content = bytearray | mmap.mmap


class PowerCut(BaseException):
    """The machine is off: raised by a watcher, it ends whatever was running."""


@dataclass(eq=False, slots=True)
class _Inode:
    mode: int
    content: Content = field(default_factory=bytearray)
    durable: bytes = b""
    """The content at the last completed sync."""
    versions: dict[int, list[bytes]] = field(default_factory=dict)
    """By page: what it has been since, oldest first."""
    lengths: list[int] = field(default_factory=list)
    """What its length has been since."""

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)

    def note(self) -> None:
        """This instant is one that a cut may show."""
        content = self.content[:]
        if len(content) != (self.lengths or (len(self.durable),))[-1]:
            self.lengths.append(len(content))
        for number in range(-(-len(content) // PAGE)):
            at = number * PAGE
            page = bytes(content[at : at + PAGE])
            versions = self.versions.get(number)
            if page != (versions[-1] if versions else self.durable[at : at + PAGE]):
                self.versions.setdefault(number, []).append(page)

    def after_cut(self, rng: random.Random) -> bytes:
        """One content that the disk may show after a cut now."""
        if not self.versions and not self.lengths:
            return self.durable
        length = len(self.durable)
        if self.lengths:
            length = rng.choice((length, *self.lengths))
            if rng.random() < 0.2:  # in the middle of growing
                length = rng.randrange(0, max(*self.lengths, length) + 1, PAGE)
        seen = bytearray(self.durable[:length].ljust(length, b"\0"))
        newest = rng.choice((0.0, 0.5, 0.9, 1.0))
        oldest = rng.choice((0.0, 0.5, 1.0)) * (1 - newest)
        torn = rng.choice((0.0, 0.0, 0.5, 1.0))
        for number, versions in self.versions.items():
            at = number * PAGE
            room = min(PAGE, length - at)
            if room <= 0:
                continue
            before = self.durable[at : at + PAGE]
            if rng.random() < torn:
                for sector in range(0, room, SECTOR):
                    shown = _one_of(before, versions, newest, oldest, rng).ljust(PAGE, b"\0")
                    upto = min(sector + SECTOR, room)
                    seen[at + sector : at + upto] = shown[sector:upto]
            else:
                seen[at : at + room] = _one_of(before, versions, newest, oldest, rng).ljust(PAGE, b"\0")[
                    :room
                ]
        return bytes(seen)


def _one_of(before: bytes, versions: list[bytes], newest: float, oldest: float, rng: random.Random) -> bytes:
    drawn = rng.random()
    if drawn < newest:
        return versions[-1]
    if drawn < newest + oldest:
        return before
    return rng.choice((before, *versions))


@dataclass(eq=False, slots=True)
class _NameChange:
    """One step of a folder's history: a name goes, a name comes, or both at once."""

    removed: str | None
    added: str | None
    inode: _Inode
    is_durable: bool = False

    @property
    def paths(self) -> set[str]:
        return {path for path in (self.removed, self.added) if path is not None}

    def touches(self, folder: str) -> bool:
        return any(os.path.dirname(path) == folder for path in self.paths)

    def needs(self, earlier: _NameChange) -> bool:
        """True when this cannot have happened without the other."""
        return (
            self.inode is earlier.inode
            or bool(self.paths & earlier.paths)
            or any(os.path.dirname(path) == earlier.added for path in self.paths)
        )

    def apply(self, names: dict[str, _Inode]) -> None:
        if self.removed is not None:
            names.pop(self.removed, None)
        if self.added is not None:
            names[self.added] = self.inode


def _quiet(call: str, path: str) -> None:
    """Nobody watches."""


class CrashDisk(Disk):
    """Files, folders and mappings in memory; `after_cut` draws what a power cut now would leave.

    `watch(call, path)` is told before every call, and within a sync once more ("syncing") after the disk
    has taken the content and before it says so: it may write, cut, or raise `PowerCut`.
    """

    def __init__(self, names: dict[str, _Inode] | None = None) -> None:
        self._names = {"/": _Inode(stat.S_IFDIR | 0o755)} if names is None else names
        self._durable_names = dict(self._names)
        self._changes: list[_NameChange] = []
        self._open: dict[int, tuple[str, _Inode]] = {}
        self._next = 1000
        self._mapped: list[_Inode] = []
        self._locked: dict[int, _Inode] = {}
        self.watch: Callable[[str, str], None] = _quiet
        self.kind = "ext4"

    @classmethod
    def holding(cls, folder: str, files: dict[str, bytes]) -> CrashDisk:
        """A disk on which there is one folder, and in it these files by name; all of it is durable."""
        names = {path: _Inode(stat.S_IFDIR | 0o700) for path in ("/", folder)}
        for name, content in files.items():
            names[f"{folder}/{name}"] = _settled(stat.S_IFREG | 0o600, content)
        return cls(names)

    def files(self, folder: str) -> dict[str, bytes]:
        """What any process sees in a folder now: files by name."""
        return {
            os.path.basename(path): bytes(inode.content[:])
            for path, inode in self._names.items()
            if os.path.dirname(path) == folder and not inode.is_folder
        }

    # -- what a cut leaves -----------------------------------------------------------------------

    def note(self) -> None:
        """This instant of every mapped file is one that a cut may show; calls note theirs themselves."""
        for inode in self._mapped:
            inode.note()

    def after_cut(self, rng: random.Random) -> CrashDisk:
        """The disk of the machine that is switched on again, one of many possible."""
        self.note()
        names = dict(self._durable_names)
        for change in self._surviving(rng):
            change.apply(names)
        return CrashDisk(
            {
                path: inode if inode.is_folder else _settled(inode.mode, inode.after_cut(rng))
                for path, inode in names.items()
                if os.path.dirname(path) in names
            }
        )

    def after_kill(self) -> CrashDisk:
        """The disk after the process alone died: nothing that was stored is missing."""
        return CrashDisk(
            {
                path: inode if inode.is_folder else _settled(inode.mode, bytes(inode.content[:]))
                for path, inode in self._names.items()
            }
        )

    def _surviving(self, rng: random.Random) -> list[_NameChange]:
        changes = self._changes
        if rng.random() < 0.7:  # as ext4 does it: one history, cut off somewhere
            least = max((n for n, change in enumerate(changes, 1) if change.is_durable), default=0)
            return changes[: rng.randint(least, len(changes))]
        kept: list[_NameChange] = []
        lost: list[_NameChange] = []
        for change in changes:  # as file systems may that promise each folder by itself
            is_kept = change.is_durable or (
                rng.random() < 0.5 and not any(change.needs(other) for other in lost)
            )
            (kept if is_kept else lost).append(change)
        return kept

    def _changed(self, removed: str | None, added: str | None, inode: _Inode) -> None:
        change = _NameChange(removed, added, inode)
        self._changes.append(change)
        change.apply(self._names)

    def _names_synced(self, folder: str, count: int) -> None:
        """The first `count` changes, so far as they are the folder's, are durable, with what they need."""
        changes = self._changes[:count]
        for change in changes:
            change.is_durable = change.is_durable or change.touches(folder)
        for at in range(len(changes) - 1, -1, -1):
            if changes[at].is_durable:
                for earlier in changes[:at]:
                    # A folder's content can be durable while its own name is not.
                    if not earlier.inode.is_folder and changes[at].needs(earlier):
                        earlier.is_durable = True
        while self._changes and self._changes[0].is_durable:
            self._changes.pop(0).apply(self._durable_names)

    # -- the calls -------------------------------------------------------------------------------

    def open(self, path: str, flags: int, mode: int = 0o600) -> int:
        self.watch("open", path)
        inode = self._names.get(path)
        if inode is None:
            if not flags & os.O_CREAT:
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            self._folder(os.path.dirname(path))
            inode = _Inode(stat.S_IFREG | mode, durable=b"")
            self._changed(None, path, inode)
        elif flags & os.O_CREAT and flags & os.O_EXCL:
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        elif flags & os.O_DIRECTORY and not inode.is_folder:
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        elif flags & os.O_TRUNC:
            inode.content = bytearray()
            inode.note()
        self._next += 1
        self._open[self._next] = (path, inode)
        return self._next

    def close(self, descriptor: int) -> None:
        self.watch("close", self._path(descriptor))
        self._locked.pop(descriptor, None)
        del self._open[descriptor]

    def fstat(self, descriptor: int) -> os.stat_result:
        self.watch("fstat", self._path(descriptor))
        return self._stat(self._inode(descriptor))

    def lstat(self, path: str) -> os.stat_result:
        self.watch("lstat", path)
        return self._stat(self._named(path))

    def statvfs(self, path: str) -> os.statvfs_result:
        self.watch("statvfs", path)
        blocks = (_BLOCK, _BLOCK, 2 * _FREE_BLOCKS, _FREE_BLOCKS, _FREE_BLOCKS)
        return os.statvfs_result((*blocks, 1 << 20, 1 << 20, 1 << 20, 0, 255, 0))

    def listdir(self, path: str) -> list[str]:
        self.watch("listdir", path)
        self._folder(path)
        return sorted(os.path.basename(name) for name in self._names if os.path.dirname(name) == path != name)

    def mkdir(self, path: str, mode: int = 0o700) -> None:
        self.watch("mkdir", path)
        if path in self._names:
            raise OSError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        self._folder(os.path.dirname(path))
        self._changed(None, path, _Inode(stat.S_IFDIR | mode))

    def lock(self, descriptor: int) -> None:
        self.watch("lock", self._path(descriptor))
        inode = self._inode(descriptor)
        if inode in self._locked.values():
            raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK))
        self._locked[descriptor] = inode

    def file_system(self, path: str) -> str:
        return self.kind

    def can_allocate(self) -> bool:
        return True

    def pread(self, descriptor: int, length: int, offset: int) -> bytes:
        self.watch("pread", self._path(descriptor))
        return bytes(self._inode(descriptor).content[offset : offset + length])

    def pwrite(self, descriptor: int, data: bytes | bytearray | memoryview, offset: int) -> None:
        self.watch("pwrite", self._path(descriptor))
        inode, content = self._inode(descriptor), memoryview(data).cast("B")
        missing = offset + len(content) - len(inode.content)
        if missing > 0:
            assert isinstance(inode.content, bytearray), "a mapped file never grows"
            inode.content.extend(bytes(missing))
        inode.content[offset : offset + len(content)] = bytes(content)
        inode.note()

    def allocate(self, descriptor: int, length: int) -> None:
        self.watch("allocate", self._path(descriptor))
        inode = self._inode(descriptor)
        missing = length - len(inode.content)
        if missing > 0:
            assert isinstance(inode.content, bytearray), "a mapped file never grows"
            inode.content.extend(bytes(missing))
            inode.note()

    def map(self, descriptor: int, length: int) -> mmap.mmap:
        self.watch("map", self._path(descriptor))
        inode = self._inode(descriptor)
        assert len(inode.content) == length, "a mapping shows the whole file"
        assert inode not in self._mapped, "one mapping a file"
        mapping = mmap.mmap(-1, length)
        mapping[:] = bytes(inode.content[:])
        inode.content = mapping
        self._mapped.append(inode)
        return mapping

    def unmap(self, mapping: mmap.mmap) -> None:
        self.watch("unmap", "")
        inode = next(inode for inode in self._mapped if inode.content is mapping)
        inode.note()
        content = bytearray(mapping[:])
        mapping.close()
        inode.content = content
        self._mapped.remove(inode)

    def fsync(self, descriptor: int) -> None:
        self._sync("fsync", descriptor)

    def fdatasync(self, descriptor: int) -> None:
        self._sync("fdatasync", descriptor)

    def rename(self, source: str, target: str) -> None:
        self.watch("rename", source)
        self._folder(os.path.dirname(target))
        self._changed(source, target, self._named(source))

    def unlink(self, path: str) -> None:
        self.watch("unlink", path)
        self._changed(path, None, self._named(path))

    # -- behind the calls ------------------------------------------------------------------------

    def _sync(self, call: str, descriptor: int) -> None:
        path, inode = self._open[descriptor]
        self.watch(call, path)
        if inode.is_folder:
            count = len(self._changes)
            self.watch("syncing", path)
            self._names_synced(path, count)
            return
        inode.note()
        taken = bytes(inode.content[:])
        noted = {number: len(versions) for number, versions in inode.versions.items()}
        lengths = len(inode.lengths)
        self.watch("syncing", path)
        inode.note()
        inode.durable = taken
        for number, count in noted.items():
            if not (later := inode.versions[number][count:]):
                del inode.versions[number]
            else:
                inode.versions[number] = later
        del inode.lengths[:lengths]

    def _inode(self, descriptor: int) -> _Inode:
        if descriptor not in self._open:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._open[descriptor][1]

    def _path(self, descriptor: int) -> str:
        if descriptor not in self._open:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._open[descriptor][0]

    def _named(self, path: str) -> _Inode:
        if path not in self._names:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return self._names[path]

    def _folder(self, path: str) -> _Inode:
        inode = self._named(path)
        if not inode.is_folder:
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        return inode

    def _stat(self, inode: _Inode) -> os.stat_result:
        links = 2 if inode.is_folder else sum(other is inode for other in self._names.values())
        return os.stat_result(
            (
                inode.mode,
                id(inode),
                1,
                links,
                os.geteuid(),
                os.getegid(),
                len(inode.content),
                *3 * (_MADE_NS // 10**9,),
            )
        )


def _settled(mode: int, content: bytes) -> _Inode:
    return _Inode(mode, bytearray(content), content)
