"""The order-by-order book of one product on the full channel: snapshot, queue, sequence.

The way to a whole book: subscribe, keep the messages, ask REST for the level-3 book (it carries the
sequence S of the last message it contains), drop the kept messages up to S, apply the rest. A hole in
the sequence starts it over.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from engine.core.events import BookUpdate, FeedState, Level, MarketEvent
from engine.core.order import Side
from engine.exchange.coinbase.wire.exchange_messages import Change, Done, Level3Book, Match, Open, Received
from engine.exchange.coinbase.wire.order_levels import OrderLevels
from engine.exchange.coinbase.wire.product_feed import ProductFeed
from engine.exchange.coinbase.wire.session import REFUSED, SessionBase
from engine.exchange.coinbase.wire.user import own_side

FullMessage = Received | Open | Done | Change | Match
_MOST_KEPT: Final = 100_000


class FullBook:
    """One product's orders on one connection after the other. Everything it says goes through `session`."""

    __slots__ = ("_applied", "_kept", "_orders", "_session", "_wire", "is_waiting")

    def __init__(self, session: SessionBase) -> None:
        self._session: SessionBase = session
        self._orders: OrderLevels | None = None
        self._applied: int = 0
        """Sequence up to which the book is whole."""
        self._wire: int | None = None
        """Last sequence that came over this connection."""
        self._kept: deque[tuple[FullMessage, int, int]] = deque(maxlen=_MOST_KEPT)
        self.is_waiting: bool = True
        """True while the messages are kept for a level-3 snapshot to come."""

    def open_orders(self) -> int | None:
        """How many orders rest, as far as is known; None before the first snapshot."""
        return None if self._orders is None else len(self._orders)

    def reconnect(self) -> None:
        """A new connection: nothing kept, nothing believed."""
        self._wire = None
        self._start_over()

    def _start_over(self) -> None:
        self._kept.clear()
        self.is_waiting = True

    def load(self, feed: ProductFeed, body: bytes, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """Take a level-3 snapshot and continue with what was kept.

        One that is older than what was kept is of no use: the book stays stale, ask again. A body
        that is no such book counts as malformed and changes nothing.
        """
        session = self._session
        try:
            book = msgspec.json.decode(body, type=Level3Book)
            orders = OrderLevels()
            for side, resting in ((Side.BUY, book.bids), (Side.SELL, book.asks)):
                for price, size, order_id in resting:
                    orders.add(order_id, side, feed.ticks(price), feed.lots(size))
        except REFUSED:
            session.counters.malformed += 1
            return []
        earliest = self._kept[0][0].sequence if self._kept else self._wire and self._wire + 1
        if earliest and earliest > book.sequence + 1:
            return session.change_state(
                feed, FeedState.STALE, "the order snapshot is older than the messages", recv_ns, wall_ns
            )
        self._orders = orders
        self._applied = book.sequence
        self.is_waiting = False
        feed.asked_after_loss = True
        events = session.accept_snapshot(
            feed, orders.levels(Side.BUY), orders.levels(Side.SELL), recv_ns, wall_ns, 0
        )
        kept, self._kept = self._kept, deque(maxlen=_MOST_KEPT)
        for message, then_recv_ns, then_wall_ns in kept:
            events += self._take(feed, message, then_recv_ns, then_wall_ns)
        return events

    def on_message(
        self, feed: ProductFeed, message: FullMessage, recv_ns: int, wall_ns: int
    ) -> list[MarketEvent]:
        """A message of the channel, in the order of its sequence."""
        sequence = message.sequence
        assert sequence is not None
        last = self._wire
        if last is None and not self.is_waiting and sequence > self._applied:
            last = self._applied
        events: list[MarketEvent] = []
        if last is not None:
            if sequence <= last:
                self._session.counters.duplicates += 1
                return []
            if sequence != last + 1:
                self._session.counters.gaps += 1
                events = self._broken(
                    feed, f"sequence gap: expected {last + 1}, got {sequence}", recv_ns, wall_ns
                )
        self._wire = sequence
        return events + self._take(feed, message, recv_ns, wall_ns)

    def _broken(self, feed: ProductFeed, reason: str, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        self._start_over()
        return self._session.change_state(feed, FeedState.STALE, reason, recv_ns, wall_ns)

    def _take(self, feed: ProductFeed, message: FullMessage, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """Keep the message, skip it as contained in the snapshot, or apply it."""
        if self.is_waiting or self._orders is None:
            self._kept.append((message, recv_ns, wall_ns))
            return []
        assert message.sequence is not None
        if message.sequence <= self._applied:
            return []
        self._applied = message.sequence
        time_ns = self._session.times.ns(message.time)
        events: list[MarketEvent] = []
        try:
            levels = _apply(self._orders, feed, message)
            if isinstance(message, Match):
                tape = feed.trade_print(
                    message.trade_id,
                    message.price,
                    message.size,
                    own_side(message.side),
                    (recv_ns, wall_ns, time_ns),
                )
                if feed.trades.add(message.trade_id):
                    events.append(tape)
        except REFUSED as error:
            self._session.counters.malformed += 1
            return self._broken(feed, f"the order book contradicts a message: {error}", recv_ns, wall_ns)
        for side, price, left in levels:
            bids: list[Level] = [(price, left)] if side is Side.BUY else []
            asks: list[Level] = [(price, left)] if side is Side.SELL else []
            events.append(BookUpdate(feed.symbol, recv_ns, wall_ns, bids, asks, time_ns))
        return events


def _apply(orders: OrderLevels, feed: ProductFeed, message: FullMessage) -> list[tuple[Side, int, int]]:
    """The levels that a message changes. Raises one of `REFUSED`, with nothing applied, if it cannot be."""
    if isinstance(message, Open):
        price, size = feed.ticks(message.price), feed.lots(message.remaining_size)
        return [orders.add(message.order_id, own_side(message.side), price, size)]
    if isinstance(message, Match):
        return [orders.reduce(message.maker_order_id, feed.ticks(message.price), feed.lots(message.size))]
    if isinstance(message, Done):
        removed = orders.remove(message.order_id)
        return [] if removed is None else [removed]
    if isinstance(message, Change) and message.order_id in orders:
        return _change(orders, feed, message)
    return []


def _change(orders: OrderLevels, feed: ProductFeed, message: Change) -> list[tuple[Side, int, int]]:
    side, old_price, old_size = orders.order(message.order_id)
    price = old_price if message.new_price is None else feed.ticks(message.new_price)
    size = old_size if message.new_size is None else feed.lots(message.new_size)
    removed = orders.remove(message.order_id)
    levels = [] if removed is None else [removed]
    if size:
        levels.append(orders.add(message.order_id, side, price, size))
    # Two steps at one price are one change of it.
    return levels[-1:] if price == old_price else levels
