"""Strangers' orders, told from the levels that the venue publishes.

The market knows levels; the `full` channel and the book of level 3 speak of orders. So what a level gains
is an order more, and what it loses leaves its newest orders; a trade takes from the oldest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from engine.core.order import Side

Price = tuple[Side, int]
"""A side and a price in ticks."""


class Opened(NamedTuple):
    """A new order rests at the tail of its price."""

    order_id: str
    lots: int


class Resized(NamedTuple):
    """An order has another size, and keeps its place."""

    order_id: str
    old_lots: int
    lots: int


class Traded(NamedTuple):
    """A resting order traded."""

    order_id: str
    lots: int


class Gone(NamedTuple):
    """An order is out of the book."""

    order_id: str
    lots: int
    is_filled: bool


Change = Opened | Resized | Traded | Gone


class StrangerOrders:
    """The orders of one product, by side and price."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._queues: dict[Price, list[tuple[str, int]]] = {}

    def prices(self) -> Iterable[Price]:
        """Where there are orders."""
        return self._queues.keys()

    def at(self, price: Price) -> list[tuple[str, int]]:
        """Orders (id, lots) at a price, the oldest first."""
        return self._queues.get(price, [])

    def fit(self, price: Price, lots: int) -> list[Change]:
        """Make the orders at a price come to so many lots in all."""
        queue = self._queues.setdefault(price, [])
        surplus = sum(each for _, each in queue) - lots
        changes: list[Change] = []
        if surplus < 0:
            queue.append((self._new_id(), -surplus))
            changes.append(Opened(*queue[-1]))
        while surplus > 0:
            order_id, size = queue.pop()
            if size > surplus:
                queue.append((order_id, size - surplus))
                changes.append(Resized(order_id, size, size - surplus))
            else:
                changes.append(Gone(order_id, size, is_filled=False))
            surplus -= size
        if not queue:
            del self._queues[price]
        return changes

    def trade(self, price: Price, lots: int) -> list[Change]:
        """Let the oldest order at a price trade so many lots; it is made large enough where it is not."""
        queue = self._queues.setdefault(price, [])
        changes: list[Change] = []
        if not queue:
            queue.append((self._new_id(), lots))
            changes.append(Opened(*queue[0]))
        order_id, size = queue[0]
        if size < lots:
            changes.append(Resized(order_id, size, lots))
            size = lots
        changes.append(Traded(order_id, lots))
        if size > lots:
            queue[0] = (order_id, size - lots)
        else:
            del queue[0]
            changes.append(Gone(order_id, 0, is_filled=True))
        if not queue:
            del self._queues[price]
        return changes
