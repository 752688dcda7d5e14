"""The kill switch's work at a live venue: everything of ours is cancelled, and that is proven."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from engine.core.clock import Clock
from engine.core.instrument import Instrument
from engine.exchange.coinbase.broker import Broker, BrokerError, OrderRef
from engine.exchange.live.listing import Listings
from engine.exchange.live.orders import LiveOrders
from engine.exchange.live.settle import Settler
from engine.exchange.live.standing import Remote
from engine.exchange.live.sweeping import SweepReport, SweepRound, sweep
from engine.exchange.live.tasks import Tasks
from engine.exchange.live.tracking import TrackedOrder
from engine.exchange.protocol import ListingPending, OwnRecord

LOOK_AGAIN_S: Final = (1.0, 5.0, 30.0)
"""After the proof, as lists lag."""
_PAUSE_S: Final = 0.5


class SweepEvidence(msgspec.Struct, frozen=True):
    """Where a sweep stands: what the venue has shown, and what of our own record is not proven yet."""

    reason: str
    began_ns: int
    """Wall time."""
    report: SweepReport | None
    """What the venue's lists have shown; None before the first round is over."""
    filled_meanwhile: tuple[str, ...]
    """Client ids of orders that were filled, or filled further, since it began."""
    unproven: tuple[str, ...]
    """Client ids of orders by our record whose end the venue has not shown."""
    is_proven: bool
    """Two complete lists were empty, and every order that we know of has ended by the venue's word."""


class Sweeps:
    """One sweep at a time. While one is under way no order may leave (`is_active`)."""

    def __init__(
        self,
        instrument: Instrument,
        broker: Broker,
        record: OwnRecord,
        clock: Clock,
        orders: LiveOrders,
        listings: Listings,
        settler: Settler,
        tasks: Tasks,
        warn: Callable[[str, str], None],
        on_leave: Callable[[], None],
        on_proven: Callable[[SweepEvidence], None],
    ) -> None:
        """`on_proven` is told of every sweep's evidence once it is complete."""
        self._on_proven = on_proven
        self.is_active = False
        self.evidence: SweepEvidence | None = None
        self._instrument = instrument
        self._broker = broker
        self._record = record
        self._clock = clock
        self._orders = orders
        self._listings = listings
        self._settler = settler
        self._tasks = tasks
        self._warn = warn
        self._on_leave = on_leave
        self._reason = ""
        self._began_wall_ns = 0
        self._report: SweepReport | None = None
        self._round_began_ns = 0
        self._filled_before: dict[TrackedOrder, int] = {}
        self._looking: asyncio.Task[None] | None = None

    def begin(self, reason: str) -> None:
        """Cancel everything, from this instruction on; one that is under way goes on under this reason."""
        self._reason = reason
        for own in self._record.open_orders():
            self._orders.by_client(own.client_id)
        for order in self._orders.tracker.live:
            if order.is_in_flight or not self._orders.cancels.can_name(order):
                self._orders.cancel(order)
            else:
                order.cancel_asked = order.cancel_sent = True  # by the first round, in this very moment
        if self.is_active:
            return
        self.is_active = True
        self._began_wall_ns = self._clock.wall_ns()
        self._report = None
        self._filled_before = {order: order.booked.lots for order in self._orders.tracker}
        self._note(is_proven=False)
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        self._tasks.spawn("sweep", self._sweep())

    def listed(self) -> list[str]:
        """The orders that the last list of the sweep under way had.

        Raises `ListingPending` where it had none and the proof is not complete, `BrokerError` where the list
        cannot be had.
        """
        report = self._report
        if report is None or not (report.failure or report.still_open):
            raise ListingPending("the venue is asked twice whether anything of ours is open")
        if report.failure:
            raise BrokerError("LISTING", report.failure)
        return list(report.still_open)

    async def _sweep(self) -> None:
        while True:
            try:
                await sweep(
                    self._broker,
                    self._record.is_ours,
                    (self._instrument.symbol,),
                    self._clock,
                    asyncio.sleep,
                    self._on_round,
                    known=self._known,
                )
                break
            except Exception as error:  # whatever broke, the orders must go
                self._warn("SWEEP_FAILED", f"the sweep failed and is begun anew: {error}")
                await asyncio.sleep(_PAUSE_S)
        while not await self._is_record_proven():
            self._note(is_proven=False)
            await asyncio.sleep(_PAUSE_S)
        self.is_active = False
        self._note(is_proven=True)
        if self.evidence is not None:
            self._on_proven(self.evidence)
        swept = {order.client_id for order in self._orders.tracker}
        self._looking = self._tasks.spawn("look again", self._look_again(swept))

    def _known(self) -> Sequence[OrderRef]:
        """Every order of ours that may live and that the venue can be told to cancel."""
        self._round_began_ns = self._clock.monotonic_ns()
        named = [order for order in self._orders.tracker.live if self._orders.cancels.can_name(order)]
        return [order.ref(self._instrument.symbol) for order in named if not order.is_in_flight]

    def _on_round(self, round_: SweepRound) -> None:
        if round_.answers:
            self._on_leave()
        for report in round_.listed or ():
            order = self._orders.observe(report, self._round_began_ns)
            if order is not None:
                order.cancel_asked = True
        self._report = round_.report
        self._note(is_proven=False)

    async def _is_record_proven(self) -> bool:
        """Ask for every order of ours that has no end yet; True when none is left."""
        for order in self._orders.tracker.live:
            if order.is_in_flight:
                continue
            if await self._settler.ask(order) is Remote.NOT_FOUND:
                self._settler.not_found(order, "the venue's lists do not have it")
        return not self._orders.tracker.live and not self._orders.executions.is_waiting

    async def _look_again(self, swept: set[str]) -> None:
        waited = 0.0
        for after in LOOK_AGAIN_S:
            await asyncio.sleep(after - waited)
            waited = after
            try:
                listing = await self._listings.take()
            except BrokerError:
                continue
            for report in listing.orders:
                order = self._orders.tracker.by_client(report.client_order_id)
                is_new = order is not None and order.client_id not in swept
                if self._record.is_ours(report.client_order_id) and not is_new:
                    self._looking = None
                    self._warn("SWEEP_REOPENED", f"the venue lists {report.client_order_id} after the proof")
                    self.begin(f"{self._reason}; the venue lists an order again")
                    return

    def _note(self, *, is_proven: bool) -> None:
        before = self._filled_before
        filled = [o.name for o in self._orders.tracker if o.booked.lots > before.get(o, 0)]
        self.evidence = SweepEvidence(
            self._reason,
            self._began_wall_ns,
            self._report,
            tuple(filled),
            tuple([order.name for order in self._orders.tracker.live]),
            is_proven,
        )
