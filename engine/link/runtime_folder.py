"""The runtime folder: one socket and one lock for every engine of this user, found by name.

The lock says which engine runs, the socket only where it listens: a socket that a killed engine has left
behind is replaced by whoever gets the lock. Lock files stay: a lock on a file that was removed protects
nobody.
"""

from __future__ import annotations

import difflib
import fcntl
import os
import re
import shlex
import socket
import stat
import warnings
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from platformdirs import user_runtime_path

from engine.core.errors import UsageError

MOST_PATH: Final = 107
"""Bytes of a Unix socket's path."""
_MOST_NAMES: Final = 99
_REFUSED: Final = (
    "whoever reaches an engine's socket could steer it, so nothing was started or asked. Mend it with"
)
_REMOVE: Final = "it was left as it is. If nothing of yours needs it: rm"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def default_folder() -> Path:
    """Where this user's engines are to be found."""
    with warnings.catch_warnings():
        # Where the system gives none it is below the temporary folder; it is checked before every use.
        warnings.simplefilter("ignore")
        return user_runtime_path("pinnacle-tui", appauthor=False)


class Claim:
    """A session's name and its bound socket, for as long as this process holds them. See `claim`."""

    def __init__(self, name: str, path: Path, bound: socket.socket, lock: int) -> None:
        self.name = name
        self.path = path
        """Of the socket."""
        self.socket = bound
        """Bound and not blocking; nobody listens on it yet."""
        self._lock = lock

    def release(self) -> None:
        """Remove the socket and give the name back. A second time does nothing."""
        if self._lock < 0:
            return
        self.socket.close()
        self.path.unlink(missing_ok=True)
        os.close(self._lock)
        self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.release()


def claim(folder: Path, wanted: str) -> Claim:
    """Take the name `wanted`, or the first of `wanted-2`, `wanted-3`, ... that no running engine has.

    A `UsageError` where the name or the folder will not do; nothing is left behind then.
    """
    if not _NAME.fullmatch(wanted):
        raise UsageError(
            f"{wanted!r} cannot name a session: small letters, digits, dots and dashes, at most 64"
        )
    _prepare(folder)
    for number in range(1, _MOST_NAMES + 1):
        name = wanted if number == 1 else f"{wanted}-{number}"
        path = _socket_path(folder, name)
        lock = _try_lock(_lock_path(folder, name), fcntl.LOCK_EX)
        if lock is None:
            continue
        try:
            return Claim(name, path, _bind(path), lock)
        except BaseException:
            os.close(lock)
            raise
    raise UsageError(f"{_MOST_NAMES} engines named {wanted} run already; stop one of them first")


def running(folder: Path) -> list[str]:
    """The names of the engines that run now, sorted."""
    if not os.path.lexists(folder):
        return []
    _check(folder)
    names = []
    for lock_file in folder.glob("*.lock"):
        name = lock_file.stem
        if not os.path.lexists(_socket_path(folder, name)):
            continue
        lock = _try_lock(lock_file, fcntl.LOCK_SH)
        if lock is None:
            names.append(name)
        else:
            os.close(lock)
    return sorted(names)


def resolve(folder: Path, wanted: str | None) -> Path:
    """The socket of the engine named `wanted`, or of the only one that runs.

    A `UsageError` where there is none, where there are several to choose from, or none of that name.
    """
    names = running(folder)
    listed = ", ".join(names)
    if not names:
        named = f" named {wanted}" if wanted else ""
        raise UsageError(f"no engine{named} runs (looked in {folder}); start one with: pinnacle-tui --no-ui")
    if wanted is None:
        if len(names) > 1:
            raise UsageError(f"{len(names)} engines run; name the one you mean: {listed}")
        return _socket_path(folder, names[0])
    if wanted not in names:
        near = difflib.get_close_matches(wanted, names, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else "name one that runs."
        raise UsageError(f"no engine named {wanted} runs; {hint} Running: {listed}")
    return _socket_path(folder, wanted)


def _socket_path(folder: Path, name: str) -> Path:
    path = folder / f"{name}.sock"
    length = len(os.fsencode(path))
    if length > MOST_PATH:
        raise UsageError(
            f"the path of the socket has {length} bytes, a Unix socket takes {MOST_PATH}: {path}. "
            "No engine was started; set XDG_RUNTIME_DIR to a shorter folder"
        )
    return path


def _lock_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.lock"


def _prepare(folder: Path) -> None:
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise UsageError(f"the runtime folder {folder} cannot be made: {error.strerror}") from error
    _check(folder)


def _check(folder: Path) -> None:
    """Refuse a folder in which somebody else could put a socket, or reach ours."""
    ours = os.getuid()
    quoted = shlex.quote(str(folder))
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise UsageError(f"{folder} is no folder (a symbolic link will not do); {_REFUSED}: rm {quoted}")
    if found.st_uid != ours:
        raise UsageError(f"{folder} belongs to uid {found.st_uid}; {_REFUSED}: sudo chown {ours} {quoted}")
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise UsageError(f"{folder} is open to other users (mode {mode:04o}); {_REFUSED}: chmod 700 {quoted}")
    above = folder.parent.stat()
    is_shared = above.st_mode & 0o022 and not above.st_mode & stat.S_ISVTX
    if above.st_uid not in (0, ours) or is_shared:
        quoted, mode = shlex.quote(str(folder.parent)), stat.S_IMODE(above.st_mode)
        raise UsageError(
            f"{folder} can be replaced by other users: its parent belongs to uid {above.st_uid} "
            f"(mode {mode:04o}); {_REFUSED}: sudo chown {ours} {quoted} && chmod go-w {quoted}"
        )


def _try_lock(path: Path, kind: int) -> int | None:
    """A descriptor that holds the lock; None while another process holds it."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(
            f"{path} is no lock file ({error.strerror}); {_REMOVE} {shlex.quote(str(path))}"
        ) from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.getuid():
            raise UsageError(f"{path} is no lock file of this user; {_REMOVE} {shlex.quote(str(path))}")
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _bind(path: Path) -> socket.socket:
    """A socket at `path`, 0600 from its first moment. Only for whoever holds the lock."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        pass
    else:
        if not stat.S_ISSOCK(found.st_mode):
            raise UsageError(f"{path} is no socket; {_REMOVE} {shlex.quote(str(path))}")
        path.unlink()  # of an engine that was killed: we hold its lock
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.setblocking(False)
        # On Linux the file gets the mode of the socket.
        os.fchmod(bound.fileno(), 0o600)
        bound.bind(str(path))
    except BaseException:
        bound.close()
        raise
    return bound
