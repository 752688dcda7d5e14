"""Section `portfolio`: what all products of an engine may use and lose together.

What is known before an order leaves is *allotted*: the account's balances, the gross notional and the
number of open orders are divided among the products once, at the start, and the gate of each product holds
its share, exactly. No product has to know of another one, and the same events give the same orders again.
What is only known afterwards, profit and loss, is added up by `engine.risk.portfolio` while trading.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from engine.core.errors import UsageError
from engine.core.instrument import Instrument
from engine.core.settings import setting
from engine.risk.limits import RiskLimits
from engine.risk.portfolio import PortfolioLimits

SECTION = "portfolio"
_MOST_WEIGHT = 1_000
_MOST_BASE = 1_000_000_000
_MOST_FACTOR = 1_000_000
_AMOUNT: Final = re.compile(r"\d+(\.\d+)?", re.ASCII)
_LIKE_MONEY: Final = frozenset(
    {"USD", "USDC", "USDT", "USDS", "DAI", "PYUSD", "EUR", "EURC", "GBP", "CHF", "CAD", "AUD", "SGD"}
)
"""Currencies of which one is worth about as much as one of another: a limit of 250 means much the same."""


@dataclass(frozen=True, slots=True)
class PortfolioSettings:
    """Limits over all products of one quote currency, and how they are divided.

    An unset limit in money is that of one product (section `risk`): trading one more product must not by
    itself raise what an account may hold and lose.
    """

    shares: tuple[str, ...] | None = setting(
        None,
        "How balances and limits are divided among the products, SYMBOL=WEIGHT each; a product that is not "
        "named weighs 1.",
    )
    size_factors: tuple[str, ...] | None = setting(
        None,
        "Multiplies what is said in the base currency (order sizes, positions, traded volume, what a paper "
        "account holds) for a product, SYMBOL=FACTOR each; a product that is not named has 1.",
    )
    max_positions: tuple[str, ...] | None = setting(
        None,
        "R7: largest position of a product with all open orders of a side filled, SYMBOL=AMOUNT each in its "
        "base currency; a product that is not named has risk.max_position_base.",
    )
    max_gross_notional: Decimal | None = setting(
        None,
        "R8: largest positions at their mids, with all open orders of a side filled, over all products of a "
        "quote currency; each has its share. Unset is risk.max_gross_notional.",
        unit="quote",
        above=0,
        at_most=2_000_000,
    )
    max_daily_loss: Decimal | None = setting(
        None,
        "R9: loss of a UTC day over all products of a quote currency that halts them; unset is "
        "risk.max_daily_loss.",
        unit="quote",
        above=0,
        at_most=1_000_000,
    )
    max_drawdown: Decimal | None = setting(
        None,
        "R10: drop from the peak of all products of a quote currency together that lets them only reduce; "
        "unset is risk.max_drawdown.",
        unit="quote",
        above=0,
        at_most=1_000_000,
    )
    max_open_orders: int | None = setting(
        None,
        "R6: open orders over all products; each has its share. Unset is the limit of each product alone.",
        at_least=1,
        at_most=2_000,
    )

    def violation(self) -> str | None:
        """The first rule that is broken."""
        seen = set()
        for text in self.shares or ():
            symbol, _, weight = text.partition("=")
            if not (weight.isascii() and weight.isdigit() and 1 <= int(weight) <= _MOST_WEIGHT):
                return (
                    f"{SECTION}.shares = {text!r}: must be SYMBOL=WEIGHT with a whole number from 1 to "
                    f"{_MOST_WEIGHT}, for example BTC-USD=3"
                )
            if symbol in seen:
                return f"{SECTION}.shares names {symbol} twice"
            seen.add(symbol)
        return _amount_violation("max_positions", self.max_positions, "AMOUNT", _MOST_BASE) or (
            _amount_violation("size_factors", self.size_factors, "FACTOR", _MOST_FACTOR)
        )

    def size_factor(self, symbol: str, symbols: Sequence[str]) -> Decimal:
        """What multiplies a product's amounts in its base currency."""
        return Decimal(_named("size_factors", self.size_factors, symbols).get(symbol, 1))

    def weights(self, symbols: Sequence[str]) -> dict[str, int]:
        """By product, its weight. `UsageError` where one is named that is not traded."""
        named = _named("shares", self.shares, symbols)
        return {symbol: int(named.get(symbol, 1)) for symbol in symbols}

    def balance_of(
        self, symbol: str, symbols: Sequence[str], amount: Decimal, currency: str, places: int
    ) -> Decimal:
        """The part of an account's `amount` of a currency that a product trades with.

        It is divided among the products that buy or pay with it and rounded down to `places` digits, so that
        what all of them may spend together is there, whatever each of them does.
        """
        using = [each for each in symbols if currency in each.split("-")]
        if len(using) < 2:
            return amount
        part = Fraction(amount) * self._share(symbol, using, symbols)
        return Decimal(int(part * 10**places)).scaleb(-places)

    def allotted(self, limits: RiskLimits, instrument: Instrument, symbols: Sequence[str]) -> RiskLimits:
        """A product's own limits, and no more than its share of those over all.

        Raises `UsageError` where its share of the open orders is none, or its own position allows no order.
        """
        own = _named("max_positions", self.max_positions, symbols).get(instrument.symbol)
        if own is not None:
            limits = dataclasses.replace(limits, max_position=instrument.lots_floor(own))
            smallest = max(1, instrument.min_size)
            if limits.max_position < smallest:
                raise UsageError(
                    f"{SECTION}.max_positions = {instrument.symbol}={own}: below the smallest order "
                    f"({instrument.size_text(smallest)} {instrument.base}), so no order could pass; raise it"
                )
        group = same_quote(instrument.symbol, symbols)
        gross = limits.max_gross_notional
        if self.max_gross_notional is not None:
            gross = int(Fraction(self.max_gross_notional) * 10**instrument.money_places)
        gross = int(gross * self._share(instrument.symbol, group, symbols))
        orders = limits.max_open_orders
        if self.max_open_orders is not None:
            orders = int(self.max_open_orders * self._share(instrument.symbol, symbols, symbols))
            if not orders:
                raise UsageError(
                    f"{SECTION}.max_open_orders = {self.max_open_orders}: {instrument.symbol} has a share of "
                    "less than one order of it; raise it"
                )
        return dataclasses.replace(
            limits,
            max_gross_notional=min(limits.max_gross_notional, gross),
            max_open_orders=min(limits.max_open_orders, orders),
            max_open_orders_per_side=min(limits.max_open_orders_per_side, orders),
        )

    def sentence(self, symbols: Sequence[str], gross: Decimal, daily_loss: Decimal, drawdown: Decimal) -> str:
        """What all products may do together at most, to go on with after what each of them may.

        The arguments are the limits of one product, which hold where there are none over all. Empty where one
        product has its own limits alone.
        """
        is_set = any(limit is not None for limit in self.limits(0))
        if len(symbols) < 2 and not is_set:
            return ""
        quotes = list(dict.fromkeys(symbol.rpartition("-")[2] for symbol in symbols))
        of_each = "" if len(quotes) < 2 else " of each of " + ", ".join(quotes)
        limits = (
            self.max_gross_notional or gross,
            self.max_daily_loss or daily_loss,
            self.max_drawdown or drawdown,
        )
        most, lost, dropped = (f"{limit.normalize():f}" for limit in limits)
        weights = self.weights(symbols)
        shared = "in equal shares"
        if len(set(weights.values())) > 1:
            shared = "in shares of " + " : ".join(map(str, weights.values()))
        orders = "" if self.max_open_orders is None else f", {self.max_open_orders} open orders"
        own = "" if self.max_positions is None else f"; positions of at most {', '.join(self.max_positions)}"
        return (
            f"{own}. Over all of {', '.join(symbols)}, {shared}: {most}{of_each} in all if everything fills"
            f"{orders}; all HALTED at a loss of {lost} in a day, only reducing {dropped} below the peak"
        )

    def _share(self, symbol: str, among: Sequence[str], symbols: Sequence[str]) -> Fraction:
        if symbol not in among:
            return Fraction(1)  # it shares nothing with anybody
        weights = self.weights(symbols)
        return Fraction(weights[symbol], sum(weights[each] for each in among))

    def limits(self, places: int) -> PortfolioLimits:
        """The limits in units of `places` digits, rounded down."""

        def units(money: Decimal | None) -> int | None:
            return None if money is None else int(Fraction(money) * 10**places)

        return PortfolioLimits(
            units(self.max_gross_notional), units(self.max_daily_loss), units(self.max_drawdown)
        )


