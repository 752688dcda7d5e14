"""R1 to R30 through the public entry point: events into a Trader, commands out of it.

Those of the Trader are here and in `test_market_controls`; `test_every_control_has_tests` says where the
others are, which need what they watch: a venue, a disk, a process, a person.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from control_desk import MID, Desk, S, Wanted, looping, price
from trader_bench import D, X, cancels, submits

from engine.core.events import (
    DayCarried,
    OperatorAction,
    Severity,
    SubmitOrder,
)
from engine.core.ledger import DAY_NS
from engine.core.order import BUY, SELL, OrderState
from engine.risk.settings import RiskSettings
from engine.risk.state import TradingState
from engine.strategy.protocol import Decision, Take

# -- what denies one order -------------------------------------------------------------------------

ORDERS: list[tuple[str, dict[str, Any], Wanted, str]] = [
    ("R1", {"max_order_size_base": D("0.5")}, (SELL, MID, 499), ""),
    ("R1", {"max_order_size_base": D("0.5")}, (SELL, MID, 500), ""),
    ("R1", {"max_order_size_base": D("0.5")}, (SELL, MID, 501), "SIZE"),
    ("R2", {"max_order_notional": D(1_000)}, (SELL, MID, 99), ""),
    ("R2", {"max_order_notional": D(1_000)}, (SELL, MID, 100), ""),
    ("R2", {"max_order_notional": D(1_000)}, (SELL, MID, 101), "NOTIONAL"),
    ("R3", {"collar_pct": D(2), "band_bps": D(200)}, (SELL, 1_019_999, 1), ""),
    ("R3", {"collar_pct": D(2), "band_bps": D(200)}, (SELL, 1_020_000, 1), ""),
    ("R3", {"collar_pct": D(2), "band_bps": D(200)}, (SELL, 1_020_001, 1), "COLLAR"),
    ("R3", {"collar_pct": D(2), "band_bps": D(200)}, (SELL, 10 * MID, 1), "COLLAR"),
    ("R4", {"band_bps": D(50)}, (BUY, 995_001, 1), ""),
    ("R4", {"band_bps": D(50)}, (BUY, 995_000, 1), ""),
    ("R4", {"band_bps": D(50)}, (BUY, 994_999, 1), "BAND"),
    ("R4", {}, (BUY, 1_000_099, 1), ""),
    ("R4", {}, (BUY, 1_000_100, 1), "BAND"),
    ("R5", {}, (BUY, MID, 1), ""),
    ("R5", {}, (BUY, MID, 2), ""),
    ("R5", {}, (BUY, MID, 0), "INVALID"),
    ("R5", {}, (BUY, 0, 1), "INVALID"),
    ("R5", {}, (BUY, -MID, 1), "INVALID"),
    ("R7", {"max_position_base": D(1)}, (SELL, MID, 999), ""),
    ("R7", {"max_position_base": D(1)}, (SELL, MID, 1_000), ""),
    ("R7", {"max_position_base": D(1)}, (SELL, MID, 1_001), "POSITION"),
    ("R8", {"max_gross_notional": D(10_000)}, (BUY, MID, 999), ""),
    ("R8", {"max_gross_notional": D(10_000)}, (BUY, MID, 1_000), ""),
    ("R8", {"max_gross_notional": D(10_000)}, (BUY, MID, 1_001), "EXPOSURE"),
]


@pytest.mark.parametrize(("control", "limits", "wanted", "code"), ORDERS)
def test_an_order_that_breaks_a_limit_does_not_leave(
    control: str, limits: dict[str, Any], wanted: Wanted, code: str
) -> None:
    desk = Desk(**{f"risk__{key}": value for key, value in limits.items()})
    assert len(desk.want(wanted)) == (code == "")
    assert desk.codes() == ({code} if code else set())
    assert desk.told() == ({code} if code else set())


@pytest.mark.parametrize(("count", "sent"), [(2, 2), (3, 3), (4, 3)])
def test_r6_no_more_open_orders_than_the_limit(count: int, sent: int) -> None:
    desk = Desk(risk__max_open_orders_per_side=3)
    assert len(desk.want(*[(SELL, MID + n, 1) for n in range(count)])) == sent
    assert desk.codes() == ({"OPEN_ORDERS"} if count > sent else set())


@pytest.mark.parametrize(("ms", "code"), [(98, "DUPLICATE"), (99, ""), (100, "")])
def test_r20_the_same_order_again_within_100_ms(ms: int, code: str) -> None:
    desk = Desk()
    desk.accept(desk.want((SELL, MID, 5)))
    desk.puppet.decision = Decision()
    desk.prove(desk.step(1))
    assert len(desk.want((SELL, MID, 5), ms=ms)) == (code == "")
    assert desk.codes() == ({code} if code else set())


def test_r7_a_full_position_reduces_until_it_is_below_80_percent() -> None:
    desk = Desk(risk__max_position_base=D(1))
    (first, *_) = desk.want((BUY, MID, 999))
    desk.accept([first])
    desk.fill(first)
    assert desk.state is TradingState.ACTIVE
    (last,) = desk.want((BUY, MID, 1))
    desk.accept([last])
    desk.fill(last)
    assert desk.state is TradingState.REDUCING
    assert desk.want((BUY, MID - 50, 1)) == []
    for size, state in ((200, TradingState.REDUCING), (1, TradingState.ACTIVE)):
        (order,) = desk.want((SELL, MID, size))
        desk.accept([order])
        desk.fill(order)
        assert desk.state is state
    assert len(desk.want((BUY, MID - 50, 1))) == 1


@pytest.mark.parametrize(("lots", "code"), [(94, ""), (95, ""), (96, "EXPOSURE")])
def test_r8_open_buys_leave_a_part_of_the_equity_free(lots: int, code: str) -> None:
    desk = Desk(engine__opening_quote_balance=D(1_000), risk__min_free_balance_pct=D(5))
    assert len(desk.want((BUY, MID, lots))) == (code == "")
    assert desk.codes() == ({code} if code else set())


@pytest.mark.parametrize(("ms", "is_uncertain"), [(1_999, False), (2_000, False), (2_001, True)])
def test_r21_an_order_is_uncertain_after_two_seconds_without_an_answer(ms: int, is_uncertain: bool) -> None:
    desk = Desk()
    desk.want((SELL, MID, 5))
    desk.step(ms)
    (order,) = desk.trader.orders.open_orders()
    assert (order.state is OrderState.UNCERTAIN) is is_uncertain
    assert desk.told() == ({"UNCERTAIN"} if is_uncertain else set())


@pytest.mark.parametrize(("ms", "is_halted"), [(59_999, False), (60_000, True), (60_001, True)])
def test_r21_a_minute_without_proof_halts(ms: int, is_halted: bool) -> None:
    desk = Desk()
    desk.want((SELL, MID, 5))
    desk.step(2_001)
    commands = desk.step(ms)
    assert (desk.state is TradingState.HALTED) is is_halted
    assert bool(cancels(commands)) is is_halted
    assert desk.restricted_by() == (["UNRESOLVED"] if is_halted else [])


def test_r21_a_slot_whose_order_nobody_answers_for_gets_no_second_one() -> None:
    desk = Desk()
    desk.want((SELL, MID, 5))
    for _ in range(40):
        assert desk.want((SELL, MID + 50, 5)) == []


@pytest.mark.parametrize(
    ("price", "code"), [(MID + 49, ""), (MID + 50, "SELF_TRADE"), (MID + 51, "SELF_TRADE")]
)
def test_r22_our_own_orders_never_meet(price: int, code: str) -> None:
    desk = Desk()
    sell = (SELL, MID + 50, 5)
    desk.accept(desk.want(sell))
    assert len(desk.want(sell, (BUY, price, 5))) == (code == "")
    assert desk.codes() == ({code} if code else set())


# -- what is lost ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mid", "state"),
    [("9750.01", TradingState.ACTIVE), ("9750", TradingState.HALTED), ("9749.99", TradingState.HALTED)],
)
def test_r9_a_lost_day_halts_and_cancels_all(mid: str, state: TradingState) -> None:
    desk = Desk(risk__max_daily_loss=D(250))
    desk.hold(1_000)
    desk.accept(desk.want((SELL, 1_000_500, 5)))
    desk.trader.drain_alerts()
    desk.market(*price(mid))
    commands = desk.step()
    assert desk.state is state
    is_halted = state is TradingState.HALTED
    assert bool(cancels(commands)) is is_halted
    assert desk.restricted_by() == (["LOSS"] if is_halted else [])
    told = [(alert.code, alert.severity) for alert in desk.trader.drain_alerts()]
    assert told == ([("LOSS", Severity.CRITICAL)] if is_halted else [])
    if is_halted:
        desk.prove(commands)
        assert desk.want((SELL, 1_000_500, 5)) == []


def test_r9_a_person_cannot_rearm_before_the_next_day_and_then_it_begins_at_zero() -> None:
    desk = Desk(risk__max_daily_loss=D(250))
    desk.hold(1_000)
    desk.market(*price("9700"))
    desk.step()
    desk.operator(OperatorAction.REARM)
    assert not desk.trader.answer.is_taken
    assert "until the next UTC day" in desk.trader.answer.text
    desk.now += DAY_NS
    desk.step()
    desk.operator(OperatorAction.REARM)
    assert desk.trader.answer.is_taken
    desk.market(*price("9700"))
    assert len(desk.want((SELL, 970_000, 5))) == 1


def test_r9_a_kill_before_does_not_let_a_lost_day_be_rearmed() -> None:
    desk = Desk(risk__max_daily_loss=D(250))
    desk.hold(1_000)
    desk.operator(OperatorAction.KILL)
    desk.market(*price("9700"))
    desk.step()
    desk.operator(OperatorAction.REARM)
    assert not desk.trader.answer.is_taken
    assert "until the next UTC day" in desk.trader.answer.text


def test_r9_what_takes_and_is_unanswered_is_cancelled_too() -> None:
    desk = Desk(risk__max_daily_loss=D(250))
    desk.hold(1_000)
    desk.puppet.decision = Decision(take=Take(SELL, MID - 100, 5, "hedge", "said the test"))
    (taking,) = submits(desk.step())
    desk.market(*price("9700"))
    assert [cancel.client_id for cancel in cancels(desk.step())] == [taking.client_id]


def test_r9_what_earlier_sessions_of_the_day_have_lost_counts() -> None:
    desk = Desk(risk__max_daily_loss=D(250))
    desk.tell(DayCarried("X-USD", desk.now, desk.now, 0, X.atoms(-240)))
    desk.hold(1_000)
    desk.market(*price("9991"))
    desk.step()
    assert desk.state is TradingState.ACTIVE
    desk.market(*price("9990"))
    desk.step()
    assert desk.restricted_by() == ["LOSS"]


@pytest.mark.parametrize(
    ("mid", "state"),
    [("9850.01", TradingState.ACTIVE), ("9850", TradingState.REDUCING), ("9849.99", TradingState.REDUCING)],
)
def test_r10_a_drawdown_in_money_leaves_only_reducing_orders(mid: str, state: TradingState) -> None:
    desk = Desk(risk__max_drawdown=D(150))
    desk.hold(1_000)
    desk.trader.drain_alerts()
    desk.market(*price(mid))
    desk.step()
    assert desk.state is state
    at = X.ticks(mid)
    sent = desk.want((SELL, at, 500), (BUY, at - 50, 500))
    assert [order.side for order in sent] == ([SELL, BUY] if state is TradingState.ACTIVE else [SELL])
    assert desk.told() == (set() if state is TradingState.ACTIVE else {"DRAWDOWN"})


# -- how fast --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "sent"), [(9, 9), (10, 10), (11, 10)])
def test_r11_a_burst_leaves_and_the_rest_waits_its_turn(count: int, sent: int) -> None:
    desk = Desk(risk__max_orders_per_s=5, risk__max_order_burst=10)
    wanted = [(SELL, MID + n, 1) for n in range(count)]
    assert len(desk.want(*wanted)) == sent
    assert desk.codes() == set()
    assert len(desk.step(100)) == 0
    assert len(desk.step(100)) == count - sent
    assert desk.codes() == set()


def test_r11_what_has_waited_for_250_ms_is_denied_and_counted() -> None:
    desk = Desk(risk__max_orders_per_s=1, risk__max_order_burst=1)
    assert len(desk.want((SELL, MID, 1), (SELL, MID + 1, 1))) == 1
    desk.step(200)
    assert desk.codes() == set()
    desk.step(100)
    assert desk.codes() == {"RATE"}


def test_r11_a_flood_of_intents_leaves_at_the_rate_exactly() -> None:
    """Every 10 ms another order is wanted for a minute: 10 at once, then 5 a second."""
    desk = Desk(risk__max_orders_per_s=5, risk__max_order_burst=10)
    sent_ns: list[int] = []
    for number in range(6_000):
        orders = desk.want((SELL, MID + number % 2, 1), ms=10)
        sent_ns += [desk.now] * len(orders)
        desk.accept(orders)
        desk.prove(desk.trader.orders.cancel_all(desk.now, "a test"))
    assert len(sent_ns) == pytest.approx(310, abs=1)
    for start in sent_ns:
        assert sum(start <= at < start + S for at in sent_ns) <= 15


@pytest.mark.parametrize("mode", ["sim", "live"])
def test_r13_an_order_loop_is_stopped_within_a_second(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = dataclasses.asdict(RiskSettings.for_mode(mode))
    desk = Desk(**{f"risk__{key}": value for key, value in limits.items()})
    looping(desk, monkeypatch)
    sent: list[SubmitOrder] = []
    started = desk.now
    while desk.state is not TradingState.KILLED:
        assert desk.now - started < S
        orders = desk.want((SELL, MID + 20, 10), (BUY, MID - 20, 10), ms=10)
        sent += orders
        desk.accept(orders)
    assert len(sent) <= 30
    assert sum(order.size for order in sent) <= desk.trader.gate.limits.max_position
    assert desk.restricted_by()[0] == "RUNAWAY"
    assert {order.client_id for order in sent} <= {cancel.client_id for cancel in cancels(desk.sent)}
    assert "RUNAWAY" in desk.told()
    assert desk.want((SELL, MID, 10)) == []


@pytest.mark.parametrize(("loops", "is_killed"), [(2, False), (3, False), (4, True)])
def test_r13_three_times_what_was_meant_is_the_limit(
    loops: int, is_killed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk()
    looping(desk, monkeypatch)
    for _ in range(loops):
        desk.want((SELL, MID, 10))
    assert (desk.state is TradingState.KILLED) is is_killed


def test_r13_a_loop_whose_prices_move_is_held_by_the_rate_and_the_open_orders(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits = dataclasses.asdict(RiskSettings.for_mode("live"))
    desk = Desk(**{f"risk__{key}": value for key, value in limits.items()})
    looping(desk, monkeypatch)
    sent = []
    for number in range(100):
        sent += desk.want((SELL, MID + number % 50, 10), (BUY, MID - 51, 10), ms=10)
    assert len(sent) <= 15


def test_r13_quoting_that_does_what_it_is_told_is_never_killed() -> None:
    desk = Desk()
    for number in range(2_000):
        commands = desk.want((SELL, MID + 10 + number % 7, 10), (BUY, MID - 10 - number % 5, 10))
        desk.accept(commands)
        if number % 9 == 0:
            for order in commands:
                desk.fill(order)
        desk.prove([c for c in desk.sent if c.client_id in desk.trader.orders.own.by_id])
        desk.sent.clear()
    assert desk.trader.gate.approved > 500
    assert desk.state is TradingState.ACTIVE


@pytest.mark.parametrize(
    ("fills", "lots", "is_held"),
    [(9, 1, False), (10, 1, False), (11, 1, True), (5, 100, False), (5, 101, True)],
)
def test_r15_a_burst_of_fills_pulls_the_quotes_for_half_a_minute(
    fills: int, lots: int, is_held: bool
) -> None:
    desk = Desk(risk__max_fills_per_s=10, risk__max_filled_orders_per_s=5, risk__max_order_size_base=D("0.1"))
    desk.trader.gate.limits = dataclasses.replace(desk.trader.gate.limits, max_order_size=10_000)
    buy, sell = (BUY, MID, 1_000), (SELL, MID + 50, 5)
    orders = desk.want(buy, sell)
    desk.accept(orders)
    for _ in range(fills):
        desk.fill(orders[0], lots)
    commands = desk.step(50)
    assert (desk.restricted_by() == ["FILLS"]) is is_held
    if is_held:
        assert len(cancels(commands)) == 2
        desk.prove(commands)
        assert desk.want(sell, ms=29_900) == []
        assert len(desk.want(sell, ms=100)) == 1
        assert desk.told() >= {"FILLS"}


def test_r15_as_many_fills_in_more_than_a_second_are_no_burst() -> None:
    desk = Desk(risk__max_fills_per_s=10)
    (order,) = desk.want((BUY, MID, 100))
    desk.accept([order])
    for _ in range(30):
        desk.fill(order, 1)
        desk.puppet.decision = Decision()
        desk.step(100)
    assert desk.state is TradingState.ACTIVE


# -- fail closed -----------------------------------------------------------------------------------


def broken(*_: object, **__: object) -> None:
    raise RuntimeError("broken")


@pytest.mark.parametrize(
    ("guard", "method"),
    [("fills", "on_time"), ("sanity", "on_touch"), ("breaker", "on_time"), ("breaker", "on_touch"),
     ("position", "on_mid"), ("position", "judge")],
)  # fmt: skip
def test_a_guard_that_breaks_halts_and_cancels(
    guard: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk()
    desk.accept(desk.want((SELL, MID, 5)))
    monkeypatch.setattr(type(getattr(desk.trader.guards, guard)), method, broken)
    assert len(cancels(desk.step())) == 1
    assert desk.state is TradingState.HALTED
    assert desk.told() == {"GUARD_FAILED"}


@pytest.mark.parametrize(
    ("part", "method"), [("_rate", "is_free"), ("runaway", "is_beyond"), ("_used_ids", "__contains__")]
)
def test_a_control_of_the_gate_that_breaks_denies(
    part: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk()
    intent = SubmitOrder("X-USD", 0, "a", SELL, 5, MID, post_only=True, slot="A0")
    desk.trader.gate.runaway.mean("A0", MID, 5, 0)
    context = desk.trader._entry._refilled(desk.now)
    monkeypatch.setattr(type(getattr(desk.trader.gate, part)), method, broken)
    denial = desk.trader.gate.check(intent, context)
    assert denial is not None
    assert denial.code == "CONTROL_FAILED"
