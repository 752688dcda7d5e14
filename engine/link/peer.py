"""One client as the engine sees it: a connection that is written to without ever being waited for."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import Final, Protocol, cast

from engine.link.errors import LinkError
from engine.link.event_log import EventLog
from engine.link.frames import of_client, to_console
from engine.link.messages import (
    Bye,
    ClientHello,
    EngineHello,
    EventMessage,
    Moved,
    Resync,
    Role,
    ToConsole,
    ToEngine,
)
from engine.link.view import View

MOST_HZ: Final = 30.0
MOST_WAITING: Final = 256 << 10
"""A peer for which more bytes wait than this loses its connection at the next message."""
MOST_COMMANDS_A_SECOND: Final = 20
_SEND_BUFFER: Final = 16 << 10
"""Small, so that a reader that falls behind is noticed after a few views and not after hundreds."""
_READ_BUFFER: Final = 16 << 10
"""Bytes of a peer that are looked at in one turn of the event loop."""
_EVENTS_AT_ONCE: Final = 64
_EVENTS_MOVED: Final = 1_000
_MOST_MOVED: Final = MOST_WAITING // 2
"""Bytes of events, view and history with which a peer is told of another place: answers must still fit."""
_PARTING_S: Final = 1.0
"""How long the last words may take."""


class PeerHost(Protocol):
    """What a peer reports to."""

    def on_connected(self, peer: Peer) -> None:
        """The connection stands; `peer.end` refuses it."""

    def on_message(self, peer: Peer, message: ToEngine) -> None:
        """The peer said something."""

    def on_senseless(self, peer: Peer) -> None:
        """The peer said something that could not be understood."""

    def on_room(self, peer: Peer) -> None:
        """Everything that was sent is on its way."""

    def on_gone(self, peer: Peer) -> None:
        """Nothing more will come of the peer. Told once."""


class Peer(asyncio.BufferedProtocol):
    """A client's connection, and what the engine keeps about the client."""

    def __init__(self, host: PeerHost, loop: asyncio.AbstractEventLoop, *, is_inherited: bool) -> None:
        self.is_inherited = is_inherited
        """True where the connection was handed to this process by the one that started it."""
        self.hello: ClientHello | None = None
        self.role = Role.VIEW
        self.since = self.heard = loop.time()
        """When the connection came, and when the peer last said something, in the event loop's time."""
        self.seen: int | None = None
        """The last event that it was sent; None while it wants none."""
        self.owes_view = False
        """True while the newest view has still to be sent."""
        self.owes_move = False
        """True while it has not been told that the engine stands elsewhere; nothing else is told before."""
        self.had_view = False
        """True when what was sent last was a view, and it is the turn of events."""
        self.views_dropped = 0
        """Views that were replaced by a newer one before the peer had room."""
        self.closed: asyncio.Future[None] = loop.create_future()
        """Done when the connection is gone."""
        self._host = host
        self._loop = loop
        self._hz = 0.0
        self._view_due = 0.0
        self._decoder = of_client()
        self._senseless = 0
        self._buffer = bytearray(_READ_BUFFER)
        self._transport: asyncio.Transport | None = None
        self._is_gone = False
        self._asked: deque[float] = deque(maxlen=MOST_COMMANDS_A_SECOND)

    @property
    def name(self) -> str:
        """Who it is, for people."""
        return _for_people(self.hello.name) if self.hello is not None else "a client without a name"

    @property
    def hz(self) -> float:
        """Views a second it wants; 0 for none."""
        return self._hz

    @hz.setter
    def hz(self, hz: float) -> None:
        # Written so that it also refuses what is not a number.
        self._hz = min(max(hz, 1.0), MOST_HZ) if hz > 0 else 0.0
        self._view_due = 0.0
        if not self._hz:
            self.owes_view = False

    @property
    def has_room(self) -> bool:
        """True when nothing waits to be read by the peer."""
        return self._is_open and not self.waiting

    @property
    def waiting(self) -> int:
        """Bytes that wait in this process until the peer reads."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    @property
    def socket(self) -> socket.socket:
        """The connection's socket, for asking who is at the other end."""
        assert self._transport is not None
        return cast("socket.socket", self._transport.get_extra_info("socket"))

    def send(self, message: ToConsole) -> None:
        """Send a message, room or not; a peer that lets too much pile up loses its connection."""
        self.send_frame(to_console(message))

    def send_frame(self, frame: bytes) -> None:
        """Send a message that is encoded already, as `send`."""
        if self.waiting > MOST_WAITING:
            self.drop()
        elif self._is_open and self._transport is not None:
            self._transport.write(frame)

    def want_view(self, now: float, slack: float) -> None:
        """Note that a view has to be sent, if one is due within `slack` seconds."""
        if not self._hz or now + slack < self._view_due:
            return
        self._view_due = max(self._view_due + 1 / self._hz, now)
        if self.owes_view:
            self.views_dropped += 1
        self.owes_view = True

    def tell(self, log: EventLog) -> None:
        """Send the events that the peer has not seen, for as long as it takes them."""
        if self.owes_move or self.seen is None:
            return
        self.seen = max(self.seen, log.before)
        most = _EVENTS_AT_ONCE
        while self.seen < log.last and self.has_room:
            if self.seen < log.lost:
                self.send(Resync(log.lost, log.lost - self.seen))
                self.seen = log.lost
                continue
            events = log.after(self.seen, most)
            try:
                frame = to_console(EventMessage(events))
            except LinkError:
                if len(events) == 1:  # one that no console can take; it is told to be missing
                    self.seen += 1
                    self.send(Resync(self.seen, 1))
                most = max(1, most // 2)
                continue
            self.seen = events[-1].eseq
            self.had_view = False
            self.send_frame(frame)

    def missing(self, log: EventLog) -> int:
        """Events that it wants and was not sent yet."""
        return 0 if self.seen is None else log.last - self.seen

    def move(self, hello: EngineHello, view: View, log: EventLog) -> None:
        """Send everything anew, for the engine stands elsewhere; of the events as many as a message takes."""
        self.owes_move = self.owes_view = False
        self.had_view = True
        most = _EVENTS_MOVED if self.seen is not None else 0
        while True:
            events = log.after(max(0, log.last - most), most)
            try:
                frame = to_console(Moved(hello, events, view))
            except LinkError:
                if not most:
                    raise
            else:
                if not most or len(frame) <= _MOST_MOVED:
                    break
            most //= 2
        if self.seen is not None:
            self.seen = log.last
        self.send_frame(frame)

    def may_ask(self, now: float) -> bool:
        """False for one command too many within a second."""
        if len(self._asked) == MOST_COMMANDS_A_SECOND and now - self._asked[0] < 1.0:
            return False
        self._asked.append(now)
        return True

    def end(self, bye: Bye) -> None:
        """Say the last words and close, within a second where the peer does not."""
        if self._is_gone:
            return
        if self._transport is not None:
            self._transport.write(to_console(bye))
            # Not closed yet: a peer that is still writing would fail over it before it has read why.
            self._transport.write_eof()
            parting = self._loop.call_later(_PARTING_S, self._transport.abort)
            self.closed.add_done_callback(lambda _: parting.cancel())
        self._gone()

    def drop(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()
        self._gone()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BaseProtocol`."""
        self._transport = cast("asyncio.Transport", transport)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        # Makes `resume_writing` mean that nothing waits any more.
        self._transport.set_write_buffer_limits(high=0)
        self._host.on_connected(self)

    def get_buffer(self, sizehint: int) -> bytearray:
        """See `asyncio.BufferedProtocol`."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """See `asyncio.BufferedProtocol`."""
        if self._is_gone:
            return
        self.heard = self._loop.time()
        try:
            for message in self._decoder.feed(memoryview(self._buffer)[:nbytes]):
                if self._is_gone:
                    return
                self._host.on_message(self, message)
        except LinkError as error:
            self.end(Bye(f"{error}; this connection is closed, the engine goes on"))
            return
        senseless = self._decoder.garbage + self._decoder.unknown
        if senseless != self._senseless and not self._is_gone:
            self._senseless = senseless
            self._host.on_senseless(self)

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        if not self._is_gone:
            self._host.on_room(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol`."""
        self._gone()
        if not self.closed.done():
            self.closed.set_result(None)

    @property
    def _is_open(self) -> bool:
        return not self._is_gone and self._transport is not None and not self._transport.is_closing()

    def _gone(self) -> None:
        if not self._is_gone:
            self._is_gone = True
            self._host.on_gone(self)


def _for_people(text: str) -> str:
    """A stranger's text without what a terminal would obey, cut short."""
    return "".join(character for character in text[:64] if character.isprintable())
