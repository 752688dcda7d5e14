"""The loss guard: drawdown, stop loss, take profit, daily volume; every boundary to the atom."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from engine.core.errors import UsageError
from engine.core.instrument import Instrument
from engine.risk.loss_guard import LossGuard
from engine.risk.settings import RiskSettings
from engine.risk.state import RiskState, TradingState

BTC = Instrument.create("BTC-USD", tick="0.01", lot="0.001")
UNIT = BTC.atoms(1)


class Desk:
    """A guard over an account that starts with `opening` dollars."""

    def __init__(self, opening: str = "1000", **settings: Any) -> None:
        self.opening = BTC.atoms(opening)
        self.state = RiskState()
        wide = {"max_daily_loss": Decimal(1_000_000), "max_drawdown": Decimal(1_000_000)}
        limits = RiskSettings(**(wide | settings)).limits(BTC, Decimal(10))
        self.guard = LossGuard(BTC, limits, self.state, self.opening)

    def check(self, now_ns: int = 0, **numbers: Any) -> str:
        values = {
            "equity": self.opening,
            "last_equity": numbers.get("equity", self.opening),
            "position": 0,
            "open_cost": 0,
            "unrealised": 0,
            "day_volume": 0,
            "day": 0,
        }
        return self.guard.check(now_ns=now_ns, **(values | numbers))

    def codes(self) -> list[str]:
        return [restriction.code for restriction in self.state.restrictions()]


# -- drawdown ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "is_halted"), [(50 * UNIT - 1, False), (50 * UNIT, True), (50 * UNIT + 1, True)]
)
def test_drawdown_of_five_percent_counts_from_the_first_trade(loss: int, is_halted: bool) -> None:
    """The peak starts at the opening equity."""
    desk = Desk()
    assert desk.check(equity=desk.opening - loss) == ""
    assert (desk.state.effective is TradingState.HALTED) is is_halted


def test_a_halt_says_what_was_lost() -> None:
    desk = Desk()
    desk.check(equity=BTC.atoms(900))
    assert desk.state.effective is TradingState.HALTED
    assert desk.codes() == ["DRAWDOWN"]
    assert desk.state.restrictions()[0].reason == "equity fell by 100 from its peak of 1000 USD"


def test_drawdown_is_measured_from_the_peak() -> None:
    desk = Desk()
    desk.check(equity=BTC.atoms(1_200))
    desk.check(equity=BTC.atoms(1_151))
    assert desk.state.effective is TradingState.ACTIVE
    desk.check(equity=BTC.atoms(1_150))
    assert desk.state.effective is TradingState.HALTED


def test_max_drawdown_pct_and_risk_capital_set_the_measure() -> None:
    for settings, loss in (
        ({"max_drawdown_pct": Decimal("2.5")}, 25),
        ({"risk_capital": Decimal(400)}, 20),
        ({"risk_capital": Decimal(400), "max_drawdown_pct": Decimal(10)}, 40),
    ):
        desk = Desk(**settings)
        desk.check(equity=desk.opening - loss * UNIT + 1)
        assert desk.state.effective is TradingState.ACTIVE
        desk.check(equity=desk.opening - loss * UNIT)
        assert desk.state.effective is TradingState.HALTED


def test_the_halt_is_latched_whatever_equity_does() -> None:
    desk = Desk()
    desk.check(equity=BTC.atoms(900))
    desk.check(equity=BTC.atoms(2_000))
    assert desk.state.effective is TradingState.HALTED


def test_without_a_mark_nothing_is_judged() -> None:
    desk = Desk()
    assert desk.check(equity=None, unrealised=None, position=5, open_cost=BTC.atoms(50)) == ""
    assert desk.codes() == []


def test_an_account_worth_nothing_needs_a_risk_capital() -> None:
    with pytest.raises(UsageError, match="risk_capital"):
        Desk(opening="0")
    Desk(opening="0", risk_capital=Decimal(100))


# -- stop loss, take profit ----------------------------------------------------------------------


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("unrealised", "purpose"),
    [
        (-3 * UNIT + 1, ""),
        (-3 * UNIT, "stop_loss"),
        (5 * UNIT - 1, ""),
        (5 * UNIT, "take_profit"),
    ],
)
def test_the_position_is_closed_at_three_percent_lost_or_five_gained(
    sign: int, unrealised: int, purpose: str
) -> None:
    desk = Desk()
    assert (
        desk.check(position=sign * 1_000, open_cost=sign * BTC.atoms(100), unrealised=unrealised) == purpose
    )
    assert desk.state.effective is (TradingState.PAUSED if purpose else TradingState.ACTIVE)


def test_long_1_at_100_marked_at_97_and_105() -> None:
    """The two cases of the strategy sheet's table 2.3."""
    for mark, purpose in (("97.01", ""), ("97", "stop_loss"), ("104.99", ""), ("105", "take_profit")):
        desk = Desk()
        cost = BTC.atoms(100)
        unrealised = BTC.value(2 * BTC.ticks(mark), 1_000) - cost
        assert desk.check(position=1_000, open_cost=cost, unrealised=unrealised) == purpose


