"""What the process itself costs: memory, and the garbage collector's pauses."""

from __future__ import annotations

import gc
import resource
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from engine.telemetry.histogram import Histogram

_STATM: Final = Path("/proc/self/statm")


def resident_bytes() -> int:
    """Memory the process holds now; where the system does not tell, the most it ever held."""
    try:
        return int(_STATM.read_bytes().split()[1]) * resource.getpagesize()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


class QuietCollector:
    """Keeps the garbage collector out of the hot path: enter it after warm-up.

    Entering collects once, exempts everything that lives then from later collections, and switches
    automatic collection off; `collect` is for idle moments. Leaving restores what was before.
    """

    __slots__ = ("_pauses", "_was_enabled")

    def __init__(self, pauses: Histogram) -> None:
        """`pauses` records each collection's nanoseconds."""
        self._pauses = pauses
        self._was_enabled = False

    def __enter__(self) -> Self:
        self._was_enabled = gc.isenabled()
        self.collect()
        gc.freeze()
        gc.disable()
        return self

    def collect(self) -> int:
        """Collect now; returns the number of unreachable objects found."""
        begin = time.perf_counter_ns()
        found = gc.collect()
        self._pauses.record(time.perf_counter_ns() - begin)
        return found

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        gc.unfreeze()
        if self._was_enabled:
            gc.enable()
