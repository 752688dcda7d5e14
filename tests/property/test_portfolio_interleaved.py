"""Several Traders that act in one instant, in any order, never break a limit over all of them.

The test keeps accounts of its own in exact decimals: cash, positions, open orders and mids by product. It
shares the settings with what it judges, and nothing else. Each moment wakes some of the products, in random
order; what happened to them meanwhile comes first, as in the engine, and the portfolio is judged last.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from engine.config import load_config
from engine.core.events import (
    AnyEvent,
    BookSnapshot,
    CancelOrder,
    EdgeStatus,
    FeedState,
    FeedStatus,
    OperatorAction,
    OperatorCommand,
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    SubmitOrder,
    Timer,
)
from engine.core.ledger import DAY_NS
from engine.core.order import BUY, SELL, Side
from engine.exchange.coinbase.products import catalogue
from engine.risk.state import TradingState
from engine.runtime.builder import build_portfolio, build_trader
from engine.trader.trader import Trader

S = 1_000_000_000
MOMENTS = 150
KNOWN = catalogue()
PRICES = {
    "BTC-USD": Decimal(65_000),
    "ETH-USD": Decimal(1_900),
    "SOL-USD": Decimal(90),
    "LTC-USD": Decimal(45),
}
EACH_ORDER = Decimal(45)
"""About what an order is worth: a few of them fill a share."""


@dataclass
class Open:
    """An open order in the test's own books."""

    side: Side
    price: Decimal
    size: Decimal
    is_leaving: bool = False


@dataclass
class Book:
    """A product in the test's own books."""

    trader: Trader
    mid: Decimal
    cash: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    position: Decimal = Decimal(0)
    orders: dict[str, Open] = field(default_factory=dict)
    day: int = 0
    day_began_with: Decimal = Decimal(0)
    peak: Decimal = Decimal(0)
    is_rearmed: bool = False
    """A person has accepted what was lost: its next equity is its new peak."""
    mid_when_sent: dict[Side, Decimal] = field(default_factory=dict)

    @property
    def equity(self) -> Decimal:
        return self.cash - self.fees + self.position * self.mid

    def worst(self, side: Side) -> Decimal:
        """The position if every open order of a side fills, and none of the other, towards that side."""
        held = self.position if side is BUY else -self.position
        return held + sum((order.size for order in self.orders.values() if order.side is side), Decimal(0))


