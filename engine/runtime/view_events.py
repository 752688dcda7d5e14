"""From what the engine shows its observers to the events a console is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Concatenate, ParamSpec, Protocol

from engine.core.events import Alert, OrderFilled
from engine.core.order import OrderState
from engine.core.own_orders import OwnOrder
from engine.link.events import AnyEngineEvent, Filled, Notice, OrderEnded
from engine.runtime.desk import Desk
from engine.runtime.observers import WakeUp

P = ParamSpec("P")

_time = itemgetter(0)


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
        if not (wake.fills or wake.ended):
            return
        news: list[tuple[int, Callable[[], None]]] = [
            (fill.recv_ns, partial(self._tell_fill, fill, position)) for fill, position, _ in wake.fills
        ]
        # Orders are seen as they stand after the wake-up: an end is told after even a late fill.
        filled_ns = {fill.client_id: fill.recv_ns for fill, *_ in wake.fills}
        last = wake.events[-1]
        for order in wake.ended:
            assert order.ended_ns is not None
            at_ns = max(order.ended_ns, filled_ns.get(order.client_id, 0))
            at_wall_ns = at_ns + last.wall_ns - last.recv_ns
            news.append((at_ns, partial(self._tell_end, order, desk.product, at_ns, at_wall_ns)))
        news.sort(key=_time)  # stable: fills before ends
        for _, tell in news:
            tell()

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

    def _tell_end(self, order: OwnOrder, product: str, at_ns: int, at_wall_ns: int) -> None:
        # Of a cancel we asked for, our reason says more than the venue's word that we asked.
        is_asked = order.state is OrderState.CANCELLED and order.cancel_reason
        self._publish(
            OrderEnded,
            at_wall_ns,
            at_ns,
            product,
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
