"""Coinbase Advanced Trade: the frames of one market-data or user connection, as market events.

`sequence_num` counts the frames of a *connection* over all its channels, from 0. A hole means that
somebody's frames were lost, nobody knows whose; a number that was passed means a duplicate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from engine.core.events import BookUpdate, FeedState, Level, MarketEvent, TradePrint
from engine.core.instrument import Instrument
from engine.core.order import Side
from engine.exchange.coinbase.advanced_messages import (
    AdvancedTicker,
    AnyFrame,
    Envelope,
    HeartbeatsFrame,
    L2Change,
    L2Frame,
    ProductHead,
    Request,
    TickerBatchFrame,
    TickerFrame,
    TradesFrame,
    UserFrame,
)
from engine.exchange.coinbase.product_feed import DIGITS, FAST_ERROR, FAST_LIMIT, ProductFeed
from engine.exchange.coinbase.session import REFUSED, SessionBase
from engine.exchange.coinbase.user import UserEvent, order_report

_BOOK_CHANNEL: Final = "level2"
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
        lost: list[MarketEvent] | None = None
        if frame.sequence_num != self._expected:
            lost = self._out_of_sequence(frame.sequence_num, raw, recv_ns, wall_ns)
            if lost is None:
                return []
            if frame.sequence_num + 1 == self._expected:
                return lost
        self._expected = frame.sequence_num + 1
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
                        self.last_ticker[ticker.product_id] = ticker
            elif isinstance(frame, UserFrame):
                self._user(frame)
        return lost + events if lost else events
