"""The limits over all products of a quote currency, and how they are divided before an order leaves."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.config import Config, load_config
from engine.core.errors import UsageError
from engine.core.events import (
    AnyEvent,
    DayCarried,
    EdgeStatus,
    OperatorAction,
    OperatorCommand,
    Restraint,
    Timer,
)
from engine.core.events import OrderFilled as Fill
from engine.core.ledger import DAY_NS
from engine.core.order import BUY, SELL, Side
from engine.exchange.account import Opening
from engine.exchange.coinbase.products import catalogue
from engine.risk.portfolio import CurrencyPortfolio, Totals
from engine.runtime.builder import build_account, build_portfolio, build_trader
from engine.runtime.settings_change import risk_limits
from engine.strategy.basic import BasicMarketMaker
from engine.trader.trader import Trader

KNOWN = catalogue()
S = 1_000_000_000


def configured(symbols: str = "BTC-USD,ETH-USD", **settings: object) -> Config:
    overrides = [f"{key.replace('__', '.')}={value}" for key, value in settings.items()]
    return load_config(env={}, overrides=[f"engine.symbols={symbols}", *overrides]).config


class Two:
    """Two Traders in dollars under one portfolio; the limits over all of them as given."""

    def __init__(self, symbols: str = "BTC-USD,ETH-USD", **settings: object) -> None:
        # No position is to be closed here because of what it alone has lost or gained.
        wide = {"risk__stop_loss_pct": 100, "risk__take_profit_pct": 1_000}
        self.config = configured(symbols, **wide | settings)
        self.traders = {
            symbol: build_trader(self.config, KNOWN[symbol], number, displays_own=False)
            for number, symbol in enumerate(self.config.engine.symbols)
        }
        self.portfolio = build_portfolio(self.config, list(self.traders.values()))
        self.now = S
        self.fills = 0

    @property
    def group(self) -> CurrencyPortfolio:
        return self.portfolio.groups[0]

    def fill(self, symbol: str, side: Side, price: str, size: str) -> None:
        """A fill without a fee, and the mark at its price."""
        trader = self.traders[symbol]
        ticks, lots = trader.instrument.ticks(price), trader.instrument.lots(size)
        self.fills += 1
        trader.ledger.apply(
            Fill(symbol, self.now, self.now, "x", f"f{self.fills}", side, ticks, lots, 0, True)
        )
        self.mark(symbol, price)

    def mark(self, symbol: str, price: str | None) -> None:
        trader = self.traders[symbol]
        trader.ledger.mark(None if price is None else 2 * trader.instrument.ticks(price))
        self.ask(symbol)

    def ask(self, symbol: str) -> None:
        """Let the guard of a Trader see its accounts."""
        self.traders[symbol].on_event(Timer(symbol, self.now, self.now))

    def event(self, symbol: str, action: OperatorAction) -> Any:
        return OperatorCommand(symbol, self.now, self.now, action, "test")

    def judge(self) -> list[tuple[str, str, Restraint]]:
        """What is asked of whom; it is told to them."""
        told = []
        for verdict in self.portfolio.judge():
            event: AnyEvent = EdgeStatus(verdict.product, self.now, self.now, *verdict[1:])
            self.traders[verdict.product].on_event(event)
            told.append((verdict.product, verdict.code, verdict.restraint))
        return told

    def states(self) -> list[str]:
        return [trader.risk.effective.name for trader in self.traders.values()]

    def money(self, amount: str) -> int:
        return int(Decimal(amount).scaleb(self.totals().places))

    def totals(self) -> Totals:
        return self.group.totals()


BOTH_HALTED = [
    ("BTC-USD", "PORTFOLIO_LOSS", Restraint.LATCHED),
    ("ETH-USD", "PORTFOLIO_LOSS", Restraint.LATCHED),
]


@pytest.mark.parametrize(("last", "told"), [("1930.01", []), ("1930", BOTH_HALTED), ("1900", BOTH_HALTED)])
def test_losses_of_a_day_add_up_and_halt_every_product(last: str, told: list[Any]) -> None:
    two = Two(portfolio__max_daily_loss=100)
    two.fill("BTC-USD", BUY, "60000", "0.01")
    two.mark("BTC-USD", "57000")  # 30 lost
    two.fill("ETH-USD", BUY, "2000", "1")
    two.mark("ETH-USD", last)
    assert two.judge() == told
    assert two.states() == (["HALTED", "HALTED"] if told else ["ACTIVE", "ACTIVE"])


def test_what_is_told_is_told_once_and_says_the_numbers() -> None:
    two = Two(portfolio__max_daily_loss=100)
    two.fill("ETH-USD", BUY, "2000", "1")
    two.mark("ETH-USD", "1850.5")
    assert two.judge() == BOTH_HALTED
    assert two.judge() == []
    latch = two.traders["BTC-USD"].risk.latched
    assert latch is not None
    assert latch.reason == (
        "the products in USD have lost 149.5 USD today, the limit over all of them is 100 USD"
    )


def test_a_gain_of_one_product_makes_up_for_a_loss_of_another() -> None:
    two = Two(portfolio__max_daily_loss=100)
    two.fill("BTC-USD", BUY, "60000", "0.01")
    two.mark("BTC-USD", "65000")
    two.fill("ETH-USD", BUY, "2000", "1")
    two.mark("ETH-USD", "1870")  # 130 lost, 50 won
    assert two.judge() == []
    assert two.totals().day_profit == two.money("-80")


def test_what_earlier_sessions_of_the_day_lost_counts() -> None:
    two = Two(portfolio__max_daily_loss=100)
    eth = two.traders["ETH-USD"]
    eth.on_event(DayCarried("ETH-USD", S, S, 0, eth.instrument.atoms_rounded(Decimal(-100))[0]))
    assert two.judge() == BOTH_HALTED


def test_a_latch_taken_back_while_the_loss_lasts_returns() -> None:
    two = Two(portfolio__max_daily_loss=100)
    two.fill("ETH-USD", BUY, "2000", "1")
    two.mark("ETH-USD", "1850")
    assert two.judge() == BOTH_HALTED
    two.traders["BTC-USD"].on_event(two.event("BTC-USD", OperatorAction.REARM))
    assert two.states() == ["ACTIVE", "HALTED"]
    assert two.judge() == BOTH_HALTED[:1]


def test_at_midnight_yesterdays_loss_of_one_does_not_meet_the_new_day_of_another() -> None:
    two = Two(portfolio__max_daily_loss=100)
    two.fill("BTC-USD", BUY, "60000", "0.01")
    two.mark("BTC-USD", "65000")
    two.fill("ETH-USD", BUY, "2000", "1")
    two.mark("ETH-USD", "1880")  # 120 lost, 50 won
    assert two.judge() == []
    two.now = DAY_NS
    two.ask("BTC-USD")  # the other one's wake-up comes some milliseconds later
    assert two.judge() == []
    assert two.totals().day_profit == 0
    two.ask("ETH-USD")
    assert two.judge() == []
    two.mark("ETH-USD", "1780")
    assert two.judge() == BOTH_HALTED, "what the new day loses counts from its beginning"


def test_what_products_that_are_not_traded_now_lost_today_counts() -> None:
    two = Two(portfolio__max_daily_loss=100)
    two.ask("BTC-USD")
    two.portfolio.carry(0, {"USD": Decimal("-99.99"), "EUR": Decimal(-5)})
    assert two.judge() == []
    two.portfolio.carry(0, {"USD": Decimal(-100)})
    assert two.judge() == BOTH_HALTED


def test_what_they_lost_yesterday_does_not() -> None:
    two = Two(portfolio__max_daily_loss=100)
    two.portfolio.carry(0, {"USD": Decimal(-100)})
    two.now = DAY_NS
    two.ask("ETH-USD")
    assert two.judge() == []


def test_the_loss_of_a_day_says_why_nothing_can_be_rearmed() -> None:
    two = Two(portfolio__max_daily_loss=100)
    two.fill("ETH-USD", BUY, "2000", "1")
    two.mark("ETH-USD", "1900.01")
    assert two.portfolio.loss_today("BTC-USD") == ""
    two.mark("ETH-USD", "1900")
    assert two.portfolio.loss_today("BTC-USD") == (
        "the products in USD have lost 100 USD today, the limit over all of them is 100 USD, until the next "
        "UTC day"
    )
    assert two.portfolio.loss_today("BTC-EUR") == ""


def test_a_drop_from_the_peak_of_all_lets_them_only_reduce() -> None:
    two = Two(portfolio__max_drawdown=50)
    two.fill("BTC-USD", BUY, "60000", "0.01")
    two.mark("BTC-USD", "63000")
    assert two.judge() == []
    two.fill("ETH-USD", BUY, "2000", "1")
    two.mark("ETH-USD", "1950.01")
    assert two.judge() == []
    two.mark("ETH-USD", "1950")
    assert [code for _, code, _ in two.judge()] == ["PORTFOLIO_DRAWDOWN"] * 2
    assert two.states() == ["REDUCING", "REDUCING"]
    latch = two.traders["BTC-USD"].risk.latched
    assert latch is not None
    assert latch.reason.startswith("the products in USD are 50 USD below their peak")


def test_peaks_at_different_times_are_no_peak_of_all() -> None:
    two = Two(portfolio__max_drawdown=50)
    for symbol, price, size in (("BTC-USD", "60000", "0.01"), ("ETH-USD", "2000", "1")):
        two.fill(symbol, BUY, price, size)
    two.mark("BTC-USD", "64000")  # 40 won
    assert two.judge() == []
    two.mark("BTC-USD", "60000")
    two.mark("ETH-USD", "2040")
    assert two.judge() == []
    assert two.totals().drawdown == 0


def test_after_a_restart_the_peak_is_no_lower_than_it_was() -> None:
    two = Two(portfolio__max_drawdown=50)
    two.fill("ETH-USD", BUY, "2000", "1")
    two.mark("ETH-USD", "2100")
    assert two.judge() == []
    two.mark("ETH-USD", "2060")
    again = build_portfolio(two.config, list(two.traders.values())).groups[0]
    assert again.totals().drawdown == two.totals().drawdown == two.money("40")


def test_a_person_who_rearms_begins_a_new_peak() -> None:
    two = Two(portfolio__max_drawdown=50)
    two.fill("ETH-USD", BUY, "2000", "1")
    two.mark("ETH-USD", "1900")
    assert len(two.judge()) == 2
    for symbol in two.traders:
        two.traders[symbol].on_event(two.event(symbol, OperatorAction.REARM))
    assert two.judge() == [], "it holds at once, before any of them is asked"
    two.ask("BTC-USD")
    assert two.judge() == []
    assert two.totals().drawdown == 0
    assert two.states() == ["ACTIVE", "ACTIVE"]


@pytest.mark.parametrize(("last", "is_held"), [("1099.99", False), ("1100", True)])
def test_positions_worth_the_limit_only_reduce(last: str, is_held: bool) -> None:
    two = Two(portfolio__max_gross_notional=1_700)
    two.fill("BTC-USD", SELL, "60000", "0.01")  # a short counts as well as a long
    two.fill("ETH-USD", BUY, "1000", "1")
    two.mark("ETH-USD", last)
    assert bool(two.judge()) is is_held
    assert two.states() == (["REDUCING"] * 2 if is_held else ["ACTIVE"] * 2)
    assert two.judge() == []


def test_the_hold_ends_below_80_percent_of_the_limit() -> None:
    two = Two(portfolio__max_gross_notional=1_000)
    two.fill("ETH-USD", BUY, "1000", "1")
    assert len(two.judge()) == 2
    two.mark("ETH-USD", "800")
    assert two.judge() == []
    two.mark("ETH-USD", "799.99")
    assert [restraint for _, _, restraint in two.judge()] == [Restraint.NONE] * 2
    assert two.states() == ["ACTIVE", "ACTIVE"]


def test_a_product_whose_feed_is_silent_counts_at_its_last_mark() -> None:
    two = Two(portfolio__max_daily_loss=100)
    two.fill("ETH-USD", BUY, "2000", "1")
    two.mark("ETH-USD", "1950")
    two.mark("ETH-USD", None)
    two.fill("BTC-USD", BUY, "60000", "0.01")
    assert two.judge() == []
    two.mark("BTC-USD", "55000")
    assert two.judge() == BOTH_HALTED


def test_unset_limits_are_those_of_one_product_as_they_are_now() -> None:
    two = Two(risk__max_daily_loss=70, risk__max_drawdown=60, risk__max_gross_notional=200_000)
    totals = two.totals()
    assert totals.max_day_loss == two.money("70")
    assert totals.max_drawdown == two.money("60")
    assert totals.max_gross == two.money("200000")


def test_other_money_is_not_added_up() -> None:
    config = configured("BTC-USD,ETH-USD,ETH-BTC", portfolio__max_daily_loss=100)
    traders: list[Trader] = [
        build_trader(config, KNOWN[symbol], number, displays_own=False)
        for number, symbol in enumerate(config.engine.symbols)
    ]
    groups = build_portfolio(config, traders).groups
    assert [(group.totals().quote, group.totals().products) for group in groups] == [
        ("USD", ("BTC-USD", "ETH-USD")),
        ("BTC", ("ETH-BTC",)),
    ]


def test_one_product_alone_has_its_own_limits() -> None:
    assert Two("BTC-USD").portfolio.groups == []
    assert Two("BTC-USD", portfolio__max_daily_loss=5).totals().products == ("BTC-USD",)


# -- what is divided before an order leaves ------------------------------------------------------


def test_the_balance_of_a_currency_is_divided_so_that_all_may_spend_their_part() -> None:
    config = configured(portfolio__shares="ETH-USD=3", engine__opening_quote_balance="100.01")
    parts = [
        instrument.money_text(build_account(config, instrument).quote)
        for instrument in (KNOWN["BTC-USD"], KNOWN["ETH-USD"])
    ]
    assert parts == ["25.0025", "75.0075"]
    assert sum(map(Decimal, parts)) <= Decimal("100.01")


def test_a_live_account_is_divided_too() -> None:
    config = configured()
    held = Opening(quote=Decimal(1_000), base=Decimal(2))
    trader = build_trader(config, KNOWN["BTC-USD"], 0, displays_own=True, opening=held)
    assert trader.ledger.equity == trader.instrument.atoms_rounded(Decimal(500))[0]
    assert trader.opening_base == trader.instrument.lots("2"), "no other product is traded in bitcoin"


def test_a_currency_that_is_bought_here_and_paid_with_there_is_divided() -> None:
    config = configured("BTC-USD,ETH-BTC", engine__opening_base_balance=10)
    trader = build_trader(config, KNOWN["BTC-USD"], 0, displays_own=False)
    assert trader.opening_base == trader.instrument.lots("5")


def test_gross_and_open_orders_are_divided() -> None:
    config = configured(
        portfolio__shares="BTC-USD=3", portfolio__max_gross_notional=1_000, portfolio__max_open_orders=10
    )
    limits = [risk_limits(config, KNOWN[symbol]) for symbol in config.engine.symbols]
    texts = [
        KNOWN[symbol].money_text(each.max_gross_notional)
        for symbol, each in zip(config.engine.symbols, limits, strict=True)
    ]
    assert texts == ["750", "250"]
    assert [each.max_open_orders for each in limits] == [7, 2]
    assert [each.max_open_orders_per_side for each in limits] == [7, 2]


def test_sizes_of_a_product_are_multiplied() -> None:
    config = configured(
        portfolio__size_factors="ETH-USD=30.5",
        engine__opening_base_balance=2,
        risk__max_order_size_base="0.05",
        risk__max_position_base="0.25",
    )
    btc, eth = KNOWN["BTC-USD"], KNOWN["ETH-USD"]
    assert config.for_product("BTC-USD") is config
    own = config.for_product("ETH-USD").strategy
    assert (own.order_quantity, own.min_order_quantity) == (Decimal("0.305"), Decimal("0.0305"))
    assert (own.max_position, own.levels) == (Decimal(305), 3)
    one, other = (risk_limits(config, instrument) for instrument in (btc, eth))
    assert other.max_order_size == eth.lots("1.525")
    assert other.max_position == eth.lots("7.625")
    assert other.max_quoted_position == eth.lots("305")
    assert other.max_order_notional == one.max_order_notional * 10**eth.money_places // 10**btc.money_places
    trader = build_trader(config, eth, 1, displays_own=False)
    assert trader.opening_base == eth.lots("61")
    assert isinstance(trader.strategy, BasicMarketMaker)
    assert trader.strategy.settings.order_quantity == Decimal("0.305")
    paid = build_trader(config, eth, 1, displays_own=False, opening=Opening(Decimal(100), Decimal(3)))
    assert paid.opening_base == eth.lots("3"), "what a venue says an account holds is not multiplied"


def test_no_size_passes_a_ceiling_by_being_multiplied() -> None:
    config = configured(portfolio__size_factors="ETH-USD=1000000", risk__max_trading_volume=1_001)
    with pytest.raises(UsageError, match=r"ETH-USD, 1000000 times as large: risk\.max_trading_volume"):
        risk_limits(config, KNOWN["ETH-USD"])


def test_a_share_never_widens_the_limit_of_a_product() -> None:
    config = configured(risk__max_gross_notional=200_000, portfolio__max_gross_notional=2_000_000)
    limits = risk_limits(config, KNOWN["BTC-USD"])
    assert KNOWN["BTC-USD"].money_text(limits.max_gross_notional) == "200000"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"shares": "BTC-USD"}, "must be SYMBOL=WEIGHT"),
        ({"shares": "BTC-USD=0"}, "from 1 to 1000"),
        ({"shares": "BTC-USD=1,BTC-USD=2"}, "names BTC-USD twice"),
        ({"shares": "SOL-USD=2"}, "names SOL-USD, which is not traded; products: BTC-USD, ETH-USD"),
        ({"max_positions": "BTC-USD"}, "must be SYMBOL=AMOUNT"),
        ({"max_positions": "BTC-USD=0"}, "above 0"),
        ({"max_positions": "BTC-USD=1,BTC-USD=2"}, "names BTC-USD twice"),
        ({"max_positions": "SOL-USD=2"}, "names SOL-USD, which is not traded"),
        ({"max_positions": "BTC-USD=0.000000001"}, "below the smallest order"),
        ({"size_factors": "ETH-USD"}, "must be SYMBOL=FACTOR"),
        ({"size_factors": "ETH-USD=-1"}, "above 0"),
        ({"size_factors": "ETH-USD=1,ETH-USD=2"}, "names ETH-USD twice"),
        ({"size_factors": "SOL-USD=2"}, "names SOL-USD, which is not traded"),
        ({"max_open_orders": 1}, "BTC-USD has a share of less than one order"),
    ],
)
def test_what_cannot_be_divided_is_refused(settings: dict[str, Any], told: str) -> None:
    def divided() -> None:
        config = configured(**{f"portfolio__{key}": value for key, value in settings.items()})
        risk_limits(config, KNOWN["BTC-USD"])

    with pytest.raises(UsageError, match=told):
        divided()


@pytest.mark.parametrize(
    ("symbols", "told"),
    [
        ("BTC-USD,ETH-USD", ""),
        ("BTC-USD,BTC-EUR,ETH-USDC", ""),
        ("ETH-BTC,SOL-BTC", ""),
        ("BTC-USD,ETH-BTC", "BTC-USD, ETH-BTC are paid for in USD and BTC: "),
        ("BTC-USD,BTC-XYZ", "BTC-USD, BTC-XYZ are paid for in USD and XYZ: "),
    ],
)
def test_products_in_money_that_is_worth_nothing_alike_need_an_engine_each(symbols: str, told: str) -> None:
    config = configured(symbols)
    if not told:
        config.require_runnable()
        return
    with pytest.raises(UsageError, match=f"{told}.*Run an engine for each"):
        config.require_runnable()


def test_whoever_trades_live_is_told_the_limits_over_all_products() -> None:
    sentence = configured(
        "BTC-USD,ETH-USD",
        portfolio__shares="BTC-USD=3",
        portfolio__max_positions="BTC-USD=0.5",
        portfolio__max_gross_notional=1_500,
        portfolio__max_open_orders=12,
        risk__max_daily_loss=250,
        portfolio__max_drawdown="99.50",
    ).limits_sentence()
    assert "HALTED at a loss of 250 in a day or a drawdown of " in sentence
    assert sentence.endswith(
        " %; positions of at most BTC-USD=0.5. Over all of BTC-USD, ETH-USD, in shares of 3 : 1: 1500 in all "
        "if everything fills, 12 open orders; all HALTED at a loss of 250 in a day, only reducing 99.5 below "
        "the peak"
    )
    assert "in equal shares" in configured("BTC-USD,ETH-USD").limits_sentence()
    assert " of each of USD, EUR in all" in configured("BTC-USD,ETH-EUR").limits_sentence()


def test_one_product_is_told_limits_over_all_only_where_they_are_set() -> None:
    assert "Over all" not in configured("BTC-USD").limits_sentence()
    assert "Over all of BTC-USD" in configured("BTC-USD", portfolio__max_daily_loss=5).limits_sentence()


def test_states_of_the_restraints() -> None:
    two = Two()
    trader = two.traders["BTC-USD"]
    trader.on_event(EdgeStatus("BTC-USD", S, S, "X", Restraint.REDUCING, "why", "when"))
    assert trader.risk.effective.name == "REDUCING"
    trader.on_event(EdgeStatus("BTC-USD", S, S, "X", Restraint.NONE, "over"))
    assert trader.risk.effective.name == "ACTIVE"
    trader.on_event(EdgeStatus("BTC-USD", S, S, "X", Restraint.REDUCING_LATCHED, "why"))
    assert trader.risk.latched is not None
