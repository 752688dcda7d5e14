"""Files that hold secrets: whole or not there, and readable by their owner alone."""

from __future__ import annotations

import os
from pathlib import Path

from engine.core.errors import UsageError


def private_folder(folder: Path) -> None:
    """Make sure that `folder` is there; a new one is its owner's alone. `UsageError` where that fails."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {error.strerror}; give another folder") from error


def write_private(path: Path, content: bytes) -> None:
    """Replace `path` by `content` at once, mode 0600 from its first byte on. `UsageError` where it cannot."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UsageError(f"{path} cannot be written: {error.strerror}; give another folder") from error
