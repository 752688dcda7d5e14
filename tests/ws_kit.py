"""A scripted WebSocket venue on this machine, and somebody who reads a live feed as the engine does."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from engine.core.clock import Clock, SystemClock
from engine.core.events import BookSnapshot, BookUpdate, FeedState, FeedStatus, MarketEvent
from engine.core.instrument import Instrument
from engine.core.price_levels import PriceLevels
from engine.exchange.coinbase.feed.connection import Patience
from engine.exchange.coinbase.feed.live_feed import LiveFeed
from engine.exchange.coinbase.network import Endpoints, NetworkSettings
from engine.exchange.coinbase.wire.sessions import Api

QUICK = Patience(
    open_s=2.0,
    send_s=0.5,
    close_s=0.2,
    ping_interval_s=0.5,
    first_pong_s=5.0,
    pong_s=2.0,
    between_messages_s=0.001,
)
"""The patience of a test."""


class Peer:
    """One client's connection at the venue."""

    def __init__(self, number: int, socket: ServerConnection) -> None:
        self.number = number
        """0 for the first connection, 1 for the next."""
        self.socket = socket
        self.requests: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    async def read(self) -> None:
        """Take in what the client asks for, until it goes."""
        try:
            async for raw in self.socket:
                self.requests.append(json.loads(raw))
                self._news.set()
        except ConnectionClosed:
            pass

    async def asked(self, kind: str, channel: str, count: int = 1) -> dict[str, Any]:
        """Wait for the `count`-th request of a kind for a channel (a name among many on Exchange)."""
        while True:
            found = [
                request
                for request in self.requests
                if request["type"] == kind
                and (request.get("channel") == channel or channel in request.get("channels", ()))
            ]
            if len(found) >= count:
                return found[count - 1]
            self._news.clear()
            await self._news.wait()

    async def spoke(self) -> None:
        """Wait for the first request of any kind."""
        await self._news.wait()

    async def send(self, *frames: str | bytes) -> None:
        """Send frames, texts as they are and bytes as binary ones."""
        for frame in frames:
            await self.socket.send(frame)

    async def gone(self) -> None:
        """Wait for the end of the connection."""
        await self.socket.wait_closed()


Script = Callable[[Peer], Awaitable[None]]


