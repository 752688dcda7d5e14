"""What the Trader is told of an order's beginning and end: each once, the end after the last fill."""

from __future__ import annotations

from engine.core.order import OrderState
from engine.exchange.live.outbox import Outbox
from engine.exchange.live.outcomes import Judged
from engine.exchange.live.rejects import RejectStorms
from engine.exchange.live.standing import EXPIRED, FAILED
from engine.exchange.live.tracking import Phase, TrackedOrder, Tracker
from engine.exchange.protocol import OwnRecord


class Telling:
    """Puts acknowledgements and ends into the outbox. Of an order that the record does not have only fills
    are told.
    """

    def __init__(self, record: OwnRecord, outbox: Outbox, tracker: Tracker, storms: RejectStorms) -> None:
        self._record = record
        self._outbox = outbox
        self._tracker = tracker
        self._storms = storms

    def accepted(self, order: TrackedOrder) -> None:
        """It exists: told once, and again where it had been doubted."""
        own = self._record.order(order.client_id)
        is_doubted = order.phase is Phase.DOUBTED or (own is not None and own.state is OrderState.UNCERTAIN)
        is_news = not order.was_accepted or is_doubted
        order.was_accepted = True
        order.phase = Phase.KNOWN
        order.queries = 0
        if is_news and not order.is_absent:
            self._outbox.accepted(order.client_id, order.venue_id)

    def rejected(self, order: TrackedOrder, judged: Judged) -> None:
        """It does not exist and never will."""
        self._end(order)
        self._outbox.rejected(order.client_id, judged.code, judged.reason)
        if judged.is_refusal:
            self._storms.note(judged.code, judged.reason)

    def finished(self, order: TrackedOrder) -> None:
        """The venue may have told its end, and its fills may be booked: where both are, it is told."""
        end = order.end
        if end is None or order.is_told or order.booked.lots < max(end.lots, order.target):
            return
        self._end(order)
        remaining = max(0, order.size - order.booked.lots)
        if order.is_absent or (order.booked.lots and not remaining):
            return  # the last fill was its end
        reason = end.reason or end.status.lower()
        if end.status in FAILED and not order.booked.lots:
            self._storms.note(end.status, reason)
            self._outbox.rejected(order.client_id, end.status, reason)
        elif end.status == EXPIRED:
            self._outbox.expired(order.client_id, remaining, reason)
        else:
            self._outbox.cancelled(order.client_id, remaining, reason)

    def _end(self, order: TrackedOrder) -> None:
        order.phase = Phase.KNOWN
        order.is_told = True
        self._tracker.ended(order)
