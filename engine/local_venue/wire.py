"""The two places through which everything passes that leaves the venue: a request's answer, and a frame.

Whoever wants to disturb the venue does it there, and nowhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_CONGESTED_FRAMES: Final = 256
"""A recording that is played at full speed waits while a client is so many frames behind."""

SendFrame = Callable[[str], Awaitable[None]]
"""Sends the text of one frame, or does something else with it."""

Resnapshot = Callable[[str], str | None]
"""The whole book of a product as a frame of this connection; None where it has none."""


class Interference(Protocol):
    """What stands between the venue and its clients."""

    @property
    def middleware(self) -> Middleware:
        """The outermost treatment of every HTTP request, upgrades to a WebSocket included."""
        ...

    def sender(
        self, request: web.Request, socket: web.WebSocketResponse, resnapshot: Resnapshot
    ) -> SendFrame:
        """How the frames of one new connection leave."""
        ...


class NoInterference:
    """Everything passes as it is."""

    @property
    def middleware(self) -> Middleware:
        """See `Interference`."""

        @web.middleware
        async def pass_on(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await handler(request)

        return pass_on

    def sender(
        self, request: web.Request, socket: web.WebSocketResponse, resnapshot: Resnapshot
    ) -> SendFrame:
        """See `Interference`."""
        return socket.send_str


class Outbox:
    """Frames of one connection on their way out, in order; `send` never waits."""

    def __init__(self, socket: web.WebSocketResponse, send: SendFrame) -> None:
        self._socket = socket
        self._send = send
        self._waiting: deque[str] = deque()
        self._wakes = asyncio.Event()
        self._closes_with: tuple[int, str] | None = None
        self._task = asyncio.create_task(self._run())

    def send(self, text: str) -> None:
        """Put a frame behind those that wait; nothing happens on a connection that has ended."""
        if not self._task.done() and self._closes_with is None:
            self._waiting.append(text)
            self._wakes.set()

    def close_after(self, code: int, reason: str) -> None:
        """Close the connection once everything that waits has left."""
        if self._closes_with is None:
            self._closes_with = (code, reason)
            self._wakes.set()

    @property
    def pending(self) -> int:
        """Frames that have not left."""
        return len(self._waiting)

    @property
    def is_congested(self) -> bool:
        """True while the client is far behind."""
        return len(self._waiting) >= _CONGESTED_FRAMES and not self._task.done()

    async def _run(self) -> None:
        # A client that is gone is no error of the venue.
        with contextlib.suppress(ConnectionError):
            while not self._socket.closed:
                while self._waiting and not self._socket.closed:
                    await self._send(self._waiting.popleft())
                if self._closes_with is not None:
                    code, reason = self._closes_with
                    await self._socket.close(code=code, message=reason.encode())
                    return
                self._wakes.clear()
                await self._wakes.wait()

    async def stop(self) -> None:
        """Send nothing more."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._waiting.clear()
