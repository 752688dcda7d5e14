"""What tells this installation's orders apart at a venue: one number, kept beside the sessions."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from typing import Final

from engine.persistence.disk import DISK, Disk
from engine.persistence.errors import DamageError, JournalError

FILE: Final = "INSTALLATION"
_TEXT: Final = re.compile(r"[0-9a-f]{8}\n?", re.ASCII)


def installation_tag(folder: Path, disk: Disk = DISK) -> int:
    """The first 32 bits of every client id of this data folder; drawn at the first call.

    Two installations on one account must not take each other's orders for theirs. Raises `JournalError` when
    it can be neither read nor written, `DamageError` for a file that holds something else.
    """
    path = folder / FILE
    try:
        if not path.exists():
            os.makedirs(folder, mode=0o700, exist_ok=True)
            tag = 1 + secrets.randbelow(2**32 - 1)
            disk.write_whole(os.fspath(folder), FILE, f"{tag:08x}\n".encode())
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise JournalError(f"{path}: {error.strerror}; no order was sent") from None
    if not _TEXT.fullmatch(text):
        raise DamageError(
            f"{path} does not hold eight hexadecimal digits: orders of before could not be told from a "
            "stranger's. Put it right from a backup, or remove it once no order of before is open"
        )
    return int(text, 16)
