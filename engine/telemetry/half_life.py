"""The half-life of the inventory: how long it takes until half of a position is worked off.

The position, looked at once a second, is fitted by x' = a + f x (an Ornstein-Uhlenbeck process seen at
equal distances; least squares). What is off its mean decays as f^t, so

    half-life = ln(1/2) / ln(f)   seconds.

f at or above 1 does not revert, and at or below 0 it reverts faster than can be seen: neither has one.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

SAMPLE_NS: Final = 1_000_000_000
FEWEST: Final = 60
"""Samples below which nothing is said."""


class HalfLifeState(msgspec.Struct, frozen=True, gc=False):
    """Sums over pairs of one sample and the next; see `HalfLife`."""

    next_ns: int | None
    position: int
    sample: int | None
    count: int
    first: float
    second: float
    squares: float
    products: float


class HalfLife:
    """Follows a position in lots over engine time. What it keeps does not grow."""

    __slots__ = ("_count", "_first", "_next_ns", "_position", "_products", "_sample", "_second", "_squares")

    def __init__(self) -> None:
        self._next_ns: int | None = None
        self._position = 0
        self._sample: int | None = None
        self._count = 0
        self._first = 0.0
        self._second = 0.0
        self._squares = 0.0
        self._products = 0.0

    def on_position(self, now_ns: int, position: int) -> None:
        """The position is this from now on. Every second on the way here sees the one before."""
        due = self._next_ns
        if due is None:
            self._next_ns = (now_ns // SAMPLE_NS + 1) * SAMPLE_NS
        elif now_ns >= due:
            passed = (now_ns - due) // SAMPLE_NS + 1
            held = self._position
            if self._sample is not None:
                self._pair(self._sample, held, 1)
            self._pair(held, held, passed - 1)
            self._sample = held
            self._next_ns = due + passed * SAMPLE_NS
        self._position = position

    def _pair(self, sample: int, following: int, times: int) -> None:
        self._count += times
        self._first += float(sample) * times
        self._second += float(following) * times
        self._squares += float(sample) * sample * times
        self._products += float(sample) * following * times

    @property
    def autocorrelation(self) -> float | None:
        """f, from one second to the next; None with too few samples or a position that never changed."""
        count = self._count
        if count < FEWEST:
            return None
        spread = self._squares - self._first * self._first / count
        if spread <= 0:
            return None
        return (self._products - self._first * self._second / count) / spread

    @property
    def seconds(self) -> float | None:
        """The half-life; None where there is none."""
        decay = self.autocorrelation
        if decay is None or not 0 < decay < 1:
            return None
        return math.log(0.5) / math.log(decay)

    def save(self) -> HalfLifeState:
        """All of it."""
        return HalfLifeState(
            self._next_ns,
            self._position,
            self._sample,
            self._count,
            self._first,
            self._second,
            self._squares,
            self._products,
        )

    def load(self, state: HalfLifeState) -> None:
        """Be what was saved."""
        self._next_ns, self._position, self._sample = state.next_ns, state.position, state.sample
        self._count, self._first, self._second = state.count, state.first, state.second
        self._squares, self._products = state.squares, state.products
