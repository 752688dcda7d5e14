"""Questions about one order: what became of it after a cancel, or when a list does not have it."""

from __future__ import annotations

import asyncio
from typing import Final

from engine.core.clock import Clock
from engine.core.instrument import Instrument
from engine.exchange.coinbase.broker import Broker, BrokerError, Outcome
from engine.exchange.live.matrix import Local
from engine.exchange.live.orders import LiveOrders
from engine.exchange.live.standing import Remote, standing
from engine.exchange.live.tasks import Tasks
from engine.exchange.live.tracking import TrackedOrder

AFTER_S: Final = 2.0
"""So long the user channel has to prove a cancel that was taken up, and so long lies between questions."""

_MOMENT_S: Final = 0.5


class Settler:
    """Asks the venue for single orders and takes in the answer."""

    def __init__(
        self, instrument: Instrument, broker: Broker, clock: Clock, orders: LiveOrders, tasks: Tasks
    ) -> None:
        self._instrument = instrument
        self._broker = broker
        self._clock = clock
        self._orders = orders
        self._tasks = tasks
        self._under_way: set[TrackedOrder] = set()
        self._looked_at: set[TrackedOrder] = set()
        orders.on_unsettled = self.after_cancel
        orders.on_overlap = self.look

    def after_cancel(self, order: TrackedOrder, outcome: Outcome) -> None:
        """A cancel was answered: at once where the venue refused it, else when no proof has come."""
        if order not in self._under_way:
            self._under_way.add(order)
            first_s = 0.0 if outcome is Outcome.REFUSED else AFTER_S
            self._tasks.spawn("settle", self._settle(order, first_s))

    def look(self, order: TrackedOrder) -> None:
        """Ask for its figures in a moment."""
        if order not in self._looked_at:
            self._looked_at.add(order)
            self._tasks.spawn("settle", self._look(order))

    async def _look(self, order: TrackedOrder) -> None:
        try:
            remote = Remote.QUERY_FAILED
            while remote is Remote.QUERY_FAILED:
                await asyncio.sleep(_MOMENT_S)
                remote = await self.ask(order)
        finally:
            self._looked_at.discard(order)

    async def ask(self, order: TrackedOrder) -> Remote:
        """Where the venue says that the order stands; what it tells is taken in."""
        if not order.venue_id and not (self._broker.can_find_by_client_id and order.client_id):
            return Remote.NOT_FOUND  # only a list could have it
        asked_ns = self._clock.monotonic_ns()
        try:
            report = await self._broker.order(order.ref(self._instrument.symbol))
        except BrokerError:
            return Remote.QUERY_FAILED
        if report is None:
            return Remote.NOT_FOUND
        self._orders.observe(report, asked_ns)
        return standing(report, order.size, self._instrument)

    def not_found(self, order: TrackedOrder, reason: str) -> None:
        """Neither a list nor a question for itself has found a live order: its end, or doubt.

        A venue that can be asked by our own ids forgets a cancelled order of which nothing was filled.
        """
        if not order.is_live:
            return
        forgets = self._broker.can_find_by_client_id
        if forgets and order.local is Local.CANCEL_SENT and not order.target and not order.booked.lots:
            self._orders.gone(order, "cancelled; the venue knows it no longer")
        else:
            self._orders.doubt(order, reason)

    async def _settle(self, order: TrackedOrder, wait_s: float) -> None:
        try:
            while True:
                await asyncio.sleep(wait_s)
                if order.end is not None or not order.cancel_asked:
                    return
                remote = await self.ask(order)
                if remote is Remote.NOT_FOUND:
                    self.not_found(order, "a cancel was answered and the venue does not know the order")
                if remote is not Remote.QUERY_FAILED:
                    return
                wait_s = AFTER_S
        finally:
            self._under_way.discard(order)
