"""What an edge of the engine finds out reaches trading: holds, latches, and orders that nobody knows of."""

from __future__ import annotations

import pytest
from trader_bench import MS, TraderBench, cancels, submits

from engine.core.events import (
    AnyCommand,
    EdgeStatus,
    OperatorAction,
    OrderAccepted,
    OrderRejected,
    OrderUncertain,
    Recovered,
    Restraint,
    Severity,
    StorageStatus,
)
from engine.core.order import OrderState
from engine.exchange.live import drop_copy, executions, halts, outcomes, rejects
from engine.risk.state import UNTIL_RESUMED, TradingState


def edge(bench: TraderBench, restraint: Restraint, code: str = "RECONCILE") -> list[AnyCommand]:
    status = EdgeStatus("X-USD", bench.now, bench.now, code, restraint, "said the test", "the test is over")
    return list(bench.tell(status))


@pytest.mark.parametrize(
    ("restraint", "state"),
    [
        (Restraint.AWAITED, TradingState.PAUSED),
        (Restraint.PAUSED, TradingState.PAUSED),
        (Restraint.HALTED, TradingState.HALTED),
    ],
)
def test_a_restraint_cancels_at_once_and_lasts_until_it_is_lifted(
    restraint: Restraint, state: TradingState
) -> None:
    bench = TraderBench()
    resting = bench.quote()
    commands = edge(bench, restraint)
    assert {one.client_id for one in cancels(commands)} == {one.client_id for one in resting}
    bench.prove(commands)
    assert bench.trader.risk.effective is state
    assert [hold.code for hold in bench.trader.risk.restrictions()] == ["RECONCILE"]
    assert not submits([command for _ in range(20) for command in bench.step()])
    edge(bench, Restraint.NONE)
    assert bench.trader.risk.effective is TradingState.ACTIVE
    assert submits(bench.step())


EDGES = [
    executions.FILLS,
    rejects.REJECTS,
    halts.RECONCILE,
    outcomes.RATE_LIMIT,
    drop_copy.DROPCOPY,
    "LOOP",
    "DISK_SLOW",
    "CLOCK",
    "FEED",
    "WATCHDOG",
]


@pytest.mark.parametrize("code", EDGES)
def test_no_guard_releases_what_an_edge_holds(code: str) -> None:
    bench = TraderBench()
    bench.quote()
    bench.prove(edge(bench, Restraint.PAUSED, code))
    assert not submits([command for _ in range(20) for command in bench.step()])
    assert [hold.code for hold in bench.trader.risk.restrictions()] == [code]


@pytest.mark.parametrize("code", EDGES)
def test_holds_of_the_edges_of_before_a_crash_end_with_it(code: str) -> None:
    """Whoever held is gone, and the edges of the new engine judge anew: nobody else would release it."""
    bench = TraderBench()
    bench.prove(bench.quote())
    bench.prove(edge(bench, Restraint.HALTED, code))
    bench.operator(OperatorAction.PAUSE)
    bench.tell(EdgeStatus("X-USD", bench.now, bench.now, "SLOW", Restraint.PAUSED, "slow", UNTIL_RESUMED))
    bench.tell(Recovered("X-USD", bench.now, bench.now, "a crash"))
    assert [hold.code for hold in bench.trader.risk.restrictions()] == ["OPERATOR", "SLOW", "RECOVERED"]


def test_a_disk_that_failed_before_a_crash_is_judged_anew() -> None:
    bench = TraderBench()
    bench.tell(StorageStatus("X-USD", bench.now, bench.now, False, "DISK_SLOW", "slow"))
    bench.tell(Recovered("X-USD", bench.now, bench.now, "a crash"))
    assert [hold.code for hold in bench.trader.risk.restrictions()] == ["RECOVERED"]


