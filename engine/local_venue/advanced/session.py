"""One WebSocket connection to Advanced Trade: what it subscribed to, its numbers, its heartbeats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from engine.core.clock import Clock
from engine.local_venue.advanced.frames import envelope, error_text, heartbeat_events, subscriptions_events
from engine.local_venue.money import rfc3339
from engine.local_venue.rate_limits import RateLimiter
from engine.local_venue.wire import Interference, Outbox

HEARTBEATS: Final = "heartbeats"

AUTHENTICATION_FAILURE: Final = "authentication failure"
FAILURE_TO_SUBSCRIBE: Final = "failure to subscribe"
RATE_LIMIT: Final = "rate limit exceeded"
TOO_MANY_BOOKS: Final = "too many L2 streams requested in a single session"

_FIRST_SUBSCRIBE_NS: Final = 5_000_000_000
_IDLE_NS: Final = 90_000_000_000
_BEAT_NS: Final = 1_000_000_000
_LARGEST_MESSAGE: Final = 64 * 1024
_ROOM: Final = 20_000
"""Frames that may wait for a client; one that is further behind is cut off."""


class SocketMessage(msgspec.Struct):
    """What a client may say."""

    type: str
    channel: str
    product_ids: list[str] = []
    jwt: str = ""


class Session:
    """A connection as its channels see it. Frames are numbered in the order in which they are sent."""

    def __init__(self, outbox: Outbox, clock: Clock) -> None:
        self.subscribed: dict[str, set[str]] = {}
        """Channel, and what its list holds."""
        self._outbox = outbox
        self._clock = clock
        self._sequence_num = 0
        self._opened_ns = self._sent_ns = clock.monotonic_ns()
        self._has_subscribed = False
        self._next_beat_ns: int | None = None
        self._counter = 0

    def send(self, channel: str, events: str, timestamp: str | None = None) -> None:
        """Send a frame; without a time of its own it gets the venue's."""
        if self._outbox.pending >= _ROOM:
            self.close(WSCloseCode.POLICY_VIOLATION, "the client reads too slowly")
            return
        self._outbox.send(self.frame(channel, events, timestamp))
        self._sequence_num += 1
        self._sent_ns = self._clock.monotonic_ns()

    def frame(self, channel: str, events: str, timestamp: str | None = None) -> str:
        """The text of the next frame."""
        at = rfc3339(self._clock.wall_ns(), 9) if timestamp is None else timestamp
        return envelope(channel, at, self._sequence_num, events)

    def refuse(self, message: str, *, closes: bool = False) -> None:
        """Send an error frame, and close the connection where that belongs to it."""
        self._outbox.send(error_text(message))
        if closes:
            self.close(WSCloseCode.POLICY_VIOLATION, message)

    def close(self, code: int, reason: str) -> None:
        """Close the connection behind what waits."""
        self._outbox.close_after(code, reason)

    @property
    def is_congested(self) -> bool:
        """True while the client is far behind."""
        return self._outbox.is_congested

    def wants(self, channel: str, product_id: str) -> bool:
        """True when the connection subscribed to a product's channel."""
        return product_id in self.subscribed.get(channel, ())

    def subscribe(self, channel: str, names: set[str]) -> None:
        """Add to a channel's list; the client is told by `confirm`."""
        self._has_subscribed = True
        self.subscribed.setdefault(channel, set()).update(names)
        if channel == HEARTBEATS and self._next_beat_ns is None:
            self._next_beat_ns = self._clock.monotonic_ns() + _BEAT_NS

    def unsubscribe(self, channel: str, names: set[str]) -> None:
        """Take names off a channel's list; no names: the whole channel."""
        left = self.subscribed.get(channel, set()) - names if names else set()
        if left:
            self.subscribed[channel] = left
        else:
            self.subscribed.pop(channel, None)
            if channel == HEARTBEATS:
                self._next_beat_ns = None

    def confirm(self) -> None:
        """Tell the client everything that it subscribed to by now."""
        self.send("subscriptions", subscriptions_events(self.subscribed))

    def tick(self, now_ns: int) -> None:
        """Beat, and close a connection that nobody uses."""
        if self._next_beat_ns is not None and now_ns >= self._next_beat_ns:
            self._counter += 1
            self.send(HEARTBEATS, heartbeat_events(self._clock.wall_ns(), self._counter))
            self._next_beat_ns = max(self._next_beat_ns + _BEAT_NS, now_ns - _BEAT_NS)
        if not self._has_subscribed and now_ns - self._opened_ns >= _FIRST_SUBSCRIBE_NS:
            self.close(WSCloseCode.POLICY_VIOLATION, "no subscription within 5 s")
        elif now_ns - self._sent_ns >= _IDLE_NS:
            self.close(WSCloseCode.OK, "nothing to send for 90 s")


class SessionLimits:
    """Connections and messages of all clients of one socket, by address."""

    def __init__(self, connections: RateLimiter, messages: RateLimiter) -> None:
        self.connections = connections
        self.messages = messages


OnMessage = Callable[[Session, SocketMessage], None]


class SessionServer:
    """Opens connections, reads what clients say, and knows who is there."""

    def __init__(
        self, clock: Clock, interference: Interference, limits: SessionLimits, on_message: OnMessage
    ) -> None:
        self.sessions: list[Session] = []
        """Every open connection."""
        self._clock = clock
        self._interference = interference
        self._limits = limits
        self._on_message = on_message

    async def serve(
        self, request: web.Request, resnapshot: Callable[[Session, str], str | None]
    ) -> web.StreamResponse:
        """One connection from its upgrade to its end."""
        address = request.remote or ""
        if not self._limits.connections.take(address):
            return web.Response(status=429, text="Too many connections")
        socket = web.WebSocketResponse(max_msg_size=_LARGEST_MESSAGE)
        await socket.prepare(request)
        made: list[Session] = []
        send = self._interference.sender(request, socket, lambda name: resnapshot(made[0], name))
        outbox = Outbox(socket, send)
        session = Session(outbox, self._clock)
        made.append(session)
        self.sessions.append(session)
        try:
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    session.refuse(FAILURE_TO_SUBSCRIBE)
                elif not self._limits.messages.take(address):
                    session.refuse(RATE_LIMIT)
                else:
                    self._take(session, message.data)
        finally:
            self.sessions.remove(session)
            await outbox.stop()
        return socket

    def _take(self, session: Session, text: str) -> None:
        try:
            message = msgspec.json.decode(text, type=SocketMessage)
        except msgspec.DecodeError:
            session.refuse(FAILURE_TO_SUBSCRIBE)
            return
        if message.type not in ("subscribe", "unsubscribe"):
            session.refuse(FAILURE_TO_SUBSCRIBE)
            return
        self._on_message(session, message)

    def tick(self, now_ns: int) -> None:
        """Let every connection do what is due."""
        for session in list(self.sessions):
            session.tick(now_ns)

    @property
    def is_congested(self) -> bool:
        """True while one of the clients is far behind."""
        return any(session.is_congested for session in self.sessions)

    def close(self) -> None:
        """Ask every connection to end: the venue goes away."""
        for session in self.sessions:
            session.close(WSCloseCode.GOING_AWAY, "the venue stops")
