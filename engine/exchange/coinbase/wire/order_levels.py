"""An order-by-order book, kept for the totals of its price levels."""

from __future__ import annotations

from engine.core.events import Level
from engine.core.order import Side


class OrderLevels:
    """Resting orders by id, and how many lots each price holds in all.

    Each change answers with the level it leaves: (side, price, lots left there). Raises `ValueError`,
    with nothing changed, where a message contradicts the book: an order twice, a match of an order
    that does not rest or is smaller. That book missed something.
    """

    __slots__ = ("_orders", "_totals")

    def __init__(self) -> None:
        self._orders: dict[str, tuple[Side, int, int]] = {}
        self._totals: dict[Side, dict[int, int]] = {Side.BUY: {}, Side.SELL: {}}

    def __len__(self) -> int:
        return len(self._orders)

    def __contains__(self, order_id: str) -> bool:
        return order_id in self._orders

    def levels(self, side: Side) -> list[Level]:
        """All levels of a side, in no order."""
        return list(self._totals[side].items())

    def add(self, order_id: str, side: Side, price: int, size: int) -> tuple[Side, int, int]:
        """An order rests."""
        if order_id in self._orders:
            raise ValueError(f"order {order_id[:40]} rests already")
        if size <= 0:
            raise ValueError(f"order {order_id[:40]} rests with {size} lots")
        self._orders[order_id] = (side, price, size)
        return self._shift(side, price, size)

    def reduce(self, order_id: str, price: int, size: int) -> tuple[Side, int, int]:
        """A resting order was matched; with nothing left it is gone (its `done` follows)."""
        resting = self._orders.get(order_id)
        if resting is None or resting[1] != price or resting[2] < size:
            raise ValueError(f"order {order_id[:40]} does not rest with {size} lots at {price}")
        side, price, left = resting
        if left == size:
            del self._orders[order_id]
        else:
            self._orders[order_id] = (side, price, left - size)
        return self._shift(side, price, -size)

    def remove(self, order_id: str) -> tuple[Side, int, int] | None:
        """A resting order is gone; None if it did not rest, which is normal."""
        resting = self._orders.pop(order_id, None)
        if resting is None:
            return None
        side, price, left = resting
        return self._shift(side, price, -left)

    def order(self, order_id: str) -> tuple[Side, int, int]:
        """Side, price and remaining lots of a resting order."""
        return self._orders[order_id]

    def _shift(self, side: Side, price: int, lots: int) -> tuple[Side, int, int]:
        totals = self._totals[side]
        total = totals.get(price, 0) + lots
        if total:
            totals[price] = total
        else:
            totals.pop(price, None)
        return side, price, total
