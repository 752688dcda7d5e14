"""A venue's HTTP side in the hands of a test: every answer, and every way not to give one, byte by byte."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Request:
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    """By lower-case name."""
    body: bytes
    connection: int
    """The how-manieth connection it came over, from 0."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True)

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """A complete answer. `body` may be bytes or what is to be sent as JSON."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        head = {"Content-Length": str(len(body)), "Content-Type": "application/json", **self.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        return f"HTTP/1.1 {self.status} Words\r\n{lines}\r\n".encode() + body


@dataclass(frozen=True)
class Bytes:
    """Exactly these bytes, and then the end of the connection."""

    data: bytes = b""
    is_reset: bool = False
    """The end is a reset instead of an orderly close."""


class Silence:
    """Nothing, for as long as the client stays."""


Step = Answer | Bytes | Silence
Handler = Callable[[Request], Step]


def script(*steps: Step) -> Handler:
    """One step for each request; the last one goes on."""
    left = list(steps)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


class HttpServer:
    """Listens on this machine for as long as it is entered; remembers what was asked."""

    def __init__(self, handler: Handler | None = None, *, is_deaf: bool = False) -> None:
        self.handler: Handler = handler or script(Answer(404, {"message": "NotFound"}))
        self.is_deaf = is_deaf
        """Connections are reset before anything is read from them."""
        self.requests: list[Request] = []
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        number, self.connections = self.connections, self.connections + 1
        try:
            if self.is_deaf:
                _make_reset(writer)
                return
            while (request := await _read(reader, number)) is not None:
                self.requests.append(request)
                step = self.handler(request)
                if isinstance(step, Silence):
                    await reader.read()
                    return
                writer.write(step.encoded() if isinstance(step, Answer) else step.data)
                await writer.drain()
                if isinstance(step, Bytes):
                    if step.is_reset:
                        _make_reset(writer)
                    return
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or the test is over
        finally:
            self._tasks.discard(task)
            writer.close()


def _make_reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _read(reader: asyncio.StreamReader, connection: int) -> Request | None:
    head = await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b""
    if not head:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, target, headers, body, connection)
