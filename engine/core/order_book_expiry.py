"""When orders good till a date come to their end."""

from __future__ import annotations

from bisect import bisect_left, insort

from engine.core.order_book_levels import BookOrder

_Entry = tuple[int, int, BookOrder]


class ExpiryQueue:
    """Live GTD orders by time of expiry; the one that came first goes first among equals."""

    __slots__ = ("_by_id", "_entries", "_number")

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._by_id: dict[str, _Entry] = {}
        self._number = 0

    def add(self, order: BookOrder) -> None:
        """Watch an order."""
        self._number += 1
        entry = self._by_id[order.order_id] = (order.terms.expires_ns, self._number, order)
        insort(self._entries, entry)

    def remove(self, order: BookOrder) -> None:
        """Forget an order that is watched."""
        del self._entries[bisect_left(self._entries, self._by_id.pop(order.order_id))]

    def watched(self) -> list[BookOrder]:
        """The orders that are watched, those that came first at the front."""
        return [order for _, _, order in sorted(self._by_id.values(), key=_number)]

    def due(self, now_ns: int) -> list[BookOrder]:
        """The orders whose time has come, earliest first; they stay watched."""
        return [order for _, _, order in self._entries[: bisect_left(self._entries, (now_ns + 1,))]]


def _number(entry: _Entry) -> int:
    return entry[1]
