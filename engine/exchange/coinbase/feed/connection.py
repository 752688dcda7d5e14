"""One WebSocket that is kept: connected, subscribed, read, and connected again whenever it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from random import Random
from typing import Final, Protocol, cast
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from engine.core.clock import Clock
from engine.exchange.coinbase.feed.backoff import Backoff
from engine.exchange.coinbase.feed.refusals import ConnectionRefusedForGood, Ending, ending_of

MAX_FRAME_BYTES: Final = 32 << 20
"""The first book of BTC-USD is one frame of 5 MB."""
_MOST_FRAMES_WAITING: Final = 64
_NEXT_ADDRESS_S: Final = 0.25
"""An address of the venue (IPv6 mostly) that has not answered by then is not waited for: the next one is
tried beside it."""
_USER_AGENT: Final = "pinnacle-tui"
_QUIET: Final = logging.Logger("quiet", logging.CRITICAL + 1)
"""What the library has to say is said by us, in the place for it: never on a screen that is in use."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a connection waits for what, in seconds."""

    open_s: float = 5.0
    send_s: float = 2.0
    close_s: float = 1.0
    ping_interval_s: float = 5.0
    first_pong_s: float = 20.0
    """Until the first snapshots are in: a pong queues behind them."""
    pong_s: float = 5.0
    between_messages_s: float = 0.13
    """The venue takes eight messages a second."""


class ConnectionFigures(msgspec.Struct):
    """What has become of a connection so far, for people and tests."""

    name: str
    address: str
    state: str = "idle"
    """idle, connecting, open, waiting (for the next attempt), parked (for good) or stopped."""
    attempts: int = 0
    connects: int = 0
    frames: int = 0
    last_close_code: int | None = None
    last_ending: str = ""
    """Why it ended last, in words; empty while it has not."""


class Listener(Protocol):
    """Whoever a connection is kept for. Everything is called on the loop, in the order it happens."""

    def requests(self) -> Sequence[str]:
        """What to send on a new connection, in order; asked just before."""
        ...

    def on_open(self) -> None:
        """A new connection is up; nothing has come over it."""
        ...

    def on_sent(self, raw: str) -> None:
        """This request is being sent."""
        ...

    async def on_frame(self, raw: str | bytes) -> None:
        """A frame came: text, or bytes for a binary one. The next one waits until this returns."""
        ...

    def on_down(self, ending: Ending) -> None:
        """The connection has ended, or could not be made."""
        ...


class _Watched(ClientConnection):
    """A connection that counts the bytes it has been given: a big frame on its way is not silence."""

    bytes_received: int = 0

    def data_received(self, data: bytes) -> None:
        self.bytes_received += len(data)
        super().data_received(data)


