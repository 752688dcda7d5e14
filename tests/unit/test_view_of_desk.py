"""The view of a desk: quotes with their reasons, what is cut, what cannot be told, how large it may be."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest
from trader_bench import MS, D, X, configured, one_side
from view_bench import DeskBench

from engine.config import load_config
from engine.core.clock import ManualClock
from engine.core.events import FeedState, OperatorAction, OrderRejected, Term, Timer, TradePrint
from engine.core.order import BUY, SELL
from engine.link.messages import MOST_TO_CONSOLE, Point, ToConsole
from engine.link.view import Product, ProductView, Queue, Trade, View
from engine.risk.gate import Denial
from engine.risk.state import TradingState
from engine.runtime.view import Audience, ViewBuilder, product_of, settings_of
from engine.strategy.protocol import Decision
from engine.telemetry.histogram import Histogram

S = 1_000 * MS


class Shown(DeskBench):
    """A desk that is looked at; the real clock runs apart from the engine's."""

    def __init__(self, **changes: Any) -> None:
        super().__init__(**changes)
        self.clock, self.real = ManualClock(0, 50 * S), ManualClock(999, 70 * S)
        self.late = Histogram()
        self.builder = ViewBuilder(
            [self.desk],
            self.clock,
            self.real,
            lateness=lambda: self.late,
            audience=lambda: Audience(2, 31, "console pid 7"),
        )

    def view(self) -> View:
        self.clock.advance_to(self.now)
        return self.builder.view()

    def product(self) -> ProductView:
        (product,) = self.view().products
        return product


def total(terms: tuple[Term, ...]) -> int:
    return sum(term.value for term in terms)


UNIT = 2 * X.half_tick_units
"""A tick in model units."""


def test_a_product_says_what_its_integers_mean():
    assert product_of(X) == Product("X-USD", "X", "USD", 2, 1, 3, 1, 6, 5, 9)
    assert Shown().builder.products() == (product_of(X),)


def test_settings_are_every_key_as_the_configuration_writes_it():
    config = configured(strategy__levels=2, risk__max_position_base=D("0.70"))
    told = settings_of(config)
    assert (told["strategy.levels"], told["risk.max_position_base"]) == ("2", "0.7")
    read_again = load_config(overrides=[f"{key}={value}" for key, value in told.items() if value != "-"])
    assert settings_of(read_again.config) == told


def test_a_view_of_an_engine_that_has_seen_nothing_invents_nothing():
    product = Shown().product()
    assert (product.connection, product.book_age_ns) == ("idle", None)
    assert (product.bids, product.asks, product.trades, product.stages, product.bins) == ((),) * 5
    assert (product.pnl.mark, product.pnl.average_cost) == (None, None)


def test_working_quotes_stand_in_their_slots_with_their_own_reasons():
    bench = Shown(strategy__levels=11, strategy__order_quantity=D("0.01"))
    sent = {order.slot: order for order in bench.quote()}
    product = bench.product()
    assert [q.slot for q in product.quotes] == [f"{side}{n}" for side in "BA" for n in range(11)]
    for quote in product.quotes:
        order = sent[quote.slot]
        assert (quote.working_price, quote.working_size) == (order.price, order.size)
        assert (quote.wanted_price, quote.wanted_size) == (order.price, order.size)
        assert order.price is not None
        assert total(quote.price_terms) == order.price * UNIT
        assert total(quote.size_terms) == order.size
        assert quote.side == order.side
    assert {(o.slot, o.state, o.ahead, o.purpose) for o in product.orders} == {
        (slot, "new", 7, "quote") for slot in sent
    }


