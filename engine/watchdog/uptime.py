"""The clock that engine and watchdog share: it also counts while the machine is suspended.

A laptop that wakes after an hour has left its orders alone for an hour, whatever a clock says that slept
with it. Both processes read the same one, so a beat's time means the same to both.
"""

from __future__ import annotations

import time

from engine.core.clock import SystemClock


class Uptime(SystemClock):
    """The machine's clocks; the monotonic one is that since boot, where the system has it."""

    __slots__ = ()

    def monotonic_ns(self) -> int:
        """See `Clock`."""
        if hasattr(time, "CLOCK_BOOTTIME"):
            return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        return time.monotonic_ns()
