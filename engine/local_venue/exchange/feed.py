"""The WebSocket of the Exchange API: market data for all, and more for whoever signs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from random import Random
from typing import Any, Final

from aiohttp import WSCloseCode, WSMsgType, web

from engine.core.events import BookSnapshot, BookUpdate, MarketEvent, TradePrint
from engine.local_venue.core import VenueCore
from engine.local_venue.exchange import messages
from engine.local_venue.exchange.auth import ExchangeAuthority, Unauthorised
from engine.local_venue.exchange.books import ProductBook
from engine.local_venue.exchange.connection import Connection
from engine.local_venue.exchange.subscriptions import Request, SubscriptionRefused, read_requests
from engine.local_venue.market import RecordedFrame
from engine.local_venue.orders import Fill, VenueOrder
from engine.local_venue.wire import Interference, Outbox

_BATCH_NS: Final = 50_000_000
_TICKS_PER_HEARTBEAT: Final = 20
_TICKS_PER_REPORT: Final = 100
"""Of `ticker_batch` and `status`: five seconds."""
_AUTHENTICATED_FIELDS: Final = frozenset({"signature", "key", "passphrase"})


class ExchangeFeed:
    """Everybody who listens. It listens to the core, and tells them in this API's words."""

    def __init__(
        self,
        core: VenueCore,
        authority: ExchangeAuthority,
        interference: Interference,
        first_message_s: float,
        seed: int,
    ) -> None:
        """`first_message_s`: a client that has asked for nothing by then is cut off."""
        self._core = core
        self._authority = authority
        self._interference = interference
        self._first_message_s = first_message_s
        random = Random(seed)
        self.books = {
            product_id: ProductBook(core, product, self, random)
            for product_id, product in core.products.items()
        }
        self._connections: list[Connection] = []
        self._changes: dict[str, messages.BookChanges] = {}
        self._ticks = 0
        self._next_tick_ns = core.clock.monotonic_ns() + _BATCH_NS

    # -- clients -----------------------------------------------------------------------------------------

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one client until it goes."""
        socket = web.WebSocketResponse(max_msg_size=1 << 20)
        await socket.prepare(request)
        outbox = Outbox(socket, self._interference.sender(request, socket, self._snapshot))
        connection = Connection(outbox)
        self._connections.append(connection)
        self._core.begin()
        try:
            await self._serve(socket, connection)
        finally:
            self._connections.remove(connection)
            await outbox.stop()
        return socket

    async def _serve(self, socket: web.WebSocketResponse, connection: Connection) -> None:
        patience: float | None = self._first_message_s
        while True:
            try:
                incoming = await socket.receive(patience)
            except TimeoutError:
                connection.close(WSCloseCode.POLICY_VIOLATION, "no subscription within 5 seconds")
                patience = None
                continue
            if incoming.type is not WSMsgType.TEXT:
                return
            if self._take(connection, incoming.data):
                patience = None

    def _take(self, connection: Connection, text: str) -> bool:
        """Do what a client asks; False for something that cannot be done."""
        try:
            message = json.loads(text)
            if not isinstance(message, dict):
                raise ValueError("no object")
        except (ValueError, RecursionError):
            connection.send(messages.error("Malformed JSON", ""))
            return False
        try:
            self._answer(connection, message)
        except SubscriptionRefused as refused:
            connection.send(messages.error(refused.message, refused.reason))
            connection.send(connection.subscriptions.message())
            return False
        return True

    def _answer(self, connection: Connection, message: Mapping[str, Any]) -> None:
        if message.get("type") not in ("subscribe", "unsubscribe"):
            raise SubscriptionRefused(f"{message.get('type')} is not a valid type")
        if _AUTHENTICATED_FIELDS & message.keys():
            self._check_signature(connection, message)
        requests = read_requests(message, self._core.products, has_key=connection.has_key)
        if message["type"] == "unsubscribe":
            for request in requests:
                connection.subscriptions.remove(request)
            connection.send(connection.subscriptions.message())
            return
        fresh = [(request, connection.subscriptions.add(request)) for request in requests]
        connection.send(connection.subscriptions.message())
        for request, new in fresh:
            for product_id in new:
                self._open(connection, request, product_id)

    def _check_signature(self, connection: Connection, message: Mapping[str, Any]) -> None:
        try:
            rights = self._authority.check_message(message)
        except Unauthorised as refused:
            raise SubscriptionRefused("Authentication Failed", str(refused)) from refused
        if not rights.view:
            raise SubscriptionRefused("Authentication Failed", "Forbidden")
        connection.has_key = True

    def _open(self, connection: Connection, request: Request, product_id: str) -> None:
        """What comes first on a channel."""
        wall_ns = self._core.clock.wall_ns()
        if request.channel == "status":
            connection.send(messages.status(self._core.products.values()))
            return
        if request.channel == "balance":
            for wallet in self._core.accounts.wallets():
                if wallet.account_id in connection.subscriptions.accounts:
                    connection.send_balance(wallet, wall_ns)
            return
        tape, book = self._core.tape(product_id), self.books[product_id]
        if request.channel in ("level2", "level2_batch"):
            if tape.has_book:
                connection.send(messages.snapshot(book.product, tape, wall_ns))
        elif request.channel == "full":
            book.tell_all()
        elif request.channel in ("ticker", "ticker_batch"):
            connection.send(messages.ticker(book.product, tape, book.sequence))
        elif request.channel == "matches":
            connection.send(book.last_match())

    def _snapshot(self, product_id: str) -> str | None:
        tape = self._core.tape(product_id) if product_id in self._core.products else None
        if tape is None or not tape.has_book:
            return None
        product = self._core.products[product_id]
        return json.dumps(messages.snapshot(product, tape, self._core.clock.wall_ns()))

    @property
    def is_congested(self) -> bool:
        """True while a recording had better wait for one of the clients."""
        return self._core.is_recorded and any(connection.is_congested for connection in self._connections)

    def close(self) -> None:
        """Ask every client to go: the venue goes away."""
        for connection in self._connections:
            connection.close(WSCloseCode.GOING_AWAY, "the venue stops")

    # -- what happens at the venue -----------------------------------------------------------------------

    def on_market(self, event: MarketEvent) -> None:
        """See `VenueListener`."""
        book = self.books.get(event.product)
        if book is None:
            return
        book.on_market(event)
        wall_ns = self._core.clock.wall_ns()
        if isinstance(event, BookSnapshot):
            self._changes.pop(event.product, None)
            whole = messages.snapshot(book.product, self._core.tape(event.product), wall_ns)
            self._send(("level2", "level2_batch"), event.product, whole)
        elif isinstance(event, BookUpdate):
            changes = messages.changes_of(event)
            pending = self._changes.setdefault(event.product, {})
            for at, lots in changes.items():
                pending.pop(at, None)  # a level that changed again changed last
                pending[at] = lots
            self._send(("level2",), event.product, messages.l2update(book.product, changes, wall_ns))

    def on_recorded(self, frame: RecordedFrame) -> None:
        """See `VenueListener`: this API has words of its own for what a recording holds."""

    def on_order(self, order: VenueOrder, fill: Fill | None) -> None:
        """See `VenueListener`."""
        self.books[order.product_id].on_order(order, fill)
        wall_ns = self._core.clock.wall_ns()
        for connection in self._connections:
            connection.send_changed_balances(self._core.accounts.wallets(), wall_ns)

    def on_event(self, message: messages.Message, private: Mapping[str, Any] | None) -> None:
        """See `Readers`."""
        product_id = message["product_id"]
        self._send(("full",), product_id, message)
        if private is not None:
            self._send(("user",), product_id, messages.owned(message, private))

    def on_trade(self, trade: TradePrint, match: messages.Message) -> None:
        """See `Readers`."""
        product = self._core.products[trade.product]
        self._send(("matches",), trade.product, match)
        ticker = messages.ticker(product, self._core.tape(trade.product), match["sequence"])
        if ticker is not None:
            self._send(("ticker",), trade.product, ticker)

    def _send(self, channels: tuple[str, ...], product_id: str, message: messages.Message) -> None:
        """Send a frame once to everybody who has one of these channels."""
        text: str | None = None
        for connection in self._connections:
            if any(connection.subscriptions.has(channel, product_id) for channel in channels):
                text = text or json.dumps(message, separators=(",", ":"))
                connection.send_text(text)

    # -- time --------------------------------------------------------------------------------------------

    def tick(self, now_ns: int) -> None:
        """What is due by now, every 50 ms: batches, heartbeats, reports."""
        if now_ns < self._next_tick_ns:
            return
        self._next_tick_ns = max(self._next_tick_ns + _BATCH_NS, now_ns - _BATCH_NS)
        self._ticks += 1
        wall_ns = self._core.clock.wall_ns()
        for book in self.books.values():
            book.settle()
        changes, self._changes = self._changes, {}
        for product_id, rows in changes.items():
            update = messages.l2update(self._core.products[product_id], rows, wall_ns)
            self._send(("level2_batch",), product_id, update)
        if self._ticks % _TICKS_PER_HEARTBEAT == 0:
            for product_id, book in self.books.items():
                beat = messages.heartbeat(book, self._core.tape(product_id), wall_ns)
                self._send(("heartbeat",), product_id, beat)
        if self._ticks % _TICKS_PER_REPORT == 0:
            self._report()

    def _report(self) -> None:
        self._send(("status",), "", messages.status(self._core.products.values()))
        for product_id, book in self.books.items():
            ticker = messages.ticker(book.product, self._core.tape(product_id), book.sequence)
            if ticker is not None:
                self._send(("ticker_batch",), product_id, ticker)
