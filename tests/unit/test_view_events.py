"""What a console is told of fills, ended orders and alerts: each once, in the order they happened."""

from __future__ import annotations

from typing import Any

import pytest
from trader_bench import MS, one_side
from view_bench import DeskBench

from engine.core.events import (
    Alert,
    FillEvidence,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    Severity,
    SubmitOrder,
    Timer,
)
from engine.core.order import BUY
from engine.link.event_log import EventLog
from engine.link.events import AnyEngineEvent, Filled, Notice, OrderEnded
from engine.runtime.view_events import EventTeller


class Told(DeskBench):
    """A desk whose events are told to a log; times of the market are 7 s ahead of the engine's."""

    def __init__(self, **changes: Any) -> None:
        super().__init__(**changes)
        self.log = EventLog()
        self.observers.append(EventTeller(self.log.publish))
        self.bid: SubmitOrder = one_side(self.quote(), 1)[0]
        self.heard = self.log.last
        assert self.heard == 0

    @property
    def stamp(self) -> tuple[str, int, int]:
        return "X-USD", self.now, self.now + 7_000 * MS

    def news(self) -> list[AnyEngineEvent]:
        """What was told since the last look."""
        events = list(self.log.after(self.heard, 10_000))
        self.heard = self.log.last
        return events

    def filling(self, number: int, lots: int, **more: Any) -> OrderFilled:
        price = self.bid.price
        assert price is not None
        return OrderFilled(
            *self.stamp, self.bid.client_id, f"fill-{number}", BUY, price, lots, 12, True, **more
        )

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.news()]


def test_a_fill_is_told_with_the_position_after_it():
    bench = Told()
    bench.now += MS
    evidence = FillEvidence("queue_cleared", 40, 0, 9)
    bench.wake(bench.filling(1, 3), bench.filling(2, 4, evidence=evidence), Timer("X-USD", bench.now, 0))
    first, second = bench.news()
    assert first == Filled(
        1, bench.now + 7_000 * MS, bench.now, "X-USD", bench.bid.client_id, "fill-1", 1, bench.bid.price, 3,
        12, "", True, 3, "",
    )  # fmt: skip
    assert isinstance(second, Filled)
    assert (second.eseq, second.position, second.reason) == (2, 7, "queue_cleared")


def test_an_order_that_is_filled_ends_after_its_last_fill():
    bench = Told()
    bench.wake(bench.filling(1, 3), bench.filling(2, bench.bid.size - 3))
    *fills, ended = bench.news()
    assert [type(event) for event in fills] == [Filled, Filled]
    assert ended == OrderEnded(
        3, bench.now + 7_000 * MS, bench.now, "X-USD", bench.bid.client_id, "v", "B0", "quote", 1,
        bench.bid.price, bench.bid.size, bench.bid.size, "filled", "", 100 * MS,
    )  # fmt: skip


def test_an_order_that_is_filled_in_part_and_cancelled_ends_last():
    bench = Told()
    order = bench.trader.orders.order(bench.bid.client_id)
    assert order is not None
    bench.trader.orders.cancel(order, bench.now, "replace")
    left = bench.bid.size - 3
    bench.wake(
        bench.filling(1, 1),
        OrderCancelled(*bench.stamp, bench.bid.client_id, left, "CANCEL_REQUESTED"),
        bench.filling(2, 2),  # the venue tells it late
    )
    first, second, ended = bench.news()
    assert isinstance(first, Filled)
    assert isinstance(second, Filled)
    assert isinstance(ended, OrderEnded)
    assert (first.position, second.position) == (1, 3)
    # It was our wish, and that says more than the venue's word for it.
    assert (ended.state, ended.reason, ended.filled) == ("cancelled", "replace", 3)


@pytest.mark.parametrize(
    ("answer", "state", "reason"),
    [
        (lambda *to: OrderRejected(*to[:4], "BUSY", "try later"), "rejected", "BUSY: try later"),
        (lambda *to: OrderExpired(*to, "time elapsed"), "expired", "time elapsed"),
        (lambda *to: OrderCancelled(*to, "by the venue"), "cancelled", "by the venue"),
    ],
)
def test_every_end_is_told_once_however_often_the_venue_tells_it(answer, state, reason):
    bench = Told()
    event = answer(*bench.stamp, bench.bid.client_id, bench.bid.size)
    bench.wake(event, event)
    bench.now += MS
    bench.wake(event)
    bench.wake(answer(*bench.stamp, bench.bid.client_id, bench.bid.size))
    (ended,) = bench.news()
    assert isinstance(ended, OrderEnded)
    assert (ended.state, ended.reason, ended.filled, ended.sent_ns) == (state, reason, 0, 100 * MS)


def test_a_fill_that_is_told_twice_is_one():
    bench = Told()
    bench.wake(bench.filling(1, 3), bench.filling(1, 3))
    bench.wake(bench.filling(1, 3))
    assert bench.kinds() == ["Filled"]


def test_a_fill_after_the_end_is_told_and_the_end_is_not_told_again():
    bench = Told()
    bench.wake(OrderCancelled(*bench.stamp, bench.bid.client_id, bench.bid.size))
    assert bench.kinds() == ["OrderEnded"]
    bench.wake(bench.filling(1, 3))
    assert bench.kinds() == ["Filled"]


def test_fills_and_ends_are_told_in_the_order_of_their_times():
    bench = Told(strategy__levels=2)
    (other,) = (o for o in bench.trader.orders.open_orders() if o.slot == "B1")
    cancelled = OrderCancelled(*bench.stamp, other.client_id, other.size, "by the venue")
    bench.now += MS
    filled = bench.filling(1, 3)
    bench.now += MS
    bench.wake(cancelled, filled, Timer(*bench.stamp))
    ended, fill = bench.news()
    assert isinstance(ended, OrderEnded)
    assert isinstance(fill, Filled)
    assert (ended.time_ns, fill.time_ns) == (bench.now - 2 * MS, bench.now - MS)
    assert ended.wall_ns - ended.time_ns == fill.wall_ns - fill.time_ns == 7_000 * MS


def test_an_end_is_told_after_the_last_fill_though_the_fill_came_later():
    bench = Told()
    left = bench.bid.size
    cancelled = OrderCancelled(*bench.stamp, bench.bid.client_id, left - 2, "by the venue")
    bench.now += MS
    bench.wake(cancelled, bench.filling(1, 2))
    fill, ended = bench.news()
    assert isinstance(fill, Filled)
    assert isinstance(ended, OrderEnded)
    assert (ended.filled, ended.time_ns, ended.wall_ns) == (2, bench.now, bench.now + 7_000 * MS)


def test_an_alert_is_told_as_it_is():
    bench = Told()
    alert = Alert("X-USD", 3, 4, Severity.ERROR, "DRAWDOWN", "equity fell")
    bench.observers[0].on_alerts(bench.desk, [alert, alert])
    assert bench.news() == [Notice(n, 4, 3, "X-USD", "error", "DRAWDOWN", "equity fell") for n in (1, 2)]
