"""What is measured in the market, when it is believed, and what is used and said when it is not."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest
from model_bench import MS, SECOND, ModelBench, X, inputs, terms
from trader_bench import TraderBench

from engine.core.events import FeedState, TradePrint
from engine.core.order import BUY, SELL
from engine.core.volatility import Volatility
from engine.strategy.calibration import calibrated
from engine.strategy.fill_intensity import MOST_ARRIVALS, FillIntensity
from engine.strategy.model_market_maker import GlftMarketMaker
from engine.strategy.model_settings import ModelSettings

D = Decimal
MID = 2_000_000
"""10,000 in half ticks."""


def exponential_tape(fills: FillIntensity, seconds: int, k_per_tick: float, per_s: float, seed: int) -> int:
    """Trades on both sides whose depth beyond the mid is exponential; the time when it ends."""
    random, now = Random(seed), 0
    fills.on_mid(now, MID)
    for number in range(int(seconds * per_s)):
        now += int(SECOND / per_s)
        side = BUY if number % 2 else SELL
        depth = round(random.expovariate(k_per_tick))
        fills.on_trade(TradePrint("X-USD", now, now, number, MID // 2 + side.value * depth, 1, side))
        fills.on_mid(now, MID)
    return now


@pytest.mark.parametrize("k", [0.002, 0.01, 0.05])
def test_the_parameters_of_an_exponential_tape_are_found_again(k: float) -> None:
    fills = FillIntensity()
    now = exponential_tape(fills, 500, k, 1.8, seed=3)
    fit = fills.fit(now, 600)
    assert fit is not None
    assert fit.count == 900
    assert fit.window_s == pytest.approx(500, rel=0.01)
    assert fit.r_squared > 0.97
    assert fit.k_per_tick == pytest.approx(k, rel=0.15)
    assert fit.A_per_s == pytest.approx(0.9, rel=0.15), "each side meets half of the trades"


def test_the_many_trades_at_the_touch_do_not_hide_the_law_of_the_depths_where_quotes_stand() -> None:
    random, now, deep = Random(5), 0, 0.002
    near, all_of_them = FillIntensity(2e-4), FillIntensity()
    for fills in (near, all_of_them):
        fills.on_mid(0, MID)
    for number in range(2_000):
        now += SECOND // 4
        is_deep = number % 4 == 0
        depth = round(random.expovariate(deep)) if is_deep else random.randint(1, 30)
        side = BUY if number % 2 else SELL
        for fills in (near, all_of_them):
            fills.on_trade(TradePrint("X-USD", now, now, number, MID // 2 + side.value * depth, 1, side))
            fills.on_mid(now, MID)
    fit, misled = near.fit(now, 600), all_of_them.fit(now, 600)
    assert fit is not None
    assert misled is not None
    assert fit.k_per_tick == pytest.approx(deep, rel=0.15)
    assert fit.A_per_s == pytest.approx(0.5, rel=0.15), "of both sides one trade a second is deep"
    assert fit.r_squared > 0.97
    assert misled.k_per_tick > 4 * deep
    assert min(depth for _, depth in near.save().arrivals) >= 400, "two basis points, in half ticks"


@pytest.mark.parametrize("change", [{"model__min_half_spread_bps": D(3)}, {"allow_negative_edge": True}])
def test_another_least_half_spread_measures_anew(change: dict[str, Any]) -> None:
    settings = {"model__calibrate": True, "model__calib_min_fills": 3}
    bench = ModelBench("glft", fee="2", **settings)
    bench.look()
    for depth in (1, 3, 5, 7, 9):
        bench.trade(str(10_000 + depth), BUY)
        bench.look()
    assert "4 trades in " in inputs(bench.decide().quotes)["liquidity"], (
        "the first one was nearer than the fee"
    )
    bench.configure(**settings)
    assert "4 trades in " in inputs(bench.decide().quotes)["liquidity"]
    bench.configure(**settings, **change)
    assert "configured, 0 trades in 600 s" in inputs(bench.decide().quotes)["liquidity"]


def test_what_one_side_takes_between_two_books_is_one_arrival_as_deep_as_its_worst_price() -> None:
    fills = FillIntensity()
    fills.on_mid(0, MID)
    for number, ticks in enumerate((100, 300, 200)):
        fills.on_trade(TradePrint("X-USD", 1, 1, number, MID // 2 + ticks, 1, BUY))
    fills.on_trade(TradePrint("X-USD", 1, 1, 9, MID // 2 - 50, 1, SELL))
    fills.on_mid(2, MID)
    assert fills.save().arrivals == [(2, 600), (2, 100)]


def test_trades_before_a_mid_or_on_its_wrong_side_say_nothing() -> None:
    fills = FillIntensity()
    fills.on_trade(TradePrint("X-USD", 1, 1, 1, 100, 1, BUY))
    fills.on_mid(2, MID)
    fills.on_trade(TradePrint("X-USD", 3, 3, 2, MID // 2 - 5, 1, BUY))
    fills.on_mid(4, MID)
    assert fills.count(4, 600) == 0
    assert fills.fit(4, 600) is None


def test_time_in_which_nobody_watched_is_not_time_without_trades() -> None:
    fills = FillIntensity()
    now = exponential_tape(fills, 200, 0.01, 2, seed=3)
    before = fills.fit(now, 600)
    fills.on_trade(TradePrint("X-USD", now, now, 1, 2 * MID, 1, BUY))
    fills.interrupt()
    fills.on_trade(TradePrint("X-USD", now, now, 2, 2 * MID, 1, BUY))
    restored = FillIntensity()
    restored.load(fills.save())
    for each in (fills, restored):
        each.on_mid(now + 300 * SECOND, MID)
        after = each.fit(now + 300 * SECOND, 600)
        assert after == before, "neither the time nor what was printed meanwhile counts"
    far = fills.fit(now + 450 * SECOND, 500)
    assert far is not None
    assert far.window_s == pytest.approx(200, rel=0.01), "50 s before the silence and 150 s behind it"


def test_old_trades_leave_the_window_and_memory_is_bounded() -> None:
    fills = FillIntensity()
    now = exponential_tape(fills, 1_000, 0.01, 2, seed=1)
    assert fills.count(now, 600) == MOST_ARRIVALS
    fit = fills.fit(now, 600)
    assert fit is not None
    assert fit.window_s == pytest.approx(MOST_ARRIVALS / 2, rel=0.01), "the time of those remembered"
    assert fills.count(now, 100) == 200
    assert fills.count(now + 101 * SECOND, 100) == 0


def volatility(steps: int, jump: int) -> Volatility:
    gauge = Volatility()
    for second in range(steps + 2):
        gauge.on_mid(second * SECOND, MID + (jump if second % 2 else 0))
    return gauge


def test_the_volatility_of_the_mid_is_put_into_ticks_per_root_second() -> None:
    found = calibrated(ModelSettings(), 0, MID / 2, volatility(20, 200), FillIntensity())
    assert found.sigma_ticks_sqrt_s == pytest.approx(100, rel=0.001)
    assert found.sigma_source.startswith("measured over ")


@pytest.mark.parametrize(
    ("settings", "gauge", "said"),
    [
        (ModelSettings(), volatility(3, 200), "configured, 3 s are too few"),
        (ModelSettings(), volatility(20, 0), "configured, the mid did not move"),
        (ModelSettings(calibrate=False), volatility(20, 200), "configured"),
    ],
)
def test_an_unsound_volatility_is_as_configured(
    settings: ModelSettings, gauge: Volatility, said: str
) -> None:
    found = calibrated(settings, 0, MID / 2, gauge, FillIntensity())
    assert (found.sigma_ticks_sqrt_s, found.sigma_source) == (50, said)


def filled_with(depths: list[int]) -> FillIntensity:
    fills = FillIntensity()
    fills.on_mid(0, MID)
    for number, depth in enumerate(depths):
        now = (number + 1) * SECOND
        fills.on_trade(TradePrint("X-USD", now, now, number, MID // 2 + depth, 1, BUY))
        fills.on_mid(now, MID)
    return fills


@pytest.mark.parametrize(
    ("depths", "said"),
    [
        # So steep a line that its intensity at the mid is no number.
        ([2_000_000] * 40 + [2_000_001] * 30 + [2_000_002] * 40, "configured, the fit is bad: A 1.01e+304"),
        (list(range(1, 50)), "configured, 49 trades in 600 s of 50 needed"),
        ([100] * 60, "configured, the depths of 60 trades do not differ enough"),
        # Nearly all at one depth, and a few nearer: the line through that is no law of the market.
        ([1, 2, 3] + [9_000, 9_001, 9_002] * 30, "configured, the fit is bad: A "),
    ],
)
def test_too_few_trades_or_a_bad_fit_leave_the_configured_intensity(depths: list[int], said: str) -> None:
    fills = filled_with(depths)
    settings = ModelSettings(A_per_s=D(3), k_per_tick=D("0.04"))
    found = calibrated(settings, len(depths) * SECOND, MID / 2, Volatility(), fills)
    assert (found.A_per_s, found.k_per_tick) == (3, 0.04)
    assert found.fill_source.startswith(said), found.fill_source


def test_what_is_not_configured_follows_the_price() -> None:
    for mid_ticks in (1_000.0, 1_000_000.0):
        found = calibrated(ModelSettings(), 0, mid_ticks, Volatility(), FillIntensity())
        bp = mid_ticks / 10_000
        assert found.sigma_ticks_sqrt_s == pytest.approx(0.5 * bp)
        assert found.k_per_tick == pytest.approx(0.2 / bp)
        assert found.gamma_per_tick == pytest.approx(0.01 / bp)


def test_the_price_says_with_what_it_was_calculated_and_changes_once_it_is_measured() -> None:
    bench = ModelBench("glft", model__calibrate=True, model__calib_min_fills=20)
    first = bench.decide()
    assert "0 trades in 600 s of 20 needed" in inputs(first.quotes)["liquidity"]
    assert "configured" in inputs(first.quotes)["risk"]
    random = Random(2)
    for number in range(60):
        bench.market(bid=f"999{number % 5}", ask="10001")
        bench.look(500 * MS)
        bench.trade(str(10_001 + round(random.expovariate(0.2))), BUY)
    bench.market()
    measured = bench.decide()
    told = inputs(measured.quotes)
    assert "measured, R² 0." in told["liquidity"]
    assert "60 trades in 31 s" in told["liquidity"]
    assert "measured over 30 s" in told["risk"]
    assert measured.quotes[0].price != first.quotes[0].price


@pytest.mark.parametrize("lost", [FeedState.STALE, FeedState.SUBSCRIBED])
def test_what_was_measured_outlives_a_lost_feed_and_time_without_it_does_not_count(lost: FeedState) -> None:
    bench = TraderBench(
        engine__strategy="glft", strategy__fv_model="micro", risk__band_bps=D(400), model__calib_min_fills=20
    )
    random = Random(2)
    for number in range(60):
        bench.market(bid=f"999{number % 5}", ask="10001")
        bench.step(500)
        price = X.ticks("10001") + round(random.expovariate(0.002))
        bench.tell(TradePrint("X-USD", bench.now, bench.now, number, price, 1, BUY))
    bench.market()
    bench.step(1_000)
    before = inputs(bench.trader.decision.quotes)
    assert "(measured, R² 0.974, 60 trades in 30 s)" in before["liquidity"]
    maker = bench.trader.strategy
    assert isinstance(maker, GlftMarketMaker)
    moved, seen = maker.volatility, before["fair value"]
    bench.prove(bench.feed(lost))
    for _ in range(50):
        bench.step(1_000)
    bench.market("9899", "9901")
    bench.step(1_000)
    after = inputs(bench.trader.decision.quotes)
    assert maker.volatility == moved, "neither still seconds nor the jump were watched"
    assert "measured over 30 s" in after["risk"]
    assert "60 trades in 3" in after["liquidity"], "nor are they time without trades"
    assert after["fair value"] == seen, "nor is the jump a transition of the touch"


def test_parameters_are_calculated_at_most_once_a_second() -> None:
    bench = ModelBench("glft", model__calibrate=True, model__calib_min_fills=3)
    before = inputs(bench.decide().quotes)
    for depth in (2, 4, 6, 8, 9):
        bench.look(1)
        bench.trade(str(10_000 + depth), BUY)
    assert inputs(bench.decide(after_ns=500 * MS).quotes) == before
    assert "measured" in inputs(bench.decide(after_ns=500 * MS).quotes)["liquidity"]


def test_how_well_parameters_are_known_is_told_as_it_is_now() -> None:
    bench = ModelBench("glft", model__calibrate=True, model__calib_min_fills=50)
    first = bench.decide()
    assert "0 trades in 600 s of 50 needed" in inputs(first.quotes)["liquidity"]
    for number in range(30):
        bench.trade(str(10_006 + number % 5), BUY)
        bench.look()
    later = bench.decide()
    assert "30 trades in 600 s of 50 needed" in inputs(later.quotes)["liquidity"]
    assert "the mid did not move" in inputs(later.quotes)["risk"]
    assert terms(later.quotes[0]) == terms(first.quotes[0])


def test_parameters_are_put_into_force_only_where_they_differ_noticeably() -> None:
    bench = ModelBench("glft")
    first = terms(bench.decide().quotes[0])
    bench.market("9999.5", "10001.5")
    assert terms(bench.decide().quotes[0])["risk"] == first["risk"], "half a basis point is nothing"
    bench.market("10200", "10202")
    assert terms(bench.decide().quotes[0])["risk"] != first["risk"]


def test_numbers_stay_finite_with_the_most_extreme_settings() -> None:
    for gamma in ("0.000001", "100"):
        for k in ("0.000000000001", "1000000"):
            bench = ModelBench(
                "glft",
                model__gamma_per_bp=D(gamma),
                model__k_per_tick=D(k),
                model__sigma_ticks_sqrt_s=D(1_000_000_000),
                model__A_per_s=D("0.000001"),
            )
            decision = bench.decide("0.05")
            for quote in decision.quotes:
                assert sum(term.value for term in quote.explain()) == quote.price * 2 * X.half_tick_units
