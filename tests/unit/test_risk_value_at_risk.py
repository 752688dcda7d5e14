"""Value at risk against closed forms, and what it does with a position."""

from __future__ import annotations

import random
from decimal import Decimal
from statistics import NormalDist
from typing import Any

import pytest

from engine.core.instrument import Instrument
from engine.risk.position_risk import LEAST_RETURNS, PositionRisk
from engine.risk.settings import RiskSettings
from engine.risk.state import RiskState, TradingState
from engine.risk.value_at_risk import expected_shortfall, historical, monte_carlo, parametric

S = 1_000_000_000
BTC = Instrument.create("BTC-USD", tick="0.01", lot="0.001")
NORMAL = NormalDist()


def draws(count: int, seed: int = 7, deviation: float = 0.01) -> list[float]:
    source = random.Random(seed)
    return [source.gauss(0.0, deviation) for _ in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_case_67_a_thousand_normal_draws(seed: int) -> None:
    returns = draws(1_000, seed)
    assert historical(returns, 0.95) == pytest.approx(0.01645, abs=0.005)
    assert parametric(returns, 0.95) == pytest.approx(0.01645, abs=0.005)
    assert monte_carlo(returns, 0.95, seed) == pytest.approx(0.01645, abs=0.005)


def test_case_67_no_data_is_zero() -> None:
    assert historical([], 0.95) == parametric([], 0.95) == expected_shortfall([], 0.95) == 0.0
    assert monte_carlo([], 0.95, 1) == 0.0


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_many_draws_come_near_the_closed_forms_of_the_normal_distribution(confidence: float) -> None:
    """VaR is z times sigma, the expected shortfall phi(z) / (1 - confidence) times sigma."""
    returns = draws(50_000)
    z = NORMAL.inv_cdf(confidence)
    assert historical(returns, confidence) == pytest.approx(0.01 * z, rel=0.03)
    assert parametric(returns, confidence) == pytest.approx(0.01 * z, rel=0.01)
    shortfall = 0.01 * NORMAL.pdf(z) / (1 - confidence)
    assert expected_shortfall(returns, confidence) == pytest.approx(shortfall, rel=0.03)


def test_parametric_is_exact_for_two_points() -> None:
    """Returns of +1 % and -1 % have the mean 0 and the deviation 1 %."""
    assert parametric([0.01, -0.01], 0.95) == pytest.approx(0.01 * NORMAL.inv_cdf(0.95), rel=1e-12)


@pytest.mark.parametrize(
    ("confidence", "var", "shortfall"), [(0.90, 0.90, 0.955), (0.95, 0.95, 0.98), (0.99, 0.99, 1.0)]
)
def test_historical_is_an_order_statistic(confidence: float, var: float, shortfall: float) -> None:
    """Losses of 0.01, 0.02 ... 1.00: the value at risk is that which 5 % lie above, or just at."""
    returns = [-number / 100 for number in range(1, 101)]
    random.Random(1).shuffle(returns)
    assert historical(returns, confidence) == pytest.approx(var)
    tail = [-each for each in returns if -each >= var - 1e-12]
    assert expected_shortfall(returns, confidence) == pytest.approx(sum(tail) / len(tail))
    assert expected_shortfall(returns, confidence) == pytest.approx(shortfall, abs=0.006)


def test_nothing_but_gains_risks_nothing() -> None:
    assert historical([0.01, 0.02], 0.95) == expected_shortfall([0.01, 0.02], 0.95) == 0.0
    assert parametric([0.01] * 5, 0.95) == 0.0


def test_equal_seeds_draw_equal_risks() -> None:
    returns = draws(200)
    assert monte_carlo(returns, 0.95, 3) == monte_carlo(returns, 0.95, 3)
    assert monte_carlo(returns, 0.95, 3) != monte_carlo(returns, 0.95, 4)


# -- of a position -------------------------------------------------------------------------------


def watching(state: RiskState, **settings: Any) -> PositionRisk:
    limits = RiskSettings(var_interval_s=1, **settings).limits(BTC, Decimal(10))
    return PositionRisk(BTC, limits, state)


def fall_and_rise(risk: PositionRisk, seconds: int = 60) -> None:
    """Down by 1 % and up again, by turns, from 10,000.00."""
    for second in range(seconds):
        risk.on_mid(2_000_000 - second % 2 * 20_000, second * S)


def test_a_position_risks_its_value_times_the_loss_of_its_side() -> None:
    risk = watching(RiskState())
    fall_and_rise(risk)
    assert risk.value_at_risk(1_000, 2_000_000) == BTC.atoms(100)
    assert risk.value_at_risk(-1_000, 2_000_000) == pytest.approx(BTC.atoms("101.01"), rel=1e-4)
    assert risk.expected_shortfall(1_000, 2_000_000) == BTC.atoms(100)
    assert risk.value_at_risk(0, None) == 0


def test_too_little_history_or_no_mark_is_unknown_and_holds_nothing() -> None:
    state = RiskState()
    risk = watching(state, max_var=Decimal("0.01"))
    fall_and_rise(risk, LEAST_RETURNS)
    risk.judge(1_000, 2_000_000, 0)
    assert risk.value_at_risk(1_000, 2_000_000) is None
    fall_and_rise(risk)
    assert risk.value_at_risk(1_000, None) is None
    assert state.effective is TradingState.ACTIVE


@pytest.mark.parametrize(
    ("lots", "state"),
    [(999, TradingState.ACTIVE), (1_000, TradingState.ACTIVE), (1_001, TradingState.REDUCING)],
)
def test_case_67_above_the_limit_only_reducing_orders_leave(lots: int, state: TradingState) -> None:
    risk_state = RiskState()
    risk = watching(risk_state, max_var=Decimal(100))
    fall_and_rise(risk)
    risk.judge(lots, 2_000_000, 0)
    assert risk_state.effective is state


def test_the_hold_ends_below_80_percent_of_the_limit_or_with_the_limit() -> None:
    state = RiskState()
    risk = watching(state, max_var=Decimal(100))
    fall_and_rise(risk)
    risk.judge(1_001, 2_000_000, 0)
    risk.judge(800, 2_000_000, 0)
    assert state.effective is TradingState.REDUCING
    risk.judge(799, 2_000_000, 0)
    assert state.effective is TradingState.ACTIVE
    risk.judge(1_001, 2_000_000, 0)
    risk.limits = watching(state).limits
    risk.judge(1_001, 2_000_000, 0)
    assert state.effective is TradingState.ACTIVE


def test_samples_are_bounded_and_saved() -> None:
    risk = watching(RiskState(), var_samples=100)
    fall_and_rise(risk, 1_000)
    assert len(risk.save().mids) == 101
    again = watching(RiskState(), var_samples=100)
    again.load(risk.save())
    assert again.save() == risk.save()
    assert again.value_at_risk(500, 2_000_000) == risk.value_at_risk(500, 2_000_000)
