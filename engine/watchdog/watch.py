"""When a watchdog acts: a state machine without time or wires of its own."""

from __future__ import annotations

from typing import Final

PATIENCE_NS: Final = 3_000_000_000
"""So long may the engine be silent (control R25)."""


class Watch:
    """What is known of the engine. Once fired it stays fired: what the engine says later changes nothing.

    Times are those of the clock that both processes read, in nanoseconds.
    """

    __slots__ = ("_heard_ns", "fired", "is_dismissed", "is_engine_gone")

    def __init__(self, now_ns: int) -> None:
        """The engine has just said hello."""
        self._heard_ns = now_ns
        self.fired: str | None = None
        """Why everything is to be cancelled; None while all is well."""
        self.is_dismissed = False
        """True when the engine has ended with proof, and nothing is to be done."""
        self.is_engine_gone = False
        """True when nobody is there who could look after the venue."""

    def beat(self, sent_ns: int, now_ns: int) -> bool:
        """A beat came; True when it may be confirmed.

        A gap before it counts however late it is read: an engine that was stopped for 3 s and goes on has
        been silent for 3 s. A watchdog that was stopped itself finds beats without a gap.
        """
        sent_ns = min(sent_ns, now_ns)
        self.check(sent_ns)
        self._heard_ns = max(self._heard_ns, sent_ns)
        return self.fired is None and not self.is_dismissed

    def check(self, now_ns: int) -> None:
        """Time has passed. What has come by now must have been told before."""
        silence_ns = now_ns - self._heard_ns
        if silence_ns >= PATIENCE_NS:
            self._fire(f"the engine was silent for {silence_ns / 1e9:.1f} s")

    def farewell(self) -> None:
        """The engine ends with proof. Whoever has fired finishes nevertheless."""
        self.is_dismissed = True

    def kill(self, reason: str) -> None:
        """Somebody wants everything cancelled."""
        self._fire(reason)

    def hung_up(self) -> None:
        """The line was closed, by the engine or by its death."""
        self.is_engine_gone = True
        self._fire("the engine is gone without a farewell")

    def _fire(self, reason: str) -> None:
        if self.fired is None and not self.is_dismissed:
            self.fired = reason
