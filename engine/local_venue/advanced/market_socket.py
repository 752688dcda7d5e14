"""Advanced Trade's market data over a WebSocket."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from engine.core.events import BookSnapshot, BookUpdate, MarketEvent, TradePrint
from engine.local_venue.advanced import frames
from engine.local_venue.advanced.session import (
    AUTHENTICATION_FAILURE,
    FAILURE_TO_SUBSCRIBE,
    HEARTBEATS,
    TOO_MANY_BOOKS,
    Session,
    SessionLimits,
    SessionServer,
    SocketMessage,
)
from engine.local_venue.advanced.tokens import TokenJudge, TokenRefused
from engine.local_venue.core import VenueCore
from engine.local_venue.market import RecordedFrame
from engine.local_venue.orders import Fill, VenueOrder
from engine.local_venue.products import Product
from engine.local_venue.tape import Tape
from engine.local_venue.wire import Interference

BOOK: Final = "level2"
TRADES: Final = "market_trades"
TICKER: Final = "ticker"
TICKER_BATCH: Final = "ticker_batch"
CANDLES: Final = "candles"
STATUS: Final = "status"

_BOOK_FRAMES: Final = "l2_data"
"""The name that frames of `level2` carry."""
_CHANNELS: Final = frozenset({BOOK, TRADES, TICKER, TICKER_BATCH, CANDLES, STATUS, HEARTBEATS})
_USER_CHANNELS: Final = frozenset({"user", "futures_balance_summary"})
_SNAPSHOT_TRADES: Final = 100
_SNAPSHOT_CANDLES: Final = 100
_CANDLE_S: Final = 300
_TRADES_EVERY_NS: Final = 250_000_000
_CANDLES_EVERY_NS: Final = 1_000_000_000
_BATCH_EVERY_NS: Final = 5_000_000_000


class MarketSocket:
    """Passes on what the core publishes, to whom it concerns. See `VenueListener`.

    Of a recording the frames themselves are passed on, their events untouched; of any other market
    frames are made.
    """

    def __init__(
        self, core: VenueCore, judge: TokenJudge, interference: Interference, limits: SessionLimits
    ) -> None:
        self._core = core
        self._judge = judge
        self._server = SessionServer(core.clock, interference, limits, self._on_message)
        self._untold: dict[str, list[TradePrint]] = {}
        self._moved: set[str] = set()
        """Products whose candle has changed since it was sent."""
        now_ns = core.clock.monotonic_ns()
        self._next_trades_ns = self._next_candles_ns = self._next_batch_ns = now_ns
        core.add_listener(self)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """GET /advanced"""
        return await self._server.serve(request, self._resnapshot)

    # -- what clients say ------------------------------------------------------------------------------

    def _on_message(self, session: Session, message: SocketMessage) -> None:
        if message.jwt:
            try:
                self._judge.judge(message.jwt)
            except TokenRefused:
                session.refuse(AUTHENTICATION_FAILURE)
                return
        if message.channel not in _CHANNELS:
            # As the live service does: it knows the user's channels, and looks for a key of the others.
            is_elsewhere = message.channel in _USER_CHANNELS
            session.refuse(FAILURE_TO_SUBSCRIBE if is_elsewhere else AUTHENTICATION_FAILURE)
            return
        named = [self._listed(product_id) for product_id in message.product_ids]
        if None in named:
            session.refuse(FAILURE_TO_SUBSCRIBE)
            return
        products = {product.product_id: product for product in named if product is not None}
        if message.type == "unsubscribe":
            session.unsubscribe(message.channel, set(products))
            session.confirm()
        else:
            self._subscribe(session, message.channel, products)

    def _listed(self, product_id: str) -> Product | None:
        """The product whose data a name stands for: `BTC-USDC` is told as `BTC-USD`."""
        products = self._core.products
        return products.get(product_id) or products.get(product_id.removesuffix("C"))

    def _subscribe(self, session: Session, channel: str, products: dict[str, Product]) -> None:
        if channel == HEARTBEATS:
            session.subscribe(channel, {HEARTBEATS})
            session.confirm()
            return
        if not products:
            if channel != STATUS:
                session.refuse(FAILURE_TO_SUBSCRIBE)
                return
            products = self._core.products
        if (
            channel == BOOK
            and len(session.subscribed.get(BOOK, set()) | set(products)) > self._core.settings.max_books
        ):
            session.refuse(TOO_MANY_BOOKS, closes=True)
            return
        self._core.begin()
        # What others have not been told yet is part of the newcomer's snapshot.
        self._tell_trades()
        session.subscribe(channel, set(products))
        for product in products.values():
            events = self._snapshot(channel, product)
            if events is not None:
                session.send(_frame_name(channel), events)
        session.confirm()

    def _snapshot(self, channel: str, product: Product) -> str | None:
        """The state of a channel; None where there is none yet."""
        tape = self._core.tape(product.product_id)
        if channel == BOOK:
            return self._book_snapshot(product, tape)
        if channel == STATUS:
            return frames.status_events(frames.SNAPSHOT, [product])
        if not tape.trades:
            return None
        if channel == TRADES:
            newest = tape.newest_trades(_SNAPSHOT_TRADES)
            return frames.trades_events(frames.SNAPSHOT, product, newest)
        if channel == CANDLES:
            candles = tape.candles(_CANDLE_S)[-_SNAPSHOT_CANDLES:]
            return frames.candles_events(frames.SNAPSHOT, product, candles)
        return frames.ticker_events(frames.SNAPSHOT, product, tape, has_touch=channel == TICKER)

    @staticmethod
    def _book_snapshot(product: Product, tape: Tape) -> str | None:
        if not tape.has_book:
            return None
        levels = tape.levels
        return frames.book_events(frames.SNAPSHOT, product, levels.bids(), levels.asks(), tape.book_ns)

    def _resnapshot(self, session: Session, product_id: str) -> str | None:
        product = self._core.products.get(product_id)
        events = None if product is None else self._book_snapshot(product, self._core.tape(product_id))
        return None if events is None else session.frame(_BOOK_FRAMES, events)

    # -- what the core tells ---------------------------------------------------------------------------

    def on_market(self, event: MarketEvent) -> None:
        """See `VenueListener`."""
        if self._core.is_recorded:
            return
        if isinstance(event, BookUpdate):
            self._tell_book(frames.UPDATE, event)
        elif isinstance(event, TradePrint):
            self._untold.setdefault(event.product, []).append(event)
            self._moved.add(event.product)
        elif isinstance(event, BookSnapshot):
            self._tell_book(frames.SNAPSHOT, event)

    def on_recorded(self, frame: RecordedFrame) -> None:
        """See `VenueListener`."""
        channel = BOOK if frame.channel == _BOOK_FRAMES else frame.channel
        for session in self._server.sessions:
            wanted = frame.product_ids & session.subscribed.get(channel, set())
            if wanted:
                is_whole = wanted == frame.product_ids
                events = frame.events if is_whole else frames.only_products(frame.events, wanted)
                session.send(frame.channel, events, frame.timestamp)

    def on_order(self, order: VenueOrder, fill: Fill | None) -> None:
        """See `VenueListener`: orders are the user channel's."""

    def tick(self, now_ns: int) -> None:
        """Send what is sent on a cadence."""
        self._server.tick(now_ns)
        if self._core.is_recorded:
            return
        if now_ns >= self._next_trades_ns:
            self._next_trades_ns = now_ns + _TRADES_EVERY_NS
            self._tell_trades()
        if now_ns >= self._next_candles_ns:
            self._next_candles_ns = now_ns + _CANDLES_EVERY_NS
            self._tell_candles()
        if now_ns >= self._next_batch_ns:
            self._next_batch_ns = now_ns + _BATCH_EVERY_NS
            self._tell_tickers(TICKER_BATCH, self._core.products)

    def _tell_book(self, kind: str, event: BookUpdate | BookSnapshot) -> None:
        if any(session.wants(BOOK, event.product) for session in self._server.sessions):
            product = self._core.products[event.product]
            self._tell(
                BOOK, product, frames.book_events(kind, product, event.bids, event.asks, event.exchange_ns)
            )

    def _tell_trades(self) -> None:
        untold, self._untold = self._untold, {}
        for product_id, trades in untold.items():
            product = self._core.products[product_id]
            self._tell(TRADES, product, frames.trades_events(frames.UPDATE, product, reversed(trades)))
        self._tell_tickers(TICKER, untold)

    def _tell_tickers(
        self, channel: str, product_ids: dict[str, Product] | dict[str, list[TradePrint]]
    ) -> None:
        for product_id in product_ids:
            product, tape = self._core.products[product_id], self._core.tape(product_id)
            if tape.trades:
                events = frames.ticker_events(frames.UPDATE, product, tape, has_touch=channel == TICKER)
                self._tell(channel, product, events)

    def _tell_candles(self) -> None:
        moved, self._moved = self._moved, set()
        for product_id in sorted(moved):
            product = self._core.products[product_id]
            newest = self._core.tape(product_id).candles(_CANDLE_S)[-1:]
            self._tell(CANDLES, product, frames.candles_events(frames.UPDATE, product, newest))

    def _tell(self, channel: str, product: Product, events: str) -> None:
        name = _frame_name(channel)
        for session in self._server.sessions:
            if session.wants(channel, product.product_id):
                session.send(name, events)

    @property
    def is_congested(self) -> bool:
        """True while one of the clients is far behind."""
        return self._server.is_congested

    def close(self) -> None:
        """Ask every connection to end."""
        self._server.close()


def _frame_name(channel: str) -> str:
    return _BOOK_FRAMES if channel == BOOK else channel
