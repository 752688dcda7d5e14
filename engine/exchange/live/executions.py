"""The venue's own list of executions, asked for where cumulative figures do not tell the fills apart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from engine.core.clock import Clock
from engine.core.errors import InstrumentError
from engine.core.events import Restraint
from engine.core.instrument import Instrument
from engine.exchange.coinbase.broker import Broker, BrokerError, VenueFill
from engine.exchange.live.booking import Booking
from engine.exchange.live.order_fills import CorrectionError
from engine.exchange.live.outbox import Outbox
from engine.exchange.live.tasks import Tasks
from engine.exchange.live.tracking import TrackedOrder

FILLS: Final = "MISSING_FILLS"
_PAUSES_S: Final = (0.0, 0.25, 0.5, 1.0, 2.0)
"""Between questions; the last one goes on. The venue's list lags by up to seconds."""
_PAUSE_AFTER_NS: Final = 2_000_000_000
_LATCH_AFTER_NS: Final = 60_000_000_000


class Executions:
    """Fetches executions per order, one question at a time, until what the venue says is filled is booked.

    After 2 s without success trading pauses, after 60 s it is HALTED: the position is not certain.
    """

    def __init__(
        self,
        instrument: Instrument,
        broker: Broker,
        clock: Clock,
        outbox: Outbox,
        tasks: Tasks,
        booking: Booking,
        on_booked: Callable[[TrackedOrder], None],
    ) -> None:
        self._instrument = instrument
        self._broker = broker
        self._clock = clock
        self._outbox = outbox
        self._tasks = tasks
        self._booking = booking
        self._on_booked = on_booked
        self._late: set[TrackedOrder] = set()

    @property
    def is_waiting(self) -> bool:
        """True while fills of any order are known to exist and are not booked."""
        return bool(self._late)

    def fetch(self, order: TrackedOrder) -> None:
        """See to it that everything up to the order's `target` is booked."""
        if not order.is_fetching:
            order.is_fetching = True
            self._tasks.spawn("fills", self._fetch(order))

    def import_from(self, order: TrackedOrder, executions: Sequence[VenueFill]) -> bool:
        """Book what is missing from a complete list of the order's executions; False for a correction."""
        try:
            self._booking.book_executions(order, executions)
        except (CorrectionError, InstrumentError) as error:
            self._outbox.restrain(FILLS, Restraint.LATCHED, str(error), "a person")
            return False
        self._on_booked(order)
        return True

    async def _fetch(self, order: TrackedOrder) -> None:
        began = self._clock.monotonic_ns()
        is_latched = False
        attempt = 0
        try:
            while True:
                await asyncio.sleep(_PAUSES_S[min(attempt, len(_PAUSES_S) - 1)])
                attempt += 1
                why = "the venue's list of fills does not have them yet"
                try:
                    executions = await self._broker.fills(self._instrument.symbol, order_id=order.venue_id)
                    if not self.import_from(order, executions):
                        return
                except BrokerError as error:
                    why = str(error)
                if order.booked.lots >= order.target:
                    return
                waited = self._clock.monotonic_ns() - began
                text = (
                    f"order {order.name} is filled to {order.target} lots by the venue's word and to "
                    f"{order.booked.lots} by our record: {why}"
                )
                if waited >= _LATCH_AFTER_NS and not is_latched:
                    is_latched = True
                    self._outbox.restrain(FILLS, Restraint.LATCHED, text, "a person")
                elif waited >= _PAUSE_AFTER_NS and order not in self._late:
                    self._late.add(order)
                    self._outbox.restrain(FILLS, Restraint.PAUSED, text, "its fills are known")
        finally:
            order.is_fetching = False
            if order in self._late:
                self._late.discard(order)
                if not self._late and order.booked.lots >= order.target:
                    self._outbox.restrain(FILLS, Restraint.NONE, "every fill is known again")
