"""Agreement with the venue: at the start, after each reconnect of the user channel, every few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from engine.core.clock import Clock
from engine.core.events import Restraint
from engine.core.instrument import Instrument
from engine.exchange.coinbase.broker import BrokerError
from engine.exchange.coinbase.user import OrderReport
from engine.exchange.live.history import History
from engine.exchange.live.listing import Listing, Listings
from engine.exchange.live.matrix import Decision, Local, decide
from engine.exchange.live.orders import RECONCILE, LiveOrders
from engine.exchange.live.outbox import Outbox
from engine.exchange.live.settle import Settler
from engine.exchange.live.standing import Remote, standing
from engine.exchange.live.tracking import TrackedOrder
from engine.exchange.protocol import OwnRecord

RECHECK_S: Final = 2.0
_RETRY_S: Final = 1.0
_LATCH_AGAIN_NS: Final = 60_000_000_000
_DISAGREEMENTS: Final = frozenset({Decision.ORPHAN, Decision.CANCEL})
"""Decisions that must not come twice in a row for the same order."""


class Judgement(msgspec.Struct, frozen=True):
    """One cell: an order, where it stood on both sides, and what was decided."""

    order: str
    """Our client id, else the venue's id."""
    local: Local
    remote: Remote
    decision: Decision


class ReconcileReport(msgspec.Struct, frozen=True):
    """What was asked, what came, what was decided. Times are wall time."""

    product: str
    cause: str
    began_ns: int
    ended_ns: int
    failure: str
    """Why the venue's word could not be had; empty when it was."""
    listed: int
    """Live orders that the venue listed."""
    judged: tuple[Judgement, ...]
    imported: tuple[str, ...]
    """Orders with executions that were missing in our record."""
    external: tuple[str, ...]
    """Venue ids of live orders of other front ends."""
    is_clean: bool
    """Nothing is uncertain, contradictory, or waited for."""


