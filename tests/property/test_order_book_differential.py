"""A long random stream to the book and to the naive book: everything they say must be equal."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from book_twins import Twins

from engine.core.order import OrderType, Side, TimeInForce
from engine.core.order_book_events import SelfTrade

DEFAULT_OPERATIONS = 100_000
FULL_CHECK = 25
MIDDLE = 1_000
MOST_RESTING = 200
OWNERS = ("", "", "", "ann", "bob")


class Stream:
    """Random operations of every kind, all prices within 20 ticks of each other, sizes 1 to 20."""

    def __init__(self, seed: int, self_trade: SelfTrade) -> None:
        self.source = random.Random(seed)
        self.twins = Twins(self_trade, FULL_CHECK)
        self.number = 0
        self.now_ns = 0

    def step(self) -> None:
        source, twins = self.source, self.twins
        draw = source.random()
        if draw < 0.21 or len(twins.naive.resting) > MOST_RESTING:
            twins.cancel(self.some_id())
        elif draw < 0.57:
            self.submit()
        elif draw < 0.61:
            self.submit(time_in_force=TimeInForce.GTD)
        elif draw < 0.71:
            self.submit(OrderType.MARKET)
        elif draw < 0.84:
            terms = source.choice((TimeInForce.IOC, TimeInForce.FOK, None))
            self.submit(time_in_force=terms or TimeInForce.GTC, post_only=terms is None)
        elif draw < 0.88:
            self.submit(source.choice((OrderType.STOP, OrderType.STOP_LIMIT)))
        elif draw < 0.98:
            price = None if source.random() < 0.4 else MIDDLE + source.randint(-8, 8)
            twins.amend(self.some_id(), price, None if source.random() < 0.3 else source.randint(1, 20))
        elif draw < 0.99:
            twins.execute(self.some_id(), source.randint(0, 20))
        else:
            self.now_ns += source.randint(1, 100)
            twins.expire(self.now_ns)

    def submit(
        self,
        order_type: OrderType = OrderType.LIMIT,
        time_in_force: TimeInForce = TimeInForce.GTC,
        post_only: bool = False,
    ) -> None:
        source = self.source
        self.number += 1
        side = source.choice((Side.BUY, Side.SELL))
        # A thin book is quoted further away, a full one closer, so that it keeps some depth and trades.
        away = 3 if len(self.twins.naive.resting) < 60 else -1
        has_price = order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT)
        has_stop = order_type in (OrderType.STOP, OrderType.STOP_LIMIT)
        self.twins.submit(
            self.some_id() if source.random() < 0.01 else str(self.number),
            side,
            source.randint(1, 20),
            MIDDLE - side * away + source.randint(-8, 8) if has_price else None,
            order_type,
            time_in_force,
            post_only,
            source.choice(OWNERS),
            MIDDLE + source.randint(-10, 10) if has_stop else None,
            self.now_ns + source.randint(1, 200) if time_in_force is TimeInForce.GTD else 0,
        )

    def some_id(self) -> str:
        """Mostly a live order, now and then an ended or unknown one."""
        live = self.twins.live_ids()
        if live and self.source.random() < 0.95:
            return self.source.choice(live)
        return str(self.source.randint(0, self.number + 5))


def run(seed: int, operations: int) -> Counter[str]:
    """An equal share of the operations for each way of self-trade prevention."""
    counts: Counter[str] = Counter()
    for self_trade in SelfTrade:
        stream = Stream(seed, self_trade)
        for _ in range(operations // len(SelfTrade)):
            stream.step()
        stream.twins.compare_orders(stream.twins.pairs)
        counts += stream.twins.counts
    return counts


def assert_not_vacuous(counts: Counter[str]) -> None:
    operations = counts["operations"]
    assert counts["traded"] > 0.20 * operations, counts
    assert counts["partial"] > 0.05 * operations, counts
    for word in ("rejected", "amended", "expired", "triggered", "reduced", "removed", "executed"):
        assert counts[word] > operations / 1_000, (word, counts)


def test_the_book_equals_the_naive_book() -> None:
    assert_not_vacuous(run(seed=20260809, operations=DEFAULT_OPERATIONS))


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(10))
def test_the_book_equals_the_naive_book_over_a_million_operations(seed: int) -> None:
    assert_not_vacuous(run(seed, operations=100_000))