def test_a_start_alarms_nobody_and_a_halt_does() -> None:
    bench = TraderBench()
    for code, restraint in (("A", Restraint.AWAITED), ("P", Restraint.PAUSED), ("H", Restraint.HALTED)):
        edge(bench, restraint, code)
    told = [(alert.code, alert.severity) for alert in bench.trader.drain_alerts()]
    assert told == [("A", Severity.INFO), ("P", Severity.WARNING), ("H", Severity.ERROR)]


def test_what_was_never_restrained_is_not_lifted() -> None:
    bench = TraderBench()
    bench.quote()
    bench.trader.drain_alerts()
    assert not edge(bench, Restraint.NONE)
    assert not bench.trader.drain_alerts()


def test_a_latch_stays_until_a_person_rearms_whatever_the_edge_says_later() -> None:
    bench = TraderBench()
    bench.quote()
    bench.prove(edge(bench, Restraint.LATCHED, "DROPCOPY"))
    edge(bench, Restraint.NONE, "DROPCOPY")
    assert bench.trader.risk.effective is TradingState.HALTED
    assert "DROPCOPY" in [alert.code for alert in bench.trader.drain_alerts()]
    bench.operator(OperatorAction.REARM)
    assert bench.trader.answer.is_taken
    assert bench.trader.risk.effective is TradingState.ACTIVE


def test_the_same_hold_told_again_is_one_alert_with_the_newest_reason() -> None:
    bench = TraderBench()
    bench.quote()
    bench.trader.drain_alerts()
    for _ in range(5):
        edge(bench, Restraint.PAUSED)
    assert [alert.code for alert in bench.trader.drain_alerts()].count("RECONCILE") == 1


def test_an_uncertain_order_blocks_its_slot_and_counts_in_full() -> None:
    bench = TraderBench(strategy__levels=1)
    bench.market()
    [bid, ask] = submits(bench.step())
    bench.tell(OrderUncertain("X-USD", bench.now, bench.now, bid.client_id, "no answer within 2 s"))
    bench.tell(OrderAccepted("X-USD", bench.now, bench.now, ask.client_id, "v"))
    order = bench.trader.orders.order(bid.client_id)
    assert order is not None
    assert order.state is OrderState.UNCERTAIN
    assert bench.trader.orders.own.buy_lots == bid.size
    alerts = [alert for alert in bench.trader.drain_alerts() if alert.code == "UNCERTAIN"]
    assert len(alerts) == 1
    assert "no answer within 2 s" in alerts[0].text
    assert not [one for _ in range(30) for one in submits(bench.step()) if one.side == bid.side]
    # Five complete answers without it: it never arrived, and its slot is free.
    bench.tell(OrderRejected("X-USD", bench.now, bench.now, bid.client_id, "NEVER_ARRIVED", "not there"))
    assert order.state is OrderState.REJECTED
    assert bench.trader.drain_alerts()[-1].text == "an order has never arrived: not there"
    assert any(one.side == bid.side for _ in range(3) for one in submits(bench.step()))


def test_doubt_after_the_end_changes_nothing() -> None:
    bench = TraderBench(strategy__levels=1)
    bench.market()
    [bid, _] = submits(bench.step())
    bench.tell(OrderRejected("X-USD", bench.now, bench.now, bid.client_id, "NO", "no"))
    bench.tell(OrderUncertain("X-USD", bench.now, bench.now, bid.client_id, "late"))
    order = bench.trader.orders.order(bid.client_id)
    assert order is not None
    assert order.state is OrderState.REJECTED


def test_doubt_told_early_is_not_told_again_by_the_clock() -> None:
    bench = TraderBench(strategy__levels=1)
    bench.market()
    [bid, ask] = submits(bench.step())
    bench.accept([ask])
    bench.tell(OrderUncertain("X-USD", bench.now, bench.now, bid.client_id, "reset"))
    for _ in range(40):
        bench.step()
    assert bench.now > 2_000 * MS
    assert [alert.code for alert in bench.trader.drain_alerts()].count("UNCERTAIN") == 1
