"""`avellaneda-stoikov` and `glft`: prices against the formulas, every parameter acts, state goes on."""

from __future__ import annotations

import dataclasses
import math
from decimal import Decimal
from typing import Any

import pytest
from model_bench import MS, SECOND, ModelBench, X, inputs, price_of, side_of, terms

from engine.core.errors import UsageError
from engine.core.order import BUY, SELL
from engine.core.settings import require_valid
from engine.strategy.glft_model import ExactSolution
from engine.strategy.model_settings import SECTION, ModelSettings
from engine.strategy.optimal_quoting import OptimalQuotingParameters

D = Decimal
AS, GLFT = "avellaneda-stoikov", "glft"
MODELS = (AS, GLFT)


def floored(price: float) -> str:
    return X.price_text(math.floor(price * 100))


def ceiled(price: float) -> str:
    return X.price_text(math.ceil(price * 100))


# -- prices ----------------------------------------------------------------------------------------


def test_avellaneda_stoikov_quotes_around_the_reservation_price() -> None:
    # In basis points of a mid of 10,000: γ 0.02, σ 0.5, k 0.2, T 30 s. One basis point is a dollar.
    bench = ModelBench(AS, model__gamma_per_bp=D("0.02"), model__horizon_s=D(30))
    risk = 0.02 * 0.5**2 * 30
    half = risk / 2 + math.log1p(0.02 / 0.2) / 0.02
    assert bench.touch() == (floored(10_000 - half), ceiled(10_000 + half)), "it quotes when flat"
    assert bench.touch("0.05") == (floored(10_000 - 5 * risk - half), ceiled(10_000 - 5 * risk + half))
    assert bench.touch("-0.05") == (floored(10_000 + 5 * risk - half), ceiled(10_000 + 5 * risk + half))


def test_avellaneda_stoikov_goes_by_the_square_of_the_volatility() -> None:
    narrow, wide = (ModelBench(AS, model__sigma_ticks_sqrt_s=D(sigma)) for sigma in (50, 100))
    one, other = (terms(side_of(bench.decide(), BUY)[0])["risk"] for bench in (narrow, wide))
    assert other == 4 * one != 0


def test_glft_closed_quotes_by_the_asymptotic_formulas() -> None:
    bench = ModelBench(GLFT, model__glft_solution="closed", model__gamma_per_bp=D("0.02"))
    gamma, k, sigma = 0.02, 0.2, 0.5
    c1 = math.log1p(gamma / k) / gamma
    c2 = math.sqrt(gamma / (2 * k) * (1 + gamma / k) ** (k / gamma + 1))
    half, skew = c1 + sigma * c2 / 2, sigma * c2
    assert bench.touch() == (floored(10_000 - half), ceiled(10_000 + half))
    assert bench.touch("0.05") == (floored(10_000 - half - 5 * skew), ceiled(10_000 + half - 5 * skew))


@pytest.mark.parametrize("units", [-12, -1, 0, 3, 12])
def test_glft_exact_quotes_by_the_stationary_solution(units: int) -> None:
    bench = ModelBench(GLFT, model__gamma_per_bp=D("0.02"))
    exact = ExactSolution(OptimalQuotingParameters(0.02, 0.5, 1, 0.2), 30)
    bid, ask = exact.bid_depth(units), exact.ask_depth(units)
    assert bid is not None
    assert ask is not None
    position = f"{'-' if units < 0 else ''}{abs(units) * D('0.01')}"
    assert bench.touch(position) == (floored(10_000 - bid), ceiled(10_000 + ask))


def test_glft_exact_is_straight_between_whole_inventories() -> None:
    bench = ModelBench(GLFT, model__gamma_per_bp=D("0.5"))
    skews = [terms(bench.decide(position).quotes[0])["skew"] for position in ("0.03", "0.035", "0.04")]
    assert skews[0] > skews[1] > skews[2]
    assert abs(skews[0] + skews[2] - 2 * skews[1]) <= 2


