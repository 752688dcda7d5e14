"""How much a client may ask in a second: token buckets, one for each client."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from engine.core.clock import Clock
from engine.local_venue.settings import Limits

_S: Final = 1_000_000_000


class RateLimiter:
    """One bucket for each name (an address, a key), full at first."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._rate = Fraction(limits.rate) / _S
        self._burst = Fraction(limits.burst)
        self._clock = clock
        self._buckets: dict[str, tuple[int, Fraction]] = {}

    def take(self, name: str) -> bool:
        """Use one token up; False where there is none."""
        now_ns = self._clock.monotonic_ns()
        at_ns, tokens = self._buckets.get(name, (now_ns, self._burst))
        tokens = min(self._burst, tokens + (now_ns - at_ns) * self._rate)
        is_allowed = tokens >= 1
        self._buckets[name] = (now_ns, tokens - 1 if is_allowed else tokens)
        return is_allowed

    @property
    def wait_s(self) -> int:
        """Whole seconds after which there is a token again."""
        return max(1, -(-1 // (self._rate * _S)))
