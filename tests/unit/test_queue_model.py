"""The queue models of the strategy notes, section 10.2, cell by cell, and the place they give an order."""

from __future__ import annotations

import pytest

from engine.core.errors import UsageError
from engine.core.events import TradePrint
from engine.core.order import Side
from engine.exchange.queue_model import (
    QUEUE_MODELS,
    PriceQueue,
    RestingOrder,
    ahead_after_change,
    queue_model,
)


def sell_print(trade_id: int, size: int, exchange_ns: int = 0) -> TradePrint:
    return TradePrint("X-USD", trade_id, trade_id, trade_id, 100, size, Side.SELL, exchange_ns)


def queue_of(displayed: int, *orders: tuple[str, int, int], book_ns: int = 0) -> PriceQueue:
    """A bid queue at 100 with our orders (id, size, ahead)."""
    queue = PriceQueue(displayed)
    for client_id, size, ahead in orders:
        queue.orders.append(RestingOrder(client_id, Side.BUY, 100, size, ahead, book_ns))
    return queue


def fill_sizes(queue: PriceQueue, *sizes: int, partial_fills: bool = True) -> list[int]:
    """What each print of a sequence fills, all orders together; filled orders leave the queue."""
    filled = []
    for trade_id, size in enumerate(sizes, start=1):
        total = 0
        for order, lots, _, _ in queue.on_print(sell_print(trade_id, size), 0, partial_fills=partial_fills):
            order.remaining -= lots
            total += lots
            if not order.remaining:
                queue.orders.remove(order)
        filled.append(total)
    return filled


# ahead 30, level 100 -> 90, no trades
@pytest.mark.parametrize(
    ("name", "n", "p", "ahead"),
    [
        ("risk_averse", 1.0, None, 30.0),
        ("power", 1.0, 0.7, 27.0),
        ("power", 2.0, 0.8448, 28.448),
        ("power2", 2.0, 0.49, 24.9),
        ("power3", 2.0, 0.91, 29.1),
        ("log", 1.0, 0.5538, 25.538),
        ("log2", 1.0, 0.9236, 29.236),
    ],
)
def test_table_of_models(name: str, n: float, p: float | None, ahead: float) -> None:
    model = queue_model(name, n)
    if p is not None:
        assert model(30.0, 70.0) == pytest.approx(p, abs=5e-5)
    assert ahead_after_change(model, 30.0, 100, 90) == pytest.approx(ahead, abs=5e-4)


def test_trade_is_not_counted_twice_in_the_next_depth_change() -> None:
    # trade 12 at the price: ahead 30 -> 18; then 100 -> 85: Delta 3, back 82, p 0.82
    queue = queue_of(100, ("a", 5, 30))
    queue.on_print(sell_print(1, 12), 0, partial_fills=True)
    assert queue.orders[0].ahead == 18.0
    queue.on_level(queue_model("power", 1.0), 85, 0)
    assert queue.orders[0].ahead == pytest.approx(17.46)


def test_sequence_of_trades_with_100_ahead() -> None:
    assert fill_sizes(queue_of(100, ("a", 50, 100)), 80, 30, 50) == [0, 10, 40]


def test_sequence_of_trades_without_partial_fills() -> None:
    # 10 lots past the queue are too few for our 50; the next print of 50 at the front fills all.
    assert fill_sizes(queue_of(100, ("a", 50, 100)), 80, 30, 50, partial_fills=False) == [0, 0, 50]


@pytest.mark.parametrize("name", QUEUE_MODELS)
@pytest.mark.parametrize("n", [0.5, 1.0, 2.0, 3.0])
def test_a_strangers_cancel_never_clears_the_queue(name: str, n: float) -> None:
    model = queue_model(name, n)
    ahead, level = 30.0, 100
    while level > 1:
        before, level = level, level // 2
        moved = ahead_after_change(model, ahead, before, level)
        assert 1.0 <= moved <= min(ahead, level)
        ahead = moved
    assert ahead_after_change(model, ahead, level, 0) == 0.0


def test_risk_averse_is_the_smaller_of_ahead_and_size() -> None:
    model = queue_model("risk_averse", 1.0)
    for after in (99, 31, 30, 29, 1, 0):
        assert ahead_after_change(model, 30.0, 100, after) == min(30, after)


@pytest.mark.parametrize("name", QUEUE_MODELS)
def test_growth_never_moves_us_back(name: str) -> None:
    model = queue_model(name, 2.0)
    assert ahead_after_change(model, 30.0, 100, 500) == 30.0
    # 12 traded and the level still shows more than 88: somebody joined behind us
    assert ahead_after_change(model, 18.0, 100, 95, traded=12) == 18.0


@pytest.mark.parametrize("name", QUEUE_MODELS)
def test_the_front_of_the_queue_stays_the_front(name: str) -> None:
    assert ahead_after_change(queue_model(name, 2.0), 0.0, 100, 40) == 0.0


