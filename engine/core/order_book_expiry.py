"""When orders good till a date come to their end."""

from __future__ import annotations

from bisect import bisect_left, insort

from engine.core.order_book_levels import BookOrder


class ExpiryQueue:
    """Live GTD orders by time of expiry, older orders first among equals."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: list[tuple[int, int, BookOrder]] = []

    def add(self, order: BookOrder) -> None:
        """Watch an order."""
        insort(self._entries, (order.terms.expires_ns, order.arrival, order))

    def remove(self, order: BookOrder) -> None:
        """Forget an order that is watched."""
        del self._entries[bisect_left(self._entries, (order.terms.expires_ns, order.arrival, order))]

    def due(self, now_ns: int) -> list[BookOrder]:
        """The orders whose time has come, earliest first; they stay watched."""
        return [order for _, _, order in self._entries[: bisect_left(self._entries, (now_ns + 1,))]]
