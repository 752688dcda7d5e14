"""A beat of the event loop at a rate that may change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Cadence:
    """Calls `beat` so many times a second: never more often, and without making up for beats it missed."""

    def __init__(self, loop: asyncio.AbstractEventLoop, beat: Callable[[], None]) -> None:
        self._loop = loop
        self._beat = beat
        self._hz = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def hz(self) -> float:
        """Beats a second; 0 while it rests."""
        return self._hz

    @hz.setter
    def hz(self, hz: float) -> None:
        if hz == self._hz:
            return
        self._hz = hz
        due = self._timer.when() if self._timer is not None else None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if hz > 0:
            soon = self._loop.time() + 1 / hz
            self._timer = self._loop.call_at(soon if due is None else min(due, soon), self._run)

    def _run(self) -> None:
        assert self._timer is not None
        period = 1 / self._hz
        due, now = self._timer.when() + period, self._loop.time()
        # Set before the beat: a beat that fails must not be the last.
        self._timer = self._loop.call_at(due if due > now else now + period, self._run)
        self._beat()
