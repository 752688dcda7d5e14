"""Control R14: orders that the venue refuses one after the other must not go on like that."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from engine.core.clock import Clock
from engine.core.events import Restraint
from engine.core.refusals import is_passing
from engine.exchange.live.outbox import Outbox

REJECTS: Final = "REJECTS"
STORM: Final = 5
WITHIN_NS: Final = 10_000_000_000
HOLD_S: Final = 60
FIRST_HOLD_S: Final = 2
LONGEST_HOLD_S: Final = 300
_CALM_NS: Final = 3_600_000_000_000
"""A storm so long after the last one is the first again."""


class RejectStorms:
    """Five refusals in 10 s: HALTED for 60 s; the next storm within an hour, until a person rearms.

    Where all five are of the kind that passes by itself (a post-only order whose market has moved, funds that
    are held elsewhere) the hold is 2 s, and twice as long each time, up to 5 minutes: no flood of orders that
    the account holder would be written to about, and no person needed.
    """

    def __init__(self, clock: Clock, outbox: Outbox) -> None:
        self._clock = clock
        self._outbox = outbox
        self._refusals: deque[tuple[int, bool]] = deque(maxlen=STORM)
        """When, and whether it is of the kind that passes."""
        self._storms = 0
        self._passing_storms = 0
        self._last_ns = 0
        self._release: asyncio.TimerHandle | None = None

    def note(self, code: str, reason: str) -> None:
        """The venue refused an order."""
        now = self._clock.monotonic_ns()
        self._refusals.append((now, is_passing(code, reason)))
        if len(self._refusals) < STORM or now - self._refusals[0][0] > WITHIN_NS:
            return
        passes = all(is_passing for _, is_passing in self._refusals)
        self._refusals.clear()
        if now - self._last_ns > _CALM_NS:
            self._storms = self._passing_storms = 0
        self._last_ns = now
        what = f"the venue refused {STORM} orders within 10 s, the last one with {code}: {reason}"
        self.stop()
        if passes:
            self._hold(what, min(FIRST_HOLD_S << self._passing_storms, LONGEST_HOLD_S))
            self._passing_storms += 1
            return
        self._storms += 1
        if self._storms > 1:
            self._outbox.restrain(REJECTS, Restraint.LATCHED, f"{what}. It has happened before", "a person")
        else:
            self._hold(what, HOLD_S)

    def _hold(self, what: str, seconds: int) -> None:
        self._outbox.restrain(REJECTS, Restraint.HALTED, what, f"{seconds} s have passed")
        self._release = asyncio.get_running_loop().call_later(seconds, self._end, seconds)

    def stop(self) -> None:
        """End the timer; a hold stays."""
        if self._release is not None:
            self._release.cancel()
            self._release = None

    def _end(self, seconds: int) -> None:
        self._release = None
        self._outbox.restrain(REJECTS, Restraint.NONE, f"{seconds} s have passed since the refusals")