@pytest.mark.parametrize("units", [5, -5])
def test_glft_exact_quotes_one_side_at_its_own_depth_at_the_edge(units: int) -> None:
    bench = ModelBench(GLFT, model__max_inventory_units=5)
    exact = ExactSolution(OptimalQuotingParameters(0.01, 0.5, 1, 0.2), 5)
    if units > 0:
        depth = exact.ask_depth(units)
        assert depth is not None
        assert bench.touch("0.05") == ("", ceiled(10_000 + depth))
    else:
        depth = exact.bid_depth(units)
        assert depth is not None
        assert bench.touch("-0.05") == (floored(10_000 - depth), "")


def test_glft_exact_adds_nothing_beyond_its_largest_inventory_and_goes_on_reducing() -> None:
    bench = ModelBench(GLFT, model__max_inventory_units=5)
    decision = bench.decide("0.05")
    assert not side_of(decision, BUY)
    assert decision.reason == "no bid: 5 order units away from the target, max_inventory_units is 5"
    at_the_edge, beyond = price_of(decision, SELL), price_of(bench.decide("0.08"), SELL)
    assert at_the_edge == beyond != ""
    assert not side_of(bench.decide("-0.05"), SELL)
    assert side_of(bench.decide("0.04"), BUY)


@pytest.mark.parametrize(("position", "bids", "asks"), [("0", 2, 2), ("0.01", 1, 3), ("-0.01", 3, 1)])
def test_glft_exact_adds_nothing_beyond_it_either_when_all_levels_are_filled(
    position: str, bids: int, asks: int
) -> None:
    decision = ModelBench(GLFT, model__max_inventory_units=2).decide(position)
    assert (len(side_of(decision, BUY)), len(side_of(decision, SELL))) == (bids, asks)
    assert "levels from " in decision.reason
    assert "max_inventory_units is 2" in decision.reason


def test_levels_stand_apart_as_configured() -> None:
    bench = ModelBench(GLFT, levels=3, price_level_spacing=D("0.2"), base_spread_bps=D(10))
    bids = [quote.price for quote in side_of(bench.decide(), BUY)]
    assert [bids[0] - bid for bid in bids] == [0, 200, 400]


@pytest.mark.parametrize("name", MODELS)
def test_the_terms_of_a_model_in_order(name: str) -> None:
    bid = side_of(ModelBench(name, fee="2").decide("0.02"), BUY)[1]
    names = ["fair", "skew", "risk", "liquidity", "clamp", "fee floor", "level", "tick", "post-only"]
    assert [term.name for term in bid.explain()] == names
    assert sum(terms(bid).values()) == bid.price * 2 * X.half_tick_units


def test_the_half_spread_ends_at_the_maker_fee_unless_allowed() -> None:
    floor = ModelBench(GLFT, fee="20").decide()
    assert (price_of(floor, BUY), price_of(floor, SELL)) == ("9980", "10020")
    assert inputs(floor.quotes)["fee floor"] == "maker fee 20 bp"
    allowed = ModelBench(GLFT, fee="20", allow_negative_edge=True).decide()
    assert price_of(allowed, BUY) == price_of(ModelBench(GLFT).decide(), BUY) > "9994"
    assert inputs(allowed.quotes)["fee floor"] == "allow_negative_edge"


def test_the_fee_floor_stands_above_the_largest_half_spread() -> None:
    bench = ModelBench(GLFT, fee="20", model__max_half_spread_bps=D(5))
    assert bench.touch() == ("9980", "10020")


# -- every parameter ---------------------------------------------------------------------------------


def tape(bench: ModelBench) -> None:
    """Twelve seconds in which the mid moves by a cent and twenty trades reach up to six dollars."""
    for number in range(20):
        cent = number % 2
        bench.market(f"9999.0{cent}", f"10001.0{cent}")
        bench.look(600 * MS)
        bench.trade(str(10_001 + number % 5 + (number % 3 == 0)), BUY)
    bench.market()


