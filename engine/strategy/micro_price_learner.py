"""The micro-price's table, learnt while the market runs."""

from __future__ import annotations

from typing import Final

import msgspec

from engine.strategy.micro_price import adjustments
from engine.strategy.order_flow import Touch

BUCKETS: Final = 5
"""Of imbalance at the touch,"""
SPREADS: Final = 3
"""times spreads of one tick, of two, and of more."""
STATES: Final = BUCKETS * SPREADS
LEAST_MOVES: Final = 200
"""Moves of the mid that must have been seen before the table is believed."""
MOST_TRANSITIONS: Final = 50_000
"""Here every count is halved: what is long past is forgotten."""
REFIT_NS: Final = 10_000_000_000
"""Between two tables: solving for one takes a millisecond."""


class MicroPriceState(msgspec.Struct, frozen=True):
    """Counts of transitions, row by row, and the table that was made of them last."""

    stays: list[int]
    lands: list[int]
    drifts: list[int]
    transitions: int
    moves: int
    last: tuple[int, int] | None
    table: list[float]
    next_ns: int


class MicroPriceLearner:
    """Counts how the touch goes from one state to the next, each transition with its mirror image.

    The mirror (bids for asks, up for down) makes the data symmetric, without which the series need not
    converge. A state is (bucket of imbalance, spread); the table has, for each, by how many half ticks the
    mid is expected to move in the end.
    """

    __slots__ = ("_drifts", "_lands", "_last", "_next_ns", "_stays", "_table", "moves", "transitions")

    def __init__(self) -> None:
        self._stays = [0] * (STATES * STATES)
        self._lands = [0] * (STATES * STATES)
        self._drifts = [0] * STATES
        """Sum of the mid's moves out of each state, in half ticks."""
        self.transitions = 0
        """That the counts stand for, before they were mirrored."""
        self.moves = 0
        """Those of them that moved the mid."""
        self._last: tuple[int, int] | None = None
        """(state, mid) that was seen last."""
        self._table: list[float] = []
        self._next_ns = 0

    def on_touch(self, now_ns: int, touch: Touch) -> None:
        """The touch is this from now on."""
        seen = (_state(touch), touch.bid + touch.ask)
        last, self._last = self._last, seen
        if last is not None and last != seen:
            self._count(last[0], seen[0], seen[1] - last[1])
        if now_ns >= self._next_ns:
            self._next_ns = now_ns + REFIT_NS
            self._fit()

    def interrupt(self) -> None:
        """What comes next does not follow from what was seen last."""
        self._last = None

    def half_ticks(self, touch: Touch) -> float | None:
        """How far above the mid the micro-price lies; None while too little has been seen."""
        return self._table[_state(touch)] if self._table else None

    def save(self) -> MicroPriceState:
        """All of it, copied."""
        return MicroPriceState(
            self._stays.copy(),
            self._lands.copy(),
            self._drifts.copy(),
            self.transitions,
            self.moves,
            self._last,
            self._table.copy(),
            self._next_ns,
        )

    def load(self, state: MicroPriceState) -> None:
        """Go on from there."""
        self._stays, self._lands = state.stays.copy(), state.lands.copy()
        self._drifts, self._table = state.drifts.copy(), state.table.copy()
        self.transitions, self.moves = state.transitions, state.moves
        self._last, self._next_ns = state.last, state.next_ns

    def _count(self, before: int, now: int, moved: int) -> None:
        counts = self._lands if moved else self._stays
        counts[before * STATES + now] += 1
        counts[_mirrored(before) * STATES + _mirrored(now)] += 1
        if moved:
            self._drifts[before] += moved
            self._drifts[_mirrored(before)] -= moved
            self.moves += 1
        self.transitions += 1
        if self.transitions >= MOST_TRANSITIONS:
            for values in (self._stays, self._lands):
                values[:] = [count // 2 for count in values]
            # Towards zero on both sides, so that the halves are as symmetric as the whole.
            self._drifts = [int(drift / 2) for drift in self._drifts]
            self.transitions //= 2
            self.moves //= 2

    def _fit(self) -> None:
        if self.moves < LEAST_MOVES:
            return
        stays, lands, drifts = [], [], []
        for row in range(STATES):
            cells = slice(row * STATES, (row + 1) * STATES)
            total = sum(self._stays[cells]) + sum(self._lands[cells])
            share = 1 / total if total else 0.0
            stays.append([count * share for count in self._stays[cells]])
            lands.append([count * share for count in self._lands[cells]])
            # The mean move stands for the probabilities of all move sizes times the sizes.
            drifts.append([self._drifts[row] * share])
        try:
            self._table = adjustments(stays, drifts, (1.0,), lands)
        except ValueError:
            self._table = []


def _state(touch: Touch) -> int:
    imbalance = touch.bid_size / (touch.bid_size + touch.ask_size)
    spread = min(touch.ask - touch.bid, SPREADS) - 1
    return spread * BUCKETS + min(int(imbalance * BUCKETS), BUCKETS - 1)


def _mirrored(state: int) -> int:
    spread, bucket = divmod(state, BUCKETS)
    return spread * BUCKETS + BUCKETS - 1 - bucket
