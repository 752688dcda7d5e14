"""The order book and its oracle, driven alike and compared after every operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from naive_book import NaiveBook, NaiveOrder

from engine.core.instrument import Instrument
from engine.core.order import OrderState, OrderType, Side, TimeInForce
from engine.core.order_book import OrderBook
from engine.core.order_book_events import BookChange, SelfTrade, Trade
from engine.core.order_book_levels import BookOrder


class Twins:
    """Every method does the same to both books and raises AssertionError where they differ.

    `trades` and `changes` are what the last operation caused, `pairs` the orders that are live or ended
    in the last operation, by id. `counts` tells what happened so far, so that a test can show that it
    was not vacuous. All orders are compared after every `full_check` operations, those that an
    operation named or changed after each one.
    """

    def __init__(self, self_trade: SelfTrade, full_check: int = 1) -> None:
        self.book = OrderBook(Instrument.create("BTC-USD", tick="1", lot="1"), self_trade, track_levels=True)
        self.naive = NaiveBook(self_trade=self_trade.value)
        self.trades: list[Trade] = []
        self.changes: list[BookChange] = []
        self.pairs: dict[str, tuple[BookOrder, NaiveOrder]] = {}
        self.counts: Counter[str] = Counter()
        self.mirror: dict[Side, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}
        self._full_check = full_check
        self._trades_seen = 0
        self._changes_seen = 0
        self.book.add_listener(self.changes.append)

    def submit(
        self,
        order_id: str,
        side: Side,
        size: int,
        price: int | None = None,
        order_type: OrderType = OrderType.LIMIT,
        time_in_force: TimeInForce = TimeInForce.GTC,
        post_only: bool = False,
        owner: str = "",
        stop_price: int | None = None,
        expires_ns: int = 0,
    ) -> BookOrder:
        self._begin()
        arguments = (
            order_id,
            side,
            size,
            price,
            order_type,
            time_in_force,
            post_only,
            owner,
            stop_price,
            expires_ns,
        )
        order, naive = self.book.submit(*arguments), self.naive.submit(*arguments)
        assert (order.state, order.code, order.remaining) == (naive.state, naive.code, naive.remaining)
        if naive.state is OrderState.REJECTED:
            self.counts["rejected"] += 1
            self.counts[naive.code] += 1
        else:
            self.pairs[order_id] = (order, naive)
        self._compare(order_id)
        return order

    def cancel(self, order_id: str) -> bool:
        self._begin()
        is_cancelled = self.book.cancel(order_id)
        assert is_cancelled is self.naive.cancel(order_id)
        self._compare(order_id)
        return is_cancelled

    def amend(self, order_id: str, price: int | None, size: int | None) -> bool:
        self._begin()
        reason = self.book.amend(order_id, price, size)
        assert ("" if reason is None else reason.code.value) == self.naive.amend(order_id, price, size)
        self.counts["amended" if reason is None else "amend refused"] += 1
        self._compare(order_id)
        return reason is None

    def execute(self, order_id: str, size: int) -> bool:
        self._begin()
        is_done = self.book.execute(order_id, size)
        assert is_done is self.naive.execute(order_id, size)
        self._compare(order_id)
        return is_done

    def expire(self, now_ns: int) -> None:
        self._begin()
        expired = [order.order_id for order in self.book.expire(now_ns)]
        assert expired == self.naive.expire(now_ns)
        self.counts["expired"] += len(expired)
        self._compare("")

    def live_ids(self) -> list[str]:
        return [order.order_id for order in self.naive.resting + self.naive.stops]

    # -- comparison ----------------------------------------------------------------------------------

    def _begin(self) -> None:
        self.changes.clear()
        for order_id in [key for key, (order, _) in self.pairs.items() if order.state.is_terminal]:
            del self.pairs[order_id]

    def _compare(self, named: str) -> None:
        book, naive, counts = self.book, self.naive, self.counts
        self.trades = book.drain_trades()
        trades = [_plain_trade(trade) for trade in self.trades]
        changes = [_plain_change(change) for change in self.changes]
        assert trades == naive.trades[self._trades_seen :]
        assert changes == naive.changes[self._changes_seen :]
        self._trades_seen, self._changes_seen = len(naive.trades), len(naive.changes)
        assert book.sequence() == len(naive.changes)
        assert (book.order_count, book.stop_count) == (len(naive.resting), len(naive.stops))
        traders = {order_id for trade in trades for order_id in trade[3:5]}
        counts["operations"] += 1
        counts["traded"] += bool(trades)
        counts["partial"] += any(0 < self.pairs[key][1].filled < self.pairs[key][1].size for key in traders)
        counts.update(change[1] for change in changes)
        is_full = counts["operations"] % self._full_check == 0
        self.compare_orders(self.pairs if is_full else traders | {named} | {change[2] for change in changes})
        self._compare_depth()

    def _compare_depth(self) -> None:
        for side, drained in zip(Side, self.book.drain_changed_levels(), strict=True):
            levels = self.naive.levels(side)
            assert self.book.levels(side) == levels
            for price, size in drained:
                self.mirror[side][price] = size
                if not size:
                    del self.mirror[side][price]
            assert self.mirror[side] == dict(levels)

    def compare_orders(self, order_ids: Iterable[str]) -> None:
        for order_id in order_ids:
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
            else:
                assert self.book.get(order_id) is order
                ahead = None if twin in self.naive.stops else self.naive.ahead(twin)
                assert self.book.orders_ahead_volume(order_id) == ahead


def _plain_trade(trade: Trade) -> tuple[int, int, int, str, str, Side]:
    return (trade.sequence, trade.price, trade.size, trade.maker_id, trade.taker_id, trade.taker_side)


def _plain_change(change: BookChange) -> tuple[int, str, str, Side, int, int, int]:
    return (
        change.sequence,
        change.kind.value,
        change.order_id,
        change.side,
        change.price,
        change.delta,
        change.level_size,
    )