def _amount_violation(key: str, texts: Sequence[str] | None, what: str, most: int) -> str | None:
    seen = set()
    for text in texts or ():
        symbol, _, amount = text.partition("=")
        if not (_AMOUNT.fullmatch(amount) and 0 < Decimal(amount) <= most):
            return (
                f"{SECTION}.{key} = {text!r}: must be SYMBOL={what} with a number above 0 and at most "
                f"{most}, for example ETH-USD=2.5"
            )
        if symbol in seen:
            return f"{SECTION}.{key} names {symbol} twice"
        seen.add(symbol)
    return None


def _named(key: str, texts: Sequence[str] | None, symbols: Sequence[str]) -> dict[str, str]:
    """By product, what a key says of it. `UsageError` where it names one that is not traded."""
    named = {symbol: value for symbol, _, value in (text.partition("=") for text in texts or ())}
    for symbol in named:
        if symbol not in symbols:
            raise UsageError(
                f"{SECTION}.{key} names {symbol}, which is not traded; products: {', '.join(symbols)}"
            )
    return named


def unlike_money(symbols: Sequence[str]) -> str | None:
    """Why these products cannot be traded by one engine; None where they can.

    Every limit in money is one number for all products: it must mean about the same for each of them.
    """
    quotes = list(dict.fromkeys(symbol.rpartition("-")[2] for symbol in symbols))
    if len(quotes) < 2 or _LIKE_MONEY.issuperset(quotes):
        return None
    return (
        f"{', '.join(symbols)} are paid for in {' and '.join(quotes)}: a limit in money, such as "
        "risk.max_daily_loss, would be the same number of each, which are worth nothing alike. "
        "Run an engine for each of these currencies"
    )


def same_quote(symbol: str, symbols: Sequence[str]) -> list[str]:
    """The products whose money is that of `symbol`, itself included. Other money is not added to it."""
    quote = symbol.rpartition("-")[2]
    return [each for each in symbols if each.rpartition("-")[2] == quote]
