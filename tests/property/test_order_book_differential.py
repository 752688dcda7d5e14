"""The same random operations to the book and to the naive book: everything they say must be equal."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

import pytest
from naive_book import NaiveBook, NaiveOrder

from engine.core.instrument import Instrument
from engine.core.order import OrderState, OrderType, Side, TimeInForce
from engine.core.order_book import OrderBook
from engine.core.order_book_events import BookChange, SelfTrade
from engine.core.order_book_levels import BookOrder

DEFAULT_OPERATIONS = 100_000
FULL_CHECK = 25
"""Orders that an operation names are compared after it, all orders after so many operations."""
MIDDLE = 1_000
OWNERS = ("", "", "", "ann", "bob")


class Twins:
    """Both books, driven alike and compared after every operation."""

    def __init__(self, seed: int, self_trade: SelfTrade) -> None:
        self.source = random.Random(seed)
        instrument = Instrument.create("BTC-USD", tick="1", lot="1")
        self.book = OrderBook(instrument, self_trade, track_levels=True)
        self.naive = NaiveBook(self_trade=self_trade.value)
        self.heard: list[BookChange] = []
        self.book.add_listener(self.heard.append)
        self.pairs: dict[str, tuple[BookOrder, NaiveOrder]] = {}
        self.changes_seen = 0
        self.trades_seen = 0
        self.number = 0
        self.submitted = ""
        self.now_ns = 0
        self.counts: Counter[str] = Counter()
        self.mirror: dict[Side, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}

    # -- operations ----------------------------------------------------------------------------------

    def step(self) -> None:
        draw = self.source.random()
        if len(self.naive.resting) > 200:
            self.cancel()
        elif draw < 0.36:
            self.submit(time_in_force=TimeInForce.GTC)
        elif draw < 0.40:
            self.submit(time_in_force=TimeInForce.GTD, expires_ns=self.now_ns + self.source.randint(1, 200))
        elif draw < 0.61:
            self.cancel()
        elif draw < 0.71:
            self.submit(order_type=OrderType.MARKET)
        elif draw < 0.84:
            kind = self.source.choice(("ioc", "fok", "post_only"))
            if kind == "post_only":
                self.submit(post_only=True)
            else:
                self.submit(time_in_force=TimeInForce(kind))
        elif draw < 0.88:
            self.submit(order_type=self.source.choice((OrderType.STOP, OrderType.STOP_LIMIT)))
        elif draw < 0.98:
            self.amend()
        elif draw < 0.99:
            self.execute()
        else:
            self.expire()

    def submit(
        self,
        order_type: OrderType = OrderType.LIMIT,
        time_in_force: TimeInForce = TimeInForce.GTC,
        post_only: bool = False,
        expires_ns: int = 0,
    ) -> None:
        source = self.source
        self.number += 1
        order_id = str(self.number)
        if self.pairs and source.random() < 0.01:
            order_id = source.choice(list(self.pairs))
        side = source.choice((Side.BUY, Side.SELL))
        size = source.randint(1, 20)
        away = 4 if len(self.naive.resting) < 60 else -1
        price = MIDDLE - side * away + source.randint(-8, 8)
        stop_price = MIDDLE + source.randint(-10, 10)
        arguments = (
            order_id,
            side,
            size,
            price if order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT) else None,
            order_type,
            time_in_force,
            post_only,
            source.choice(OWNERS),
            stop_price if order_type in (OrderType.STOP, OrderType.STOP_LIMIT) else None,
            expires_ns,
        )
        self.submitted = order_id
        trades = len(self.naive.trades)
        order, naive = self.book.submit(*arguments), self.naive.submit(*arguments)
        assert order.state is naive.state
        assert order.code == naive.code
        if naive.state is OrderState.REJECTED:
            self.counts["rejected"] += 1
            assert (order.size, order.remaining) == (size, size)
        else:
            self.pairs[order_id] = (order, naive)
        self.check(trades)

    def cancel(self) -> None:
        order_id = self.some_id()
        assert self.book.cancel(order_id) is self.naive.cancel(order_id)
        self.check(len(self.naive.trades))

    def amend(self) -> None:
        order_id, source = self.some_id(), self.source
        price = None if source.random() < 0.4 else MIDDLE + source.randint(-8, 8)
        size = None if source.random() < 0.3 else source.randint(1, 20)
        trades = len(self.naive.trades)
        reason = self.book.amend(order_id, price, size)
        assert ("" if reason is None else reason.code.value) == self.naive.amend(order_id, price, size)
        self.counts["amended"] += reason is None
        self.check(trades)

    def execute(self) -> None:
        order_id, size = self.some_id(), self.source.randint(0, 20)
        assert self.book.execute(order_id, size) is self.naive.execute(order_id, size)
        self.check(len(self.naive.trades))

    def expire(self) -> None:
        self.now_ns += self.source.randint(1, 100)
        expired = [order.order_id for order in self.book.expire(self.now_ns)]
        assert expired == self.naive.expire(self.now_ns)
        self.counts["expired"] += len(expired)
        self.check(len(self.naive.trades))

    def some_id(self) -> str:
        """Mostly a live order, now and then an ended or unknown one."""
        live = self.naive.resting + self.naive.stops
        if live and self.source.random() < 0.95:
            return self.source.choice(live).order_id
        return str(self.source.randint(0, self.number + 5))

    # -- comparison ----------------------------------------------------------------------------------

    def check(self, trades_before: int) -> None:
        book, naive, counts = self.book, self.naive, self.counts
        trades = [
            (t.sequence, t.price, t.size, t.maker_id, t.taker_id, t.taker_side) for t in book.drain_trades()
        ]
        assert trades == naive.trades[trades_before:]
        news = naive.changes[self.changes_seen :]
        self.changes_seen = len(naive.changes)
        assert [_plain(change) for change in self.heard] == news
        self.heard.clear()
        assert book.sequence() == len(naive.changes)
        for side in Side:
            assert book.levels(side) == naive.levels(side)
        assert book.order_count == len(naive.resting)
        assert book.stop_count == len(naive.stops)
        touched = {change[2] for change in news} | {self.submitted}
        touched.update(order_id for trade in trades for order_id in trade[3:5])
        counts["operations"] += 1
        counts["traded"] += bool(trades)
        counts["partial"] += any(self.is_partial(order_id) for trade in trades for order_id in trade[3:5])
        counts.update(change[1] for change in news)
        self.compare_orders(self.pairs if counts["operations"] % FULL_CHECK == 0 else touched)
        for side, drained in zip(Side, book.drain_changed_levels(), strict=True):
            for price, size in drained:
                self.mirror[side][price] = size
                if not size:
                    del self.mirror[side][price]
            assert self.mirror[side] == dict(naive.levels(side))

    def compare_orders(self, order_ids: Iterable[str]) -> None:
        for order_id in list(order_ids):
            if order_id not in self.pairs:
                continue
            order, twin = self.pairs[order_id]
            assert (order.state, order.size, order.remaining, order.filled, order.price, order.code) == (
                twin.state,
                twin.size,
                twin.remaining,
                twin.filled,
                twin.price,
                twin.code,
            )
            if twin.state.is_terminal:
                assert self.book.get(order_id) is None
                del self.pairs[order_id]
            else:
                assert self.book.get(order_id) is order
                ahead = None if twin in self.naive.stops else self.naive.ahead(twin)
                assert self.book.orders_ahead_volume(order_id) == ahead

    def is_partial(self, order_id: str) -> bool:
        twin = self.pairs[order_id][1]
        return 0 < twin.filled < twin.size


def _plain(change: BookChange) -> tuple[int, str, str, Side, int, int, int]:
    return (
        change.sequence,
        change.kind.value,
        change.order_id,
        change.side,
        change.price,
        change.delta,
        change.level_size,
    )


def run(seed: int, operations: int) -> Counter[str]:
    """An equal share of the operations for each self-trade mode."""
    counts: Counter[str] = Counter()
    for mode in SelfTrade:
        twins = Twins(seed, mode)
        for _ in range(operations // 3):
            twins.step()
        twins.compare_orders(twins.pairs)
        counts += twins.counts
    return counts


def assert_not_vacuous(counts: Counter[str]) -> None:
    operations = counts["operations"]
    assert counts["traded"] > 0.20 * operations, counts
    assert counts["partial"] > 0.05 * operations, counts
    for word in ("rejected", "amended", "expired", "triggered", "reduced", "removed", "executed"):
        assert counts[word] > operations / 2_000, (word, counts)


def test_the_book_equals_the_naive_book() -> None:
    assert_not_vacuous(run(seed=20260809, operations=DEFAULT_OPERATIONS))


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(10))
def test_the_book_equals_the_naive_book_over_a_million_operations(seed: int) -> None:
    assert_not_vacuous(run(seed, operations=100_000))
