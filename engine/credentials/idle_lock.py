"""When an open vault has been left alone for too long."""

from __future__ import annotations

from typing import Final

from engine.core.clock import Clock

_NS: Final = 10**9


class IdleLock:
    """Counts the time since a person did something. Whoever has the vault asks whether it is over."""

    def __init__(self, clock: Clock, after_s: float) -> None:
        self._clock = clock
        self._after_ns = round(after_s * _NS)
        self.touch()

    def touch(self) -> None:
        """A person did something: the time begins anew."""
        self._since_ns = self._clock.monotonic_ns()

    def is_due(self) -> bool:
        """True when nobody did anything for too long."""
        return self._clock.monotonic_ns() - self._since_ns >= self._after_ns
