"""A spread below the account's fees: refused with real money, told of everywhere, for every strategy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from test_operator import N, Run
from trader_bench import D, TraderBench, X, configured, one_side

from engine.config import Config, load_config
from engine.core.errors import UsageError
from engine.core.events import Severity
from engine.runtime.settings_change import check_change
from engine.strategies import BUILT_IN

MODELS = ("avellaneda-stoikov", "glft")
LARGEST = "model.max_half_spread_bps"
ALLOWED = {"strategy__allow_negative_edge": True}


def of(name: str, maker: str, **changes: Any) -> Config:
    return configured(engine__strategy=name, fees__maker_bps=D(maker), **changes)


def at_most(half_spread: str) -> dict[str, Any]:
    return {"model__max_half_spread_bps": D(half_spread)}


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_spread_that_earns_its_fees_is_neither_refused_nor_warned_of(name: str) -> None:
    config = of(name, "5", strategy__base_spread_bps=D(10), **at_most("5"))
    assert (config.edge_violation(), config.edge_warning()) == (None, None)
    rebate = of(name, "-1", **at_most("0.5"))
    assert (rebate.edge_violation(), rebate.edge_warning()) == (None, None)


def test_basic_is_refused_and_warned_below_two_maker_fees() -> None:
    config = of("basic", "5.1")
    assert config.edge_violation() == (
        "strategy.base_spread_bps of at least 10.2 bp, the break-even spread of two maker fills (it is 10), "
        "or strategy.allow_negative_edge = true"
    )
    warned = (
        "strategy.base_spread_bps = 10 is below the break-even spread of 10.2 bps: a round trip of two maker "
        "fills loses money"
    )
    assert config.edge_warning() == warned
    allowed = of("basic", "5.1", **ALLOWED)
    assert (allowed.edge_violation(), allowed.edge_warning()) == (None, warned), "told all the same"


@pytest.mark.parametrize("name", MODELS)
def test_a_models_largest_half_spread_below_the_fee_is_refused_and_warned_of(name: str) -> None:
    config = of(name, "20", **at_most("19"))
    assert config.edge_violation() == (
        f"{LARGEST} of at least 20 bp, the maker fee (it is 19), or strategy.allow_negative_edge = true"
    )
    assert config.edge_warning() == (
        f"{LARGEST} = 19 is below the maker fee of 20 bps, which is the half-spread that is quoted"
    )


@pytest.mark.parametrize("name", MODELS)
def test_a_model_without_its_floor_is_warned_of(name: str) -> None:
    config = of(name, "20", **ALLOWED)
    assert config.edge_violation() is None
    assert config.edge_warning() == (
        f"strategy.allow_negative_edge = true: {name} may quote nearer to the fair value than the maker fee "
        "of 20 bps, and lose money by it"
    )
    wide = of(name, "20", **ALLOWED, model__min_half_spread_bps=D(20))
    assert wide.edge_warning() is None


def test_a_plugin_answers_for_its_own_prices() -> None:
    config = of("somebodys", "60", **at_most("1"))
    assert (config.edge_violation(), config.edge_warning()) == (None, None)


@pytest.mark.parametrize("mode", ["sim", "replay", "paper", "live"])
@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_the_warning_is_told_at_the_start_in_every_mode(name: str, mode: str) -> None:
    overrides = [f"engine.strategy={name}", "fees.maker_bps=200", "fees.taker_bps=200"]
    resolved = load_config(None, overrides=overrides, flags={"engine.mode": mode})
    (_, fees), (severity, warning), *band = resolved.fee_notices()
    assert fees.endswith("break-even spread 400 bps")
    assert (severity, warning) == (Severity.WARNING, resolved.config.edge_warning())
    denied = resolved.config.band_warning()
    assert band == ([] if denied is None else [(Severity.WARNING, denied)])


@pytest.mark.parametrize(
    ("name", "change"),
    [("basic", "strategy.base_spread_bps=9"), *((name, f"{LARGEST}=4") for name in MODELS)],
)
def test_a_change_to_such_a_spread_is_refused_while_live_alone(name: str, change: str) -> None:
    config = of(name, "5")
    assert check_change(config, [X], change).config.edge_warning() is not None
    live = replace(config, engine=replace(config.engine, mode="live"))
    with pytest.raises(UsageError, match=r"or strategy\.allow_negative_edge = true"):
        check_change(live, [X], change)
    check_change(replace(live, strategy=replace(live.strategy, allow_negative_edge=True)), [X], change)


def test_a_change_to_such_a_spread_is_told_once() -> None:
    run = Run({"strategy__base_spread_bps": D(10), "fees__maker_bps": D(2)}, seconds=2)
    for at, value in ((0.5, "3"), (1, "3"), (1.5, "4")):
        run.at(at, lambda value=value: run.ask(N.SET, key="strategy.base_spread_bps", value=value))
    run.go()
    ((_, severity, code, text),) = run.told
    assert (severity, code) == (Severity.WARNING, "FEES")
    assert text.startswith("strategy.base_spread_bps = 3 is below the break-even spread of 4 bps")


@pytest.mark.parametrize("name", MODELS)
def test_the_quotes_of_a_model_end_at_the_fee(name: str) -> None:
    orders = TraderBench(engine__strategy=name, fees__maker_bps=D(30), **at_most("3")).quote()
    bid, ask = (one_side(orders, sign)[0].price for sign in (1, -1))
    assert (bid, ask) == (X.ticks("9970"), X.ticks("10030"))
    free = TraderBench(engine__strategy=name, fees__maker_bps=D(30), **at_most("3"), **ALLOWED).quote()
    assert one_side(free, 1)[0].price == X.ticks("9997")


@pytest.mark.parametrize(
    ("name", "changes", "least"),
    [
        ("basic", {"strategy__base_spread_bps": D(122)}, "half of strategy.base_spread_bps is 61 bp"),
        *((name, {}, f"the maker fee, the least half-spread of {name}, is 60 bp") for name in MODELS),
        *(
            (name, {"model__min_half_spread_bps": D(70)}, "model.min_half_spread_bps is 70 bp")
            for name in MODELS
        ),
    ],
)
def test_a_least_spread_outside_the_band_is_warned_of(name: str, changes: dict[str, Any], least: str) -> None:
    config = of(name, "60", risk__band_bps=D(50), **changes)
    assert config.band_warning() == (
        f"{least}, but risk.band_bps = 50 denies every quote further than that from the mid: few or none "
        "will be sent"
    )
    assert of(name, "60", risk__band_bps=D(70), **changes).band_warning() is None


@pytest.mark.parametrize("name", [*sorted(BUILT_IN), "somebodys"])
def test_who_may_quote_nearer_is_not_warned_of_the_band(name: str) -> None:
    assert of(name, "60", risk__band_bps=D(50), **ALLOWED).band_warning() is None


def test_a_band_that_becomes_too_narrow_is_told_once() -> None:
    run = Run({"engine__strategy": "glft", "fees__maker_bps": D(60)}, seconds=2)
    for at, value in ((0.5, "59"), (1, "59"), (1.5, "58")):
        run.at(at, lambda value=value: run.ask(N.SET, key="risk.band_bps", value=value))
    run.go()
    assert [(severity, code) for _, severity, code, _ in run.told] == [(Severity.WARNING, "BAND")] * 2
