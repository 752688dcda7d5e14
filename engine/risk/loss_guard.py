"""The loss guard: drawdown, stop loss, take profit and daily volume.

All comparisons are exact: money in atoms, percentages as fractions, cross-multiplied.
"""

from __future__ import annotations

import msgspec

from engine.core.errors import UsageError
from engine.core.instrument import Instrument
from engine.risk.settings import RiskLimits
from engine.risk.state import UNTIL_RESUMED, RiskState, TradingState

STOP_LOSS = "stop_loss"
TAKE_PROFIT = "take_profit"


class LossGuardState(msgspec.Struct, frozen=True):
    """What drawdown is measured from and against."""

    capital: int
    peak: int
    restarts: bool


class LossGuard:
    """Watches the accounts and restricts the trading state.

    - (peak equity - equity) / risk capital >= `max_drawdown`: latches HALTED (DRAWDOWN). The peak
      starts at the opening equity, so losing from the first trade counts.
    - unrealised / |open cost| <= -`stop_loss` or >= `take_profit`: pauses (STOP_LOSS, TAKE_PROFIT), and
      asks for the position to be closed until it is flat or a person resumes.
    - volume of the UTC day >= `max_trading_volume`: REDUCING (VOLUME) until the next day.
    """

    __slots__ = ("_capital", "_instrument", "_restarts", "_state", "limits", "peak")

    def __init__(
        self, instrument: Instrument, limits: RiskLimits, state: RiskState, opening_equity: int
    ) -> None:
        self._capital = opening_equity if limits.risk_capital is None else limits.risk_capital
        if self._capital <= 0:
            raise UsageError(
                "risk.risk_capital is unset and the account is worth nothing at the start: drawdown has "
                "nothing to be measured against; set risk.risk_capital"
            )
        self._instrument = instrument
        self.limits = limits
        """May be replaced; what drawdown is measured against stays what it was at the start."""
        self._state = state
        self.peak = opening_equity
        """Highest equity since the start or the last restart, in atoms."""
        self._restarts = False

    def restart(self) -> None:
        """A person accepts what was lost: the next equity that can be told is the new peak."""
        self._restarts = True

    def check(
        self,
        *,
        equity: int | None,
        position: int,
        open_cost: int,
        unrealised: int | None,
        day_volume: int,
        now_ns: int,
    ) -> str:
        """Judge the accounts; what must be closed now: `stop_loss`, `take_profit`, or nothing ("").

        `equity` and `unrealised` in atoms, None while there is no mark (then they are not judged);
        `open_cost` in atoms, signed like `position`; `day_volume` in lots.
        """
        self._check_drawdown(equity, now_ns)
        self._check_volume(day_volume, now_ns)
        if unrealised is not None and position:
            self._check_position(open_cost, unrealised, now_ns)
        if not position:
            return ""
        if self._state.has_hold("STOP_LOSS"):
            return STOP_LOSS
        return TAKE_PROFIT if self._state.has_hold("TAKE_PROFIT") else ""

    def _check_drawdown(self, equity: int | None, now_ns: int) -> None:
        if equity is None:
            return
        if equity > self.peak or self._restarts:
            self.peak, self._restarts = equity, False
            return
        numerator, denominator = self.limits.max_drawdown
        if (self.peak - equity) * denominator >= self._capital * numerator:
            money = self._instrument.money_text
            self._state.latch(
                TradingState.HALTED,
                "DRAWDOWN",
                f"equity fell by {money(self.peak - equity)} from its peak of {money(self.peak)} "
                f"{self._instrument.quote}",
                now_ns,
            )

    def _check_volume(self, day_volume: int, now_ns: int) -> None:
        if day_volume < self.limits.max_trading_volume:
            self._state.release("VOLUME")
        elif not self._state.has_hold("VOLUME"):
            size = self._instrument.size_text
            self._state.hold(
                "VOLUME",
                TradingState.REDUCING,
                f"traded {size(day_volume)} {self._instrument.base} today, the limit is "
                f"{size(self.limits.max_trading_volume)}",
                "the next UTC day",
                now_ns,
            )

    def _check_position(self, open_cost: int, unrealised: int, now_ns: int) -> None:
        cost = abs(open_cost)
        loss, gain = self.limits.stop_loss, self.limits.take_profit
        if unrealised < 0 and -unrealised * loss.denominator >= cost * loss.numerator:
            code, what = "STOP_LOSS", "lost"
        elif unrealised > 0 and unrealised * gain.denominator >= cost * gain.numerator:
            code, what = "TAKE_PROFIT", "gained"
        else:
            return
        if not self._state.has_hold(code):
            money = self._instrument.money_text
            self._state.hold(
                code,
                TradingState.PAUSED,
                f"the open position {what} {money(abs(unrealised))} on a cost of {money(cost)} "
                f"{self._instrument.quote}",
                UNTIL_RESUMED,
                now_ns,
            )

    def save(self) -> LossGuardState:
        """All of it; the limits are settings."""
        return LossGuardState(self._capital, self.peak, self._restarts)

    def load(self, state: LossGuardState) -> None:
        """Measure from what was measured from then."""
        self._capital, self.peak, self._restarts = state.capital, state.peak, state.restarts
