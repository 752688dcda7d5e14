"""The portfolio: what all products of an engine have lost and hold together, and what follows from it.

It only adds up what the Traders know themselves, and keeps two numbers of its own: the peak, and what
products that are not traded any more have earned today. What it asks of the Traders reaches them as events,
so whoever reads a journal in again needs nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from math import floor
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
    net: int
    """The same with shorts taken off longs: below 0 where they outweigh them."""
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

    A UTC day begins when the first product has begun it. The others follow at their own next wake-up; until
    then they have earned nothing in it: yesterday's loss of one must not meet today's nothing of another.
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
        self.peak: int | None = None
        """Highest equity of all of them together; None before the first judgement."""
        self._gone = (0, 0)
        """A UTC day, and what products that are not among `members` have earned in it."""

    @property
    def quote(self) -> str:
        """The currency."""
        return self._quote

    def carry(self, day: int, profit: Decimal) -> None:
        """Products that are not traded now have earned so much in that UTC day; it replaces what was said."""
        self._gone = day, floor(profit.scaleb(self._places))

    def totals(self) -> Totals:
        """All of it now. To look changes nothing."""
        return self._added_up()[0]

    def _added_up(self) -> tuple[Totals, int]:
        """All of it now, and the peak."""
        profit = equity = peak = gross = net = orders = 0
        shares = loss = drop = most = 0
        days = [day for member, _ in self._members if (day := member.guard.day) is not None]
        day = max(days, default=self._gone[0])
        day_profit = self._gone[1] if self._gone[0] == day else 0
        for member, scale in self._members:
            ledger, guard = member.ledger, member.guard
            profit += scale * (ledger.captured + ledger.revaluation - ledger.fees)
            if guard.day == day:
                day_profit += scale * (guard.day_profit(ledger.last_equity) or 0)
            equity += scale * ledger.last_equity
            # Where a person has just rearmed, the next judgement of the product will say the same.
            peak += scale * (ledger.last_equity if guard.is_restarting else guard.peak)
            worth = scale * ledger.instrument.value(ledger.reference_half_ticks, ledger.position)
            gross += abs(worth)
            net += worth
            orders += len(member.orders.own.by_id)
            shares += scale * guard.limits.max_gross_notional
            loss = max(loss, scale * guard.limits.max_daily_loss)
            drop = max(drop, scale * guard.limits.max_drawdown_money)
            most += guard.limits.max_open_orders
        # Peaks of one product each are together at least as high as the peak of all. So they stand in for
        # one that is not known after a restart, and where a person rearms, they fall and this one follows.
        if self.peak is not None:
            peak = min(max(self.peak, equity), peak)
        limits = self._limits
        totals = Totals(
            self._quote,
            self._places,
            self._products,
            profit,
            day_profit,
            max(0, peak - equity),
            gross,
            net,
            orders,
            shares if limits.max_gross_notional is None else limits.max_gross_notional,
            loss if limits.max_daily_loss is None else limits.max_daily_loss,
            drop if limits.max_drawdown is None else limits.max_drawdown,
            most,
        )
        return totals, peak

    def judge(self) -> list[Verdict]:
        """What the Traders are to be told now; nothing that they have been told already."""
        totals, self.peak = self._added_up()
        if reason := self._lost(totals):
            return self._latched(TradingState.HALTED, LOSS, Restraint.LATCHED, reason)
        if totals.drawdown >= totals.max_drawdown:
            reason = (
                f"the products in {self._quote} are {self._money(totals.drawdown)} below their peak, the "
                f"limit over all of them is {self._money(totals.max_drawdown)}"
            )
            return self._latched(TradingState.REDUCING, DRAWDOWN, Restraint.REDUCING_LATCHED, reason)
        return self._judged_gross(totals)

    def loss_today(self, product: str) -> str:
        """Why a product cannot be rearmed today, as a sentence; empty where the loss of all allows it."""
        lost = self._lost(self.totals()) if product in self._products else ""
        return f"{lost}, until the next UTC day" if lost else ""

    def _lost(self, totals: Totals) -> str:
        """That the day's limit is reached, in words; empty where it is not."""
        if -totals.day_profit < totals.max_day_loss:
            return ""
        return (
            f"the products in {self._quote} have lost {self._money(-totals.day_profit)} today, the limit "
            f"over all of them is {self._money(totals.max_day_loss)}"
        )

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

    def loss_today(self, product: str) -> str:
        """Why a product cannot be rearmed today; see `CurrencyPortfolio.loss_today`."""
        return next((told for group in self.groups if (told := group.loss_today(product))), "")

    def carry(self, day: int, profits: Mapping[str, Decimal]) -> None:
        """What products that are not traded now have earned in a UTC day, by quote currency."""
        for group in self.groups:
            group.carry(day, profits.get(group.quote, Decimal(0)))

    def peaks(self) -> dict[str, int | None]:
        """By quote currency, what a drop is measured from."""
        return {group.quote: group.peak for group in self.groups}

    def load_peaks(self, peaks: Mapping[str, int | None]) -> None:
        """Measure from what was measured from then."""
        for group in self.groups:
            group.peak = peaks[group.quote]
