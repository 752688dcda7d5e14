"""Volatility and stress against values worked out by hand."""

from __future__ import annotations

import pytest

from engine.core.volatility import WINDOW, Volatility
from engine.strategy.stress import StressGauge

SECOND = 1_000_000_000
ONE_PERCENT = 7.707493136714764
"""ln(1.01) · √60 · 100: every 1-s return is one percent up or down (in logarithms)."""


def test_alternating_returns_of_one_percent():
    volatility = Volatility()
    for second in range(10):
        volatility.on_mid(second * SECOND, 101 if second % 2 else 100)
    volatility.advance(9 * SECOND + 1)
    assert volatility.value == pytest.approx(ONE_PERCENT, rel=1e-12)


def test_one_move_among_still_seconds_weighs_its_share():
    volatility = Volatility()
    volatility.on_mid(0, 100)
    volatility.on_mid(SECOND, 101)
    volatility.advance(4 * SECOND + 1)
    # returns 1 %, 0, 0, 0: the mean square is a quarter, its root a half
    assert volatility.value == pytest.approx(ONE_PERCENT / 2, rel=1e-12)


def test_fifty_percent_a_year_is_0_069_percent_per_root_minute():
    # 50 % / √(365 · 24 · 3600 s) = 0.0089036 % per √s = 0.0689672 % per √minute
    step = 1 + 0.5 / (365 * 24 * 3600) ** 0.5
    volatility = Volatility()
    for second in range(WINDOW + 1):
        volatility.on_mid(second * SECOND, round(10**15 * (step if second % 2 else 1.0)))
    volatility.advance(WINDOW * SECOND + 1)
    assert volatility.value == pytest.approx(0.0689671, rel=1e-4)


def test_zero_before_the_first_whole_second():
    volatility = Volatility()
    volatility.advance(5 * SECOND)
    assert volatility.value == 0.0
    volatility.on_mid(5 * SECOND, 100)
    volatility.on_mid(6 * SECOND, 200)
    assert volatility.value == 0.0


def test_a_sample_is_the_mid_in_force_at_its_second():
    volatility = Volatility()
    volatility.on_mid(0, 100)
    volatility.on_mid(SECOND // 2, 500)  # came and went inside the second
    volatility.on_mid(SECOND - 1, 100)
    volatility.on_mid(SECOND, 101)  # at the second itself: counts
    volatility.on_mid(SECOND + 1, 900)
    assert volatility.value == pytest.approx(ONE_PERCENT, rel=1e-12)


def test_a_move_leaves_the_window_after_sixty_seconds():
    volatility = Volatility()
    volatility.on_mid(0, 100)
    volatility.on_mid(SECOND, 101)
    volatility.advance(WINDOW * SECOND + 1)
    assert volatility.value == pytest.approx(ONE_PERCENT / WINDOW**0.5, rel=1e-12)
    volatility.advance((WINDOW + 1) * SECOND + 1)
    assert volatility.value == 0.0


@pytest.mark.parametrize("beyond_ns", [7, 11], ids=["on the grid", "off the grid"])
@pytest.mark.parametrize("silence_s", [3, 59, 60, 61, 62, 63, 64, 200, 86_400])
def test_a_long_silence_equals_the_same_silence_second_by_second(silence_s, beyond_ns):
    jumped, walked = Volatility(), Volatility()
    for volatility in (jumped, walked):
        volatility.on_mid(7, 100)
        volatility.on_mid(SECOND, 103)
    end = silence_s * SECOND + beyond_ns
    jumped.advance(end)
    for second in range(1, silence_s + 1):
        walked.advance(second * SECOND)
    walked.advance(end)
    assert jumped.save() == walked.save()
    assert jumped.value == walked.value


def test_time_in_which_nobody_watched_is_neither_quiet_nor_a_move():
    volatility = Volatility()
    for second in range(10):
        volatility.on_mid(second * SECOND, 101 if second % 2 else 100)
    volatility.advance(9 * SECOND + 1)
    before, count = volatility.value, volatility.count
    volatility.interrupt()
    volatility.advance(500 * SECOND)
    volatility.on_mid(500 * SECOND, 200)
    volatility.advance(500 * SECOND + 1)
    assert (volatility.value, volatility.count) == (before, count)
    volatility.on_mid(501 * SECOND, 202)
    volatility.advance(501 * SECOND + 1)
    assert (volatility.value, volatility.count) == (pytest.approx(ONE_PERCENT, rel=1e-12), count + 1)


def test_state_tells_histories_apart():
    one, other = Volatility(), Volatility()
    assert one.save() == other.save()
    one.on_mid(0, 100)
    assert one.save() != other.save()


def test_stress_begins_at_the_threshold_and_ends_after_three_calm_checks():
    gauge, now = StressGauge(0.5, SECOND), 0
    told = []
    for volatility in (0.49999, 0.5, 0.39, 0.39, 0.4, 0.39, 0.39, 0.45, 0.39, 0.39, 0.39, 0.45, 0.5):
        gauge.judge(now, volatility)
        told.append(gauge.is_stressed)
        now += SECOND
    # 0.4 is 0.8 x the threshold and thus not calm; the run of three starts anew after it
    assert told == [False, *[True] * 9, False, False, True]


def test_stress_is_judged_only_when_a_check_is_due():
    gauge = StressGauge(0.5, SECOND)
    gauge.judge(0, 0.1)
    gauge.judge(SECOND - 1, 9.0)
    assert not gauge.is_stressed
    gauge.judge(SECOND, 9.0)
    assert gauge.is_stressed
    for now in range(SECOND + 1, 2 * SECOND, SECOND // 10):
        gauge.judge(now, 0.0)
    assert gauge.is_stressed
    assert gauge.save() != StressGauge(0.5, SECOND).save()
