"""Fills through the trading edge: by reports, by executions, by the list, after restarts, and compared."""

from __future__ import annotations

from decimal import Decimal

from edge_bench import OPENING, EdgeBench, on_bench
from trader_bench import X

from engine.core.client_ids import ClientIds
from engine.core.events import OrderCancelled, OrderFilled, Restraint
from engine.core.order import OrderState, Side
from engine.exchange.coinbase.broker import VenueFill
from engine.exchange.coinbase.wire.user import UserMatch

D = Decimal
S = 1_000_000_000


def match_of(fill: VenueFill, number: int) -> UserMatch:
    return UserMatch(
        fill.product,
        number,
        fill.order_id,
        fill.side,
        True,
        fill.price,
        fill.size,
        fill.fee / fill.price / fill.size,
    )


def test_executions_of_the_user_feed_are_booked_as_they_come() -> None:
    async def work(bench: EdgeBench) -> None:
        order = await bench.rest()
        bench.user.is_mute = True
        first = bench.exchange.fill(order, D("0.4"), D(100))
        second = bench.exchange.fill(order, D("0.3"), D("99.5"))
        for match in (match_of(first, 7), match_of(second, 8), match_of(first, 7)):
            bench.edge.on_user_match(match)
        await bench.after(0.01)
        fills = bench.of(OrderFilled)
        assert [(fill.price, fill.size) for fill in fills] == [(10_000, 400), (9_950, 300)]
        assert [bench.edge.print_of(fill) for fill in fills] == [7, 8]
        bench.edge.on_user(order.report())
        await bench.after(1)
        assert len(bench.of(OrderFilled)) == 2
        bench.check_accounts()

    on_bench(work)


def test_an_execution_that_a_report_had_is_not_booked_again() -> None:
    async def work(bench: EdgeBench) -> None:
        order = await bench.rest()
        first = bench.exchange.fill(order, D("0.4"))
        await bench.after(0.05)
        bench.edge.on_user_match(match_of(first, 7))
        second = bench.exchange.fill(order, D("0.1"), D("99.9"))
        bench.edge.on_user_match(match_of(second, 8))
        await bench.after(2)
        assert [fill.size for fill in bench.of(OrderFilled)] == [400, 100]
        bench.check_accounts()

    on_bench(work)


def test_an_execution_overtakes_the_acknowledgement() -> None:
    async def work(bench: EdgeBench) -> None:
        bench.user.is_mute = True
        order = bench.send()
        await bench.after(0.015)
        at_venue = bench.at_venue(order.client_id)
        bench.edge.on_user_match(match_of(bench.exchange.fill(at_venue, D(1)), 7))
        await bench.after(0.1)
        assert bench.own(order.client_id).state is OrderState.FILLED
        bench.check_accounts()

    on_bench(work)


def test_the_end_is_told_after_the_last_fill() -> None:
    async def work(bench: EdgeBench) -> None:
        order = await bench.rest()
        bench.user.is_mute = True
        bench.exchange.fill(order, D("0.4"), D(100))
        bench.exchange.fill(order, D("0.3"), D("99.99"))
        bench.exchange.end(order)
        bench.broker.hide_fills_until_ns = bench.clock.monotonic_ns() + 1 * S
        bench.edge.on_user(order.report())
        await bench.after(3)
        kinds = [type(event) for event in bench.events if isinstance(event, OrderFilled | OrderCancelled)]
        assert kinds == [OrderFilled, OrderFilled, OrderCancelled]
        assert not [alert for alert in bench.trader.drain_alerts() if alert.code == "FILL_MISMATCH"]
        bench.check_accounts()

    on_bench(work)


def test_executions_that_never_come_pause_and_then_halt() -> None:
    async def work(bench: EdgeBench) -> None:
        order = await bench.rest()
        bench.user.is_mute = True
        bench.exchange.fill(order, D("0.4"), D(100))
        bench.exchange.fill(order, D("0.3"), D("99.99"))
        bench.broker.hide_fills_until_ns = bench.clock.monotonic_ns() + 90 * S
        bench.edge.on_user(order.report())
        await bench.after(100, 0.25)
        assert bench.holds("MISSING_FILLS") == [Restraint.PAUSED, Restraint.LATCHED, Restraint.NONE]
        bench.check_accounts()

    on_bench(work)


def test_fills_while_the_process_was_dead_are_imported_once() -> None:
    async def work(bench: EdgeBench) -> None:
        part, whole, gone = [await bench.rest(price=str(95 + n)) for n in range(3)]
        bench.exchange.fill(part, D("0.2"))
        await bench.after(0.1)
        await bench.crash()
        bench.exchange.fill(part, D("0.3"), D("94.5"))
        bench.exchange.fill(whole, D("0.5"), D("95.5"))
        bench.exchange.fill(whole, D("0.5"), D("95.6"))
        bench.exchange.end(gone)
        await bench.start()
        await bench.after(3)
        assert bench.own(part.client_id).state is OrderState.PARTIALLY_FILLED
        assert bench.own(whole.client_id).state is OrderState.FILLED
        assert bench.own(gone.client_id).state is OrderState.CANCELLED
        assert bench.holds("RECONCILE")[-1] is Restraint.NONE
        bench.check_accounts()
        bench.check_open_sets()

    on_bench(work)


