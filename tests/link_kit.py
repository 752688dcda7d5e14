"""What tests of the link share: an event loop in which waiting costs no time, and an engine to talk to."""

from __future__ import annotations

import asyncio
import functools
import selectors
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, ParamSpec

import msgspec

from engine.link.client import LinkChange, LinkClient
from engine.link.event_log import EventLog
from engine.link.events import Notice
from engine.link.frames import FrameDecoder, of_engine, to_engine
from engine.link.messages import Bye, ClientHello, Command, EngineHello, Heartbeat, Role, ToConsole, ToEngine
from engine.link.mirror import EngineMirror
from engine.link.peer import Peer
from engine.link.server import LinkServer
from engine.link.view import Health, View

P = ParamSpec("P")
S = 1_000_000_000


class _ImpatientSelector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Never waits: where nothing is ready, the loop's time moves on instead."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits for something that no timer brings"
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time moves only while there is nothing to do."""

    def __init__(self) -> None:
        self._virtual = _ImpatientSelector()
        self.at_end: list[Callable[[], Awaitable[None] | None]] = []
        """What a test's objects want done when it is over, the last first."""
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now

    def pass_time(self, seconds: float) -> None:
        """As if the caller had taken so long."""
        self._virtual.now += seconds


def in_virtual_time(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run an async test on a `VirtualLoop`."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def run_and_clean() -> None:
            try:
                await test(*args, **kwargs)
            finally:
                for clean in reversed(virtual_loop().at_end):
                    cleaning = clean()
                    if cleaning is not None:
                        await cleaning
                await settle()

        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            runner.run(run_and_clean())

    return run


def virtual_loop() -> VirtualLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


def now_ns() -> int:
    """The running loop's time."""
    return int(asyncio.get_running_loop().time() * 1e9)


def small_view(seq: int, padding: int = 0) -> View:
    return View(seq, 0, 0, 0, (), Health(0, 0, 0, 0, 0, 0, "x" * padding))


def hello_of(role: Role = Role.CONTROL, **changes: Any) -> ClientHello:
    return msgspec.structs.replace(ClientHello(1, "0.1.0", role, "console pid 1"), **changes)


@dataclass
class Desk:
    """An engine without trading: what its server asked of it, and the server."""

    padding: int = 0
    """Characters that make a view large."""
    options: dict[str, Any] = field(default_factory=dict)
    engine_id: str = "engine 1"
    views: int = 0
    commands: list[tuple[Peer, Command]] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    owner: list[str] = field(default_factory=list)
    events: EventLog = field(default_factory=EventLog)

    def __post_init__(self) -> None:
        self.server = LinkServer(
            **{
                "events": self.events,
                "identity": self.identity,
                "make_view": self.make_view,
                "on_command": lambda peer, command: self.commands.append((peer, command)),
                "on_error": self.errors.append,
                "on_owner_lost": lambda: self.owner.append("lost"),
                "on_owner_back": lambda: self.owner.append("back"),
                **self.options,
            }
        )
        virtual_loop().at_end.append(lambda: self.server.close(Bye("the test is over")))

    def identity(self, role: Role) -> EngineHello:
        return EngineHello(
            1, "0.1.0", self.engine_id, "sim", 1, "sim", "simulator", role, (), {}, 0, None, "keep-running", 0
        )

    def make_view(self) -> View:
        self.views += 1
        return small_view(self.views, self.padding)

    def publish(self, count: int = 1, text: str = "") -> None:
        for _ in range(count):
            self.events.publish(Notice, 0, 0, "", "info", "N", text)

    async def connect(self, *, is_inherited: bool = False) -> socket.socket:
        """The other end of a new connection, which counts as inherited or as one that came over the path."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(
            lambda: Peer(self.server, loop, is_inherited=is_inherited), sock=theirs
        )
        return ours

    async def raw(self, hello: ClientHello | None = None, *, is_inherited: bool = False) -> RawPeer:
        """A client that is nothing but a socket."""
        peer = RawPeer(await self.connect(is_inherited=is_inherited))
        if hello is not None:
            peer.say(hello)
            await settle()
        return peer

    async def client(self, role: Role = Role.CONTROL, **options: Any) -> tuple[LinkClient, list[LinkChange]]:
        """A real client that has said hello."""
        client, changes = new_client(role, **options)
        await client.adopt(await self.connect())
        return client, changes


def new_client(role: Role = Role.CONTROL, **options: Any) -> tuple[LinkClient, list[LinkChange]]:
    changes: list[LinkChange] = []
    given = {"name": "console pid 1", "build": "0.1.0", "mirror": EngineMirror(), "hz": 10.0, **options}
    client = LinkClient(role=role, now_ns=now_ns, on_change=changes.append, **given)
    virtual_loop().at_end.append(client.close)
    return client, changes


class RawPeer:
    """The other end of a server's connection, read only when the test says so."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.is_closed = False
        self.beats: list[int] = []
        """The numbers of the heartbeats that were read."""
        virtual_loop().at_end.append(sock.close)
        self._decoder: FrameDecoder[ToConsole] = of_engine()

    def say(self, *messages: ToEngine) -> None:
        for message in messages:
            self.send(to_engine(message))

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def read(self, most: int | None = None) -> list[ToConsole]:
        """What came since, heartbeats left out; of it `most` bytes, where not all of it is wanted."""
        found: list[ToConsole] = []
        while not self.is_closed and most != 0:
            try:
                data = self.sock.recv(most or 1 << 16)
                most = None if most is None else most - len(data)
            except BlockingIOError:
                break
            except ConnectionResetError:
                data = b""
            self.is_closed = not data
            found += self._decoder.feed(data)
        self.beats += [message.counter for message in found if isinstance(message, Heartbeat)]
        return [message for message in found if not isinstance(message, Heartbeat)]

    def only(self, kind: type[Any]) -> Any:
        """The one message of a type that came since."""
        (found,) = [message for message in self.read() if isinstance(message, kind)]
        return found

    async def drain(self) -> list[ToConsole]:
        """Read on until nothing more comes."""
        found: list[ToConsole] = []
        while more := self.read():
            found += more
            await settle()
        return found

    def close(self) -> None:
        self.sock.close()


async def settle() -> None:
    """Let everything happen that needs no time."""
    for _ in range(20):
        await asyncio.sleep(0)
