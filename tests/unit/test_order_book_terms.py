"""What orders may say, and what the book does about it: limits, terms, amendments, owners, expiry."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core.instrument import Instrument
from engine.core.order import OrderState, OrderType, Side, TimeInForce
from engine.core.order_book import OrderBook
from engine.core.order_book_events import SelfTrade, Trade

BUY, SELL = Side.BUY, Side.SELL
LIMIT, MARKET = OrderType.LIMIT, OrderType.MARKET
STOP, STOP_LIMIT = OrderType.STOP, OrderType.STOP_LIMIT
ONE = Instrument.create("BTC-USD", tick="1", lot="1")


@pytest.fixture
def book() -> OrderBook:
    return OrderBook(ONE)


# -- the instrument's limits -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "price", "code"),
    [
        (2, 50, "MIN_SIZE"),
        (3, 33, "MIN_NOTIONAL"),
        (3, 34, ""),
        (10, 10, ""),
        (11, 50, "MAX_SIZE"),
    ],
)
@pytest.mark.parametrize("post_only", [False, True])
def test_sizes_and_notionals_stay_within_the_instrument(
    size: int, price: int, code: str, post_only: bool
) -> None:
    instrument = Instrument.create(
        "BTC-USD", tick="0.5", lot="0.1", min_size="0.3", max_size="1", min_notional="5"
    )
    book = OrderBook(instrument)
    order = book.submit("x", BUY, size, price, post_only=post_only)
    assert order.code == code
    assert order.state is (OrderState.REJECTED if code else OrderState.NEW)
    if code:
        assert order.reason is not None
        assert "above" in order.reason.text or "below" in order.reason.text


def test_an_amendment_obeys_the_same_limits() -> None:
    book = OrderBook(Instrument.create("BTC-USD", tick="1", lot="1", min_size=3, max_size=9, min_notional=40))
    book.submit("x", BUY, 5, 10)
    refusals = [book.amend("x", size=2), book.amend("x", size=10), book.amend("x", price=7)]
    assert [reason and reason.code.value for reason in refusals] == ["MIN_SIZE", "MAX_SIZE", "MIN_NOTIONAL"]
    assert book.bids() == [(10, 5)]


# -- terms that contradict each other ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"order_type": LIMIT}, "BAD_PRICE"),
        ({"order_type": STOP_LIMIT, "stop_price": 10}, "BAD_PRICE"),
        ({"order_type": STOP}, "BAD_PRICE"),
        ({"order_type": MARKET, "price": 10}, "BAD_TERMS"),
        ({"order_type": STOP, "price": 10, "stop_price": 10}, "BAD_TERMS"),
        ({"price": 10, "stop_price": 10}, "BAD_TERMS"),
        ({"order_type": MARKET, "stop_price": 10}, "BAD_TERMS"),
        ({"order_type": MARKET, "post_only": True}, "BAD_TERMS"),
        ({"price": 10, "post_only": True, "time_in_force": TimeInForce.IOC}, "BAD_TERMS"),
        ({"price": 10, "post_only": True, "time_in_force": TimeInForce.FOK}, "BAD_TERMS"),
        ({"order_type": STOP_LIMIT, "price": 10, "stop_price": 10, "post_only": True}, "BAD_TERMS"),
        ({"order_type": STOP, "stop_price": 10, "time_in_force": TimeInForce.IOC}, "BAD_TERMS"),
        ({"price": 10, "time_in_force": TimeInForce.GTD}, "BAD_TERMS"),
        ({"price": 10, "time_in_force": TimeInForce.GTD, "expires_ns": -5}, "BAD_TERMS"),
        ({"price": 10, "time_in_force": TimeInForce.GTD, "expires_ns": 1.5}, "BAD_TERMS"),
        ({"price": 10, "expires_ns": 5}, "BAD_TERMS"),
        ({"order_type": MARKET, "time_in_force": TimeInForce.GTD, "expires_ns": 5}, "BAD_TERMS"),
    ],
)
def test_contradicting_terms_are_refused(book: OrderBook, terms: dict[str, Any], code: str) -> None:
    order = book.submit("x", BUY, 1, **terms)
    assert (order.state, order.code) == (OrderState.REJECTED, code)
    assert (book.order_count, book.stop_count, book.sequence()) == (0, 0, 0)


def test_a_side_must_be_a_side(book: OrderBook) -> None:
    order = book.submit("x", 1, 1, 10)  # type: ignore[arg-type]
    assert (order.state, order.code) == (OrderState.REJECTED, "BAD_TERMS")


def test_a_market_order_may_be_fill_or_kill(book: OrderBook) -> None:
    book.submit("a", SELL, 2, 10)
    thin = book.submit("m", BUY, 3, order_type=MARKET, time_in_force=TimeInForce.FOK)
    assert (thin.state, thin.code) == (OrderState.REJECTED, "FOK_UNFILLABLE")
    assert book.asks() == [(10, 2)]
    whole = book.submit("n", BUY, 2, order_type=MARKET, time_in_force=TimeInForce.FOK)
    assert whole.state is OrderState.FILLED


# -- post-only -----------------------------------------------------------------------------------------


def test_post_only_rests_or_is_refused(book: OrderBook) -> None:
    book.submit("a", SELL, 1, 101)
    taking = book.submit("b", BUY, 1, 101, post_only=True)
    assert (taking.state, taking.code) == (OrderState.REJECTED, "POST_ONLY")
    passive = book.submit("c", BUY, 1, 100, post_only=True)
    assert passive.state is OrderState.NEW
    reason = book.amend("c", price=101)
    assert reason is not None
    assert reason.code == "POST_ONLY"
    assert (book.bids(), book.asks(), book.drain_trades()) == ([(100, 1)], [(101, 1)], [])


# -- amendments ------------------------------------------------------------------------------------------


@pytest.fixture
def line(book: OrderBook) -> OrderBook:
    """Three bids of 5 at one price."""
    for order_id in ("1", "2", "3"):
        book.submit(order_id, BUY, 5, 100)
    return book


def ids(book: OrderBook, price: int = 100) -> list[str]:
    return [order.order_id for order in book.queue(BUY, price)]


def test_a_smaller_size_keeps_its_place(line: OrderBook) -> None:
    assert line.amend("2", size=3) is None
    assert ids(line) == ["1", "2", "3"]
    assert line.bids() == [(100, 13)]
    assert line.orders_ahead_volume("3") == 8


def test_a_larger_size_goes_to_the_end(line: OrderBook) -> None:
    assert line.amend("1", size=6) is None
    assert ids(line) == ["2", "3", "1"]
    assert line.bids() == [(100, 16)]


def test_another_price_goes_to_the_end_even_with_a_smaller_size(line: OrderBook) -> None:
    assert line.amend("1", price=99) is None
    assert line.amend("1", price=100, size=2) is None
    assert ids(line) == ["2", "3", "1"]
    assert line.bids() == [(100, 12)]


def test_the_same_values_change_nothing(line: OrderBook) -> None:
    before = line.sequence()
    assert line.amend("1", price=100, size=5) is None
    assert line.amend("1") is None
    assert ids(line) == ["1", "2", "3"]
    assert line.sequence() == before


def test_the_new_size_counts_what_is_filled(line: OrderBook) -> None:
    line.submit("m", SELL, 3, order_type=MARKET)
    order = line.get("1")
    assert order is not None
    assert line.amend("1", size=4) is None
    assert (order.size, order.filled, order.remaining) == (4, 3, 1)
    reason = line.amend("1", size=3)
    assert reason is not None
    assert reason.code == "BAD_SIZE"
    assert order.remaining == 1


def test_an_amendment_that_crosses_takes(line: OrderBook) -> None:
    line.submit("a", SELL, 7, 103)
    order = line.get("2")
    assert line.amend("2", price=104, size=9) is None
    assert line.drain_trades() == [Trade(1, 103, 7, "a", "2", BUY)]
    assert order is not None
    assert (order.state, order.remaining) == (OrderState.PARTIALLY_FILLED, 2)
    assert line.bids() == [(104, 2), (100, 10)]


def test_an_amendment_that_fills_the_order_ends_it(line: OrderBook) -> None:
    line.submit("a", SELL, 7, 103)
    order = line.get("2")
    assert line.amend("2", price=103) is None
    assert order is not None
    assert order.state is OrderState.FILLED
    assert line.get("2") is None
    assert line.asks() == [(103, 2)]


def test_amending_what_is_not_there_says_so(line: OrderBook) -> None:
    reason = line.amend("9", size=1)
    assert reason is not None
    assert reason.code == "UNKNOWN_ORDER"


def test_a_stop_without_a_limit_takes_no_price(book: OrderBook) -> None:
    book.submit("s", BUY, 1, order_type=STOP, stop_price=100)
    reason = book.amend("s", price=100)
    assert reason is not None
    assert reason.code == "BAD_TERMS"


# -- self-trade prevention -------------------------------------------------------------------------------


def own_book(mode: SelfTrade) -> OrderBook:
    """Asks at one price: 2 of ann, 3 of bob."""
    book = OrderBook(ONE, mode)
    book.submit("ann's", SELL, 2, 100, owner="ann")
    book.submit("bob's", SELL, 3, 100, owner="bob")
    return book


def test_cancel_resting_takes_the_resting_order_away() -> None:
    book = own_book(SelfTrade.CANCEL_RESTING)
    resting = book.get("ann's")
    taker = book.submit("t", BUY, 4, 100, owner="ann")
    assert resting is not None
    assert (resting.state, resting.code, resting.remaining) == (OrderState.CANCELLED, "SELF_TRADE", 2)
    assert [trade.maker_id for trade in book.drain_trades()] == ["bob's"]
    assert (taker.state, taker.filled) == (OrderState.PARTIALLY_FILLED, 3)
    assert (book.bids(), book.asks()) == ([(100, 1)], [])


def test_cancel_taking_stops_the_taker_where_it_meets_its_own() -> None:
    book = own_book(SelfTrade.CANCEL_TAKING)
    book.submit("first", SELL, 1, 99, owner="bob")
    taker = book.submit("t", BUY, 4, 100, owner="ann")
    assert (taker.state, taker.code, taker.filled) == (OrderState.CANCELLED, "SELF_TRADE", 1)
    assert (book.bids(), book.asks()) == ([], [(100, 5)])


@pytest.mark.parametrize(
    ("size", "state", "filled", "remaining", "asks"),
    [
        (4, OrderState.FILLED, 2, 0, [(100, 1)]),
        (2, OrderState.CANCELLED, 0, 2, [(100, 3)]),
        (1, OrderState.CANCELLED, 0, 1, [(100, 4)]),
    ],
)
def test_decrement_takes_the_smaller_size_off_both(
    size: int, state: OrderState, filled: int, remaining: int, asks: list[tuple[int, int]]
) -> None:
    book = own_book(SelfTrade.DECREMENT)
    taker = book.submit("t", BUY, size, 100, owner="ann")
    assert (taker.state, taker.filled, taker.remaining) == (state, filled, remaining)
    assert book.asks() == asks
    resting = book.get("ann's")
    assert (resting is not None and (resting.size, resting.remaining)) == ((1, 1) if size == 1 else False)


def test_orders_without_an_owner_are_not_checked() -> None:
    book = own_book(SelfTrade.CANCEL_TAKING)
    assert book.submit("t", BUY, 5, 100).state is OrderState.FILLED


@pytest.mark.parametrize(
    ("mode", "state"),
    [
        (SelfTrade.CANCEL_RESTING, OrderState.FILLED),
        (SelfTrade.CANCEL_TAKING, OrderState.REJECTED),
        (SelfTrade.DECREMENT, OrderState.REJECTED),
    ],
)
def test_fill_or_kill_reckons_with_self_trade_prevention(mode: SelfTrade, state: OrderState) -> None:
    book = own_book(mode)
    before = book.snapshot()
    order = book.submit("t", BUY, 3, 100, owner="ann", time_in_force=TimeInForce.FOK)
    assert order.state is state
    assert (book.snapshot() == before) is (state is OrderState.REJECTED)
    too_large = own_book(mode).submit("u", BUY, 4, 100, owner="ann", time_in_force=TimeInForce.FOK)
    assert too_large.state is OrderState.REJECTED


# -- expiry ------------------------------------------------------------------------------------------------


def test_good_till_date_ends_at_its_time(book: OrderBook) -> None:
    gtd = TimeInForce.GTD
    late = book.submit("late", BUY, 1, 100, time_in_force=gtd, expires_ns=20)
    early = book.submit("early", BUY, 1, 99, time_in_force=gtd, expires_ns=10)
    stop = book.submit("stop", BUY, 1, None, STOP, gtd, stop_price=200, expires_ns=20)
    gone = book.submit("gone", BUY, 1, 98, time_in_force=gtd, expires_ns=5)
    book.cancel("gone")
    assert book.expire(9) == []
    assert book.expire(20) == [early, late, stop]
    assert {order.state for order in (early, late, stop)} == {OrderState.EXPIRED}
    assert early.code == "TIME_ELAPSED"
    assert gone.state is OrderState.CANCELLED
    assert (book.order_count, book.stop_count, book.expire(1_000)) == (0, 0, [])


# -- changed levels ------------------------------------------------------------------------------------------


def test_changed_levels_are_collected_when_asked_for() -> None:
    book = OrderBook(ONE, track_levels=True)
    book.submit("b1", BUY, 5, 100)
    book.submit("b2", BUY, 5, 99)
    book.submit("a1", SELL, 2, 101)
    assert book.drain_changed_levels() == ([(100, 5), (99, 5)], [(101, 2)])
    assert book.drain_changed_levels() == ([], [])
    book.submit("t", BUY, 3, 101)
    book.cancel("b2")
    book.submit("s", SELL, 1, None, STOP, stop_price=50)
    assert book.drain_changed_levels() == ([(101, 1), (99, 0)], [(101, 0)])
    silent = OrderBook(ONE)
    silent.submit("b1", BUY, 5, 100)
    assert silent.drain_changed_levels() == ([], [])


def test_live_orders_are_listed(book: OrderBook) -> None:
    book.submit("b", BUY, 5, 100)
    book.submit("s", SELL, 1, None, STOP, stop_price=50)
    book.submit("x", SELL, 5, 100)
    assert [order.order_id for order in book.orders()] == ["s"]