def test_an_orphan_is_cancelled_and_its_fills_are_booked() -> None:
    async def work(bench: EdgeBench) -> None:
        orphan = bench.exchange.place(ClientIds(98).next(), Side.SELL, D(120), D(2))
        bench.exchange.fill(orphan, D("0.5"))
        bench.edge.reconcile_now()
        await bench.after(4)
        assert orphan.status == "CANCELLED"
        assert "ORPHAN" in bench.warnings
        bench.check_accounts()

    on_bench(work)


def test_an_order_that_the_record_has_forgotten_is_not_booked_again() -> None:
    async def work(bench: EdgeBench) -> None:
        order = await bench.rest()
        bench.exchange.fill(order, D("0.4"))
        bench.exchange.fill(order, D("0.6"))
        await bench.after(0.1)
        await bench.crash()
        state = bench.trader.orders.save()
        bench.trader.orders.load(type(state)(**{**_fields(state), "ended": ()}), {})
        await bench.start()
        await bench.after(35, 0.25)
        assert len(bench.of(OrderFilled)) == 2
        bench.check_accounts()

    on_bench(work)


def test_an_order_that_the_record_has_forgotten_is_booked_from_where_it_stopped() -> None:
    async def work(bench: EdgeBench) -> None:
        order = await bench.rest()
        bench.exchange.fill(order, D("0.4"), D("99.9"))
        bench.exchange.end(order)
        await bench.after(0.1)
        await bench.crash()
        state = bench.trader.orders.save()
        bench.trader.orders.load(type(state)(**{**_fields(state), "ended": ()}), {})
        bench.exchange.fill(order, D("0.2"))
        await bench.start()
        await bench.after(5)
        assert [fill.size for fill in bench.of(OrderFilled)] == [400, 200]
        bench.check_accounts()

    on_bench(work)


def test_what_was_filled_before_the_record_began_is_in_its_opening_balances() -> None:
    async def work(bench: EdgeBench) -> None:
        await bench.edge.stop()
        orphan = bench.exchange.place(ClientIds(98).next(), Side.SELL, D(120), D(2))
        bench.exchange.fill(orphan, D("0.5"))
        await bench.after(1)
        bench.opened_ns = bench.clock.wall_ns()
        await bench.crash()
        bench.exchange.fill(orphan, D("0.25"))
        await bench.start()
        await bench.after(5)
        assert orphan.status == "CANCELLED"
        assert [fill.size for fill in bench.of(OrderFilled)] == [250]

    on_bench(work)


def _fields(state: object) -> dict[str, object]:
    return {name: getattr(state, name) for name in state.__struct_fields__}  # type: ignore[attr-defined]


def test_a_fill_that_was_never_told_is_found_and_halts() -> None:
    async def work(bench: EdgeBench) -> None:
        order = await bench.rest()
        bench.exchange.fill(order, D("0.4"))
        bench.exchange.end(order)
        await bench.after(0.1)
        bench.user.is_mute = True
        order.status = "OPEN"  # the venue filled it once more after its end, and told nobody
        bench.exchange.fill(order, D("0.1"))
        order.status = "CANCELLED"
        await bench.after(45, 0.25)
        assert bench.holds("DROPCOPY") == [Restraint.LATCHED]
        bench.check_accounts()

    on_bench(work)


def test_other_fees_than_we_were_told_halt() -> None:
    async def work(bench: EdgeBench) -> None:
        order = await bench.rest()
        fill = bench.exchange.fill(order, D("0.4"))
        await bench.after(0.1)
        other = type(fill)(**{**_fields(fill), "fee": fill.fee * 2})
        bench.exchange.executed[-1] = other
        await bench.after(45, 0.25)
        assert bench.holds("DROPCOPY") == [Restraint.LATCHED]

    on_bench(work)


def test_fills_that_agree_are_confirmed_in_silence() -> None:
    async def work(bench: EdgeBench) -> None:
        for n in range(3):
            order = await bench.rest(price=str(90 + n))
            bench.exchange.fill(order, D("0.4"))
            bench.exchange.fill(order, D("0.6"), D("89.99"))
        await bench.after(100, 0.25)
        assert not bench.holds("DROPCOPY")
        assert bench.holds("RECONCILE")[-1] is Restraint.NONE

    on_bench(work)


def test_money_that_we_did_not_move_halts_until_a_person_accepts_it() -> None:
    async def work(bench: EdgeBench) -> None:
        bench.exchange.opening[X.base] = OPENING.base - D("0.002")
        await bench.after(35, 0.25)
        assert bench.holds("RECONCILE")[-1] is Restraint.LATCHED
        count = len(bench.events)
        await bench.edge.accept_balances()
        await bench.after(100, 0.25)
        assert len(bench.events) == count

    on_bench(work)


def test_one_lot_off_is_rounding() -> None:
    async def work(bench: EdgeBench) -> None:
        bench.exchange.opening[X.base] = OPENING.base - X.lot
        await bench.after(35, 0.25)
        assert bench.holds("RECONCILE")[-1] is Restraint.NONE

    on_bench(work)


def test_two_orders_under_one_id_halt_and_the_second_one_goes() -> None:
    async def work(bench: EdgeBench) -> None:
        order = await bench.rest()
        twin = bench.exchange.place(order.client_id, order.side, D(100), D(1))
        await bench.after(3)
        assert twin.status == "CANCELLED"
        assert Restraint.LATCHED in bench.holds("RECONCILE")

    on_bench(work)
