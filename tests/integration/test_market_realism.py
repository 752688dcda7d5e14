"""The simulated market as our own market maker meets it, with the settings that ship."""

from __future__ import annotations

from collections.abc import Sequence

from trader_bench import D, configured

from engine.core.clock import SystemClock
from engine.core.events import Alert, OrderFilled
from engine.core.instrument import Instrument
from engine.runtime.builder import build_engine, build_market
from engine.runtime.desk import Desk
from engine.runtime.observers import WakeUp
from engine.telemetry.markout_sums import MarkoutSums
from engine.telemetry.markouts import Markouts

S = 1_000_000_000


class MarkoutWatcher:
    """Marks every fill of ours to the mids that follow it."""

    def __init__(self, instrument: Instrument) -> None:
        self.markouts = Markouts(instrument)

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        for event in wake.events:
            if isinstance(event, OrderFilled):
                self.markouts.on_fill(event)
        now = wake.events[-1].recv_ns
        self.markouts.on_mid(now, desk.trader.book.mid())
        self.markouts.on_time(now)

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None:
        pass

    def on_status(self, now_ns: int) -> None:
        pass


async def after_ten_seconds(seed: int) -> MarkoutSums:
    config = configured(
        engine__speed="max",
        engine__duration_s=D(400),
        simulator__seed=seed,
        strategy__min_quote_life_ms=500,
    )
    market = build_market(config)
    watcher = MarkoutWatcher(market.desks[0].trader.instrument)
    await build_engine(config, market, SystemClock(), watcher, status_interval_ns=S).run()
    return watcher.markouts.total()[2]


async def test_being_filled_costs_what_follows():
    """The spread is captured, and the mid then moves against the fill: adverse selection, net of noise."""
    captured = adverse = fills = 0
    for seed in (1, 2, 3):
        sums = await after_ten_seconds(seed)
        captured += sums.captured
        adverse += sums.adverse_selection
        fills += sums.fills
    assert fills > 200
    assert captured > 0
    # Between a tenth and nine tenths of what was captured is lost within ten seconds.
    assert -0.9 * captured < adverse < -0.1 * captured
