"""Executions of the past: what was filled while nobody listened, or told by nobody."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

import msgspec

from engine.core.clock import Clock
from engine.core.errors import InstrumentError
from engine.core.instrument import Instrument
from engine.exchange.coinbase.broker import Broker, OrderRef, VenueFill
from engine.exchange.live.order_fills import boundaries, fill_id
from engine.exchange.live.orders import LiveOrders
from engine.exchange.live.tracking import TrackedOrder
from engine.exchange.protocol import OwnRecord

_STRANGERS_KEPT: Final = 5_000


class Looked(msgspec.Struct, frozen=True):
    """What a look at the list of executions has brought."""

    by_order: dict[TrackedOrder, list[VenueFill]]
    """Executions of our orders within the window, oldest first."""
    external: int
    """Executions of other front ends."""


class History:
    """Reads the venue's executions and finds out whose each is."""

    def __init__(
        self,
        instrument: Instrument,
        broker: Broker,
        clock: Clock,
        record: OwnRecord,
        orders: LiveOrders,
        opened_ns: int = 0,
    ) -> None:
        """`opened_ns`: venue wall time at which the record began; what was executed before is none of it."""
        self._opened_ns = opened_ns
        self._instrument = instrument
        self._broker = broker
        self._clock = clock
        self._record = record
        self._orders = orders
        self._settled: dict[str, None] = {}
        """Venue ids of strangers' orders, and of ours that are booked to the end."""

    async def look(self, since_ns: int) -> Looked:
        """Every execution since a wall time; orders of ours that we do not know are taken in.

        Raises `BrokerError` where it cannot be had completely.
        """
        by_id: defaultdict[str, list[VenueFill]] = defaultdict(list)
        since_ns = max(since_ns, self._opened_ns)
        for execution in await self._broker.fills(self._instrument.symbol, since_ns=since_ns):
            by_id[execution.order_id].append(execution)
        by_order: dict[TrackedOrder, list[VenueFill]] = {}
        external = 0
        for venue_id, executions in by_id.items():
            order = self._orders.tracker.by_venue(venue_id)
            if order is None and not self._is_settled(venue_id, executions):
                order = await self._whose(venue_id)
            if order is not None:
                by_order[order] = executions
            elif venue_id in self._settled:
                external += len(executions)
        return Looked(by_order, external)

    def import_missing(self, looked: Looked) -> list[TrackedOrder]:
        """See to it that executions beyond what is booked are booked; the orders that have some.

        One that cannot be an execution is looked at with all of its order, which halts.
        """
        behind = []
        for order, executions in looked.by_order.items():
            lots = self._lots(executions)
            if lots is None or lots > order.booked.lots:
                order.target = max(order.target, lots or 0)
                self._orders.executions.fetch(order)
                behind.append(order)
        return behind

    def _is_settled(self, venue_id: str, executions: list[VenueFill]) -> bool:
        """Known as a stranger's, or booked to the last execution by a fill id that is never forgotten."""
        if venue_id in self._settled:
            return True
        lots = self._lots(executions)
        return lots is not None and self._record.knows_fill(fill_id(venue_id, lots))

    def _lots(self, executions: list[VenueFill]) -> int | None:
        """How far they fill their order; None where one takes another back, or is no whole number of lots."""
        try:
            return boundaries(self._instrument, executions)[-1]
        except InstrumentError:
            return None

    async def _whose(self, venue_id: str) -> TrackedOrder | None:
        asked_ns = self._clock.monotonic_ns()
        report = await self._broker.order(OrderRef(venue_id, "", self._instrument.symbol))
        order = None if report is None else self._orders.observe(report, asked_ns)
        if order is None:
            self._settled[venue_id] = None
            if len(self._settled) > _STRANGERS_KEPT:
                del self._settled[next(iter(self._settled))]
        return order
