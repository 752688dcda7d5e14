"""Section `risk`: defaults, hard ceilings, rules between fields, and an effect for every key."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from engine.core.errors import UsageError
from engine.core.events import SubmitOrder
from engine.core.instrument import Instrument
from engine.core.order import Side, TimeInForce
from engine.core.own_orders import OwnOrder, OwnOrders
from engine.core.settings import require_valid
from engine.risk.fill_burst import FillBurst
from engine.risk.gate import RiskContext, RiskGate
from engine.risk.limits import RiskLimits
from engine.risk.loss_guard import LossGuard
from engine.risk.position_risk import PositionRisk
from engine.risk.price_sanity import PriceSanity
from engine.risk.settings import RiskSettings
from engine.risk.state import RiskState, TradingState

BTC = Instrument.create("BTC-USD", tick="0.01", lot="0.001")
DOGE = Instrument.create("DOGE-USD", tick="0.00001", lot="0.1")
MID = 1_000_000
KEYS = {entry.name: entry for entry in dataclasses.fields(RiskSettings)}
NUMBERS = {name: entry for name, entry in KEYS.items() if name != "var_method"}


def changed(key: str, value: Any, mode: str = "live") -> RiskSettings:
    return dataclasses.replace(RiskSettings.for_mode(mode), **{key: value})


# -- defaults and ceilings -----------------------------------------------------------------------


def test_live_and_paper_start_with_the_defaults_of_the_safety_sheet() -> None:
    expected = {
        "max_order_size_base": Decimal("0.05"),
        "max_order_notional": 1_000,
        "collar_pct": 2,
        "band_bps": 50,
        "max_open_orders": 20,
        "max_open_orders_per_side": 10,
        "max_position_base": Decimal("0.25"),
        "max_gross_notional": 10_000,
        "min_free_balance_pct": 5,
        "max_drawdown_pct": 5,
        "stop_loss_pct": 3,
        "take_profit_pct": 5,
        "max_trading_volume": 100,
        "risk_capital": None,
        "max_daily_loss": 250,
        "max_drawdown": 150,
        "max_orders_per_s": 5,
        "max_order_burst": 10,
        "order_wait_ms": 250,
        "runaway_ratio": 3,
        "max_fills_per_s": 10,
        "max_filled_orders_per_s": 5,
        "fill_hold_s": 30,
        "max_spread_pct": 5,
        "max_mid_move_pct": 3,
        "book_hold_s": 5,
        "max_var": None,
        "var_confidence_pct": 95,
        "var_method": "historical",
        "var_interval_s": 10,
        "var_samples": 500,
    }
    assert dataclasses.asdict(RiskSettings.for_mode("live")) == expected
    assert RiskSettings.for_mode("paper") == RiskSettings() == RiskSettings.for_mode("live")


@pytest.mark.parametrize("mode", ["sim", "replay", "paper", "live"])
def test_the_defaults_of_every_mode_are_valid(mode: str) -> None:
    require_valid("risk", RiskSettings.for_mode(mode))


@pytest.mark.parametrize("mode", ["sim", "replay"])
def test_play_money_starts_generous_in_any_product(mode: str) -> None:
    settings = RiskSettings.for_mode(mode)
    for instrument in (BTC, DOGE):
        limits = settings.limits(instrument, Decimal(10))
        assert limits.max_order_size == instrument.lots(10)
        assert limits.max_position == instrument.lots(20)
        assert limits.max_gross_notional == instrument.atoms(2_000_000)
        assert limits.min_free_balance.numerator == 0


def test_every_limit_has_a_hard_ceiling_and_a_meaning() -> None:
    for name, entry in NUMBERS.items():
        meta = entry.metadata["setting"]
        assert meta.at_most is not None, name
        assert meta.help, name
        if not name.startswith("max_open_orders"):
            assert meta.unit, name


@pytest.mark.parametrize("key", NUMBERS)
def test_a_value_above_the_ceiling_is_refused_and_the_ceiling_itself_is_a_bound(key: str) -> None:
    ceiling = KEYS[key].metadata["setting"].at_most
    kind = int if KEYS[key].type == "int" else Decimal
    with pytest.raises(UsageError, match=f"risk.{key} = .*must be at most {ceiling}"):
        require_valid("risk", changed(key, kind(ceiling) + 1))
    require_valid("risk", changed(key, kind(ceiling), mode="sim"))


@pytest.mark.parametrize("key", NUMBERS)
@pytest.mark.parametrize("value", [Decimal(-1), Decimal("NaN"), Decimal("Infinity")])
def test_impossible_values_are_refused(key: str, value: Decimal) -> None:
    with pytest.raises(UsageError, match=f"risk.{key} = "):
        require_valid("risk", changed(key, value))


@pytest.mark.parametrize(
    "key", [key for key in NUMBERS if key not in ("min_free_balance_pct", "order_wait_ms")]
)
def test_zero_is_no_limit(key: str) -> None:
    with pytest.raises(UsageError, match=f"risk.{key} = 0: must be"):
        require_valid("risk", changed(key, 0))


# -- rules between fields ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"max_open_orders": 5, "max_open_orders_per_side": 6}, "max_open_orders_per_side"),
        ({"max_order_notional": Decimal(101), "max_gross_notional": Decimal(100)}, "max_order_notional"),
        ({"max_order_size_base": Decimal(2), "max_position_base": Decimal(1)}, "max_order_size_base"),
        ({"band_bps": Decimal(101), "collar_pct": Decimal(1)}, "band_bps"),
    ],
)
def test_rules_between_fields(values: dict[str, Any], key: str) -> None:
    with pytest.raises(UsageError, match=f"risk.{key} = "):
        require_valid("risk", RiskSettings(**values))


@pytest.mark.parametrize(
    "values",
    [
        {"max_open_orders": 5, "max_open_orders_per_side": 5},
        {"max_order_notional": Decimal(100), "max_gross_notional": Decimal(100)},
        {"max_order_size_base": Decimal(1), "max_position_base": Decimal(1)},
        {"max_order_size_base": None, "max_position_base": Decimal(1)},
        {"band_bps": Decimal(100), "collar_pct": Decimal(1)},
    ],
)
def test_equal_values_keep_the_rules(values: dict[str, Any]) -> None:
    require_valid("risk", RiskSettings(**values))


# -- limits of an instrument ---------------------------------------------------------------------


def test_limits_are_exact_integers_rounded_down() -> None:
    settings = RiskSettings(max_order_size_base=Decimal("0.0509"), max_order_notional=Decimal("999.9999999"))
    limits = settings.limits(BTC, Decimal(10))
    assert (limits.max_order_size, limits.max_position, limits.max_trading_volume) == (50, 250, 100_000)
    assert limits.max_order_notional == BTC.atoms("999.999999")  # an atom is 0.000001 USD, rounded down
    assert limits.collar.numerator * 50 == limits.collar.denominator
    assert limits.band.numerator * 200 == limits.band.denominator
    assert limits.risk_capital is None
    assert RiskSettings(risk_capital=Decimal("0.5")).limits(BTC, Decimal(10)).risk_capital == BTC.atoms("0.5")


@pytest.mark.parametrize("key", ["max_order_size_base", "max_position_base"])
def test_a_limit_below_the_smallest_order_is_refused_at_the_start(key: str) -> None:
    big_lots = Instrument.create("DOGE-USD", tick="0.00001", lot="1", min_size="10")
    settings = dataclasses.replace(
        RiskSettings.for_mode("sim"), max_order_size_base=Decimal(10), max_position_base=Decimal(10)
    )
    settings.limits(big_lots, Decimal(10))
    with pytest.raises(
        UsageError, match=rf"risk.{key} = 9: below the smallest order of DOGE-USD \(10 DOGE\)"
    ):
        dataclasses.replace(settings, **{key: Decimal(9)}).limits(big_lots, Decimal(10))


def test_unset_limits_of_a_tiny_strategy_are_refused_too() -> None:
    with pytest.raises(UsageError, match="the strategy's max_position: below the smallest order"):
        RiskSettings.for_mode("sim").limits(BTC, Decimal("0.0004"))


# -- every key acts ------------------------------------------------------------------------------


def verdict(
    limits: RiskLimits,
    side: Side,
    size: int,
    price: int,
    *,
    take: bool = False,
    resting: int = 0,
    position: int = 0,
) -> str:
    own = OwnOrders()
    for number in range(resting):
        own.add(OwnOrder(SubmitOrder("BTC-USD", 0, f"r{number}", Side.BUY, 1, MID - 500, slot=f"R{number}")))
    context = RiskContext(
        own,
        is_book_live=True,
        mid=2 * MID,
        best_bid=MID - 10,
        best_ask=MID + 10,
        position=position,
        quote_balance=BTC.atoms(1_000),
        base_balance=10**12,
        equity=BTC.atoms(1_000),
    )
    how: dict[str, Any] = (
        {"time_in_force": TimeInForce.IOC, "purpose": "hedge"} if take else {"post_only": True}
    )
    gate = RiskGate(BTC, limits, RiskState())
    gate.runaway.mean("B0", price, size, 0)
    denial = gate.check(SubmitOrder("BTC-USD", 0, "x", side, size, price, slot="B0", **how), context)
    return "" if denial is None else denial.code


def guarded(limits: RiskLimits, **numbers: Any) -> TradingState:
    state = RiskState()
    values = {
        "equity": BTC.atoms(1_000),
        "position": 1_000,
        "open_cost": BTC.atoms(1_000),
        "unrealised": 0,
        "day_volume": 0,
        "day": 0,
        "last_equity": BTC.atoms(1_000),
    }
    LossGuard(BTC, limits, state, BTC.atoms(1_000)).check(now_ns=0, **(values | numbers))
    return state.effective


def approved_at_once(limits: RiskLimits, *, meant: int = 1_000, apart_ns: int = 0) -> str:
    """What denies at last when one order after the other is to leave; the number that left before."""
    gate, context = RiskGate(BTC, limits, RiskState()), RiskContext(OwnOrders(), is_book_live=True)
    context.mid, context.best_bid, context.best_ask = 2 * MID, MID - 10, MID + 10
    context.base_balance = 10**9
    gate.runaway.mean("all", 1, meant, 0)
    for number in range(10_000):
        context.now_ns = number * apart_ns
        order = SubmitOrder("BTC-USD", 0, f"x{number}", Side.SELL, 1, MID, post_only=True, slot=f"A{number}")
        denial = gate.check(order, context)
        if denial is not None:
            return f"{denial.code} after {number}"
    raise AssertionError("nothing was denied")


def wait_of_a_quote(limits: RiskLimits) -> int:
    return limits.order_wait_ns


def after_fills(limits: RiskLimits, fills: list[int], seconds: int = 0) -> TradingState:
    state = RiskState()
    burst = FillBurst(BTC, limits, state)
    for size in fills:
        burst.on_fill(size, 0)
    burst.on_time(0)
    burst.on_time(seconds * 10**9)
    return state.effective


def after_touches(limits: RiskLimits, *touches: tuple[int, int, int]) -> TradingState:
    """Each (milliseconds, bid, ask)."""
    state = RiskState()
    sanity = PriceSanity(BTC, limits, state)
    for ms, bid, ask in touches:
        sanity.on_touch(bid, ask, ms * 1_000_000)
    return state.effective


def var_of(limits: RiskLimits) -> int | None:
    """In atoms, of 1 BTC after half an hour of a mid that moves by more and more."""
    risk = PositionRisk(BTC, limits, RiskState())
    mid = 2 * MID
    for second in range(1_800):
        mid += (-1) ** (second // 10) * (second % 97) * (1 + second // 600)
        risk.on_mid(mid, second * 10**9)
    return risk.value_at_risk(1_000, 2 * MID)


def var_state(limits: RiskLimits) -> TradingState:
    state = RiskState()
    risk = PositionRisk(BTC, limits, state)
    for second in range(1_000):
        risk.on_mid(2 * MID + (second // 10 % 2) * 20_000, second * 10**9)
    risk.judge(1_000, 2 * MID, 0)
    return state.effective


A = TradingState.ACTIVE
SPREAD = (0, 970_000, 1_030_000)
JUMP = ((0, MID, MID + 1), (500, MID + 20_000, MID + 20_001))
EFFECTS: dict[str, tuple[Any, Callable[[RiskLimits], Any], Any, Any]] = {
    # key: another value, what is looked at, with the default, with the other value
    "max_order_size_base": (Decimal("0.02"), lambda x: verdict(x, Side.SELL, 30, MID), "", "SIZE"),
    "max_order_notional": (Decimal(100), lambda x: verdict(x, Side.SELL, 30, MID), "", "NOTIONAL"),
    "collar_pct": (
        Decimal("0.5"),
        lambda x: verdict(x, Side.SELL, 30, MID - 10_000, take=True),
        "",
        "COLLAR",
    ),
    "band_bps": (Decimal(10), lambda x: verdict(x, Side.SELL, 30, MID + 2_000), "", "BAND"),
    "max_open_orders": (10, lambda x: verdict(x, Side.SELL, 30, MID, resting=10), "", "OPEN_ORDERS"),
    "max_open_orders_per_side": (
        3,
        lambda x: verdict(x, Side.BUY, 30, MID - 100, resting=3),
        "",
        "OPEN_ORDERS",
    ),
    "max_position_base": (
        Decimal("0.05"),
        lambda x: verdict(x, Side.BUY, 50, MID - 100, resting=1),
        "",
        "POSITION",
    ),
    "max_gross_notional": (
        Decimal(1_000),
        lambda x: verdict(x, Side.BUY, 50, MID - 100, position=51),
        "",
        "EXPOSURE",
    ),
    "min_free_balance_pct": (Decimal(60), lambda x: verdict(x, Side.BUY, 50, MID - 100), "", "EXPOSURE"),
    "max_drawdown_pct": (
        Decimal(1),
        lambda x: guarded(x, equity=BTC.atoms(980)),
        A,
        TradingState.HALTED,
    ),
    "risk_capital": (Decimal(100), lambda x: guarded(x, equity=BTC.atoms(980)), A, TradingState.HALTED),
    "stop_loss_pct": (Decimal(1), lambda x: guarded(x, unrealised=BTC.atoms(-20)), A, TradingState.PAUSED),
    "take_profit_pct": (Decimal(1), lambda x: guarded(x, unrealised=BTC.atoms(20)), A, TradingState.PAUSED),
    "max_trading_volume": (Decimal(1), lambda x: guarded(x, day_volume=1_000), A, TradingState.REDUCING),
    "max_daily_loss": (Decimal(10), lambda x: guarded(x, equity=BTC.atoms(980)), A, TradingState.HALTED),
    "max_drawdown": (Decimal(10), lambda x: guarded(x, equity=BTC.atoms(980)), A, TradingState.REDUCING),
    "max_order_burst": (3, approved_at_once, "RATE after 10", "RATE after 3"),
    "max_orders_per_s": (
        1,
        lambda x: approved_at_once(x, apart_ns=100_000_000),
        "RATE after 19",
        "RATE after 11",
    ),
    "order_wait_ms": (0, wait_of_a_quote, 250_000_000, 0),
    "runaway_ratio": (2, lambda x: approved_at_once(x, meant=2), "RUNAWAY after 6", "RUNAWAY after 4"),
    "max_fills_per_s": (3, lambda x: after_fills(x, [1] * 5), A, TradingState.PAUSED),
    "max_filled_orders_per_s": (1, lambda x: after_fills(x, [30, 30]), A, TradingState.PAUSED),
    "fill_hold_s": (10, lambda x: after_fills(x, [1] * 11, 20), TradingState.PAUSED, A),
    "max_spread_pct": (Decimal(10), lambda x: after_touches(x, SPREAD), TradingState.PAUSED, A),
    "max_mid_move_pct": (Decimal(1), lambda x: after_touches(x, *JUMP), A, TradingState.PAUSED),
    "book_hold_s": (
        1,
        lambda x: after_touches(x, SPREAD, (3_000, MID, MID + 1), (4_900, MID, MID + 1)),
        TradingState.PAUSED,
        A,
    ),
    "max_var": (Decimal(10), var_state, A, TradingState.REDUCING),
    "var_confidence_pct": (Decimal(99), var_of, 7_837_711, 10_234_254),
    "var_method": ("parametric", var_of, 7_837_711, 7_626_879),
    "var_interval_s": (60, var_of, 7_837_711, None),
    "var_samples": (100, var_of, 7_837_711, 9_165_206),
}


def test_every_key_has_an_effect_test() -> None:
    assert EFFECTS.keys() == KEYS.keys()


@pytest.mark.parametrize("key", EFFECTS)
def test_effect(key: str) -> None:
    value, outcome, before, after = EFFECTS[key]
    assert outcome(RiskSettings().limits(BTC, Decimal(10))) == before
    assert outcome(changed(key, value).limits(BTC, Decimal(10))) == after
    assert before != after
