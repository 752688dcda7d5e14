"""Coinbase Advanced Trade: the frames of one market-data or user connection, as market events.

`sequence_num` counts the frames of a *connection* over all its channels, from 0. A hole means that
somebody's frames were lost, nobody knows whose; a number that was passed means a duplicate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from engine.core.events import BookUpdate, Level, MarketEvent, TradePrint
from engine.core.foreign_text import harmless
from engine.core.instrument import Instrument
from engine.core.order import Side
from engine.exchange.coinbase.wire.advanced_messages import (
    AdvancedTicker,
    AnyFrame,
    Envelope,
    HeartbeatsFrame,
    L2Change,
    L2Frame,
    ProductHead,
    Request,
    SubscriptionsFrame,
    TickerBatchFrame,
    TickerFrame,
    TradesFrame,
    UserFrame,
)
from engine.exchange.coinbase.wire.product_feed import DIGITS, FAST_ERROR, FAST_LIMIT, ProductFeed
from engine.exchange.coinbase.wire.session import REFUSED, SessionBase
from engine.exchange.coinbase.wire.user import UserEvent, order_report

_BOOK_CHANNEL: Final = "level2"
_NO_TIME: Final = "1970-"
_KNOWN_CHANNELS: Final = frozenset(
    {
        "l2_data",
        "market_trades",
        "ticker",
        "ticker_batch",
        "heartbeats",
        "subscriptions",
        "user",
        "candles",
        "status",
        "futures_balance_summary",
    }
)


class BookChange(NamedTuple):
    """One event of a level2 frame, in ticks and lots."""

    feed: ProductFeed
    is_update: bool
    bids: list[Level]
    asks: list[Level]


class SlicedBook(NamedTuple):
    """A level2 frame that was read piece by piece."""

    sequence_num: int
    timestamp: str
    first_change: L2Change | None
    """The first change of the first event."""
    changes: Sequence[BookChange]


class AdvancedSession(SessionBase):
    """A `FeedSession` for Advanced Trade."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        super().__init__(instruments)
        self.last_ticker: dict[str, AdvancedTicker] = {}
        """The venue's own word on each product's touch: a monitor, never a source."""
        self._decoder: msgspec.json.Decoder[AnyFrame] = msgspec.json.Decoder(AnyFrame, strict=False)
        self._envelope: msgspec.json.Decoder[Envelope] = msgspec.json.Decoder(Envelope, strict=False)
        self._expected: int = 0
        self._heartbeat: int | None = None
        self._late_first: tuple[int, bytes | str] | None = None

    # -- the connection --------------------------------------------------------------------------

    def on_connect(self, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """See `FeedSession`."""
        self._expected = 0
        self._heartbeat = None
        self._late_first = None
        return self._new_connection(recv_ns, wall_ns)

    def on_send(self, raw: bytes | str, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """See `FeedSession`."""
        try:
            request = msgspec.json.decode(raw, type=Request)
        except REFUSED:
            return []
        if request.channel != _BOOK_CHANNEL:
            return []
        events: list[MarketEvent] = []
        if request.type == "subscribe":
            for product in request.product_ids:
                events += self._subscribed(product, recv_ns, wall_ns)
        elif request.type == "unsubscribe":
            for product in request.product_ids or list(self._products):
                events += self._unsubscribed(product, recv_ns, wall_ns)
        return events

    def load_level3(self, product: str, body: bytes, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """Advanced Trade has no order-by-order channel: nothing happens."""
        return []

    def open_orders(self, product: str) -> int | None:
        """Always None: the feed has price levels only."""
        return None

    # -- frames ----------------------------------------------------------------------------------

    def on_frame(self, raw: bytes | str, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """See `FeedSession`."""
        self.counters.frames += 1
        self._used = True
        try:
            frame = self._decoder.decode(raw)
        except REFUSED:
            return self._undecoded(raw, recv_ns, wall_ns)
        if frame.type == "error":
            return self._undecoded(raw, recv_ns, wall_ns)
        sequence = frame.sequence_num
        lost: list[MarketEvent] = []
        if sequence != self._expected:
            if sequence < self._expected:
                return self._late(sequence, raw, recv_ns, wall_ns)
            lost = self._gap(sequence, recv_ns, wall_ns)
        self._expected = sequence + 1
        self.last_sent = frame.timestamp
        if isinstance(frame, L2Frame):
            events = self._level2(frame, recv_ns, wall_ns)
        elif isinstance(frame, TradesFrame):
            events = self._trades(frame, recv_ns, wall_ns)
        elif isinstance(frame, HeartbeatsFrame):
            events = self._heartbeats(frame, recv_ns, wall_ns)
        else:
            events = []
            if isinstance(frame, TickerFrame | TickerBatchFrame):
                for tickers in frame.events:
                    for ticker in tickers.tickers:
                        if ticker.product_id in self._products:
                            self.last_ticker[ticker.product_id] = ticker
            elif isinstance(frame, UserFrame):
                self._user(frame)
            elif isinstance(frame, SubscriptionsFrame):
                self._subscriptions(frame)
        return lost + events if lost else events

    def _undecoded(self, raw: bytes | str, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """An error message, a channel we do not know, or a frame that is refused."""
        try:
            envelope = self._envelope.decode(raw)
        except REFUSED:
            self.counters.malformed += 1
            return []
        sequence = envelope.sequence_num
        if envelope.type == "error":
            self.counters.errors += 1
            self.counters.last_error = harmless(envelope.message)
            return []
        if sequence is None or not envelope.channel:
            # It took no place in the sequence that we could read: if it had one, the next frame shows it.
            if envelope.type and sequence is None:
                self.counters.unknown += 1
            else:
                self.counters.malformed += 1
            return []
        events: list[MarketEvent] = []
        if sequence != self._expected:
            if sequence < self._expected:
                return self._late(sequence, raw, recv_ns, wall_ns)
            events = self._gap(sequence, recv_ns, wall_ns)
        self._expected = sequence + 1
        if envelope.channel not in _KNOWN_CHANNELS:
            self.counters.unknown += 1
            return events
        self.counters.malformed += 1
        if envelope.channel == "l2_data":
            events += self._refused_level2(envelope.events, recv_ns, wall_ns)
        return events

    # -- sequence --------------------------------------------------------------------------------

    def _gap(self, sequence: int, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        self.counters.gaps += 1
        self._heartbeat = None
        return self._frames_lost(f"sequence gap: expected {self._expected}, got {sequence}", recv_ns, wall_ns)

    def _late(self, sequence: int, raw: bytes | str, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """Drop what came before, or what came too late.

        Frames 0 and 1 one after the other are a new connection that nobody announced: a recording
        without its connect lines.
        """
        counters = self.counters
        counters.duplicates += 1
        first = self._late_first
        self._late_first = (counters.frames, raw) if sequence == 0 else None
        if sequence != 1 or first is None or first[0] != counters.frames - 1:
            return []
        counters.frames -= 2
        counters.duplicates -= 2
        events = self.on_connect(recv_ns, wall_ns)
        events += self.on_frame(first[1], recv_ns, wall_ns)
        return events + self.on_frame(raw, recv_ns, wall_ns)

    # -- channels --------------------------------------------------------------------------------

    def on_sliced_book(
        self, book: SlicedBook, raw: bytes | str, recv_ns: int, wall_ns: int
    ) -> list[MarketEvent]:
        """A level2 frame whose levels have been converted already: what `on_frame(raw)` would have done."""
        self.counters.frames += 1
        self._used = True
        sequence = book.sequence_num
        events: list[MarketEvent] = []
        if sequence != self._expected:
            if sequence < self._expected:
                return self._late(sequence, raw, recv_ns, wall_ns)
            events = self._gap(sequence, recv_ns, wall_ns)
        self._expected = sequence + 1
        self.last_sent = book.timestamp
        exchange_ns = self._change_time(book.first_change, book.timestamp)
        return events + self._apply(book.changes, recv_ns, wall_ns, exchange_ns)

    def _level2(self, frame: L2Frame, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        changes: list[BookChange] = []
        for event in frame.events:
            feed = self._products.get(event.product_id)
            kind = event.type
            if feed is None or (kind != "update" and kind != "snapshot"):
                self.counters.unknown += 1
                continue
            bids: list[Level] = []
            asks: list[Level] = []
            try:
                convert(feed, event.updates, bids, asks)
            except REFUSED:
                self.counters.malformed += 1
                heads = [ProductHead(event.product_id) for event in frame.events]
                return self._refused_products(heads, recv_ns, wall_ns)
            changes.append(BookChange(feed, kind == "update", bids, asks))
        first = frame.events[0].updates if frame.events else None
        exchange_ns = self._change_time(first[0] if first else None, frame.timestamp)
        return self._apply(changes, recv_ns, wall_ns, exchange_ns)

    def _apply(
        self, changes: Sequence[BookChange], recv_ns: int, wall_ns: int, exchange_ns: int
    ) -> list[MarketEvent]:
        events: list[MarketEvent] = []
        for feed, is_update, bids, asks in changes:
            if not is_update:
                events += self.accept_snapshot(feed, bids, asks, recv_ns, wall_ns, exchange_ns)
            elif feed.has_book:
                events.append(BookUpdate(feed.symbol, recv_ns, wall_ns, bids, asks, exchange_ns))
            else:
                feed.is_active = True
                self.counters.before_snapshot += 1
        return events

    def _change_time(self, first: L2Change | None, timestamp: str) -> int:
        """When the book was as the frame says: the changes' time, which is that of the trades too.

        The changes of a frame share it. Where it is none, the later time of the envelope has to do.
        """
        if first is not None:
            text = first.event_time
            # The parser would look at every sentinel anew.
            if text and not text.startswith(_NO_TIME):
                return self.times.ns(text) or self.times.ns(timestamp)
        return self.times.ns(timestamp)

    def _refused_level2(self, raw: msgspec.Raw, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        try:
            heads = msgspec.json.decode(raw, type=list[ProductHead])
        except REFUSED:
            return self._frames_lost("a book frame could not be read", recv_ns, wall_ns)
        return self._refused_products(heads, recv_ns, wall_ns)

    def _refused_products(self, heads: list[ProductHead], recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        events: list[MarketEvent] = []
        for head in heads:
            events += self.mark_stale(head.product_id, "a book frame was refused", recv_ns, wall_ns)
        return events

    def _trades(self, frame: TradesFrame, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        prints: list[tuple[ProductFeed, bool, TradePrint]] = []
        for event in frame.events:
            if event.type != "update" and event.type != "snapshot":
                self.counters.unknown += 1
                continue
            for trade in reversed(event.trades):
                feed = self._products.get(trade.product_id)
                maker = trade.side
                if feed is None or (maker != "BUY" and maker != "SELL"):
                    self.counters.unknown += 1
                    continue
                side = Side.BUY if maker == "BUY" else Side.SELL
                times = (recv_ns, wall_ns, self.times.ns(trade.time))
                try:
                    tape = feed.trade_print(trade.trade_id, trade.price, trade.size, side, times)
                except REFUSED:
                    self.counters.malformed += 1
                    return []
                prints.append((feed, event.type == "update", tape))
        events: list[MarketEvent] = []
        for feed, is_live, tape in prints:
            feed.is_active = True
            if not feed.trades.add(tape.trade_id):
                self.counters.known_trades += 1
            elif is_live:
                events.append(tape)
        return events

    def _subscriptions(self, frame: SubscriptionsFrame) -> None:
        for event in frame.events:
            self.listed = frozenset(event.subscriptions.get(_BOOK_CHANNEL, ()))

    def _heartbeats(self, frame: HeartbeatsFrame, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        events: list[MarketEvent] = []
        for beat in frame.events:
            self.counters.heartbeats += 1
            previous, self._heartbeat = self._heartbeat, beat.heartbeat_counter
            if previous is not None and beat.heartbeat_counter > previous + 1:
                self.counters.gaps += 1
                events += self._frames_lost(
                    f"heartbeat jumped from {previous} to {beat.heartbeat_counter}", recv_ns, wall_ns
                )
        return events

    def _user(self, frame: UserFrame) -> None:
        try:
            reports = [
                UserEvent(event.type == "snapshot", tuple(order_report(order) for order in event.orders))
                for event in frame.events
            ]
        except REFUSED:
            self.counters.malformed += 1
            return
        self._user_events += reports


def convert(feed: ProductFeed, changes: list[L2Change], bids: list[Level], asks: list[Level]) -> None:
    """Text to ticks and lots: `ProductFeed.ticks` and `lots` written out, this being the hottest loop.

    Raises one of `REFUSED` at the first change that cannot be right.
    """
    price_scale, size_scale = feed.price_scale, feed.size_scale
    for change in changes:
        text = change.price_level
        scaled = float(text) * price_scale
        price = int(scaled + 0.5)
        if not 0 < price < FAST_LIMIT or abs(scaled - price) > price * FAST_ERROR or text.strip(DIGITS):
            price = feed.exact_ticks(text)
        text = change.new_quantity
        scaled = float(text) * size_scale
        size = int(scaled + 0.5)
        if size >= FAST_LIMIT or abs(scaled - size) > size * FAST_ERROR or text.strip(DIGITS):
            size = feed.exact_lots(text)
        side = change.side
        if side == "bid":
            bids.append((price, size))
        elif side == "offer":
            asks.append((price, size))
        else:
            raise ValueError(f"{side[:20]!r} is not a side of a book")