def test_stop_loss_pct_and_take_profit_pct_move_the_boundaries() -> None:
    desk = Desk(stop_loss_pct=Decimal("1.5"), take_profit_pct=Decimal("0.5"))
    position = {"position": 1_000, "open_cost": BTC.atoms(100)}
    assert desk.check(unrealised=BTC.atoms("-1.49"), **position) == ""
    assert desk.check(unrealised=BTC.atoms("0.49"), **position) == ""
    assert desk.check(unrealised=BTC.atoms("0.5"), **position) == "take_profit"
    desk.state.resume()
    assert desk.check(unrealised=BTC.atoms("-1.5"), **position) == "stop_loss"


def test_closing_goes_on_until_flat_and_the_pause_until_a_person_resumes() -> None:
    desk = Desk()
    cost = BTC.atoms(100)
    assert desk.check(7, position=1_000, open_cost=cost, unrealised=BTC.atoms(-4)) == "stop_loss"
    assert desk.check(8, position=400, open_cost=cost * 4 // 10, unrealised=0) == "stop_loss"
    assert desk.check(9) == ""
    assert desk.state.effective is TradingState.PAUSED
    (hold,) = desk.state.restrictions()
    assert (hold.since_ns, hold.release) == (7, "a person resumes")
    assert hold.reason == "the open position lost 4 on a cost of 100 USD"
    desk.state.resume()
    assert desk.check(10, position=400, open_cost=cost * 4 // 10) == ""
    assert desk.state.effective is TradingState.ACTIVE


def test_a_flat_account_has_nothing_to_stop() -> None:
    desk = Desk()
    assert desk.check(unrealised=0, open_cost=0) == ""
    assert desk.codes() == []


# -- daily volume --------------------------------------------------------------------------------


def test_max_trading_volume_lets_only_reducing_orders_pass_until_the_next_day() -> None:
    for limit, lots in (("100", 100_000), ("0.5", 500)):
        desk = Desk(max_trading_volume=Decimal(limit))
        desk.check(day_volume=lots - 1)
        assert desk.state.effective is TradingState.ACTIVE
        desk.check(3, day_volume=lots)
        desk.check(4, day_volume=lots + 1)
        assert desk.state.effective is TradingState.REDUCING
        (hold,) = desk.state.restrictions()
        assert (hold.code, hold.since_ns, hold.release) == ("VOLUME", 3, "the next UTC day")
        desk.check(5, day_volume=0)
        assert desk.state.effective is TradingState.ACTIVE


def test_guards_act_together_and_the_strictest_wins() -> None:
    desk = Desk()
    purpose = desk.check(
        equity=BTC.atoms(900),
        position=1_000,
        open_cost=BTC.atoms(100),
        unrealised=BTC.atoms(-100),
        day_volume=10**9,
    )
    assert purpose == "stop_loss"
    assert desk.codes() == ["DRAWDOWN", "VOLUME", "STOP_LOSS"]
    assert desk.state.effective is TradingState.HALTED


# -- in money ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "state"),
    [
        (150 * UNIT - 1, TradingState.ACTIVE),
        (150 * UNIT, TradingState.REDUCING),
        (150 * UNIT + 1, TradingState.REDUCING),
        (500 * UNIT, TradingState.HALTED),
    ],
)
def test_r10_drawdown_in_money_reduces_and_in_percent_halts(loss: int, state: TradingState) -> None:
    desk = Desk("10000", max_drawdown=Decimal(150))
    desk.check(equity=desk.opening - loss)
    assert desk.state.effective is state


def test_r10_the_latch_stays_when_equity_comes_back_and_begins_anew_with_a_restart() -> None:
    desk = Desk("10000", max_drawdown=Decimal(150))
    desk.check(equity=desk.opening - 150 * UNIT)
    desk.check(equity=desk.opening)
    assert desk.state.effective is TradingState.REDUCING
    desk.state.reset()
    desk.guard.restart()
    desk.check(equity=desk.opening - 200 * UNIT)
    assert desk.state.effective is TradingState.ACTIVE
    desk.check(equity=desk.opening - 350 * UNIT)
    assert desk.state.effective is TradingState.REDUCING


@pytest.mark.parametrize(
    ("loss", "state"),
    [
        (250 * UNIT - 1, TradingState.ACTIVE),
        (250 * UNIT, TradingState.HALTED),
        (250 * UNIT + 1, TradingState.HALTED),
    ],
)
def test_r9_the_loss_of_a_day_halts(loss: int, state: TradingState) -> None:
    desk = Desk("10000", max_daily_loss=Decimal(250))
    desk.check(equity=desk.opening - loss)
    assert desk.state.effective is state


def test_a_new_day_begins_with_the_equity_that_was_known_last() -> None:
    """What a position loses over a midnight without a mark is this day's loss, not nobody's."""
    desk = Desk("10000", max_daily_loss=Decimal(250))
    desk.check(equity=desk.opening - 200 * UNIT, day=10)
    assert desk.guard.day_profit(desk.opening - 200 * UNIT) == -200 * UNIT
    desk.check(equity=None, last_equity=desk.opening - 200 * UNIT, day=11)
    assert desk.guard.day_profit(None) is None
    assert desk.guard.day_profit(desk.opening - 200 * UNIT) == 0
    desk.check(equity=desk.opening - 449 * UNIT, day=11)
    assert desk.state.effective is TradingState.ACTIVE
    desk.check(equity=desk.opening - 450 * UNIT, day=11)
    assert desk.codes() == ["LOSS"]


def test_r9_a_new_session_of_the_same_day_does_not_begin_at_zero() -> None:
    desk = Desk("10000", max_daily_loss=Decimal(250))
    desk.guard.carry(10, -200 * UNIT)
    desk.check(equity=desk.opening - 49 * UNIT, day=10)
    assert desk.state.effective is TradingState.ACTIVE
    desk.check(equity=desk.opening - 50 * UNIT, day=10)
    assert desk.codes() == ["LOSS"]
    assert "250" in desk.guard.loss_today(desk.opening - 50 * UNIT)


def test_r9_what_another_day_has_lost_is_not_counted() -> None:
    desk = Desk("10000", max_daily_loss=Decimal(250))
    desk.guard.carry(10, -200 * UNIT)
    desk.check(equity=desk.opening - 100 * UNIT, day=11)
    assert desk.state.effective is TradingState.ACTIVE
    desk.guard.carry(10, -1_000 * UNIT)
    desk.check(equity=desk.opening - 100 * UNIT, day=11)
    assert desk.state.effective is TradingState.ACTIVE


def test_r9_a_session_that_goes_on_after_midnight_counts_what_others_have_lost_since() -> None:
    desk = Desk("10000", max_daily_loss=Decimal(250))
    desk.check(equity=desk.opening - 100 * UNIT, day=10)
    desk.guard.carry(11, -200 * UNIT)
    desk.check(equity=desk.opening - 149 * UNIT, last_equity=desk.opening - 100 * UNIT, day=11)
    assert desk.state.effective is TradingState.ACTIVE
    assert desk.guard.day_profit(desk.opening - 149 * UNIT) == -249 * UNIT
    desk.check(equity=desk.opening - 150 * UNIT, day=11)
    assert desk.codes() == ["LOSS"]


# -- saving --------------------------------------------------------------------------------------


def test_state_for_the_digest_is_the_peak() -> None:
    desk = Desk()
    desk.check()
    before = desk.guard.save()
    desk.check(equity=BTC.atoms(999))
    assert desk.guard.save() == before
    desk.check(equity=BTC.atoms(1_001))
    assert desk.guard.save() != before
