"""An order that the venue did not know for a while, and that lives."""

from __future__ import annotations

from edge_bench import EdgeBench, on_bench

from engine.core.order import OrderState
from engine.exchange.coinbase.broker import OrderRef
from engine.exchange.coinbase.wire.user import OrderReport


def test_an_order_taken_for_gone_that_the_user_channel_shows_live_is_cancelled_at_once() -> None:
    async def work(bench: EdgeBench) -> None:
        order = await bench.rest()
        find, asked = bench.broker._find, bench.broker.order

        async def unknown(ref: OrderRef) -> OrderReport | None:
            await asked(ref)
            return None

        bench.broker._find = lambda ref: None  # type: ignore[method-assign]
        bench.broker.order = unknown  # type: ignore[method-assign]
        bench.ask_cancel(order.client_id)
        await bench.after(1)
        assert bench.own(order.client_id).state is OrderState.CANCELLED
        bench.broker._find, bench.broker.order = find, asked  # type: ignore[method-assign]
        bench.edge.on_user(order.report())
        await bench.after(0.2)
        assert order.status == "CANCELLED"

    on_bench(work, can_find=True)


def test_an_old_word_after_the_venues_own_end_revives_nothing() -> None:
    async def work(bench: EdgeBench) -> None:
        order = await bench.rest()
        old = order.report()
        bench.ask_cancel(order.client_id)
        await bench.after(1)
        bench.edge.on_user(old)
        await bench.after(1)
        assert bench.warnings == []

    on_bench(work, can_find=True)
