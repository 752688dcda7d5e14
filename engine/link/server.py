"""The engine's end of the link: serves consoles from the engine's event loop, and never waits for one.

It knows nothing of trading: what it shows and what commands do is in the callables it is given.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from engine.link.cadence import Cadence
from engine.link.control import ControlLease
from engine.link.event_log import EventLog
from engine.link.frames import to_console
from engine.link.messages import (
    HEARTBEAT_S,
    PROTOCOL,
    Bye,
    ClientHello,
    Command,
    EngineHello,
    Heartbeat,
    Pace,
    Resync,
    Role,
    ToEngine,
    Verdict,
)
from engine.link.peer import Peer
from engine.link.steering import Steering
from engine.link.view import View

MOST_CLIENTS: Final = 8
_MOST_ASKING: Final = 4
"""Beside them, for those who only give a command: a kill must not wait until somebody closes a screen."""
_FULL: Final = f"{MOST_CLIENTS} clients are connected already: close one of them"
IDLE_S: Final = 60.0
HELLO_S: Final = 5.0
EVENTS_HZ: Final = 10.0
"""How often events are looked at for peers that want few views or none."""
_LAST_EVENTS_S: Final = 0.5
_CREDENTIALS: Final = struct.Struct("3i")


def peer_uid(peer: Peer) -> int:
    """The user whose process is at the other end, as the kernel tells it."""
    raw = peer.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return int(_CREDENTIALS.unpack(raw)[1])


class LinkServer:
    """Tells every peer what happens, takes commands, and keeps the lease of control.

    Views go to a peer only while nothing else waits for it: one at most is owed, the newest. Events are
    read from the log at the peer's own pace; what the log has lost by then is told as a number.
    """

    def __init__(
        self,
        *,
        events: EventLog,
        identity: Callable[[Role], EngineHello],
        make_view: Callable[[], View],
        on_command: Callable[[Peer, Command], None],
        on_error: Callable[[Exception], None],
        on_owner_lost: Callable[[], None],
        on_owner_back: Callable[[], None],
        owner_silent_s: float = 60.0,
        idle_s: float = IDLE_S,
        read_uid: Callable[[Peer], int] = peer_uid,
    ) -> None:
        """To be made inside the running event loop.

        `identity` gives the hello of a role, profit history included (`last_event` is set here).
        `on_command` gets what a peer may ask, to be answered with `answer`, now or later. `on_error`
        gets what the other callables raise: a screen that cannot be served must not stop an engine.
        `on_owner_lost` is called when the owner's connection is gone, or says nothing for
        `owner_silent_s`; `on_owner_back` when it speaks again or a new owner has come.
        """
        self._loop = asyncio.get_running_loop()
        self._events = events
        self._identity = identity
        self._make_view = make_view
        self._on_error = on_error
        self._on_owner_lost = on_owner_lost
        self._on_owner_back = on_owner_back
        self._owner_silent_s = owner_silent_s
        self._idle_s = idle_s
        self._read_uid = read_uid
        self._peers: list[Peer] = []
        self._open: set[Peer] = set()
        """The peers, and those whose last words are still on their way."""
        self._lease: ControlLease[Peer] = ControlLease()
        self._steering = Steering(self._loop, self._lease, on_command, on_error, self._tell_roles)
        self._ticks = Cadence(self._loop, self._tick)
        self._beats = Cadence(self._loop, self._beat)
        self._listener: asyncio.Server | None = None
        self._frame: bytes | None = None
        """The view of this tick, once somebody has room for it."""
        self._counter = 0
        self._dropped_by_gone = 0
        self._is_owner_lost = False
        self._is_closing = False
        self._all_told = asyncio.Event()
        """Set when the engine ends and nobody waits for an event any more."""

    # -- for the engine -----------------------------------------------------------------------------------

    async def start(self, bound: socket.socket) -> None:
        """Listen on a Unix socket that is bound and does not block."""
        self._listener = await self._loop.create_unix_server(
            lambda: Peer(self, self._loop, is_inherited=False), sock=bound, backlog=MOST_CLIENTS
        )

    async def adopt(self, connected: socket.socket) -> None:
        """Serve a socket whose other end is in the hands of whoever started this engine."""
        connected.setblocking(False)
        await self._loop.connect_accepted_socket(
            lambda: Peer(self, self._loop, is_inherited=True), sock=connected
        )

    def answer(
        self,
        command_id: str,
        verdict: Verdict,
        text: str = "",
        open_orders: tuple[str, ...] = (),
        *,
        confirm: str = "",
    ) -> bool:
        """Tell how a command stands; False where its final word was said already, by the deadline perhaps."""
        return self._steering.answer(command_id, verdict, text, open_orders, confirm=confirm)

    def moved(self) -> None:
        """The engine, a playback, stands elsewhere: everybody is told everything anew as soon as it has room.

        From now on `identity` must give another `engine_id`, and `events` must have begun anew. Whoever
        falls behind is told of the newest place only.
        """
        self._frame = None
        for peer in tuple(self._peers):
            peer.owes_move = peer.hello is not None and (peer.hz > 0 or peer.seen is not None)
            self._serve(peer)

    async def close(self, bye: Bye) -> None:
        """Tell what is left to tell, say `bye` to everybody, and close within two seconds, whoever reads."""
        self._is_closing = True
        if self._listener is not None:
            self._listener.close()
        await self._tell_the_last_events()
        self._frame = None
        for peer in tuple(self._peers):
            if peer.hz:
                peer.send_frame(self._view_frame())  # how it ended, room or not
        self._steering.close()
        for peer in tuple(self._peers):
            peer.end(bye)
        closed = [peer.closed for peer in self._open]
        if closed:
            await asyncio.wait(closed)

    async def _tell_the_last_events(self) -> None:
        """Whoever reads gets them all; the others do not keep an engine from ending for long."""
        for peer in tuple(self._peers):
            peer.tell(self._events)
        self._note_told()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_EVENTS_S):
                await self._all_told.wait()  # what makes room for a peer sends it more
        for peer in tuple(self._peers):
            if missed := peer.missing(self._events):
                peer.send(Resync(self._events.last, missed))

    def _note_told(self) -> None:
        if self._is_closing and not any(peer.missing(self._events) for peer in self._peers):
            self._all_told.set()

    @property
    def viewers(self) -> int:
        """Clients that are connected."""
        return len(self._peers)

    @property
    def views_dropped(self) -> int:
        """Views that found a peer too slow, over all peers since the start."""
        return self._dropped_by_gone + sum(peer.views_dropped for peer in self._peers)

    @property
    def controller(self) -> str:
        """Who holds control; empty when nobody does."""
        return self._steering.controller

    @property
    def stand_in(self) -> str:
        """Who steers in the owner's place; empty when nobody does. A silent owner is not its own."""
        holder = self._lease.holder
        return holder.name if holder is not None and holder is not self._lease.owner else ""

    # -- for the peers ------------------------------------------------------------------------------------

    def on_connected(self, peer: Peer) -> None:
        """See `PeerHost`."""
        self._open.add(peer)
        peer.closed.add_done_callback(lambda _: self._open.discard(peer))
        refusal = self._refusal_of(peer)
        if refusal:
            peer.end(Bye(f"{refusal}; the engine goes on"))
            return
        self._peers.append(peer)
        self._beats.hz = 1 / HEARTBEAT_S

    def on_message(self, peer: Peer, message: ToEngine) -> None:
        """See `PeerHost`."""
        if self._is_closing and not isinstance(message, Bye):
            return
        if peer is self._lease.owner and not isinstance(message, Bye):
            self._note_owner(is_lost=False)
        match message:
            case ClientHello():
                self._greet(peer, message)
            case Bye():
                peer.drop()
            case _ if peer.hello is None:
                peer.end(Bye("the first message of a client must be its hello; the engine goes on"))
            case Command():
                self._steering.take(peer, message)
            case Pace():
                peer.hz = message.hz
                self._set_pace()

    def on_senseless(self, peer: Peer) -> None:
        """See `PeerHost`."""
        if peer.hello is None:
            text = f"what came is no hello of protocol {PROTOCOL}, which this engine speaks; {_SAME_VERSION}"
            peer.end(Bye(text))

    def on_room(self, peer: Peer) -> None:
        """See `PeerHost`."""
        self._serve(peer)
        self._note_told()

    def on_gone(self, peer: Peer) -> None:
        """See `PeerHost`."""
        if peer not in self._peers:
            return
        self._peers.remove(peer)
        self._dropped_by_gone += peer.views_dropped
        was_owner = peer is self._lease.owner or (peer.is_inherited and peer.hello is None)
        self._lease.leave(peer)
        self._set_pace()
        if not self._peers:
            self._beats.hz = 0.0
        if self._is_closing:
            self._note_told()
            return
        self._tell_roles()
        if was_owner:
            self._note_owner(is_lost=True)

    # -- greeting -----------------------------------------------------------------------------------------

    def _refusal_of(self, peer: Peer) -> str:
        """Why a connection is not served; empty when it is."""
        if self._is_closing:
            return "this engine is ending"
        if peer.is_inherited:
            return ""
        uid = self._read_uid(peer)
        if uid != os.getuid():
            return f"this engine belongs to uid {os.getuid()}, not to uid {uid}"
        return "" if len(self._peers) < MOST_CLIENTS + _MOST_ASKING else _FULL

    def _greet(self, peer: Peer, hello: ClientHello) -> None:
        if peer.hello is not None:
            peer.end(Bye("a second hello came on one connection; the engine goes on"))
            return
        if hello.protocol != PROTOCOL:
            text = f"this engine speaks protocol {PROTOCOL}, the client {hello.protocol}"
            peer.end(Bye(f"{text} (build {hello.build[:64]!r}); {_SAME_VERSION}"))
            return
        if not peer.is_inherited and len(self._peers) > MOST_CLIENTS and (hello.hz or hello.seen >= 0):
            peer.end(Bye(f"{_FULL}; the engine goes on"))
            return
        peer.hello = hello
        self._lease.join(peer, self._role_of(peer, hello.role))
        peer.role = self._lease.role(peer)
        try:
            identity = self._identity(peer.role)
            greeting = to_console(msgspec.structs.replace(identity, last_event=self._events.last))
        except Exception as error:
            self._on_error(error)
            peer.end(Bye(f"the engine could not greet this client ({error}); it goes on"))
            return
        peer.send_frame(greeting)
        if hello.seen >= 0:
            # Numbers of another engine, or of none that there is, mean nothing here.
            is_ours = hello.engine_id in ("", identity.engine_id) and hello.seen <= self._events.last
            peer.seen = hello.seen if is_ours else 0
        peer.hz = hello.hz
        self._set_pace()
        if peer is self._lease.owner:
            self._note_owner(is_lost=False)
        self._tell_roles()
        self._serve(peer)

    def _role_of(self, peer: Peer, wanted: Role) -> Role:
        """Whoever has inherited the connection owns the engine; by name only a lost owner comes back."""
        if peer.is_inherited:
            return Role.OWNER
        return Role.CONTROL if wanted is Role.OWNER and not self._is_owner_lost else wanted

    def _tell_roles(self) -> None:
        """A new hello for everybody who is something else now."""
        for peer in tuple(self._peers):
            role = self._lease.role(peer)
            if peer.hello is None or role is peer.role:
                continue
            peer.role = role
            if peer.owes_move:
                continue  # which tells its role as well
            try:
                identity = self._identity(role)
                peer.send(msgspec.structs.replace(identity, last_event=self._events.last, history={}))
            except Exception as error:
                self._on_error(error)

    def _note_owner(self, *, is_lost: bool) -> None:
        if is_lost is self._is_owner_lost:
            return
        self._is_owner_lost = is_lost
        try:
            (self._on_owner_lost if is_lost else self._on_owner_back)()
        except Exception as error:
            self._on_error(error)

    # -- views and events ---------------------------------------------------------------------------------

    def _set_pace(self) -> None:
        hz = max((peer.hz for peer in self._peers), default=0.0)
        if any(peer.seen is not None for peer in self._peers):
            hz = max(hz, EVENTS_HZ)
        self._ticks.hz = hz

    def _tick(self) -> None:
        self._frame = None
        now, slack = self._loop.time(), 0.5 / self._ticks.hz
        for peer in tuple(self._peers):
            peer.want_view(now, slack)
            self._serve(peer)

    def _serve(self, peer: Peer) -> None:
        """Send what a peer is owed, for as long as it has room.

        Events and views take turns: neither a flood of the ones nor the size of the others may keep a slow
        reader from the rest.
        """
        if peer.owes_move:
            if not peer.has_room:
                return
            try:
                identity = msgspec.structs.replace(self._identity(peer.role), last_event=self._events.last)
                peer.move(identity, self._make_view(), self._events)
            except Exception as error:
                self._on_error(error)
                peer.end(Bye(f"the engine could not tell where it stands ({error}); it goes on"))
                return
        if peer.had_view:
            peer.tell(self._events)
        if peer.owes_view and peer.has_room:
            peer.owes_view, peer.had_view = False, True
            frame = self._view_frame()
            if frame:
                peer.send_frame(frame)
        peer.tell(self._events)

    def _view_frame(self) -> bytes:
        """The view of this tick, made when the first peer has room for it; empty where it cannot be made."""
        if self._frame is None:
            try:
                self._frame = to_console(self._make_view())
            except Exception as error:
                self._frame = b""
                self._on_error(error)
        return self._frame

    # -- heartbeats ---------------------------------------------------------------------------------------

    def _beat(self) -> None:
        now = self._loop.time()
        self._counter += 1
        heartbeat = to_console(Heartbeat(self._counter, int(now * 1e9)))
        for peer in tuple(self._peers):
            if peer.has_room:  # else it will hear of us as soon as it reads
                peer.send_frame(heartbeat)
            silent_s = now - peer.heard
            if peer.hello is None:
                if now - peer.since >= HELLO_S:
                    peer.end(Bye(f"no hello came within {HELLO_S:g} s; the engine goes on"))
            elif peer is self._lease.owner:
                # Its connection stays: a console that was stopped and goes on is the owner again.
                if silent_s >= self._owner_silent_s:
                    self._note_owner(is_lost=True)
            elif silent_s >= self._idle_s:
                peer.end(Bye(f"nothing was heard of this client for {self._idle_s:g} s; the engine goes on"))


_SAME_VERSION: Final = (
    "start the console from the installation that the engine was started from. The engine goes on as it did"
)
