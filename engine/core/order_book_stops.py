"""Stop orders that wait for a trade, outside the displayed depth."""

from __future__ import annotations

from bisect import bisect_left, insort

from engine.core.order import Side
from engine.core.order_book_levels import BookOrder

_Waiting = tuple[int, int, BookOrder]


class StopOrders:
    """Untriggered stops of both sides, the next one to trigger at the end of each list.

    A BUY stop triggers when a trade is at or above its stop price, a SELL stop at or below. One trade
    releases BUY stops first, lowest stop price first, then SELL stops, highest first; at one stop price
    the older order goes first.
    """

    __slots__ = ("_buys", "_sells")

    def __init__(self) -> None:
        self._buys: list[_Waiting] = []
        self._sells: list[_Waiting] = []

    def __len__(self) -> int:
        return len(self._buys) + len(self._sells)

    def add(self, order: BookOrder) -> None:
        """Let an order wait; its `arrival` decides among equals."""
        insort(self._list(order), self._entry(order))

    def remove(self, order: BookOrder) -> None:
        """Take out an order that waits."""
        waiting = self._list(order)
        del waiting[bisect_left(waiting, self._entry(order))]

    def release(self, trade_price: int) -> list[BookOrder]:
        """Take out every stop that a trade at this price triggers, in order of triggering."""
        released: list[BookOrder] = []
        buys, sells = self._buys, self._sells
        while buys and buys[-1][0] >= -trade_price:
            released.append(buys.pop()[2])
        while sells and sells[-1][0] >= trade_price:
            released.append(sells.pop()[2])
        return released

    def _list(self, order: BookOrder) -> list[_Waiting]:
        return self._buys if order.side is Side.BUY else self._sells

    @staticmethod
    def _entry(order: BookOrder) -> _Waiting:
        stop_price = order.terms.stop_price
        assert stop_price is not None
        return (-stop_price * order.side, -order.arrival, order)
