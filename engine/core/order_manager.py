"""The order manager: what we sent, what the venue proved of it, and what to change.

Answers arrive late, twice, out of order or never; see `OrderManager.on_event` for what each means.
Nothing is believed to have ended without the venue's evidence.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

import msgspec

from engine.core.client_ids import ClientIds
from engine.core.errors import OrderError
from engine.core.events import (
    Alert,
    CancelOrder,
    CancelRejected,
    OrderAccepted,
    OrderCancelled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUncertain,
    Severity,
    SubmitOrder,
)
from engine.core.fill_ids import FillIds, FillIdsState
from engine.core.instrument import Instrument
from engine.core.order import BUY, OrderState, Side, TimeInForce, check_transition
from engine.core.own_orders import Explain, OwnOrder, OwnOrders, OwnOrderState, Reasons, unexplained

ENDED_ORDERS_KEPT: Final = 1_000
"""Ended orders remembered, for late answers."""

_MS: Final = 1_000_000
_NEVER: Final = 1 << 63
_LONG_AGO: Final = -(1 << 62)
# Looking a member up on an enum class costs more than most of what is done here.
_NEW: Final = OrderState.NEW
_PARTIALLY_FILLED: Final = OrderState.PARTIALLY_FILLED
_PENDING_CANCEL: Final = OrderState.PENDING_CANCEL
_UNCERTAIN: Final = OrderState.UNCERTAIN


@dataclass(frozen=True, slots=True)
class RefreshPolicy:
    """When a working order is left alone, replaced, or doubted. Times in nanoseconds."""

    reprice_tolerance_ticks: int = 0
    """A price this close to the wanted one is near enough."""
    min_quote_life_ns: int = 0
    """A younger order is not replaced."""
    max_order_age_ns: int = 5_000 * _MS
    """An order of this age is replaced (`order_timeout_ms`)."""
    wait_cancel_ack: bool = True
    """Whether a slot stays taken until the venue proves the cancel."""
    cancel_retry_ns: int = 100 * _MS
    """An unproven cancel is sent again after this long, then after twice as long, and so on."""
    post_fill_pause_ns: int = 0
    """After a fill of a quote nothing new is quoted on its side for this long."""
    ack_timeout_ns: int = 2_000 * _MS
    """An order unanswered for longer is UNCERTAIN (R21)."""
    unresolved_limit_ns: int = 60_000 * _MS
    """An order uncertain, or a cancel unproven, for this long stops trading (R21)."""


class WantedQuote(Protocol):
    """What the manager reads of a strategy's quote: a passive limit order wanted in a slot."""

    @property
    def slot(self) -> str: ...
    @property
    def side(self) -> Side: ...
    @property
    def price(self) -> int: ...
    @property
    def size(self) -> int: ...


QuoteT = TypeVar("QuoteT", bound=WantedQuote)


class OrderUpdate(msgspec.Struct, frozen=True, gc=False):
    """What an order event meant."""

    order: OwnOrder | None
    """The order it speaks of; None when we do not know the id."""
    fill: OrderFilled | None = None
    """The fill to be booked, exactly once; None when there is none or it was booked before."""
    is_duplicate: bool = False
    """The fill had been booked before."""
    is_late: bool = False
    """The fill came after the order's end."""
    must_halt: bool = False
    """The venue and our record contradict each other (an overfill, a fill on the wrong side)."""
    alerts: tuple[Alert, ...] = ()


class TimeUpdate(msgspec.Struct, frozen=True, gc=False):
    """What the passing of time asks for."""

    cancels: tuple[CancelOrder, ...] = ()
    """Cancels to be sent again."""
    must_halt: bool = False
    """An order stayed unknown beyond the limit."""
    alerts: tuple[Alert, ...] = ()


