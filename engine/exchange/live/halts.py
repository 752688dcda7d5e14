"""Contradictions between our record and the venue: trading stops until a person has looked."""

from __future__ import annotations

from typing import Final

from engine.core.clock import Clock
from engine.core.events import Restraint
from engine.exchange.live.outbox import Outbox

RECONCILE: Final = "RECONCILE"
_AGAIN_NS: Final = 60_000_000_000


class Halts:
    """HALTED until a person rearms; the same thing is said again once a minute while it lasts."""

    def __init__(self, clock: Clock, outbox: Outbox) -> None:
        self._clock = clock
        self._outbox = outbox
        self._told_ns: dict[str, int] = {}

    def halt(self, what: str, reason: str) -> None:
        """`what` names the thing that contradicts (an order), `reason` says how, with the numbers."""
        now = self._clock.monotonic_ns()
        told = self._told_ns.get(what)
        if told is None or now - told >= _AGAIN_NS:
            self._told_ns[what] = now
            self._outbox.restrain(RECONCILE, Restraint.LATCHED, reason, "a person has compared both")