def test_everybody_ahead_means_every_cancel_is_ahead() -> None:
    for name in QUEUE_MODELS:
        assert ahead_after_change(queue_model(name, 2.0), 100.0, 100, 60) == 60.0


def test_fractions_of_a_lot_are_rounded_against_us() -> None:
    order = RestingOrder("a", Side.BUY, 100, 5, 30, 0)
    order.ahead = 17.46
    assert order.lots_ahead == 18
    queue = PriceQueue(85)
    queue.orders.append(order)
    assert queue.on_print(sell_print(1, 18), 0, partial_fills=True) == []


def test_own_orders_share_a_print_first_come_first() -> None:
    # strangers 10, a 5, strangers 5, b 5
    queue = queue_of(20, ("a", 5, 10), ("b", 5, 15))
    first = queue.on_print(sell_print(1, 12), 0, partial_fills=True)
    assert [(r.order.client_id, r.size, r.ahead_before, r.ahead_after) for r in first] == [("a", 2, 10, 0)]
    queue.orders[0].remaining -= 2
    assert queue.orders[1].ahead == 5.0
    second = queue.on_print(sell_print(2, 10), 0, partial_fills=True)
    assert [(r.order.client_id, r.size, r.ahead_before, r.ahead_after) for r in second] == [
        ("a", 3, 0, 0),
        ("b", 2, 5, 0),
    ]


def test_an_order_that_wants_all_or_nothing_lets_nobody_pass() -> None:
    queue = queue_of(10, ("a", 5, 10), ("b", 1, 10))
    assert queue.on_print(sell_print(1, 13), 0, partial_fills=False) == []
    assert queue.orders[1].ahead == 0.0


def test_a_print_that_trails_its_book_moves_us_once() -> None:
    # The book of time 50 shows 18 of 30 left; the print of 12 that did it (time 48) arrives after it.
    queue = queue_of(30, ("a", 5, 30), book_ns=10)
    queue.on_level(queue_model("risk_averse", 1.0), 18, 50)
    assert queue.orders[0].ahead == 18.0
    queue.on_print(sell_print(1, 12, exchange_ns=48), 50, partial_fills=True)
    assert queue.orders[0].ahead == 18.0
    # One of time 60 is news.
    queue.on_print(sell_print(2, 12, exchange_ns=60), 50, partial_fills=True)
    assert queue.orders[0].ahead == 6.0


def test_a_trailing_print_counts_for_what_its_book_did_not_move() -> None:
    # 100 -> 80 behind 30 ahead moves nothing (risk averse), so the print of 20 moves all of it.
    queue = queue_of(100, ("a", 5, 30), book_ns=10)
    queue.on_level(queue_model("risk_averse", 1.0), 80, 50)
    queue.on_print(sell_print(1, 20, exchange_ns=48), 50, partial_fills=True)
    assert queue.orders[0].ahead == 10.0
    # and the next change of the level is not explained by it a second time
    queue.on_level(queue_model("power", 1.0), 70, 60)
    assert queue.orders[0].ahead == pytest.approx(10 - 10 * 10 / 80)


def test_trailing_prints_explain_books_oldest_first() -> None:
    queue = queue_of(30, ("a", 5, 30), book_ns=10)
    risk_averse = queue_model("risk_averse", 1.0)
    queue.on_level(risk_averse, 20, 50)
    queue.on_level(risk_averse, 10, 100)
    queue.on_print(sell_print(1, 10, exchange_ns=45), 100, partial_fills=True)
    queue.on_print(sell_print(2, 10, exchange_ns=95), 100, partial_fills=True)
    assert queue.orders[0].ahead == 10.0


def test_a_book_from_before_a_print_does_not_contain_it() -> None:
    queue = queue_of(100, ("a", 5, 30), book_ns=10)
    queue.on_print(sell_print(1, 12, exchange_ns=60), 10, partial_fills=True)
    power = queue_model("power", 1.0)
    queue.on_level(power, 90, 50)  # ten cancelled at time 50: front 18, back 82
    assert queue.orders[0].ahead == pytest.approx(18 - 0.18 * 10)
    queue.on_level(power, 78, 70)  # the print's twelve
    assert queue.orders[0].ahead == pytest.approx(18 - 0.18 * 10)


def test_a_print_from_before_an_order_joined_is_not_for_it() -> None:
    queue = queue_of(0, ("a", 5, 0), book_ns=50)
    assert queue.on_print(sell_print(1, 99, exchange_ns=50), 50, partial_fills=True) == []
    assert len(queue.on_print(sell_print(2, 99, exchange_ns=51), 50, partial_fills=True)) == 1


def test_a_resync_only_caps() -> None:
    queue = queue_of(100, ("a", 5, 30), ("b", 5, 90))
    queue.on_resync(50, 0)
    assert [order.ahead for order in queue.orders] == [30.0, 50.0]


def test_unknown_model_is_refused() -> None:
    with pytest.raises(UsageError, match=r"exchange\.queue_model = 'fifo'"):
        queue_model("fifo", 1.0)