class ScriptedVenue:
    """Serves `script` to every client, on a free port of this machine. `refuse` may answer an upgrade."""

    def __init__(
        self,
        script: Script,
        *,
        refuse: Callable[[int], Response | None] = lambda number: None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._script = script
        self._refuse = refuse
        self._tls = tls
        self._server: Server | None = None
        self.port = 0
        """Where it listens, once it does."""
        self.attempts = 0
        self.peers: list[Peer] = []
        self.failures: list[BaseException] = []
        """What went wrong in a script, except that its client was gone."""

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            process_request=self._process_request,
            ping_interval=None,
            compression=None,
            max_size=None,
            close_timeout=0.2,
            ssl=self._tls,
        )
        self.port = int(next(iter(self._server.sockets)).getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        for peer in self.peers:
            peer.socket.transport.abort()
        self._server.close()
        await self._server.wait_closed()
        if error is None and self.failures:
            raise self.failures[0]

    @property
    def endpoints(self) -> Endpoints:
        """The addresses for a client; every path serves the same."""
        address = f"{'wss' if self._tls else 'ws'}://127.0.0.1:{self.port}"
        return Endpoints(address, f"{address}/advanced", f"{address}/advanced-user")

    def _process_request(self, socket: ServerConnection, request: Request) -> Response | None:
        self.attempts += 1
        return self._refuse(self.attempts - 1)

    async def _serve(self, socket: ServerConnection) -> None:
        peer = Peer(len(self.peers), socket)
        self.peers.append(peer)
        telling = asyncio.create_task(self._tell(peer))
        try:
            await peer.read()
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    async def _tell(self, peer: Peer) -> None:
        try:
            await self._script(peer)
        except ConnectionClosed:
            pass
        except Exception as error:
            self.failures.append(error)


def http_answer(status: HTTPStatus, **headers: str) -> Response:
    """An answer to an upgrade that is none."""
    from websockets.datastructures import Headers

    return Response(status.value, status.phrase, Headers(headers | {"Connection": "close"}), b"")


class FeedReader:
    """Polls a feed whenever it says that something waits, and keeps the books."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self.events: list[MarketEvent] = []
        self.states: dict[str, FeedState] = {}
        self.reasons: list[str] = []
        self.books: dict[str, PriceLevels] = {}
        self.warnings: list[tuple[str, str]] = []
        self.restraints: list[tuple[str, str, str]] = []
        self.feed: LiveFeed | None = None
        self._rung = asyncio.Event()
        self.is_asleep = False

    def notify(self) -> None:
        """What the feed calls."""
        self._rung.set()

    def make(
        self,
        venue: ScriptedVenue,
        instruments: dict[str, Instrument],
        *,
        api: Api = Api.ADVANCED,
        settings: NetworkSettings | None = None,
        **given: Any,
    ) -> LiveFeed:
        """A feed of this reader; not started."""
        self.feed = LiveFeed(
            api,
            venue.endpoints,
            instruments,
            settings or NetworkSettings(),
            self.clock,
            self.notify,
            patience=given.pop("patience", QUICK),
            warn=lambda code, text: self.warnings.append((code, text)),
            restrain=lambda code, restraint, reason, _: self.restraints.append(
                (code, restraint.value, reason)
            ),
            **given,
        )
        return self.feed

    def take(self) -> None:
        """Poll once and apply what came."""
        assert self.feed is not None
        for event in self.feed.poll(self.clock.monotonic_ns()):
            self.events.append(event)
            if isinstance(event, FeedStatus):
                self.states[event.product] = event.state
                self.reasons.append(event.reason)
            elif isinstance(event, BookSnapshot):
                self.books.setdefault(event.product, PriceLevels()).apply_snapshot(event.bids, event.asks)
            elif isinstance(event, BookUpdate):
                self.books.setdefault(event.product, PriceLevels()).apply(event.bids, event.asks)

    async def until(self, what: Callable[[], bool], seconds: float = 5.0) -> None:
        """Go on polling until something is so; fails after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    self.take()
                    if what():
                        return
                    self._rung.clear()
                    try:
                        async with asyncio.timeout(0.02):
                            await self._rung.wait()
                    except TimeoutError:
                        pass
        except TimeoutError:
            raise AssertionError(
                f"not so within {seconds} s; states {self.states}, reasons {self.reasons[-4:]}, "
                f"warnings {self.warnings[-3:]}, "
                f"connections {self.feed.figures() if self.feed else None}"
            ) from None

    def is_live(self, *products: str) -> bool:
        """True when each of the products was last said to be live."""
        return all(self.states.get(product) is FeedState.LIVE for product in products)


def book_sha256(instrument: Instrument, book: PriceLevels) -> str:
    """The digest of a book: bids best first, then asks best first."""
    lines = [
        f"{side} {instrument.price_text(price)} {instrument.size_text(size)}\n"
        for side, levels in (("b", book.bids()), ("a", book.asks()))
        for price, size in levels
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_capture(path: Path) -> list[tuple[float, str]]:
    """The received frames of a capture with their times in seconds."""
    return list(_received(path))


def _received(path: Path) -> Iterator[tuple[float, str]]:
    with gzip.open(path, "rt") as lines:
        for text in lines:
            line = json.loads(text)
            if line["dir"] == "recv":
                yield float(line.get("ts") or 0), line["raw"]


def playing(frames: Sequence[tuple[float, str]], speed: float | None) -> Script:
    """A script that plays a capture once the client has asked for something; `speed` None is at once."""

    async def script(peer: Peer) -> None:
        await peer.spoke()
        loop = asyncio.get_running_loop()
        began, first = loop.time(), frames[0][0]
        for at, raw in frames:
            if speed is not None:
                await asyncio.sleep(max(0.0, began + (at - first) / speed - loop.time()))
            await peer.send(raw)

    return script
