"""What can be asked of a matching order book: its orders, their queues and its depth."""

from __future__ import annotations

from engine.core.depth import DepthReader, Sweep
from engine.core.events import Level
from engine.core.instrument import Instrument
from engine.core.order import BUY, SELL, Side
from engine.core.order_book_levels import BookOrder, BookSide
from engine.core.order_book_stops import StopOrders


class OrderBookReader(DepthReader):
    """The reading half of `OrderBook`, over the orders that rest and the stops that wait."""

    __slots__ = ("_asks", "_bids", "_last_price", "_orders", "_sequence", "_stops", "instrument")

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self._bids = BookSide(BUY)
        self._asks = BookSide(SELL)
        self._stops = StopOrders()
        self._orders: dict[str, BookOrder] = {}
        self._last_price: int | None = None
        self._sequence = 0

    def get(self, order_id: str) -> BookOrder | None:
        """The live order of that id, resting or waiting for its trigger. To be read only."""
        return self._orders.get(order_id)

    def orders(self) -> list[BookOrder]:
        """Every live order, in the order in which they came to rest or to wait."""
        return list(self._orders.values())

    def queue(self, side: Side, price: int) -> list[BookOrder]:
        """The orders at a price, first to be filled first."""
        queue = []
        level = (self._bids if side is BUY else self._asks).level_at(price)
        order = None if level is None else level.head
        while order is not None:
            queue.append(order)
            order = order.next
        return queue

    def orders_ahead_volume(self, order_id: str) -> int | None:
        """Lots queued in front of an order at its price; None for an order that does not rest."""
        order = self._orders.get(order_id)
        if order is None or order.level is None:
            return None
        lots, ahead = 0, order.previous
        while ahead is not None:
            lots += ahead.remaining
            ahead = ahead.previous
        return lots

    @property
    def order_count(self) -> int:
        """Orders resting in the depth."""
        return len(self._orders) - len(self._stops)

    @property
    def stop_count(self) -> int:
        """Stops that wait for their trigger."""
        return len(self._stops)

    @property
    def last_price(self) -> int | None:
        """Price of the last trade; None before the first."""
        return self._last_price

    def best_bid(self) -> int | None:
        """See `DepthReader`."""
        return self._bids.best()

    def best_ask(self) -> int | None:
        """See `DepthReader`."""
        return self._asks.best()

    def levels(self, side: Side, depth: int | None = None) -> list[Level]:
        """See `DepthReader`."""
        return (self._bids if side is BUY else self._asks).depth(depth)

    def volume_at(self, side: Side, price: int) -> int:
        """See `DepthReader`."""
        return (self._bids if side is BUY else self._asks).volume_at(price)

    def sweep(self, taker_side: Side, size: int) -> Sweep:
        """See `DepthReader`."""
        return (self._asks if taker_side is BUY else self._bids).sweep(size)

    def sequence(self) -> int:
        """See `DepthReader`."""
        return self._sequence
