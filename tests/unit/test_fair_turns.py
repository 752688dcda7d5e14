"""Where the rate of orders (R11) does not serve every quote, neither side is served before the other."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from trader_bench import TraderBench

from engine.core.order import BUY, SELL, Side
from engine.core.own_orders import unexplained
from engine.strategy.protocol import Quote
from engine.trader.fair_turns import in_turn

SCARCE: dict[str, Any] = {"risk__max_orders_per_s": 5, "risk__max_order_burst": 10}


def quote(side: Side) -> Quote:
    return Quote("slot", side, 0, 100, 1, unexplained, unexplained)


def resting(bench: TraderBench) -> Counter[Side]:
    own = bench.trader.orders.own.by_id.values()
    return Counter(order.side for order in own if order.cancel_asked_ns is None)


def test_both_sides_rest_equally_long_in_a_market_that_moves_faster_than_orders_may() -> None:
    bench = TraderBench(strategy__min_quote_life_ms=500, **SCARCE)
    rested: Counter[Side] = Counter()
    for step in range(600):
        cents = step * 7 % 40
        bench.market(f"{9999 + cents / 100:.2f}", f"{10001 + cents / 100:.2f}")
        commands = bench.step()
        bench.accept(commands)
        bench.prove(commands)
        rested += resting(bench)
    assert rested.total() < 600 * 6 * 0.9, "the rate is not scarce: this tests nothing"
    assert 0.97 < rested[BUY] / rested[SELL] < 1.03


@pytest.mark.parametrize(("sent_last", "first"), [(BUY, SELL), (SELL, BUY), (None, BUY)])
def test_of_sides_that_rest_alike_the_one_that_was_not_sent_last_goes_first(
    sent_last: Side | None, first: Side
) -> None:
    bid, ask = (quote(side) for side in (BUY, SELL))
    assert in_turn([bid, ask], (), sent_last)[0].side is first


def test_quotes_are_sent_in_the_strategys_order_where_the_rate_serves_them_all() -> None:
    for burst, slots in ((6, "B0 B1 B2 A0 A1 A2"), (5, "B0 A0 B1 A1 B2"), (1, "B0")):
        orders = TraderBench(risk__max_orders_per_s=1, risk__max_order_burst=burst).quote()
        assert " ".join(order.slot for order in orders) == slots