class _Connect(connect):
    """Connects to where it was told, or not at all."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Connection:
    """See the module. `start` begins; from then on the listener is told what happens, until `stop`.

    `tls` is the context for a `wss` address; None for `ws`.
    """

    def __init__(
        self,
        name: str,
        address: str,
        listener: Listener,
        clock: Clock,
        random: Random,
        *,
        tls: ssl.SSLContext | None,
        deflate: bool = False,
        patience: Patience | None = None,
    ) -> None:
        self.figures = ConnectionFigures(name, urlsplit(address).netloc)
        self._address = address
        self._listener = listener
        self._tls = tls
        self._deflate = deflate
        self._patience = patience or Patience()
        self._backoff = Backoff(clock, random)
        self._socket: _Watched | None = None
        self._outbox: asyncio.Queue[str] = asyncio.Queue()
        self._dropped: Ending | None = None
        self._task: asyncio.Task[None] | None = None
        self._first: asyncio.Future[Ending | None] | None = None

    # -- life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin, and wait for the end of the first attempt. Raises `ConnectionRefusedForGood`.

        An attempt that failed for another reason is repeated from now on.
        """
        self._first = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._keep(), name=f"connection {self.figures.name}")
        ending = await self._first
        if ending is not None and ending.is_fatal:
            await self.stop()
            raise ConnectionRefusedForGood(ending.code, ending.words)

    async def stop(self) -> None:
        """End it, saying goodbye where that is possible; nothing is left behind."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self.figures.state = "stopped"

    @property
    def is_open(self) -> bool:
        """True while a connection is up."""
        return self._socket is not None

    @property
    def bytes_received(self) -> int:
        """Bytes that came over the present connection, frames under way included; 0 without one."""
        return 0 if self._socket is None else self._socket.bytes_received

    # -- while it is up --------------------------------------------------------------------------

    def send(self, raw: str) -> None:
        """Send a request, after those before it and no faster than the venue takes them.

        Without a connection it is forgotten: a new one begins with the listener's own requests.
        """
        if self._socket is not None:
            self._outbox.put_nowait(raw)

    def settled(self, is_settled: bool) -> None:
        """Whether nothing big is on its way: only then must pings be answered quickly."""
        if self._socket is not None:
            patience = self._patience
            self._socket.ping_timeout = patience.pong_s if is_settled else patience.first_pong_s

    def healthy(self) -> None:
        """All is well with what comes: if that lasts, the next attempt is made at once again."""
        self._backoff.healthy()

    def drop(self, reason: str, *, is_busy: bool = False) -> None:
        """Give the present connection up, without waiting for the other side, and make a new one."""
        socket = self._socket
        if socket is not None and self._dropped is None:
            self._dropped = Ending("DROPPED", reason, is_busy=is_busy)
            socket.transport.abort()

    # -- the task --------------------------------------------------------------------------------

    async def _keep(self) -> None:
        self._backoff.begin()
        while True:
            ending = await self._once()
            figures = self.figures
            figures.last_ending = ending.words
            if ending.close_code is not None:
                figures.last_close_code = ending.close_code
            figures.state = "parked" if ending.is_fatal else "waiting"
            self._listener.on_down(ending)
            self._tell_first(ending)
            if ending.is_fatal:
                return
            await asyncio.sleep(
                self._backoff.next_wait_s(is_busy=ending.is_busy, at_least_s=ending.retry_after_s)
            )

    def _tell_first(self, ending: Ending | None) -> None:
        if self._first is not None and not self._first.done():
            self._first.set_result(ending)

    async def _once(self) -> Ending:
        """One connection, from the attempt to its end."""
        self.figures.state = "connecting"
        self.figures.attempts += 1
        try:
            socket = await self._connect()
        except Exception as error:
            return ending_of(error, self.figures.address)
        self._dropped = None
        self._outbox = asyncio.Queue()
        self._socket = socket
        sender = asyncio.create_task(self._send_all(socket, self._outbox))
        try:
            self.figures.state = "open"
            self.figures.connects += 1
            self._listener.on_open()
            for request in self._listener.requests():
                self._outbox.put_nowait(request)
            self._tell_first(None)
            while True:
                raw = await socket.recv()
                # A connection that was given up still hands over what it had received.
                if self._dropped is not None:
                    return self._dropped
                self.figures.frames += 1
                await self._listener.on_frame(raw)
        except Exception as error:
            return self._dropped or ending_of(error, self.figures.address)
        finally:
            self._socket = None
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)
            await self._close(socket)

    async def _connect(self) -> _Watched:
        patience = self._patience
        socket = await _Connect(
            self._address,
            ssl=self._tls,
            compression="deflate" if self._deflate else None,
            max_size=MAX_FRAME_BYTES,
            max_queue=_MOST_FRAMES_WAITING,
            open_timeout=patience.open_s,
            close_timeout=patience.close_s,
            ping_interval=patience.ping_interval_s,
            ping_timeout=patience.first_pong_s,
            user_agent_header=_USER_AGENT,
            proxy=None,
            logger=_QUIET,
            create_connection=_Watched,
            happy_eyeballs_delay=_next_address_s(self._address),
        )
        return cast(_Watched, socket)

    async def _send_all(self, socket: _Watched, outbox: asyncio.Queue[str]) -> None:
        """Send what is put into the outbox. A socket that takes nothing any more is given up."""
        patience = self._patience
        while True:
            raw = await outbox.get()
            self._listener.on_sent(raw)
            try:
                async with asyncio.timeout(patience.send_s):
                    await socket.send(raw)
            except TimeoutError:
                self.drop(f"a request could not be sent within {patience.send_s:g} s")
                return
            except ConnectionClosed:
                return
            await asyncio.sleep(patience.between_messages_s)

    async def _close(self, socket: _Watched) -> None:
        """Say goodbye; whatever happens, the transport is gone afterwards."""
        try:
            async with asyncio.timeout(2 * self._patience.close_s):
                await socket.close()
        except (TimeoutError, OSError):
            pass
        finally:
            socket.transport.abort()


def _next_address_s(address: str) -> float | None:
    """How long to wait for one address of a name; None where there is but one."""
    try:
        ip_address(urlsplit(address).hostname or "")
    except ValueError:
        return _NEXT_ADDRESS_S
    return None
