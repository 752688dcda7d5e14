"""Every setting of the simulator acts: one test per field, and one that fails for a field without a test."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections import ChainMap
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from simulator_kit import (
    BTC,
    SECOND,
    Check,
    Driver,
    exchange,
    near_poisson,
    quiet,
    ran,
    root_mean_square,
    updates,
)
from simulator_kit import effect as register_effect
from simulator_venue_effects import VENUE_EFFECTS

from engine.core.errors import UsageError
from engine.core.events import BookSnapshot, TradePrint
from engine.core.order import Side
from engine.exchange.simulator.exchange import SimulatedExchange
from engine.exchange.simulator.randomness import named_random
from engine.exchange.simulator.settings import SimulatorSettings
from engine.exchange.simulator.value_process import STEP_NS, ValueProcess

MINUTE = 60 * SECOND
EFFECTS: dict[str, Check] = {}
ALL = ChainMap(EFFECTS, VENUE_EFFECTS)
effect = partial(register_effect, EFFECTS)


def snapshot(driver: Driver) -> BookSnapshot:
    driver.run(SECOND // 10)
    first = driver.market[0]
    assert isinstance(first, BookSnapshot)
    return first


def maker_orders(**settings: Any) -> list[tuple[int, int]]:
    """(price, size) of the makers' opening bids; the ladder's single level is far below them."""
    driver = quiet(liquidity_levels=1, liquidity_spacing_bps=100, liquidity_size_base=5.0, **settings)
    bids = [each for each in driver.exchange.market.book.orders() if each.side is Side.BUY]
    return [(each.price or 0, each.size) for each in bids if each.size != BTC.lots(5)]


def taker_orders(driver: Driver) -> dict[int, list[TradePrint]]:
    """Prints by the order that took, told apart by their exchange time."""
    taken: dict[int, list[TradePrint]] = {}
    for each in driver.prints:
        taken.setdefault(each.exchange_ns, []).append(each)
    return taken


def log_returns(hours: float, **settings: Any) -> list[float]:
    """Log returns of the latent value, step by step."""
    chosen = SimulatorSettings(**{"volatility_pct_sqrt_min": 0.0, "jump_rate_per_hour": 0.0, **settings})
    process = ValueProcess(chosen, 6_500_000.0, named_random(chosen.seed, "value"))
    values = [process.now]
    for step in range(1, int(hours * 3600 * SECOND) // STEP_NS + 1):
        process.advance(step * STEP_NS)
        values.append(process.now)
    return [math.log(after / before) for before, after in pairwise(values)]


def test_every_setting_has_a_test() -> None:
    assert set(ALL) == {field.name for field in dataclasses.fields(SimulatorSettings)}


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(SimulatorSettings)])
def test_setting_acts(name: str) -> None:
    ALL[name]()


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"start_price": 0.0}, "simulator.start_price = 0.0: must be above 0 quote"),
        ({"volatility_pct_sqrt_min": float("nan")}, "simulator.volatility_pct_sqrt_min = nan"),
        ({"taker_rate_per_min": -1.0}, "simulator.taker_rate_per_min = -1.0: must be at least 0"),
        ({"order_latency_jitter_ms": 16.0}, "simulator.order_latency_jitter_ms = 16.0: must be at most"),
        ({"informed_share": 0.6, "sweep_share": 0.6}, "together they must be at most 1"),
        ({"start_time": "yesterday"}, "simulator.start_time = 'yesterday': must be a UTC time"),
        ({"start_time": "2026-01-05T09:00:00"}, "must be a UTC time"),
        ({"duplicate_answer": "both"}, "must be one of original, reject"),
        ({"feed_batch_ms": 0.5}, "simulator.feed_batch_ms = 0.5: must be 0, or at least 1 ms"),
        ({"start_price": 0.99}, "BTC-USD moves in steps of 0.01, too coarse for a market at that price"),
        ({"rate_limit_per_s": 0}, "simulator.rate_limit_per_s = 0: must be at least 1"),
    ],
)
def test_impossible_settings_are_refused_with_a_reason(settings: dict[str, Any], word: str) -> None:
    with pytest.raises(UsageError) as refused:
        exchange(**settings)
    assert word in str(refused.value)


def test_a_start_price_is_needed_and_a_hundred_ticks_are_enough() -> None:
    assert exchange(start_price=1.0).settings.start_price == 1.0
    with pytest.raises(UsageError, match=r"simulator\.start_price: no price of BTC-USD is known"):
        SimulatedExchange(BTC, SimulatorSettings(), exchange().account)


def test_a_product_gets_its_own_price_and_sizes_of_the_same_value() -> None:
    plain = SimulatorSettings(taker_size_factor=0.7)
    ether = plain.for_product(1919.0, 34.0)
    assert (ether.start_price, ether.liquidity_size_base, ether.order_size_base) == (
        1919.0,
        pytest.approx(0.68),
        pytest.approx(0.068),
    )
    assert ether.taker_size_factor == 0.7
    assert SimulatorSettings(start_price=5.0).for_product(1919.0, 34.0).start_price == 5.0


# -- the run --------------------------------------------------------------------------------------


@effect("seed")
def _() -> None:
    one, two = Driver(exchange(seed=1)), Driver(exchange(seed=2))
    one.run(5 * SECOND)
    two.run(5 * SECOND)
    assert one.market != two.market


@effect("start_time")
def _() -> None:
    event = snapshot(quiet(start_time="1970-01-01T01:00:00+00:00", feed_latency_ms=20.0))
    assert event.exchange_ns == 3600 * SECOND
    assert event.wall_ns == 3600 * SECOND + event.recv_ns == 3600 * SECOND + 20_000_000


# -- the latent value -----------------------------------------------------------------------------


@effect("start_price")
def _() -> None:
    event = snapshot(quiet(start_price=2000.0, maker_count=0, liquidity_spacing_bps=1))
    assert max(event.bids)[0] == 199_980
    assert min(event.asks)[0] == 200_020


@effect("volatility_pct_sqrt_min")
def _() -> None:
    for volatility in (0.02, 0.1):
        returns = log_returns(1, volatility_pct_sqrt_min=volatility)
        per_sqrt_min = 100 * root_mean_square(returns) * math.sqrt(MINUTE / STEP_NS)
        assert per_sqrt_min == pytest.approx(volatility, rel=0.02)


@effect("drift_pct_per_hour")
def _() -> None:
    assert sum(log_returns(0.5, drift_pct_per_hour=4.0)) == pytest.approx(0.02)
    assert sum(log_returns(0.5, drift_pct_per_hour=-4.0)) == pytest.approx(-0.02)


@effect("jump_rate_per_hour")
def _() -> None:
    assert not any(log_returns(0.1))
    assert near_poisson(sum(1 for each in log_returns(1, jump_rate_per_hour=600) if each), 600)


@effect("jump_size_bps")
def _() -> None:
    for size in (5.0, 20.0):
        jumps = [each for each in log_returns(1, jump_rate_per_hour=3600, jump_size_bps=size) if each]
        assert 1e4 * root_mean_square(jumps) == pytest.approx(size, rel=0.1)


# -- the ladder -----------------------------------------------------------------------------------


@effect("liquidity_levels")
def _() -> None:
    for levels in (1, 7):
        event = snapshot(quiet(maker_count=0, liquidity_levels=levels))
        assert len(event.bids) == len(event.asks) == levels


@effect("liquidity_spacing_bps")
def _() -> None:
    for spacing in (0.5, 2.0):
        event = snapshot(quiet(maker_count=0, liquidity_spacing_bps=spacing))
        prices = sorted(price for price, _ in event.asks)
        assert statistics.mean(b - a for a, b in pairwise(prices)) == pytest.approx(
            6_508_366 * spacing * 1e-4, abs=1
        )


@effect("liquidity_size_base")
def _() -> None:
    event = snapshot(quiet(maker_count=0, liquidity_size_base=0.125))
    assert {size for _, size in event.bids + event.asks} == {BTC.lots("0.125")}


@effect("liquidity_refresh_ms")
def _() -> None:
    for refresh in (100.0, 500.0):
        driver = ran(
            10, maker_count=0, liquidity_refresh_ms=refresh, feed_batch_ms=0.0, volatility_pct_sqrt_min=1
        )
        assert abs(len(updates(driver)) - 10_000 / refresh) <= 1


# -- participants ---------------------------------------------------------------------------------


@effect("order_size_base")
def _() -> None:
    orders = maker_orders(order_size_base=0.03, maker_size_factor=2.0, maker_size_sigma=0.0)
    assert {size for _, size in orders} == {BTC.lots("0.06")}


@effect("maker_count")
def _() -> None:
    assert not maker_orders(maker_count=0)
    assert len(maker_orders(maker_count=5, maker_orders_per_side=3, maker_noise_bps=0.0)) == 15


@effect("maker_rate_per_min")
def _() -> None:
    for rate in (60.0, 600.0):
        driver = ran(60, maker_rate_per_min=rate, liquidity_refresh_ms=1e9, feed_batch_ms=0.0)
        assert near_poisson(len(updates(driver)), rate)


@effect("maker_size_factor")
def _() -> None:
    small = maker_orders(maker_size_factor=1.0, maker_size_sigma=0.0)
    large = maker_orders(maker_size_factor=4.0, maker_size_sigma=0.0)
    assert {size for _, size in small} == {BTC.lots("0.002")}
    assert {size for _, size in large} == {BTC.lots("0.008")}


@effect("maker_size_sigma")
def _() -> None:
    for sigma in (0.5, 1.5):
        sizes = [
            math.log(size) for _, size in maker_orders(maker_size_sigma=sigma, maker_orders_per_side=100)
        ]
        assert statistics.stdev(sizes) == pytest.approx(sigma, rel=0.15)


@effect("maker_orders_per_side")
def _() -> None:
    for count in (2, 9):
        assert len(maker_orders(maker_count=3, maker_orders_per_side=count, maker_noise_bps=0.0)) == 3 * count


@effect("maker_half_spread_bps")
def _() -> None:
    for half_spread in (1.0, 5.0):
        best, _ = max(maker_orders(maker_half_spread_bps=half_spread, maker_noise_bps=0.0))
        assert best == math.floor(6_508_366 * (1 - half_spread * 1e-4))


@effect("maker_depth_bps")
def _() -> None:
    # Half of the orders stand at the view, the others at an exponential distance with this mean.
    for depth in (1.0, 4.0):
        orders = maker_orders(
            maker_depth_bps=depth, maker_half_spread_bps=0.0, maker_noise_bps=0.0, maker_orders_per_side=100
        )
        distances = [1e4 * (6_508_366 - price) / 6_508_366 for price, _ in orders]
        assert statistics.mean(distances) == pytest.approx(depth / 2, rel=0.2)


@effect("maker_noise_bps")
def _() -> None:
    def prices(noise: float) -> set[int]:
        return {price for price, _ in maker_orders(maker_noise_bps=noise, maker_depth_bps=0.0)}

    assert len(prices(0.0)) == 1
    assert len(prices(0.5)) > 2
    assert statistics.pstdev(prices(5.0)) > 3 * statistics.pstdev(prices(0.5))


@effect("taker_rate_per_min")
def _() -> None:
    assert not ran(10).prints
    for rate in (60.0, 600.0):
        driver = ran(60, taker_rate_per_min=rate, sweep_share=0.0, informed_share=0.0)
        assert near_poisson(len(taker_orders(driver)), rate)


@effect("taker_size_factor")
def _() -> None:
    for factor, size in ((0.5, "0.001"), (2.0, "0.004")):
        driver = ran(
            30,
            taker_rate_per_min=120,
            taker_size_factor=factor,
            taker_size_sigma=0.0,
            sweep_share=0.0,
            informed_share=0.0,
            liquidity_size_base=1.0,
            maker_count=0,
        )
        assert {each.size for each in driver.prints} == {BTC.lots(size)}


@effect("taker_size_sigma")
def _() -> None:
    for sigma in (0.3, 0.6):
        driver = ran(
            60,
            taker_rate_per_min=600,
            taker_size_sigma=sigma,
            sweep_share=0.0,
            informed_share=0.0,
            liquidity_size_base=5.0,
            maker_count=0,
        )
        orders = [sum(each.size for each in prints) for prints in taker_orders(driver).values()]
        assert statistics.stdev(math.log(size) for size in orders) == pytest.approx(sigma, rel=0.15)


def volume(driver: Driver) -> int:
    return sum(each.size for each in driver.prints)


@effect("sweep_share")
def _() -> None:
    calm = ran(30, taker_rate_per_min=60, sweep_share=0.0, informed_share=0.0, taker_size_sigma=0.0)
    hasty = ran(30, taker_rate_per_min=60, sweep_share=1.0, informed_share=0.0, taker_size_sigma=0.0)
    assert volume(hasty) > 10 * volume(calm) > 0


@effect("sweep_depth_bps")
def _() -> None:
    for depth in (1.0, 4.0):
        # Time enough between two takers for the ladder to be whole again.
        driver = ran(
            500,
            taker_rate_per_min=12,
            sweep_share=1.0,
            informed_share=0.0,
            sweep_depth_bps=depth,
            maker_count=0,
            liquidity_levels=100,
            liquidity_spacing_bps=0.25,
            liquidity_refresh_ms=20.0,
        )
        depths = [
            1e4 * abs(prints[-1].price - prints[0].price) / prints[0].price
            for prints in taker_orders(driver).values()
        ]
        assert len(depths) > 70
        assert statistics.mean(depths) == pytest.approx(depth, rel=0.4)


@effect("sweep_impact")
def _() -> None:
    def variation(impact: float) -> float:
        """Sum of squared moves of the value, which nothing else moves here."""
        simulated = exchange(
            taker_rate_per_min=60,
            sweep_share=1.0,
            sweep_impact=impact,
            informed_share=0.0,
            volatility_pct_sqrt_min=0.0,
            jump_rate_per_hour=0.0,
        )
        values = []
        for second in range(300):
            simulated.advance(second * 1_000_000_000)
            values.append(math.log(simulated.market.value.now))
        return sum((after - before) ** 2 for before, after in pairwise(values))

    assert variation(0.0) == 0.0
    assert variation(0.6) == pytest.approx(9 * variation(0.2), rel=0.5)


@effect("informed_share")
def _() -> None:
    def losses(share: float) -> int:
        """Takers who bought what fell over their horizon, or sold what rose. The informed never do."""
        driver = quiet(
            taker_rate_per_min=120, informed_share=share, sweep_share=0.0, volatility_pct_sqrt_min=0.1
        )
        values: list[float] = []
        for step in range(MINUTE // STEP_NS):
            driver.exchange.market.value.advance(step * STEP_NS)
            values.append(driver.exchange.market.value.ahead)
            driver.exchange.advance((step + 1) * STEP_NS - 1)
        driver.market += driver.exchange.feed.poll(MINUTE)
        start = driver.exchange.settings.start_wall_ns
        wrong = 0
        for each in driver.prints:
            known = values[(each.exchange_ns - start) // STEP_NS]
            wrong += each.taker_side * (known - each.price) < 0
        assert len(driver.prints) > 30
        return wrong

    assert losses(1.0) == 0
    assert losses(0.0) > 20


@effect("informed_horizon_s")
def _() -> None:
    for horizon in (0.0, 5.0):
        market = exchange(informed_horizon_s=horizon).market
        ahead = market.value.ahead
        market.value.advance(int(horizon * SECOND))
        assert market.value.now == ahead


@effect("informed_size_factor")
def _() -> None:
    for factor, size in ((1.0, "0.002"), (5.0, "0.01")):
        driver = ran(
            60,
            taker_rate_per_min=60,
            informed_share=1.0,
            sweep_share=0.0,
            informed_size_factor=factor,
            taker_size_sigma=0.0,
            volatility_pct_sqrt_min=0.2,
            liquidity_size_base=1.0,
            maker_count=0,
        )
        assert {each.size for each in driver.prints} == {BTC.lots(size)}


@effect("noise_rate_per_min")
def _() -> None:
    assert not ran(10, noise_rate_per_min=0.0).prints
    # Half of them take.
    assert near_poisson(len(taker_orders(ran(60, noise_rate_per_min=600.0))), 300)


@effect("noise_size_factor")
def _() -> None:
    for factor, size in ((0.5, "0.001"), (1.0, "0.002")):
        driver = ran(30, noise_rate_per_min=120, noise_size_factor=factor, taker_size_sigma=0.0)
        assert max(each.size for each in driver.prints) == BTC.lots(size)


@effect("arbitrageur_rate_per_min")
def _() -> None:
    assert not ran(60, volatility_pct_sqrt_min=0.2).prints
    slow = ran(60, volatility_pct_sqrt_min=0.2, arbitrageur_rate_per_min=10.0)
    fast = ran(60, volatility_pct_sqrt_min=0.2, arbitrageur_rate_per_min=600.0)
    assert 0 < len(taker_orders(slow)) < len(taker_orders(fast))


@effect("arbitrageur_size_factor")
def _() -> None:
    for factor in (1.0, 8.0):
        driver = ran(
            60, volatility_pct_sqrt_min=0.2, arbitrageur_rate_per_min=60.0, arbitrageur_size_factor=factor
        )
        most = max(sum(each.size for each in prints) for prints in taker_orders(driver).values())
        assert most == BTC.lots("0.002") * factor


@effect("arbitrageur_margin_bps")
def _() -> None:
    def count(margin: float) -> int:
        driver = ran(
            60, volatility_pct_sqrt_min=0.2, arbitrageur_rate_per_min=600.0, arbitrageur_margin_bps=margin
        )
        return len(driver.prints)

    assert count(0.0) > count(3.0) > 0
    assert count(900.0) == 0
