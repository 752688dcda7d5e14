"""The market that participants see: the matching book, the latent value, and ways to act on them."""

from __future__ import annotations

import math

from engine.core.instrument import Instrument
from engine.core.order import OrderType, Side, TimeInForce
from engine.core.order_book import OrderBook
from engine.core.order_book_events import SelfTrade
from engine.core.order_book_levels import BookOrder
from engine.exchange.simulator.value_process import ValueProcess


class Market:
    """A book with helpers that turn a participant's opinions, in floats, into legal orders.

    Nobody in the background takes beyond `reach` (a fraction) from the latent value: the venue's price
    protection, which keeps a big order from emptying the book.
    """

    __slots__ = ("_instrument", "_next_id", "_reach", "book", "value")

    def __init__(self, instrument: Instrument, value: ValueProcess, reach: float) -> None:
        self._instrument = instrument
        self._reach = reach
        self._next_id = 0
        self.value = value
        self.book = OrderBook(instrument, SelfTrade.CANCEL_RESTING, track_levels=True)

    def new_id(self) -> str:
        """The venue's next order id."""
        self._next_id += 1
        return str(self._next_id)

    def touch(self, side: Side) -> int | None:
        """Best price of a side, or None."""
        return self.book.best_bid() if side is Side.BUY else self.book.best_ask()

    def quote(self, side: Side, price: float, size: int) -> BookOrder | None:
        """Rest an order at `price` rounded away from the other side, at best one tick before its touch.

        None when the other side stands at the lowest price there is.
        """
        ticks = math.floor(price) if side is Side.BUY else math.ceil(price)
        other = self.touch(side.opposite)
        if other is not None:
            ticks = min(ticks, other - 1) if side is Side.BUY else max(ticks, other + 1)
        if ticks < 1:
            return None
        return self.book.submit(self.new_id(), side, self._legal(size, ticks), ticks, post_only=True)

    def take(self, side: Side, size: int, limit: float | None = None) -> None:
        """Take up to `size` lots at `limit` or better; what cannot trade at once is gone."""
        touch = self.touch(side.opposite)
        protection = self.value.now * (1.0 + side * self._reach)
        if limit is None or side * (protection - limit) < 0.0:
            limit = protection
        price = math.floor(limit) if side is Side.BUY else math.ceil(limit)
        if touch is None or side * (price - touch) < 0:
            return
        self.book.submit(
            self.new_id(), side, self._legal(size, price), price, OrderType.LIMIT, TimeInForce.IOC
        )

    def lots_within(self, side: Side, limit: float) -> int:
        """Lots that a taker on `side` finds at `limit` or better."""
        return sum(size for price, size in self.book.levels(side.opposite) if side * (limit - price) >= 0.0)

    def cancel(self, order: BookOrder) -> None:
        """Take an order out, if it still rests."""
        if order.is_resting:
            self.book.cancel(order.order_id)

    def _legal(self, size: int, price: int) -> int:
        """The size raised to the product's minimum, or lowered to its maximum."""
        rules = self._instrument
        least = max(1, rules.min_size, -(-rules.min_notional // rules.notional(price, 1)))
        size = max(size, least)
        return size if rules.max_size is None else min(size, rules.max_size)
