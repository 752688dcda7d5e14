"""Figures that do not fit the product's steps, and executions taken back: whose they are decides."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from edge_bench import EdgeBench, on_bench
from trader_bench import X

from engine.core.events import EdgeStatus, OrderFilled, Restraint
from engine.core.order import OrderState, Side, TimeInForce
from engine.exchange.coinbase.broker import VenueFill
from engine.exchange.live.order_fills import missing

D = Decimal
ODD = D("0.0123456789012345")
"""What a market order in quote money is filled to: far finer than a lot."""


def stopped(bench: EdgeBench) -> list[EdgeStatus]:
    """What a person has to see to."""
    return [event for event in bench.of(EdgeStatus) if event.restraint is Restraint.LATCHED]


def taken_back(bench: EdgeBench, order_id: str, size: str = "-0.1") -> VenueFill:
    now = bench.clock.wall_ns()
    return VenueFill("e-back", order_id, X.symbol, Side.BUY, D(100), D(size), D(0), True, now)


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
        assert not [
            status
            for status in stopped(bench)
            if "balances" not in status.reason.split(":")[0] and "account" not in status.reason
        ]
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
        assert Restraint.LATCHED in bench.holds("MISSING_FILLS")
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


def test_a_part_of_a_rounded_fee_can_be_booked() -> None:
    """Two thirds of a fee have no end as a decimal."""
    fill = VenueFill("e-1", "v-1", X.symbol, Side.BUY, D(100), X.lot * 3, D("0.0001"), True, 0)
    (rest,) = missing(X, [fill], 1)
    assert rest.size == 2
    atoms, dust = X.atoms_rounded(rest.fee)
    assert abs(Decimal(atoms).scaleb(-X.money_places) + dust - D("0.0001") * 2 / 3) < D("1e-25")


@pytest.mark.parametrize("late", [0, 1, 2])
@pytest.mark.parametrize("sizes", [("0.4", "0.3", "0.3"), ("0.2", "0.5", "0.3"), ("0.2", "0.3", "0.5")])
def test_an_execution_that_the_list_shows_later_than_its_successor_is_booked_as_it_was(
    late: int, sizes: tuple[str, ...]
) -> None:
    async def work(bench: EdgeBench) -> None:
        command = bench.intend(size="1")
        bench.edge.submit(msgspec.structs.replace(command, post_only=False, time_in_force=TimeInForce.IOC))
        bench.user.is_mute = True
        await bench.after(0.1)
        order = bench.at_venue(command.client_id)
        prices = ("100", "99.9", "99.83")
        fills = [
            bench.exchange.fill(order, D(size), D(price)) for size, price in zip(sizes, prices, strict=True)
        ]
        listed = bench.broker.fills

        async def without_one(*args: Any, **given: Any) -> list[VenueFill]:
            return [fill for fill in await listed(*args, **given) if fill is not fills[late]]

        bench.broker.fills = without_one  # type: ignore[method-assign]
        bench.edge.on_user(order.report())
        await bench.after(1)
        bench.broker.fills = listed  # type: ignore[method-assign]
        await bench.after(60, 0.25)
        assert not stopped(bench)
        assert bench.own(command.client_id).state is OrderState.FILLED
        bench.check_accounts()

    on_bench(work)


def test_executions_that_cannot_be_told_apart_afterwards_are_seen_by_the_drop_copy() -> None:
    async def work(bench: EdgeBench) -> None:
        command = bench.intend(size="1")
        bench.edge.submit(msgspec.structs.replace(command, post_only=False, time_in_force=TimeInForce.IOC))
        bench.user.is_mute = True
        await bench.after(0.1)
        order = bench.at_venue(command.client_id)
        for size, price in (("0.21", "100"), ("0.33", "99.9"), ("0.46", "99.83")):
            bench.exchange.fill(order, D(size), D(price))
        listed = bench.broker.fills

        async def the_last(*args: Any, **given: Any) -> list[VenueFill]:
            return [fill for fill in await listed(*args, **given) if fill.price == D("99.83")]

        bench.broker.fills = the_last  # type: ignore[method-assign]
        bench.edge.on_user(order.report())
        await bench.after(1)
        bench.broker.fills = listed  # type: ignore[method-assign]
        await bench.after(60, 0.25)
        assert sum(fill.size for fill in bench.of(OrderFilled)) == 1_000
        assert Restraint.LATCHED in bench.holds("DROPCOPY")

    on_bench(work)
