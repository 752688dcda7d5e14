"""Agreement with the venue: at the start, after each reconnect of the user channel, every few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from engine.core.clock import Clock
from engine.core.events import Restraint
from engine.core.instrument import Instrument
from engine.exchange.coinbase.broker import BrokerError
from engine.exchange.live.halts import RECONCILE, Halts
from engine.exchange.live.history import History
from engine.exchange.live.listing import Listing, Listings
from engine.exchange.live.matrix import Decision, Judgement, Local, decide
from engine.exchange.live.orders import LiveOrders
from engine.exchange.live.outbox import Outbox
from engine.exchange.live.rechecks import Rechecks
from engine.exchange.live.settle import Settler
from engine.exchange.live.standing import Remote
from engine.exchange.live.tracking import TrackedOrder
from engine.exchange.protocol import OwnRecord

_RETRY_S: Final = 1.0
_WELL_NS: Final = 3_000_000_000
_OVERLAP_NS: Final = 60_000_000_000
"""Executions are looked for again from so long before the last look, as the venue's list lags."""
_DISAGREEMENTS: Final = frozenset({Decision.ORPHAN, Decision.CANCEL})
"""Decisions that must not come twice in a row for the same order."""
_OPEN: Final = _DISAGREEMENTS | {Decision.CONTRADICTION, Decision.WAIT, Decision.RECHECK}


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
    """Compares every order on both sides; what follows is the matrix's.

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
        rechecks: Rechecks,
        halts: Halts,
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
        self._rechecks = rechecks
        self._halts = halts
        self._user_epoch = user_epoch
        self._on_report = on_report
        self._fills_since_ns = clock.wall_ns()
        self._seen_before: dict[str, Decision] = {}
        self._well_since_ns: int | None = 0
        """Since when the venue answers every question; None while it does not."""

    def look_back_to(self, wall_ns: int) -> None:
        """Executions since then may be missing in the record."""
        self._fills_since_ns = wall_ns

    def lock(self, reason: str, restraint: Restraint = Restraint.PAUSED) -> None:
        """Our record may not be the venue's: nothing is quoted until it has been compared."""
        self.is_locked = True
        self._outbox.restrain(
            RECONCILE, restraint, reason, "a comparison with the venue has left nothing open"
        )

    def lose(self, reason: str) -> None:
        """The venue is not reached: no order must leave, and it has to be well for a while."""
        self.is_blind = True
        self._well_since_ns = None
        if not self.is_locked:
            self.lock(f"the venue is not reached: {reason}")

    async def reconcile(self, cause: str, *, with_history: bool) -> ReconcileReport:
        """One round. `with_history`: executions since the last such round, too."""
        began, epoch = self._clock.wall_ns(), self._user_epoch()
        for own in self._record.open_orders():
            self._orders.by_client(own.client_id)
        judged = self._orders.judged = {}
        failure, listing = "", None
        imported: list[TrackedOrder] = []
        try:
            listing = await self._listed()
            self.is_blind = False
            for report in listing.orders:
                self._orders.observe(report, listing.began_ns)
            self._orders.strangers_listed([report.order_id for report in listing.orders])
            unnamed = await self._judge_unlisted(listing, self._orders.tracker.live, judged)
            if with_history:
                looked = await self._history.look(self._fills_since_ns)
                imported = self._history.import_missing(looked)
                self._fills_since_ns = max(self._fills_since_ns, began - _OVERLAP_NS)
            await self._judge_unlisted(listing, unnamed, judged, is_last=True)
        except BrokerError as error:
            failure = str(error)
            self._well_since_ns = None
            if listing is None:
                self._judge_unanswered(failure, judged)
        self._orders.judged = None
        if self._orders.doubted:
            self._orders.on_doubt()
        self._twice(judged)
        is_clean = not failure and self._is_settled(judged)
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
        if not failure and self._well_since_ns is None:
            self._well_since_ns = self._clock.monotonic_ns()
        if (
            is_clean
            and self._is_well()
            and self.is_locked
            and epoch is not None
            and epoch == self._user_epoch()
        ):
            self.is_locked = False
            self._outbox.restrain(RECONCILE, Restraint.NONE, "our record agrees with the venue's word")
        return report_

    def _is_well(self) -> bool:
        """After a failure the venue must have answered everything for 3 s."""
        since = self._well_since_ns
        return since is not None and (not since or self._clock.monotonic_ns() - since >= _WELL_NS)

    async def _listed(self) -> Listing:
        try:
            return await self._listings.take()
        except BrokerError:
            await asyncio.sleep(_RETRY_S)
            return await self._listings.take()

    async def _judge_unlisted(
        self,
        listing: Listing,
        orders: Sequence[TrackedOrder],
        judged: dict[str, Judgement],
        *,
        is_last: bool = False,
    ) -> list[TrackedOrder]:
        """Orders that should be in the list and are not: asked for one by one before that is believed.

        Those that the venue cannot be asked for are returned, unless it `is_last`: the list of executions
        may give them a name.
        """
        listed = {report.order_id for report in listing.orders}
        unnamed = []
        for order in orders:
            if order.venue_id in listed or order.is_in_flight or not order.is_live:
                continue
            if order.touched_ns >= listing.began_ns:
                continue  # the list may be older than what we know
            if not is_last and not self._orders.cancels.can_name(order):
                unnamed.append(order)
                continue
            local = order.local
            remote = await self._settler.ask(order)
            if remote not in (Remote.NOT_FOUND, Remote.QUERY_FAILED) or not order.is_live:
                continue  # judged by the answer, or ended by another word meanwhile
            decision = decide(local, remote)
            judged[order.name] = Judgement(order.name, local, remote, decision)
            if decision is Decision.QUERY:
                self._settler.not_found(order, "neither the venue's list nor a question for it has it")
            elif decision is Decision.WAIT:
                self._orders.doubt(order, "the venue does not answer what became of it")
        return unnamed

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

    def _twice(self, judged: dict[str, Judgement]) -> None:
        seen = {
            name: each.decision
            for name, each in judged.items()
            if each.decision in _DISAGREEMENTS and each.local is not Local.CANCEL_SENT
        }
        for name, decision in seen.items():
            if self._seen_before.get(name) is decision:
                self._halts.halt(
                    name, f"order {name} is live at the venue and must not be; its cancel has no effect"
                )
        self._seen_before = seen

    def _is_settled(self, judged: dict[str, Judgement]) -> bool:
        return not (
            self._orders.doubted
            or self._rechecks.is_under_way
            or self._orders.executions.is_waiting
            or any(order.is_fetching for order in self._orders.tracker)
            or any(each.decision in _OPEN for each in judged.values())
        )
