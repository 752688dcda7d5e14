"""The latch beside the sessions: what was stopped for good stays stopped, whatever session comes next."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final, Literal

import msgspec

from engine.persistence.disk import DISK, Disk
from engine.persistence.errors import JournalError

NAME: Final = "LATCH.json"
ON_PAPER: Final = "LATCH-paper.json"
"""Who rearms a rehearsal has not looked at the account: it has a latch of its own."""
_MOST_BYTES: Final = 65_536
_MOST_REASON: Final = 2_000


class Latch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why no order may leave until a person rearms."""

    state: Literal["HALTED", "KILLED"]
    code: str
    """The control that did it, one upper-case word."""
    reason: str
    wall_ns: int
    """When."""
    session: str
    """The name of the session it happened in; empty where nobody knows."""


class LatchFile:
    """The latch of a data folder. Calls block until the disk has it."""

    def __init__(self, folder: Path, disk: Disk = DISK, *, name: str = NAME) -> None:
        """`name` is that of another latch than the one of live trading."""
        self.path = folder / name
        self._folder = os.fspath(folder)
        self._disk = disk

    def read(self) -> Latch | None:
        """The latch; None when there is none. What cannot be read or understood counts as KILLED."""
        try:
            descriptor = self._disk.open(os.fspath(self.path), os.O_RDONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            return self._unreadable(f"cannot be read: {error.strerror}")
        try:
            content = self._disk.pread(descriptor, _MOST_BYTES, 0)
        except OSError as error:
            return self._unreadable(f"cannot be read: {error.strerror}")
        finally:
            self._disk.close(descriptor)
        try:
            return msgspec.json.decode(content, type=Latch)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return self._unreadable("is damaged")

    def write(self, latch: Latch) -> Latch:
        """Latch, durably; what is latched now. HALTED never takes the place of KILLED, nor a later reason
        that of the first one.

        Raises `JournalError` when the disk does not take it; the engine's own latch stands all the same.
        """
        held = self.read()
        if held is not None and (held.state == latch.state or held.state == "KILLED"):
            return held
        latch = msgspec.structs.replace(latch, reason=latch.reason[:_MOST_REASON])
        try:
            self._disk.write_whole(self._folder, self.path.name, msgspec.json.encode(latch) + b"\n")
        except OSError as error:
            raise self._failed("written", error, "a restart would not know of the latch") from None
        return latch

    def remove(self) -> None:
        """Rearm, durably. Nothing happens when there is no latch. Raises `JournalError`: it still holds."""
        try:
            self._disk.unlink(os.fspath(self.path))
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._failed("removed", error, "it still holds and no order leaves") from None
        try:
            self._disk.sync_folder(self._folder)
        except OSError as error:
            raise self._failed("removed for sure", error, "a restart may find it again") from None

    def _unreadable(self, what: str) -> Latch:
        reason = f"the latch file {self.path} {what}: it counts as latched. Rearm to remove it"
        return Latch("KILLED", "LATCH_FILE", reason, 0, "")

    def _failed(self, what: str, error: OSError, meaning: str) -> JournalError:
        name = errno.errorcode.get(error.errno or 0, "?")
        return JournalError(
            f"{self.path} cannot be {what}: {error.strerror} ({name}); {meaning}. Mend the disk or its rights"
        )
