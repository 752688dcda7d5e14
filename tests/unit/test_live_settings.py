"""Settings that change while the engine runs: every live key acts, is checked, and can be taken back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from guard_scenes import GUARD_CASES
from trader_bench import D, TraderBench, X, cancels, configured, one_side, submits

from engine.config import Config, schema
from engine.config_schema import value_text
from engine.core.errors import UsageError
from engine.core.events import BookSnapshot, OperatorAction, OrderExpired, SettingsChange, TradePrint
from engine.core.instrument import Instrument
from engine.core.order import BUY
from engine.risk.state import TradingState
from engine.runtime.builder import build_trader
from engine.runtime.settings_change import changed_config, check_change

LIVE = {name for name, key in schema().keys.items() if key.meta.live and key.section != "console"}
"""Those that a Trader is told of."""


def change(bench: TraderBench, **changes: str) -> list[Any]:
    named = {name.replace("__", "."): text for name, text in changes.items()}
    return list(bench.tell(SettingsChange("X-USD", bench.now, bench.now, named)))


# -- a market in which every setting has something to do -----------------------------------------


def book(bench: TraderBench, mid: int, bid_size: str = "10", ask_size: str = "10") -> None:
    """A touch of a dollar around `mid` dollars."""
    bids, asks = [(mid * 100 - 100, X.lots(bid_size))], [(mid * 100 + 100, X.lots(ask_size))]
    bench.tell(BookSnapshot("X-USD", bench.now, bench.now, bids, asks))


def settle(bench: TraderBench, ms: int = 100) -> None:
    """Time passes and the venue keeps up: everything is accepted, proven; what takes expires."""
    commands = bench.step(ms)
    bench.accept(commands)
    bench.prove(commands)
    for order in submits(commands):
        if order.purpose != "quote":
            bench.tell(OrderExpired("X-USD", bench.now, bench.now, order.client_id, order.size))


def quoting(bench: TraderBench) -> None:
    bench.market()
    settle(bench)
    settle(bench, 50)
    for bid_size, ask_size in (("15", "5"), ("0.016", "0.016"), ("10", "10")):
        book(bench, 10_000, bid_size, ask_size)
        for _ in range(3):
            settle(bench)


def jumping(bench: TraderBench) -> None:
    """The mid jumps a percent and back, then stays until the market counts as calm again."""
    bench.market()
    for number in range(100):
        book(bench, 10_000 + (100 if number in (1, 2) else 0))
        settle(bench, 500)
        settle(bench, 500)


def filled(bench: TraderBench) -> None:
    """Bids are filled and the market stays; then it falls and rises by 3.5 %."""
    settle(bench, 6_000)
    bench.market()
    settle(bench)
    settle(bench)
    bids = one_side([order.command for order in bench.trader.orders.open_orders()], 1)
    for order in bids[:2]:
        bench.fill(order)
    for _ in range(4):
        settle(bench)
    for mid in (9_650, 10_360):
        book(bench, mid)
        for _ in range(4):
            settle(bench)


def resting(bench: TraderBench) -> None:
    """The market moves by cents, cancels stay unproven for a while, orders grow old."""
    bench.market()
    settle(bench)
    settle(bench)
    bench.market("9999.03", "10001.03")
    bench.accept(bench.step())
    bench.market("10009", "10011")
    asked = bench.step()
    bench.accept(asked)
    for _ in range(8):
        bench.accept(bench.step(50))
    bench.prove([c for c in asked if bench.trader.orders.order(c.client_id).ended_ns is None])
    for _ in range(8):
        settle(bench, 500)


def flowing(bench: TraderBench) -> None:
    """For a minute and more bids and asks come and go in turn, then bids are added all the time."""
    bench.market()
    settle(bench)
    for second in range(90):
        book(bench, 10_000, str(10 + (second % 2 if second < 75 else second - 74)))
        settle(bench, 1_000)


def taped(bench: TraderBench) -> None:
    """Half a minute in which trades reach up to six dollars."""
    bench.market()
    settle(bench)
    for number in range(30):
        price = X.ticks("10001") + 100 * (number % 5 + (number % 3 == 0))
        bench.tell(TradePrint("X-USD", bench.now, bench.now, number, price, 1, BUY))
        book(bench, 10_000 + number % 2)
        settle(bench, 1_000)


class Case(NamedTuple):
    value: str
    scene: Callable[[TraderBench], None]
    fixed: Mapping[str, Any] = {}


HEDGING = {"strategy__auto_hedge_enabled": True, "strategy__hedge_threshold_pct": D("0.1")}
MODEL: Mapping[str, Any] = {"engine__strategy": "glft", "model__calibrate": False, "fees__maker_bps": D(0)}
CASES: dict[str, Case] = {
    "strategy.base_spread_bps": Case("20", quoting),
    "strategy.max_spread_bps": Case("12", jumping),
    "strategy.order_quantity": Case("0.02", quoting),
    "strategy.min_order_quantity": Case("0.009", quoting),
    "strategy.max_order_quantity": Case("0.012", filled, HEDGING),
    "strategy.target_position": Case("1", quoting),
    "strategy.max_position": Case("0.02", quoting),
    "strategy.inventory_skew_factor": Case("0.1", filled, {"strategy__max_position": D("0.03")}),
    "strategy.inventory_skew_unit": Case("half_spread", filled, {"strategy__max_position": D("0.03")}),
    "strategy.levels": Case("1", quoting),
    "strategy.price_level_spacing": Case("0.5", quoting),
    "strategy.imbalance_threshold": Case("0.6", quoting),
    "strategy.volume_weight_factor": Case("1", quoting),
    "strategy.volume_depth_factor": Case("0.25", quoting),
    "strategy.quote_update_interval_ms": Case("1000", quoting),
    "strategy.auto_hedge_enabled": Case("true", filled, {"strategy__hedge_threshold_pct": D("0.1")}),
    "strategy.hedge_threshold_pct": Case("50", filled, HEDGING),
    "strategy.hedge_interval_ms": Case("100", filled, HEDGING),
    "strategy.volatility_threshold": Case("20", jumping),
    "strategy.spread_widen_factor": Case("3", jumping),
    "strategy.market_stress_check_ms": Case("7000", jumping),
    "strategy.order_timeout_ms": Case("1000", resting),
    "strategy.cancel_retry_interval_ms": Case("400", resting),
    "strategy.reprice_tolerance_ticks": Case("5", resting),
    "strategy.min_quote_life_ms": Case("2000", resting),
    "strategy.wait_cancel_ack": Case("false", resting),
    "strategy.post_fill_pause_ms": Case("3000", filled),
    "strategy.fv_model": Case("weighted", quoting),
    "strategy.fv_max_dev_bps": Case("0.01", quoting, {"strategy__fv_model": "weighted"}),
    "strategy.ofi_pull_z": Case("0.5", flowing),
    "strategy.fill_brake_n": Case("2", filled),
    "strategy.fill_brake_window_s": Case("0.1", filled, {"strategy__fill_brake_n": 2}),
    "strategy.min_distance_from_unhedged_bps": Case("20", filled),
    "strategy.allow_negative_edge": Case("true", quoting, {**MODEL, "fees__maker_bps": D(20)}),
    "model.gamma_per_bp": Case("0.02", filled, MODEL),
    "model.horizon_s": Case("600", filled, {**MODEL, "engine__strategy": "avellaneda-stoikov"}),
    "model.glft_solution": Case("closed", filled, {**MODEL, "model__gamma_per_bp": D(1)}),
    "model.max_inventory_units": Case("1", filled, MODEL),
    "model.calibrate": Case("false", taped, {"engine__strategy": "glft", "model__calib_min_fills": 5}),
    "model.calib_window_s": Case("10", taped, {"engine__strategy": "glft", "model__calib_min_fills": 5}),
    "model.calib_min_fills": Case("1000", taped, {"engine__strategy": "glft", "model__calib_min_fills": 5}),
    "model.sigma_ticks_sqrt_s": Case("400", filled, MODEL),
    "model.A_per_s": Case("0.1", filled, MODEL),
    "model.k_per_tick": Case("0.01", filled, MODEL),
    "model.min_half_spread_bps": Case("9", filled, MODEL),
    "model.max_half_spread_bps": Case("3", filled, MODEL),
    "risk.max_order_size_base": Case("0.005", quoting),
    "risk.max_order_notional": Case("50", quoting),
    "risk.collar_pct": Case("1", filled, {"risk__band_bps": D(50)}),
    "risk.band_bps": Case("3", quoting),
    "risk.max_open_orders": Case("3", quoting, {"risk__max_open_orders_per_side": 3}),
    "risk.max_open_orders_per_side": Case("2", quoting),
    "risk.max_position_base": Case("0.02", filled),
    "risk.max_gross_notional": Case("150", quoting, {"risk__max_order_notional": D(150)}),
    "risk.min_free_balance_pct": Case("60", quoting, {"engine__opening_quote_balance": D(250)}),
    "risk.max_drawdown_pct": Case("0.1", filled, {"risk__risk_capital": D(1_000)}),
    "risk.stop_loss_pct": Case("50", filled),
    "risk.take_profit_pct": Case("1", filled, {"risk__stop_loss_pct": D(50)}),
    "risk.max_trading_volume": Case("0.01", filled),
}
CASES |= {key: Case(*case) for key, case in GUARD_CASES.items()}
IN_A_RULE_ONLY = {"strategy.min_spread_bps"}
"""Everything in a quote widens, so the minimum acts by refusing a smaller base spread."""


def seen(key: str, built_with: str | None, *changes: str) -> list[Any]:
    """What a Trader sends that was built with a value, then was told these values."""
    case = CASES[key]
    config = configured(**case.fixed)
    if built_with is not None:
        config = changed_config(config, {key: built_with})
    bench = TraderBench()
    bench.trader = build_trader(config, X, 0, displays_own=False)
    bench.trader.strategy.start()
    for text in changes:
        bench.tell(SettingsChange("X-USD", 0, 0, {key: text}))
        assert bench.trader.answer.is_taken, bench.trader.answer.text
    case.scene(bench)
    return bench.sent


def present(config: Config, key: str) -> str:
    section, _, field = key.partition(".")
    value = getattr(getattr(config, section), field)
    return "" if value is None else value_text(value)


def test_every_live_key_is_shown_to_act() -> None:
    assert CASES.keys() | IN_A_RULE_ONLY == LIVE
    assert not CASES.keys() & IN_A_RULE_ONLY


@pytest.mark.parametrize("key", CASES)
def test_a_live_change_acts_as_if_the_trader_had_been_built_with_it(key: str) -> None:
    value, as_it_was = CASES[key].value, seen(key, None)
    changed = seen(key, None, value)
    assert as_it_was
    assert changed != as_it_was, "the change has no effect"
    assert changed == seen(key, value)


@pytest.mark.parametrize("key", CASES)
def test_a_change_there_and_back_leaves_everything_as_it_was(key: str) -> None:
    before = present(configured(**CASES[key].fixed), key)
    assert seen(key, None, CASES[key].value, before) == seen(key, None)


def test_the_smallest_spread_refuses_a_smaller_base_spread_until_it_is_taken_back() -> None:
    bench = TraderBench()
    for least, is_taken in (("8", False), ("5", True)):
        change(bench, strategy__min_spread_bps=least)
        change(bench, strategy__base_spread_bps="6")
        assert bench.trader.answer.is_taken is is_taken


def seen_later(key: str, text: str | None) -> list[Any]:
    """What a Trader sends in a second round after a first one, the setting changed in between."""
    case = CASES[key]
    bench = TraderBench(**case.fixed)
    case.scene(bench)
    if text is not None:
        bench.prove(bench.tell(SettingsChange("X-USD", bench.now, bench.now, {key: text})))
        assert bench.trader.answer.is_taken, bench.trader.answer.text
    bench.sent = []
    bench.operator(OperatorAction.RESUME)
    case.scene(bench)
    return bench.sent


@pytest.mark.parametrize("key", CASES)
def test_a_change_in_the_middle_of_trading_acts(key: str) -> None:
    assert {sent.client_id for sent in seen_later(key, None)}
    assert shape(seen_later(key, CASES[key].value)) != shape(seen_later(key, None))


def shape(sent: list[Any]) -> list[Any]:
    """Commands without their ids: limits that change pull what rests, so the ids go on elsewhere."""
    return [(type(c), c.created_ns, getattr(c, "price", None), getattr(c, "size", None)) for c in sent]


# -- in the middle of trading --------------------------------------------------------------------


def test_what_was_learnt_of_the_market_survives_a_change() -> None:
    bench = TraderBench()
    jumping(bench)
    for number in range(4):
        book(bench, 10_000 + 100 * (number % 2))
        settle(bench, 1_000)
    maker = bench.trader.strategy
    assert maker.is_stressed
    before = maker.save()
    change(bench, strategy__spread_widen_factor="3", strategy__levels="1")
    assert maker.save() == before


def test_a_stress_check_comes_by_the_new_interval_at_once() -> None:
    bench = TraderBench(strategy__market_stress_check_ms=3_600_000)
    bench.market()
    settle(bench)
    for number in range(5):
        book(bench, 10_000 + 100 * (number % 2))
        settle(bench, 1_000)
    assert not bench.trader.strategy.is_stressed
    change(bench, strategy__market_stress_check_ms="1000")
    settle(bench)
    assert bench.trader.strategy.is_stressed


def test_a_pause_after_a_fill_ends_by_the_new_length() -> None:
    bench = TraderBench(strategy__post_fill_pause_ms=3_600_000)
    bench.fill(one_side(bench.quote(), 1)[0])
    settle(bench)
    assert len(one_side([o.command for o in bench.trader.orders.open_orders()], 1)) == 2
    change(bench, strategy__post_fill_pause_ms="50")
    settle(bench)
    settle(bench)
    assert len(one_side([o.command for o in bench.trader.orders.open_orders()], 1)) == 3


def test_tighter_limits_pull_what_the_old_ones_let_rest() -> None:
    bench = TraderBench()
    quotes = bench.quote()
    pulled = change(bench, risk__max_open_orders_per_side="1")
    assert {c.client_id for c in cancels(pulled)} == {q.client_id for q in quotes}
    bench.prove(pulled)
    assert len(submits(bench.step())) == 2


def test_a_change_that_touches_no_limit_leaves_what_rests() -> None:
    bench = TraderBench()
    bench.quote()
    assert change(bench, strategy__base_spread_bps="11") == []


def test_a_position_limit_below_the_position_reduces_at_once_and_a_wider_one_releases() -> None:
    bench = TraderBench()
    bench.fill(one_side(bench.quote(), 1)[0])
    change(bench, risk__max_position_base="0.01")
    assert bench.trader.risk.effective is TradingState.REDUCING
    change(bench, risk__max_position_base="1")
    assert bench.trader.risk.effective is TradingState.ACTIVE


def test_keys_that_depend_on_each_other_change_together() -> None:
    bench = TraderBench()
    change(bench, strategy__base_spread_bps="60")
    assert not bench.trader.answer.is_taken
    change(bench, strategy__base_spread_bps="60", strategy__max_spread_bps="80")
    assert bench.trader.answer.is_taken
    assert bench.trader.answer.text == (
        "from now on strategy.base_spread_bps = 60, strategy.max_spread_bps = 80"
    )


def test_a_refused_change_changes_nothing_and_raises_nothing() -> None:
    bench, quiet = TraderBench(), TraderBench()
    change(bench, strategy__levels="1", strategy__max_position="0.0001")
    assert not bench.trader.answer.is_taken
    assert "max_position" in bench.trader.answer.text
    assert [alert.code for alert in bench.trader.drain_alerts()] == ["REFUSED"]
    assert submits(bench.quote()) == submits(quiet.quote())


def test_the_digest_covers_what_was_changed() -> None:
    def digest(*changes: dict[str, str]) -> str:
        bench = TraderBench()
        for named in changes:
            bench.tell(SettingsChange("X-USD", 0, 0, named))
        return bench.trader.digest()

    one, other = {"strategy.levels": "1"}, {"strategy.levels": "2"}
    assert digest(one) == digest(one)
    assert digest(one) != digest(other)
    assert digest(one, other) == digest(other, other)


# -- checking ------------------------------------------------------------------------------------

COARSE = Instrument.create("Y-USD", tick="1", lot="0.01")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("strategy.levels", "strategy.levels: must be key=value, for example strategy.levels=2"),
        ("strategy.level=2", "unknown key strategy.level; did you mean strategy.levels?"),
        ("strategi.levels=2", "unknown section strategi; did you mean strategy?"),
        ("strategy.levels=two", "strategy.levels = 'two': expected integer"),
        ("strategy.levels=0", "strategy.levels = 0: must be at least 1"),
        ("risk.collar_pct=1e3", "risk.collar_pct = 1000: must be at most 10 %"),
        (
            "strategy.base_spread_bps=4",
            "strategy.base_spread_bps = 4: must be at least min_spread_bps = 5 bp",
        ),
        (
            "risk.max_open_orders=99",
            "risk.max_open_orders_per_side = 100: must be at most max_open_orders = 99",
        ),
        (
            "engine.mode=replay",
            "engine.mode: cannot change while the engine runs, nothing was changed; "
            "set it in the configuration file or with --set, and start again",
        ),
        (
            "risk.risk_capital=5",
            "risk.risk_capital: cannot change while the engine runs, nothing was changed; "
            "set it in the configuration file or with --set, and start again",
        ),
        (
            "strategy.order_quantity=0.015",
            "strategy.order_quantity = 0.015: must be a multiple of the lot 0.01 of Y-USD",
        ),
        (
            "risk.max_order_size_base=0.005",
            "risk.max_order_size_base = 0.005: below the smallest order of Y-USD (0.01 Y), "
            "so no order could pass; raise it",
        ),
    ],
)
def test_what_cannot_be_changed_is_said_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        check_change(configured(), [X, COARSE], text)
    assert str(error.value) == sentence


def test_a_checked_change_gives_the_configuration_and_canonical_texts() -> None:
    config = configured()
    checked = check_change(config, [X], " risk.max_order_size_base = 00.50 ")
    assert checked.config == replace(config, risk=replace(config.risk, max_order_size_base=D("0.50")))
    assert (checked.old, checked.new) == ("-", "0.5")
    assert checked.changes == {"risk.max_order_size_base": "0.5"}
    back = check_change(checked.config, [X], "risk.max_order_size_base=")
    assert back.config == config
    assert (back.old, back.new, back.changes) == ("0.5", "-", {"risk.max_order_size_base": ""})


@pytest.mark.parametrize("key", CASES)
def test_canonical_text_reads_back_as_the_same_value(key: str) -> None:
    checked = check_change(configured(**CASES[key].fixed), [X], f"{key}={CASES[key].value}")
    assert changed_config(checked.config, checked.changes) == checked.config


def test_a_spread_below_the_fees_is_refused_while_live() -> None:
    config = configured(engine__mode="live", fees__maker_bps=D(3))
    for text, is_taken in (("strategy.base_spread_bps=6", True), ("strategy.base_spread_bps=5.9", False)):
        if is_taken:
            config = check_change(config, [X], text).config
            continue
        with pytest.raises(UsageError, match="at least 6 bp, the break-even spread"):
            check_change(config, [X], text)
        allowed = changed_config(config, {"strategy.allow_negative_edge": "true"})
        assert check_change(allowed, [X], text).new == "5.9"
        check_change(replace(config, engine=replace(config.engine, mode="paper")), [X], text)