def test_a_working_order_is_explained_by_its_own_reason_and_a_wanted_one_where_nothing_works():
    bench = Shown(strategy__levels=1, strategy__min_quote_life_ms=60_000, strategy__order_timeout_ms=60_000)
    bid, ask = bench.quote()
    bench.tell(OrderRejected("X-USD", bench.now, bench.now, ask.client_id, "BUSY", ""))
    bench.market("10009", "10011")  # 10.00 higher: the bid is too young to be replaced
    bench.now += 2 * S
    # And no ask leaves.
    bench.trader.gate.check = lambda order, context: Denial("STALE", "said the test")  # type: ignore[method-assign]
    assert not bench.step()
    buy, sell = bench.product().quotes
    assert buy.wanted_price != buy.working_price == bid.price
    assert sell.working_price is None
    assert bid.price is not None
    assert total(buy.price_terms) == bid.price * UNIT
    assert sell.wanted_price is not None
    assert total(sell.price_terms) == sell.wanted_price * UNIT


def test_a_reason_is_asked_for_once_for_each_order_and_each_decision():
    bench = Shown(strategy__levels=2)
    orders = bench.quote()
    asked: Counter[str] = Counter()

    def counting(name: str, explain: Any) -> Any:
        def explained() -> tuple[Term, ...]:
            asked[name] += 1
            return explain()

        return explained

    for order in bench.trader.orders.open_orders():
        order.explain = counting(order.slot, order.explain)
    quotes = bench.trader.wanted
    sizes = {quote.side: counting(quote.side.word, quote.explain_size) for quote in quotes}
    wanted = tuple(
        msgspec.structs.replace(
            q, explain=counting(f"wanted {q.slot}", q.explain), explain_size=sizes[q.side]
        )
        for q in quotes
    )
    bench.trader._entry.want(Decision(wanted), Timer("X-USD", bench.now, bench.now), False)
    first = bench.product()
    for _ in range(3):
        assert bench.product().quotes == first.quotes
    assert asked == {"B0": 1, "B1": 1, "A0": 1, "A1": 1, "buy": 1, "sell": 1}
    # Where an order is gone the wanted quote's own reason is told.
    gone = one_side(orders, 1)[0]
    bench.tell(OrderRejected("X-USD", bench.now, bench.now, gone.client_id, "BUSY", ""))
    (b0,) = (quote for quote in bench.product().quotes if quote.slot == "B0")
    assert (b0.working_price, b0.working_size, b0.wanted_price) == (None, 0, gone.price)
    assert asked["wanted B0"] == 1


def test_an_order_that_takes_is_an_order_and_no_quote():
    bench = Shown(strategy__levels=1)
    bench.quote()
    orders = bench.trader.orders
    orders.submit(orders.take_intent(BUY, X.ticks("10001"), 5, "hedge", bench.now, reduce_only=False))
    product = bench.product()
    assert [(each.slot, each.purpose) for each in product.orders][-1] == ("hedge", "hedge")
    assert [quote.slot for quote in product.quotes] == ["B0", "A0"]


def test_paused_quotes_are_shown_while_they_work_and_wanted_no_more():
    bench = Shown(strategy__levels=1)
    bench.quote()
    bench.operator(OperatorAction.PAUSE)
    bench.step()
    product = bench.product()
    assert product.state == "PAUSED"
    assert product.note.startswith("no quotes: PAUSED")
    assert [(q.wanted_price, q.wanted_size, q.size_terms) for q in product.quotes] == [(None, 0, ())] * 2
    assert [order.state for order in product.orders] == ["pending_cancel"] * 2
    (restriction,) = product.restrictions
    assert (restriction.code, restriction.state) == ("OPERATOR", "PAUSED")
    assert (restriction.reason, restriction.release) == ("said the test", "a person resumes")
    assert (restriction.is_resumable, restriction.is_latch) == (True, False)
    bench.operator(OperatorAction.KILL)
    assert [each.is_latch for each in bench.product().restrictions] == [True, False]


@pytest.mark.parametrize("grounds", ["shutdown", "fill", "stale"])
def test_what_was_wanted_is_not_wanted_any_more_once_its_grounds_are_gone(grounds):
    bench = Shown(strategy__levels=1, strategy__quote_update_interval_ms=10_000)
    bid, _ = bench.quote()
    assert {quote.wanted_size for quote in bench.product().quotes} == {bid.size}
    if grounds == "shutdown":
        bench.operator(OperatorAction.SHUTDOWN)
    elif grounds == "fill":
        bench.fill(bid, 1)
    else:
        bench.feed(FeedState.STALE)
    bench.step(1)
    product = bench.product()
    assert [(q.wanted_price, q.wanted_size, q.size_terms) for q in product.quotes] == [(None, 0, ())] * 2
    assert {quote.working_size for quote in product.quotes} == {bid.size, bid.size - (grounds == "fill")}


