"""Getting one product's book anew without giving the connection up: leave, wait for the word, ask again."""

from __future__ import annotations

import enum
from random import Random
from typing import Final

from engine.core.clock import Clock
from engine.exchange.coinbase.feed.backoff import Backoff

LEAVE_NS: Final = 2 * 10**9
"""So long the venue's word that we have left is waited for."""
ANSWER_NS: Final = 10 * 10**9
"""So long a new book may be on its way; then the connection itself is doubted."""


class Step(enum.Enum):
    """What is to be done now."""

    NOTHING = enum.auto()
    LEAVE = enum.auto()
    ASK = enum.auto()
    GIVE_UP = enum.auto()


class _Phase(enum.Enum):
    IDLE = enum.auto()
    WAITING = enum.auto()
    LEAVING = enum.auto()
    ASKING = enum.auto()


class Resync:
    """One product's way back to a book. Each request costs a step of the back-off: never a loop."""

    __slots__ = ("_backoff", "_clock", "_phase", "_until_ns", "requests")

    def __init__(self, clock: Clock, random: Random) -> None:
        self._clock = clock
        self._backoff = Backoff(clock, random)
        self._phase = _Phase.IDLE
        self._until_ns = 0
        self.requests = 0
        """Books asked for so."""

    @property
    def is_under_way(self) -> bool:
        """True while a book is waited for."""
        return self._phase is _Phase.ASKING

    def cancel(self) -> None:
        """The connection is gone, or the book is well: nothing is under way any more."""
        self._phase = _Phase.IDLE

    def step(self, *, is_wanted: bool, has_left: bool) -> Step:
        """What to do now. `has_left`: by the venue's word it does not send us this book."""
        now_ns = self._clock.monotonic_ns()
        if self._phase is _Phase.IDLE:
            if is_wanted:
                self._phase = _Phase.WAITING
                self._until_ns = now_ns + int(self._backoff.next_wait_s() * 1e9)
            else:
                self._backoff.healthy()
            return Step.NOTHING
        if not is_wanted and self._phase is not _Phase.LEAVING:
            self.cancel()
            return Step.NOTHING
        if self._phase is _Phase.WAITING and now_ns >= self._until_ns:
            self._phase, self._until_ns = _Phase.LEAVING, now_ns + LEAVE_NS
            return Step.LEAVE
        if self._phase is _Phase.LEAVING and (has_left or now_ns >= self._until_ns):
            self._phase, self._until_ns = _Phase.ASKING, now_ns + ANSWER_NS
            self.requests += 1
            return Step.ASK
        if self._phase is _Phase.ASKING and now_ns >= self._until_ns:
            self._phase = _Phase.IDLE
            return Step.GIVE_UP
        return Step.NOTHING
