"""A client's end of the link: keeps a mirror of an engine, sends commands and hears what became of them."""

from __future__ import annotations

import asyncio
import enum
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, cast

import msgspec

from engine.link.errors import LinkError
from engine.link.frames import of_engine, to_engine
from engine.link.messages import (
    HEARTBEAT_S,
    PROTOCOL,
    Ack,
    Bye,
    ClientHello,
    Command,
    CommandName,
    EngineHello,
    Heartbeat,
    Moved,
    Pace,
    Role,
    ToConsole,
    Verdict,
)
from engine.link.mirror import EngineMirror, Pending

HELLO_S: Final = 5.0
"""How long an engine may take to say hello."""
_TRAVEL_S: Final = 0.5
"""How much longer than the deadline an answer is waited for: the engine's own last word says more."""


class LinkChange(enum.Enum):
    """What happened to a link."""

    HELLO = "hello"
    """The engine has taken this client, or has given it another role."""
    BYE = "bye"
    """The engine ended or refused this client; `mirror.bye` tells why."""
    LOST = "lost"
    """The connection is gone; `reason` tells why."""


class LinkClient:
    """One client of one engine. It may connect again; what it missed then comes first, by number.

    Commands that were asked before keep their ids: sent again, they are not carried out again.
    """

    def __init__(
        self,
        mirror: EngineMirror,
        *,
        build: str,
        name: str,
        role: Role = Role.CONTROL,
        hz: float = 10.0,
        may_kill: bool = True,
        wants_events: bool = True,
        now_ns: Callable[[], int] = time.monotonic_ns,
        on_change: Callable[[LinkChange], None] | None = None,
    ) -> None:
        """`now_ns` is the clock that the mirror's ages are counted by; `hz` the views a second, or 0."""
        self.mirror = mirror
        self.reason = ""
        """Why the last connection ended."""
        self.unknown = 0
        """Messages of kinds that are not known here."""
        self._build = build
        self._name = name
        self._role = role
        self._hz = hz
        self._may_kill = may_kill
        self._wants_events = wants_events
        self._now_ns = now_ns
        self._on_change = on_change
        self._connection: _Connection | None = None
        self._greeted: asyncio.Future[EngineHello] | None = None
        self._expiries: dict[str, asyncio.TimerHandle] = {}
        self._sent: dict[str, str] = {}
        """The engine that each unanswered command was sent to."""
        self._ids = secrets.token_hex(8)
        self._counter = 0
        self._heartbeats = 0
        self._beat_timer: asyncio.TimerHandle | None = None

    async def connect(self, path: Path, *, hello_s: float = HELLO_S) -> EngineHello:
        """Connect to an engine's socket and return its hello, or raise a `LinkError` that says why not."""
        loop = asyncio.get_running_loop()
        connection = self._new_connection(loop)
        try:
            await loop.create_unix_connection(lambda: connection, str(path))
        except OSError as error:
            why = error.strerror or str(error)
            raise LinkError(f"no engine answers at {path} ({why}); nothing was asked of it") from error
        return await self._await_hello(connection, hello_s)

    async def adopt(self, connected: socket.socket, *, hello_s: float = HELLO_S) -> EngineHello:
        """As `connect`, over a socket whose other end an engine has or is being given."""
        loop = asyncio.get_running_loop()
        connection = self._new_connection(loop)
        connected.setblocking(False)
        await loop.create_unix_connection(lambda: connection, sock=connected)
        return await self._await_hello(connection, hello_s)

    def command(
        self,
        name: CommandName,
        arguments: Mapping[str, str] | None = None,
        *,
        deadline_s: float = 5.0,
        on_change: Callable[[Pending], None] | None = None,
    ) -> Pending:
        """Ask the engine for something; `on_change` is told of every answer.

        While the link is down the command waits for it. A final answer always comes: when the deadline
        has passed without one, it is UNKNOWN, or REJECTED where the command never left this process.
        """
        self._counter += 1
        command = Command(f"{self._ids}-{self._counter}", name, dict(arguments or {}), deadline_s)
        pending = Pending(command, self._now_ns(), on_change)
        frame = to_engine(command)  # before it is kept: one that is too large cannot be asked
        self.mirror.pending[command.id] = pending
        loop = asyncio.get_running_loop()
        self._expiries[command.id] = loop.call_later(deadline_s + _TRAVEL_S, self._expire, command.id)
        hello = self.mirror.hello
        if hello is not None and self.is_connected:
            self._sent[command.id] = hello.engine_id
            self._write(frame)
        return pending

    async def ask(
        self, name: CommandName, arguments: Mapping[str, str] | None = None, *, deadline_s: float = 5.0
    ) -> Ack:
        """As `command`, and wait for the final answer."""
        answered: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()

        def note(pending: Pending) -> None:
            if pending.is_final and pending.ack is not None and not answered.done():
                answered.set_result(pending.ack)

        self.command(name, arguments, deadline_s=deadline_s, on_change=note)
        return await answered

    def pace(self, hz: float) -> None:
        """Ask for so many views a second from now on, after a new connection too."""
        self._hz = hz
        if self.is_connected:
            self._write(to_engine(Pace(hz)))

    def close(self, reason: str = "closed by this client") -> None:
        """Say goodbye and end; commands without an answer become UNKNOWN."""
        if self._connection is not None:
            self._write(to_engine(Bye(reason)))
            self._end(reason)
        for command_id in tuple(self._expiries):
            self._expire(command_id, "the link was closed before an answer")

    @property
    def is_connected(self) -> bool:
        """True from the engine's hello to the end of the connection."""
        return self._connection is not None and self.mirror.is_connected

    # -- the connection -----------------------------------------------------------------------------------

    def _new_connection(self, loop: asyncio.AbstractEventLoop) -> _Connection:
        self._end("replaced by a new connection")
        self._greeted = loop.create_future()
        return _Connection(self)

    async def _await_hello(self, connection: _Connection, hello_s: float) -> EngineHello:
        assert self._greeted is not None
        greeted = self._greeted
        await asyncio.wait([greeted], timeout=hello_s)
        if greeted.done() and not greeted.cancelled():
            return greeted.result()
        if connection is self._connection:
            self._end(f"the engine did not say hello within {hello_s:g} s")
        raise LinkError(f"{self.reason}; nothing was asked of it")

    def opened(self, connection: _Connection) -> None:
        """The connection stands: say hello."""
        mirror = self.mirror
        self._connection = connection
        self._write(
            to_engine(
                ClientHello(
                    PROTOCOL,
                    self._build,
                    self._role,
                    self._name,
                    self._hz,
                    mirror.last_event if self._wants_events else -1,
                    self._may_kill,
                    mirror.hello.engine_id if mirror.hello is not None else "",
                )
            )
        )
        self._beat()

    def heard(self, connection: _Connection, message: ToConsole) -> None:
        """The engine said something."""
        if connection is not self._connection:
            return
        if isinstance(message, EngineHello) and message.protocol != PROTOCOL:
            self._end(f"the engine speaks protocol {message.protocol}, this client {PROTOCOL}")
            return
        self.mirror.apply(message, self._now_ns())
        match message:
            case EngineHello():
                self._take_hello(message)
            case Moved():
                self._take_hello(message.hello)
            case Bye():
                self._tell(LinkChange.BYE)
                self._end(message.reason)
            case Ack() if message.id not in self.mirror.pending:
                self._forget(message.id)

    def lost(self, connection: _Connection, reason: str) -> None:
        """The connection is of no use any more."""
        if connection is self._connection:
            self._end(reason)

    def _take_hello(self, hello: EngineHello) -> None:
        if not self.mirror.is_connected:
            self.mirror.is_connected = True
            self._send_pending(hello)
        if self._greeted is not None and not self._greeted.done():
            self._greeted.set_result(hello)
        self._tell(LinkChange.HELLO)

    def _end(self, reason: str) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        self.reason = reason
        self.unknown += connection.unknown
        self.mirror.is_connected = False
        if self._beat_timer is not None:
            self._beat_timer.cancel()
        if self._greeted is not None:
            self._greeted.cancel()
        connection.close()
        self._tell(LinkChange.LOST)

    def _beat(self) -> None:
        connection = self._connection
        if connection is None:
            return
        loop = asyncio.get_running_loop()
        self._beat_timer = loop.call_later(HEARTBEAT_S, self._beat)
        if connection.has_room and self.mirror.is_connected:
            self._heartbeats += 1
            self._write(to_engine(Heartbeat(self._heartbeats, self._now_ns())))

    def _write(self, frame: bytes) -> None:
        if self._connection is not None:
            self._connection.write(frame)

    def _tell(self, change: LinkChange) -> None:
        if self._on_change is not None:
            self._on_change(change)

    # -- commands -----------------------------------------------------------------------------------------

    def _send_pending(self, hello: EngineHello) -> None:
        """What is unanswered goes out again, with the time that is left; never to another engine."""
        now_ns = self._now_ns()
        for command_id, pending in tuple(self.mirror.pending.items()):
            left_s = pending.command.deadline_s - (now_ns - pending.sent_ns) / 1e9
            if self._sent.get(command_id, hello.engine_id) != hello.engine_id:
                self._expire(command_id, "the engine that it was sent to is gone")
            elif left_s > 0:
                self._sent[command_id] = hello.engine_id
                self._write(to_engine(msgspec.structs.replace(pending.command, deadline_s=left_s)))

    def _expire(self, command_id: str, why: str = "no answer in time") -> None:
        if command_id in self._sent:
            verdict, text = Verdict.UNKNOWN, f"{why}: it may have been carried out"
        else:
            verdict, text = Verdict.REJECTED, "nothing was done: there was no connection to the engine"
        self._forget(command_id)
        pending = self.mirror.pending.get(command_id)
        if pending is not None:
            ms = (self._now_ns() - pending.sent_ns) / 1e6
            self.mirror.settle(Ack(command_id, verdict, text, ms))

    def _forget(self, command_id: str) -> None:
        self._sent.pop(command_id, None)
        expiry = self._expiries.pop(command_id, None)
        if expiry is not None:
            expiry.cancel()


class _Connection(asyncio.Protocol):
    """The bytes of one connection. What comes late, after the client has moved on, it ignores."""

    def __init__(self, client: LinkClient) -> None:
        self._client = client
        self._decoder = of_engine()
        self._transport: asyncio.Transport | None = None

    @property
    def has_room(self) -> bool:
        """True when the engine has taken what was sent."""
        return self._transport is not None and not self._transport.get_write_buffer_size()

    @property
    def unknown(self) -> int:
        """Messages of kinds that are not known here."""
        return self._decoder.unknown

    def write(self, frame: bytes) -> None:
        """Send a frame."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame)

    def close(self) -> None:
        """Close at once; what the engine has not taken yet is lost, what it was given arrives."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        self._transport = cast("asyncio.Transport", transport)
        self._client.opened(self)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        try:
            for message in self._decoder.feed(data):
                self._client.heard(self, message)
        except LinkError as error:
            self._client.lost(self, f"the engine cannot be understood: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        why = f": {exc}" if exc is not None else ""
        self._client.lost(self, f"the engine closed the connection{why}")
