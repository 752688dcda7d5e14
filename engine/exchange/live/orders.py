"""Our orders at the venue: every word of it about them comes here, from wherever, in any order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from typing import Final

from engine.core.clock import Clock
from engine.core.errors import InstrumentError
from engine.core.events import NEVER_ARRIVED, NOT_SENT, SubmitOrder
from engine.core.instrument import Instrument
from engine.core.own_orders import OwnOrder
from engine.exchange.coinbase.broker import Broker, CancelAnswer, Outcome, SubmitAnswer
from engine.exchange.coinbase.wire.user import OrderReport, UserMatch
from engine.exchange.live.booking import Booking
from engine.exchange.live.cancels import Cancels
from engine.exchange.live.executions import Executions
from engine.exchange.live.halts import Halts
from engine.exchange.live.matrix import Decision, Judgement, Local, decide
from engine.exchange.live.order_fills import Figures
from engine.exchange.live.outbox import Outbox
from engine.exchange.live.outcomes import Judged, Verdict, judge
from engine.exchange.live.rejects import RejectStorms
from engine.exchange.live.standing import LIVE, Remote, standing
from engine.exchange.live.tasks import Tasks
from engine.exchange.live.telling import Telling
from engine.exchange.live.tracking import End, Phase, TrackedOrder, Tracker
from engine.exchange.protocol import OwnRecord

_EARLY_MATCHES_KEPT: Final = 1_000
_STRANGERS_KEPT: Final = 1_000


class LiveOrders:
    """Adopts, books, ends and cancels by the venue's evidence, and tells the Trader through the outbox.

    `warn` tells people of what is no order event. Everything is idempotent: the same word twice, an older
    word after a newer one and a word after the end change nothing.
    """

    def __init__(
        self,
        instrument: Instrument,
        broker: Broker,
        record: OwnRecord,
        clock: Clock,
        outbox: Outbox,
        tasks: Tasks,
        storms: RejectStorms,
        halts: Halts,
        warn: Callable[[str, str], None],
        on_leave: Callable[[], None],
        opened_ns: int = 0,
    ) -> None:
        self.tracker = Tracker()
        self._telling = Telling(record, outbox, self.tracker, storms)
        self.booking = Booking(instrument, record, outbox, opened_ns)
        self.executions = Executions(
            instrument, broker, clock, outbox, tasks, self.booking, self._telling.finished
        )
        self.cancels = Cancels(broker, instrument.symbol, tasks, on_leave, self._cancel_answered)
        self.on_doubt: Callable[[], None] = lambda: None
        """Called when an order has become uncertain: somebody must ask the venue."""
        self.on_less: Callable[[TrackedOrder], None] = lambda _: None
        """Called for an order of which the venue shows less than we booked."""
        self.on_overlap: Callable[[TrackedOrder], None] = lambda _: None
        """Called for an order of which an execution was told that may have been booked before."""
        self.judged: dict[str, Judgement] | None = None
        """While a comparison is under way: by name, what each listed order led to first."""
        self.on_unsettled: Callable[[TrackedOrder, Outcome], None] = lambda _order, _outcome: None
        """Called for an order whose cancel was answered: the venue must be asked what became of it."""
        self.strangers: dict[str, OrderReport] = {}
        """Live orders of other front ends, by the venue's id: shown, never touched."""
        self._instrument = instrument
        self._record = record
        self._clock = clock
        self._outbox = outbox
        self._halts = halts
        self._warn = warn
        self._is_user_up = False
        self._early: deque[UserMatch] = deque(maxlen=_EARLY_MATCHES_KEPT)

    # -- our own commands ------------------------------------------------------------------------

    def submitting(self, command: SubmitOrder) -> TrackedOrder:
        """An order is about to be sent."""
        order = TrackedOrder.submitted(command, self._clock.monotonic_ns())
        order.is_whole = self._is_user_up
        self.tracker.add(order)
        return order

    def not_sent(self, order: TrackedOrder, reason: str) -> None:
        """It never left."""
        if order.phase is Phase.QUEUED:
            self._telling.rejected(order, Judged(Verdict.REJECTED, NOT_SENT, reason))

    def answered(self, order: TrackedOrder, answer: SubmitAnswer) -> None:
        """The submit was answered, or will not be. What the user channel told meanwhile counts for more."""
        order.touched_ns = self._clock.monotonic_ns()
        judged = judge(answer)
        if judged.verdict is Verdict.EXISTS:
            self._name(order, answer.order_id)
            if order.end is None:
                self._telling.accepted(order)
            self._cancel_if_asked(order)
        elif order.phase is not Phase.SENT:
            return
        elif judged.verdict is Verdict.REJECTED:
            self._telling.rejected(order, judged)
        else:
            self.doubt(order, judged.reason)

    def doubt(self, order: TrackedOrder, reason: str) -> None:
        """Only the venue knows: the order is UNCERTAIN until it tells."""
        if not order.is_live or order.phase is Phase.DOUBTED:
            return
        order.phase = Phase.DOUBTED
        order.queries = 0
        self._outbox.uncertain(order.client_id, reason)
        self._cancel_if_asked(order)
        self.on_doubt()

    def cancel(self, order: TrackedOrder) -> None:
        """Cancel it, as soon as the venue can be told which one is meant."""
        order.cancel_asked = True
        if order.phase is Phase.QUEUED:
            self.not_sent(order, "cancelled before it was sent")
        else:
            self._cancel_if_asked(order)

    # -- the venue's word ------------------------------------------------------------------------

    def find(self, report: OrderReport) -> TrackedOrder | None:
        """The order that a report speaks of; None for a stranger's."""
        order = self.tracker.by_venue(report.order_id)
        if order is None and report.client_order_id:
            order = self.by_client(report.client_order_id)
        if order is None and self._record.is_ours(report.client_order_id):
            order = self._orphan(report)
            self.tracker.add(order)
        return order

    def by_client(self, client_id: str) -> TrackedOrder | None:
        """An order by our id: one that is tracked, or one of the record that may be at the venue."""
        order = self.tracker.by_client(client_id)
        own = None if order is not None else self._record.order(client_id)
        if own is not None and not _has_not_left(own):
            order = TrackedOrder.recorded(own, self._clock.monotonic_ns())
            self.tracker.add(order)
            if order.is_told:
                self.tracker.ended(order)
        return order

    def observe(self, report: OrderReport, asked_ns: int | None = None) -> TrackedOrder | None:
        """Take in a report; the order it speaks of, None for a stranger's.

        `asked_ns`: it is the answer to a question of then, so a live order was live since, whatever we
        believed; None where the venue told it by itself.
        """
        if report.product != self._instrument.symbol:
            return None
        try:
            order = self.find(report)
            if order is None:
                self._stranger(report)
                return None
            self._observe(order, report, asked_ns)
        except InstrumentError as error:
            name = report.client_order_id or report.order_id
            self._halts.halt(name, f"order {name} has figures that cannot be: {error}")
            return None
        return order

    def user_channel(self, *, is_up: bool) -> None:
        """It is up from now on, or lost: executions of the orders of before may not have been told."""
        self._is_user_up = is_up
        self._early.clear()
        for order in self.tracker.live:
            order.is_whole = False

    def on_match(self, match: UserMatch) -> None:
        """One execution of ours, by the user feed."""
        if match.product != self._instrument.symbol:
            return
        order = self.tracker.by_venue(match.order_id)
        if order is None:
            self._early.append(match)  # a fill may overtake the acknowledgement
            return
        order.touched_ns = self._clock.monotonic_ns()
        self._telling.accepted(order)
        if not self.booking.book_match(order, match):
            self.on_overlap(order)
        if order.booked.lots < order.target:
            self.executions.fetch(order)
        elif order.end is None and order.booked.lots >= order.size:
            order.end = End(Remote.FILLED, "FILLED", order.booked.lots, "")
        self._telling.finished(order)

    def gone(self, order: TrackedOrder, reason: str) -> None:
        """Complete evidence says that the venue does not have it (any more)."""
        if not order.is_live:
            return
        if order.was_accepted or order.booked.lots:
            order.end = End(Remote.NOT_FOUND, "CANCELLED", order.booked.lots, reason)
            self._telling.finished(order)
        else:
            self._telling.rejected(order, Judged(Verdict.REJECTED, NEVER_ARRIVED, reason))

    def _observe(self, order: TrackedOrder, report: OrderReport, asked_ns: int | None) -> None:
        if order.venue_id and order.venue_id != report.order_id:
            self._twin(order, report)
            return
        where, local = standing(report, order.size, self._instrument), order.local
        lots = self._instrument.lots(report.filled)
        decision = decide(local, where, shows_less=lots < order.booked.lots)
        may_be_old = where in LIVE and (asked_ns is None or asked_ns <= order.touched_ns)
        has_ended = order.end is not None and order.end.remote is not Remote.NOT_FOUND
        if may_be_old and (has_ended or decision is Decision.RECHECK):
            return  # overtaken by the end, by the venue's own word, or by a fill
        order.touched_ns = self._clock.monotonic_ns()
        order.shown = lots
        if asked_ns is not None:
            self._judge(Judgement(order.name, local, where, decision))
        if decision is Decision.RECHECK:
            self.on_less(order)
            return
        if decision is Decision.CONTRADICTION:
            self._halts.halt(
                order.name,
                f"the venue has order {order.client_id}, which was never sent: another program uses our ids",
            )
            self.doubt(order, "the venue has it though it was never sent")
        self._name(order, report.order_id)
        if where in LIVE or report.filled:
            self._telling.accepted(order)
        if not self.booking.book_report(order, report):
            self.executions.fetch(order)
        elif where in LIVE and where is not Remote.PENDING:
            order.rested = True
        if where in LIVE:
            if not order.is_live or order.is_absent:
                self._unwanted(order)
            else:
                self._cancel_if_asked(order)
        elif order.end is None:
            reason = report.reject_reason or report.cancel_reason
            order.end = End(where, report.status, lots, reason)
            self._telling.finished(order)

    def _judge(self, judgement: Judgement) -> None:
        if self.judged is not None:
            self.judged.setdefault(judgement.order, judgement)

    def _name(self, order: TrackedOrder, venue_id: str) -> None:
        if order.venue_id:
            return
        self.tracker.name(order, venue_id)
        early = [match for match in self._early if match.order_id == venue_id]
        for match in early:
            self._early.remove(match)
            self.on_match(match)

    # -- what should not be there ----------------------------------------------------------------

    def _twin(self, order: TrackedOrder, report: OrderReport) -> None:
        """The venue has two orders under one id of ours: the second one is cancelled, its fills booked."""
        self._halts.halt(
            order.name,
            f"the venue has order {order.client_id} twice, as {order.venue_id} and {report.order_id}",
        )
        twin = self._orphan(report)
        self.tracker.add_twin(twin, report.order_id)
        self._observe(twin, report, None)

    def _orphan(self, report: OrderReport) -> TrackedOrder:
        size = self._instrument.lots(report.filled + report.remaining)
        order = TrackedOrder(
            report.client_order_id, report.side, size, Phase.KNOWN, self._clock.monotonic_ns()
        )
        order.is_absent = True
        order.booked = Figures(0, None, None)
        order.is_post_only = report.post_only
        return order

    def _unwanted(self, order: TrackedOrder) -> None:
        """It lives at the venue and must not."""
        if not order.cancel_sent and order.is_absent:
            self._warn(
                "ORPHAN",
                f"the venue has order {order.client_id} ({order.venue_id}), ours by its id and not on "
                "record: its fills are booked and it is cancelled",
            )
        elif not order.cancel_sent:
            self._warn(
                "REVIVED",
                f"the venue has order {order.client_id} ({order.venue_id}) live, which had ended by our "
                "record: it is cancelled",
            )
        order.cancel_asked = True
        self.cancels.ask(order)

    def _stranger(self, report: OrderReport) -> None:
        where = standing(report, 0, self._instrument)
        if where in LIVE:
            self.strangers[report.order_id] = report
            decision = decide(Local.ABSENT, where, is_ours=False)
            name = report.client_order_id or report.order_id
            self._judge(Judgement(name, Local.ABSENT, where, decision))
            if len(self.strangers) > _STRANGERS_KEPT:
                del self.strangers[next(iter(self.strangers))]
        else:
            self.strangers.pop(report.order_id, None)

    def strangers_listed(self, venue_ids: Collection[str]) -> None:
        """A complete list had these orders: strangers that are not among them have ended."""
        for venue_id in self.strangers.keys() - set(venue_ids):
            del self.strangers[venue_id]

    # -- cancels ---------------------------------------------------------------------------------

    def _cancel_if_asked(self, order: TrackedOrder) -> None:
        if order.cancel_asked and order.end is None and self.cancels.can_name(order):
            self.cancels.ask(order)

    def _cancel_answered(self, order: TrackedOrder, answer: CancelAnswer) -> None:
        if order.end is not None:
            return
        if answer.outcome is Outcome.REFUSED and not order.is_absent and not order.is_told:
            self._outbox.cancel_rejected(order.client_id, answer.code or "REFUSED", answer.reason)
        self.on_unsettled(order, answer.outcome)

    @property
    def doubted(self) -> list[TrackedOrder]:
        """Orders that only the venue knows of."""
        return [order for order in self.tracker.live if order.phase is Phase.DOUBTED and order.is_live]


def _has_not_left(own: OwnOrder) -> bool:
    """True for one that this edge was not handed: it waits to be on record, or was called back before.

    Orders of before a restart are uncertain from the first moment on.
    """
    return own.ended_ns is None and own.accepted_ns is None and own.uncertain_ns is None
