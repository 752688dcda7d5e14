"""A connection: in order, nothing lost, late by a mean and a jitter."""

from __future__ import annotations

from random import Random

import msgspec

from engine.exchange.simulator.randomness import RandomState, load_random, save_random


class LinkState(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A `Link`: when the last message sent so far arrives, and its generator."""

    last_ns: int
    random: RandomState


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

    def save(self) -> LinkState:
        """A copy."""
        return LinkState(self._last, save_random(self._random))

    def load(self, state: LinkState) -> None:
        """Go on from a saved one."""
        self._last = state.last_ns
        load_random(self._random, state.random)
