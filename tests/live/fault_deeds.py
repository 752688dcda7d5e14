"""How the faults of the table are committed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal

from fault_bench import FaultBench, S
from fault_proxy import Door

from engine.core.order import Side

Inject = Callable[[FaultBench], Awaitable[None] | None]


def venue(*faults: str) -> Inject:
    """The venue commits these faults at their next occasions."""

    def inject(bench: FaultBench) -> None:
        bench.arm(*faults)

    return inject


def at_an_order(*faults: str) -> Inject:
    """The same, with an occasion: a stranger takes our bid, so that a new one is sent."""

    def inject(bench: FaultBench) -> None:
        bench.arm(*faults)
        take_bid(bench)

    return inject


def take_bid(bench: FaultBench) -> None:
    """A stranger fills our bid."""
    bid = next(order for order in bench.venue.core.live_orders() if order.side is Side.BUY)
    bench.stranger_takes(bid.client_order_id)


def market_reconnects(*faults: str) -> Inject:
    """The venue commits these faults when market data is connected anew, which it has to be now."""

    def inject(bench: FaultBench) -> None:
        bench.arm(*faults)
        bench.market.cut()

    return inject


async def market_refused(bench: FaultBench) -> None:
    await bench.market.refuse()
    bench.market.cut()


def no_names(bench: FaultBench) -> None:
    bench.loop.has_names = False
    bench.market.cut()


def no_network(bench: FaultBench) -> None:
    bench.loop.has_network = False
    bench.market.cut()


def no_descriptors(bench: FaultBench) -> None:
    bench.loop.has_descriptors = False
    bench.market.cut()


def half_open(bench: FaultBench) -> None:
    bench.market.swallow()


def down_only(bench: FaultBench) -> None:
    bench.market.down.is_swallowing = True


def orders_unheard(bench: FaultBench) -> None:
    """What we ask by REST vanishes, and there is something to ask."""
    bench.rest.up.is_swallowing = True
    take_bid(bench)


def late(seconds: float) -> Inject:
    def inject(bench: FaultBench) -> None:
        bench.market.down.delay_s, bench.market.down.jitter_s = seconds, seconds / 6

    return inject


def slow_line(bench: FaultBench) -> None:
    bench.market.down.bytes_per_s = 1_024


def sliced(bench: FaultBench) -> None:
    bench.market.down.slice_bytes = 1


def slammed(bench: FaultBench) -> None:
    bench.market.door = Door.SLAMMED
    bench.market.cut()


def frozen(bench: FaultBench) -> None:
    bench.market.up.freeze()


async def rest_refused(bench: FaultBench) -> None:
    await bench.rest.refuse()
    bench.rest.cut()
    take_bid(bench)


def user_half_open(bench: FaultBench) -> None:
    bench.user.swallow()


def fill_unheard(bench: FaultBench) -> None:
    """A stranger takes our bid while the user channel is half-open."""
    bench.user.swallow()
    take_bid(bench)


def user_reconnects(*faults: str) -> Inject:
    """As `market_reconnects`, for our own orders."""

    def inject(bench: FaultBench) -> None:
        bench.arm(*faults)
        bench.user.cut()

    return inject


def clock_steps(hours: int) -> Inject:
    def inject(bench: FaultBench) -> None:
        bench.engine_clock.step(hours * 3_600 * S)

    return inject


def clock_is_off(bench: FaultBench) -> None:
    bench.venue_clock.step(2 * S)


def loop_blocked(bench: FaultBench) -> None:
    """As if something had kept the loop for three seconds."""
    bench.clock.advance(3 * S)


def overfilled(bench: FaultBench) -> None:
    """Somebody doubles our bid behind our back, and a stranger takes all of it."""
    core = bench.venue.core
    bid = next(order for order in core.live_orders() if order.side is Side.BUY)
    assert bid.price is not None
    core.edit(bid.order_id, bid.price, 2 * bid.leaves)
    core.trade_against(bid.order_id)


def external(bench: FaultBench) -> None:
    """Another front end of the account places an order far from the market."""
    bench.venue.core.external_order(bench.product, Side.BUY, Decimal("0.01"), Decimal(10_000))


def cancels(*faults: str) -> Inject:
    """A person cancels all while the venue commits these faults."""

    def inject(bench: FaultBench) -> None:
        bench.arm(*faults)
        bench.cancel_all()

    return inject
