"""A journal's folder: whose it is, that one process at a time writes in it, what it says of itself."""

from __future__ import annotations

import errno
import os
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final, Self

import msgspec

from engine.core.errors import UsageError
from engine.persistence.disk import DISK, Disk
from engine.persistence.errors import DamageError, JournalError, LockedError

LOCK: Final = "LOCK"
META: Final = "META.json"
TEMPORARY: Final = ".tmp-"
"""How names of unfinished files begin; whoever opens the folder for writing deletes them."""
SEGMENT_SUFFIX: Final = ".pjl"
FORMAT: Final = 1
_MODE: Final = 0o700
_LOCK_TEXT_BYTES: Final = 64
_MOST_META_BYTES: Final = 4096

_UNMAPPABLE: Final = frozenset({"btrfs", "zfs", "bcachefs", "overlay", "virtiofs", "9p"})
"""File systems that can run out of space under allocated bytes, or that show a mapping late."""
_NETWORK: Final = frozenset({"9p", "nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "afs", "lustre"})
_REFUSED_LOCK: Final = frozenset({errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP})
"""What file systems say that cannot lock a folder."""


def segment_name(first_seq: int) -> str:
    """The file of the segment that begins with this record."""
    return f"{first_seq:020}{SEGMENT_SUFFIX}"


class Meta(msgspec.Struct, frozen=True):
    """What a journal says of itself."""

    format: int
    uuid: str
    """Thirty-two hex digits; every segment and every snapshot carries them as 16 bytes."""
    created_ns: int
    """Wall clock, for people."""


def read_meta(path: str, disk: Disk = DISK) -> Meta:
    """What the journal in a folder says of itself; no lock is taken.

    Raises `UsageError` where there is no journal or the folder is not ours alone, `DamageError` for one that
    cannot be read or is another version's, `JournalError` when the disk fails.
    """
    path = _plain(path)
    try:
        check_folder(path, disk)
        return _read_meta(path, disk)
    except OSError as error:
        raise _unusable(path, error) from None


def check_folder(path: str, disk: Disk) -> None:
    """Raise `UsageError` unless this is a folder, of our user, that nobody else may enter."""
    try:
        status = disk.lstat(_plain(path))
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"there is no journal in {path}") from None
    if not stat.S_ISDIR(status.st_mode):
        raise UsageError(f"{path} is no folder (links are not followed); give the session's own folder")
    if status.st_uid != os.geteuid():
        raise UsageError(
            f"{path} belongs to user {status.st_uid}, this is user {os.geteuid()}; run as that user, or "
            f"`chown -R {os.geteuid()} {path}`. Nothing was read or written"
        )
    if (mode := stat.S_IMODE(status.st_mode) & 0o777) != _MODE:
        raise UsageError(
            f"{path} has mode {mode:04o}, a journal's folder must be 0700, so that nobody else reads or "
            f"changes it: `chmod 700 {path}`. Nothing was read or written"
        )


def check_file(path: str, disk: Disk) -> bool:
    """Whether there is a file of this name. `UsageError` when something else, or another user's, has it."""
    try:
        status = disk.lstat(path)
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(status.st_mode):
        raise UsageError(
            f"{path} is no regular file (a link, a pipe or a folder has its name); move it away. "
            "Nothing was read or written"
        )
    if status.st_uid != os.geteuid():
        raise UsageError(
            f"{path} belongs to user {status.st_uid}, this is user {os.geteuid()}; "
            f"`chown {os.geteuid()} {path}`. Nothing was read or written"
        )
    return True


class JournalDirectory:
    """A journal's folder, locked for this process until `close`, or until the process is gone.

    Two locks are held: on the file `LOCK` and on the folder itself, which stands even if somebody deletes
    `LOCK`. Only the system frees them; what `LOCK` says is for messages alone.
    """

    def __init__(self, path: str, disk: Disk, locks: tuple[int, ...], warnings: list[str]) -> None:
        """See `create` and `open`."""
        self.path = path
        self.disk = disk
        self.uuid = b""
        self.warnings = warnings
        """What its user should be told."""
        kind = disk.file_system(path)
        self.is_mappable = not (kind in _UNMAPPABLE or _is_network(kind) or kind.startswith("fuse"))
        """Whether a full disk, or another one's writing, cannot harm allocated memory that shows a file."""
        self.locks = locks
        """Their descriptors."""
        if _is_network(kind):
            warnings.append(
                f"{path} is on a network file system ({kind}): neither locks nor what was written last are "
                "promised there; keep sessions on a disk of this machine"
            )

    @classmethod
    def create(cls, path: str, disk: Disk = DISK, *, created_ns: int) -> Self:
        """Begin a journal in a folder, which is made if it is absent; its parent must exist.

        Raises `UsageError` when there is one already, or the folder is not ours alone, `LockedError` and
        `JournalError`.
        """
        path = _plain(path)
        try:
            with suppress(FileExistsError):
                disk.mkdir(path, _MODE)
                disk.sync_folder(os.path.dirname(path) or ".")
            directory = cls._locked(path, disk)
        except OSError as error:
            raise _unusable(path, error) from None
        with _opening(directory):
            if check_file(f"{path}/{META}", disk):
                raise UsageError(f"{path} holds a journal already; it was not touched")
            directory.uuid = uuid.uuid4().bytes
            meta = Meta(FORMAT, directory.uuid.hex(), created_ns)
            disk.write_whole(path, META, msgspec.json.encode(meta) + b"\n")
        return directory

    @classmethod
    def open(cls, path: str, disk: Disk = DISK) -> Self:
        """Take up the journal in a folder: unfinished files are deleted.

        Raises `UsageError` where there is none or the folder is not ours alone, `LockedError`, `DamageError`
        when it cannot be told whose journal it is, `JournalError` when the disk fails.
        """
        path = _plain(path)
        try:
            directory = cls._locked(path, disk)
        except OSError as error:
            raise _unusable(path, error) from None
        with _opening(directory):
            directory.uuid = bytes.fromhex(_read_meta(path, disk).uuid)
            for name in disk.listdir(path):
                if name.startswith(TEMPORARY):
                    disk.unlink(f"{path}/{name}")
        return directory

    def close(self) -> None:
        """Free the locks. Nothing may be written any more."""
        locks, self.locks = self.locks, ()
        for descriptor in locks:
            self.disk.close(descriptor)

    @classmethod
    def _locked(cls, path: str, disk: Disk) -> Self:
        check_folder(path, disk)
        warnings: list[str] = []
        locks: list[int] = []
        try:
            locks.append(disk.open(path, os.O_RDONLY | os.O_DIRECTORY))
            try:
                disk.lock(locks[0])
            except BlockingIOError:
                raise
            except OSError as error:
                if error.errno not in _REFUSED_LOCK:
                    raise
                warnings.append(f"{path}: its file system locks no folders; never delete {LOCK} while in use")
            check_file(f"{path}/{LOCK}", disk)
            locks.append(disk.open(f"{path}/{LOCK}", os.O_RDWR | os.O_CREAT))
            disk.lock(locks[1])
            text = f"{os.getpid()} {time.time_ns()}".ljust(_LOCK_TEXT_BYTES - 1) + "\n"
            disk.pwrite(locks[1], text.encode(), 0)
            return cls(path, disk, tuple(locks), warnings)
        except BlockingIOError:
            holder = _holder(path, disk)
            _close_all(locks, disk)
            raise LockedError(
                f"{path} is in use by {holder}; nothing was read or written. Attach to that one, or end it "
                "first"
            ) from None
        except BaseException:
            _close_all(locks, disk)
            raise


@contextmanager
def _opening(directory: JournalDirectory) -> Iterator[None]:
    """Frees the locks when opening fails after all, and says what an `OSError` means."""
    try:
        yield
    except OSError as error:
        _close_all(directory.locks, directory.disk)
        raise _unusable(directory.path, error) from None
    except BaseException:
        _close_all(directory.locks, directory.disk)
        raise


def _read_meta(path: str, disk: Disk) -> Meta:
    file = f"{path}/{META}"
    if not check_file(file, disk):
        raise UsageError(f"there is no journal in {path} ({META} is missing)")
    descriptor = disk.open(file, os.O_RDONLY)
    try:
        content = disk.pread(descriptor, _MOST_META_BYTES, 0)
    finally:
        disk.close(descriptor)
    try:
        meta = msgspec.json.decode(content, type=Meta)
        is_sound = len(bytes.fromhex(meta.uuid)) == 16
    except (msgspec.MsgspecError, ValueError):
        is_sound = False
    if not is_sound:
        raise DamageError(
            f"{file} is damaged: it must name the journal's uuid, which every segment carries too. "
            "Nothing was changed"
        )
    if meta.format != FORMAT:
        raise DamageError(
            f"{file} has format {meta.format}: written by a newer version; use that version. "
            "Nothing was changed"
        )
    return meta


def _holder(path: str, disk: Disk) -> str:
    """Who works here, as `LOCK` says: nothing is decided by it."""
    unknown = "another process"
    try:
        descriptor = disk.open(f"{path}/{LOCK}", os.O_RDONLY)
        try:
            words = disk.pread(descriptor, _LOCK_TEXT_BYTES, 0).split()
        finally:
            disk.close(descriptor)
    except OSError:
        return unknown
    return f"process {words[0].decode()}" if words and words[0].isdigit() else unknown


def is_in_use(path: str) -> bool:
    """Whether a process works here, for lists: asked of the system's own list of locks, so that nobody who
    is about to take the lock is disturbed. False where the system keeps none."""
    try:
        inode = os.stat(f"{path}/{LOCK}").st_ino
        with open("/proc/locks", encoding="ascii") as locks:
            held = [line.split() for line in locks]
    except OSError:
        return False
    return any("FLOCK" in words and words[-3].endswith(f":{inode}") for words in held if len(words) > 5)


def _is_network(kind: str) -> bool:
    return kind in _NETWORK or kind in ("fuse.sshfs", "fuse.glusterfs")


def _plain(path: str) -> str:
    """Without the slash at the end that would follow a link."""
    return path.rstrip("/") or "/"


def _close_all(descriptors: list[int] | tuple[int, ...], disk: Disk) -> None:
    for descriptor in descriptors:
        with suppress(OSError):  # what went wrong before is said
            disk.close(descriptor)


def _unusable(path: str, error: OSError) -> JournalError:
    name = errno.errorcode.get(error.errno or 0, "?")
    where = error.filename if isinstance(error.filename, str) else path
    return JournalError(
        f"{where} cannot be used: {error.strerror} ({name}). Without a journal nothing is traded; no order "
        "was sent. Mend the disk or its rights, or keep sessions elsewhere (--data-dir)"
    )
