"""Control R30: the fills that we have booked against the venue's own list of executions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal, localcontext
from typing import Final

from engine.core.clock import Clock
from engine.core.errors import InstrumentError
from engine.core.events import Restraint
from engine.core.instrument import Instrument
from engine.exchange.coinbase.broker import Broker, VenueFill
from engine.exchange.live.history import History
from engine.exchange.live.order_fills import CorrectionError, totals
from engine.exchange.live.orders import LiveOrders
from engine.exchange.live.outbox import Outbox
from engine.exchange.live.tracking import TrackedOrder

DROPCOPY: Final = "DROPCOPY"
RECHECK_S: Final = 2.0
_LAG_NS: Final = 10_000_000_000
"""The venue's list may be behind by this much."""
_WINDOW_NS: Final = 120_000_000_000


class DropCopy:
    """Confirms booked fills, imports missing ones, and stops trading where the two tell different things."""

    def __init__(
        self,
        instrument: Instrument,
        broker: Broker,
        clock: Clock,
        outbox: Outbox,
        orders: LiveOrders,
        history: History,
    ) -> None:
        self._instrument = instrument
        self._broker = broker
        self._clock = clock
        self._outbox = outbox
        self._orders = orders
        self._history = history
        self._since_ns = clock.wall_ns()
        self._told: dict[TrackedOrder, str] = {}
        """What trading was stopped for; the same is not told again."""

    async def check(self) -> None:
        """One comparison. Raises `BrokerError` where the list cannot be had: nothing is known then."""
        began = self._clock.wall_ns()
        looked = await self._history.look(self._since_ns - _WINDOW_NS)
        self._since_ns = began
        suspects = [order for order in self._unconfirmed() if order not in looked.by_order]
        suspects += [
            order for order, executions in looked.by_order.items() if self._difference(order, executions)
        ]
        if not suspects:
            return
        await asyncio.sleep(RECHECK_S)  # what is under way by the user channel has come then
        for order in suspects:
            await self._judge(order)

    def _unconfirmed(self) -> list[TrackedOrder]:
        """Orders whose fills should be in the list by now and were not in it."""
        now = self._clock.monotonic_ns()
        return [
            order
            for order in self._orders.tracker
            if order.booked.lots and not order.is_confirmed and now - order.booked_ns >= _LAG_NS
        ]

    async def _judge(self, order: TrackedOrder) -> None:
        executions = await self._broker.fills(self._instrument.symbol, order_id=order.venue_id)
        difference = self._difference(order, executions)
        if not difference or order.is_fetching:
            return
        lots = order.booked.lots
        is_young = self._clock.monotonic_ns() - order.booked_ns < _LAG_NS
        if not self._orders.executions.import_from(order, executions):
            return  # it has halted trading by itself
        if order.booked.lots == lots and is_young:
            return  # the list is behind, as it may be
        if self._told.get(order) == difference:
            return
        self._told[order] = difference
        self._outbox.restrain(
            DROPCOPY,
            Restraint.LATCHED,
            f"the fills of order {order.name} by the venue's list are not those that we were told: "
            f"{difference}. What was missing has been booked; compare the position with the venue",
            "a person has compared both",
        )

    def _difference(self, order: TrackedOrder, executions: Sequence[VenueFill]) -> str:
        """What differs, in words; empty where nothing does, which confirms the order's fills."""
        try:
            listed = totals(self._instrument, executions)
        except (CorrectionError, InstrumentError) as error:
            return str(error)
        booked = order.booked
        if listed.lots != booked.lots:
            return f"{listed.lots} lots against {booked.lots}"
        tolerance = Decimal(len(executions)).scaleb(-self._instrument.money_places)
        with localcontext(prec=100):
            for what, there, here in (
                ("value", listed.value, booked.value),
                ("fees", listed.fees, booked.fees),
            ):
                assert there is not None
                if here is not None and abs(there - here) > tolerance:
                    return f"{what} of {there:f} against {here:f} {self._instrument.quote}"
        order.is_confirmed = True
        return ""
