"""What a client knows of an engine: built from the messages it sends, whatever carries them.

No I/O and no clock: whoever feeds it says what time it is (monotonic nanoseconds of the client).
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from engine.link.events import AnyEngineEvent, Filled, OrderEnded, SettingChanged
from engine.link.messages import (
    DOWN_AFTER_S,
    SILENT_AFTER_S,
    Ack,
    Bye,
    Command,
    EngineHello,
    EventMessage,
    Moved,
    Resync,
    Role,
    ToConsole,
    Verdict,
)
from engine.link.series import Series
from engine.link.tape import Tape
from engine.link.view import Product, ProductView, View

KEPT: Final = 1_000
"""Events of each kind that are remembered."""
HISTORY_POINTS: Final = 600
HISTORY_SPACING_NS: Final = 1_000_000_000
_S: Final = 1_000_000_000


class LinkState(enum.Enum):
    """How far what the mirror shows may be taken for the present."""

    CONNECTING = "connecting"
    """No hello yet."""
    UP = "up"
    SILENT = "silent"
    """Nothing was heard for three seconds."""
    DOWN = "down"
    """Nothing was heard for five seconds, or the connection is gone."""
    ENDED = "ended"
    """The engine has said how it ended."""


@dataclass(slots=True)
class Pending:
    """A command that was sent, and how it stands."""

    command: Command
    sent_ns: int
    on_change: Callable[[Pending], None] | None = None
    ack: Ack | None = None
    """The last answer; None before any."""

    @property
    def is_final(self) -> bool:
        """True when nothing more will be said of it."""
        return self.ack is not None and self.ack.verdict is not Verdict.ACCEPTED


@dataclass(slots=True)
class EngineMirror:
    """The newest of everything that an engine told. Read the attributes; feed it with `apply`."""

    hello: EngineHello | None = None
    view: View | None = None
    bye: Bye | None = None
    fills: deque[Filled] = field(default_factory=lambda: deque(maxlen=KEPT))
    ended_orders: deque[OrderEnded] = field(default_factory=lambda: deque(maxlen=KEPT))
    log: deque[AnyEngineEvent] = field(default_factory=lambda: deque(maxlen=KEPT))
    """Everything else that happened: notices, operations, changed settings; fills too."""
    settings: dict[str, str] = field(default_factory=dict)
    profits: dict[str, Series] = field(default_factory=dict)
    """By product."""
    tapes: dict[str, Tape] = field(default_factory=dict)
    """By product: a view tells the last prints alone, so every view is taken in, shown or not."""
    last_event: int = 0
    missed_events: int = 0
    """Events that the engine no longer had when they could be sent."""
    views: int = 0
    """Views received."""
    heard_ns: int | None = None
    """When the engine was last heard of."""
    is_connected: bool = False
    pending: dict[str, Pending] = field(default_factory=dict)
    on_event: Callable[[AnyEngineEvent], None] | None = None
    """Told of every event once, in order."""
    on_view: Callable[[], None] | None = None
    """Told when a view has come."""

    def apply(self, message: ToConsole, now_ns: int) -> None:
        """Take in a message."""
        self.heard_ns = now_ns
        match message:
            case View():
                self._take_view(message)
            case EventMessage():
                for event in message.events:
                    self._take_event(event)
            case Ack():
                self.settle(message)
            case EngineHello():
                self._take_hello(message)
            case Moved():
                self._take_hello(message.hello)
                for event in message.events:
                    self._take_event(event)
                self.last_event = message.hello.last_event
                self._take_view(message.view)
            case Resync():
                self.missed_events += message.missed
                self.last_event = max(self.last_event, message.upto)
            case Bye():
                self.bye = message

    def settle(self, ack: Ack) -> None:
        """Take in how a command stands, as the engine says or as its client has to conclude."""
        pending = self.pending.get(ack.id)
        if pending is None or pending.is_final:
            return
        pending.ack = ack
        if pending.is_final:
            del self.pending[ack.id]
        if pending.on_change is not None:
            pending.on_change(pending)

    def state(self, now_ns: int) -> LinkState:
        """How the link stands."""
        if self.bye is not None and self.bye.exit_code is not None:
            return LinkState.ENDED
        if self.hello is None:
            return LinkState.CONNECTING
        silent_ns = self.silent_ns(now_ns)
        if not self.is_connected or silent_ns >= DOWN_AFTER_S * _S:
            return LinkState.DOWN
        return LinkState.SILENT if silent_ns >= SILENT_AFTER_S * _S else LinkState.UP

    def silent_ns(self, now_ns: int) -> int:
        """For how long nothing was heard."""
        return 0 if self.heard_ns is None else max(0, now_ns - self.heard_ns)

    @property
    def is_controller(self) -> bool:
        """True while this client may steer the engine."""
        return self.hello is not None and self.hello.role is not Role.VIEW

    def product(self, symbol: str) -> Product | None:
        """How a product's integers are to be written."""
        known = self.hello.products if self.hello is not None else ()
        return next((product for product in known if product.symbol == symbol), None)

    def product_view(self, symbol: str) -> ProductView | None:
        """The newest of a product."""
        shown = self.view.products if self.view is not None else ()
        return next((product for product in shown if product.symbol == symbol), None)

    def _take_hello(self, hello: EngineHello) -> None:
        if self.hello is not None and self.hello.engine_id != hello.engine_id:
            self.fills.clear()
            self.ended_orders.clear()
            self.log.clear()
            self.profits.clear()
            self.tapes.clear()
            self.last_event = self.missed_events = 0
            self.view = None
        self.hello = hello
        self.bye = None
        self.settings = dict(hello.settings)
        for symbol, points in hello.history.items():
            pairs = ((point.time_ns, point.total) for point in points)
            self.profits[symbol] = Series(HISTORY_POINTS, HISTORY_SPACING_NS, pairs)

    def _take_view(self, view: View) -> None:
        self.view = view
        self.views += 1
        for product in view.products:
            self.tapes.setdefault(product.symbol, Tape()).take(product.trades, product.trade_count)
            total = product.pnl.total
            if total is not None:
                series = self.profits.get(product.symbol)
                if series is None:
                    series = self.profits[product.symbol] = Series(HISTORY_POINTS, HISTORY_SPACING_NS)
                series.add(view.time_ns, total)
        if self.on_view is not None:
            self.on_view()

    def _take_event(self, event: AnyEngineEvent) -> None:
        if event.eseq <= self.last_event:
            return
        self.last_event = event.eseq
        if isinstance(event, OrderEnded):
            self.ended_orders.append(event)
        else:
            if isinstance(event, Filled):
                self.fills.append(event)
            self.log.append(event)
            if isinstance(event, SettingChanged):
                self.settings[event.key] = event.new
        if self.on_event is not None:
            self.on_event(event)