class Reconciler:
    """Compares every order on both sides and acts by the matrix.

    `RECONCILE` keeps trading PAUSED from `lock` until a round after it is clean and the user channel is up.
    """

    def __init__(
        self,
        instrument: Instrument,
        record: OwnRecord,
        clock: Clock,
        outbox: Outbox,
        orders: LiveOrders,
        listings: Listings,
        settler: Settler,
        history: History,
        user_epoch: Callable[[], int | None],
        on_report: Callable[[ReconcileReport], None],
    ) -> None:
        self.is_blind = True
        """The venue's list could not be had: no order must leave."""
        self.is_locked = False
        self._instrument = instrument
        self._record = record
        self._clock = clock
        self._outbox = outbox
        self._orders = orders
        self._listings = listings
        self._settler = settler
        self._history = history
        self._user_epoch = user_epoch
        self._on_report = on_report
        self._fills_since_ns = clock.wall_ns()
        self._seen_before: dict[str, Decision] = {}
        self._latched_ns: dict[str, int] = {}

    def look_back_to(self, wall_ns: int) -> None:
        """Executions since then may be missing in the record."""
        self._fills_since_ns = wall_ns

    def lock(self, reason: str) -> None:
        """Our record may not be the venue's: nothing is quoted until it has been compared."""
        self.is_locked = True
        self._outbox.restrain(
            RECONCILE, Restraint.PAUSED, reason, "a comparison with the venue has left nothing open"
        )

    async def reconcile(self, cause: str, *, with_history: bool) -> ReconcileReport:
        """One round. `with_history`: executions since the last such round, too."""
        began, epoch = self._clock.wall_ns(), self._user_epoch()
        for own in self._record.open_orders():
            self._orders.by_client(own.client_id)
        judged: dict[str, Judgement] = {}
        failure, listing = "", None
        imported: list[TrackedOrder] = []
        rechecks: list[TrackedOrder] = []
        try:
            listing = await self._listed()
            self.is_blind = False
            for report in listing.orders:
                self._judge_listed(report, judged, rechecks)
            await self._judge_unlisted(listing, judged, rechecks)
            if with_history:
                looked = await self._history.look(self._fills_since_ns)
                imported = self._history.import_missing(looked)
                self._fills_since_ns = max(self._fills_since_ns, began - _LATCH_AGAIN_NS)
        except BrokerError as error:
            failure = str(error)
            if listing is None:
                self._judge_unanswered(failure, judged)
        if self._orders.doubted:
            self._orders.on_doubt()
        is_agreed = await self._recheck(rechecks)
        self._twice(judged)
        is_clean = not failure and is_agreed and self._is_settled(judged)
        report_ = ReconcileReport(
            self._instrument.symbol,
            cause,
            began,
            self._clock.wall_ns(),
            failure,
            0 if listing is None else len(listing.orders),
            tuple(judged.values()),
            tuple([order.name for order in imported]),
            tuple(self._orders.strangers),
            is_clean,
        )
        self._on_report(report_)
        if is_clean and self.is_locked and epoch is not None and epoch == self._user_epoch():
            self.is_locked = False
            self._outbox.restrain(RECONCILE, Restraint.NONE, "our record agrees with the venue's word")
        return report_

    async def _listed(self) -> Listing:
        try:
            return await self._listings.take()
        except BrokerError:
            await asyncio.sleep(_RETRY_S)
            return await self._listings.take()

    def _judge_listed(
        self, report: OrderReport, judged: dict[str, Judgement], rechecks: list[TrackedOrder]
    ) -> None:
        order = self._known(report)
        if order is None:
            where = standing(report, 0, self._instrument)
            is_ours = self._record.is_ours(report.client_order_id)
            decision = decide(Local.ABSENT, where, is_ours=is_ours)
            self._orders.observe(report, is_listed=True)
            name = report.client_order_id or report.order_id
            judged[name] = Judgement(name, Local.ABSENT, where, decision)
            return
        local, where = order.local, standing(report, order.size, self._instrument)
        shows_less = self._instrument.lots(report.filled) < order.booked.lots
        decision = decide(local, where, shows_less=shows_less)
        judged[order.name] = Judgement(order.name, local, where, decision)
        if decision is Decision.RECHECK:
            rechecks.append(order)
        elif decision is Decision.CONTRADICTION:
            self.halt(
                order.name,
                f"the venue has order {order.client_id}, whose sending has not begun: another program uses "
                "our ids",
            )
            self._orders.doubt(order, "the venue has it though it was never sent")
        if decision is not Decision.RECHECK:
            self._orders.observe(report, is_listed=True)

    def _known(self, report: OrderReport) -> TrackedOrder | None:
        order = self._orders.tracker.by_venue(report.order_id)
        return order or self._orders.by_client(report.client_order_id)

    async def _judge_unlisted(
        self, listing: Listing, judged: dict[str, Judgement], rechecks: list[TrackedOrder]
    ) -> None:
        """Orders that should be in the list and are not: asked for one by one before that is believed."""
        listed = {report.order_id for report in listing.orders}
        for order in self._orders.tracker.live:
            if order.venue_id in listed or order.is_in_flight or order.touched_ns >= listing.began_ns:
                continue
            local, booked = order.local, order.booked.lots
            remote = await self._settler.ask(order)
            if not order.is_live and remote in (Remote.NOT_FOUND, Remote.QUERY_FAILED):
                continue  # its end has come by another way meanwhile
            shows_less = order.end is not None and order.end.lots < booked
            decision = decide(local, remote, shows_less=shows_less)
            judged[order.name] = Judgement(order.name, local, remote, decision)
            if decision is Decision.RECHECK:
                rechecks.append(order)
            elif decision is Decision.QUERY:
                self._settler.not_found(order, "neither the venue's list nor a question for it has it")
            elif decision is Decision.WAIT:
                self._orders.doubt(order, "the venue does not answer what became of it")

    def _judge_unanswered(self, failure: str, judged: dict[str, Judgement]) -> None:
        """The list could not be had: nothing is known, so every live order is in doubt."""
        self.is_blind = True
        if not self.is_locked:
            self.lock(f"the venue does not tell which orders are open: {failure}")
        for order in self._orders.tracker.live:
            local = order.local
            decision = decide(local, Remote.QUERY_FAILED)
            judged[order.name] = Judgement(order.name, local, Remote.QUERY_FAILED, decision)
            if decision is Decision.WAIT and not order.is_in_flight:
                self._orders.doubt(order, f"the venue's list of orders cannot be had: {failure}")

    async def _recheck(self, rechecks: list[TrackedOrder]) -> bool:
        """The venue showed less than we booked: again after 2 s, and what stays is HALTED."""
        if not rechecks:
            return True
        await asyncio.sleep(RECHECK_S)
        is_agreed = True
        for order in rechecks:
            remote = await self._settler.ask(order)
            local = order.local
            is_less = (local, remote) in _SHOWS_LESS or (
                order.end is not None and order.end.lots < order.booked.lots
            )
            if remote is Remote.QUERY_FAILED or is_less:
                is_agreed = False
            if is_less:
                self.halt(
                    order.name,
                    f"order {order.name} is {remote.value.replace('_', ' ')} by the venue's word, and "
                    f"{order.booked.lots} of its {order.size} lots are filled by our record",
                )
        return is_agreed

    def _twice(self, judged: dict[str, Judgement]) -> None:
        seen = {name: each.decision for name, each in judged.items() if each.decision in _DISAGREEMENTS}
        for name, decision in seen.items():
            if self._seen_before.get(name) is decision and judged[name].local is not Local.CANCEL_SENT:
                self.halt(
                    name, f"order {name} is live at the venue and must not be; its cancel has no effect"
                )
        self._seen_before = seen

    def _is_settled(self, judged: dict[str, Judgement]) -> bool:
        decisions = {each.decision for each in judged.values()}
        return not (
            self._orders.doubted
            or self._orders.executions.is_waiting
            or any(order.is_fetching for order in self._orders.tracker)
            or decisions & (_DISAGREEMENTS | {Decision.CONTRADICTION, Decision.WAIT})
        )

    def halt(self, what: str, reason: str) -> None:
        """HALTED until a person has looked; said again once a minute while it lasts."""
        now = self._clock.monotonic_ns()
        told = self._latched_ns.get(what)
        if told is None or now - told >= _LATCH_AGAIN_NS:
            self._latched_ns[what] = now
            self._outbox.restrain(RECONCILE, Restraint.LATCHED, reason, "a person has compared both")


_SHOWS_LESS: Final = frozenset(
    (local, remote) for local in Local for remote in Remote if decide(local, remote) is Decision.RECHECK
)
