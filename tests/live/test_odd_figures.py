"""Figures that do not fit the product's steps, and executions taken back: whose they are decides."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from edge_bench import EdgeBench, on_bench

from engine.core.events import EdgeStatus, OrderFilled, Restraint
from engine.core.order import Side
from engine.exchange.coinbase.broker import VenueFill

D = Decimal
ODD = D("0.0123456789012345")
"""What a market order in quote money is filled to: far finer than a lot."""


def stopped(bench: EdgeBench) -> list[EdgeStatus]:
    """What a person has to see to."""
    return [event for event in bench.of(EdgeStatus) if event.restraint is Restraint.LATCHED]


def taken_back(bench: EdgeBench, order_id: str, size: str = "-0.1") -> VenueFill:
    fill = VenueFill(
        "e-back", order_id, "BTC-USD", Side.BUY, D(100), D(size), D(0), True, bench.clock.wall_ns()
    )
    return msgspec.structs.replace(fill, product=bench.exchange.instrument.symbol)


def test_another_front_ends_odd_figures_are_none_of_our_business() -> None:
    async def work(bench: EdgeBench) -> None:
        order = bench.exchange.place("theirs", Side.BUY, D(100), D(2), post_only=False)
        # Told by the user channel, by every list and by a question for it.
        bench.exchange.fill(order, ODD)
        await bench.after(45, 0.25)
        assert list(bench.edge.strangers) == [order.order_id]
        bench.exchange.end(order)
        await bench.after(45, 0.25)
        assert not bench.edge.strangers
        assert not [status for status in stopped(bench) if "balances" not in status.reason.split(":")[0]
                    and "account" not in status.reason]
        await bench.rest()

    on_bench(work)


def test_an_execution_of_another_front_end_that_is_taken_back_stops_nothing() -> None:
    async def work(bench: EdgeBench) -> None:
        order = bench.exchange.place("theirs", Side.BUY, D(100), D(2))
        bench.exchange.executed.append(taken_back(bench, order.order_id))
        bench.user.lose()
        bench.user.connect()
        await bench.after(100, 0.25)
        assert not [status for status in stopped(bench) if "account" not in status.reason]
        assert bench.holds("EDGE") == []
        lists = len([call for call in bench.broker.calls if call[1] == "live_orders"])
        await bench.after(30, 0.25)
        assert len([call for call in bench.broker.calls if call[1] == "live_orders"]) > lists

    on_bench(work)


@pytest.mark.parametrize("is_mute", [False, True])
def test_an_execution_of_ours_that_is_taken_back_halts_and_nothing_breaks(is_mute: bool) -> None:
    async def work(bench: EdgeBench) -> None:
        order = await bench.rest()
        bench.exchange.fill(order, D("0.4"))
        await bench.after(0.1)
        bench.user.is_mute = is_mute
        bench.exchange.executed.append(taken_back(bench, order.order_id))
        bench.user.lose()
        bench.user.connect()
        await bench.after(60, 0.25)
        assert Restraint.LATCHED in bench.holds("FILLS")
        assert bench.holds("EDGE") == []
        assert [fill.size for fill in bench.of(OrderFilled)] == [400]

    on_bench(work)


def test_an_order_of_ours_with_impossible_figures_halts_and_a_kill_still_works() -> None:
    async def work(bench: EdgeBench) -> None:
        order = await bench.rest()
        other = await bench.rest(price="99")
        bench.exchange.fill(order, ODD)
        bench.exchange.end(order)
        await bench.after(5)
        assert Restraint.LATCHED in bench.holds("RECONCILE")
        bench.edge.sweep("a kill")
        await bench.after(20)
        assert bench.holds("EDGE") == []
        assert other.status == "CANCELLED"
        evidence = bench.edge.sweep_report
        assert evidence is not None
        assert evidence.report is not None
        assert evidence.report.is_proven  # the venue holds nothing of ours
        assert not evidence.is_proven  # what was filled of this one nobody can say
        assert evidence.unproven == (order.client_id,)

    on_bench(work)
