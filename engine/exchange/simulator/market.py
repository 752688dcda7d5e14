"""The market that participants see: the matching book, the latent value, and ways to act on them."""

from __future__ import annotations

import math
from typing import Final

import msgspec

from engine.core.instrument import Instrument
from engine.core.order import BUY, OrderState, OrderType, Side, TimeInForce
from engine.core.order_book import OrderBook
from engine.core.order_book_events import SelfTrade
from engine.core.order_book_levels import PLAIN, BookOrder
from engine.core.order_book_state import BookState, load_book, save_book
from engine.exchange.simulator.value_process import ValueProcess, ValueState

_GONE: Final = BookOrder("", BUY, 0, None, "", PLAIN)
"""Any order that has ended, for those who hold on to one: all they ask is whether it rests."""
_GONE.state = OrderState.CANCELLED


class MarketState(msgspec.Struct, frozen=True, gc=False):
    """A `Market`; `next_id` is the last order id that was given out."""

    next_id: int
    value: ValueState
    book: BookState


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

    def save(self) -> MarketState:
        """A copy."""
        return MarketState(self._next_id, self.value.save(), save_book(self.book))

    def load(self, state: MarketState) -> None:
        """Go on from a saved one. Whoever holds orders of the book gets them anew by `order_of`."""
        self._next_id = state.next_id
        self.value.load(state.value)
        load_book(self.book, state.book)

    @staticmethod
    def reference(order: BookOrder) -> str:
        """What `order_of` finds an order by after a load; empty for every order that does not rest."""
        return order.order_id if order.is_resting else ""

    def order_of(self, reference: str) -> BookOrder:
        """The order of a saved reference: a resting one, or, for an empty one, some order that has ended."""
        order = self.book.get(reference)
        return _GONE if order is None else order

    def _legal(self, size: int, price: int) -> int:
        """The size raised to the product's minimum, or lowered to its maximum."""
        rules = self._instrument
        least = max(1, rules.min_size, -(-rules.min_notional // rules.notional(price, 1)))
        size = max(size, least)
        return size if rules.max_size is None else min(size, rules.max_size)
