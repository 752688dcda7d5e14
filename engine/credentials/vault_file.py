"""Where a vault rests: a private file in a private folder, written by one program at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from engine.core.foreign_text import visible
from engine.core.private_file import (
    PrivateFileError,
    make_private_folder,
    read_private,
    require_private_folder,
    write_private_atomic,
)
from engine.credentials.vault_format import MOST_BYTES

WHAT: Final = "the vault"
"""How messages call it."""
LOCK: Final = ".lock"


def read_vault(path: Path) -> bytearray:
    """The bytes of a vault whose file and folder nobody else may touch.

    Raises `PrivateFileError` with the command that mends it, and `PrivateFileMissing` where there is none.
    """
    require_private_folder(path.parent, WHAT)
    return read_private(path, WHAT, MOST_BYTES)


def write_vault(path: Path, sealed: bytes, verify: Callable[[bytearray], None], *, keep_old: bool) -> None:
    """Replace a vault in one step; see `write_private_atomic`. To be called inside of `saving`."""
    write_private_atomic(path, sealed, WHAT, verify=verify, keep_old=keep_old)


@contextmanager
def saving(path: Path) -> Iterator[None]:
    """Nobody else saves this vault while one is in here. The folder is made where it is missing.

    Raises `PrivateFileError`, at once where another program is saving. The lock's file is empty and stays:
    removing it would let two in.
    """
    make_private_folder(path.parent, WHAT)
    lock = path.with_name(path.name + LOCK)
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise PrivateFileError(
            f"the vault is not saved: its lock {visible(str(lock))} cannot be taken: {error.strerror}"
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PrivateFileError(
                f"the vault {visible(str(path))} is being saved by another program, nothing was changed: "
                "wait for it, then try again"
            ) from None
        except OSError as error:
            raise PrivateFileError(
                f"the vault is not saved: its file system has no locks ({error.strerror}); name a place on a "
                "disk of this machine with credentials.vault"
            ) from None
        yield
    finally:
        os.close(descriptor)
