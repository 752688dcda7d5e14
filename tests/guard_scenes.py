"""Markets in which every guard of the risk section and the circuit breaker has something to do."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from trader_bench import MS, D, TraderBench, X, one_side, submits

from engine.core.events import BookUpdate, FeedState, OrderExpired, TradePrint
from engine.core.order import BUY
from engine.risk.breaker_settings import BreakerSettings

S = 1_000 * MS


class GuardCase(NamedTuple):
    """Another value of a key, the scene in which it acts, and the settings of that scene."""

    value: str
    scene: Callable[[TraderBench], None]
    fixed: Mapping[str, Any] = {}


def at(bench: TraderBench, mid: str, half_spread: str = "1") -> None:
    """A market around a mid."""
    bench.market(str(D(mid) - D(half_spread)), str(D(mid) + D(half_spread)))


def settle(bench: TraderBench, ms: int = 1_000) -> None:
    """Time passes and the venue keeps up with everything; what takes expires."""
    commands = bench.step(ms)
    bench.accept(commands)
    bench.prove(commands)
    for order in submits(commands):
        if order.purpose != "quote":
            bench.tell(OrderExpired("X-USD", bench.now, bench.now, order.client_id, order.size))


def restless(bench: TraderBench) -> None:
    """The price moves all the time."""
    for number in range(60):
        at(bench, str(10_000 + 3 * (number % 4)))
        settle(bench, 100)


def renewed(bench: TraderBench) -> None:
    """Old orders are replaced at the same price, and no cancel is proven."""
    at(bench, "10000")
    for _ in range(14):
        bench.accept(bench.step(1_000))


def swept(bench: TraderBench) -> None:
    """Bids are filled in pieces within a moment; then a minute of calm."""
    at(bench, "10000")
    for _ in range(3):
        settle(bench)
    for order in one_side([order.command for order in bench.trader.orders.open_orders()], 1)[:2]:
        for _ in range(3):
            bench.fill(order, 3)
    settle(bench, 0)
    for _ in range(60):
        settle(bench)


def torn(bench: TraderBench) -> None:
    """A spread that is no market, then a jump; before each three minutes of calm, and after."""
    at(bench, "10000")
    for _ in range(90):
        settle(bench, 2_000)
    for mid, half_spread in (("10000", "400"), ("10350", "1")):
        at(bench, mid, half_spread)
        settle(bench, 500)
        at(bench, mid)
        for _ in range(90):
            settle(bench, 2_000)


def wild(bench: TraderBench) -> None:
    """A price that swings by 0.3 % every other second and ends where it began; then calm."""
    for number in range(80):
        at(bench, str(10_000 + 30 * (number // 2 % 2)))
        settle(bench)
    for _ in range(90):
        settle(bench)


def drifting(bench: TraderBench) -> None:
    """Five minutes of a price that rises by 1.5 % every other minute, and five of calm."""
    for step in range(4):
        at(bench, str(10_000 + 150 * step))
        for _ in range(80):
            settle(bench)


def troubled(bench: TraderBench) -> None:
    """The book is lost, data comes late, a minute's volume is odd; time to recover between them."""
    for minute in range(33):
        size = 10 if minute % 32 < 31 else 600
        bench.tell(TradePrint("X-USD", bench.now, bench.now, minute + 1, X.ticks("10000"), size, BUY))
        at(bench, "10000")
        for _ in range(3):
            settle(bench, 20_000)
    for _ in range(20):
        bench.now += 100 * MS
        bench.tell(BookUpdate("X-USD", bench.now, bench.now + S, [(X.ticks("9990"), 7)], [], bench.now))
        settle(bench, 0)
    for _ in range(80):
        settle(bench)
    for _ in range(2):
        bench.feed(FeedState.STALE)
        bench.feed(FeedState.LIVE)
        settle(bench)
    for _ in range(80):
        settle(bench)


