"""Conformance cases 1-32 of the order book, in prices and sizes as people read them."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from engine.core.instrument import Instrument
from engine.core.order import OrderState, OrderType, Side, TimeInForce
from engine.core.order_book import OrderBook
from engine.core.order_book_events import BookChange, ChangeKind, Trade
from engine.core.order_book_levels import BookOrder

BUY, SELL = Side.BUY, Side.SELL
BTC = Instrument.create("BTC-USD", tick="1", lot="0.1")


def lots(size: float | str) -> int:
    return BTC.lots(str(size))


def limit(
    book: OrderBook, order_id: str, side: Side, price: int, size: float | str, **terms: Any
) -> BookOrder:
    return book.submit(order_id, side, lots(size), price, **terms)


def market(book: OrderBook, order_id: str, side: Side, size: float | str) -> BookOrder:
    return book.submit(order_id, side, lots(size), order_type=OrderType.MARKET)


def fills(book: OrderBook) -> list[tuple[int, int]]:
    return [(trade.price, trade.size) for trade in book.drain_trades()]


@pytest.fixture
def book() -> OrderBook:
    return OrderBook(BTC)


@pytest.fixture
def pair(book: OrderBook) -> OrderBook:
    """The book of case 1."""
    limit(book, "b1", BUY, 10000, 1)
    limit(book, "a1", SELL, 10100, 1)
    return book


@pytest.fixture
def deep(book: OrderBook) -> OrderBook:
    """The book of case 8."""
    for number in (1, 2, 3):
        limit(book, f"b{number}", BUY, 10100 - 100 * number, number)
        limit(book, f"a{number}", SELL, 10000 + 100 * number, number)
    return book


def test_case_01_a_two_sided_book(pair: OrderBook) -> None:
    assert pair.order_count == 2
    assert (pair.best_bid(), pair.best_ask()) == (10000, 10100)
    assert pair.spread() == 100
    assert pair.mid() == 2 * 10050


def test_case_02_cancel_the_bid(pair: OrderBook) -> None:
    order = pair.get("b1")
    assert order is not None
    assert pair.cancel("b1") is True
    assert order.state is OrderState.CANCELLED
    assert (order.code, order.remaining) == ("CANCEL_REQUESTED", lots(1))
    assert pair.order_count == 1
    assert (pair.best_bid(), pair.best_ask()) == (None, 10100)
    assert pair.cancel("b1") is False


def test_case_03_cancel_an_unknown_order(pair: OrderBook) -> None:
    heard: list[BookChange] = []
    pair.add_listener(heard.append)
    before = (pair.snapshot(), pair.order_count)
    assert pair.cancel("nobody") is False
    assert (pair.snapshot(), pair.order_count) == before
    assert heard == []


def test_case_04_an_id_that_exists_is_refused(pair: OrderBook) -> None:
    again = limit(pair, "b1", BUY, 9900, 5)
    assert (again.state, again.code) == (OrderState.REJECTED, "DUPLICATE_ID")
    assert again.reason is not None
    assert "'b1'" in again.reason.text
    first = pair.get("b1")
    assert first is not None
    assert (first.state, first.price, first.remaining) == (OrderState.NEW, 10000, lots(1))
    assert pair.bids() == [(10000, lots(1))]


def test_case_05_another_symbol_is_refused(book: OrderBook) -> None:
    order = limit(book, "x", BUY, 10000, 1, symbol="ETH-USD")
    assert (order.state, order.code) == (OrderState.REJECTED, "WRONG_PRODUCT")
    assert book.order_count == 0
    assert limit(book, "y", BUY, 10000, 1, symbol="BTC-USD").state is OrderState.NEW


def test_case_06_execute_half_and_half(pair: OrderBook) -> None:
    order = pair.get("b1")
    assert order is not None
    assert pair.execute("b1", lots("0.5")) is True
    assert (order.state, order.filled) == (OrderState.PARTIALLY_FILLED, lots("0.5"))
    assert pair.volume_at(BUY, 10000) == lots("0.5")
    assert pair.execute("b1", lots("0.5")) is True
    assert (order.state, order.filled, order.remaining) == (OrderState.FILLED, lots(1), 0)
    assert pair.order_count == 1
    assert pair.get("b1") is None
    assert pair.best_bid() is None


@pytest.mark.parametrize("size", [lots(1) + 1, 0, -1, math.nan, True])
def test_case_07_execute_what_cannot_be(pair: OrderBook, size: Any) -> None:
    before = pair.snapshot()
    assert pair.execute("b1", size) is False
    assert pair.execute("nobody", 1) is False
    assert pair.snapshot() == before


def test_case_08_market_buy_takes_two_levels(deep: OrderBook) -> None:
    order = market(deep, "m", BUY, 2)
    assert (order.state, order.filled) == (OrderState.FILLED, lots(2))
    assert fills(deep) == [(10100, lots(1)), (10200, lots(1))]
    assert deep.order_count == 5
    assert deep.best_ask() == 10200


def test_case_09_then_market_sell_takes_three(deep: OrderBook) -> None:
    market(deep, "m", BUY, 2)
    deep.drain_trades()
    order = market(deep, "n", SELL, 4)
    assert order.filled == lots(4)
    assert fills(deep) == [(10000, lots(1)), (9900, lots(2)), (9800, lots(1))]
    assert deep.order_count == 3
    assert deep.bids() == [(9800, lots(2))]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_case_10_no_size_is_special(size: int) -> None:
    book = OrderBook(Instrument.create("ETH-USD", tick="0.01", lot="0.1"))
    book.submit("a", SELL, 50, 300000)
    order = book.submit("m", BUY, size * 10, order_type=OrderType.MARKET)
    assert order.filled == size * 10
    assert fills(book) == [(300000, size * 10)]
    assert book.asks() == [(300000, 50 - size * 10)]


def test_case_11_market_order_on_an_empty_book(book: OrderBook) -> None:
    order = market(book, "m", SELL, 4)
    assert (order.state, order.filled, order.code) == (OrderState.EXPIRED, 0, "NO_LIQUIDITY")
    assert fills(book) == []
    assert book.order_count == 0


def test_case_12_market_order_larger_than_the_book(deep: OrderBook) -> None:
    order = market(deep, "m", BUY, 7)
    assert (order.state, order.code) == (OrderState.EXPIRED, "NO_LIQUIDITY")
    assert (order.filled, order.remaining) == (lots(6), lots(1))
    assert deep.asks() == []
    assert deep.order_count == 3


@pytest.fixture
def queue(book: OrderBook) -> OrderBook:
    """The book of case 13."""
    limit(book, "1", BUY, 10000, 1)
    limit(book, "2", BUY, 10000, 2)
    limit(book, "3", BUY, 9900, 3)
    return book


def test_case_13_levels_add_up_their_orders(queue: OrderBook) -> None:
    assert queue.bids() == [(10000, lots(3)), (9900, lots(3))]
    assert [order.order_id for order in queue.queue(BUY, 10000)] == ["1", "2"]
    assert [queue.orders_ahead_volume(order_id) for order_id in "123"] == [0, lots(1), 0]


def test_case_14_cancel_the_first_then_the_second(queue: OrderBook) -> None:
    queue.cancel("1")
    assert queue.bids() == [(10000, lots(2)), (9900, lots(3))]
    assert queue.orders_ahead_volume("2") == 0
    queue.cancel("2")
    assert queue.bids() == [(9900, lots(3))]
    assert queue.queue(BUY, 10000) == []
    assert queue.orders_ahead_volume("2") is None


def test_case_15_first_in_first_filled(book: OrderBook) -> None:
    first, second = limit(book, "first", SELL, 10100, 1), limit(book, "second", SELL, 10100, 1)
    market(book, "m", BUY, 1)
    assert [trade.maker_id for trade in book.drain_trades()] == ["first"]
    assert (first.state, second.state) == (OrderState.FILLED, OrderState.NEW)
    assert second.filled == 0


def test_case_16_partial_fill_then_cancel_leaves_no_drift(book: OrderBook) -> None:
    limit(book, "first", SELL, 10100, 3)
    limit(book, "second", SELL, 10100, 2)
    market(book, "m", BUY, 1)
    assert book.volume_at(SELL, 10100) == lots(4)
    book.cancel("first")
    assert book.asks() == [(10100, lots(2))]


def test_case_17_imbalance(book: OrderBook) -> None:
    assert book.imbalance() == 0
    limit(book, "b", BUY, 10000, 10)
    limit(book, "a", SELL, 10100, 4)
    assert book.imbalance() == pytest.approx(6 / 14)
    mirrored = OrderBook(BTC)
    limit(mirrored, "b", BUY, 10000, 4)
    limit(mirrored, "a", SELL, 10100, 10)
    assert mirrored.imbalance() == pytest.approx(-6 / 14)


def test_case_18_imbalance_of_the_best_levels_only(book: OrderBook) -> None:
    limit(book, "b1", BUY, 10000, 3)
    limit(book, "b2", BUY, 9900, 100)
    limit(book, "a1", SELL, 10100, 1)
    assert book.imbalance(depth=1) == pytest.approx(2 / 4)


def test_case_19_average_price(deep: OrderBook) -> None:
    buy, small_buy = deep.sweep(BUY, lots("2.5")), deep.sweep(BUY, lots("0.5"))
    assert buy.average == pytest.approx((10100 + 1.5 * 10200) / 2.5) == 10160
    assert small_buy.average == 10100
    sell, small_sell = deep.sweep(SELL, lots("2.5")), deep.sweep(SELL, lots("0.5"))
    assert sell.average == pytest.approx((10000 + 1.5 * 9900) / 2.5)
    assert small_sell.average == 10000


def test_case_20_average_price_says_when_the_book_is_too_thin(deep: OrderBook) -> None:
    sweep = deep.sweep(BUY, lots("6.1"))
    assert sweep.average is None
    assert not sweep.is_complete
    assert (sweep.wanted, sweep.filled) == (lots("6.1"), lots(6))
    assert deep.sweep(BUY, lots(6)).is_complete


def test_case_21_a_snapshot_does_not_move(deep: OrderBook) -> None:
    snapshot = deep.snapshot()
    deep.cancel("b1")
    market(deep, "m", BUY, 2)
    assert snapshot.bids == ((10000, lots(1)), (9900, lots(2)), (9800, lots(3)))
    assert snapshot.asks == ((10100, lots(1)), (10200, lots(2)), (10300, lots(3)))
    assert snapshot.sequence < deep.snapshot().sequence


async def test_case_22_readers_beside_a_large_book(book: OrderBook) -> None:
    for number in range(500):
        limit(book, f"b{number}", BUY, 10000 - number % 50, 1)
        limit(book, f"a{number}", SELL, 10001 + number % 50, 1)

    async def read() -> list[int]:
        totals = []
        for _ in range(100):
            snapshot = book.snapshot()
            totals.append(sum(size for _, size in snapshot.bids + snapshot.asks))
            await asyncio.sleep(0)
        return totals

    totals = [total for each in await asyncio.gather(*(read() for _ in range(4))) for total in each]
    assert totals == [lots(1000)] * 400
    assert book.order_count == 1000


def test_case_23_listeners_are_told_what_changed(book: OrderBook) -> None:
    heard: list[BookChange] = []
    book.add_listener(heard.append)
    limit(book, "1", BUY, 10000, 1)
    limit(book, "2", BUY, 10000, 2)
    assert heard == [
        BookChange(1, ChangeKind.ADDED, "1", BUY, 10000, lots(1), lots(1)),
        BookChange(2, ChangeKind.ADDED, "2", BUY, 10000, lots(2), lots(3)),
    ]
    limit(book, "3", SELL, 10100, 1)
    book.cancel("1")
    assert heard[2:] == [
        BookChange(3, ChangeKind.ADDED, "3", SELL, 10100, lots(1), lots(1)),
        BookChange(4, ChangeKind.REMOVED, "1", BUY, 10000, -lots(1), lots(2)),
    ]
    book.remove_listener(heard.append)
    book.cancel("2")
    assert len(heard) == 4


def test_case_23_every_kind_of_change_is_told(book: OrderBook) -> None:
    heard: list[BookChange] = []
    limit(book, "a", SELL, 10100, 3)
    limit(book, "b", BUY, 9000, 1)
    book.submit("s", BUY, lots(1), 10000, OrderType.STOP_LIMIT, stop_price=10100)
    book.add_listener(heard.append)
    book.amend("a", size=lots(2))
    book.amend("b", price=9100)
    market(book, "m", BUY, 1)
    kinds = [(change.kind.value, change.order_id, change.price, change.delta) for change in heard]
    assert kinds == [
        ("amended", "a", 10100, -lots(1)),
        ("amended", "b", 9000, -lots(1)),
        ("added", "b", 9100, lots(1)),
        ("executed", "a", 10100, -lots(1)),
        ("triggered", "s", 10100, 0),
        ("added", "s", 10000, lots(1)),
    ]
    assert [change.level_size for change in heard] == [lots(2), 0, lots(1), lots(1), 0, lots(1)]


def test_case_23_a_listener_finds_the_book_whole_and_may_use_it(book: OrderBook) -> None:
    crossed: list[bool] = []

    def listener(change: BookChange) -> None:
        crossed.append(book.is_crossed())
        if change.order_id == "b":
            book.cancel("c")

    limit(book, "a", SELL, 10100, 1)
    limit(book, "c", SELL, 10200, 1)
    book.add_listener(listener)
    limit(book, "b", BUY, 10100, 2)
    assert crossed == [False, False, False]
    assert book.asks() == []
    assert book.bids() == [(10100, lots(1))]


async def test_case_24_many_tasks_add_and_cancel(book: OrderBook) -> None:
    async def add(task: int) -> None:
        for number in range(100):
            limit(book, f"{task}-{number}", BUY if task % 2 else SELL, 10000 - 100 * (task % 2), 1)
            await asyncio.sleep(0)

    await asyncio.gather(*(add(task) for task in range(4)))
    assert book.order_count == 400

    async def cancel(order_id: str) -> bool:
        await asyncio.sleep(0)
        return book.cancel(order_id)

    book = OrderBook(BTC)
    for number in range(100):
        limit(book, str(number), BUY, 10000, 1)
    assert all(await asyncio.gather(*(cancel(str(number)) for number in range(100))))
    assert book.order_count == 0


def test_case_25_a_crossing_limit_trades_at_the_resting_price(book: OrderBook) -> None:
    limit(book, "s", SELL, 100, 1)
    limit(book, "b", BUY, 105, 3)
    assert book.drain_trades() == [Trade(1, 100, lots(1), "s", "b", BUY)]
    assert (book.bids(), book.asks()) == ([(105, lots(2))], [])
    assert not book.is_crossed()


def test_case_26_ioc_fills_what_it_can(book: OrderBook) -> None:
    limit(book, "s", SELL, 100, 1)
    order = limit(book, "b", BUY, 100, 5, time_in_force=TimeInForce.IOC)
    assert (order.state, order.code) == (OrderState.EXPIRED, "IOC_REMAINDER")
    assert (order.filled, order.remaining) == (lots(1), lots(4))
    assert book.order_count == 0


def test_case_27_fok_is_all_or_nothing(book: OrderBook) -> None:
    limit(book, "s1", SELL, 100, 1)
    limit(book, "s2", SELL, 101, 4)
    before = book.snapshot()
    order = limit(book, "b", BUY, 100, 5, time_in_force=TimeInForce.FOK)
    assert (order.state, order.code, order.filled) == (OrderState.REJECTED, "FOK_UNFILLABLE", 0)
    assert book.snapshot() == before
    assert fills(book) == []
    whole = limit(book, "c", BUY, 101, 5, time_in_force=TimeInForce.FOK)
    assert (whole.state, whole.filled) == (OrderState.FILLED, lots(5))


def test_case_28_a_stop_waits_outside_the_depth(pair: OrderBook) -> None:
    stop = pair.submit("s", BUY, lots(1), order_type=OrderType.STOP, stop_price=10100)
    later = pair.submit("l", BUY, lots(1), 10150, OrderType.STOP_LIMIT, stop_price=10101)
    assert (stop.state, stop.is_resting) == (OrderState.NEW, False)
    assert (pair.order_count, pair.stop_count) == (2, 2)
    assert pair.bids() == [(10000, lots(1))]
    limit(pair, "a2", SELL, 10110, 1)
    market(pair, "m", BUY, 1)
    assert [(t.taker_id, t.price) for t in pair.drain_trades()] == [("m", 10100), ("s", 10110)]
    assert stop.state is OrderState.FILLED
    assert later.is_resting  # the stop's own trade at 10110 set it off: a cascade
    assert pair.bids() == [(10150, lots(1)), (10000, lots(1))]
    assert pair.stop_count == 0


def test_case_28_a_sell_stop_triggers_at_or_below(pair: OrderBook) -> None:
    below = pair.submit("s", SELL, lots(1), 9000, OrderType.STOP_LIMIT, stop_price=9999)
    at = pair.submit("t", SELL, lots(1), 9500, OrderType.STOP_LIMIT, stop_price=10000)
    market(pair, "m", SELL, "0.5")
    assert pair.drain_trades()[-1].taker_id == "t"
    assert (at.state, at.filled) == (OrderState.PARTIALLY_FILLED, lots("0.5"))
    assert (below.state, below.is_resting) == (OrderState.NEW, False)


def test_case_28_a_stop_whose_price_was_traded_already_goes_at_once(pair: OrderBook) -> None:
    market(pair, "m", BUY, 1)
    assert pair.last_price == 10100
    stop = pair.submit("s", BUY, lots(1), order_type=OrderType.STOP, stop_price=10050)
    assert (stop.state, stop.code) == (OrderState.EXPIRED, "NO_LIQUIDITY")


def test_case_28_stops_run_nearest_first_and_older_first(deep: OrderBook) -> None:
    for order_id, stop_price in (("far", 10200), ("near", 10150), ("near too", 10150)):
        deep.submit(order_id, BUY, 1, order_type=OrderType.STOP, stop_price=stop_price)
    market(deep, "m", BUY, 2)
    takers = [trade.taker_id for trade in deep.drain_trades()]
    assert takers == ["m", "m", "near", "near too", "far"]


def test_case_28_a_stop_can_be_cancelled_and_amended(pair: OrderBook) -> None:
    order = pair.submit("s", BUY, lots(1), 10200, OrderType.STOP_LIMIT, stop_price=10100)
    assert pair.amend("s", price=10050, size=lots(2)) is None
    assert (order.price, order.size) == (10050, lots(2))
    assert pair.execute("s", 1) is False
    assert pair.cancel("s") is True
    assert (order.state, pair.stop_count) == (OrderState.CANCELLED, 0)


BAD_NUMBERS = [math.nan, math.inf, -math.inf, 0, -1, 0.5, "1", True]


@pytest.mark.parametrize("value", BAD_NUMBERS)
def test_case_29_bad_prices_are_refused_with_a_reason(book: OrderBook, value: Any) -> None:
    limit_order = book.submit("l", BUY, 1, value)
    stop = book.submit("s", BUY, 1, order_type=OrderType.STOP, stop_price=value)
    for order in (limit_order, stop):
        assert (order.state, order.code) == (OrderState.REJECTED, "BAD_PRICE")
        assert order.reason is not None
        assert repr(value) in order.reason.text
    assert (book.order_count, book.stop_count) == (0, 0)


@pytest.mark.parametrize("value", BAD_NUMBERS)
def test_case_29_bad_sizes_are_refused_with_a_reason(book: OrderBook, value: Any) -> None:
    order = book.submit("l", BUY, value, 100)
    assert (order.state, order.code) == (OrderState.REJECTED, "BAD_SIZE")
    assert order.reason is not None
    assert repr(value) in order.reason.text
    assert book.order_count == 0


@pytest.mark.parametrize("value", BAD_NUMBERS)
def test_case_29_bad_amendments_change_nothing(pair: OrderBook, value: Any) -> None:
    before = pair.snapshot()
    price_reason, size_reason = pair.amend("b1", price=value), pair.amend("b1", size=value)
    assert price_reason is not None
    assert size_reason is not None
    assert (price_reason.code, size_reason.code) == ("BAD_PRICE", "BAD_SIZE")
    assert pair.snapshot() == before


def test_case_30_six_small_orders_empty_the_level(book: OrderBook) -> None:
    limit(book, "a", SELL, 10100, "0.6")
    for number in range(6):
        assert market(book, f"m{number}", BUY, "0.1").state is OrderState.FILLED
    assert sum(size for _, size in fills(book)) == lots("0.6")
    assert book.asks() == []
    assert book.order_count == 0


def test_case_31_no_depth_and_one_side(pair: OrderBook) -> None:
    assert pair.bids(0) == pair.asks(0) == pair.levels(BUY, -1) == []
    assert pair.bids(1) == pair.bids(5) == [(10000, lots(1))]
    assert pair.volume_at(BUY, 10000) == lots(1)
    assert pair.volume_at(SELL, 10000) == 0


def test_case_32_a_one_sided_book_has_no_mid(book: OrderBook) -> None:
    limit(book, "b", BUY, 10000, 1)
    assert (book.best_ask(), book.mid(), book.spread(), book.weighted_mid()) == (None, None, None, None)
    assert book.imbalance() == 1.0
    assert not book.is_crossed()
    assert book.asks() == []
