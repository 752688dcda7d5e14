"""Coinbase Exchange: the frames of one connection, as market events.

Price-level frames carry no sequence: what is lost there cannot be seen, so a frame that could not be
read makes every book suspect. The order-by-order books of the full channel have one per product.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from engine.core.events import BookUpdate, FeedState, Level, MarketEvent
from engine.core.foreign_text import harmless
from engine.core.instrument import Instrument
from engine.exchange.coinbase.wire.exchange_messages import (
    AnyMessage,
    Change,
    ChannelList,
    Done,
    Error,
    ExchangeHeartbeat,
    ExchangeRequest,
    ExchangeTicker,
    L2Update,
    LastMatch,
    Match,
    Open,
    Received,
    Snapshot,
    Subscriptions,
    TypeHead,
)
from engine.exchange.coinbase.wire.full_book import FullBook
from engine.exchange.coinbase.wire.own_messages import own_match
from engine.exchange.coinbase.wire.product_feed import DIGITS, FAST_ERROR, FAST_LIMIT, ProductFeed
from engine.exchange.coinbase.wire.session import REFUSED, SessionBase
from engine.exchange.coinbase.wire.user import own_side

_BOOK_TYPES = frozenset({"snapshot", "l2update"})
_KNOWN_TYPES = frozenset(
    {
        "match",
        "last_match",
        "ticker",
        "heartbeat",
        "received",
        "open",
        "done",
        "change",
        "activate",
        "subscriptions",
        "status",
        "balance",
        "rfq_match",
    }
)


class ExchangeSession(SessionBase):
    """A `FeedSession` for Coinbase Exchange (formerly Pro, formerly GDAX)."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        super().__init__(instruments)
        self.last_ticker: dict[str, ExchangeTicker] = {}
        """The venue's own word on each product's touch: a monitor, never a source."""
        self._decoder: msgspec.json.Decoder[AnyMessage] = msgspec.json.Decoder(AnyMessage, strict=False)
        self._head: msgspec.json.Decoder[TypeHead] = msgspec.json.Decoder(TypeHead)
        self._full: dict[str, FullBook] = {}

    # -- the connection --------------------------------------------------------------------------

    def on_connect(self, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """See `FeedSession`."""
        for full in self._full.values():
            full.reconnect()
        return self._new_connection(recv_ns, wall_ns)

    def on_send(self, raw: bytes | str, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """See `FeedSession`."""
        try:
            request = msgspec.json.decode(raw, type=ExchangeRequest)
        except REFUSED:
            return []
        events: list[MarketEvent] = []
        for entry in request.channels:
            channel = ChannelList(entry, request.product_ids) if isinstance(entry, str) else entry
            products = channel.product_ids or request.product_ids
            if request.type == "subscribe":
                events += self._listens(channel.name, products, recv_ns, wall_ns)
            elif request.type == "unsubscribe" and _is_book(channel.name):
                for product in products or list(self._products):
                    self._full.pop(product, None)
                    events += self._unsubscribed(product, recv_ns, wall_ns)
        return events

    def _listens(self, channel: str, products: list[str], recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        if not _is_book(channel):
            return []
        events: list[MarketEvent] = []
        for product in products:
            if channel == "full" and product in self._products:
                self._full_book(product)
            events += self._subscribed(product, recv_ns, wall_ns)
        return events

    def load_level3(self, product: str, body: bytes, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """See `FeedSession`. A body that is no such book counts as malformed and changes nothing."""
        feed = self._products.get(product)
        if feed is None:
            self.counters.unknown += 1
            return []
        return self._full_book(product).load(feed, body, recv_ns, wall_ns)

    def open_orders(self, product: str) -> int | None:
        """See `FeedSession`."""
        full = self._full.get(product)
        return None if full is None else full.open_orders()

    def _full_book(self, product: str) -> FullBook:
        full = self._full.get(product)
        if full is None:
            self._full[product] = full = FullBook(self)
        return full

    # -- frames ----------------------------------------------------------------------------------

    def on_frame(self, raw: bytes | str, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """See `FeedSession`."""
        self.counters.frames += 1
        self._used = True
        try:
            message = self._decoder.decode(raw)
        except REFUSED:
            return self._undecoded(raw, recv_ns, wall_ns)
        if isinstance(message, L2Update):
            return self._l2update(message, recv_ns, wall_ns)
        if isinstance(message, Received | Open | Done | Change | Match):
            return self._order_or_match(message, recv_ns, wall_ns)
        if isinstance(message, Snapshot):
            return self._snapshot(message, recv_ns, wall_ns)
        if isinstance(message, LastMatch):
            return self._last_match(message)
        if isinstance(message, Subscriptions):
            events: list[MarketEvent] = []
            self.listed = frozenset(
                product
                for channel in message.channels
                if _is_book(channel.name)
                for product in channel.product_ids or ()
            )
            for channel in message.channels:
                events += self._confirmed(channel, recv_ns, wall_ns)
            return events
        if isinstance(message, ExchangeTicker):
            if message.product_id in self._products:
                self.last_ticker[message.product_id] = message
        elif isinstance(message, ExchangeHeartbeat):
            self.counters.heartbeats += 1
            self.last_sent = message.time
        elif isinstance(message, Error):
            self.counters.errors += 1
            self.counters.last_error = harmless(f"{message.message}: {message.reason}".rstrip(": "))
        return []

    def _undecoded(self, raw: bytes | str, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """A type we do not know, or a frame that is refused."""
        try:
            head = self._head.decode(raw)
        except REFUSED:
            if _is_array(raw):
                self.counters.unknown += 1
                return []
            self.counters.malformed += 1
            return self._all_stale("a frame could not be read", recv_ns, wall_ns)
        if head.type == "error":
            self.counters.errors += 1
            return []
        if head.type in _BOOK_TYPES:
            self.counters.malformed += 1
            if head.product_id in self._products:
                return self.mark_stale(head.product_id, "a book frame was refused", recv_ns, wall_ns)
            return self._all_stale("a book frame could not be read", recv_ns, wall_ns)
        if head.type in _KNOWN_TYPES:
            self.counters.malformed += 1
        else:
            self.counters.unknown += 1
        return []

    def _confirmed(self, channel: ChannelList, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """A name in the venue's answer; it adds nothing to what was asked for after a loss."""
        events: list[MarketEvent] = []
        for product in channel.product_ids or []:
            feed = self._products.get(product)
            if feed is not None and _is_book(channel.name) and feed.state is FeedState.IDLE:
                events += self._listens(channel.name, [product], recv_ns, wall_ns)
        return events

    # -- price levels ----------------------------------------------------------------------------

    def _l2update(self, message: L2Update, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        feed = self._products.get(message.product_id)
        if feed is None:
            self.counters.unknown += 1
            return []
        bids: list[Level] = []
        asks: list[Level] = []
        try:
            _convert(feed, message.changes, bids, asks)
        except REFUSED:
            self.counters.malformed += 1
            return self.mark_stale(message.product_id, "a book frame was refused", recv_ns, wall_ns)
        if not feed.has_book:
            feed.is_active = True
            self.counters.before_snapshot += 1
            return []
        self.last_sent = message.time
        time_ns = self.times.ns(message.time)
        return [BookUpdate(feed.symbol, recv_ns, wall_ns, bids, asks, time_ns)]

    def on_sliced_snapshot(
        self, product: str, bids: list[Level], asks: list[Level], time: str, recv_ns: int, wall_ns: int
    ) -> list[MarketEvent]:
        """A snapshot whose levels have been converted already: what `on_frame` would have done."""
        self.counters.frames += 1
        self._used = True
        feed = self._products[product]
        return self.accept_snapshot(feed, bids, asks, recv_ns, wall_ns, self.times.ns(time))

    def _snapshot(self, message: Snapshot, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        feed = self._products.get(message.product_id)
        if feed is None:
            self.counters.unknown += 1
            return []
        try:
            bids = [(feed.ticks(price), feed.lots(size)) for price, size in message.bids]
            asks = [(feed.ticks(price), feed.lots(size)) for price, size in message.asks]
        except REFUSED:
            self.counters.malformed += 1
            return self.mark_stale(message.product_id, "a book frame was refused", recv_ns, wall_ns)
        return self.accept_snapshot(feed, bids, asks, recv_ns, wall_ns, self.times.ns(message.time))

    # -- trades and orders -----------------------------------------------------------------------

    def _order_or_match(
        self, message: Received | Open | Done | Change | Match, recv_ns: int, wall_ns: int
    ) -> list[MarketEvent]:
        feed = self._products.get(message.product_id)
        if feed is None:
            self.counters.unknown += 1
            return []
        feed.is_active = True
        full = self._full.get(message.product_id)
        if isinstance(message, Match):
            if message.user_id:
                self._own_match(message)
            if full is None or message.sequence is None:
                return self._match(feed, message, recv_ns, wall_ns)
        elif full is None:
            if message.user_id:
                return []
            full = self._full_book(message.product_id)
        return full.on_message(feed, message, recv_ns, wall_ns)

    def _match(self, feed: ProductFeed, message: Match, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """A trade of the matches channel; holes in its ids are the only sign of lost frames there."""
        try:
            tape = feed.trade_print(
                message.trade_id,
                message.price,
                message.size,
                own_side(message.side),
                (recv_ns, wall_ns, self.times.ns(message.time)),
            )
        except REFUSED:
            self.counters.malformed += 1
            return []
        last = feed.trades.last()
        if not feed.trades.add(message.trade_id):
            self.counters.duplicates += 1
            return []
        if last is not None and message.trade_id > last + 1:
            self.counters.gaps += 1
        return [tape]

    def _last_match(self, message: LastMatch) -> list[MarketEvent]:
        feed = self._products.get(message.product_id)
        if feed is None:
            self.counters.unknown += 1
        else:
            feed.is_active = True
            if not feed.trades.add(message.trade_id):
                self.counters.known_trades += 1
        return []

    def _own_match(self, message: Match) -> None:
        try:
            self._user_events.append(own_match(message))
        except REFUSED:
            self.counters.malformed += 1


def _is_book(channel: str) -> bool:
    return channel == "full" or channel.startswith("level2")


def _is_array(raw: bytes | str) -> bool:
    """A frame of the compact level-3 channel, which we do not read."""
    try:
        msgspec.json.decode(raw, type=list[msgspec.Raw])
    except REFUSED:
        return False
    return True


def _convert(
    feed: ProductFeed, changes: list[tuple[str, str, str]], bids: list[Level], asks: list[Level]
) -> None:
    """Text to ticks and lots: `ProductFeed.ticks` and `lots` written out, this being the hottest loop.

    Raises one of `REFUSED` at the first change that cannot be right.
    """
    price_scale, size_scale = feed.price_scale, feed.size_scale
    for side, price_text, size_text in changes:
        scaled = float(price_text) * price_scale
        price = int(scaled + 0.5)
        if not 0 < price < FAST_LIMIT or abs(scaled - price) > price * FAST_ERROR or price_text.strip(DIGITS):
            price = feed.exact_ticks(price_text)
        scaled = float(size_text) * size_scale
        size = int(scaled + 0.5)
        if size >= FAST_LIMIT or abs(scaled - size) > size * FAST_ERROR or size_text.strip(DIGITS):
            size = feed.exact_lots(size_text)
        if side == "buy":
            bids.append((price, size))
        elif side == "sell":
            asks.append((price, size))
        else:
            raise ValueError(f"{side[:20]!r} is not a side of a book")
