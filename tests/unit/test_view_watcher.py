"""What is remembered of a desk: the tape, the age of the market, markouts, the profit's history."""

from __future__ import annotations

from trader_bench import MS, X, one_side
from view_bench import DeskBench

from engine.core.events import BookUpdate, FeedState, OrderFilled, Timer, TradePrint
from engine.core.order import BUY, SELL
from engine.runtime.watcher import TAPE
from engine.telemetry.markouts import HORIZONS_NS

S = 1_000 * MS


def print_(bench: DeskBench, number: int) -> TradePrint:
    return TradePrint("X-USD", bench.now, bench.now, number, X.ticks("9999"), 5, SELL, bench.now)


def filled(bench: DeskBench, order_id: str, fill_id: str, price: int, lots: int) -> OrderFilled:
    return OrderFilled("X-USD", bench.now, bench.now, order_id, fill_id, BUY, price, lots, 0, True)


def update(bench: DeskBench, bid: str, ask: str) -> BookUpdate:
    """The touch moves to these prices."""
    book = bench.trader.book
    gone_bids = [(price, 0) for price, _ in book.bids()]
    gone_asks = [(price, 0) for price, _ in book.asks()]
    return BookUpdate(
        "X-USD", bench.now, bench.now, [*gone_bids, (X.ticks(bid), 50)], [*gone_asks, (X.ticks(ask), 50)]
    )


def timer(bench: DeskBench) -> Timer:
    return Timer("X-USD", bench.now, bench.now)


def test_the_last_prints_are_kept_and_all_are_counted():
    bench = DeskBench()
    for number in range(1, TAPE + 11):
        bench.wake(print_(bench, number), timer(bench))
    watcher = bench.desk.watcher
    assert [trade.trade_id for trade in watcher.tape] == list(range(11, TAPE + 11))
    assert watcher.trade_count == TAPE + 10


def test_a_print_is_ours_whether_its_fill_is_told_before_it_or_after():
    bench = DeskBench()
    order = one_side(bench.quote(), 1)[0]
    assert order.price is not None
    bench.wake(filled(bench, order.client_id, "fill-41", order.price, 1), timer(bench))
    bench.wake(print_(bench, 41), print_(bench, 42), print_(bench, 43), timer(bench))
    assert [bench.desk.watcher.is_ours(t.trade_id) for t in bench.desk.watcher.tape] == [True, False, False]
    bench.wake(filled(bench, order.client_id, "fill-43", order.price, 1), timer(bench))
    assert [bench.desk.watcher.is_ours(t.trade_id) for t in bench.desk.watcher.tape] == [True, False, True]


def test_what_is_known_of_our_prints_is_bounded_and_forgets_the_oldest():
    bench = DeskBench()
    for _ in range(300):
        bench.trade(BUY, "9999", 1)
    watcher = bench.desk.watcher
    ours = [number for number in range(1, 301) if watcher.is_ours(number)]
    assert ours == list(range(45, 301))


def test_the_market_is_as_old_as_the_last_word_of_the_feed():
    bench = DeskBench()
    assert bench.desk.watcher.market_ns is None
    bench.step()
    assert bench.desk.watcher.market_ns is None
    for event in (lambda b: print_(b, 1), lambda b: update(b, "9998", "10000")):
        bench.market()
        bench.step(250)
        bench.wake(event(bench), timer(bench))
        assert bench.desk.watcher.market_ns == bench.now
        bench.step(250)
        assert bench.desk.watcher.market_ns == bench.now - 250 * MS
    bench.feed(FeedState.STALE)
    assert bench.desk.watcher.market_ns == bench.now


def test_a_passive_fill_is_followed_to_every_horizon():
    bench = DeskBench()
    order = one_side(bench.quote(), 1)[0]
    assert order.price is not None
    price, mid = order.price, bench.trader.ledger.mark_half_ticks
    assert mid == 2_000_000
    bench.wake(filled(bench, order.client_id, "fill-1", price, 5), timer(bench))
    bench.now += 50 * MS
    bench.wake(update(bench, "9996", "9998"), timer(bench))  # 3.00 lower
    bench.now += 49 * MS
    bench.wake(timer(bench))
    watched = bench.desk.watcher.markouts
    assert watched.waiting_by_horizon == (1, 1, 1, 1, 1)
    bench.now += MS
    bench.wake(timer(bench))
    assert watched.waiting_by_horizon == (0, 1, 1, 1, 1)
    at_100_ms = watched.total()[0]
    assert at_100_ms.captured == X.value(mid - 2 * price, 5) == bench.trader.ledger.captured
    assert at_100_ms.adverse_selection == X.value(-2 * 300, 5)
    bench.step(301_000)
    assert watched.waiting_by_horizon == (0, 0, 0, 0, 0)
    assert [sums.fills for sums in watched.total()] == [1] * len(HORIZONS_NS)


def test_a_fill_captures_what_the_ledger_says_before_and_after_a_move_of_the_book():
    for is_fill_first in (True, False):
        bench = DeskBench()
        order = one_side(bench.quote(), 1)[0]
        assert order.price is not None
        events = [filled(bench, order.client_id, "fill-1", order.price, 5), update(bench, "9997", "9999")]
        bench.wake(*(events if is_fill_first else reversed(events)), timer(bench))
        bench.step(200)
        captured = bench.desk.watcher.markouts.total()[0].captured
        mid = 2_000_000 if is_fill_first else 1_999_600
        assert captured == bench.trader.ledger.captured == X.value(mid - 2 * order.price, 5)


def test_a_fill_that_is_told_twice_is_followed_once():
    bench = DeskBench()
    order = one_side(bench.quote(), 1)[0]
    assert order.price is not None
    fill = filled(bench, order.client_id, "fill-1", order.price, 5)
    bench.wake(fill, fill, timer(bench))
    bench.wake(fill, timer(bench))
    bench.step(200)
    assert bench.desk.watcher.markouts.total()[0].fills == 1


def test_without_a_mid_at_the_horizon_a_fill_is_lost():
    bench = DeskBench()
    order = one_side(bench.quote(), 1)[0]
    assert order.price is not None
    bench.wake(filled(bench, order.client_id, "fill-1", order.price, 5), timer(bench))
    bench.feed(FeedState.STALE)
    bench.step(150)
    sums = bench.desk.watcher.markouts.total()[0]
    assert (sums.fills, sums.censored) == (0, 1)


def test_the_profit_is_remembered_once_a_second_while_it_can_be_told():
    bench = DeskBench()
    bench.market()
    bench.trade(BUY, "9990", 1_000)
    for _ in range(25):
        bench.step()
    times = [time_ns for time_ns, _ in bench.desk.watcher.profit]
    assert times == [0, 1 * S, 2 * S]
    assert [total for _, total in bench.desk.watcher.profit] == [0, X.atoms(10), X.atoms(10)]
    bench.feed(FeedState.STALE)
    for _ in range(25):
        bench.step()
    assert len(bench.desk.watcher.profit) == 3
