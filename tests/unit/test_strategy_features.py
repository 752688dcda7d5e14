"""What every built-in strategy can do besides its prices, seen in the orders that a Trader sends."""

from __future__ import annotations

import math
from typing import Any

import pytest
from trader_bench import D, TraderBench, X, cancels, one_side, submits

from engine.core.events import FeedState, SubmitOrder
from engine.strategies import BUILT_IN

pytestmark = pytest.mark.parametrize("name", sorted(BUILT_IN))


def bench_of(name: str, **changes: Any) -> TraderBench:
    base = {"engine__strategy": name, "model__calibrate": False, "fees__maker_bps": D(0)}
    return TraderBench(**base | changes)


def prices(orders: list[SubmitOrder], sign: int) -> list[int]:
    return [order.price or 0 for order in one_side(orders, sign)]


def act(bench: TraderBench, ms: int = 100) -> list[SubmitOrder]:
    """One step, everything accepted and proven; what was sent."""
    commands = bench.step(ms)
    bench.accept(commands)
    bench.prove(commands)
    return submits(commands)


def working(bench: TraderBench, sign: int) -> int:
    return sum(order.side == sign for order in bench.trader.orders.open_orders())


def test_it_quotes_both_sides_when_flat(name: str) -> None:
    orders = bench_of(name, strategy__levels=4, strategy__price_level_spacing=D("0.3")).quote()
    bids, asks = prices(orders, 1), prices(orders, -1)
    assert [order.slot for order in one_side(orders, 1)] == ["B0", "B1", "B2", "B3"]
    assert bids[0] < X.ticks("10000") < asks[0]
    # Three tenths of a base spread of ten basis points.
    assert [bids[0] - bid for bid in bids] == [ask - asks[0] for ask in asks] == [0, 300, 600, 900]


def test_an_order_near_enough_to_its_price_is_kept(name: str) -> None:
    bench = bench_of(name, strategy__reprice_tolerance_ticks=20)
    bench.quote()
    bench.market("9999.15", "10001.15")
    assert not bench.step()
    bench.market("9999.50", "10001.50")
    assert len(cancels(bench.step())) == 6


def test_a_young_order_is_not_replaced_but_withdrawn_at_once(name: str) -> None:
    bench = bench_of(name, strategy__min_quote_life_ms=2_000)
    bench.quote()
    bench.market("10001", "10003")
    assert not bench.step(1_000)
    assert len(cancels(bench.step(1_000))) == 6
    other = bench_of(name, strategy__min_quote_life_ms=2_000)
    other.quote()
    assert len(cancels(other.feed(FeedState.STALE))) == 6


def test_a_side_that_was_filled_pauses(name: str) -> None:
    bench = bench_of(name, strategy__post_fill_pause_ms=1_000)
    bid = one_side(bench.quote(), 1)[0]
    bench.fill(bid)
    for _ in range(9):
        assert not one_side(act(bench), 1)
    assert {order.slot for order in one_side(act(bench), 1)} >= {"B0"}


def test_many_fills_of_a_side_withdraw_it_until_they_are_old(name: str) -> None:
    bench = bench_of(name, strategy__fill_brake_n=2, strategy__fill_brake_window_s=D(3))
    first, second, _ = one_side(bench.quote(), 1)
    bench.fill(first)
    act(bench)
    assert working(bench, 1) > 0
    bench.fill(second)
    act(bench)
    assert (working(bench, 1), working(bench, -1)) == (0, 3)
    assert "no bid: 2 fills within 3 s (fill_brake_n)" in bench.trader.decision.reason
    for _ in range(27):
        act(bench)
    assert working(bench, 1) == 0
    act(bench)
    act(bench)
    assert working(bench, 1) == 3


@pytest.mark.parametrize("sign", [1, -1])
def test_the_closing_side_keeps_away_from_the_last_fill_that_is_not_hedged(name: str, sign: int) -> None:
    bench = bench_of(name, strategy__min_distance_from_unhedged_bps=D(30))
    first, second, _ = one_side(bench.quote(), sign)
    bench.fill(first)
    bench.fill(second)
    act(bench)
    act(bench)
    closing = [order.price for order in bench.trader.orders.open_orders() if order.side == -sign]
    assert second.price is not None
    last = second.price * (1 + sign * 0.003)
    nearest = min(closing) if sign > 0 else max(closing)
    assert nearest == (math.ceil(last) if sign > 0 else math.floor(last))


def test_the_price_leans_against_the_position(name: str) -> None:
    bench = bench_of(name, strategy__max_position=D("0.05"))
    orders = bench.quote()
    before = prices(orders, -1)[0]
    bench.fill(one_side(orders, 1)[0])
    bench.fill(one_side(orders, 1)[1])
    act(bench)
    act(bench)
    after = min(order.price for order in bench.trader.orders.open_orders() if order.side == -1)
    assert after < before, "what is long sells cheaper"
