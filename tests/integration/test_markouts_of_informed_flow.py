"""The simulator's informed takers see some seconds ahead, and our markouts show what that costs us."""

from __future__ import annotations

import math

from engine.commands.quoting_comparison import Markout, markouts
from engine.commands.quoting_run import run_quotes
from engine.exchange.coinbase.products import catalogue

SEEDS = (1, 2)
HORIZON_S = 10.0
MARKET = {
    # A quote at the touch and takers in plenty: a fill every other second.
    "strategy.base_spread_bps": "1",
    "strategy.min_spread_bps": "1",
    "strategy.volume_weight_factor": "0",
    "strategy.volatility_threshold": "1000",
    "strategy.levels": "1",
    "simulator.taker_rate_per_min": "1200",
    "simulator.maker_count": "1",
    "simulator.maker_rate_per_min": "60",
    "simulator.maker_noise_bps": "0",
    "simulator.maker_depth_bps": "5",
    "simulator.liquidity_levels": "10",
    "simulator.volatility_pct_sqrt_min": "0.1",
    # Nobody else knows anything.
    "simulator.noise_rate_per_min": "0",
    "simulator.arbitrageur_rate_per_min": "0",
    "simulator.sweep_share": "0",
    "simulator.jump_rate_per_hour": "0",
    "simulator.informed_horizon_s": f"{HORIZON_S:g}",
}


def curve(informed_share: str) -> dict[float, Markout]:
    """Markouts by horizon."""
    settings = {**MARKET, "simulator.informed_share": informed_share}
    runs = [run_quotes(seed, 2, settings) for seed in SEEDS]
    return {mark.horizon_s: mark for mark in markouts(runs, catalogue()["BTC-USD"])}


def difference(one: Markout, other: Markout) -> float:
    """How far the one lies below the other, in their standard errors."""
    assert one.bps is not None
    assert one.error_bps is not None
    assert other.bps is not None
    assert other.error_bps is not None
    return (other.bps - one.bps) / math.hypot(one.error_bps, other.error_bps)


def test_markouts_show_the_informed_flow_and_how_far_it_sees() -> None:
    nobody, some, many = curve("0"), curve("0.15"), curve("0.8")
    assert all(marks[HORIZON_S].fills > 1_000 for marks in (nobody, some, many))

    # Takers who know nothing leave no trace: what was captured stays.
    assert abs(difference(nobody[HORIZON_S], nobody[0.1])) < 2
    # The more of them know, the more a fill loses.
    assert difference(some[HORIZON_S], nobody[HORIZON_S]) > 2
    assert difference(many[HORIZON_S], some[HORIZON_S]) > 2
    for informed in (some, many):
        # What they knew comes true by their horizon: little at a tenth of it, no more beyond.
        assert difference(informed[HORIZON_S], informed[0.1]) > 3
        assert difference(informed[HORIZON_S], informed[1.0]) > 3
        assert abs(difference(informed[60.0], informed[HORIZON_S])) < 2
