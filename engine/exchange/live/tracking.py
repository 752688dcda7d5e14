"""What the trading edge knows of each order, ahead of the Trader's record by what waits to be polled."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Final

import msgspec

from engine.core.events import SubmitOrder
from engine.core.order import OrderState, Side, TimeInForce
from engine.core.own_orders import OwnOrder
from engine.exchange.coinbase.broker import OrderRef
from engine.exchange.live.matrix import Local
from engine.exchange.live.order_fills import UNFILLED, Figures
from engine.exchange.live.standing import Remote

ENDED_KEPT: Final = 5_000
"""Ended orders remembered, for late answers and for the comparison of fills."""
_AT_ONCE: Final = (TimeInForce.IOC, TimeInForce.FOK)


class Phase(enum.Enum):
    """How far a submit of ours has come."""

    QUEUED = "queued"
    """Not one byte has left."""
    SENT = "sent"
    """The answer is awaited."""
    DOUBTED = "doubted"
    """No answer, or none that tells: only the venue knows."""
    KNOWN = "known"
    """The venue has, or had, it."""


class End(msgspec.Struct, frozen=True):
    """The venue's word that an order has ended."""

    remote: Remote
    """NOT_FOUND where its word is that it knows the order no longer."""
    status: str
    lots: int
    reason: str


class TrackedOrder:
    """One order. Sizes in lots, times in engine nanoseconds."""

    __slots__ = (
        "booked",
        "booked_ns",
        "cancel_asked",
        "cancel_sent",
        "client_id",
        "end",
        "is_absent",
        "is_at_once",
        "is_confirmed",
        "is_fetching",
        "is_post_only",
        "is_told",
        "is_whole",
        "matched",
        "matches",
        "phase",
        "queries",
        "rested",
        "shown",
        "side",
        "size",
        "target",
        "touched_ns",
        "venue_id",
        "was_accepted",
    )

    def __init__(self, client_id: str, side: Side, size: int, phase: Phase, now_ns: int) -> None:
        self.client_id = client_id
        self.side = side
        self.size = size
        self.phase = phase
        self.venue_id = ""
        self.is_post_only = False
        self.is_at_once = False
        """It cannot rest: whatever it fills, it takes."""
        self.is_absent = False
        """The Trader has no record of it: an orphan of a crash."""
        self.booked: Figures = UNFILLED
        """What has been told as fills."""
        self.booked_ns = now_ns
        """When the last fill was told."""
        self.target = 0
        """How far the venue says it is filled."""
        self.shown = 0
        """How far the venue's last word had it filled, which may be an old one."""
        self.is_whole = False
        """Every execution of it has been told by the user feed, on one connection."""
        self.matches: set[int] = set()
        """Trades that the user feed has told one by one."""
        self.matched = 0
        """Lots of those."""
        self.is_fetching = False
        """Its executions are being asked for."""
        self.is_confirmed = False
        """What is booked equals the venue's list of executions."""
        self.was_accepted = False
        """OrderAccepted has been told, now or before a restart."""
        self.rested = False
        """The venue has shown it working with nothing new filled: what it fills from then on, it makes."""
        self.cancel_asked = False
        self.cancel_sent = False
        """A cancel was handed to the network at least once."""
        self.end: End | None = None
        """The venue's word that it has ended; its fills may still be under way."""
        self.is_told = False
        """Its end has been told; the record holds it for ended."""
        self.queries = 0
        """Complete questions to the venue that did not find it."""
        self.touched_ns = now_ns
        """When it was sent or the venue last told of it."""

    @classmethod
    def submitted(cls, command: SubmitOrder, now_ns: int) -> TrackedOrder:
        """One that is about to be sent."""
        order = cls(command.client_id, command.side, command.size, Phase.QUEUED, now_ns)
        order._shape(command)
        return order

    @classmethod
    def recorded(cls, own: OwnOrder, now_ns: int) -> TrackedOrder:
        """One that the Trader's record has and this edge did not send: of before a restart."""
        was_accepted = own.accepted_ns is not None
        order = cls(own.client_id, own.side, own.size, Phase.KNOWN if was_accepted else Phase.DOUBTED, now_ns)
        order._shape(own.command)
        order.venue_id = own.venue_order_id
        order.was_accepted = was_accepted
        order.cancel_asked = order.cancel_sent = own.cancel_asked_ns is not None
        if own.state is OrderState.UNCERTAIN:
            order.phase = Phase.DOUBTED
        if own.filled:
            order.booked = Figures(own.filled, None, None)
            order.target = own.filled
        order.is_told = own.ended_ns is not None
        return order

    def _shape(self, command: SubmitOrder) -> None:
        self.is_post_only = command.post_only
        self.is_at_once = command.time_in_force in _AT_ONCE

    @property
    def name(self) -> str:
        """For people and reports."""
        return self.client_id or self.venue_id

    @property
    def is_live(self) -> bool:
        """True while it may still trade, as far as is proven."""
        return not self.is_told and self.end is None

    @property
    def is_in_flight(self) -> bool:
        """True while a submit waits for its answer."""
        return self.phase in (Phase.QUEUED, Phase.SENT)

    @property
    def local(self) -> Local:
        """Its row of the reconciliation matrix."""
        if self.is_absent:
            return Local.ABSENT
        if self.phase is Phase.QUEUED:
            return Local.QUEUED
        if self.is_told or self.end is not None:
            return Local.FILLED if self.size and self.booked.lots >= self.size else Local.ENDED
        if self.booked.lots and self.booked.lots >= self.size:
            return Local.FILLED
        if self.phase is not Phase.KNOWN:
            return Local.UNCERTAIN
        if self.cancel_asked:
            return Local.CANCEL_SENT
        return Local.PART_FILLED if self.booked.lots else Local.OPEN

    def is_maker(self) -> bool | None:
        """Whether its next fill makes; None where only the venue knows."""
        if self.is_post_only:
            return True
        if self.is_at_once:
            return False
        return True if self.rested else None

    def ref(self, product: str) -> OrderRef:
        """By whatever is known of it."""
        return OrderRef(self.venue_id, self.client_id, product)


