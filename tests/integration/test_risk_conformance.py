"""Risk conformance cases 52 to 69, through the public entry point: events into a Trader, commands out of it.

A case that is shown elsewhere stands in `CASES` with the tests that show it.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from control_desk import MID, Desk, S, breaking, price, swung
from trader_bench import MS, D, X, submits

from engine.config import load_config
from engine.core.client_ids import INSTALLATION_TAG
from engine.core.events import (
    BookSnapshot,
    BookUpdate,
    EdgeStatus,
    FeedState,
    FeedStatus,
    OperatorAction,
    OrderFilled,
    Restraint,
)
from engine.core.ledger import DAY_NS
from engine.core.order import BUY, SELL
from engine.exchange.account import Opening
from engine.exchange.coinbase.broker import Balance
from engine.exchange.coinbase.products import catalogue
from engine.exchange.live.balances import AccountCheck
from engine.persistence import snapshots
from engine.persistence.directory import JournalDirectory
from engine.persistence.disk import DISK
from engine.risk.circuit_breaker import BreakerState, Trigger
from engine.risk.state import TradingState
from engine.runtime.builder import build_portfolio, build_trader
from engine.runtime.gauges import gauges_of
from engine.runtime.own_record import TraderRecord, earned
from engine.trader.trader import TraderState
from pinnacle_tui.widgets.gauges import gauge_percent

TESTS = Path(__file__).resolve().parents[1]
BREAKER = "unit/test_breaker_by_hand.py"
VAR = "unit/test_risk_value_at_risk.py"
CASES = {
    64: (f"{BREAKER}::test_case_64_a_trip_by_hand_pulls_the_quotes_and_a_reset_lets_them_back",),
    67: (
        f"{VAR}::test_case_67_a_thousand_normal_draws",
        f"{VAR}::test_case_67_no_data_is_zero",
        f"{VAR}::test_case_67_above_the_limit_only_reducing_orders_leave",
    ),
    68: (
        "unit/test_alert_book.py::test_case_68_one_alert_throttled_and_acknowledged_once",
        "unit/test_alert_book.py::test_memory_is_bounded_and_the_newest_is_kept",
        "integration/test_alert_command.py::test_the_program_gets_the_alert_as_one_line",
    ),
}


def names_in(file: str) -> set[str]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, functions)}


@pytest.mark.parametrize("case", range(52, 70))
def test_every_case_has_its_test(case: int) -> None:
    if case in CASES:
        named = [test.split("::") for test in CASES[case]]
        assert all(name in names_in(file) for file, name in named)
        assert named[0][1].startswith(f"test_case_{case}_")
    else:
        here = names_in(f"integration/{Path(__file__).name}")
        assert any(name.startswith(f"test_case_{case}_") for name in here)


def at_100(**changes: Any) -> Desk:
    """A market of 99.99 to 100.01."""
    desk = Desk(**changes)
    desk.market("99.99", "100.01")
    return desk


def traded(desk: Desk, *orders: tuple[Any, str, str]) -> None:
    """Fills at these prices, side by side with what the strategy wants: of orders on no record of ours."""
    for side, at, size in orders:
        desk.fills += 1
        stamp = ("X-USD", desk.now, desk.now)
        order_id, fill_id = f"{INSTALLATION_TAG:08x}-by-hand", f"fill-{desk.fills:06}"
        desk.tell(OrderFilled(*stamp, order_id, fill_id, side, X.ticks(at), X.lots(size), 0, True))


def used(desk: Desk, code: str) -> str:
    """What the risk screen shows as used of a limit."""
    (gauge,) = (each for each in gauges_of(desk.trader, desk.now) if each.code == code)
    return gauge_percent(gauge)


# -- single orders ---------------------------------------------------------------------------------


def test_case_52_an_order_within_its_limits_is_approved() -> None:
    desk = at_100(risk__max_position_base=D(100), risk__max_order_size_base=D(10))
    (order,) = desk.want((BUY, 10_000, 1_000))
    assert (order.side, order.price, order.size) == (BUY, X.ticks("100"), X.lots("1"))
    assert desk.codes() == set()


def test_case_53_a_full_position_takes_no_more() -> None:
    desk = at_100(risk__max_position_base=D(2))
    traded(desk, (BUY, "100", "1.5"))
    assert desk.want((BUY, 10_000, 1_000)) == []
    assert desk.codes() == {"POSITION"}
    traded(desk, (BUY, "100", "0.5"))
    assert desk.want((BUY, 10_000, 1_000)) == []
    assert desk.restricted_by() == ["POSITION"]


def test_case_54_an_order_above_the_largest_size() -> None:
    desk = at_100(risk__max_order_size_base=D("0.5"))
    assert desk.want((BUY, 10_000, 1_000)) == []
    assert desk.codes() == {"SIZE"}


# -- what is lost ----------------------------------------------------------------------------------

PATIENT = {"risk__stop_loss_pct": D(100), "risk__take_profit_pct": D(1_000)}
"""No position is closed for what it alone has lost or gained."""


def test_case_55_a_day_that_has_lost_150_of_100_is_halted() -> None:
    desk = Desk(risk__max_daily_loss=D(100))
    desk.hold(1_000)
    desk.market(*price("9850"))
    desk.step()
    assert desk.state is TradingState.HALTED
    assert desk.restricted_by() == ["LOSS"]


@pytest.mark.parametrize("peak", ["12500", "10000"], ids=["from a peak", "from the first trade"])
def test_case_56_a_drawdown_of_ten_percent_with_a_limit_of_five(peak: str) -> None:
    """A tenth of a coin on a capital of 1,000: 49.9 below the peak, and 100 below it."""
    desk = Desk(engine__opening_quote_balance=D(1_000), risk__max_drawdown_pct=D(5), **PATIENT)
    desk.hold(100)
    desk.market(*price(peak))
    desk.step()
    assert desk.state is TradingState.ACTIVE
    desk.market(*price(str(D(peak) - 499)))
    desk.step()
    assert desk.state is TradingState.ACTIVE
    desk.market(*price(str(D(peak) - 1_000)))
    desk.step()
    assert desk.state is TradingState.HALTED
    assert desk.restricted_by() == ["DRAWDOWN"]


def test_case_59_a_new_day_has_lost_nothing() -> None:
    desk = Desk(risk__max_daily_loss=D(250))
    desk.hold(1_000)
    desk.market(*price("9800"))
    desk.step()
    assert used(desk, "LOSS") == "80 %"
    desk.now += DAY_NS
    desk.step()
    assert used(desk, "LOSS") == "0 %"
    assert desk.trader.guard.day_profit(desk.trader.ledger.equity) == 0


# -- positions -------------------------------------------------------------------------------------


def test_case_57_positions_of_a_product_and_of_all() -> None:
    desk = at_100()
    traded(desk, (BUY, "100", "5"), (SELL, "100", "3"))
    assert desk.trader.ledger.position == X.lots("2")

    config = load_config(env={}, overrides=["engine.symbols=BTC-USD,ETH-USD"]).config
    known = catalogue()
    traders = []
    for number, (symbol, side, size) in enumerate((("BTC-USD", BUY, "2"), ("ETH-USD", SELL, "1"))):
        instrument = known[symbol]
        trader = build_trader(config, instrument, number, displays_own=False)
        at, lots = instrument.ticks("100"), instrument.lots(size)
        trader.on_event(BookSnapshot(symbol, 0, 0, [(at - 1, lots)], [(at + 1, lots)]))
        trader.on_event(FeedStatus(symbol, 0, 0, FeedState.LIVE, "a test"))
        order_id = f"{INSTALLATION_TAG:08x}-by-hand"
        trader.on_event(OrderFilled(symbol, 0, 0, order_id, f"f{number}", side, at, lots, 0, True))
        traders.append(trader)
    (group,) = build_portfolio(config, traders).groups
    totals = group.totals()
    one = 100 * 10**totals.places
    assert (totals.net, totals.gross) == (1 * one, 3 * one), "2 - 1 and 2 + 1, at a price of 100 each"


def test_case_60_half_of_a_position_and_half_of_a_days_loss() -> None:
    desk = Desk(risk__max_position_base=D(10), risk__max_daily_loss=D(1_000), **PATIENT)
    traded(desk, (BUY, "10000", "5"))
    desk.market(*price("9900"))
    desk.step()
    assert (used(desk, "POSITION"), used(desk, "LOSS")) == ("50 %", "50 %")


@pytest.mark.parametrize(
    ("own", "limit"), [("X-USD=3", 3), ("Y-USD=3", 5)], ids=["its own limit", "the limit of all"]
)
def test_case_61_a_product_has_its_own_limit_or_that_of_all(own: str, limit: int) -> None:
    desk = at_100(
        engine__symbols=("X-USD", "Y-USD"), portfolio__max_positions=(own,), risk__max_position_base=D(5)
    )
    traded(desk, (BUY, "100", str(limit - 1)))
    assert desk.want((BUY, 10_000, 1_001)) == []
    assert desk.codes() == {"POSITION"}
    assert len(desk.want((BUY, 10_000, 1_000))) == 1
    desk = at_100(
        engine__symbols=("X-USD", "Y-USD"), portfolio__max_positions=(own,), risk__max_position_base=D(5)
    )
    traded(desk, (BUY, "100", "3"))
    assert len(desk.want((BUY, 10_000, 1_000))) == (limit > 3)
    assert (desk.restricted_by() == ["POSITION"]) is (limit == 3)


def test_case_62_a_round_trip_leaves_no_exposure() -> None:
    desk = at_100(risk__max_gross_notional=D(200))
    (bought,) = desk.want((BUY, 10_000, 1_000))
    desk.accept([bought])
    desk.fill(bought)
    assert used(desk, "EXPOSURE") == "50 %"
    (sold,) = desk.want((SELL, 10_000, 1_000))
    desk.accept([sold])
    desk.fill(sold)
    assert desk.trader.ledger.position == 0
    assert used(desk, "EXPOSURE") == "0 %"
    assert len(desk.want((BUY, 10_000, 2_000))) == 1


# -- states and rates ------------------------------------------------------------------------------


def test_case_58_halted_for_every_order_until_a_person_takes_it_back() -> None:
    desk = Desk()
    desk.hold(1_000)
    desk.tell(EdgeStatus("X-USD", desk.now, desk.now, "TEST", Restraint.LATCHED, "a test"))
    assert desk.state is TradingState.HALTED
    both = ((BUY, MID - 20, 5), (SELL, MID + 20, 5))
    for _ in range(10):
        assert desk.want(*both) == []
    desk.operator(OperatorAction.REARM)
    assert desk.trader.answer.is_taken
    assert [order.side for order in desk.want(*both)] == [BUY, SELL]


def test_case_63_the_101st_order_of_a_second_waits_for_the_next() -> None:
    desk = Desk(risk__max_orders_per_s=100, risk__max_order_burst=100, risk__order_wait_ms=0)
    desk.trader.gate.limits = dataclasses.replace(
        desk.trader.gate.limits, max_open_orders_per_side=1_000, max_open_orders=1_000
    )
    assert len(desk.want(*[(SELL, MID + n, 1) for n in range(101)])) == 100
    assert submits(desk.step(1)) == []
    assert desk.codes() == {"RATE"}
    assert len(submits(desk.step(999))) == 1


def test_case_63_a_reducing_order_at_the_position_limit_is_approved() -> None:
    desk = at_100(risk__max_position_base=D(2))
    traded(desk, (BUY, "100", "2"))
    (order,) = desk.want((BUY, 9_990, 1_000), (SELL, 10_010, 2_000))
    assert (order.side, order.size) == (SELL, 2_000)


# -- the circuit breaker ---------------------------------------------------------------------------


def five_percent(desk: Desk) -> None:
    desk.market("104.99", "105.01")
    desk.step(500)


def late_by_50_ms(desk: Desk) -> None:
    for _ in range(11):
        desk.now += 100 * MS
        desk.tell(BookUpdate("X-USD", desk.now, desk.now + 50 * MS, [(9_990, 7)], [], desk.now))


@pytest.mark.parametrize(
    ("happens", "limits", "trigger"),
    [
        (five_percent, {"move_1m_pct": D("0.5")}, Trigger.MOVE_1M),
        (late_by_50_ms, {"max_latency_ms": 1}, Trigger.LATENCY),
        (swung, {}, Trigger.VOLATILITY),
    ],
    ids=["price", "latency", "crisis"],
)
def test_case_65_the_breaker_opens(
    happens: Callable[[Desk], None], limits: dict[str, Any], trigger: Trigger
) -> None:
    desk = breaking(**limits)
    desk.market("99.99", "100.01")
    desk.step()
    breaker = desk.trader.guards.breaker
    assert breaker.state is BreakerState.CLOSED
    happens(desk)
    desk.step()
    assert (breaker.state, breaker.trigger, breaker.trip_count) == (BreakerState.OPEN, trigger, 1)
    assert desk.want((SELL, X.ticks("105.2"), 10)) == []


@pytest.mark.parametrize("is_quiet", [True, False])
def test_case_66_half_open_by_timer_and_closed_or_open_again(is_quiet: bool) -> None:
    desk = breaking(cooldown_s=10, trial_s=20, trial_size_pct=D(50))
    breaker = desk.trader.guards.breaker
    desk.step()
    desk.market(*price("10300"))
    desk.step(500)
    assert breaker.state is BreakerState.OPEN
    opened_ns = desk.now
    desk.feed(FeedState.STALE)
    desk.now = opened_ns + 10 * S - MS
    desk.step(0)
    assert breaker.state is BreakerState.OPEN
    desk.step(1)
    assert breaker.state is BreakerState.HALF_OPEN, "by time alone: no price is believed now"
    desk.market(*price("10300"))
    assert [order.size for order in desk.want((SELL, 1_030_050, 100), ms=0)] == [50]
    if is_quiet:
        desk.step(20_000)
        assert (breaker.state, breaker.trip_count) == (BreakerState.CLOSED, 1)
    else:
        desk.market()
        desk.step(1_000)
        assert (breaker.state, breaker.trip_count) == (BreakerState.OPEN, 2)


# -- what is kept ----------------------------------------------------------------------------------


def restored(state: bytes) -> Desk:
    desk = Desk()
    desk.trader.load(msgspec.msgpack.decode(state, type=TraderState))
    return desk


def saved(desk: Desk) -> bytes:
    return msgspec.msgpack.encode(desk.trader.save())


def test_case_69_a_state_goes_round() -> None:
    desk = Desk()
    traded(desk, (BUY, "10000", "5"))
    desk.accept(desk.want((SELL, MID + 50, 5)))
    desk.operator(OperatorAction.PAUSE)
    again = restored(saved(desk))
    assert again.trader.save() == desk.trader.save()
    assert again.trader.ledger.position == X.lots("5")
    assert again.state is TradingState.PAUSED


def test_case_69_states_are_put_by_listed_deleted_and_brought_back(tmp_path: Path) -> None:
    folder = str(tmp_path / "session")
    directory = JournalDirectory.create(folder, DISK, created_ns=0)
    desk, names = Desk(), []
    for seq, size in enumerate(("2", "3"), start=1):
        traded(desk, (BUY, "10000", size))
        names.append(snapshots.write(directory, seq=seq, ts_ns=0, body=saved(desk), record_crc=0, crc_kind=2))
    assert sorted(snapshots.snapshot_names(folder, DISK)) == sorted(names)

    def newest() -> Desk:
        found = next(snapshots.newest_first(folder, DISK, directory.uuid, []))
        return restored(found.body)

    assert newest().trader.ledger.position == X.lots("5")
    (Path(folder) / names[1]).unlink()
    assert snapshots.snapshot_names(folder, DISK) == names[:1]
    assert newest().trader.ledger.position == X.lots("2"), "the old values return"
    directory.close()


@pytest.mark.parametrize(("at_venue", "off"), [("5", []), ("7", [-2])])
def test_case_69_our_position_against_the_venues(at_venue: str, off: list[int]) -> None:
    desk = Desk()
    traded(desk, (BUY, "10000", "5"))
    records: list[TraderRecord] = []
    record = TraderRecord(
        Opening(quote=Decimal(100_000), base=Decimal(0)), lambda currency: earned(records, currency)
    )
    record.attach(desk.trader)
    records.append(record)
    held = {"X": Balance("X", D(at_venue), D(0)), "USD": Balance("USD", D(50_000), D(0))}
    found = AccountCheck(X, record).differences(held, {"X": X.lot})
    assert [each.by_record - each.at_venue for each in found] == off
