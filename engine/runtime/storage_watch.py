"""Watches the disk under the journal: a slow or full one stops new orders before it stops anything else."""

from __future__ import annotations

import asyncio
from typing import Final

from engine.core.clock import Clock
from engine.core.events import StorageStatus
from engine.persistence.journal import Journal
from engine.runtime.debounce import Debounce
from engine.runtime.engine import Engine

LOOK_EVERY_S: Final = 0.25
SPACE_EVERY_NS: Final = 2_000_000_000
SLOW: Final = "DISK_SLOW"
SPACE: Final = "DISK_SPACE"
_LATE_NS: Final = 250_000_000
"""A sync that takes longer is told of,"""
_SAME_EVERY_NS: Final = 60_000_000_000
_SLOW_NS: Final = 1_000_000_000
"""and one that takes longer pulls the quotes (control R27)."""
_MIB: Final = 1 << 20


class StorageWatch:
    """Looks at the disk four times a second and tells the Traders when it changes."""

    def __init__(self, journal: Journal, engine: Engine, real: Clock) -> None:
        self._journal = journal
        self._engine = engine
        self._real = real
        self._slowness = Debounce()
        self._fullness = Debounce()
        self._space_due_ns = 0
        self._late_due_ns = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look from now on, on this loop."""
        self.look()
        self._timer = loop.call_later(LOOK_EVERY_S, self.start, loop)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def look(self) -> None:
        """Look once."""
        if self._journal.failed is not None:
            return
        sync_ns = self._journal.sync_ns
        now = self._real.monotonic_ns()
        if sync_ns > _LATE_NS and now >= self._late_due_ns:
            self._late_due_ns = now + _SAME_EVERY_NS
            self._engine.warn("DISK_LATE", f"the disk needed {sync_ns // 1_000_000} ms to write the journal")
        busy_ns = self._journal.busy_ns
        is_slow = self._slowness.judge(busy_ns > _SLOW_NS, now)
        if is_slow is not None:
            text = f"the disk has needed {busy_ns / 1e9:.1f} s by now to write the journal; quotes are pulled"
            text = text if is_slow else "the disk has written the journal in time for 10 s"
            self._tell(SLOW, text, is_sound=not is_slow)
        if now >= self._space_due_ns:
            self._space_due_ns = now + SPACE_EVERY_NS
            self._look_at_space(now)

    def _look_at_space(self, now_ns: int) -> None:
        free, needed = self._journal.free_space()
        is_full = self._fullness.judge(free < needed, now_ns)
        if is_full is not None:
            there = f"{free // _MIB} MiB are free in {self._journal.directory.path}"
            text = f"{there}, {needed // _MIB} are needed; quotes are pulled, nothing new is sent. Make room"
            self._tell(SPACE, text if is_full else f"{there}, which will do", is_sound=not is_full)

    def _tell(self, code: str, reason: str, *, is_sound: bool) -> None:
        clock = self._engine.clock
        for desk in self._engine.desks.values():
            status = StorageStatus(
                desk.product, clock.monotonic_ns(), clock.wall_ns(), is_sound, code, reason
            )
            self._engine.inform(desk, [status])