MEASURED: dict[str, Any] = {"model__calibrate": True, "model__calib_min_fills": 20}
EFFECTS: dict[str, tuple[str, Any, dict[str, Any], bool]] = {
    "gamma_per_bp": (AS, D("0.02"), {}, False),
    "horizon_s": (AS, D(120), {}, False),
    "glft_solution": (GLFT, "closed", {"model__gamma_per_bp": D(1)}, False),
    "max_inventory_units": (GLFT, 3, {}, False),
    "calibrate": (GLFT, True, {"model__calib_min_fills": 20}, True),
    "calib_window_s": (GLFT, 10, MEASURED, True),
    "calib_min_fills": (GLFT, 21, MEASURED, True),
    "sigma_ticks_sqrt_s": (GLFT, D(400), {}, False),
    "A_per_s": (GLFT, D("0.1"), {}, False),
    "k_per_tick": (GLFT, D("0.001"), {}, False),
    "min_half_spread_bps": (GLFT, D(9), {}, False),
    "max_half_spread_bps": (GLFT, D(2), {}, False),
}


@pytest.mark.parametrize("field", EFFECTS)
def test_effect(field: str) -> None:
    name, value, fixed, with_tape = EFFECTS[field]
    one, other = ModelBench(name, **fixed), ModelBench(name, **{**fixed, f"model__{field}": value})
    if with_tape:
        tape(one)
        tape(other)
    assert one.touch("0.04") != other.touch("0.04"), "the parameter has no effect"


def test_every_field_has_an_effect_test_and_says_what_it_means() -> None:
    fields = dataclasses.fields(ModelSettings)
    assert EFFECTS.keys() == {field.name for field in fields}
    for field in fields:
        meta = field.metadata["setting"]
        assert meta.help.endswith("."), field.name
        assert meta.live, field.name


@pytest.mark.parametrize("name", MODELS)
def test_a_live_change_acts_at_the_next_decision(name: str) -> None:
    changed, built = ModelBench(name), ModelBench(name, model__gamma_per_bp=D("0.0101"))
    before = changed.touch("0.2")
    changed.configure(model__gamma_per_bp=D("0.0101"))
    built.decide()
    after = changed.touch("0.2", after_ns=100 * MS)
    assert after != before
    assert after == built.touch("0.2", after_ns=100 * MS)


def test_a_wrong_half_spread_is_refused_and_changes_nothing() -> None:
    with pytest.raises(UsageError, match=r"max_half_spread_bps = 3: must be at least min_half_spread_bps"):
        require_valid(SECTION, ModelSettings(min_half_spread_bps=D(4), max_half_spread_bps=D(3)))
    bench = ModelBench(GLFT)
    before = bench.touch()
    with pytest.raises(UsageError):
        bench.configure(model__max_half_spread_bps=D("0.01"))
    bench.context = ModelBench(GLFT).context
    assert bench.touch() == before


# -- going on --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["basic", *MODELS])
def test_a_reloaded_model_goes_on_as_the_saved_one(name: str) -> None:
    bench = ModelBench(name, fv_model="micro", ofi_pull_z=D(2), fill_brake_n=2, **MEASURED)
    tape(bench)
    bench.decide()
    bench.fill(BUY)
    again = bench.reloaded()
    assert again.maker.save() == bench.maker.save()
    for step in range(1, 60):
        for each in (bench, again):
            each.now = 20 * SECOND + step * 300 * MS
            each.market(f"999{step % 9}", f"1000{1 + step % 8}", bid_size=str(1 + step % 7))
            each.trade(str(10_002 + step % 4), BUY if step % 2 else SELL)
            if step == 7:
                each.fill(BUY)
        one, other = bench.decide("0.03", after_ns=1), again.decide("0.03", after_ns=1)
        assert [(q.slot, q.price, q.size, q.explain()) for q in one.quotes] == [
            (q.slot, q.price, q.size, q.explain()) for q in other.quotes
        ]
        assert (one.reason, one.take) == (other.reason, other.take)
        assert again.maker.save() == bench.maker.save()
