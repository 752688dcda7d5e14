"""Everything a session goes on from, as one value: what a snapshot holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from engine.core.clock import ManualClock
from engine.core.errors import StateError
from engine.core.events import EdgeStatus, MarketEvent, OrderEvent
from engine.exchange.paper import PaperVenue
from engine.exchange.paper_state import PaperState
from engine.exchange.simulator.exchange import ExchangeState, SimulatedExchange
from engine.runtime.desk import Desk
from engine.runtime.watcher import WatcherState
from engine.trader.state import TraderState

VERSION: Final = 2


class DeskState(msgspec.Struct, frozen=True):
    """One product: the Trader, what waits in its queues, what people are shown, and its made market."""

    trader: TraderState
    watcher: WatcherState
    market: list[MarketEvent]
    answers: list[OrderEvent | EdgeStatus]
    next_timer_ns: int
    exchange: ExchangeState | None = None
    """Of a market that is made by us."""
    paper: PaperState | None = None
    """Of a paper venue in a market that is not."""


class SessionState(msgspec.Struct, frozen=True):
    """The session between two wake-ups. Times are engine nanoseconds."""

    version: int
    now_ns: int
    wall_ns: int
    desks: dict[str, DeskState]


class StateKeeper:
    """Saves and loads a session: `exchanges` has by product the markets that are made by us.

    What a venue on the network holds of ours is not in it: only the venue knows, and it is asked.
    """

    def __init__(
        self, desks: Sequence[Desk], exchanges: Mapping[str, SimulatedExchange], clock: ManualClock
    ) -> None:
        self._desks = desks
        self._exchanges = exchanges
        self._clock = clock

    @property
    def is_between(self) -> bool:
        """True while a desk has an answer before it that is not on record yet: an order was called back.

        A state that held it would know of what the records behind it are still to say.
        """
        return any(len(desk.order_events) > 0 for desk in self._desks)

    def save(self) -> SessionState:
        """A copy of everything; nothing may be on its way between the stages."""
        return SessionState(
            VERSION,
            self._clock.monotonic_ns(),
            self._clock.wall_ns(),
            {
                desk.product: DeskState(
                    desk.trader.save(),
                    desk.watcher.save(),
                    desk.market_events.waiting(),
                    desk.order_events.waiting(),
                    desk.next_timer_ns,
                    exchange.save() if (exchange := self._exchanges.get(desk.product)) else None,
                    desk.venue.save() if isinstance(desk.venue, PaperVenue) else None,
                )
                for desk in self._desks
            },
        )

    def load(self, state: SessionState) -> None:
        """Put freshly built desks and markets into a saved state. `StateError` for another version's."""
        if state.version != VERSION:
            raise StateError(
                f"the snapshot has version {state.version}, this program reads {VERSION}: use the version "
                "that wrote it. Nothing was changed"
            )
        self._clock.advance_to(state.now_ns)
        for desk in self._desks:
            saved = state.desks[desk.product]
            desk.trader.load(saved.trader)
            desk.watcher.load(saved.watcher)
            desk.next_timer_ns = saved.next_timer_ns
            for event in saved.market:
                desk.market_events.push(event)
            for answer in saved.answers:
                desk.order_events.push(answer)
            if saved.exchange is not None:
                self._exchanges[desk.product].load(saved.exchange)
            if saved.paper is not None and isinstance(desk.venue, PaperVenue):
                desk.venue.load(saved.paper)


def encode(state: SessionState) -> bytes:
    """The body of a snapshot."""
    return msgspec.msgpack.encode(state)


def decode(body: bytes) -> SessionState:
    """A snapshot's body. Raises `StateError` for one that this version cannot read."""
    try:
        return msgspec.msgpack.decode(body, type=SessionState)
    except msgspec.MsgspecError as error:
        raise StateError(
            f"the snapshot cannot be read ({error}): use the version that wrote it. Nothing was changed"
        ) from None
