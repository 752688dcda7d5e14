"""The trading edge of a live venue: what each answer, and its absence, does to an order."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from broker_kit import Fate
from edge_bench import EdgeBench, on_bench

from engine.core.events import (
    OrderAccepted,
    OrderCancelled,
    OrderFilled,
    OrderRejected,
    OrderUncertain,
    Restraint,
)
from engine.core.order import OrderState
from engine.exchange.coinbase.broker import BrokerError, Gate, NewOrder, Outcome, SubmitAnswer
from engine.exchange.coinbase.wire.user import OrderReport

D = Decimal


def test_an_order_lives_is_filled_and_ends() -> None:
    async def work(bench: EdgeBench) -> None:
        order = await bench.rest()
        assert bench.own(order.client_id).state is OrderState.NEW
        bench.exchange.fill(order, D("0.4"))
        bench.exchange.fill(order, D("0.6"))
        await bench.after(0.1)
        assert [fill.fill_id for fill in bench.of(OrderFilled)] == ["v-1:400", "v-1:1000"]
        assert bench.own(order.client_id).state is OrderState.FILLED
        bench.check_accounts()

    on_bench(work)


def test_trading_is_paused_until_the_first_comparison_and_the_user_channel() -> None:
    async def work(bench: EdgeBench) -> None:
        assert bench.holds("RECONCILE") == [Restraint.AWAITED, Restraint.NONE]
        order = await bench.rest()
        bench.user.lose()
        bench.exchange.fill(order, D("0.3"))
        await bench.after(5)
        assert bench.holds("RECONCILE")[2:] == [Restraint.PAUSED]
        bench.check_accounts()  # by the lists, as nobody tells
        bench.user.connect()
        await bench.after(1)
        assert bench.holds("RECONCILE")[2:] == [Restraint.PAUSED, Restraint.NONE]

    on_bench(work)


def test_a_cancel_during_the_submit_waits_for_the_acknowledgement() -> None:
    async def work(bench: EdgeBench) -> None:
        order = bench.send()
        await bench.after(0.005)
        bench.ask_cancel(order.client_id)
        await bench.after(0.5)
        assert bench.own(order.client_id).state is OrderState.CANCELLED
        assert [call for _, call, _ in bench.broker.calls].count("cancel") == 1

    on_bench(work)


def test_a_cancel_before_the_send_keeps_the_order_here() -> None:
    async def work(bench: EdgeBench) -> None:
        order = bench.send()
        bench.ask_cancel(order.client_id)
        await bench.after(0.5)
        (rejected,) = bench.of(OrderRejected)
        assert rejected.code == "NOT_SENT"
        assert not bench.exchange.orders

    on_bench(work)


def test_cancels_of_one_moment_leave_in_one_call() -> None:
    async def work(bench: EdgeBench) -> None:
        orders = [await bench.rest(price=str(90 + n)) for n in range(5)]
        before = len(bench.broker.calls)
        for order in orders:
            bench.ask_cancel(order.client_id)
        await bench.after(0.05)
        (call,) = [call for call in bench.broker.calls[before:] if call[1] == "cancel"]
        assert len(call[2]) == 5
        bench.check_open_sets()

    on_bench(work)


def test_without_the_lease_nothing_leaves() -> None:
    async def work(bench: EdgeBench) -> None:
        bench.lease = False
        bench.send()
        await bench.after(0.1)
        (rejected,) = bench.of(OrderRejected)
        assert rejected.code == "NOT_SENT"
        assert "watchdog" in rejected.reason
        assert not bench.exchange.orders

    on_bench(work)


def test_the_lease_is_asked_for_again_at_the_moment_of_the_send() -> None:
    async def work(bench: EdgeBench) -> None:
        bench.send()
        bench.lease = False
        await bench.after(0.1)
        (rejected,) = bench.of(OrderRejected)
        assert rejected.code == "NOT_SENT"
        assert not bench.exchange.orders

    on_bench(work)


class LateList(Fate):
    """The list of orders takes half a second on its way back."""

    async def back(self, call: str) -> None:
        await asyncio.sleep(0.5 if call == "live_orders" else 0.01)


def test_a_list_that_is_older_than_what_we_know_revives_nothing() -> None:
    async def work(bench: EdgeBench) -> None:
        cancelled, filled = await bench.rest(), await bench.rest(price="99")
        bench.broker.fate = LateList()
        bench.edge.reconcile_now()
        await bench.after(0.1)
        bench.exchange.end(cancelled)
        bench.exchange.fill(filled, D(1))
        await bench.after(3)
        assert not bench.warnings
        assert "cancel" not in [call for _, call, _ in bench.broker.calls]
        assert bench.holds("RECONCILE") == [Restraint.AWAITED, Restraint.NONE]
        bench.check_open_sets()

    on_bench(work)


def test_a_lost_request_is_uncertain_and_never_arrived_after_five_answers() -> None:
    async def work(bench: EdgeBench) -> None:
        bench.broker.answers = [SubmitAnswer(Outcome.UNKNOWN, reason="time-out")]
        order = bench.send()
        await bench.after(0.1)
        assert len(bench.of(OrderUncertain)) == 1
        assert bench.own(order.client_id).state is OrderState.UNCERTAIN
        await bench.after(7.5)
        assert not bench.of(OrderRejected)
        await bench.after(1)
        (rejected,) = bench.of(OrderRejected)
        assert rejected.code == "NEVER_ARRIVED"
        late = bench.exchange.place(order.client_id, order.side, D("100"), D(1))
        await bench.after(1)
        assert late.status == "CANCELLED"
        assert "REVIVED" in bench.warnings

    on_bench(work)


def test_queries_that_fail_prove_nothing() -> None:
    async def work(bench: EdgeBench) -> None:
        bench.broker.answers = [SubmitAnswer(Outcome.UNKNOWN, reason="time-out")]
        bench.broker.failing = {"live_orders"}
        order = bench.send()
        await bench.after(40)
        assert bench.own(order.client_id).state is OrderState.UNCERTAIN
        bench.broker.failing = set()
        bench.user.lose()
        await bench.after(15)
        assert bench.own(order.client_id).state is OrderState.UNCERTAIN
        bench.user.connect()
        await bench.after(11)
        assert bench.own(order.client_id).state is OrderState.REJECTED

    on_bench(work)


def test_a_lost_answer_is_adopted_and_nothing_is_sent_twice() -> None:
    async def work(bench: EdgeBench) -> None:
        bench.user.is_mute = True
        bench.broker.answers = [SubmitAnswer(Outcome.UNKNOWN, reason="time-out")]
        order = bench.send()
        made = bench.exchange.place(order.client_id, order.side, D(100), D(1))
        bench.exchange.fill(made, D("0.3"))
        await bench.after(1)
        assert bench.own(order.client_id).state is OrderState.PARTIALLY_FILLED
        assert len(bench.of(OrderAccepted)) == 1
        bench.check_accounts()
        bench.check_open_sets()

    on_bench(work)


def test_two_prices_in_one_delta_take_the_list_of_executions() -> None:
    async def work(bench: EdgeBench) -> None:
        order = await bench.rest()
        bench.user.is_mute = True
        bench.exchange.fill(order, D("0.4"), D(100))
        bench.exchange.fill(order, D("0.3"), D("99.99"))
        bench.user.is_mute = False
        bench.broker.hide_fills_until_ns = bench.clock.monotonic_ns() + 1_500_000_000
        bench.edge.on_user(order.report())
        await bench.after(3)
        assert [(f.price, f.size) for f in bench.of(OrderFilled)] == [(10_000, 400), (9_999, 300)]
        bench.edge.on_user(order.report())
        await bench.after(1)
        assert len(bench.of(OrderFilled)) == 2
        bench.check_accounts()

    on_bench(work)


def test_a_post_only_order_that_fails_is_rejected() -> None:
    async def work(bench: EdgeBench) -> None:
        order = await bench.rest()
        bench.exchange.end(order, "FAILED", "post only would cross")
        await bench.after(0.1)
        (rejected,) = bench.of(OrderRejected)
        assert rejected.code == "FAILED"

    on_bench(work)


def test_refusals_in_a_row_halt_for_a_minute_and_then_for_good() -> None:
    async def work(bench: EdgeBench) -> None:
        for _ in range(2):
            for n in range(5):
                bench.broker.answers.append(
                    SubmitAnswer(Outcome.REFUSED, code="INVALID_PRICE_PRECISION", reason="no")
                )
                bench.send(price=str(50 + n))
            await bench.after(61)
        assert bench.holds("REJECTS") == [Restraint.HALTED, Restraint.NONE, Restraint.LATCHED]

    on_bench(work)


def test_the_limiter_is_waited_for() -> None:
    async def work(bench: EdgeBench) -> None:
        bench.broker.answers.append(SubmitAnswer(Outcome.LIMITED, retry_after_s=3.0))
        bench.send()
        await bench.after(1)
        bench.send()
        await bench.after(1)
        assert [event.code for event in bench.of(OrderRejected)] == ["RATE_LIMIT", "NOT_SENT"]
        await bench.after(2)
        assert bench.holds("RATE_LIMIT") == [Restraint.PAUSED, Restraint.NONE]
        await bench.rest()
        bench.check_open_sets()

    on_bench(work)


def test_a_refused_cancel_is_settled_by_a_question() -> None:
    async def work(bench: EdgeBench) -> None:
        order = await bench.rest()
        bench.user.is_mute = True
        bench.exchange.fill(order, D(1))
        bench.ask_cancel(order.client_id)
        await bench.after(0.2)
        assert bench.own(order.client_id).state is OrderState.FILLED
        bench.check_accounts()

    on_bench(work)


def test_an_order_that_such_a_venue_forgets_is_cancelled() -> None:
    async def work(bench: EdgeBench) -> None:
        order = await bench.rest()
        bench.user.is_mute = True
        bench.ask_cancel(order.client_id)
        await bench.after(3)
        (cancelled,) = bench.of(OrderCancelled)
        assert cancelled.remaining == 1_000
        bench.check_open_sets()

    on_bench(work, can_find=True)


def test_the_same_words_again_add_nothing() -> None:
    async def work(bench: EdgeBench) -> None:
        order = await bench.rest()
        first = order.report()
        bench.exchange.fill(order, D("0.5"))
        second = order.report()
        bench.exchange.end(order)
        third = order.report()
        await bench.after(0.1)
        count = len(bench.events)
        for report in (third, first, second, third, second, first):
            bench.edge.on_user(report)
        await bench.after(3)
        assert len(bench.events) == count
        bench.check_accounts()
        bench.check_open_sets()

    on_bench(work)


def test_a_venue_that_is_not_reached_stops_everything_at_once_and_must_be_well_for_a_while() -> None:
    async def work(bench: EdgeBench) -> None:
        reached, listed = bench.broker.submit, bench.broker.live_orders

        async def refused(order: NewOrder, gate: object = None) -> SubmitAnswer:
            return SubmitAnswer(Outcome.NOT_SENT, code="CONNECT", reason="connection refused")

        async def unlisted(product: str | None = None) -> list[OrderReport]:
            raise BrokerError("CONNECT", "connection refused")

        bench.broker.submit, bench.broker.live_orders = refused, unlisted  # type: ignore[method-assign]
        bench.send()
        await bench.after(0.1)
        assert bench.holds("RECONCILE")[2:] == [Restraint.PAUSED]
        assert bench.of(OrderRejected)[-1].code == "NOT_SENT"
        bench.broker.submit = reached  # type: ignore[method-assign]
        bench.send()
        await bench.after(0.1)
        assert not bench.exchange.orders  # nothing leaves before the venue has answered again
        await bench.after(10)
        bench.broker.live_orders = listed  # type: ignore[method-assign]
        back = bench.clock.monotonic_ns()
        while len(bench.holds("RECONCILE")) == 3:
            await bench.after(0.1)
        assert bench.holds("RECONCILE")[3:] == [Restraint.NONE]
        assert 3_000_000_000 <= bench.clock.monotonic_ns() - back < 9_000_000_000

    on_bench(work)


def test_what_we_kept_back_ourselves_says_nothing_of_the_venue() -> None:
    async def work(bench: EdgeBench) -> None:
        async def kept(order: NewOrder, gate: object = None) -> SubmitAnswer:
            return SubmitAnswer(Outcome.NOT_SENT, code="RATE_BUDGET", reason="the rate budget is used up")

        bench.broker.submit = kept  # type: ignore[method-assign]
        bench.send()
        await bench.after(0.1)
        assert bench.holds("RECONCILE") == [Restraint.AWAITED, Restraint.NONE]

    on_bench(work)


def test_an_order_that_waits_for_its_turn_does_not_leave_after_a_kill() -> None:
    async def work(bench: EdgeBench) -> None:
        reached = bench.broker.submit

        async def late(order: NewOrder, gate: Gate) -> SubmitAnswer:
            await asyncio.sleep(0.2)  # for its share of the rate limit
            if reason := gate():
                return SubmitAnswer(Outcome.NOT_SENT, code="BARRED", reason=reason)
            return await reached(order, gate)

        bench.broker.submit = late  # type: ignore[method-assign]
        bench.send()
        await bench.after(0.05)
        bench.edge.sweep("kill")
        await bench.after(3)
        assert not bench.exchange.orders
        assert bench.of(OrderRejected)[-1].code == "NOT_SENT"
        assert bench.holds("RECONCILE")[1:] == [Restraint.NONE]

    on_bench(work)
