"""A matching book as a plain value: saved between two operations, loaded to go on exactly as before.

Apart from the book, so that the book holds nothing but matching; it is the one stranger that reads and
writes a book's own fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from engine.core.order import OrderState, Side
from engine.core.order_book import OrderBook
from engine.core.order_book_events import Trade
from engine.core.order_book_expiry import ExpiryQueue
from engine.core.order_book_levels import PLAIN, BookOrder, BookSide, OrderTerms
from engine.core.order_book_stops import StopOrders


class LiveOrder(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An order that rests or waits. `terms` is None for a plain one."""

    order_id: str
    side: Side
    size: int
    remaining: int
    price: int | None
    owner: str
    state: OrderState
    terms: OrderTerms | None


class BookState(msgspec.Struct, frozen=True, gc=False):
    """An `OrderBook` without its listeners.

    `orders` are all live ones in the order in which they came; `bids`, `asks`, `stops` and `expiries`
    name them by their places in it. `bids` and `asks` go from the best price to the worst and at each
    price from the head of the queue to its tail, `stops` and `expiries` from the oldest to the newest.
    """

    orders: list[LiveOrder]
    bids: list[int]
    asks: list[int]
    stops: list[int]
    expiries: list[int]
    sequence: int
    last_price: int | None
    trade_sequence: int
    trades: list[Trade]
    changed_bids: list[int]
    changed_asks: list[int]


def save_book(book: OrderBook) -> BookState:
    """A copy of a book that is between two operations."""
    place = {order_id: place for place, order_id in enumerate(book._orders)}

    def places(orders: Iterable[BookOrder]) -> list[int]:
        return [place[order.order_id] for order in orders]

    changed_bids, changed_asks = book._log.changed_prices()
    return BookState(
        [_saved(order) for order in book._orders.values()],
        places(_queued(book._bids)),
        places(_queued(book._asks)),
        places(book._stops.waiting()),
        places(book._expiries.watched()),
        book._sequence,
        book._last_price,
        book._trade_sequence,
        list(book._trades),
        changed_bids,
        changed_asks,
    )


def load_book(book: OrderBook, state: BookState) -> None:
    """Put a book of the same instrument and rules into a saved state, whatever it holds.

    Its listeners stay and are told nothing. Orders that somebody still holds from before are no longer
    the book's own.
    """
    orders = [_loaded(saved) for saved in state.orders]
    book._orders = {order.order_id: order for order in orders}
    for side, queued in ((book._bids, state.bids), (book._asks, state.asks)):
        side.keys.clear()
        side.levels.clear()
        for place in queued:
            _enqueue(side, orders[place])
    book._stops = StopOrders()
    for place in state.stops:
        book._stops.add(orders[place])
    book._expiries = ExpiryQueue()
    for place in state.expiries:
        book._expiries.add(orders[place])
    book._sequence = state.sequence
    book._last_price = state.last_price
    book._trade_sequence = state.trade_sequence
    book._trades = list(state.trades)
    book._log.set_changed_prices(state.changed_bids, state.changed_asks)


def _queued(side: BookSide) -> Iterator[BookOrder]:
    for key in reversed(side.keys):
        order: BookOrder | None = side.levels[key].head
        while order is not None:
            yield order
            order = order.next


def _enqueue(side: BookSide, order: BookOrder) -> None:
    """Put an order at the end of the queue at its price."""
    assert order.price is not None
    key = order.price * side.sign
    level = side.levels.get(key)
    if level is None:
        order.level = side.open_level(key, order)
        return
    order.level, order.previous = level, level.tail
    level.tail.next = level.tail = order
    level.total += order.remaining


def _saved(order: BookOrder) -> LiveOrder:
    return LiveOrder(
        order.order_id,
        order.side,
        order.size,
        order.remaining,
        order.price,
        order.owner,
        order.state,
        None if order.terms is PLAIN else order.terms,
    )


def _loaded(saved: LiveOrder) -> BookOrder:
    terms = PLAIN if saved.terms is None else saved.terms
    order = BookOrder(saved.order_id, saved.side, saved.size, saved.price, saved.owner, terms)
    order.remaining = saved.remaining
    order.state = saved.state
    return order