def test_in_reducing_the_wanted_sizes_are_those_that_may_be_sent():
    bench = Shown(strategy__levels=2, strategy__order_quantity=D("0.01"))
    bench.market()
    size = bench.step() and bench.trader.wanted[0].size
    bench.trade(BUY, "10000", size + 4)
    bench.trader.risk.hold("TEST", TradingState.REDUCING, "said the test", "never", bench.now)
    bench.step()
    wanted = [quote for quote in bench.product().quotes if quote.wanted_size]
    assert [(quote.slot, quote.wanted_size) for quote in wanted] == [("A0", size), ("A1", 4)]
    for quote in wanted:
        assert total(quote.size_terms) == quote.wanted_size, "what is cut off is told"


def test_a_stale_book_is_shown_as_stale_with_its_age_and_without_money():
    bench = Shown()
    bench.market()
    bench.trade(BUY, "10000", 1_000)
    bench.feed(FeedState.STALE)
    bench.step(2_500)
    product = bench.product()
    assert (product.connection, product.book_age_ns) == ("stale", 2_500 * MS)
    assert product.bids
    assert (product.pnl.mark, product.pnl.total, product.pnl.unrealised) == (None, None, None)
    assert product.pnl.position == 1_000


@pytest.mark.parametrize(
    ("trades", "cost"),
    [
        ([(BUY, "10000", 1)], 2_000_000),
        ([(SELL, "10000", 1)], 2_000_000),
        ([(BUY, "10000", 2), (BUY, "10000.01", 1)], 2_000_001),  # 10,000.00333
        ([(SELL, "10000", 1), (SELL, "10000.01", 2)], 2_000_001),
        ([(SELL, "10000", 1), (SELL, "10000.01", 5)], 2_000_002),
        ([(BUY, "10000", 1), (SELL, "10001", 1)], None),
    ],
)
def test_the_average_cost_is_rounded_to_half_a_tick(trades, cost):
    bench = Shown()
    bench.market()
    for side, price, lots in trades:
        bench.trade(side, price, lots)
    assert bench.product().pnl.average_cost == cost


def test_latencies_are_read_once_a_second_of_real_time_and_tick_to_quote_comes_first():
    bench = Shown()
    for stage in ("book", "tick_to_quote"):
        bench.desk.latency.stage(stage).record(30_000)
    bench.late.record(190)
    first = bench.view()
    assert [stage.name for stage in first.products[0].stages] == ["tick_to_quote", "book"]
    assert [(each.upto_ns, each.count) for each in first.products[0].bins] == [(32_768, 1)]
    assert (first.health.late_p50_ns, first.health.late_max_ns) == (190, 190)
    assert first.health.rss_bytes > 2**20
    bench.desk.latency.stage("tick_to_quote").record(60_000)
    bench.late.record(500)
    bench.real.advance(S - 1)
    assert bench.view().products[0].stages == first.products[0].stages
    bench.real.advance(1)
    later = bench.view()
    stage = later.products[0].stages[0]
    assert (stage.count, stage.max) == (2, 60_000)
    assert sum(each.count for each in later.products[0].bins) == 2
    assert later.health.late_max_ns == 500


def test_the_clocks_and_the_audience_are_told():
    bench = Shown()
    bench.step()
    view, next_ = bench.view(), bench.view()
    assert (view.seq, next_.seq) == (1, 2)
    assert (view.time_ns, view.market_wall_ns, view.wall_ns) == (100 * MS, 50 * S + 100 * MS, 70 * S)
    health = view.health
    assert (health.viewers, health.views_dropped, health.controller) == (2, 31, "console pid 7")
    assert health.feed is None
    assert health.queues == (
        Queue("X-USD market data", 5_000, 0, 0, 0),
        Queue("X-USD order events", 10_000, 0, 0, 0),
        Queue("X-USD commands", 1_000, 0, 0, 0),
    )


