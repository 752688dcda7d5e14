"""How long to wait before the next attempt: full jitter, a cap, and a limit on attempts a minute."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Final

from engine.core.clock import Clock

BASE_S: Final = 0.25
CAP_S: Final = 30.0
HEALTHY_S: Final = 30.0
"""After so long without trouble the next wait is short again."""
ATTEMPTS_A_MINUTE: Final = 10
_BUSY_STEPS: Final = 5
"""How many steps further on the waits begin where the venue says that it has too much to do."""
_MOST_STEPS: Final = 16
_MINUTE_NS: Final = 60 * 10**9


class Backoff:
    """The waits between attempts at one thing; its first attempt needs none, and is told by `begin`."""

    __slots__ = ("_attempts", "_clock", "_healthy_since_ns", "_random", "step")

    def __init__(self, clock: Clock, random: Random) -> None:
        self._clock = clock
        self._random = random
        self._attempts: deque[int] = deque(maxlen=ATTEMPTS_A_MINUTE)
        self._healthy_since_ns: int | None = None
        self.step: int = 0
        """Attempts since all was well for long enough."""

    def begin(self) -> None:
        """The first attempt is made now."""
        self._attempts.append(self._clock.monotonic_ns())

    def healthy(self) -> None:
        """All is well from now on, until the next wait is asked for."""
        if self._healthy_since_ns is None:
            self._healthy_since_ns = self._clock.monotonic_ns()

    def troubled(self) -> None:
        """It is not well any more; what was well for long enough is remembered."""
        since, self._healthy_since_ns = self._healthy_since_ns, None
        if since is not None and self._clock.monotonic_ns() - since >= HEALTHY_S * 1e9:
            self.step = 0

    def next_wait_s(self, *, is_busy: bool = False, at_least_s: float = 0.0) -> float:
        """Seconds to wait before an attempt; the attempt is counted for the time at which it will be.

        `is_busy`: the other side asked for patience. `at_least_s` is a time that it named.
        """
        self.troubled()
        step = min(self.step + (_BUSY_STEPS if is_busy else 0), _MOST_STEPS)
        self.step += 1
        ceiling = min(CAP_S, BASE_S * 2**step)
        wait_s = max(at_least_s, self._random.uniform(ceiling / 4 if is_busy else 0.0, ceiling))
        now_ns = self._clock.monotonic_ns()
        at_ns = now_ns + int(wait_s * 1e9)
        if len(self._attempts) == ATTEMPTS_A_MINUTE:
            at_ns = max(at_ns, self._attempts[0] + _MINUTE_NS)
        self._attempts.append(at_ns)
        return (at_ns - now_ns) / 1e9
