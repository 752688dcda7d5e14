"""The loss guard: drawdown, daily loss, stop loss, take profit and daily volume.

All comparisons are exact: money in atoms, percentages as fractions, cross-multiplied.
"""

from __future__ import annotations

from typing import Final

import msgspec

from engine.core.errors import UsageError
from engine.core.instrument import Instrument
from engine.risk.limits import RiskLimits
from engine.risk.state import UNTIL_RESUMED, RiskState, TradingState

LOSS: Final = "LOSS"
STOP_LOSS = "stop_loss"
TAKE_PROFIT = "take_profit"


class LossGuardState(msgspec.Struct, frozen=True):
    """What drawdown is measured from and against."""

    capital: int
    peak: int
    restarts: bool
    day: int | None
    day_start: int | None
    carried: int


class LossGuard:
    """Watches the accounts and restricts the trading state.

    - (peak equity - equity) / risk capital >= `max_drawdown`: latches HALTED (DRAWDOWN). The peak
      starts at the opening equity, so losing from the first trade counts. In money, peak equity - equity
      >= `max_drawdown_money` latches REDUCING (DRAWDOWN).
    - loss of the UTC day >= `max_daily_loss`: latches HALTED (LOSS). A day begins with the equity that was
      known last: what moves while there is no mark at midnight is lost in one of the two days, not in none.
      What earlier sessions of the same day have earned is `carry`-ed over.
    - unrealised / |open cost| <= -`stop_loss` or >= `take_profit`: pauses (STOP_LOSS, TAKE_PROFIT), and
      asks for the position to be closed until it is flat or a person resumes.
    - volume of the UTC day >= `max_trading_volume`: REDUCING (VOLUME) until the next day.
    """

    __slots__ = (
        "_capital",
        "_carried",
        "_day",
        "_day_start",
        "_instrument",
        "_restarts",
        "_state",
        "limits",
        "peak",
    )

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
        self._day: int | None = None
        """The UTC day that is counted, in days since 1970; None before the first judgement."""
        self._day_start: int | None = opening_equity
        """Equity it began with; None from a `carry` that begins it until the next judgement."""
        self._carried = 0

    def carry(self, day: int, profit: int) -> None:
        """Other sessions of that UTC day have earned so much, in atoms. Said again, it replaces that.

        A session that goes on after a crash may not have begun that day itself: then it begins it now.
        """
        if self._day is not None and day < self._day:
            return
        if self._day is not None and day > self._day:
            self._day_start = None
        self._day, self._carried = day, profit

    def day_profit(self, equity: int | None) -> int | None:
        """Profit of the UTC day in atoms, all sessions of it together; None while it cannot be told."""
        own = self.session_day_profit(equity)
        return None if own is None else self._carried + own

    def session_day_profit(self, equity: int | None) -> int | None:
        """What this session has earned of it."""
        return None if equity is None or self._day_start is None else equity - self._day_start

    @property
    def day(self) -> int | None:
        """The UTC day that is counted, in days since 1970."""
        return self._day

    def loss_today(self, equity: int | None) -> str:
        """Why HALTED cannot be taken back today, as a sentence; empty where the day's loss allows it."""
        profit = self.day_profit(equity)
        if profit is None or -profit < self.limits.max_daily_loss:
            return ""
        money, quote = self._instrument.money_words, self._instrument.quote
        limit = money(self.limits.max_daily_loss)
        return (
            f"today's loss of {money(-profit)} {quote} is beyond the limit of {limit} until the next UTC day"
        )

    @property
    def capital(self) -> int:
        """What the share of a drawdown is measured against, in atoms."""
        return self._capital

    @property
    def is_restarting(self) -> bool:
        """True from `restart` until an equity can be told."""
        return self._restarts

    def restart(self) -> None:
        """A person accepts what was lost: the next equity that can be told is the new peak."""
        self._restarts = True

    def check(
        self,
        *,
        equity: int | None,
        last_equity: int,
        position: int,
        open_cost: int,
        unrealised: int | None,
        day_volume: int,
        day: int,
        now_ns: int,
    ) -> str:
        """Judge the accounts; what must be closed now: `stop_loss`, `take_profit`, or nothing ("").

        `equity` and `unrealised` in atoms, None while there is no mark (then they are not judged);
        `last_equity` is the one of the last mark there was, from which a new day is measured;
        `open_cost` in atoms, signed like `position`; `day_volume` in lots; `day` the UTC day since 1970.
        """
        self._check_drawdown(equity, now_ns)
        self._check_day(equity, last_equity, day, now_ns)
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
            state = TradingState.HALTED
        elif self.peak - equity >= self.limits.max_drawdown_money:
            state = TradingState.REDUCING
        else:
            return
        money = self._instrument.money_words
        self._state.latch(
            state,
            "DRAWDOWN",
            f"equity fell by {money(self.peak - equity)} from its peak of {money(self.peak)} "
            f"{self._instrument.quote}",
            now_ns,
        )

    def _check_day(self, equity: int | None, last_equity: int, day: int, now_ns: int) -> None:
        if self._day is None:
            self._day = day
        elif day > self._day:
            self._day, self._day_start, self._carried = day, last_equity, 0
        if self._day_start is None:
            self._day_start = last_equity
        if told := self.loss_today(equity):
            self._state.latch(TradingState.HALTED, LOSS, told, now_ns)

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
            money = self._instrument.money_words
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
        return LossGuardState(
            self._capital, self.peak, self._restarts, self._day, self._day_start, self._carried
        )

    def load(self, state: LossGuardState) -> None:
        """Measure from what was measured from then."""
        self._capital, self.peak, self._restarts = state.capital, state.peak, state.restarts
        self._day, self._day_start, self._carried = state.day, state.day_start, state.carried