class OrderManagerState(msgspec.Struct, frozen=True):
    """Our orders as they stood, and what is known of older ones. Times in engine nanoseconds."""

    id_sequence: int
    live: tuple[OwnOrderState, ...]
    """In the order they were sent."""
    slots: dict[str, str]
    """The client id of the order that occupies each slot."""
    ended: tuple[OwnOrderState, ...]
    missing: dict[str, tuple[int, int]]
    fills: FillIdsState
    ended_count: int
    buys_paused_ns: int
    sells_paused_ns: int
    check_ns: int


NOTHING_DUE: Final = TimeUpdate()
"""What most moments ask for."""
_ENDS: Final = {OrderCancelled: OrderState.CANCELLED, OrderExpired: OrderState.EXPIRED}


class OrderManager:
    """Our orders at one product.

    The way of an order: `diff` names the quotes to be placed, `intent` gives such a quote the shape of
    an order, the risk gate judges that very order, `submit` records it as sent. `own` holds the live
    orders and their totals.
    """

    def __init__(self, instrument: Instrument, ids: ClientIds, policy: RefreshPolicy) -> None:
        self.policy = policy
        self.own = OwnOrders()
        self._product = instrument.symbol
        self._ids = ids
        self._known: dict[str, OwnOrder] = {}
        self._missing: dict[str, tuple[int, int]] = {}
        """Ended orders whose fills do not add up: lots that are missing, and when the order ended."""
        self._ended: deque[OwnOrder] = deque()
        self._ended_now: list[OwnOrder] = []
        self._fills = FillIds()
        self._ended_count = 0
        self._buys_paused_ns = _LONG_AGO
        self._sells_paused_ns = _LONG_AGO
        self._check_ns = _NEVER

    def configure(self, policy: RefreshPolicy) -> None:
        """Another policy from now on; a pause after a fill that has begun ends by the new one, too."""
        difference = policy.post_fill_pause_ns - self.policy.post_fill_pause_ns
        self._buys_paused_ns += difference
        self._sells_paused_ns += difference
        self.policy = policy

    # -- what to change --------------------------------------------------------------------------

    def diff(
        self,
        quotes: Sequence[QuoteT],
        now_ns: int,
        best_bid: int | None = None,
        best_ask: int | None = None,
    ) -> tuple[list[CancelOrder], list[QuoteT]]:
        """Wanted against working: cancels to be sent, and quotes to be placed if the risk gate agrees.

        A working order stays while its price is within the tolerance, its size equal within a lot, and
        its age below the limit; it is not replaced before its minimum life. Orders that are no longer
        wanted, and those at or beyond the post-only bound of the displayed touch, go at once. An order
        that is unanswered, uncertain or being cancelled blocks its slot.
        """
        cancels: list[CancelOrder] = []
        places: list[QuoteT] = []
        policy = self.policy
        tolerance = policy.reprice_tolerance_ticks
        by_slot = self.own.by_slot
        may_buy, may_sell = now_ns >= self._buys_paused_ns, now_ns >= self._sells_paused_ns
        taken, matched = len(by_slot), 0
        for quote in quotes:
            order = by_slot.get(quote.slot)
            if order is None:
                if may_buy if quote.side is BUY else may_sell:
                    places.append(quote)
                continue
            matched += 1
            if order.cancel_asked_ns is not None:
                continue
            price = order.price
            if order.side is BUY:
                is_safe = best_ask is None or price < best_ask
            else:
                is_safe = best_bid is None or price > best_bid
            age = now_ns - order.sent_ns
            if order.state is not _NEW and order.state is not _PARTIALLY_FILLED:
                # Unanswered. Only where it would do harm is it called back; that brings evidence, too.
                if not is_safe:
                    cancels.append(self.cancel(order, now_ns, "unsafe"))
                continue
            if is_safe and (
                age < policy.min_quote_life_ns
                or (
                    -tolerance <= price - quote.price <= tolerance
                    and -1 <= order.remaining - quote.size <= 1
                    and age < policy.max_order_age_ns
                )
            ):
                continue
            cancels.append(self.cancel(order, now_ns, "replace"))
            if not policy.wait_cancel_ack and (may_buy if quote.side is BUY else may_sell):
                places.append(quote)
        if matched < taken:
            wanted = {quote.slot for quote in quotes}
            unwanted = [o for o in by_slot.values() if o.slot not in wanted and o.command.purpose == "quote"]
            cancels += [self.cancel(o, now_ns, "not wanted") for o in unwanted if o.cancel_asked_ns is None]
        return cancels, places

    def intent(self, quote: WantedQuote, now_ns: int) -> SubmitOrder:
        """A quote in the shape of an order, under a fresh id, for the risk gate. Nothing is recorded."""
        return SubmitOrder(
            self._product,
            now_ns,
            self._ids.next(),
            quote.side,
            quote.size,
            quote.price,
            post_only=True,
            slot=quote.slot,
        )

    def take_intent(
        self, side: Side, price: int, size: int, purpose: str, now_ns: int, *, reduce_only: bool
    ) -> SubmitOrder:
        """A taking order (IOC limit) for the risk gate; its slot is its purpose: one at a time."""
        return SubmitOrder(
            self._product,
            now_ns,
            self._ids.next(),
            side,
            size,
            price,
            time_in_force=TimeInForce.IOC,
            reduce_only=reduce_only,
            slot=purpose,
            purpose=purpose,
        )

    def submit(
        self, intent: SubmitOrder, explain: Explain = unexplained, explain_size: Explain = unexplained
    ) -> SubmitOrder:
        """Record an approved intent as sent, with who can explain its price and size; the command.

        Raises `OrderError` when the id was used before or the slot is taken.
        """
        if intent.client_id in self._known:
            raise OrderError(f"client id {intent.client_id} was used before; an id never serves two intents")
        order = OwnOrder(intent, explain, explain_size)
        self.own.add(order)
        self._known[order.client_id] = order
        self._look_again(order.sent_ns + self.policy.ack_timeout_ns + 1)
        return intent

    def cancel_all(self, now_ns: int, reason: str) -> list[CancelOrder]:
        """Cancels for every live order, those asked for before included; their retries start anew."""
        return [self.cancel(order, now_ns, reason) for order in list(self.own.by_id.values())]

    def cancel(self, order: OwnOrder, now_ns: int, reason: str) -> CancelOrder:
        """A cancel for one live order; its retries start anew. An uncertain order stays uncertain."""
        if order.cancel_asked_ns is None:
            order.cancel_asked_ns = now_ns
        if order.state is not _UNCERTAIN:
            self._move(order, _PENDING_CANCEL)
            if not self.policy.wait_cancel_ack:
                self.own.free_slot(order)
        order.cancel_reason = reason
        order.cancel_interval_ns = self.policy.cancel_retry_ns
        return self._send_cancel(order, now_ns)

    def _send_cancel(self, order: OwnOrder, now_ns: int) -> CancelOrder:
        order.cancel_due_ns = now_ns + order.cancel_interval_ns
        order.cancel_interval_ns *= 2
        self._look_again(order.cancel_due_ns)
        return CancelOrder(self._product, now_ns, order.client_id, order.venue_order_id, order.cancel_reason)

    # -- time ------------------------------------------------------------------------------------

    def on_time(self, now_ns: int, wall_ns: int) -> TimeUpdate:
        """Doubt unanswered orders and repeat unproven cancels. Costs nothing while nothing is due."""
        if now_ns < self._check_ns:
            return NOTHING_DUE
        self._check_ns = _NEVER
        policy = self.policy
        cancels: list[CancelOrder] = []
        alerts: list[Alert] = []
        must_halt = False

        def alert(severity: Severity, code: str, text: str) -> None:
            alerts.append(Alert(self._product, now_ns, wall_ns, severity, code, text))

        for order in self.own.by_id.values():
            if order.accepted_ns is None and order.uncertain_ns is None:
                answer_by = order.sent_ns + policy.ack_timeout_ns
                if now_ns > answer_by:
                    self._doubt(order, now_ns)
                    alert(
                        Severity.WARNING,
                        "UNCERTAIN",
                        f"order {order.client_id} in {order.slot} is unanswered: only the venue knows "
                        "whether it exists. Its slot is blocked and it counts as open",
                    )
                else:
                    self._look_again(answer_by + 1)
            since = order.cancel_asked_ns if order.uncertain_ns is None else order.uncertain_ns
            if since is not None and not order.is_unresolved:
                if now_ns - since >= policy.unresolved_limit_ns:
                    order.is_unresolved = must_halt = True
                    self._doubt(order, now_ns)
                    alert(
                        Severity.CRITICAL,
                        "UNRESOLVED",
                        f"order {order.client_id} in {order.slot} has no proven state after "
                        f"{(now_ns - since) // 1_000_000_000} s: trading stops; look at the venue",
                    )
                else:
                    self._look_again(since + policy.unresolved_limit_ns)
            if order.cancel_due_ns is not None:
                if now_ns >= order.cancel_due_ns:
                    cancels.append(self._send_cancel(order, now_ns))
                else:
                    self._look_again(order.cancel_due_ns)
        for client_id, (_, ended_ns) in list(self._missing.items()):
            if now_ns - ended_ns < policy.unresolved_limit_ns:
                self._look_again(ended_ns + policy.unresolved_limit_ns)
                continue
            del self._missing[client_id]
            must_halt = True
            alert(
                Severity.CRITICAL,
                "FILL_MISSING",
                f"order {client_id} ended with another size filled than our fills add up to, and nothing "
                "more came: the position is not certain; compare it with the venue",
            )
        return TimeUpdate(tuple(cancels), must_halt, tuple(alerts))

    def _look_again(self, at_ns: int) -> None:
        if at_ns < self._check_ns:
            self._check_ns = at_ns

    def _doubt(self, order: OwnOrder, now_ns: int) -> None:
        if order.state is not _UNCERTAIN:
            self._move(order, _UNCERTAIN)
            order.uncertain_ns = now_ns
            self._look_again(now_ns + self.policy.unresolved_limit_ns)

    # -- the venue's answers ---------------------------------------------------------------------

    def on_event(self, event: OrderEvent) -> OrderUpdate:
        """Take in one answer. Any order of arrival is legal.

        A fill proves that the order was accepted. A fill after the end is booked, with an alert, and
        leaves the end as it is. Fills are one by `fill_id`. A refused cancel proves nothing: the cancel
        goes on until the order's end is told. An acknowledgement makes an uncertain order certain.
        """
        order = self._known.get(event.client_id)
        if isinstance(event, OrderFilled):
            return self._filled(order, event)
        if order is None:
            return self._unknown(event)
        if isinstance(event, OrderAccepted):
            if not order.venue_order_id:
                order.venue_order_id = event.venue_order_id
            if order.state is OrderState.REJECTED:
                text = f"the venue accepted order {order.client_id} after it had rejected it"
                return OrderUpdate(order, alerts=(_alert(event, Severity.ERROR, "CONTRADICTION", text),))
            if order.ended_ns is None:
                self._confirm(order, event.recv_ns)
            return OrderUpdate(order)
        if isinstance(event, CancelRejected) or order.ended_ns is not None:
            return OrderUpdate(order)
        if isinstance(event, OrderUncertain):
            return self._uncertain(order, event)
        if isinstance(event, OrderRejected):
            if order.filled:
                self._doubt(order, event.recv_ns)
                text = f"the venue rejected order {order.client_id} after {order.filled} lots of it filled"
                return OrderUpdate(order, alerts=(_alert(event, Severity.ERROR, "CONTRADICTION", text),))
            self._end(order, OrderState.REJECTED, event.recv_ns, f"{event.code}: {event.reason}")
            return OrderUpdate(order)
        self._end(order, _ENDS[type(event)], event.recv_ns, event.reason)
        if event.remaining == order.remaining:
            return OrderUpdate(order)
        # A fill may still be under way; if it never comes, the position is not what we think.
        self._missing[order.client_id] = (order.remaining - event.remaining, event.recv_ns)
        self._look_again(event.recv_ns + self.policy.unresolved_limit_ns)
        text = (
            f"order {order.client_id} ended with {event.remaining} lots unfilled by the venue's word and "
            f"{order.remaining} by our record: a fill is missing on one side"
        )
        return OrderUpdate(order, alerts=(_alert(event, Severity.WARNING, "FILL_MISMATCH", text),))

    def _uncertain(self, order: OwnOrder, event: OrderUncertain) -> OrderUpdate:
        if order.state is _UNCERTAIN:
            return OrderUpdate(order)
        self._doubt(order, event.recv_ns)
        text = (
            f"order {order.client_id} in {order.slot}: {event.reason}. Only the venue knows whether it "
            "exists; its slot is blocked and it counts as open"
        )
        return OrderUpdate(order, alerts=(_alert(event, Severity.WARNING, "UNCERTAIN", text),))

    def _filled(self, order: OwnOrder | None, event: OrderFilled) -> OrderUpdate:
        if event.size <= 0:
            text = f"fill {event.fill_id} of {event.size} lots makes no sense; it was not booked"
            alert = _alert(event, Severity.CRITICAL, "CONTRADICTION", text)
            return OrderUpdate(order, must_halt=True, alerts=(alert,))
        if order is None and not self._ids.is_ours(event.client_id):
            return self._unknown(event)
        if not self._fills.add(event.fill_id):
            return OrderUpdate(order, is_duplicate=True)
        if event.client_id in self._missing:
            lots, ended_ns = self._missing.pop(event.client_id)
            if lots != event.size:
                self._missing[event.client_id] = (lots - event.size, ended_ns)
        if order is None:
            return OrderUpdate(None, event, alerts=self._unknown(event).alerts)
        alerts: tuple[Alert, ...] = ()
        must_halt = False
        is_late = order.ended_ns is not None
        excess = event.size - order.remaining
        if excess > 0 or event.side is not order.side:
            must_halt = True
            what = f"beyond its size by {excess} lots" if excess > 0 else "on the other side"
            text = f"the venue filled order {order.client_id} {what} (fill {event.fill_id}); it was booked"
            alerts = (_alert(event, Severity.CRITICAL, "OVERFILL" if excess > 0 else "CONTRADICTION", text),)
        elif is_late:
            ended = f"order {order.client_id} was {order.state.value}"
            text = f"fill {event.fill_id} came after {ended}; it was booked"
            alerts = (_alert(event, Severity.WARNING, "LATE_FILL", text),)
        order.filled += event.size
        lots = event.size if excess < 0 else order.remaining
        if is_late:
            order.remaining -= lots
        else:
            self.own.reduce(order, lots)
            if order.remaining:
                self._confirm(order, event.recv_ns)
            else:
                self._end(order, OrderState.FILLED, event.recv_ns, "")
        if self.policy.post_fill_pause_ns and order.command.purpose == "quote":
            until = event.recv_ns + self.policy.post_fill_pause_ns
            if order.side is BUY:
                self._buys_paused_ns = until
            else:
                self._sells_paused_ns = until
        return OrderUpdate(order, event, is_late=is_late, must_halt=must_halt, alerts=alerts)

    def _unknown(self, event: OrderEvent) -> OrderUpdate:
        whose = "ours by its id, but not on record" if self._ids.is_ours(event.client_id) else "not ours"
        text = f"{type(event).__name__} for order {event.client_id}, which is {whose}"
        return OrderUpdate(None, alerts=(_alert(event, Severity.ERROR, "UNKNOWN_ORDER", text),))

    def _confirm(self, order: OwnOrder, now_ns: int) -> None:
        """The venue has the order and it is working."""
        if order.accepted_ns is None:
            order.accepted_ns = now_ns
            self.own.show(order)
        order.uncertain_ns = None
        if order.cancel_asked_ns is not None:
            self._move(order, _PENDING_CANCEL)
        else:
            self._move(order, _PARTIALLY_FILLED if order.filled else _NEW)

    def _end(self, order: OwnOrder, state: OrderState, now_ns: int, reason: str) -> None:
        self._move(order, state)
        order.ended_ns = now_ns
        order.end_reason = reason
        self.own.remove(order)
        self._ended.append(order)
        self._ended_now.append(order)
        if len(self._ended) > ENDED_ORDERS_KEPT:
            del self._known[self._ended.popleft().client_id]
        self._ended_count += 1

    @staticmethod
    def _move(order: OwnOrder, state: OrderState) -> None:
        if order.state is not state:
            check_transition(order.state, state)
            order.state = state

    # -- reading ---------------------------------------------------------------------------------

    def order(self, client_id: str) -> OwnOrder | None:
        """A live or recently ended order."""
        return self._known.get(client_id)

    def is_ours(self, client_id: str) -> bool:
        """True for an id of this installation, whatever the session."""
        return self._ids.is_ours(client_id)

    def knows_fill(self, fill_id: str) -> bool:
        """True for a fill that was booked."""
        return fill_id in self._fills

    def open_orders(self) -> list[OwnOrder]:
        """Every order that may still trade, oldest first."""
        return list(self.own.by_id.values())

    def drain_ended(self) -> list[OwnOrder]:
        """The orders that ended since the last call, in that order, each once."""
        ended, self._ended_now = self._ended_now, []
        return ended

    # -- saving ----------------------------------------------------------------------------------

    def explanations(self) -> dict[str, Reasons]:
        """Why each live order has its price and its size, by client id."""
        return {client_id: order.reasons() for client_id, order in self.own.by_id.items()}

    def save(self) -> OrderManagerState:
        """All of it, copied; the policy is a setting."""
        own = self.own
        return OrderManagerState(
            self._ids.sequence,
            tuple([order.save() for order in own.by_id.values()]),
            {slot: order.client_id for slot, order in own.by_slot.items()},
            tuple([order.save() for order in self._ended]),
            self._missing.copy(),
            self._fills.save(),
            self._ended_count,
            max(self._buys_paused_ns, _LONG_AGO),
            max(self._sells_paused_ns, _LONG_AGO),
            self._check_ns,
        )

    def load(self, state: OrderManagerState, explanations: Mapping[str, Reasons]) -> None:
        """Hold the orders that were saved; they are explained as they were then."""
        self._ids.sequence = state.id_sequence
        live = {
            saved.command.client_id: OwnOrder.loaded(saved, explanations.get(saved.command.client_id))
            for saved in state.live
        }
        self._ended = deque(OwnOrder.loaded(saved) for saved in state.ended)
        self._known = {order.client_id: order for order in self._ended} | live
        self.own.load(live, state.slots)
        self._missing = dict(state.missing)
        self._fills.load(state.fills)
        self._ended_count = state.ended_count
        self._buys_paused_ns, self._sells_paused_ns = state.buys_paused_ns, state.sells_paused_ns
        self._check_ns = state.check_ns

    def doubt_all(self, now_ns: int) -> int:
        """Every live order is UNCERTAIN: what became of it meanwhile only the venue knows. How many are."""
        for order in self.own.by_id.values():
            self._doubt(order, now_ns)
        return len(self.own.by_id)

    @property
    def has_uncertain(self) -> bool:
        """True while the state of any live order is known to the venue alone."""
        return any(order.state is _UNCERTAIN for order in self.own.by_id.values())


def _alert(event: OrderEvent, severity: Severity, code: str, text: str) -> Alert:
    return Alert(event.product, event.recv_ns, event.wall_ns, severity, code, text)