class Tracker:
    """The orders of one product by both of their ids."""

    def __init__(self) -> None:
        self._by_client: dict[str, TrackedOrder] = {}
        self._by_venue: dict[str, TrackedOrder] = {}
        self._ended: dict[TrackedOrder, None] = {}
        self._twins: list[TrackedOrder] = []

    def __iter__(self) -> Iterator[TrackedOrder]:
        return iter(list(self._by_client.values()))

    def add(self, order: TrackedOrder) -> None:
        """Keep one."""
        self._by_client[order.client_id] = order
        if order.venue_id:
            self._by_venue[order.venue_id] = order

    def add_twin(self, order: TrackedOrder, venue_id: str) -> None:
        """A second order under one client id: kept by the venue's id alone."""
        self.name(order, venue_id)
        self._twins.append(order)

    def name(self, order: TrackedOrder, venue_id: str) -> None:
        """The venue's id of it is known now."""
        order.venue_id = venue_id
        self._by_venue[venue_id] = order

    def by_client(self, client_id: str) -> TrackedOrder | None:
        """By our id."""
        return self._by_client.get(client_id)

    def by_venue(self, venue_id: str) -> TrackedOrder | None:
        """By the venue's id."""
        return self._by_venue.get(venue_id)

    def ended(self, order: TrackedOrder) -> None:
        """Its end has been told: the oldest ended ones are forgotten when there are too many."""
        self._ended[order] = None
        while len(self._ended) > ENDED_KEPT:
            oldest = next(iter(self._ended))
            del self._ended[oldest]
            self._by_client.pop(oldest.client_id, None)
            self._by_venue.pop(oldest.venue_id, None)

    @property
    def live(self) -> list[TrackedOrder]:
        """Every order that may still trade, as far as is proven."""
        known = (*self._by_client.values(), *self._twins)
        return [order for order in known if order not in self._ended]
