"""Telling others what changed in an order book: listeners, and the set of levels that moved."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from engine.core.order import BUY, Side
from engine.core.order_book_events import BookChange, ChangeKind

Listener = Callable[[BookChange], None]


class ChangeLog:
    """Collects changes while the book works and hands them out when the book is whole again.

    `is_active` is False while nobody wants to know: then the book calls nothing here.
    """

    __slots__ = ("_asks", "_bids", "_changes", "_listeners", "_track_levels", "is_active")

    def __init__(self, track_levels: bool) -> None:
        self.is_active = track_levels
        self._track_levels = track_levels
        self._listeners: list[Listener] = []
        self._changes: list[BookChange] = []
        self._bids: set[int] = set()
        self._asks: set[int] = set()

    def add_listener(self, listener: Listener) -> None:
        """Call this one after every operation that changed something."""
        self._listeners.append(listener)
        self.is_active = True

    def remove_listener(self, listener: Listener) -> None:
        """Stop calling it; a `ValueError` when it was never added."""
        self._listeners.remove(listener)
        self.is_active = self._track_levels or bool(self._listeners)

    def note(
        self,
        sequence: int,
        kind: ChangeKind,
        order_id: str,
        side: Side,
        price: int,
        delta: int,
        level_size: int,
    ) -> None:
        """Keep one change (see `BookChange`)."""
        if self._track_levels and delta:
            (self._bids if side is BUY else self._asks).add(price)
        if self._listeners:
            self._changes.append(BookChange(sequence, kind, order_id, side, price, delta, level_size))

    def publish(self) -> None:
        """Tell every listener every change, in order. A listener may use the book."""
        while self._changes:
            changes, self._changes = self._changes, []
            for change in changes:
                for listener in tuple(self._listeners):
                    listener(change)

    def changed_prices(self) -> tuple[list[int], list[int]]:
        """What `drain_prices` would give now."""
        return sorted(self._bids, reverse=True), sorted(self._asks)

    def set_changed_prices(self, bids: Iterable[int], asks: Iterable[int]) -> None:
        """Take these for the levels that changed since the last call of `drain_prices`."""
        self._bids, self._asks = set(bids), set(asks)

    def drain_prices(self) -> tuple[list[int], list[int]]:
        """Prices of the levels that changed since the last call, best first: bids, asks."""
        bids, asks = self.changed_prices()
        self._bids.clear()
        self._asks.clear()
        return bids, asks
