"""Frames on their way to one client: in order, through the venue's faults, never waited for."""

from __future__ import annotations

import asyncio
from collections import deque

from aiohttp import WSCloseCode, web

from engine.local_venue.fault_frames import FrameFaults
from engine.local_venue.fault_sending import carry_out


class Outbox:
    """The one place through which every frame of a connection leaves."""

    def __init__(
        self, socket: web.WebSocketResponse, transport: asyncio.Transport, faults: FrameFaults, room: int
    ) -> None:
        """`room`: how many frames may wait; a client that is further behind is cut off."""
        self._socket = socket
        self._transport = transport
        self._faults = faults
        self._room = room
        self._waiting: deque[str] = deque()
        self._wake = asyncio.Event()
        self._end: tuple[int, str] | None = None

    def send(self, text: str) -> None:
        """Send a frame as soon as all before it are gone."""
        if self._end is not None:
            return
        if len(self._waiting) >= self._room:
            self.close(WSCloseCode.POLICY_VIOLATION, "ErrSlowConsume")
            self._waiting.clear()
            return
        self._waiting.append(text)
        self._wake.set()

    def close(self, code: int, reason: str) -> None:
        """Close the connection behind what waits; nothing is sent any more."""
        if self._end is None:
            self._end = (code, reason)
            self._wake.set()

    async def run(self) -> None:
        """Send until the connection ends."""
        while not self._socket.closed:
            while self._waiting:
                steps = self._faults.pass_on(self._waiting.popleft())
                try:
                    await carry_out(steps, self._socket, self._transport)
                except ConnectionError:
                    return
            if self._end is not None:
                code, reason = self._end
                await self._socket.close(code=code, message=reason.encode())
                return
            self._wake.clear()
            await self._wake.wait()
