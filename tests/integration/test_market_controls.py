"""What a market does that must stop the quoting: R17, the circuit breaker, value at risk."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from control_desk import MID, Desk, S, breaking, price, swung
from trader_bench import MS, D, cancels

from engine.core.events import (
    BookUpdate,
    FeedState,
    TradePrint,
)
from engine.core.order import BUY, SELL
from engine.risk.circuit_breaker import BreakerState


@pytest.mark.parametrize(
    ("bid", "ask", "is_held"),
    [("9750.01", "10250", False), ("9750", "10250", False), ("9750", "10250.01", True)],
)
def test_r17_an_absurd_market_pulls_the_quotes_until_it_is_sane(bid: str, ask: str, is_held: bool) -> None:
    desk = Desk(risk__max_spread_pct=D(5))
    desk.accept(desk.want((SELL, MID + 5_000, 5)))
    desk.trader.drain_alerts()
    desk.market(bid, ask)
    commands = desk.step()
    assert (desk.restricted_by() == ["BOOK"]) is is_held
    assert bool(cancels(commands)) is is_held
    if is_held:
        desk.prove(commands)
        desk.market()
        assert desk.want((SELL, MID, 5), ms=4_900) == []
        assert len(desk.want((SELL, MID, 5), ms=100)) == 1
        assert desk.told() == {"BOOK"}


@pytest.mark.parametrize(("mid", "is_held"), [("10299.99", False), ("10300", False), ("10300.01", True)])
def test_r17_a_mid_that_jumps_is_not_believed(mid: str, is_held: bool) -> None:
    desk = Desk(risk__max_mid_move_pct=D(3))
    desk.step()
    desk.market(*price(mid))
    desk.step(900)
    assert (desk.restricted_by() == ["BOOK"]) is is_held


def moved(desk: Desk) -> None:
    desk.market(*price("10300"))


def wide(desk: Desk) -> None:
    desk.market("9949", "10051")


def late(desk: Desk) -> None:
    for _ in range(12):
        desk.now += 100 * MS
        desk.tell(BookUpdate("X-USD", desk.now, desk.now + 5 * S, [(MID - 500, 7)], [], desk.now))


def lost(desk: Desk) -> None:
    for _ in range(3):
        desk.feed(FeedState.STALE)
        desk.feed(FeedState.LIVE)


def traded(desk: Desk) -> None:
    for minute in range(31):
        desk.now = minute * 60 * S
        size = 10 if minute < 30 else 10_000
        desk.tell(TradePrint("X-USD", desk.now, desk.now, minute + 1, MID, size, BUY))


@pytest.mark.parametrize(
    ("happens", "trigger"),
    [
        (moved, "move_1m"),
        (wide, "spread"),
        (late, "latency"),
        (lost, "connectivity"),
        (traded, "volume"),
        (swung, "volatility"),
    ],
)
def test_the_breaker_opens_pulls_and_comes_back_half_open(
    happens: Callable[[Desk], None], trigger: str
) -> None:
    desk = breaking()
    desk.accept(desk.want((SELL, MID + 2_000, 100)))
    desk.step()
    happens(desk)
    desk.prove(desk.step())
    desk.prove([c for c in desk.sent if c.client_id in desk.trader.orders.own.by_id])
    breaker = desk.trader.guards.breaker
    assert (breaker.state, breaker.trigger) == (BreakerState.OPEN, trigger)
    assert "BREAKER" in desk.restricted_by()
    assert "BREAKER" in desk.told()
    desk.market()
    desk.step(1_000)
    desk.now += 120 * S
    desk.market()
    assert [order.size for order in desk.want((SELL, MID + 50, 100), ms=0)] == [50]
    assert breaker.state is BreakerState.HALF_OPEN
    desk.now += 120 * S
    desk.step()
    assert breaker.state is BreakerState.CLOSED


def test_value_at_risk_above_its_limit_leaves_only_reducing_orders() -> None:
    desk = Desk(risk__max_var=D(50), risk__var_interval_s=1)
    for second in range(60):
        desk.market(*price("9900" if second % 2 else "10000"))
        desk.step(1_000)
    desk.market()
    desk.hold(1_000)
    desk.step()
    assert desk.restricted_by() == ["VAR"]
    assert [order.side for order in desk.want((SELL, MID, 5), (BUY, MID - 50, 5))] == [SELL]
