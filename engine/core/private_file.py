"""Files that their owner alone may touch: read after a look at who else could, replaced in one step.

As ssh does, a file or folder that is open to others is refused with the command that mends it. Nothing is
mended in passing: what others could read may have been read.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shlex
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from engine.core.errors import CredentialError
from engine.core.foreign_text import visible
from engine.core.secret import wipe

BACKUP: Final = ".bak"
"""What the name of the state before the last save ends in."""
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_FILE_MODE: Final = stat.S_IRUSR | stat.S_IWUSR
_FOLDER_MODE: Final = stat.S_IRWXU
_HERE: Final = os.O_NOFOLLOW | os.O_CLOEXEC
_RANDOM_BYTES: Final = 8
_PARTS_OF_THE_SYSTEM: Final = 2  # those of /, /tmp, /etc
_NO_SUCH_SERVICE: Final = (errno.EINVAL, errno.ENOTSUP)
"""How file systems answer that cannot be told to keep the names of a folder."""


class PrivateFileError(CredentialError):
    """A file or folder that is not its owner's alone, or that cannot be read or written."""


class PrivateFileMissing(PrivateFileError):
    """There is no such file, or no folder for it."""


class PrivateFileReplaced(PrivateFileError):
    """The new file is in its place, but what was to be done then failed."""


def read_private(path: Path, what: str, most_bytes: int) -> bytearray:
    """The bytes of a regular file of ours that nobody else may touch; the caller wipes them.

    `what` is how messages call it ("the key file"). Its folder is not looked at here. Raises
    `PrivateFileError`, and `PrivateFileMissing` where there is nothing.
    """
    with _told(path, what, "read"):
        return _read(str(path), None, path, what, most_bytes)


def require_private_folder(path: Path, what: str) -> None:
    """Refuse a folder that somebody else could read or change, and a link in its place.

    `what` is what is kept in it. Raises `PrivateFileError`, and `PrivateFileMissing` where there is nothing.
    """
    os.close(_open_folder(path, what))


def make_private_folder(path: Path, what: str) -> None:
    """Make the folder where it is missing; refuse it where it is not private. Raises `PrivateFileError`.

    Whoever may write to a folder above could put another one in its place: those that are made are private
    too, whatever the umask is.
    """
    try:
        for missing in reversed([level for level in (path, *path.parents) if not level.exists()]):
            missing.mkdir(mode=_FOLDER_MODE, exist_ok=True)
    except OSError as error:
        raise PrivateFileError(
            f"the folder {visible(str(path))} cannot be made for {what}: {error.strerror}"
        ) from None
    require_private_folder(path, what)


def write_private_atomic(
    path: Path,
    data: bytes,
    what: str,
    *,
    verify: Callable[[bytearray], None],
    keep_old: bool = True,
) -> None:
    """Put `data` at `path`: whenever it is interrupted, the whole old file is there or the whole new one.

    `verify` is handed what was read back from the disk before it replaces anything, and prevents that by
    raising. What was at `path` is kept with `BACKUP` after its name. Without `keep_old` it is overwritten
    with zeros, and so is an older backup: best effort, for file systems keep copies.

    The folder must be private, and only one may write to `path` at a time. Raises `PrivateFileError`; then
    `path` is as it was, except after `PrivateFileReplaced`.
    """
    folder = _open_folder(path.parent, what)
    try:
        with _told(path, what, "saved"):
            _remove_leftovers(folder, path.name)
            with _temporary(folder, path.name, data) as new:
                verify(_read(new, folder, path, what, len(data)))
                if keep_old:
                    _copy_to_backup(folder, path, what)
                with _overwritten(None if keep_old else path.name, folder):
                    os.replace(new, path.name, src_dir_fd=folder, dst_dir_fd=folder)
                    _sync_names(folder, path, what)
            if not keep_old:
                _discard_backup(folder, path, what)
    finally:
        os.close(folder)


# -- reading ---------------------------------------------------------------------------------------


def _read(name: str, folder: int | None, path: Path, what: str, most_bytes: int) -> bytearray:
    # Not to be held up by a pipe that somebody put there.
    descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | _HERE, dir_fd=folder)
    try:
        status = os.fstat(descriptor)
        _require_private(status, path, what)
        data = bytearray(min(status.st_size, most_bytes) + 1)
        with memoryview(data) as view:
            length = 0
            while length < len(data) and (count := os.readv(descriptor, [view[length:]])):
                length += count
    finally:
        os.close(descriptor)
    if length > most_bytes:
        wipe(data)
        raise PrivateFileError(
            f"{what} {visible(str(path))} is larger than any {what.removeprefix('the ')}; name the right one"
        )
    del data[length:]
    return data


def _require_private(status: os.stat_result, path: Path, what: str) -> None:
    named, quoted = f"{what} {visible(str(path))}", _quoted(path)
    if not stat.S_ISREG(status.st_mode):
        raise _not_regular(path, what)
    if status.st_uid != os.geteuid():
        raise PrivateFileError(f"{named} belongs to another user; run: sudo chown {os.geteuid()} {quoted}")
    mode = stat.S_IMODE(status.st_mode)
    if mode & _OTHERS:
        raise PrivateFileError(f"{named} can be read by others (mode {mode:04o}); run: chmod 600 {quoted}")
    if mode & ~_FILE_MODE:
        raise PrivateFileError(f"{named} has mode {mode:04o} where 0600 belongs; run: chmod 600 {quoted}")


