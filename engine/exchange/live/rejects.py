"""Control R14: orders that the venue refuses one after the other must not go on like that."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from engine.core.clock import Clock
from engine.core.events import Restraint
from engine.exchange.live.outbox import Outbox

REJECTS: Final = "REJECTS"
STORM: Final = 5
WITHIN_NS: Final = 10_000_000_000
HOLD_S: Final = 60


class RejectStorms:
    """Five refusals in 10 s: HALTED for 60 s; the next storm, until a person rearms."""

    def __init__(self, clock: Clock, outbox: Outbox) -> None:
        self._clock = clock
        self._outbox = outbox
        self._times: deque[int] = deque(maxlen=STORM)
        self._storms = 0
        self._release: asyncio.TimerHandle | None = None

    def note(self, code: str, reason: str) -> None:
        """The venue refused an order."""
        now = self._clock.monotonic_ns()
        self._times.append(now)
        if len(self._times) < STORM or now - self._times[0] > WITHIN_NS:
            return
        self._times.clear()
        self._storms += 1
        what = f"the venue refused {STORM} orders within 10 s, the last one with {code}: {reason}"
        self.stop()
        if self._storms > 1:
            self._outbox.restrain(REJECTS, Restraint.LATCHED, f"{what}. It has happened before", "a person")
            return
        self._outbox.restrain(REJECTS, Restraint.HALTED, what, f"{HOLD_S} s have passed")
        self._release = asyncio.get_running_loop().call_later(HOLD_S, self._end)

    def stop(self) -> None:
        """End the timer; a hold stays."""
        if self._release is not None:
            self._release.cancel()
            self._release = None

    def _end(self) -> None:
        self._release = None
        self._outbox.restrain(REJECTS, Restraint.NONE, f"{HOLD_S} s have passed since the refusals")
