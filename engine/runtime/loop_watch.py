"""Watches the engine's own loop: one that is late cannot pull a quote in time (R27)."""

from __future__ import annotations

import asyncio
from typing import Final

from engine.core.clock import Clock
from engine.core.events import Restraint
from engine.runtime.bell import Bell
from engine.runtime.debounce import Debounce

LOOK_EVERY_S: Final = 0.1
LATE_NS: Final = 250_000_000
_CODE: Final = "LOOP"


class LoopWatch:
    """An `Edge` that pulls the quotes after the loop was 250 ms late, until it has kept time for 10 s."""

    def __init__(self, clock: Clock, bell: Bell) -> None:
        self._clock = clock
        self._bell = bell
        self._due_ns = 0
        self._lateness = Debounce()
        self._timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """See `Edge`."""
        self._wait()

    async def stop(self) -> None:
        """See `Edge`."""
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self) -> None:
        self._due_ns = self._clock.monotonic_ns() + int(LOOK_EVERY_S * 1e9)
        self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        self.judge(self._clock.monotonic_ns() - self._due_ns)
        self._wait()

    def judge(self, late_ns: int) -> None:
        """Take in how late the last look came."""
        change = self._lateness.judge(late_ns > LATE_NS, self._clock.monotonic_ns())
        if change:
            text = f"the engine was busy for {late_ns // 1_000_000} ms and could not act; quotes are pulled"
            self._bell.restrain(_CODE, Restraint.PAUSED, text, "it has kept time for 10 s")
        elif change is False:
            self._bell.restrain(_CODE, Restraint.NONE, "the engine keeps time again")