class Interleaved:
    """Two to four products in random shares of random limits, small enough to bind."""

    def __init__(self, seed: int, counts: Counter[str]) -> None:
        self.rng = rng = random.Random(seed)
        self.counts = counts
        symbols = rng.sample(sorted(PRICES), rng.randint(2, 4))
        self.opening = Decimal(rng.choice((500, 1_500, 100_000)))
        self.most_gross = Decimal(rng.choice((350, "700.5", 4_000)))
        self.most_lost = Decimal(rng.choice((3, 15, 100_000)))
        self.most_dropped = Decimal(rng.choice((2, "9.75", 100_000)))
        self.most_orders = rng.choice((12, 17, 40))
        shares = ",".join(f"{symbol}={rng.randint(1, 3)}" for symbol in symbols)
        given = {
            "engine.symbols": ",".join(symbols),
            "engine.opening_quote_balance": self.opening,
            "engine.opening_base_balance": 100,
            "portfolio.shares": shares,
            "portfolio.max_gross_notional": self.most_gross,
            "portfolio.max_daily_loss": self.most_lost,
            "portfolio.max_drawdown": self.most_dropped,
            "portfolio.max_open_orders": self.most_orders,
            "risk.risk_capital": 1_000_000,
            "risk.max_daily_loss": 1_000_000,
            "risk.max_drawdown": 1_000_000,
            "risk.stop_loss_pct": 100,
            "risk.take_profit_pct": 1_000,
            "strategy.min_quote_life_ms": 0,
            "strategy.post_fill_pause_ms": 0,
        }
        self.books: dict[str, Book] = {}
        for number, symbol in enumerate(symbols):
            size = (EACH_ORDER / PRICES[symbol]).quantize(KNOWN[symbol].lot * 10)
            sizes = {f"strategy.{key}": size for key in ("order_quantity", "max_order_quantity")}
            least = {"strategy.min_order_quantity": size / 10, "strategy.max_position": size * 50}
            overrides = [f"{key}={value}" for key, value in (given | sizes | least).items()]
            config = load_config(env={}, overrides=overrides).config
            trader = build_trader(config, KNOWN[symbol], number, displays_own=False)
            trader.strategy.start()
            self.books[symbol] = Book(trader, PRICES[symbol])
        self.portfolio = build_portfolio(config, [book.trader for book in self.books.values()])
        self.now = S
        self.fills = 0
        self.flow = BUY
        """The side of ours that the market fills at present; prices go the other way."""
        self.peak = Decimal(0)
        self.is_halted = self.is_dropped = self.is_full = False
        """What the limits over all demand, by the test's own accounts."""

    # -- what happens ------------------------------------------------------------------------------------

    def moment(self) -> None:
        rng = self.rng
        self.now += rng.choice((1, 1, 1, 5)) * S // 2
        if rng.random() < 0.06:
            self.flow = SELL if self.flow is BUY else BUY
        if rng.random() < 0.01:
            for symbol in self.books:
                self.prove_cancels(symbol, 1)
            self.now = (self.now // DAY_NS + 1) * DAY_NS + rng.randrange(S)
            self.counts["midnights"] += 1
        awake = rng.sample(list(self.books), rng.randint(1, len(self.books)))
        for symbol in awake:
            self.work(symbol)
        self.judge()
        if rng.random() < 0.02:
            self.rearm()

    def work(self, symbol: str) -> None:
        """One wake-up: the market, the venue's answers, then the question."""
        book, rng = self.books[symbol], self.rng
        if not book.mid_when_sent or rng.random() < 0.4:
            by = rng.randint(-20, 20) - 4 * self.flow.value
            if book.position > 0 and rng.random() < 0.02:  # a leap
                by = rng.choice((3_000, -2_000))
            self.move(symbol, Decimal(by) / 10_000)
        for client_id, order in list(book.orders.items()):
            if rng.random() < (0.5 if order.side is self.flow else 0.03):
                self.fill(symbol, client_id, order)
        self.prove_cancels(symbol, 0.8)
        today = self.now // DAY_NS
        if today > book.day:
            book.day, book.day_began_with = today, book.equity
        if book.is_rearmed or book.equity > book.peak:
            book.peak, book.is_rearmed = book.equity, False
        self.tell(symbol, Timer(symbol, self.now, self.now))

    def prove_cancels(self, symbol: str, share: float) -> None:
        book = self.books[symbol]
        for client_id, order in list(book.orders.items()):
            if order.is_leaving and self.rng.random() < share:
                del book.orders[client_id]
                left = book.trader.orders.order(client_id)
                assert left is not None
                self.tell(symbol, OrderCancelled(symbol, self.now, self.now, client_id, left.remaining))

    def move(self, symbol: str, by: Decimal) -> None:
        book = self.books[symbol]
        x = book.trader.instrument
        bid = int(book.mid * (1 + by) / x.tick)
        book.mid = (bid + 1) * x.tick
        size = int(100_000 / book.mid / x.lot)
        self.tell(symbol, BookSnapshot(symbol, self.now, self.now, [(bid, size)], [(bid + 2, size)]))
        self.tell(symbol, FeedStatus(symbol, self.now, self.now, FeedState.LIVE, "test"))

    def fill(self, symbol: str, client_id: str, order: Open) -> None:
        book, rng = self.books[symbol], self.rng
        x = book.trader.instrument
        lots = int(order.size / x.lot)
        part = lots if rng.random() < 0.6 else rng.randint(1, lots)
        size, price = part * x.lot, int(order.price / x.tick)
        fee = x.notional(price, part) * rng.randint(0, 20) // 10_000
        sign = order.side.value
        book.position += sign * size
        book.cash -= sign * size * order.price
        book.fees += Decimal(x.money_text(fee))
        order.size -= size
        if not order.size:
            del book.orders[client_id]
        self.fills += 1
        self.counts["fills"] += 1
        self.tell(
            symbol,
            OrderFilled(
                symbol, self.now, self.now, client_id, f"f{self.fills}", order.side, price, part, fee, True
            ),
        )

    def tell(self, symbol: str, event: AnyEvent) -> None:
        book = self.books[symbol]
        for command in book.trader.on_event(event):
            if isinstance(command, CancelOrder):
                if command.client_id in book.orders:
                    book.orders[command.client_id].is_leaving = True
            elif isinstance(command, SubmitOrder):
                self.sent(symbol, command)
                self.tell(symbol, OrderAccepted(symbol, self.now, self.now, command.client_id, "v"))

    def rearm(self) -> None:
        """A person takes back what may be taken back, of all products, as the engine lets them."""
        for symbol, book in self.books.items():
            if book.trader.risk.latched is None or self.portfolio.loss_today(symbol):
                continue
            self.prove_cancels(symbol, 1)
            self.tell(symbol, OperatorCommand(symbol, self.now, self.now, OperatorAction.REARM, "test"))
            book.is_rearmed = True
        if all(book.trader.risk.latched is None for book in self.books.values()):
            self.counts["rearmed"] += self.is_halted or self.is_dropped
            self.is_halted = self.is_dropped = False
        self.judge()

    def judge(self) -> None:
        for verdict in self.portfolio.judge():
            self.tell(verdict.product, EdgeStatus(verdict.product, self.now, self.now, *verdict[1:]))
        self.expect()

    # -- what must hold ----------------------------------------------------------------------------------

    def equity(self) -> Decimal:
        return sum((book.equity for book in self.books.values()), Decimal(0))

    def expect(self) -> None:
        """What the limits over all demand from now on, and that every product conforms to it."""
        books = self.books.values()
        today = max(book.day for book in books)
        earned = sum((book.equity - book.day_began_with for book in books if book.day == today), Decimal(0))
        worth = sum((abs(book.position) * book.mid for book in books), Decimal(0))
        accepted = sum((book.equity if book.is_rearmed else book.peak for book in books), Decimal(0))
        self.peak = min(max(self.peak, self.equity()), accepted)
        if -earned >= self.most_lost:
            self.counts["halted"] += not self.is_halted
            self.is_halted = True
        elif self.peak - self.equity() >= self.most_dropped:
            self.counts["dropped"] += not self.is_dropped
            self.is_dropped = True
        elif worth >= self.most_gross:
            self.counts["full"] += not self.is_full
            self.is_full = True
        elif 10 * worth < 8 * self.most_gross:
            self.is_full = False
        least = TradingState.HALTED if self.is_halted else TradingState.REDUCING
        if self.is_halted or self.is_dropped or self.is_full:
            assert all(book.trader.risk.effective >= least for book in books)

    def sent(self, symbol: str, command: SubmitOrder) -> None:
        assert not self.is_halted, "an order leaves although all have lost the limit of the day"
        book = self.books[symbol]
        x = book.trader.instrument
        price, size = (command.price or 0) * x.tick, command.size * x.lot
        book.orders[command.client_id] = Open(command.side, price, size)
        book.mid_when_sent[command.side] = book.mid
        is_reducing = book.worst(command.side) <= 0
        self.counts["sent"] += 1
        self.counts["reducing"] += is_reducing and (self.is_dropped or self.is_full)
        if self.is_dropped or self.is_full:
            assert is_reducing, "an order adds to a position although all may only reduce"
        books = self.books.values()
        assert sum(len(each.orders) for each in books) <= self.most_orders
        # Each side at the mid by which its last order was judged: prices may move afterwards.
        gross = sum(
            max((each.worst(side) * mid for side, mid in each.mid_when_sent.items()), default=Decimal(0))
            for each in books
        )
        assert is_reducing or gross <= self.most_gross
        self.counts["near the limit"] += gross > self.most_gross * 8 / 10
        held = sum(
            order.price * order.size for each in books for order in each.orders.values() if order.side is BUY
        )
        cash = self.opening + sum((each.cash for each in books), Decimal(0))
        assert command.side is SELL or is_reducing or held <= cash
        self.counts["near the cash"] += cash - held < self.opening * 4 / 10


def run(seeds: range) -> Counter[str]:
    counts: Counter[str] = Counter()
    for seed in seeds:
        run = Interleaved(seed, counts)
        for _ in range(MOMENTS):
            run.moment()
    return counts


def test_products_that_act_in_one_instant_never_break_a_limit_over_all() -> None:
    counts = run(range(16))
    assert counts["sent"] > 4_000
    happened = {"fills", "halted", "dropped", "full", "rearmed", "midnights", "reducing"}
    assert happened | {"near the limit", "near the cash"} <= set(+counts), counts


@pytest.mark.nightly
def test_the_same_over_many_runs() -> None:
    assert run(range(16, 800))["sent"] > 200_000