def _open_folder(path: Path, what: str) -> int:
    """A descriptor of a private folder: what is done through it happens in the folder that was looked at."""
    shown, quoted = visible(str(path)), _quoted(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _HERE)
        try:
            _require_private_folder(os.fstat(descriptor), path, what)
        except BaseException:
            os.close(descriptor)
            raise
    except FileNotFoundError:
        raise PrivateFileMissing(f"there is no folder {shown} for {what}") from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise PrivateFileError(
                f"the folder {shown} of {what} is no folder or a symbolic link to one; name the folder "
                f"itself, which this shows: readlink -f {quoted}"
            ) from None
        raise PrivateFileError(
            f"the folder {shown} of {what} cannot be opened: {error.strerror}; look at: ls -ld {quoted}"
        ) from None
    return descriptor


def _require_private_folder(status: os.stat_result, path: Path, what: str) -> None:
    named, quoted = f"the folder {visible(str(path))} of {what}", _quoted(path)
    is_ours, mode = status.st_uid == os.geteuid(), stat.S_IMODE(status.st_mode)
    if is_ours and not mode & _OTHERS:
        return
    if len(path.absolute().parts) <= _PARTS_OF_THE_SYSTEM:  # to close or to take it would stop the machine
        raise PrivateFileError(f"{named} is the system's: keep {what} in a folder of your own (mkdir -m 700)")
    if not is_ours:
        raise PrivateFileError(f"{named} belongs to another user; run: sudo chown {os.geteuid()} {quoted}")
    raise PrivateFileError(f"{named} is open to others (mode {mode:04o}); run: chmod 700 {quoted}")


# -- writing ---------------------------------------------------------------------------------------


@contextmanager
def _temporary(folder: int, name: str, data: bytes | bytearray) -> Iterator[str]:
    """The name of a new file that holds `data`, safe on the disk; it is gone afterwards."""
    new = f"{name}.tmp-{secrets.token_hex(_RANDOM_BYTES)}"
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _HERE, _FILE_MODE, dir_fd=folder)
    try:
        try:
            with memoryview(data) as view:
                written = 0
                while written < len(view):
                    written += os.write(descriptor, view[written:])
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        yield new
    finally:
        with suppress(OSError):
            os.unlink(new, dir_fd=folder)


def _remove_leftovers(folder: int, name: str) -> None:
    """What saves left behind that were killed."""
    ours = re.compile(re.escape(name) + rf"(?:{re.escape(BACKUP)})?\.tmp-[0-9a-f]{{{2 * _RANDOM_BYTES}}}")
    for found in os.listdir(folder):
        if ours.fullmatch(found):
            os.unlink(found, dir_fd=folder)


def _copy_to_backup(folder: int, path: Path, what: str) -> None:
    # A copy, for a second name of the same file would be overwritten with it, and not every disk has such.
    try:
        size = os.stat(path.name, dir_fd=folder, follow_symlinks=False).st_size
    except FileNotFoundError:
        return
    backup = path.name + BACKUP
    with _temporary(folder, backup, _read(path.name, folder, path, what, size)) as copy:
        os.replace(copy, backup, src_dir_fd=folder, dst_dir_fd=folder)


def _discard_backup(folder: int, path: Path, what: str) -> None:
    backup = path.name + BACKUP
    try:
        with _overwritten(backup, folder), suppress(FileNotFoundError):
            os.unlink(backup, dir_fd=folder)
    except OSError as error:
        raise PrivateFileReplaced(
            f"{what} {visible(str(path))} was replaced by the new one, but an older copy cannot be removed: "
            f"{error.strerror}; run: rm {_quoted(path.with_name(backup))}"
        ) from None


@contextmanager
def _overwritten(name: str | None, folder: int) -> Iterator[None]:
    """Zeros over the file that had this name at first, if it has none afterwards. Best effort."""
    descriptor = None
    if name is not None:
        with suppress(OSError):
            descriptor = os.open(name, os.O_WRONLY | os.O_NONBLOCK | _HERE, dir_fd=folder)
    try:
        yield
        if descriptor is not None:
            with suppress(OSError):
                status = os.fstat(descriptor)
                if stat.S_ISREG(status.st_mode) and not status.st_nlink:
                    os.pwrite(descriptor, bytes(status.st_size), 0)
                    os.fsync(descriptor)
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _sync_names(folder: int, path: Path, what: str) -> None:
    try:
        os.fsync(folder)
    except OSError as error:
        if error.errno not in _NO_SUCH_SERVICE:
            raise PrivateFileReplaced(
                f"{what} {visible(str(path))} was replaced by the new one, but the disk does not confirm "
                f"that it keeps it: {error.strerror}. Look after the disk before you rely on it"
            ) from None


# -- words -----------------------------------------------------------------------------------------


@contextmanager
def _told(path: Path, what: str, deed: str) -> Iterator[None]:
    """What the operating system refuses, in words; `deed` is what cannot be done."""
    named = f"{what} {visible(str(path))}"
    try:
        yield
    except FileNotFoundError:
        raise PrivateFileMissing(f"there is no {what.removeprefix('the ')} {visible(str(path))}") from None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise PrivateFileError(
                f"{named} is a symbolic link; name the file itself, which this shows: "
                f"readlink -f {_quoted(path)}"
            ) from None
        if error.errno == errno.ENXIO:
            raise _not_regular(path, what) from None
        raise PrivateFileError(
            f"{named} cannot be {deed}: {error.strerror}; look at: ls -ld {_quoted(path)}"
        ) from None


def _not_regular(path: Path, what: str) -> PrivateFileError:
    return PrivateFileError(
        f"{what} {visible(str(path))} is not a regular file; move it away after a look at it: "
        f"ls -ld {_quoted(path)}"
    )


def _quoted(path: Path) -> str:
    return shlex.quote(visible(str(path)))
