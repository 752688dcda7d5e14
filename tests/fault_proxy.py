"""A TCP proxy that commits the faults of a network: late, slow, silent, cut, damaged; switched while it runs.

It stands between a client and a server and knows nothing of what they say. `up` is the way from the client
to the server, `down` the way back; each is a `Way` whose conditions act on every byte from now on, also on
connections that are open already. What damages bytes (`Damage`) is given once and acts once, at an offset
counted from the moment it was given. Everything random comes from the seed.

    async with FaultProxy(server_port) as proxy:
        ... connect to proxy.port ...
        proxy.down.is_swallowing = True     # half-open: what the server says vanishes
        proxy.reset()                       # RST on every connection
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import socket
import struct
from collections import deque
from dataclasses import dataclass, field
from random import Random
from types import TracebackType
from typing import Self

from byte_damage import Damage, Kind, Mangler

_READ_BYTES = 16 << 10
_SOCKET_BUFFER = 32 << 10
"""Small, so that a proxy that stops reading is soon felt by whoever writes."""
_MOST_CHUNKS = 512
"""Chunks under way in one direction of one connection; a sender who is faster waits."""
_RATE_STEP_S = 0.02
_LINGER_ZERO = struct.pack("ii", 1, 0)


class Door(enum.Enum):
    """What happens to a new connection."""

    OPEN = "open"
    """It is led to the server."""
    SILENT = "silent"
    """It is accepted; nobody reads or answers."""
    SLAMMED = "slammed"
    """It is accepted and closed at once."""


@dataclass
class Way:
    """The conditions of one direction. Changing a field acts at once."""

    delay_s: float = 0.0
    jitter_s: float = 0.0
    """Up to so much more delay for each chunk; order is kept."""
    bytes_per_s: float | None = None
    slice_bytes: int | None = None
    """Written in pieces of so many bytes, each in a segment of its own."""
    is_swallowing: bool = False
    """Bytes are read and vanish, the end of the stream too: the other side hears nothing any more."""
    damages_at_start: tuple[Damage, ...] = ()
    """What every new connection is given."""
    bytes_seen: int = 0
    """Bytes that came in, over all connections."""
    bytes_passed: int = 0
    """Bytes that were handed on."""
    _gate: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._gate.set()

    def freeze(self) -> None:
        """Stop reading: buffers fill, the sender's window closes."""
        self._gate.clear()

    def thaw(self) -> None:
        """Read on; nothing was lost."""
        self._gate.set()

    async def wait_until_read(self) -> None:
        """Return while it is not frozen."""
        await self._gate.wait()

    def heal(self) -> None:
        """No condition any more; damage given already stays."""
        self.delay_s = self.jitter_s = 0.0
        self.bytes_per_s = self.slice_bytes = None
        self.is_swallowing = False
        self.damages_at_start = ()
        self.thaw()


