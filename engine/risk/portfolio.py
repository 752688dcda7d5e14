"""The portfolio: what all products of an engine have lost and hold together, and what follows from it.

It only adds up what the Traders know themselves, and keeps one number: the peak. What it asks of them
reaches them as events, so whoever reads a journal in again needs nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from engine.core.events import Restraint
from engine.core.instrument import Instrument, scaled_text
from engine.core.ledger import Ledger
from engine.core.order_manager import OrderManager
from engine.risk.loss_guard import LossGuard
from engine.risk.state import RiskState, TradingState

LOSS: Final = "PORTFOLIO_LOSS"
DRAWDOWN: Final = "PORTFOLIO_DRAWDOWN"
GROSS: Final = "PORTFOLIO_GROSS"


class Member(Protocol):
    """What a portfolio reads of a Trader, and never changes."""

    instrument: Instrument
    ledger: Ledger
    guard: LossGuard
    risk: RiskState
    orders: OrderManager


class Verdict(NamedTuple):
    """What is to be told to the Trader of a product; see `EdgeStatus`."""

    product: str
    code: str
    restraint: Restraint
    reason: str
    release: str = ""


class Totals(NamedTuple):
    """One quote currency's products together. Money in units of its last place, `places` digits."""

    quote: str
    places: int
    products: tuple[str, ...]
    profit: int
    """Since the start."""
    day_profit: int
    """Of the UTC day, all sessions of it together."""
    drawdown: int
    """From the peak."""
    gross: int
    """The positions' worth, longs and shorts added up."""
    open_orders: int
    max_gross: int
    """The limits in force."""
    max_day_loss: int
    max_drawdown: int
    max_open_orders: int


class PortfolioLimits(NamedTuple):
    """Over all products of one quote currency, in units of its last place.

    None: that of one product, whatever that is at the time.
    """

    max_gross_notional: int | None = None
    max_daily_loss: int | None = None
    max_drawdown: int | None = None


class CurrencyPortfolio:
    """The products of one quote currency. Money of different currencies is never added up.

    - loss of the UTC day >= `max_daily_loss`: latches HALTED in all of them (R9).
    - drop from the peak of their sum >= `max_drawdown`: latches REDUCING in all of them (R10).
    - positions worth `max_gross_notional` or more: holds REDUCING until they are below 80 % of it. Orders
      alone never lead there, as each product's gate holds its share; a market that moves does.

    A product without a mark counts at the last one there was: that its feed is silent must neither hide
    what it has lost nor hold the others up. A latch that a person took back returns at once while its
    condition lasts, for it is judged anew each time.
    """

    def __init__(self, members: Sequence[Member], limits: Callable[[int], PortfolioLimits]) -> None:
        """`limits` gives the limits in units of so many digits: those of the finest money among `members`."""
        self._quote = members[0].instrument.quote
        self._places = max(member.instrument.money_places for member in members)
        self._limits = limits(self._places)
        self._members = [
            (member, 10 ** (self._places - member.instrument.money_places)) for member in members
        ]
        self._products = tuple(member.instrument.symbol for member in members)
        self._peak: int | None = None

    def totals(self) -> Totals:
        """All of it now. To look changes nothing."""
        return self._added_up()[0]

    def _added_up(self) -> tuple[Totals, int]:
        """All of it now, and the peak."""
        profit = day_profit = equity = peak = gross = orders = 0
        shares = loss = drop = most = 0
        for member, scale in self._members:
            ledger, guard = member.ledger, member.guard
            profit += scale * (ledger.captured + ledger.revaluation - ledger.fees)
            day_profit += scale * (guard.day_profit(ledger.last_equity) or 0)
            equity += scale * ledger.last_equity
            peak += scale * guard.peak
            gross += scale * ledger.instrument.value(ledger.reference_half_ticks, abs(ledger.position))
            orders += len(member.orders.own.by_id)
            shares += scale * guard.limits.max_gross_notional
            loss = max(loss, scale * guard.limits.max_daily_loss)
            drop = max(drop, scale * guard.limits.max_drawdown_money)
            most += guard.limits.max_open_orders
        # Peaks of one product each are together at least as high as the peak of all. So they stand in for
        # one that is not known after a restart, and where a person rearms, they fall and this one follows.
        if self._peak is not None:
            peak = min(max(self._peak, equity), peak)
        limits = self._limits
        totals = Totals(
            self._quote,
            self._places,
            self._products,
            profit,
            day_profit,
            max(0, peak - equity),
            gross,
            orders,
            shares if limits.max_gross_notional is None else limits.max_gross_notional,
            loss if limits.max_daily_loss is None else limits.max_daily_loss,
            drop if limits.max_drawdown is None else limits.max_drawdown,
            most,
        )
        return totals, peak

    def judge(self) -> list[Verdict]:
        """What the Traders are to be told now; nothing that they have been told already."""
        totals, self._peak = self._added_up()
        if -totals.day_profit >= totals.max_day_loss:
            reason = (
                f"the products in {self._quote} have lost {self._money(-totals.day_profit)} today, the limit "
                f"over all of them is {self._money(totals.max_day_loss)}"
            )
            return self._latched(TradingState.HALTED, LOSS, Restraint.LATCHED, reason)
        if totals.drawdown >= totals.max_drawdown:
            reason = (
                f"the products in {self._quote} are {self._money(totals.drawdown)} below their peak, the "
                f"limit over all of them is {self._money(totals.max_drawdown)}"
            )
            return self._latched(TradingState.REDUCING, DRAWDOWN, Restraint.REDUCING_LATCHED, reason)
        return self._judged_gross(totals)

    def _latched(self, state: TradingState, code: str, restraint: Restraint, reason: str) -> list[Verdict]:
        return [
            Verdict(member.instrument.symbol, code, restraint, reason)
            for member, _ in self._members
            if member.risk.latched is None or member.risk.latched.state < state
        ]

    def _judged_gross(self, totals: Totals) -> list[Verdict]:
        gross, limit = totals.gross, totals.max_gross
        held = [member for member, _ in self._members if member.risk.has_hold(GROSS)]
        worth = f"the positions in {self._quote} are worth {self._money(gross)}"
        if gross >= limit and len(held) < len(self._members):
            reason = f"{worth}, the limit over all products is {self._money(limit)}"
            return [
                Verdict(product, GROSS, Restraint.REDUCING, reason, "they are below 80 % of the limit")
                for product in self._products
            ]
        if held and 10 * gross < 8 * limit:
            return [
                Verdict(member.instrument.symbol, GROSS, Restraint.NONE, f"{worth} again") for member in held
            ]
        return []

    def _money(self, amount: int) -> str:
        return f"{scaled_text(amount, self._places)} {self._quote}"


class Portfolio:
    """All products of an engine, by quote currency."""

    def __init__(self, groups: Sequence[CurrencyPortfolio]) -> None:
        self.groups = groups

    def judge(self) -> list[Verdict]:
        """What the Traders are to be told now."""
        return [verdict for group in self.groups for verdict in group.judge()]
