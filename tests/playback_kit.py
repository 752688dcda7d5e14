"""A playback for tests: read to its end, or talked to as its console does."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from link_kit import of_engine, to_engine

from engine.link.messages import Ack, Command
from engine.runtime.playback import Playback


def read(playback: Playback) -> None:
    """Read the session to its end."""
    while not playback.index.is_read:
        playback.index.read(10_000)


class Talk:
    """The console's end of the socket, on a real loop."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._decoder = of_engine()
        self._waiting: list[Any] = []
        self._asked = 0

    def say(self, message: Any) -> None:
        self._sock.sendall(to_engine(message))

    async def heard(self, kind: Any) -> Any:
        """The next message of a kind."""
        while True:
            while self._waiting:
                message = self._waiting.pop(0)
                if isinstance(message, kind):
                    return message
            data = await asyncio.get_running_loop().sock_recv(self._sock, 1 << 20)
            assert data, "the playback has closed the link"
            self._waiting += self._decoder.feed(data)

    async def asked(self, name: str, **arguments: str) -> Ack:
        """The final answer to a command; what was told before it is kept."""
        self._asked += 1
        number, kept = str(self._asked), []
        self.say(Command(number, name, arguments))
        while True:
            message = await self.heard(object)
            if isinstance(message, Ack) and message.id == number:
                self._waiting = kept + self._waiting
                return message
            kept.append(message)
