"""What the sessions of a UTC day have earned, beside them: a new session does not begin the day at zero."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from engine.core.errors import InstrumentError
from engine.core.instrument import parse_decimal
from engine.persistence.disk import DISK, Disk
from engine.persistence.errors import JournalError

NAME: Final = "DAY.json"
ON_PAPER: Final = "DAY-paper.json"
"""What a rehearsal loses is not the account's loss."""
_MOST_BYTES: Final = 1_048_576
_LOCK_WITHIN_S: Final = 1.0
_LOCK_AGAIN_S: Final = 0.02


class DamagedDayError(JournalError):
    """The file says nothing that could be believed."""


class Day(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The profits of one UTC day."""

    day: int
    """In days since 1970."""
    profits: dict[str, dict[str, str]] = {}
    """By session and product, in quote units as decimal text."""

    def without(self, session: str) -> dict[str, dict[str, Decimal]]:
        """The profits of all other sessions. Raises `InstrumentError` for what is no amount."""
        return {
            name: {product: parse_decimal(text, "profit") for product, text in profits.items()}
            for name, profits in self.profits.items()
            if name != session
        }


class DayFile:
    """The profits of the present day in a data folder. Calls block until the disk has them.

    Several engines may share the folder: each keeps its own profit, and none takes that of another away.
    """

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
            day = msgspec.json.decode(content, type=Day)
            day.without("")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, InstrumentError):
            raise DamagedDayError(f"{self.path} is damaged: nobody knows what was lost today") from None
        return day

    def keep(self, session: str, day: int, profits: Mapping[str, str]) -> None:
        """Keep what a session has earned in a day, durably, beside what others have earned in it.

        Another engine's later day stays. A damaged file is put aside for whoever looks at it: trading was
        HALTED because of it. Raises `JournalError`.
        """
        with self._locked():
            try:
                held = self.read()
            except DamagedDayError:
                held = None
                self._put_aside()
            if held is not None and held.day > day:
                return
            others = held.profits if held is not None and held.day == day else {}
            self.write(Day(day, others | {session: dict(profits)}))

    def _put_aside(self) -> None:
        path = os.fspath(self.path)
        try:
            self._disk.rename(path, f"{path}.damaged")
        except OSError as error:
            raise self._failed("put aside", error) from None

    def write(self, day: Day) -> None:
        """Keep a whole day, durably, in place of the one before. Raises `JournalError`."""
        try:
            self._disk.write_whole(self._folder, self.path.name, msgspec.json.encode(day) + b"\n")
        except OSError as error:
            raise self._failed("written", error) from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One engine at a time is in here; none waits for ever for another one that stands still."""
        try:
            descriptor = self._disk.open(f"{self._folder}/.lock-{self.path.name}", os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise self._failed("written", error) from None
        try:
            deadline = time.monotonic() + _LOCK_WITHIN_S
            while True:
                try:
                    self._disk.lock(descriptor)
                    break
                except BlockingIOError as error:
                    if time.monotonic() >= deadline:
                        raise self._failed("written", error) from None
                    # In a thread of its own: the system has no lock that is waited for so long and no longer.
                    time.sleep(_LOCK_AGAIN_S)
                except OSError as error:
                    raise self._failed("written", error) from None
            yield
        finally:
            self._disk.close(descriptor)

    def _failed(self, what: str, error: OSError) -> JournalError:
        name = errno.errorcode.get(error.errno or 0, "?")
        return JournalError(
            f"{self.path} cannot be {what}: {error.strerror} ({name}); another session of today does not "
            "know what this one has lost. Mend the disk or its rights"
        )
