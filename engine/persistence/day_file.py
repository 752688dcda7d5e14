"""What the sessions of a UTC day have earned, beside them: a new session does not begin the day at zero."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

import msgspec

from engine.persistence.disk import DISK, Disk
from engine.persistence.errors import JournalError

NAME: Final = "DAY.json"
ON_PAPER: Final = "DAY-paper.json"
"""What a rehearsal loses is not the account's loss."""
_MOST_BYTES: Final = 1_048_576


class Day(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The profits of one UTC day."""

    day: int
    """In days since 1970."""
    profits: dict[str, dict[str, str]] = {}
    """By session and product, in quote units as decimal text."""


class DayFile:
    """The profits of the present day in a data folder. Calls block until the disk has them."""

    def __init__(self, folder: Path, disk: Disk = DISK, *, name: str = NAME) -> None:
        """`name` is that of another file than the one of live trading."""
        self.path = folder / name
        self._folder = os.fspath(folder)
        self._disk = disk

    def read(self) -> Day | None:
        """The day that was kept last; None when none was. Raises `JournalError` where it cannot be known."""
        try:
            descriptor = self._disk.open(os.fspath(self.path), os.O_RDONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed("read", error) from None
        try:
            content = self._disk.pread(descriptor, _MOST_BYTES, 0)
        except OSError as error:
            raise self._failed("read", error) from None
        finally:
            self._disk.close(descriptor)
        try:
            return msgspec.json.decode(content, type=Day)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise JournalError(f"{self.path} is damaged: nobody knows what was lost today") from None

    def write(self, day: Day) -> None:
        """Keep the day, durably, in place of the one before. Raises `JournalError`."""
        try:
            self._disk.write_whole(self._folder, self.path.name, msgspec.json.encode(day) + b"\n")
        except OSError as error:
            raise self._failed("written", error) from None

    def _failed(self, what: str, error: OSError) -> JournalError:
        name = errno.errorcode.get(error.errno or 0, "?")
        return JournalError(
            f"{self.path} cannot be {what}: {error.strerror} ({name}); another session of today does not "
            "know what this one has lost. Mend the disk or its rights"
        )
