"""Keys that are pressed, told from those that were held down before there was anything to press them for."""

from __future__ import annotations

from typing import Final

from engine.core.clock import Clock

HELD_NS: Final = 800_000_000
"""A key that comes within this time after a question, or after its own last stroke, is still being held:
keyboards wait up to 660 ms before a key repeats."""


class HeldKeys:
    """Tells keys that are pressed from those that were held down before a question came up.

    A held key repeats for the first time within `HELD_NS`, then much faster; each repeat starts the time
    anew, so that it never counts before it was let go.
    """

    def __init__(self, clock: Clock) -> None:
        """The question comes up now."""
        self._clock = clock
        self._since_ns = clock.monotonic_ns()

    def is_meant(self) -> bool:
        """Asked once a stroke: True when it was meant for the question."""
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._since_ns < HELD_NS:
            self._since_ns = now_ns
            return False
        return True
