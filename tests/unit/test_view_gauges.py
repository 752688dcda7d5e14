"""The gauges of the limits: what the gate denies and what a guard does is what they say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from trader_bench import MS, D, X
from view_bench import DeskBench

from engine.core.events import FeedState, OrderFilled, SubmitOrder
from engine.core.order import BUY, SELL, Side
from engine.risk.gate import RiskContext
from engine.risk.state import TradingState
from engine.runtime.gauges import gauges_of

CODES = ["POSITION", "EXPOSURE", "OPEN_ORDERS", "DRAWDOWN", "LOSS", "VAR", "SHORTFALL", "VOLUME"]
CODES += ["STOP_LOSS", "TAKE_PROFIT"]
MID = 20_000 * 100
"""10,000.00 in half ticks."""
PER_LOT = X.value(MID, 1)
PER_UNIT = PER_LOT * 1_000 // 10_000
"""Atoms of 1 of the quote currency."""


def test_an_idle_engine_has_used_nothing_and_knows_no_exposure():
    bench = DeskBench()
    gauges = gauges_of(bench.trader, 0)
    assert [gauge.code for gauge in gauges] == CODES
    assert {gauge.code: gauge.used for gauge in gauges} == dict.fromkeys(CODES, 0) | {"EXPOSURE": None}
    assert all(gauge.limit > 0 for gauge in gauges)


def test_the_worst_case_of_a_side_counts_its_open_orders_and_the_position():
    bench = DeskBench(strategy__levels=2, strategy__order_quantity=D("0.5"))
    orders = bench.quote()
    own = bench.trader.orders.own
    assert (own.buy_lots, own.sell_lots) == (1_000, 1_000)
    assert bench.gauge("POSITION").used == 1_000
    assert bench.gauge("EXPOSURE").used == 1_000 * PER_LOT
    bench.fill(next(order for order in orders if order.side is BUY), 200)
    assert bench.trader.ledger.position == 200
    # What was bought counts with what may still be bought: a fill moves from one to the other.
    assert bench.gauge("POSITION").used == own.buy_lots + 200 == 1_000
    assert (bench.gauge("POSITION").limit, bench.gauge("POSITION").unit) == (20_000, "lots")


def test_quotes_that_the_gate_denies_for_the_position_would_overfill_the_gauge():
    limits = {"risk__max_position_base": D("0.7"), "risk__max_order_size_base": D("0.7")}
    bench = DeskBench(strategy__levels=3, strategy__order_quantity=D("0.3"), **limits)
    bench.market()
    bench.step()
    gauge, denied = bench.gauge("POSITION"), bench.trader.gate.denied
    assert denied == {"POSITION": 2}  # the third quote of each side
    assert gauge.used == 600
    assert gauge.used <= gauge.limit == 700 < gauge.used + 300


signed = st.sampled_from([BUY, SELL])


@given(
    position=st.integers(-900, 900),
    resting=st.lists(st.tuples(signed, st.integers(1, 300)), max_size=6),
    side=signed,
    size=st.integers(1, 900),
)
def test_an_order_that_the_gate_denies_has_a_gauge_without_room_for_it(position, resting, side, size):
    bench = DeskBench(
        risk__max_position_base=D(1),
        risk__max_order_size_base=D(1),
        risk__max_gross_notional=D(9_000),
        risk__max_order_notional=D(9_000),
        risk__max_open_orders=5,
        risk__max_open_orders_per_side=3,
    )
    bench.market()
    if position:
        bench.trade(Side(1 if position > 0 else -1), "10000", abs(position))
    for number, (each, lots) in enumerate(resting):
        bench.trader.orders.submit(order(each, lots, number))
    trader, book = bench.trader, bench.trader.book
    context = RiskContext(
        trader.orders.own,
        now_ns=bench.now,
        is_book_live=True,
        mid=book.mid(),
        best_bid=book.best_bid(),
        best_ask=book.best_ask(),
        position=trader.ledger.position,
        quote_balance=X.atoms(10_000_000),
        base_balance=10**9,
        equity=X.atoms(10_000_000),
    )
    denial = trader.gate.check(order(side, size, 99), context)
    denied = "" if denial is None else denial.code
    left = {g.code: g.limit - g.used for g in gauges_of(trader, 0) if g.used is not None}
    own = trader.orders.own
    worse = own.buy_lots + position if side is BUY else own.sell_lots - position
    assert trader.gate.limits.max_position - left["POSITION"] >= worse
    if denied == "POSITION":
        assert left["POSITION"] < size
    if denied == "EXPOSURE":
        assert left["EXPOSURE"] < size * PER_LOT
    if denied == "OPEN_ORDERS":
        assert left["OPEN_ORDERS"] <= 0
    if left["POSITION"] >= size:
        assert denied != "POSITION"
    if left["OPEN_ORDERS"] > 0:
        assert denied != "OPEN_ORDERS"


def order(side: Side, size: int, number: int) -> SubmitOrder:
    """A quote 10 USD from the mid in a slot of its own."""
    price = X.ticks("10000") - side * 1_000
    return SubmitOrder("X-USD", 0, f"id{number}", side, size, price, post_only=True, slot=f"S{number}")


def test_of_two_limits_on_open_orders_the_nearer_one_is_shown():
    bench = DeskBench(risk__max_open_orders=100, risk__max_open_orders_per_side=3)
    for number in range(2):
        bench.trader.orders.submit(order(BUY, 1, number))
    gauge = bench.gauge("OPEN_ORDERS")
    assert (gauge.used, gauge.limit, gauge.name) == (2, 3, "open orders of a side")
    bench = DeskBench(risk__max_open_orders=3, risk__max_open_orders_per_side=3)
    for number, side in enumerate((BUY, BUY, SELL)):
        bench.trader.orders.submit(order(side, 1, number))
    gauge = bench.gauge("OPEN_ORDERS")
    assert (gauge.used, gauge.limit, gauge.name) == (3, 3, "open orders")


def market_at(bench: DeskBench, mid: int) -> None:
    bench.now += 100 * MS
    bench.market(str(mid - 1), str(mid + 1))
    bench.step(1)


def test_the_drawdown_gauge_reaches_its_limit_when_the_guard_halts():
    bench = DeskBench(engine__opening_quote_balance=D(10_000), strategy__levels=1)
    bench.market()
    bench.trade(BUY, "10000", 1_000)
    seen = []
    for mid in (10_100, 9_900, 9_700, 9_601, 9_600):  # 5 % of 10,000 below the peak of 10,100
        market_at(bench, mid)
        gauge = bench.gauge("DRAWDOWN")
        assert gauge.limit == 50_000
        assert gauge.used is not None
        assert (gauge.used >= gauge.limit) is (bench.trader.risk.effective is TradingState.HALTED)
        seen.append(gauge.used)
    assert seen == [0, 20_000, 40_000, 49_900, 50_000]


def test_the_drawdown_gauge_is_that_of_the_amount_where_it_is_reached_before_the_share():
    bench = DeskBench(risk__max_drawdown=D(150), strategy__levels=1)
    bench.market()
    bench.trade(BUY, "10000", 1_000)
    for mid, lost in ((9_851, 149), (9_850, 150)):
        market_at(bench, mid)
        gauge = bench.gauge("DRAWDOWN")
        assert (gauge.used, gauge.limit, gauge.unit) == (lost * PER_UNIT, 150 * PER_UNIT, "atoms")
        assert (lost >= 150) is (bench.trader.risk.effective is TradingState.REDUCING)


def test_a_drawdown_is_measured_against_the_risk_capital_where_one_is_set():
    bench = DeskBench(risk__risk_capital=D(2_000), strategy__levels=1)
    bench.market()
    bench.trade(BUY, "10000", 1_000)
    market_at(bench, 9_901)
    assert (bench.gauge("DRAWDOWN").used, bench.trader.risk.effective) == (49_500, TradingState.ACTIVE)
    market_at(bench, 9_900)
    assert (bench.gauge("DRAWDOWN").used, bench.trader.risk.effective) == (50_000, TradingState.HALTED)


def test_the_gauges_of_the_open_position_reach_their_limits_when_the_guard_pauses():
    for side, mids, code, used in (
        (BUY, (10_100, 9_701, 9_700), "STOP_LOSS", [0, 29_900, 30_000]),
        (SELL, (9_900, 10_299, 10_300), "STOP_LOSS", [0, 29_900, 30_000]),
        (BUY, (9_900, 10_499, 10_500), "TAKE_PROFIT", [0, 49_900, 50_000]),
    ):
        bench = DeskBench(strategy__levels=1)
        bench.market()
        bench.trade(side, "10000", 1_000)
        for mid, expected in zip(mids, used, strict=True):
            market_at(bench, mid)
            gauge = bench.gauge(code)
            assert gauge.used == expected
            assert (gauge.used >= gauge.limit) is bench.trader.risk.has_hold(code)


def test_the_volume_gauge_counts_the_day():
    bench = DeskBench(risk__max_trading_volume=D(2))
    bench.market()
    bench.trade(BUY, "10000", 1_500)
    bench.step()
    assert (bench.gauge("VOLUME").used, bench.trader.risk.has_hold("VOLUME")) == (1_500, False)
    bench.trade(SELL, "10000", 500)
    bench.step()
    assert (bench.gauge("VOLUME").used, bench.trader.risk.has_hold("VOLUME")) == (2_000, True)
    assert [g.used for g in gauges_of(bench.trader, 86_400 * 1_000 * MS) if g.code == "VOLUME"] == [0]


def test_without_a_mark_money_is_not_told_and_lots_are():
    bench = DeskBench()
    bench.market()
    bench.trade(BUY, "10000", 1_000)
    bench.feed(FeedState.STALE)
    used = {gauge.code: gauge.used for gauge in gauges_of(bench.trader, 0)}
    assert used["POSITION"] == 1_000
    assert [code for code in CODES if used[code] is None] == [
        "EXPOSURE", "DRAWDOWN", "LOSS", "VAR", "SHORTFALL", "STOP_LOSS", "TAKE_PROFIT",
    ]  # fmt: skip


def test_a_fill_at_no_price_does_not_break_the_gauges():
    bench = DeskBench()
    bench.market()
    stamp = ("X-USD", bench.now, bench.now)
    order_id = bench.quote()[0].client_id
    bench.tell(OrderFilled(*stamp, order_id, "fill-000", BUY, 0, 1, 0, True))
    assert bench.trader.ledger.open_cost == 0
    gauge = bench.gauge("TAKE_PROFIT")
    assert gauge.used is not None
    assert gauge.used > gauge.limit
