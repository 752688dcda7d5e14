"""The messages of the link besides view and events, and the numbers both ends hold each other to.

The first message each way is a hello. One peer at a time holds control: it may steer. Everybody else
watches; the kill switch is open to all who did not ask for a read-only link.

A playback of a recorded session speaks the same link (`EngineHello.plays`). It trades nothing: of the
commands it takes those of playing, TAKE_CONTROL and SHUTDOWN, and refuses all others. Where it goes
anywhere but onward from what it has told, it says `Moved`. It can be reached by nobody but the console
that started it, and ends with that: whoever asks for an engine by name means one that trades.
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from engine.link.events import AnyEngineEvent
from engine.link.view import Product, View

PROTOCOL: Final = 1
MOST_TO_CONSOLE: Final = 1 << 20
MOST_TO_ENGINE: Final = 1 << 16
"""Bytes of a frame's body in each direction."""
HEARTBEAT_S: Final = 1.0
SILENT_AFTER_S: Final = 3.0
"""A link that says nothing for so long is doubted,"""
DOWN_AFTER_S: Final = 5.0
"""and for so long is down: what it told is greyed."""


class Role(enum.StrEnum):
    """What a peer is to the engine."""

    OWNER = "owner"
    """Started the engine, which ends with it unless told otherwise. Holds control when nobody else does."""
    CONTROL = "control"
    VIEW = "view"


class CommandName(enum.StrEnum):
    """What a peer can ask for.

    The first six take an argument `product`: of that product alone. Without it they are for all of them.
    """

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL_ALL = "cancel_all"
    FLATTEN = "flatten"
    KILL = "kill"
    REARM = "rearm"
    TRIP_BREAKER = "trip_breaker"
    """Open the circuit breaker of every product. Argument `reason`, if any: why, in a few words."""
    RESET_BREAKER = "reset_breaker"
    """Close it. Argument `reason`, if any."""
    SET = "set"
    """Arguments `key`, `value`; and `confirm`, the key once more, where real money's limit is loosened."""
    ACK = "ack"
    """Argument `name`: a person has seen the alert of that name."""
    TAKE_CONTROL = "take_control"
    SHUTDOWN = "shutdown"
    """Cancel all, prove it, end."""

    # Of a playback. Each is DONE once the position is reached; where a later one comes before that, DONE,
    # too. REJECTED says why in a sentence: nothing of that kind there, outside of the session, not read yet.
    PLAY = "play"
    """Go on from the position, at the speed that is set. REJECTED at the end of the session."""
    HOLD = "hold"
    """Stand still; while it does, DONE at once."""
    STEP = "step"
    """One argument. `wakeups`: so many wake-ups on, below 0 back, and stand still. `seconds`: engine time,
    a decimal number, below 0 back, and play on if it plays. Beyond an end it goes to that end."""
    SEEK = "seek"
    """One argument. `seq`: to the last position up to that record. `time_ns`: the same up to that engine
    time. `at`: a moment as a person writes it, which `replay --at` takes too: a record's number (`24360`),
    a time of day of the market (`09:13:38.4`, with its date where that is not clear), or a time since the
    start (`90s`, `12m31s`). Plays on if it plays."""
    JUMP = "jump"
    """Arguments `kind`, that of a track (`engine.link.view.FILLS` ...), and `to`, `next` or `previous`: go
    right after the next such thing, or right after the one before that which was last, and stand still."""
    SPEED = "speed"
    """Argument `factor`: engine seconds per second, a decimal number, 0.1 to 1000, or `max`."""


class Verdict(enum.StrEnum):
    """How a command stands. Everything but ACCEPTED is final."""

    ACCEPTED = "accepted"
    DONE = "done"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    """The deadline passed without proof; `open_orders` may still trade."""


