"""A connection: in order, nothing lost, late by a mean and a jitter."""

from __future__ import annotations

from random import Random


class Link:
    """Says when what is sent arrives. Later messages never overtake earlier ones."""

    __slots__ = ("_jitter", "_last", "_random", "least_ns")

    def __init__(self, mean_ms: float, jitter_ms: float, random: Random) -> None:
        self.least_ns = round((mean_ms - jitter_ms) * 1e6)
        """No message is faster than this."""
        self._jitter = 2.0 * jitter_ms * 1e6
        self._random = random
        self._last = 0

    def arrival(self, sent_ns: int) -> int:
        """When a message sent at `sent_ns` arrives: uniform within the jitter, after all before it."""
        due = sent_ns + self.least_ns + round(self._jitter * self._random.random())
        self._last = max(self._last, due)
        return self._last
