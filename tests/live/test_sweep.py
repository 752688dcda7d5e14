"""The kill switch at a live venue: it ends with proof, or it stays red."""

from __future__ import annotations

from decimal import Decimal

import pytest
from broker_kit import FakeBroker, Fate, Lost
from edge_bench import EdgeBench, on_bench

from engine.core.client_ids import ClientIds
from engine.core.events import OrderRejected
from engine.core.order import Side
from engine.exchange.coinbase.broker import Outcome, SubmitAnswer
from engine.exchange.protocol import ListingPending

D = Decimal
S = 1_000_000_000


class LosingCancels(Fate):
    """The first answers to cancels are lost; so are the requests where `requests` says so."""

    def __init__(self, count: int, *, requests: bool = False) -> None:
        self.left = count
        self.requests = requests

    def _lose(self, call: str) -> None:
        if call == "cancel" and self.left:
            self.left -= 1
            raise Lost

    async def there(self, call: str) -> None:
        await super().there(call)
        if self.requests:
            self._lose(call)

    async def back(self, call: str) -> None:
        await super().back(call)
        if not self.requests:
            self._lose(call)


@pytest.mark.parametrize("requests", [False, True])
def test_three_lost_cancels_and_an_unknown_order_end_with_proof(requests: bool) -> None:
    async def work(bench: EdgeBench) -> None:
        for n in range(3):
            await bench.rest(price=str(90 + n))
        unknown = ClientIds(98).next()
        bench.exchange.place(unknown, Side.BUY, D(80), D(1))
        bench.broker.fate = LosingCancels(3, requests=requests)
        began = bench.clock.monotonic_ns()
        bench.edge.sweep("said the test")
        await bench.after(10)
        evidence = bench.edge.sweep_report
        assert evidence is not None
        assert evidence.is_proven
        assert not evidence.unproven
        assert not bench.exchange.live()
        assert unknown in (*evidence.report.cancelled, *evidence.report.gone)
        cancels = [at for at, call, _ in bench.broker.calls if call == "cancel"]
        assert min(cancels) - began < S // 2
        bench.check_open_sets()

    on_bench(work)


def test_the_proof_takes_less_than_three_seconds() -> None:
    async def work(bench: EdgeBench) -> None:
        order = await bench.rest()
        bench.exchange.fill(order, D("0.2"))
        bench.edge.sweep("said the test")
        await bench.after(2.5)
        evidence = bench.edge.sweep_report
        assert evidence.is_proven
        assert evidence.report.took_ns >= S // 2
        assert evidence.report.listings >= 2
        bench.check_accounts()

    on_bench(work)


def test_an_order_that_was_called_back_before_it_left_does_not_delay_the_proof() -> None:
    async def work(bench: EdgeBench) -> None:
        order = bench.intend()
        bench.edge.sweep("said the test")
        await bench.after(0.1)
        now, wall = bench.clock.monotonic_ns(), bench.clock.wall_ns()
        called_back = OrderRejected(order.product, now, wall, order.client_id, "NOT_SENT", "called back")
        bench.trader.on_event(called_back)
        await bench.after(2.5)
        assert bench.edge.sweep_report.is_proven
        assert not bench.edge.sweep_report.unproven

    on_bench(work)


def test_without_rest_it_stays_red_and_proof_follows_when_rest_is_back() -> None:
    async def work(bench: EdgeBench) -> None:
        order = await bench.rest()
        bench.broker.failing = {"cancel", "live_orders", "order", "fills"}
        began = bench.clock.monotonic_ns()
        bench.edge.sweep("said the test")
        await bench.after(30)
        evidence = bench.edge.sweep_report
        assert not evidence.is_proven
        assert evidence.unproven == (order.client_id,)
        assert min(at for at, call, _ in bench.broker.calls if call == "cancel") - began < S // 2
        bench.broker.failing = set()
        await bench.after(3)
        assert bench.edge.sweep_report.is_proven
        bench.check_open_sets()

    on_bench(work)


def test_nothing_leaves_while_it_is_under_way_and_all_may_after_the_proof() -> None:
    async def work(bench: EdgeBench) -> None:
        bench.edge.sweep("said the test")
        bench.send()
        await bench.after(0.2)
        (rejected,) = bench.of(OrderRejected)
        assert rejected.code == "NOT_SENT"
        await bench.after(3)
        order = await bench.rest()
        await bench.after(31)
        assert order.status == "OPEN"
        assert bench.edge.sweep_report.is_proven

    on_bench(work)


def test_an_order_that_shows_up_after_the_proof_is_swept_again() -> None:
    async def work(bench: EdgeBench) -> None:
        bench.edge.sweep("said the test")
        await bench.after(3)
        assert bench.edge.sweep_report.is_proven
        late = bench.exchange.place(ClientIds(98).next(), Side.BUY, D(80), D(1))
        bench.exchange.orders[late.order_id] = late
        await bench.after(31)
        assert late.status == "CANCELLED"
        assert bench.edge.sweep_report.is_proven

    on_bench(work)


def test_an_unanswered_order_keeps_it_red_until_the_venue_has_told() -> None:
    async def work(bench: EdgeBench) -> None:
        bench.broker.answers = [SubmitAnswer(Outcome.UNKNOWN, reason="time-out")]
        order = bench.send()
        await bench.after(0.1)
        bench.edge.sweep("said the test")
        await bench.after(5)
        assert bench.edge.sweep_report.unproven == (order.client_id,)
        assert not bench.edge.sweep_report.is_proven
        await bench.after(6)
        assert bench.edge.sweep_report.is_proven

    on_bench(work)


def test_the_listing_is_newer_than_the_last_command_and_complete() -> None:
    async def work(bench: EdgeBench) -> None:
        order = await bench.rest()

        async def listed() -> list[str]:
            for _ in range(20):
                try:
                    return bench.edge.open_orders()
                except ListingPending:
                    await bench.after(0.05)
            raise AssertionError("no listing came")

        assert await listed() == [order.client_id]
        bench.exchange.place(ClientIds(98).next(), Side.BUY, D(80), D(1))
        bench.ask_cancel(order.client_id)
        with pytest.raises(ListingPending):
            bench.edge.open_orders()
        await bench.after(0.5)
        bench.broker.failing = {"live_orders"}
        with pytest.raises(ListingPending):
            bench.edge.open_orders()
        await bench.after(0.05)
        with pytest.raises(Exception, match="not to be had"):
            bench.edge.open_orders()
        bench.broker.failing = set()
        await bench.after(1)
        assert len(await listed()) <= 1  # the orphan, until it is cancelled

    on_bench(work)


def test_the_broker_of_these_tests_is_a_broker() -> None:
    from engine.exchange.coinbase.broker import Broker

    broker: type[Broker] = FakeBroker
    assert broker.name == "coinbase"
