"""One watchdog a product: a new engine waits until the watchdog of the one before has finished.

Else a watchdog that still cancels, because the venue was not reached, would cancel the new engine's orders:
they carry the same tag.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Sequence
from typing import Final

_UNFIT: Final = re.compile(r"[^A-Za-z0-9-]")


class Posts:
    """The locks of an engine's products; the system frees them with the process."""

    def __init__(self, folder: str, api: str, products: Sequence[str]) -> None:
        self._paths = [f"{folder}/.watchdog-{api}-{_UNFIT.sub('_', name)}.lock" for name in sorted(products)]
        self._held: list[int] = []
        self.holder: int | None = None
        """The process that had one when this one came; None where it is not known."""

    def take(self) -> bool:
        """Take all of them or none; False while another watchdog has one. Raises `OSError`."""
        if self._held:
            return True
        taken: list[int] = []
        try:
            for path in self._paths:
                taken.append(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
                fcntl.flock(taken[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.holder = _pid_in(taken[-1])
            _close(taken)
            return False
        except BaseException:
            _close(taken)
            raise
        for descriptor in taken:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._held = taken
        return True

    def release(self) -> None:
        """Let others have them."""
        _close(self._held)
        self._held = []


def _pid_in(descriptor: int) -> int | None:
    written = os.pread(descriptor, 20, 0)
    return int(written) if written.isdigit() else None


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
