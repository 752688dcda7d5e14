"""Stop orders that wait for a trade, outside the displayed depth."""

from __future__ import annotations

from bisect import bisect_left, insort

from engine.core.order import BUY
from engine.core.order_book_levels import BookOrder

_Entry = tuple[int, int, BookOrder]


class StopOrders:
    """Untriggered stops of both sides, the next one to trigger at the end of each list.

    A BUY stop triggers when a trade is at or above its stop price, a SELL stop at or below. One trade
    releases BUY stops first, lowest stop price first, then SELL stops, highest first; at one stop price
    the older order goes first.
    """

    __slots__ = ("_buys", "_by_id", "_number", "_sells")

    def __init__(self) -> None:
        self._buys: list[_Entry] = []
        self._sells: list[_Entry] = []
        self._by_id: dict[str, _Entry] = {}
        self._number = 0

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, order: BookOrder) -> None:
        """Let an order wait behind those that wait for the same price."""
        stop_price = order.terms.stop_price
        assert stop_price is not None
        self._number += 1
        entry = self._by_id[order.order_id] = (-stop_price * order.side, -self._number, order)
        insort(self._buys if order.side is BUY else self._sells, entry)

    def remove(self, order: BookOrder) -> None:
        """Take out an order that waits."""
        entries = self._buys if order.side is BUY else self._sells
        del entries[bisect_left(entries, self._by_id.pop(order.order_id))]

    def waiting(self) -> list[BookOrder]:
        """The orders that wait, those that came first at the front: added in this order, they wait alike."""
        return [entry[2] for entry in sorted(self._by_id.values(), key=_age, reverse=True)]

    def release(self, trade_price: int) -> list[BookOrder]:
        """Take out every stop that a trade at this price triggers, in order of triggering."""
        released: list[BookOrder] = []
        for entries, key in ((self._buys, -trade_price), (self._sells, trade_price)):
            while entries and entries[-1][0] >= key:
                order = entries.pop()[2]
                del self._by_id[order.order_id]
                released.append(order)
        return released


def _age(entry: _Entry) -> int:
    return entry[1]
