"""From what the engine shows its observers to the events a console is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Concatenate, Final, ParamSpec, Protocol

from engine.core.events import (
    Alert,
    AnyEvent,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
)
from engine.core.order import OrderState
from engine.core.own_orders import OwnOrder
from engine.link.events import AnyEngineEvent, Filled, Notice, OrderEnded
from engine.runtime.desk import Desk
from engine.runtime.engine import WakeUp

P = ParamSpec("P")

_ANSWERS: Final = (OrderFilled, OrderCancelled, OrderExpired, OrderRejected)
"""What can end an order."""


class Publish(Protocol):
    """Takes an event as its type and its fields without the number, and numbers it."""

    def __call__(
        self, event: Callable[Concatenate[int, P], AnyEngineEvent], *args: P.args, **kwargs: P.kwargs
    ) -> object:
        """Tell it."""
        ...


class EventTeller:
    """Tells of fills, ended orders and alerts, each once and in the order they happened. See `Observer`."""

    __slots__ = ("_publish",)

    def __init__(self, publish: Publish) -> None:
        self._publish = publish

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        """See `Observer`."""
        if not (wake.positions or wake.ended):
            return
        positions = dict(wake.positions)
        ended = {order.client_id: order for order in wake.ended}
        answers = [event for event in wake.events if isinstance(event, _ANSWERS)]
        # Orders are seen as they stand after the wake-up: an end is told with the last word on its order.
        last = {event.client_id: event for event in answers}
        for event in answers:
            if isinstance(event, OrderFilled):
                position = positions.pop(event.fill_id, None)
                if position is not None:
                    self._tell_fill(event, position)
            if last[event.client_id] is event and event.client_id in ended:
                self._tell_end(ended.pop(event.client_id), event)
        for order in ended.values():  # by a wake-up that failed half way and was not shown
            self._tell_end(order, wake.events[-1])

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None:
        """See `Observer`."""
        for alert in alerts:
            self._publish(
                Notice,
                alert.wall_ns,
                alert.recv_ns,
                alert.product,
                alert.severity.value,
                alert.code,
                alert.text,
            )

    def on_status(self, now_ns: int) -> None:
        """See `Observer`: the view tells the state, not this."""

    def _tell_fill(self, fill: OrderFilled, position: int) -> None:
        self._publish(
            Filled,
            fill.wall_ns,
            fill.recv_ns,
            fill.product,
            fill.client_id,
            fill.fill_id,
            int(fill.side),
            fill.price,
            fill.size,
            fill.fee,
            fill.fee_asset,
            fill.is_maker,
            position,
            "" if fill.evidence is None else fill.evidence.reason,
        )

    def _tell_end(self, order: OwnOrder, event: AnyEvent) -> None:
        # Of a cancel we asked for, our reason says more than the venue's word that we asked.
        is_asked = order.state is OrderState.CANCELLED and order.cancel_reason
        self._publish(
            OrderEnded,
            event.wall_ns,
            event.recv_ns,
            event.product,
            order.client_id,
            order.venue_order_id,
            order.slot,
            order.command.purpose,
            int(order.side),
            order.price,
            order.size,
            order.filled,
            order.state.value,
            order.cancel_reason if is_asked else order.end_reason,
            order.sent_ns,
        )