class _Pipe:
    """One direction of one connection: a task that reads, and one that writes what is due."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way, random: Random
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._way = way
        self._random = random
        self._mangler = Mangler(random)
        for damage in way.damages_at_start:
            self._mangler.give(damage)
        self._chunks: deque[tuple[float, bytes]] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Semaphore(_MOST_CHUNKS)
        self._is_read_out = False

    def damage(self, damage: Damage) -> None:
        self._mangler.give(damage)

    async def run(self) -> None:
        """Carry bytes until the stream ends. What a cut connection raises is no news here."""
        writing = asyncio.create_task(self._write_all())
        try:
            await self._read_all()
            await writing
        except ConnectionError:
            pass
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _read_all(self) -> None:
        loop, way = asyncio.get_running_loop(), self._way
        due = loop.time()
        while not self._is_read_out:
            await way.wait_until_read()
            data = await self._reader.read(_READ_BYTES)
            await way.wait_until_read()  # it may have frozen meanwhile
            way.bytes_seen += len(data)
            if way.is_swallowing:
                if not data:
                    await asyncio.Event().wait()  # the other side must not see the end either
                continue
            passed = self._mangler.pass_on(data)
            self._is_read_out = not data or self._mangler.is_ended
            if passed or self._is_read_out:
                await self._room.acquire()
                due = max(due, loop.time() + way.delay_s + self._random.uniform(0, way.jitter_s))
                self._chunks.append((due, passed))
                self._news.set()

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._chunks or not self._is_read_out:
            if not self._chunks:
                self._news.clear()
                await self._news.wait()
                continue
            due, data = self._chunks[0]
            wait_s = due - loop.time()
            if wait_s > 0:
                await asyncio.sleep(wait_s)
            self._chunks.popleft()
            self._room.release()
            if not self._way.is_swallowing:
                await self._write(data)
        with contextlib.suppress(OSError):
            self._writer.write_eof()

    async def _write(self, data: bytes) -> None:
        way = self._way
        while data:
            size = len(data)
            if way.slice_bytes is not None:
                size = way.slice_bytes
            if way.bytes_per_s is not None:
                size = max(1, min(size, int(way.bytes_per_s * _RATE_STEP_S)))
            piece, data = data[:size], data[size:]
            self._writer.write(piece)
            await self._writer.drain()
            way.bytes_passed += len(piece)
            # Also without a rate: the reader, who may live on this loop, must get to see the piece alone.
            await asyncio.sleep(0 if way.bytes_per_s is None else len(piece) / way.bytes_per_s)


class _Line:
    """One connection through the proxy."""

    def __init__(self, client: asyncio.StreamWriter) -> None:
        self.client = client
        self.server: asyncio.StreamWriter | None = None
        self.up: _Pipe | None = None
        self.down: _Pipe | None = None

    def reset(self) -> None:
        for writer in self._writers():
            with contextlib.suppress(OSError):
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
            writer.transport.abort()

    async def close(self) -> None:
        for writer in self._writers():
            writer.transport.abort()
        for writer in self._writers():
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _writers(self) -> list[asyncio.StreamWriter]:
        return [self.client] if self.server is None else [self.client, self.server]


class FaultProxy:
    """See the module. Listens on 127.0.0.1; `port` stays the same while it is closed and opened again."""

    def __init__(self, server_port: int, *, seed: int = 0, host: str = "127.0.0.1") -> None:
        self.up = Way()
        self.down = Way()
        self.door = Door.OPEN
        self.port = 0
        self.accepted_at: list[float] = []
        """The loop's times at which connections were accepted, whatever became of them."""
        self._target = (host, server_port)
        self._random = Random(seed)
        self._server: asyncio.Server | None = None
        self._lines: dict[asyncio.Task[None], _Line] = {}

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()
        tasks = list(self._lines)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def accepted(self) -> int:
        """How many that are."""
        return len(self.accepted_at)

    @property
    def lines(self) -> int:
        """Connections that are open now."""
        return len(self._lines)

    async def listen(self) -> None:
        """Accept connections (again)."""
        if self._server is None:
            listener = socket.create_server(("127.0.0.1", self.port))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER)
            self.port = listener.getsockname()[1]
            self._server = await asyncio.start_server(self._accept, sock=listener, limit=_READ_BYTES)

    async def refuse(self) -> None:
        """Close the port: new connections are refused. Open ones go on."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            # Not `wait_closed`: it may wait for open connections, which shall go on.
            await asyncio.sleep(0)

    def reset(self) -> None:
        """RST on both sides of every open connection."""
        for line in list(self._lines.values()):
            line.reset()

    def cut(self) -> None:
        """End every open connection; bytes under way are lost."""
        for task in self._lines:
            task.cancel()

    def half_close(self) -> None:
        """FIN towards the client while its own half stays open."""
        for line in self._lines.values():
            with contextlib.suppress(OSError):
                line.client.write_eof()

    def damage(self, kind: Kind, at: int = 0, size: int = 1, *, is_up: bool = False) -> None:
        """Damage the bytes that come next on every open connection (see `Damage`)."""
        for line in self._lines.values():
            pipe = line.up if is_up else line.down
            if pipe is not None:
                pipe.damage(Damage(kind, at, size))

    def swallow(self) -> None:
        """Half-open both ways: everybody is still connected and nobody hears anything."""
        self.up.is_swallowing = self.down.is_swallowing = True

    def heal(self) -> None:
        """No fault any more for what is new; what was lost stays lost."""
        self.door = Door.OPEN
        self.up.heal()
        self.down.heal()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted_at.append(asyncio.get_running_loop().time())
        line = _Line(writer)
        task = asyncio.create_task(self._carry(reader, line), name=f"line {self.accepted}")
        self._lines[task] = line
        task.add_done_callback(lambda done: self._lines.pop(done, None))

    async def _carry(self, reader: asyncio.StreamReader, line: _Line) -> None:
        try:
            if self.door is Door.SILENT:
                line.client.transport.pause_reading()  # type: ignore[attr-defined]
                await asyncio.Event().wait()
            if self.door is Door.SLAMMED:
                return
            try:
                answers, line.server = await asyncio.open_connection(*self._target, limit=_READ_BYTES)
            except OSError:
                return
            for writer in (line.client, line.server):
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                writer.transport.set_write_buffer_limits(high=_READ_BYTES)
            line.up = _Pipe(reader, line.server, self.up, Random(self._random.random()))
            line.down = _Pipe(answers, line.client, self.down, Random(self._random.random()))
            await asyncio.gather(line.up.run(), line.down.run())
        finally:
            await line.close()


class BlackHole:
    """A port whose connection attempts are neither taken nor refused: packets seem to vanish."""

    def __enter__(self) -> Self:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(0)
        self.port: int = self._listener.getsockname()[1]
        self._fillers: list[socket.socket] = []
        # The kernel drops a SYN while the queue of a listener nobody accepts from is full.
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect(("127.0.0.1", self.port))
            self._fillers.append(filler)
        return self

    def __exit__(self, *_: object) -> None:
        for each in [*self._fillers, self._listener]:
            each.close()
