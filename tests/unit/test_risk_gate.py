"""The risk gate: each control below, at and above its limit; fail closed; reducing orders; order of codes."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.core.client_ids import ClientIds
from engine.core.events import OrderCancelled, SubmitOrder
from engine.core.instrument import Instrument
from engine.core.order import OrderType, Side, TimeInForce
from engine.core.order_manager import OrderManager, RefreshPolicy
from engine.risk.gate import DUPLICATE_WINDOW_NS, RiskContext, RiskGate
from engine.risk.limits import Ratio
from engine.risk.settings import RiskSettings
from engine.risk.state import RiskState, TradingState

BTC = Instrument.create(
    "BTC-USD", tick="0.01", lot="0.001", min_size="0.002", max_size="100", min_notional="25"
)
MID = 1_000_000
"""10,000.00 USD in ticks."""
WIDE: dict[str, Any] = {
    "max_order_size_base": Decimal(10),
    "max_order_notional": Decimal(100_000),
    "max_position_base": Decimal(50),
    "max_gross_notional": Decimal(2_000_000),
    "min_free_balance_pct": Decimal(0),
    "max_orders_per_s": 1_000,
    "max_order_burst": 1_000,
}
"""Limits that the orders of these tests do not touch unless a test tightens one."""


class Desk:
    """A gate over a market of 9,999 / 10,001, with an order manager behind it and plenty of money."""

    def __init__(self, instrument: Instrument = BTC, **tightened: object) -> None:
        self.state = RiskState()
        limits = RiskSettings(**(WIDE | tightened)).limits(instrument, Decimal(10))
        self.gate = RiskGate(instrument, limits, self.state)
        self.orders = OrderManager(instrument, ClientIds(1), RefreshPolicy())
        self.context = RiskContext(
            self.orders.own,
            is_book_live=True,
            mid=2 * MID,
            best_bid=MID - 100,
            best_ask=MID + 100,
            quote_balance=BTC.atoms(10_000_000),
            base_balance=10**9,
            equity=BTC.atoms(10_000_000),
        )
        self.number = 0

    def order(self, side: Side, size: int, price: int | None = None, **fields: Any) -> SubmitOrder:
        """A quote 10 USD from the mid unless said otherwise, in a slot of its own."""
        self.number += 1
        if price is None:
            price = MID - side * 1_000
        fields = {"post_only": True, "slot": f"S{self.number}"} | fields
        return SubmitOrder("BTC-USD", self.context.now_ns, f"id{self.number}", side, size, price, **fields)

    def take(self, side: Side, size: int, price: int, purpose: str = "hedge", **fields: Any) -> SubmitOrder:
        return self.order(
            side, size, price, post_only=False, time_in_force=TimeInForce.IOC, purpose=purpose, **fields
        )

    def rest(self, side: Side, size: int, price: int | None = None) -> SubmitOrder:
        """One of our orders that is live already."""
        return self.orders.submit(self.order(side, size, price))

    def code(self, order: SubmitOrder) -> str:
        """The code of the denial, or "" when the order passes. Whatever is judged was meant to be sent."""
        self.gate.runaway.mean(order.client_id, order.price or 0, order.size, self.context.now_ns)
        denial = self.gate.check(order, self.context)
        assert denial is None or denial.reason
        return "" if denial is None else denial.code


# -- R1, R2 --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lots", "code"), [(499, ""), (500, ""), (501, "SIZE")])
def test_r1_size(lots: int, code: str) -> None:
    assert Desk(max_order_size_base=Decimal("0.5")).code(Desk().order(Side.BUY, lots)) == code


@pytest.mark.parametrize(
    ("price", "lots", "code"),
    [
        (MID - 1_000, 100, ""),  # 9,990 x 0.1 = 999
        (MID, 100, ""),  # 10,000 x 0.1 = 1,000 exactly
        (MID + 1, 100, "NOTIONAL"),  # 1,000.001
        (MID - 1_000, 101, "NOTIONAL"),
    ],
)
def test_r2_notional(price: int, lots: int, code: str) -> None:
    desk = Desk(max_order_notional=Decimal(1_000))
    assert desk.code(desk.take(Side.BUY, lots, price)) == code


# -- R3, R4 --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "code"),
    [
        (980_000, ""),
        (979_999, "COLLAR"),
        (1_020_000, ""),
        (1_020_001, "COLLAR"),
        (10 * MID, "COLLAR"),
        (MID // 10, "COLLAR"),
    ],
)
@pytest.mark.parametrize("side", list(Side))
def test_r3_collar_of_two_percent(side: Side, price: int, code: str) -> None:
    desk = Desk(collar_pct=Decimal(2))
    assert desk.code(desk.take(side, 30, price)) == code


def test_r3_measures_from_a_mid_between_two_ticks_exactly() -> None:
    desk = Desk(collar_pct=Decimal(2))
    desk.context.mid = 2 * MID + 1  # collar to 1,020,000.51
    assert desk.code(desk.take(Side.BUY, 3, 1_020_000)) == ""
    assert desk.code(desk.take(Side.BUY, 3, 1_020_001)) == "COLLAR"


@pytest.mark.parametrize(
    ("side", "price", "code"),
    [
        (Side.BUY, 995_000, ""),
        (Side.BUY, 994_999, "BAND"),
        (Side.SELL, 1_005_000, ""),
        (Side.SELL, 1_005_001, "BAND"),
        (Side.BUY, MID + 99, ""),
        (Side.BUY, MID + 100, "BAND"),
        (Side.SELL, MID - 99, ""),
        (Side.SELL, MID - 100, "BAND"),
    ],
)
def test_r4_band_of_50_bp_and_no_crossing(side: Side, price: int, code: str) -> None:
    assert Desk().code(Desk().order(side, 3, price)) == code


def test_r4_is_for_quotes_only_and_demands_post_only() -> None:
    desk = Desk()
    assert desk.code(desk.take(Side.BUY, 3, MID + 10_000)) == ""
    assert desk.code(desk.order(Side.BUY, 3, post_only=False)) == "BAND"


def test_r4_denies_on_a_crossed_or_one_sided_book() -> None:
    desk = Desk()
    desk.context.best_bid = desk.context.best_ask = MID
    assert desk.code(desk.order(Side.BUY, 3)) == "BAND"
    desk.context.best_ask = None
    assert desk.code(desk.order(Side.BUY, 3)) == "BAND"


# -- R5 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"size": 1},  # below the minimum of 2 lots
        {"size": 100_001},
        {"size": 0},
        {"size": -5},
        {"size": 2.5},
        {"size": float("nan")},
        {"price": 0},
        {"price": -1},
        {"price": None},
        {"price": float("nan")},
        {"price": 1_000_000.0},
        {"size": 2, "price": 990_000},  # worth 19.80, the minimum is 25
        {"product": "ETH-USD"},
        {"order_type": OrderType.MARKET, "price": None},
        {"order_type": OrderType.STOP_LIMIT},
        {"time_in_force": TimeInForce.IOC},
        {"time_in_force": TimeInForce.FOK},
    ],
)
def test_r5_invalid_orders(fields: dict[str, Any]) -> None:
    desk = Desk()
    order = msgspec.structs.replace(desk.order(Side.BUY, 3), **fields)
    assert desk.code(order) == "INVALID"


def test_r5_a_price_of_zero_is_invalid_even_without_a_smallest_notional() -> None:
    desk = Desk(dataclasses.replace(BTC, min_notional=0))
    assert desk.code(msgspec.structs.replace(desk.order(Side.BUY, 3), price=0)) == "INVALID"


def test_r5_minima_and_maxima_themselves_are_valid() -> None:
    cheap = dataclasses.replace(BTC, min_notional=BTC.atoms("19.98"))
    desk = Desk(cheap)
    assert desk.code(desk.order(Side.BUY, 2, MID - 1_000)) == ""  # 9,990 x 0.002 = 19.98
    assert desk.code(desk.order(Side.BUY, 2, MID - 1_001)) == "INVALID"
    small = dataclasses.replace(BTC, max_size=4)
    desk = Desk(small)
    assert desk.code(desk.order(Side.BUY, 4)) == ""
    assert desk.code(desk.order(Side.BUY, 5)) == "INVALID"


# -- R6 ------------------------------------------------------------------------------------------


def test_r6_open_orders_of_a_side_and_in_all() -> None:
    desk = Desk(max_open_orders=5, max_open_orders_per_side=3)
    for _ in range(3):
        assert desk.code(desk.order(Side.BUY, 3)) == ""
        desk.rest(Side.BUY, 3)
    assert desk.code(desk.order(Side.BUY, 3)) == "OPEN_ORDERS"
    desk.rest(Side.SELL, 3)
    assert desk.code(desk.order(Side.SELL, 3)) == ""
    last = desk.rest(Side.SELL, 3)
    assert desk.code(desk.order(Side.SELL, 3)) == "OPEN_ORDERS"
    desk.orders.on_event(OrderCancelled("BTC-USD", 0, 0, last.client_id, 3))
    assert desk.code(desk.order(Side.SELL, 3)) == ""


def test_r6_a_flood_of_1000_intents_sends_the_limit() -> None:
    desk = Desk(max_open_orders=20, max_open_orders_per_side=10)
    sent = 0
    for number in range(1_000):
        order = desk.order(Side.BUY if number % 2 else Side.SELL, 3)
        if desk.code(order) == "":
            desk.orders.submit(order)
            sent += 1
    assert sent == 20
    assert desk.gate.denied == {"OPEN_ORDERS": 980}
    assert desk.gate.approved == 20


# -- R7 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize(("lots", "code"), [(9, ""), (10, ""), (11, "POSITION")])
def test_r7_counts_the_position_and_every_live_order_of_the_side(side: Side, lots: int, code: str) -> None:
    desk = Desk(max_position_base=Decimal("0.1"), max_order_size_base=Decimal("0.05"))
    desk.context.position = side * 60
    desk.rest(side, 20)
    unanswered = desk.rest(side, 10)
    desk.rest(side.opposite, 50)
    desk.orders.on_time(10**12, 0)
    assert unanswered.client_id in {o.client_id for o in desk.orders.open_orders() if o.state == "uncertain"}
    assert desk.code(desk.order(side, lots)) == code


@pytest.mark.parametrize("side", list(Side))
def test_r7_lets_reducing_orders_pass_at_and_beyond_the_limit(side: Side) -> None:
    desk = Desk(max_position_base=Decimal("0.1"), max_order_size_base=Decimal("0.1"))
    for position in (100, 150):
        desk.context.position = -side * position
        assert desk.code(desk.order(side, 3)) == ""
        assert desk.code(desk.order(side.opposite, 3)) == "POSITION"


def test_r7_holds_reducing_at_the_limit_until_below_80_percent() -> None:
    desk = Desk(max_position_base=Decimal("0.1"), max_order_size_base=Decimal("0.1"))
    desk.gate.on_position(99, 1)
    assert desk.state.effective is TradingState.ACTIVE
    desk.gate.on_position(-100, 2)
    assert desk.state.effective is TradingState.REDUCING
    (hold,) = desk.state.restrictions()
    assert (hold.code, hold.since_ns) == ("POSITION", 2)
    assert "80 %" in hold.release
    desk.gate.on_position(-80, 3)
    assert desk.state.effective is TradingState.REDUCING
    desk.gate.on_position(-79, 4)
    assert desk.state.effective is TradingState.ACTIVE


def test_reduce_only_cannot_turn_the_position_around() -> None:
    desk = Desk()
    desk.context.position = 10
    desk.rest(Side.SELL, 4, MID + 2_000)
    assert desk.gate.reducible(Side.SELL, desk.context) == 6
    assert desk.gate.reducible(Side.BUY, desk.context) == 0
    assert desk.code(desk.take(Side.SELL, 6, MID - 100, reduce_only=True)) == ""
    assert desk.code(desk.take(Side.SELL, 7, MID - 100, reduce_only=True)) == "POSITION"
    assert desk.code(desk.take(Side.BUY, 3, MID + 100, reduce_only=True)) == "POSITION"


# -- R8 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize(("lots", "code"), [(29, ""), (30, ""), (31, "EXPOSURE")])
def test_r8_gross_notional_at_the_mid(side: Side, lots: int, code: str) -> None:
    desk = Desk(max_gross_notional=Decimal(1_000), max_order_notional=Decimal(1_000))
    desk.context.position = side * 50
    desk.rest(side, 20)
    assert desk.code(desk.order(side, lots)) == code  # 100 lots at 10,000 = 1,000


def test_r8_round_trip_returns_the_exposure_to_zero() -> None:
    """Case 62, and the reducing half of case 63."""
    desk = Desk(max_gross_notional=Decimal(1_000), max_order_notional=Decimal(1_000))
    assert desk.code(desk.order(Side.BUY, 100)) == ""
    desk.context.position = 100
    assert desk.code(desk.order(Side.BUY, 3)) == "EXPOSURE"
    assert desk.code(desk.order(Side.SELL, 100, MID)) == ""
    desk.context.position = 0
    assert desk.code(desk.order(Side.BUY, 100)) == ""


@pytest.mark.parametrize(
    ("balance", "code"), [("599.5", ""), ("599.49999", "EXPOSURE"), ("0", "EXPOSURE"), ("-1", "EXPOSURE")]
)
def test_r8_free_balance_after_every_open_buy(balance: str, code: str) -> None:
    desk = Desk(min_free_balance_pct=Decimal(5))
    desk.context.equity = BTC.atoms(2_000)
    desk.rest(Side.BUY, 20)  # 9,990 x 0.02 = 199.80
    desk.context.quote_balance = BTC.atoms(balance)
    # 9,990 x 0.03 = 299.70, and 5 % of 2,000 must stay free: 599.50 in all
    assert desk.code(desk.order(Side.BUY, 30)) == code
    assert desk.code(desk.order(Side.SELL, 30)) == ""


def test_r8_a_worthless_account_buys_nothing_on_credit() -> None:
    desk = Desk(min_free_balance_pct=Decimal(5))
    desk.context.quote_balance, desk.context.equity = 0, BTC.atoms(-100_000)
    assert desk.code(desk.order(Side.BUY, 3)) == "EXPOSURE"


def test_r8_closing_a_short_needs_no_free_balance() -> None:
    desk = Desk(min_free_balance_pct=Decimal(5))
    desk.context.position, desk.context.quote_balance = -10, 0
    assert desk.code(desk.order(Side.BUY, 10)) == ""
    assert desk.code(desk.order(Side.BUY, 11)) == "EXPOSURE"


# -- R20, R21, R22 -------------------------------------------------------------------------------


def test_r20_the_same_order_in_one_slot_within_100_ms() -> None:
    desk = Desk()
    assert desk.code(desk.order(Side.BUY, 3, slot="B0")) == ""
    desk.context.now_ns = DUPLICATE_WINDOW_NS - 1
    assert desk.code(desk.order(Side.BUY, 3, slot="B0")) == "DUPLICATE"
    assert desk.code(desk.order(Side.BUY, 3, slot="B1")) == ""
    assert desk.code(desk.order(Side.BUY, 4, slot="B0")) == ""
    desk.context.now_ns = 2 * DUPLICATE_WINDOW_NS - 1
    assert desk.code(desk.order(Side.BUY, 4, slot="B0")) == ""


def test_r20_the_same_id_twice() -> None:
    desk = Desk()
    order = desk.order(Side.BUY, 3)
    assert desk.code(order) == ""
    desk.context.now_ns = 10**12
    assert desk.code(order) == "DUPLICATE"


def test_r21_a_slot_that_is_taken() -> None:
    desk = Desk()
    resting = desk.rest(Side.BUY, 3)
    assert desk.code(desk.order(Side.BUY, 4, slot=resting.slot)) == "UNCERTAIN"


@pytest.mark.parametrize(
    ("price", "code"), [(MID + 49, ""), (MID + 50, "SELF_TRADE"), (MID + 60, "SELF_TRADE")]
)
def test_r22_an_order_that_would_meet_our_own(price: int, code: str) -> None:
    desk = Desk()
    desk.rest(Side.SELL, 3, MID + 50)
    desk.rest(Side.SELL, 3, MID + 70)
    assert desk.code(desk.order(Side.BUY, 3, price)) == code
    mirrored = Desk()
    mirrored.rest(Side.BUY, 3, MID - 50)
    assert mirrored.code(mirrored.take(Side.SELL, 3, 2 * MID - price)) == code


# -- state ---------------------------------------------------------------------------------------


def test_reducing_lets_only_reducing_orders_pass_and_none_that_could_flip() -> None:
    desk = Desk()
    desk.state.hold("TEST", TradingState.REDUCING, "", "", 0)
    assert desk.code(desk.order(Side.SELL, 3)) == "REDUCING"
    desk.context.position = 10
    desk.rest(Side.SELL, 4)
    assert desk.code(desk.order(Side.BUY, 3)) == "REDUCING"
    assert desk.code(desk.order(Side.SELL, 6)) == ""
    assert desk.code(desk.order(Side.SELL, 7)) == "REDUCING"


def test_paused_lets_no_quote_pass_but_a_take_that_reduces() -> None:
    desk = Desk()
    desk.state.pause("asked", 0)
    desk.context.position = 10
    assert desk.code(desk.order(Side.SELL, 3)) == "PAUSED"
    assert desk.code(desk.take(Side.SELL, 10, MID - 100, "stop_loss", reduce_only=True)) == ""
    assert desk.code(desk.take(Side.BUY, 3, MID + 100)) == "PAUSED"


@pytest.mark.parametrize("state", [TradingState.HALTED, TradingState.KILLED])
def test_a_latch_denies_every_order_until_a_person_resets_it(state: TradingState) -> None:
    desk = Desk()
    desk.context.position = 10
    desk.state.latch(state, "TEST", "", 0)
    assert desk.code(desk.order(Side.BUY, 3)) == state.name
    assert desk.code(desk.take(Side.SELL, 3, MID - 100, "stop_loss", reduce_only=True)) == state.name
    desk.state.reset()
    assert desk.code(desk.order(Side.BUY, 3)) == ""


@pytest.mark.parametrize("state", [TradingState.HALTED, TradingState.KILLED])
def test_the_exemption_is_for_a_flatten_somebody_asked_for_and_only_as_far_as_it_reduces(
    state: TradingState,
) -> None:
    desk = Desk()
    desk.context.position = 10
    desk.state.latch(state, "TEST", "", 0)

    def code(side: Side, size: int, purpose: str = "flatten", *, reduce_only: bool = True) -> str:
        return desk.code(desk.take(side, size, MID - side * -100, purpose, reduce_only=reduce_only))

    assert code(Side.SELL, 10) == state.name, "nobody has asked"
    desk.state.flatten("asked", 0)
    assert desk.state.effective is state
    desk.rest(Side.SELL, 4)
    assert code(Side.SELL, 7) == state.name, "what rests on that side may fill first"
    assert code(Side.SELL, 7, reduce_only=False) == state.name
    assert code(Side.BUY, 3) == state.name
    assert code(Side.SELL, 6, "stop_loss") == state.name
    assert code(Side.SELL, 6, "hedge") == state.name
    assert desk.code(desk.order(Side.SELL, 6)) == state.name
    assert code(Side.SELL, 6) == ""
    desk.state.end_flatten()
    assert code(Side.SELL, 5) == state.name


def test_every_other_control_holds_for_a_flatten() -> None:
    desk = Desk(max_order_size_base=Decimal("0.005"))
    desk.context.position = 10
    desk.state.latch(TradingState.HALTED, "TEST", "", 0)
    desk.state.flatten("asked", 0)
    assert desk.code(desk.take(Side.SELL, 6, MID, "flatten", reduce_only=True)) == "SIZE"
    assert desk.code(desk.take(Side.SELL, 5, MID // 2, "flatten", reduce_only=True)) == "COLLAR"
    desk.context.is_book_live = False
    assert desk.code(desk.take(Side.SELL, 5, MID, "flatten", reduce_only=True)) == "STALE"


# -- fail closed ---------------------------------------------------------------------------------


def test_a_book_that_is_not_live_denies_everything() -> None:
    desk = Desk()
    desk.context.is_book_live = False
    assert desk.code(desk.order(Side.BUY, 3)) == "STALE"
    assert desk.code(desk.take(Side.BUY, 3, MID)) == "STALE"


@pytest.mark.parametrize("mid", [None, 0, -2])
def test_a_missing_reference_price_denies(mid: int | None) -> None:
    desk = Desk()
    desk.context.mid = mid
    assert desk.code(desk.take(Side.BUY, 3, MID)) == "COLLAR"


@pytest.mark.parametrize(("balance", "code"), [(29, "EXPOSURE"), (30, ""), (None, "EXPOSURE")])
def test_r8_no_more_is_sold_than_the_account_holds(balance: int | None, code: str) -> None:
    desk = Desk()
    desk.context.base_balance = balance
    desk.orders.submit(desk.order(Side.SELL, 10))
    assert desk.code(desk.order(Side.SELL, 20, MID + 2_000)) == code


def test_unknown_balances_deny_what_adds_exposure() -> None:
    for unknown in ("quote_balance", "equity"):
        desk = Desk()
        setattr(desk.context, unknown, None)
        assert desk.code(desk.order(Side.BUY, 3)) == "EXPOSURE"
        desk.context.position = -3
        assert desk.code(desk.order(Side.BUY, 3)) == ""


def test_a_control_that_breaks_denies() -> None:
    desk = Desk()
    desk.context.position = "ten"  # type: ignore[assignment]
    assert desk.code(desk.order(Side.BUY, 3)) == "CONTROL_FAILED"
    denial = desk.gate.check(desk.order(Side.BUY, 3), desk.context)
    assert denial is not None
    assert "TypeError" in denial.reason
    assert desk.gate.approved == 0


def test_a_fresh_context_denies() -> None:
    desk = Desk()
    desk.context = RiskContext(desk.orders.own)
    assert desk.code(desk.order(Side.BUY, 3)) == "STALE"


# -- order, numbers, digest ----------------------------------------------------------------------


def test_the_first_failure_decides() -> None:
    desk = Desk(
        max_order_size_base=Decimal("0.05"),
        max_order_notional=Decimal(1_000),
        max_position_base=Decimal("0.1"),
    )
    order = desk.order(Side.BUY, 2_000, 1_030_000)  # everything is wrong with it
    free, wide = Ratio(1, 1), Desk().gate.limits
    desk.context.best_ask = 1_030_001
    desk.state.latch(TradingState.HALTED, "TEST", "", 0)
    assert desk.code(order) == "HALTED"
    desk.state.reset()
    for code, lifted in (
        ("SIZE", {"max_order_size": wide.max_order_size}),
        ("NOTIONAL", {"max_order_notional": wide.max_order_notional}),
        ("COLLAR", {"collar": free}),
        ("BAND", {"band": free}),
        ("POSITION", {"max_position": wide.max_position}),
    ):
        assert desk.code(order) == code
        desk.gate.limits = dataclasses.replace(desk.gate.limits, **lifted)
    assert desk.code(order) == ""
    assert desk.gate.denied == dict.fromkeys(["HALTED", "SIZE", "NOTIONAL", "COLLAR", "BAND", "POSITION"], 1)
    assert desk.gate.approved == 1


def test_denials_speak_in_units() -> None:
    desk = Desk(max_order_size_base=Decimal("0.5"), max_order_notional=Decimal(1_000))

    def reason(order: SubmitOrder) -> str:
        denial = desk.gate.check(order, desk.context)
        assert denial is not None
        return denial.reason

    assert reason(desk.order(Side.BUY, 501)) == "order of 0.501 BTC, the limit is 0.5 BTC"
    assert reason(desk.order(Side.BUY, 500)) == "order worth 4995 USD, the limit is 1000 USD"
    too_far = "10300 against a mid of 10000, outside the collar of 2 %"
    assert reason(desk.take(Side.BUY, 3, 1_030_000)) == too_far


def test_what_is_saved_sees_every_verdict() -> None:
    desk = Desk(max_order_size_base=Decimal("0.5"))
    seen = {repr(desk.gate.save())}
    desk.code(desk.order(Side.BUY, 3))
    seen.add(repr(desk.gate.save()))
    desk.code(desk.order(Side.BUY, 501))
    seen.add(repr(desk.gate.save()))
    assert len(seen) == 3
