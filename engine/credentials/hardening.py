"""Keeps the memory of this process from the other programs of its user, and from the disk.

A process that holds keys must not be read by a debugger or through /proc, and must leave no core file behind.
Root can still look into it. A program that is started begins open again: each process closes itself.
"""

from __future__ import annotations

import ctypes
import resource
from contextlib import suppress
from typing import Final

# Of <sys/prctl.h>, which Python has no names for.
_PR_GET_DUMPABLE: Final = 3
_PR_SET_DUMPABLE: Final = 4
_NO_CORE: Final = (0, 0)


def harden() -> list[str]:
    """Close this process as far as the system lets it; what it is still open to, as `exposures` says.

    Harmless where it is done again. It is never a reason not to run: `doctor` tells what was refused.
    """
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, _NO_CORE)
    _prctl(_PR_SET_DUMPABLE)
    return exposures()


def exposures() -> list[str]:
    """What this process is open to now, a clause for each; asked of the system, not remembered."""
    found = []
    if _prctl(_PR_GET_DUMPABLE) != 0:
        found.append("other programs of yours can read its memory")
    if resource.getrlimit(resource.RLIMIT_CORE) != _NO_CORE:
        found.append("a crash can put its memory on the disk")
    return found


def _prctl(option: int) -> int:
    """prctl(2) with zeros after the option; -1 where it is refused and where there is no such call."""
    call = getattr(ctypes.CDLL(None), "prctl", None)
    if call is None:
        return -1
    # Without the types a 64-bit kernel gets arguments whose upper halves are left to chance.
    call.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    call.restype = ctypes.c_int
    return int(call(option, 0, 0, 0, 0))
