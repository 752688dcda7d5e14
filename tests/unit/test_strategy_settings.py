"""Section `strategy`: one test per rule, one effect per field, and a walk that finds fields without one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from maker_bench import BALANCED, BID_HEAVY, MS, SECOND, MakerBench

from engine.core.errors import UsageError
from engine.core.order import Side
from engine.core.settings import require_valid
from engine.strategy.basic_settings import SECTION, BasicSettings

D = Decimal

IN_THE_ORDER_MANAGER = {
    "order_timeout_ms",
    "cancel_retry_interval_ms",
    "reprice_tolerance_ticks",
    "min_quote_life_ms",
    "wait_cancel_ack",
    "post_fill_pause_ms",
}
"""Their effect is shown in test_order_manager.py."""
SHARED_BY_ALL = {
    "fv_model",
    "fv_max_dev_bps",
    "ofi_pull_z",
    "fill_brake_n",
    "fill_brake_window_s",
    "min_distance_from_unhedged_bps",
    "allow_negative_edge",
}
"""Their effect is shown in test_model_strategies_shared.py, for each model."""


def test_defaults_are_those_of_the_sheet():
    settings = BasicSettings()
    require_valid(SECTION, settings)
    expected = {
        "base_spread_bps": 10,
        "min_spread_bps": 5,
        "max_spread_bps": 50,
        "order_quantity": D("0.01"),
        "min_order_quantity": D("0.001"),
        "max_order_quantity": 1,
        "target_position": 0,
        "max_position": 10,
        "inventory_skew_factor": D("0.5"),
        "inventory_skew_unit": "bp",
        "levels": 3,
        "price_level_spacing": D("0.1"),
        "imbalance_threshold": D("0.3"),
        "volume_weight_factor": D("0.5"),
        "volume_depth_factor": D("0.5"),
        "quote_update_interval_ms": 100,
        "order_timeout_ms": 5000,
        "cancel_retry_interval_ms": 100,
        "auto_hedge_enabled": False,
        "hedge_threshold_pct": 50,
        "hedge_interval_ms": 5000,
        "volatility_threshold": D("0.5"),
        "spread_widen_factor": 2,
        "market_stress_check_ms": 1000,
        "wait_cancel_ack": True,
    }
    assert {name: getattr(settings, name) for name in expected} == expected


RULES: list[tuple[dict[str, Any], str]] = [
    ({"base_spread_bps": D(-1)}, "base_spread_bps = -1: must be above 0 bp"),
    ({"min_spread_bps": D(0)}, "min_spread_bps = 0: must be above 0 bp"),
    ({"max_spread_bps": D(0)}, "max_spread_bps = 0: must be above 0 bp"),
    ({"base_spread_bps": D(4)}, "base_spread_bps = 4: must be at least min_spread_bps = 5 bp"),
    ({"base_spread_bps": D(51)}, "base_spread_bps = 51: must be at most max_spread_bps = 50 bp"),
    ({"order_quantity": D(0)}, "order_quantity = 0: must be above 0 base"),
    ({"min_order_quantity": D(0)}, "min_order_quantity = 0: must be above 0 base"),
    ({"max_order_quantity": D(-2)}, "max_order_quantity = -2: must be above 0 base"),
    (
        {"order_quantity": D("0.0005")},
        "order_quantity = 0.0005: must be at least min_order_quantity = 0.001 base",
    ),
    ({"order_quantity": D(2)}, "order_quantity = 2: must be at most max_order_quantity = 1.0 base"),
    ({"max_position": D(0)}, "max_position = 0: must be above 0 base"),
    ({"target_position": D(11)}, "target_position = 11: must lie within max_position = 10 base"),
    ({"target_position": D(-11)}, "target_position = -11: must lie within max_position = 10 base"),
    ({"inventory_skew_factor": D("-0.1")}, "inventory_skew_factor = -0.1: must be at least 0"),
    ({"inventory_skew_factor": D("1.1")}, "inventory_skew_factor = 1.1: must be at most 1"),
    ({"inventory_skew_unit": "pct"}, "inventory_skew_unit = 'pct': must be one of bp, half_spread"),
    ({"levels": 0}, "levels = 0: must be at least 1"),
    ({"levels": 101}, "levels = 101: must be at most 100"),
    ({"price_level_spacing": D(-1)}, "price_level_spacing = -1: must be at least 0 base spreads"),
    ({"imbalance_threshold": D(-1)}, "imbalance_threshold = -1: must be at least 0"),
    ({"imbalance_threshold": D(2)}, "imbalance_threshold = 2: must be at most 1"),
    ({"volume_weight_factor": D(-1)}, "volume_weight_factor = -1: must be at least 0"),
    ({"volume_weight_factor": D(2)}, "volume_weight_factor = 2: must be at most 1"),
    ({"volume_depth_factor": D(-1)}, "volume_depth_factor = -1: must be at least 0"),
    ({"volume_depth_factor": D(2)}, "volume_depth_factor = 2: must be at most 1"),
    ({"quote_update_interval_ms": 0}, "quote_update_interval_ms = 0: must be above 0 ms"),
    ({"order_timeout_ms": 0}, "order_timeout_ms = 0: must be above 0 ms"),
    ({"cancel_retry_interval_ms": 0}, "cancel_retry_interval_ms = 0: must be above 0 ms"),
    ({"hedge_threshold_pct": D(0)}, "hedge_threshold_pct = 0: must be above 0 % of max_position"),
    ({"hedge_threshold_pct": D(101)}, "hedge_threshold_pct = 101: must be at most 100 % of max_position"),
    ({"hedge_interval_ms": 0}, "hedge_interval_ms = 0: must be above 0 ms"),
    ({"volatility_threshold": D(0)}, "volatility_threshold = 0: must be above 0 % per √minute"),
    ({"spread_widen_factor": D(1)}, "spread_widen_factor = 1: must be above 1"),
    ({"market_stress_check_ms": 0}, "market_stress_check_ms = 0: must be above 0 ms"),
    ({"reprice_tolerance_ticks": -1}, "reprice_tolerance_ticks = -1: must be at least 0 ticks"),
    ({"min_quote_life_ms": -1}, "min_quote_life_ms = -1: must be at least 0 ms"),
    ({"post_fill_pause_ms": -1}, "post_fill_pause_ms = -1: must be at least 0 ms"),
    ({"base_spread_bps": D("NaN")}, "base_spread_bps = NaN: must be a finite number"),
    ({"max_position": D("Infinity")}, "max_position = Infinity: must be a finite number"),
]


@pytest.mark.parametrize(("changes", "reason"), RULES, ids=[reason for _, reason in RULES])
def test_case_36_a_broken_rule_names_key_value_and_bound(changes, reason):
    with pytest.raises(UsageError) as error:
        require_valid(SECTION, BasicSettings(**changes))
    assert str(error.value) == f"strategy.{reason}"


@pytest.mark.parametrize(
    "changes",
    [
        {"min_spread_bps": D(10), "max_spread_bps": D(10)},
        {"min_order_quantity": D("0.01"), "max_order_quantity": D("0.01")},
        {"target_position": D(-10)},
        {"inventory_skew_factor": D(0)},
        {"inventory_skew_factor": D(1)},
        {"price_level_spacing": D(0)},
        {"hedge_threshold_pct": D(100)},
        {"levels": 1},
    ],
    ids=str,
)
def test_the_bounds_themselves_are_valid(changes):
    require_valid(SECTION, BasicSettings(**changes))


# -- effects -------------------------------------------------------------------------------------


def _touch(book: Any = BALANCED, position: str = "0", **fixed: Any) -> Callable[..., object]:
    def quote(**changed: Any) -> object:
        bench = MakerBench(**{**fixed, **changed})
        bench.market(book)
        return bench.touch(bench.decide(position))

    return quote


def _touch_or_refusal(**fixed: Any) -> Callable[..., object]:
    def quote(**changed: Any) -> object:
        try:
            return _touch(**fixed)(**changed)
        except UsageError as error:
            return str(error)

    return quote


def _sizes(side: Side, position: str = "0", book: Any = BALANCED, **fixed: Any) -> Callable[..., object]:
    def quote(**changed: Any) -> object:
        bench = MakerBench(**{**fixed, **changed})
        bench.market(book)
        return bench.sizes(bench.decide(position), side)

    return quote


def _bids(**changed: Any) -> object:
    bench = MakerBench(**changed)
    return bench.prices(bench.decide(), Side.BUY)


def _answers_after_50_ms(**changed: Any) -> object:
    bench = MakerBench(**changed)
    bench.decide()
    return bench.ask(after_ns=50 * MS) is not None


def _hedge_size(position: str, **fixed: Any) -> Callable[..., object]:
    def hedge(**changed: Any) -> object:
        bench = MakerBench(**{**fixed, **changed})
        take = bench.decide(position).take
        return None if take is None else bench.instrument.size_text(take.size)

    return hedge


def _hedges_again_after_2_s(**changed: Any) -> object:
    bench = MakerBench(auto_hedge_enabled=True, **changed)
    assert bench.decide("5").take is not None
    return bench.decide("5", after_ns=2 * SECOND).take is not None


def _stressed_touch(**changed: Any) -> object:
    bench = MakerBench(**changed)
    bench.stress()
    return bench.touch(bench.decide())


def _stressed_3_s_after_a_calm_check(**changed: Any) -> object:
    bench = MakerBench(**changed)
    bench.decide()
    bench.stress()
    return bench.touch(bench.decide(after_ns=MS))


EFFECTS: dict[str, tuple[Callable[..., object], tuple[tuple[Any, object], tuple[Any, object]]]] = {
    # field: (what to look at, (one value, what is seen), (another value, what is seen))
    "base_spread_bps": (_touch(), ((D(10), ("9995", "10005")), (D(20), ("9990", "10010")))),
    # Every factor of the cycle widens, so the minimum acts on the base spread: it refuses a lower one.
    "min_spread_bps": (
        _touch_or_refusal(base_spread_bps=D(6)),
        (
            (D(5), ("9997", "10003")),
            (D(8), "strategy.base_spread_bps = 6: must be at least min_spread_bps = 8 bp"),
        ),
    ),
    "max_spread_bps": (
        _touch(book=BID_HEAVY),
        ((D(50), ("9992.5", "10007.5")), (D(12), ("9994", "10006"))),
    ),
    "order_quantity": (
        _sizes(Side.BUY),
        ((D("0.01"), ["0.01"] * 3), (D("0.02"), ["0.02"] * 3)),
    ),
    "min_order_quantity": (
        _sizes(Side.BUY, "9"),
        ((D("0.001"), ["0.001"] * 3), (D("0.005"), ["0.005"] * 3)),
    ),
    "max_order_quantity": (
        _hedge_size("5", auto_hedge_enabled=True),
        ((D(1), "1"), (D("0.25"), "0.25")),
    ),
    "target_position": (
        _touch(position="5"),
        ((D(0), ("9994.75", "10004.75")), (D(5), ("9995", "10005"))),
    ),
    "max_position": (
        _sizes(Side.BUY, "5"),
        ((D(10), ["0.005"] * 3), (D(5), [])),
    ),
    "inventory_skew_factor": (
        _touch(position="5"),
        ((D("0.5"), ("9994.75", "10004.75")), (D(1), ("9994.5", "10004.5"))),
    ),
    "inventory_skew_unit": (
        _touch(position="5"),
        (("bp", ("9994.75", "10004.75")), ("half_spread", ("9993.75", "10003.75"))),
    ),
    "levels": (_bids, ((3, ["9995", "9994", "9993"]), (1, ["9995"]))),
    "price_level_spacing": (
        _bids,
        ((D("0.1"), ["9995", "9994", "9993"]), (D("0.5"), ["9995", "9990", "9985"])),
    ),
    "imbalance_threshold": (
        _touch(book=BID_HEAVY),
        ((D("0.3"), ("9992.5", "10007.5")), (D("0.5"), ("9995", "10005"))),
    ),
    "volume_weight_factor": (
        _touch(book=BID_HEAVY),
        ((D("0.5"), ("9992.5", "10007.5")), (D(1), ("9990", "10010"))),
    ),
    "volume_depth_factor": (
        _sizes(Side.BUY, book=([("9999", "0.016")], [("10001", "0.016")])),
        ((D("0.5"), ["0.008"] * 3), (D("0.25"), ["0.004"] * 3)),
    ),
    "quote_update_interval_ms": (_answers_after_50_ms, ((100, False), (50, True))),
    "auto_hedge_enabled": (_hedge_size("5"), ((False, None), (True, "1"))),
    "hedge_threshold_pct": (
        _hedge_size("5", auto_hedge_enabled=True),
        ((D(50), "1"), (D("50.01"), None)),
    ),
    "hedge_interval_ms": (_hedges_again_after_2_s, ((5000, False), (2000, True))),
    "volatility_threshold": (
        _stressed_touch,
        ((D("0.5"), ("9990", "10010")), (D(8), ("9995", "10005"))),
    ),
    "spread_widen_factor": (
        _stressed_touch,
        ((D(2), ("9990", "10010")), (D(3), ("9985", "10015"))),
    ),
    "market_stress_check_ms": (
        _stressed_3_s_after_a_calm_check,
        ((1000, ("9990", "10010")), (60_000, ("9995", "10005"))),
    ),
}


@pytest.mark.parametrize("field", EFFECTS)
def test_effect(field):
    look, cases = EFFECTS[field]
    for value, seen in cases:
        assert look(**{field: value}) == seen, f"{field} = {value}"


def test_every_field_has_an_effect_test_here_or_in_the_order_manager():
    fields = {field.name for field in dataclasses.fields(BasicSettings)}
    assert set(EFFECTS) | IN_THE_ORDER_MANAGER | SHARED_BY_ALL == fields
    assert not set(EFFECTS) & IN_THE_ORDER_MANAGER
    for field, (_, ((one, seen), (other, also_seen))) in EFFECTS.items():
        assert one != other, field
        assert seen != also_seen, field


def test_every_field_says_what_it_means():
    for field in dataclasses.fields(BasicSettings):
        meta = field.metadata["setting"]
        assert meta.help.endswith("."), field.name
        assert meta.live, field.name