def risky(bench: TraderBench) -> None:
    """Four minutes of a price that moves by ever more, with a position from the first one on."""
    at(bench, "10000")
    settle(bench)
    settle(bench)
    bids = one_side([order.command for order in bench.trader.orders.open_orders()], 1)
    for order in bids[:2]:
        bench.fill(order)
    for number in range(240):
        at(bench, str(10_000 + number % 7 * (number % 11) * (1 if number < 120 else 3)))
        settle(bench)


def losing(bench: TraderBench) -> None:
    """Bids are filled, and the price falls by half a percent."""
    at(bench, "10000")
    settle(bench)
    settle(bench)
    for order in one_side([order.command for order in bench.trader.orders.open_orders()], 1):
        bench.fill(order)
    at(bench, "9950")
    for _ in range(3):
        settle(bench)


LIVE_BREAKER = {
    f"breaker__{key}": value for key, value in dataclasses.asdict(BreakerSettings.for_mode("live")).items()
}
RATE = {"risk__max_orders_per_s": 20, "risk__max_order_burst": 6}
FILLS = {"risk__max_fills_per_s": 4, "risk__max_order_size_base": D("0.01")}
PRICES = {"risk__max_spread_pct": D(5), "risk__max_mid_move_pct": D(3)}
VAR = {"risk__max_var": D("1.5"), "risk__var_interval_s": 1, "risk__var_samples": 100}
GUARD_CASES: dict[str, GuardCase] = {
    "risk.max_daily_loss": GuardCase("0.1", losing),
    "risk.max_drawdown": GuardCase("0.1", losing),
    "risk.max_orders_per_s": GuardCase("1", restless, RATE),
    "risk.max_order_burst": GuardCase("2", restless, RATE),
    "risk.order_wait_ms": GuardCase(
        "0",
        restless,
        {"risk__max_orders_per_s": 5, "risk__max_order_burst": 2, "strategy__quote_update_interval_ms": 300},
    ),
    "risk.runaway_ratio": GuardCase("1", renewed, {"strategy__wait_cancel_ack": False}),
    "risk.max_fills_per_s": GuardCase("100", swept, FILLS),
    "risk.max_filled_orders_per_s": GuardCase(
        "1", swept, {"risk__max_order_size_base": D("0.01"), "strategy__order_quantity": D("0.01")}
    ),
    "risk.fill_hold_s": GuardCase("10", swept, FILLS),
    "risk.max_spread_pct": GuardCase("50", torn, PRICES),
    "risk.max_mid_move_pct": GuardCase("50", torn, PRICES),
    "risk.book_hold_s": GuardCase("60", torn, PRICES),
    "risk.max_var": GuardCase("1000", risky, VAR),
    "risk.var_confidence_pct": GuardCase("99.9", risky, VAR),
    "risk.var_method": GuardCase("parametric", risky, VAR),
    "risk.var_interval_s": GuardCase("2", risky, VAR),
    "risk.var_samples": GuardCase("150", risky, VAR),
    "breaker.move_1m_pct": GuardCase("4", torn, LIVE_BREAKER),
    "breaker.move_5m_pct": GuardCase("50", drifting, LIVE_BREAKER | {"breaker__move_5m_pct": D("2.5")}),
    "breaker.max_spread_bps": GuardCase("10000", torn, LIVE_BREAKER),
    "breaker.max_volatility": GuardCase("3", wild, LIVE_BREAKER | {"breaker__max_volatility": D(1)}),
    "breaker.volume_burst": GuardCase("1000", troubled, LIVE_BREAKER),
    "breaker.max_latency_ms": GuardCase("5000", troubled, LIVE_BREAKER | {"breaker__max_latency_ms": 500}),
    "breaker.max_disconnects": GuardCase("2", troubled, LIVE_BREAKER),
    "breaker.cooldown_s": GuardCase("10", torn, LIVE_BREAKER),
    "breaker.trial_s": GuardCase("10", torn, LIVE_BREAKER),
    "breaker.trial_size_pct": GuardCase("20", torn, LIVE_BREAKER),
}
