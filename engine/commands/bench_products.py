"""What more products in one engine cost each of them: tick to quote of the same product beside others.

The market is the simulator's, each product with one of its own. Only the engine's work counts: from the
moment the feeds have been read to the product's commands in the venue's hands, everything that other products
of the same wake-up do before it included.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from engine.commands.bench_timing import BenchResult
from engine.commands.bench_trader import bench_config
from engine.core.clock import SystemClock
from engine.runtime.builder import build_engine, build_market
from engine.runtime.observers import Observers
from engine.telemetry.histogram import Histogram
from engine.telemetry.process import QuietCollector

_PRODUCTS = (
    "BTC-USD", "ETH-USD", "SOL-USD", "LTC-USD", "BCH-USD", "AAVE-USD", "AVAX-USD", "LINK-USD"
)  # fmt: skip
_SIZE = Decimal("0.2")
"""Of every quote: worth enough to be an order in each of them."""
_S = 1_000_000_000


def bench_products(
    counts: Sequence[int] = (1, 2, 4, 8), seconds: int = 6, rounds: int = 3
) -> list[BenchResult]:
    """Tick to quote of one product with so many in the engine: median, least and greatest p50 of the rounds.

    The rounds take turns. What the product trades must not depend on the others: each run has to send as many
    quotes as the product alone.
    """
    halves: dict[int, list[int]] = {count: [] for count in counts}
    tails: dict[int, list[int]] = {count: [] for count in counts}
    decided = 0
    quoted = set()
    for _ in range(rounds):
        for count in counts:
            summary, quotes = _run(_PRODUCTS[:count], seconds)
            halves[count].append(summary["p50"])
            tails[count].append(summary["p99"])
            quoted.add(quotes)
            decided = summary["count"]
    assert len(quoted) == 1, f"what {_PRODUCTS[0]} trades depends on the others: {quoted} quotes"
    assert min(quoted) > 5 * seconds, "the product was hardly quoted"
    alone = statistics.median(halves[counts[0]])
    return [
        BenchResult(
            f"tick to quote, {count} product{'' if count == 1 else 's'}, p50",
            "ns",
            statistics.median(halves[count]),
            min(halves[count]),
            max(halves[count]),
            decided * rounds,
            f"{statistics.median(halves[count]) / alone:.2f} of the first; "
            f"p99 {statistics.median(tails[count]) / 1e3:,.0f} us; {min(quoted)} quotes a round",
            statistics.median(halves[count]),
        )
        for count in counts
    ]


def _run(symbols: tuple[str, ...], seconds: int) -> tuple[dict[str, int], int]:
    """A simulated market of these products: the latency of the first one, and its quotes."""
    config = bench_config()
    engine_settings = replace(
        config.engine, symbols=symbols, speed="max", duration_s=Decimal(seconds), timer_interval_ms=100
    )
    sizes = replace(
        config.strategy, order_quantity=_SIZE, min_order_quantity=_SIZE / 2, max_order_quantity=_SIZE
    )
    config = replace(config, engine=engine_settings, strategy=sizes)
    market = build_market(config)
    engine = build_engine(config, market, SystemClock(), Observers(), status_interval_ns=_S)
    with QuietCollector(Histogram()):
        outcome = asyncio.run(engine.run())
    assert not outcome.exit_code, outcome.reason
    assert all(desk.trader.quote_count for desk in market.desks), "a product was not quoted"
    desk = market.desks[0]
    return desk.latency.stage("tick_to_quote").summary(), desk.trader.quote_count