class ClientHello(msgspec.Struct, frozen=True, tag="hello", tag_field="kind"):
    """First words of a client."""

    protocol: int
    build: str
    role: Role
    name: str
    """Who it is, for people: `console pid 123`."""
    hz: float = 10.0
    """Views a second it wants, at most 30; 0 for none."""
    seen: int = 0
    """The last event it knows; what came later and is still kept is sent. -1: none are wanted."""
    may_kill: bool = True
    engine_id: str = ""
    """The engine that `seen` counts the events of; another one's are sent from the first that is kept."""


class Point(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A moment of the profit's history: engine time, atoms."""

    time_ns: int
    total: int


class EngineHello(msgspec.Struct, frozen=True, tag="hello", tag_field="kind"):
    """First words of an engine, to a client it has accepted; again when the client's role has changed."""

    protocol: int
    build: str
    engine_id: str
    """Unlike that of any other engine."""
    session: str
    """Its name at this machine, which `attach` takes."""
    pid: int
    mode: str
    venue: str
    role: Role
    products: tuple[Product, ...]
    settings: dict[str, str]
    """Every key with its value, as the configuration writes it."""
    started_wall_ns: int
    speed: float | None
    """Engine seconds per second; None: as fast as the machine can."""
    on_owner_lost: str
    last_event: int
    history: dict[str, tuple[Point, ...]] = {}
    """By product, the profit since the start, thinned."""
    plays: str = ""
    """The recorded session that is played back, whose mode, settings and start these are; empty for an
    engine that trades."""

    @property
    def is_playback(self) -> bool:
        """True where everything that is told is the past."""
        return bool(self.plays)


class Bye(msgspec.Struct, frozen=True, tag="bye", tag_field="kind"):
    """Last words. An engine that ends tells how; a peer that is refused is told why."""

    reason: str
    exit_code: int | None = None
    """None where not the engine ends but only this connection."""
    open_orders: tuple[str, ...] = ()
    """Client ids without proof of their end."""
    digests: dict[str, str] = {}
    """By product, of the whole trading state at the end."""


class EventMessage(msgspec.Struct, frozen=True, tag="event", tag_field="kind"):
    """Events in order."""

    events: tuple[AnyEngineEvent, ...]


class Resync(msgspec.Struct, frozen=True, gc=False, tag="resync", tag_field="kind"):
    """Events up to `upto` are not kept any more and cannot be told; `missed` of them were never sent."""

    upto: int
    missed: int


class Moved(msgspec.Struct, frozen=True, tag="moved", tag_field="kind"):
    """A playback stands elsewhere: this takes the place of everything that it has told before, at once.

    The hello has an id of its own, as of another engine, so that the numbers of events before and after
    cannot be taken for each other.
    """

    hello: EngineHello
    events: tuple[AnyEngineEvent, ...]
    """The last ones up to the position, in order; none before them is told."""
    view: View


class Command(msgspec.Struct, frozen=True, tag="cmd", tag_field="kind"):
    """A request. The same id again returns the stored answer and does nothing a second time."""

    id: str
    name: str
    arguments: dict[str, str] = {}
    deadline_s: float = 5.0


class Ack(msgspec.Struct, frozen=True, tag="ack", tag_field="kind"):
    """How a command stands."""

    id: str
    verdict: Verdict
    text: str = ""
    ms: float = 0.0
    """Since the command arrived."""
    open_orders: tuple[str, ...] = ()
    confirm: str = ""
    """Of a REJECTED one: what the same command needs as `confirm` to be carried out; empty where nothing
    would help."""


class Heartbeat(msgspec.Struct, frozen=True, gc=False, tag="hb", tag_field="kind"):
    """Alive. 1/s each way."""

    counter: int
    mono_ns: int


class Pace(msgspec.Struct, frozen=True, gc=False, tag="pace", tag_field="kind"):
    """The client wants so many views a second from now on."""

    hz: float


ToConsole = EngineHello | Bye | View | EventMessage | Resync | Moved | Ack | Heartbeat
ToEngine = ClientHello | Bye | Command | Heartbeat | Pace
