"""A desk on a bench: the Trader of `trader_bench`, shown to its watcher and to whoever observes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trader_bench import TraderBench, X

from engine.core.client_ids import INSTALLATION_TAG
from engine.core.events import (
    AnyCommand,
    AnyEvent,
    CancelOrder,
    MarketEvent,
    OrderEvent,
    OrderFilled,
    SubmitOrder,
)
from engine.core.order import Side
from engine.link.view import Gauge
from engine.runtime.desk import Desk
from engine.runtime.gauges import gauges_of
from engine.runtime.observers import WakeUp


class SilentVenue:
    """Takes everything, says nothing. Everybody has 7 lots ahead; fills name their print in their id."""

    name = "silent"
    displays_own_orders = False

    def submit(self, order: SubmitOrder) -> None: ...

    def cancel(self, order: CancelOrder) -> None: ...

    def on_market(self, event: MarketEvent) -> None: ...

    def next_due_ns(self) -> int | None:
        return None

    def poll(self, now_ns: int) -> list[OrderEvent]:
        return []

    def open_orders(self) -> list[str]:
        return []

    def estimated_ahead(self, client_id: str) -> int | None:
        return 7

    def print_of(self, fill: OrderFilled) -> int | None:
        return int(fill.fill_id.rpartition("-")[2])


class DeskBench(TraderBench):
    """Every event is a wake-up of its own, unless several are told together."""

    def __init__(self, **changes: Any) -> None:
        super().__init__(**changes)
        self.desk = Desk(self.trader, SilentVenue())
        self.observers: list[Any] = []

    def tell(self, event: AnyEvent) -> Sequence[AnyCommand]:
        return self.wake(event)

    def wake(self, *events: AnyEvent) -> Sequence[AnyCommand]:
        """All of these in one wake-up."""
        commands = [command for event in events for command in self.trader.on_event(event)]
        self.sent += commands
        wake = WakeUp(events, commands, self.trader.drain_fills(), self.trader.orders.drain_ended())
        self.desk.watcher.on_wake_up(wake)
        for observer in self.observers:
            observer.on_wake_up(self.desk, wake)
        return commands

    def gauge(self, code: str) -> Gauge:
        """The one gauge of that code, now."""
        (gauge,) = (each for each in gauges_of(self.trader, self.now) if each.code == code)
        return gauge

    def trade(self, side: Side, price: str, lots: int, **more: Any) -> None:
        """A fill of an order of ours that is not on record, which is booked all the same."""
        self.fills += 1
        stamp = ("X-USD", self.now, self.now)
        order_id, fill_id = f"{INSTALLATION_TAG:08x}-by-hand", f"fill-{self.fills:06}"
        fee = more.pop("fee", 0)
        self.tell(OrderFilled(*stamp, order_id, fill_id, side, X.ticks(price), lots, fee, True, **more))
