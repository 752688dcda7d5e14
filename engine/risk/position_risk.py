"""What the present position may lose, from the returns of the mid; and an optional limit on it."""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

from engine.core.instrument import Instrument
from engine.risk import value_at_risk
from engine.risk.limits import RiskLimits
from engine.risk.state import RiskState, TradingState

VAR: Final = "VAR"
LEAST_RETURNS: Final = 30
"""Fewer say nothing about a tail: nothing is shown and nothing is limited."""


class Tail(NamedTuple):
    """Losses as fractions of the position's value."""

    value_at_risk: float
    expected_shortfall: float


class PositionRiskState(msgspec.Struct, frozen=True):
    """The mids in half ticks, oldest first, and the time of the last."""

    mids: tuple[int, ...]
    sampled_ns: int | None


class PositionRisk:
    """Samples the mid every `var_interval_s`, keeps `var_samples` of them, and judges the position by them.

    Above `max_var`: hold REDUCING until below 80 % of it. The horizon of all figures is the interval.
    """

    __slots__ = ("_instrument", "_mids", "_sampled_ns", "_state", "_tails", "_tails_of", "limits")

    def __init__(self, instrument: Instrument, limits: RiskLimits, state: RiskState) -> None:
        self.limits = limits
        self._instrument = instrument
        self._state = state
        self._mids: deque[int] = deque()
        self._sampled_ns: int | None = None
        self._tails: dict[int, Tail] = {}
        """By the sign of the position; they follow from the samples and the limits."""
        self._tails_of: RiskLimits | None = None

    def on_mid(self, mid: int, now_ns: int) -> None:
        """The mid of a book that may be believed, in half ticks."""
        if self._sampled_ns is not None and now_ns - self._sampled_ns < self.limits.var_interval_ns:
            return
        self._sampled_ns = now_ns
        self._mids.append(mid)
        while len(self._mids) > self.limits.var_samples + 1:
            self._mids.popleft()
        self._tails = {}

    def judge(self, position: int, mark: int | None, now_ns: int) -> None:
        """Hold or release; `mark` in half ticks. Without a mark nothing changes."""
        limit = self.limits.max_var
        if limit is None:
            self._state.release(VAR)
            return
        var = self.value_at_risk(position, mark)
        if var is None:
            return
        if var > limit:
            if not self._state.has_hold(VAR):
                money, quote = self._instrument.money_words, self._instrument.quote
                reason = f"value at risk {money(var)} {quote}, the limit is {money(limit)}"
                self._state.hold(VAR, TradingState.REDUCING, reason, "it is below 80 % of the limit", now_ns)
        elif 10 * var < 8 * limit:
            self._state.release(VAR)

    def value_at_risk(self, position: int, mark: int | None) -> int | None:
        """Of the position, in atoms; None while there is no mark or too little history."""
        return self._of(position, mark, 0)

    def expected_shortfall(self, position: int, mark: int | None) -> int | None:
        """The average loss beyond it, in atoms; None as there."""
        return self._of(position, mark, 1)

    def _of(self, position: int, mark: int | None, which: int) -> int | None:
        if not position:
            return 0
        if mark is None or len(self._mids) <= LEAST_RETURNS:
            return None
        value = abs(self._instrument.value(mark, position))
        return round(value * self._tail(1 if position > 0 else -1)[which])

    def _tail(self, sign: int) -> Tail:
        limits = self.limits
        if self._tails_of is not limits:
            self._tails, self._tails_of = {}, limits
        tail = self._tails.get(sign)
        if tail is None:
            mids = list(self._mids)
            returns = [sign * (new - old) / old for old, new in pairwise(mids)]
            confidence = limits.var_confidence
            match limits.var_method:
                case "historical":
                    var = value_at_risk.historical(returns, confidence)
                case "parametric":
                    var = value_at_risk.parametric(returns, confidence)
                case _:
                    # The seed follows from the samples: a replay draws what was drawn.
                    var = value_at_risk.monte_carlo(returns, confidence, sum(mids))
            tail = self._tails[sign] = Tail(var, value_at_risk.expected_shortfall(returns, confidence))
        return tail

    def save(self) -> PositionRiskState:
        """The samples; what follows from them is worked out again."""
        return PositionRiskState(tuple(self._mids), self._sampled_ns)

    def load(self, state: PositionRiskState) -> None:
        """Go on from there."""
        self._mids, self._sampled_ns = deque(state.mids), state.sampled_ns
        self._tails = {}
