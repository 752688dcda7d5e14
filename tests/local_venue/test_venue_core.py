"""The heart of the venue: life cycles of orders, money to the last digit, rules, strangers."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local_venue.venue_kit import NOW_NS, still_settings

from engine.core.clock import ManualClock
from engine.core.errors import UsageError
from engine.core.events import MarketEvent
from engine.core.order import Side, TimeInForce
from engine.local_venue.core import VenueCore
from engine.local_venue.fee_tiers import single_tier
from engine.local_venue.market import RecordedFrame
from engine.local_venue.orders import Fill, NewOrder, OrderRefused, OrderStatus, Refusal, VenueOrder
from engine.local_venue.settings import FAIL_LATER, FAILURE
from engine.local_venue.simulated import SimulatedMarket

D = Decimal

CAPTURE = "advanced_ws_btc_eth_20260809_first10s.jsonl.gz"
FEES = single_tier(D("0.001"), D("0.002"))


class Told:
    """What a listener was told of orders."""

    def __init__(self) -> None:
        self.states: list[tuple[str, OrderStatus, D]] = []
        self.fills: list[Fill] = []

    def on_market(self, event: MarketEvent) -> None: ...

    def on_recorded(self, frame: RecordedFrame) -> None: ...

    def on_order(self, order: VenueOrder, fill: Fill | None) -> None:
        self.states.append((order.order_id, order.status, order.filled))
        if fill is not None:
            self.fills.append(fill)

    def of(self, order: VenueOrder) -> list[str]:
        return [status.value for order_id, status, _ in self.states if order_id == order.order_id]


class Bench:
    """A venue whose time the test moves."""

    def __init__(self, **changes: Any) -> None:
        self.clock = ManualClock(0, NOW_NS)
        self.core = VenueCore(still_settings(fee_tiers=FEES, **changes), self.clock)
        self.told = Told()
        self.core.add_listener(self.told)
        self.wait(1)
        tape = self.core.tape("BTC-USD")
        product = self.core.products["BTC-USD"]
        self.bid = (tape.levels.best_bid() or 0) * product.tick
        self.ask = (tape.levels.best_ask() or 0) * product.tick

    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds * 10**9)
        self.core.poll()

    def limit(self, side: Side, size: str, price: D, **more: Any) -> VenueOrder:
        return self.core.submit(NewOrder("BTC-USD", side, D(size), price, **more))

    def money(self, currency: str) -> tuple[D, D]:
        wallet = self.core.accounts.get(currency)
        assert wallet is not None
        return wallet.balance, wallet.hold


@pytest.fixture
def bench() -> Bench:
    return Bench()


def refusal(action: Any) -> Refusal:
    with pytest.raises(OrderRefused) as caught:
        action()
    return caught.value.refusal


# -- life cycles -----------------------------------------------------------------------------------


def test_a_resting_order_fills_in_parts_and_the_money_is_exact(bench: Bench) -> None:
    order = bench.limit(Side.BUY, "0.3", bench.bid, post_only=True)
    assert bench.money("USD")[1] == D("0.3") * bench.bid * D("1.002")
    bench.core.trade_against(order.order_id, D("0.1"))
    assert (order.status, order.filled, order.leaves) == (OrderStatus.OPEN, D("0.1"), D("0.2"))
    bench.core.trade_against(order.order_id)
    assert bench.told.of(order) == ["PENDING", "OPEN", "OPEN", "FILLED"]
    value = D("0.3") * bench.bid
    assert bench.money("USD") == (D(1_000_000) - value - value * D("0.001"), 0)
    assert bench.money("BTC") == (D("10.3"), 0)
    assert (order.value, order.fees, order.fill_count) == (value, value * D("0.001"), 2)
    assert all(fill.is_maker for fill in bench.told.fills)
    assert len({fill.trade_id for fill in bench.told.fills}) == 2


def test_a_taker_pays_the_taker_fee_and_the_rest_of_an_ioc_is_cancelled(bench: Bench) -> None:
    levels = bench.core.tape("BTC-USD").levels
    size = levels.volume_at(Side.SELL, levels.best_ask() or 0) * D("0.00000001")
    order = bench.limit(Side.BUY, str(size + 1), bench.ask, time_in_force=TimeInForce.IOC)
    assert bench.told.of(order) == ["PENDING", "PENDING", "CANCELLED"]
    assert (order.filled, order.fees) == (size, size * bench.ask * D("0.002"))
    assert order.leaves == order.hold == 0
    assert not bench.told.fills[0].is_maker


def test_a_market_buy_by_quote_spends_no_more_than_it_may(bench: Bench) -> None:
    before = bench.money("USD")[0]
    order = bench.core.submit(
        NewOrder("BTC-USD", Side.BUY, None, quote_size=D(5000), time_in_force=TimeInForce.IOC)
    )
    assert order.status is OrderStatus.FILLED
    spent = before - bench.money("USD")[0]
    assert D(4999) < spent <= D(5000)
    assert bench.money("USD")[1] == 0


def test_a_cancel_is_queued_then_proven(bench: Bench) -> None:
    order = bench.limit(Side.SELL, "1", bench.ask)
    assert bench.money("BTC") == (10, 1)
    assert bench.core.cancel([order.order_id, "none"]) == [None, Refusal.UNKNOWN_ORDER]
    assert bench.told.of(order) == ["PENDING", "OPEN", "CANCEL_QUEUED", "CANCELLED"]
    assert bench.money("BTC") == (10, 0)
    assert bench.core.cancel([order.order_id]) == [Refusal.NOT_OPEN]


def test_a_cancel_can_lose_the_race() -> None:
    bench = Bench(cancel_delay_ms=500)
    order = bench.limit(Side.BUY, "1", bench.bid)
    assert bench.core.cancel([order.order_id, order.order_id]) == [None, Refusal.CANCEL_PENDING]
    bench.core.trade_against(order.order_id)
    bench.wait(1)
    assert bench.told.of(order) == ["PENDING", "OPEN", "CANCEL_QUEUED", "FILLED"]
    assert bench.core.cancel([order.order_id]) == [Refusal.ALREADY_FILLED]


def test_an_order_may_stay_pending_and_be_cancelled_there() -> None:
    bench = Bench(accept_delay_ms=500)
    first, second = bench.limit(Side.BUY, "1", bench.bid), bench.limit(Side.BUY, "1", bench.bid)
    bench.core.cancel([second.order_id])
    assert (first.status, second.status) == (OrderStatus.PENDING, OrderStatus.CANCELLED)
    bench.wait(1)
    assert (first.status, second.status) == (OrderStatus.OPEN, OrderStatus.CANCELLED)
    assert bench.core.live_orders() == [first]


def test_a_gtd_order_expires_at_its_time(bench: Bench) -> None:
    end_ns = bench.clock.wall_ns() + 2 * 10**9
    order = bench.limit(Side.BUY, "1", bench.bid, time_in_force=TimeInForce.GTD, end_time_ns=end_ns)
    bench.wait(1)
    assert order.status is OrderStatus.OPEN
    bench.wait(1)
    assert order.status is OrderStatus.EXPIRED
    assert bench.money("USD")[1] == 0


def test_our_own_orders_never_trade_with_each_other(bench: Bench) -> None:
    price = (bench.bid + bench.ask) / 2 // D("0.01") * D("0.01")
    resting = bench.limit(Side.BUY, "1", price)
    taking = bench.limit(Side.SELL, "1", price, time_in_force=TimeInForce.IOC)
    assert resting.status is OrderStatus.CANCELLED
    assert resting.filled == 0
    assert taking.is_live is False


# -- edits -----------------------------------------------------------------------------------------


def place_in_queue(bench: Bench, order: VenueOrder) -> int | None:
    market = bench.core._market
    assert isinstance(market, SimulatedMarket)
    return market._exchanges["BTC-USD"].lots_ahead(order.order_id)


def test_a_smaller_size_keeps_the_place_and_a_larger_one_loses_it(bench: Bench) -> None:
    order = bench.limit(Side.BUY, "1", bench.bid)
    before = place_in_queue(bench, order)
    bench.core.stranger_order("BTC-USD", Side.BUY, D("0.7"), bench.bid)
    bench.core.edit(order.order_id, bench.bid, D("0.5"))
    assert place_in_queue(bench, order) == before
    assert bench.money("USD")[1] == D("0.5") * bench.bid * D("1.002")
    bench.core.edit(order.order_id, bench.bid, D("0.6"))
    assert place_in_queue(bench, order) == (before or 0) + 70_000_000
    bench.core.trade_against(order.order_id)
    assert (order.status, order.filled) == (OrderStatus.FILLED, D("0.6"))


def test_an_edit_counts_what_is_filled(bench: Bench) -> None:
    order = bench.limit(Side.BUY, "1", bench.bid)
    bench.core.trade_against(order.order_id, D("0.4"))
    assert refusal(lambda: bench.core.edit(order.order_id, bench.bid, D("0.4"))) is Refusal.BELOW_FILLED
    bench.core.edit(order.order_id, bench.bid - 1, D("0.9"))
    assert (order.price, order.leaves) == (bench.bid - 1, D("0.5"))
    assert refusal(lambda: bench.core.edit(order.order_id, bench.bid - 1, D("0.9"))) is Refusal.UNCHANGED
    bench.core.cancel([order.order_id])
    assert refusal(lambda: bench.core.edit(order.order_id, bench.bid, D(1))) is Refusal.NOT_OPEN


# -- what is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flag", "expected"),
    [
        ("trading_disabled", Refusal.TRADING_DISABLED),
        ("cancel_only", Refusal.CANCEL_ONLY),
        ("post_only", Refusal.POST_ONLY_MODE),
    ],
)
def test_a_flag_of_the_product_refuses_orders_but_no_cancel(
    bench: Bench, flag: str, expected: Refusal
) -> None:
    order = bench.limit(Side.BUY, "1", bench.bid)
    setattr(bench.core.products["BTC-USD"], flag, True)
    assert refusal(lambda: bench.limit(Side.BUY, "1", bench.bid)) is expected
    assert bench.core.cancel([order.order_id]) == [None]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"price": D("60000.001")}, Refusal.PRICE_PRECISION),
        ({"price": D(0)}, Refusal.BAD_PRICE),
        ({"size": D("0.000000001")}, Refusal.SIZE_PRECISION),
        ({"size": D(3401)}, Refusal.SIZE_TOO_LARGE),
        ({"size": D("0.00001")}, Refusal.NOTIONAL_TOO_SMALL),
        ({"size": D(100)}, Refusal.INSUFFICIENT_FUNDS),
        ({"price": D(70000), "post_only": True}, Refusal.POST_ONLY_CROSSES),
        ({"product_id": "GIBBERISH-USD"}, Refusal.UNKNOWN_PRODUCT),
        ({"time_in_force": TimeInForce.GTD}, Refusal.END_TIME_MISSING),
        ({"time_in_force": TimeInForce.GTD, "end_time_ns": NOW_NS}, Refusal.END_TIME_PAST),
    ],
)
def test_rules(bench: Bench, changes: dict[str, Any], expected: Refusal) -> None:
    order = replace(NewOrder("BTC-USD", Side.BUY, D("0.1"), D(60000)), **changes)
    assert refusal(lambda: bench.core.submit(order)) is expected
    assert bench.core.orders() == []
    assert bench.money("USD") == (1_000_000, 0)


def test_an_order_without_a_wallet_is_refused() -> None:
    bench = Bench(balances={"BTC": D(1)})
    assert refusal(lambda: bench.limit(Side.BUY, "0.1", bench.bid)) is Refusal.NO_ACCOUNT


def test_a_client_id_used_again_means_the_first_order_or_a_refusal(bench: Bench) -> None:
    first = bench.limit(Side.BUY, "1", bench.bid, client_order_id="a")
    assert bench.limit(Side.BUY, "2", bench.bid, client_order_id="a") is first
    assert len(bench.core.orders()) == 1
    strict = Bench(duplicate_client_id=FAILURE)
    strict.limit(Side.BUY, "1", strict.bid, client_order_id="a")
    again = refusal(lambda: strict.limit(Side.BUY, "1", strict.bid, client_order_id="a"))
    assert again is Refusal.DUPLICATE_CLIENT_ID


def test_a_post_only_order_that_crosses_may_also_fail_later() -> None:
    bench = Bench(post_only_crossing=FAIL_LATER)
    order = bench.limit(Side.BUY, "1", bench.ask, post_only=True)
    assert bench.told.of(order) == ["PENDING", "FAILED"]
    assert order.refusal is Refusal.POST_ONLY_CROSSES
    assert bench.money("USD")[1] == 0


def test_only_so_many_orders_may_be_open() -> None:
    bench = Bench(max_open_orders=2)
    for _ in range(2):
        bench.limit(Side.BUY, "0.1", bench.bid)
    assert refusal(lambda: bench.limit(Side.BUY, "0.1", bench.bid)) is Refusal.TOO_MANY_OPEN


# -- fees, lists, other hands ------------------------------------------------------------------------


def test_the_fee_tier_follows_the_volume() -> None:
    core = VenueCore(still_settings(), ManualClock(0, NOW_NS))
    assert core.fee_tier.name == "Intro 1"
    rich = VenueCore(still_settings(traded_volume=D(60_000)), ManualClock(0, NOW_NS))
    assert (rich.fee_tier.name, rich.fee_tier.maker_rate) == ("Advanced 1", D("0.0015"))


def test_fills_appear_in_the_list_later_where_the_settings_say_so() -> None:
    bench = Bench(fills_delay_ms=1500)
    order = bench.limit(Side.BUY, "1", bench.bid)
    bench.core.trade_against(order.order_id)
    bench.wait(1)
    assert bench.core.fills() == []
    bench.wait(1)
    assert [fill.order_id for fill in bench.core.fills(order_ids=[order.order_id])] == [order.order_id]


def test_orders_of_another_front_end_are_the_accounts_own(bench: Bench) -> None:
    order = bench.core.external_order("BTC-USD", Side.BUY, D(1), bench.bid)
    assert order.client_order_id == ""
    assert bench.core.live_orders() == [order]
    assert bench.core.order_by_client_id("") is None


def test_a_stranger_moves_the_market(bench: Bench) -> None:
    middle = (bench.bid + bench.ask) / 2 // D("0.01") * D("0.01")
    bench.core.stranger_order("BTC-USD", Side.BUY, D(1), middle)
    bench.wait(1)
    tape = bench.core.tape("BTC-USD")
    assert (tape.levels.best_bid() or 0) * D("0.01") >= middle
    bench.core.stranger_order("BTC-USD", Side.SELL, D("0.25"), None)
    bench.wait(1)
    assert tape.trades[-1].taker_side is Side.SELL


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["buy", "sell", "take", "trade", "cancel", "edit", "wait"]),
            st.integers(0, 20),
            st.integers(1, 40),
        ),
        max_size=25,
    )
)
def test_money_is_never_made_nor_lost(actions: list[tuple[str, int, int]]) -> None:
    bench = Bench()
    for kind, where, amount in actions:
        size = D(amount) / 100
        live = bench.core.live_orders()
        try:
            if kind in ("buy", "sell"):
                side = Side.BUY if kind == "buy" else Side.SELL
                bench.limit(side, str(size), (bench.bid if side is Side.BUY else bench.ask) - side * where)
            elif kind == "take":
                side = Side.BUY if where % 2 else Side.SELL
                order = NewOrder("BTC-USD", side, size, time_in_force=TimeInForce.IOC)
                bench.core.submit(order)
            elif kind == "wait":
                bench.wait(1)
            elif live:
                order_id = live[where % len(live)].order_id
                if kind == "trade":
                    bench.core.trade_against(order_id, min(size, live[where % len(live)].leaves))
                elif kind == "cancel":
                    bench.core.cancel([order_id])
                else:
                    bench.core.edit(order_id, live[where % len(live)].price or D(0), size)
        except OrderRefused:
            pass
        check_books(bench)


def check_books(bench: Bench) -> None:
    """Balances follow from fills, holds from live orders, cumulative figures from fills."""
    fills = bench.core.fills()
    usd = D(1_000_000) - sum((fill.side * fill.value + fill.commission for fill in fills), D(0))
    btc = D(10) + sum((fill.side * fill.size for fill in fills), D(0))
    live = bench.core.live_orders()
    buys = sum((order.hold for order in live if order.side is Side.BUY), D(0))
    sells = sum((order.leaves for order in live if order.side is Side.SELL), D(0))
    assert bench.money("USD") == (usd, buys)
    assert bench.money("BTC") == (btc, sells)
    for order in bench.core.orders():
        own = [fill for fill in fills if fill.order_id == order.order_id]
        assert order.filled == sum((fill.size for fill in own), D(0)) <= order.size
        assert order.fees == sum((fill.commission for fill in own), D(0))


# -- a recorded market -------------------------------------------------------------------------------


@pytest.fixture
def recorded(shared_data: Path) -> Bench:
    bench = Bench(capture=shared_data / "coinbase" / CAPTURE)
    bench.core.begin()
    bench.wait(2)
    tape = bench.core.tape("BTC-USD")
    bench.bid = (tape.levels.best_bid() or 0) * D("0.01")
    bench.ask = (tape.levels.best_ask() or 0) * D("0.01")
    return bench


def test_orders_rest_and_fill_in_a_recorded_market(recorded: Bench) -> None:
    order = recorded.limit(Side.BUY, "0.5", recorded.bid, post_only=True)
    recorded.core.trade_against(order.order_id, D("0.1"))
    recorded.core.edit(order.order_id, recorded.bid, D("0.3"))
    recorded.core.trade_against(order.order_id, D("0.2"))
    assert (order.status, order.filled) == (OrderStatus.FILLED, D("0.3"))
    moved = recorded.limit(Side.SELL, "0.5", recorded.ask + 50)
    recorded.core.edit(moved.order_id, recorded.ask + 40, D("0.7"))
    recorded.core.cancel([moved.order_id])
    assert recorded.told.of(moved) == ["PENDING", "OPEN", "OPEN", "CANCEL_QUEUED", "CANCELLED"]
    taker = recorded.limit(Side.BUY, "0.01", recorded.ask, time_in_force=TimeInForce.IOC)
    assert (taker.status, taker.average_price) == (OrderStatus.FILLED, recorded.ask)
    check_books(recorded)


def test_nobody_can_change_a_recording(recorded: Bench) -> None:
    with pytest.raises(UsageError, match="recording"):
        recorded.core.stranger_order("BTC-USD", Side.BUY, D(1), recorded.bid)