def test_the_history_is_the_profit_since_the_start():
    bench = Shown()
    bench.market()
    bench.trade(BUY, "9990", 1_000)
    for _ in range(12):
        bench.step()
    assert bench.builder.history() == {"X-USD": (Point(0, 0), Point(S, X.atoms(10)))}


def test_a_print_has_the_time_of_the_venue_where_it_gave_one():
    bench = Shown()
    for number, exchange_ns in ((1, 40), (2, 0)):
        bench.tell(TradePrint("X-USD", 5, 60, number, X.ticks("9999"), 3, SELL, exchange_ns))
    product = bench.product()
    price = X.ticks("9999")
    assert product.trades == (Trade(1, 40, price, 3, -1), Trade(2, 60, price, 3, -1))
    assert product.trade_count == 2


def test_a_fee_that_nobody_can_value_makes_the_profit_incomplete():
    bench = Shown()
    bench.market()
    bench.trade(BUY, "9990", 10)
    assert bench.product().pnl.is_complete
    bench.trade(BUY, "9990", 10, fee=3, fee_asset="XYZ")
    assert not bench.product().pnl.is_complete


def test_what_fills_came_to_is_checked_against_the_accounts():
    bench = Shown()
    bench.market()
    bench.trade(BUY, "9990", 10)
    bench.step()
    bench.real.advance(S)
    told = bench.product()
    assert told.analytics is not None
    assert (told.analytics.residual, told.analytics.groups[0].fills) == (0, 1)


def test_fills_without_a_mid_at_a_horizon_are_told_whether_it_comes_or_came():
    bench = Shown()
    bench.market()
    bench.trade(BUY, "9990", 10)
    bench.step(150)
    bench.feed(FeedState.STALE)
    bench.step(900)
    told = [(each.horizon_ns, each.fills, each.waiting_or_lost) for each in bench.product().markouts]
    assert told == [(100 * MS, 1, 0), (S, 0, 1), (10 * S, 0, 1), (60 * S, 0, 1), (300 * S, 0, 1)]
    captured = bench.product().markouts[0].captured
    assert captured == bench.product().pnl.captured == X.atoms("0.1")


def deep(levels: int, *, size: int = 50) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    mid = X.ticks("10000")
    return (
        [(mid - 100 - n, size) for n in range(levels)],
        [(mid + 100 + n, size) for n in range(levels)],
    )


@pytest.mark.parametrize(("levels", "is_cut"), [(199, False), (200, False), (201, True), (5_000, True)])
def test_a_deep_book_is_cut_and_says_so(levels, is_cut):
    bench = Shown()
    bids, asks = deep(levels)
    bench.trader.book.apply_snapshot(bids, asks)
    product = bench.product()
    assert product.bids == tuple(bids[:200])
    assert product.asks == tuple(asks[:200])
    assert product.is_depth_cut is is_cut
    bench.trader.book.apply_snapshot(bids[:1], asks)
    assert bench.product().is_depth_cut is is_cut


def test_the_largest_view_fits_into_a_frame_and_comes_through_unchanged():
    bench = Shown(strategy__levels=100, strategy__order_quantity=D("0.01"))
    bench.trader.book.apply_snapshot(*deep(5_000, size=10**12))
    bench.feed(FeedState.LIVE)
    for number in range(80):
        bench.trade(SELL, "10000", number + 1)
    bench.accept(bench.step())
    view = bench.view()
    (product,) = view.products
    assert len(product.orders) == len(product.quotes) == 200
    assert len(product.bids) == len(product.asks) == 200
    assert all(quote.price_terms and quote.size_terms for quote in product.quotes)
    packed = msgspec.msgpack.encode(view)
    assert len(packed) < MOST_TO_CONSOLE // 2
    assert msgspec.msgpack.decode(packed, type=ToConsole) == view
    assert msgspec.json.decode(msgspec.json.encode(view), type=ToConsole) == view
