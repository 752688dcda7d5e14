"""R29: while real money is traded, a limit tightens at once and loosens on purpose only."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import pytest
from trader_bench import X, configured

from engine.config import Config
from engine.core.clock import ManualClock
from engine.core.events import Severity
from engine.link.event_log import EventLog
from engine.link.events import SettingChanged
from engine.link.messages import Command, CommandName, Verdict
from engine.risk.breaker_settings import BreakerSettings
from engine.risk.limits import loosened
from engine.risk.settings import RiskSettings
from engine.runtime.builder import build_engine, build_market
from engine.runtime.observers import Observers
from engine.runtime.operator import Operator
from engine.runtime.settings_change import check_change


def traded(mode: str) -> Config:
    live = {f"risk__{key}": value for key, value in dataclasses.asdict(RiskSettings.for_mode("live")).items()}
    config = dataclasses.replace(configured(**live), breaker=BreakerSettings())
    return dataclasses.replace(config, engine=dataclasses.replace(config.engine, mode=mode))


class Desk:
    """An operator of an engine in a mode, and what it says. The market is the simulator's in any."""

    def __init__(self, mode: str = "live") -> None:
        sim = traded("sim")
        engine = build_engine(sim, build_market(sim), ManualClock(), Observers(), status_interval_ns=10**9)
        self.trader = engine.desks["BTC-USD"].trader
        self.log = EventLog()
        self.operator = Operator(engine, traded(mode), self.log)
        self.operator.answer = self._answer
        self.operator.tell = lambda severity, code, text: self.told.append((severity, code))
        self.told: list[tuple[Severity, str]] = []
        self.said: list[tuple[Verdict, str]] = []
        self.wanted = ""
        """What the last answer asks to be confirmed with."""

    def _answer(
        self, command_id: str, verdict: Verdict, text: str = "", *_: tuple[str, ...], confirm: str = ""
    ) -> bool:
        self.said.append((verdict, text))
        self.wanted = confirm
        return True

    def set(self, key: str, value: str, **arguments: str) -> Verdict:
        given = {"key": key, "value": value} | arguments
        self.operator.on_command("a test", Command("1", CommandName.SET.value, given))
        return self.said[-1][0]


LIMIT = "risk.max_order_notional"


def test_real_moneys_limits_are_loosened_on_purpose_only() -> None:
    desk = Desk()
    before = desk.trader.gate.limits
    assert desk.set(LIMIT, "10000") is Verdict.REJECTED
    assert "it loosens max order notional. Nothing was changed" in desk.said[-1][1]
    assert desk.wanted == LIMIT
    assert desk.set(LIMIT, "10000", confirm="yes") is Verdict.REJECTED
    assert desk.trader.gate.limits == before
    assert (desk.log.last, desk.told) == (0, [])
    assert desk.set(LIMIT, "10000", confirm=LIMIT) is Verdict.DONE
    assert desk.trader.gate.limits.max_order_notional == 10 * before.max_order_notional
    (change,) = desk.log.after(0, 10)
    assert isinstance(change, SettingChanged)
    assert (change.old, change.new, change.who) == ("1000", "10000", "a test")
    assert desk.told == [(Severity.WARNING, "LOOSENED")]
    assert desk.trader.changed_settings == {LIMIT: "10000"}


def test_tightening_passes_at_once() -> None:
    desk = Desk()
    assert desk.set(LIMIT, "999") is Verdict.DONE
    assert desk.told == []


@pytest.mark.parametrize("mode", ["sim", "paper"])
def test_without_real_money_nothing_is_asked(mode: str) -> None:
    assert Desk(mode).set(LIMIT, "10000") is Verdict.DONE


def test_what_is_no_limit_is_not_asked_about() -> None:
    desk = Desk()
    assert desk.set("strategy.levels", "2") is Verdict.DONE
    assert desk.set("strategy.max_position", "0.5") is Verdict.DONE


def test_the_strategys_own_cap_is_a_limit_too() -> None:
    assert Desk().set("strategy.max_position", "20") is Verdict.REJECTED


LIVE = [entry for entry in dataclasses.fields(RiskSettings) if entry.metadata["setting"].live]
BREAKER = dataclasses.fields(BreakerSettings)
LESS_IS_LOOSER = {
    "min_free_balance_pct", "fill_hold_s", "book_hold_s", "var_confidence_pct", "cooldown_s", "trial_s",
}  # fmt: skip
ANY_CHANGE = {"var_method", "var_interval_s", "var_samples"}


@pytest.mark.parametrize("entry", [*LIVE, *BREAKER], ids=lambda entry: entry.name)
def test_every_limit_knows_which_way_is_looser(entry: Any) -> None:
    section = "breaker" if entry in BREAKER else "risk"
    config = traded("live")
    name = entry.name
    value = getattr(getattr(config, section), name)
    key = f"{section}.{name}"

    def allows_more(to: Any) -> bool:
        return bool(check_change(config, [X], f"{key}={to}").loosened)

    if name == "var_method":
        assert allows_more("parametric")
        assert not allows_more("historical")
        return
    if name == "max_var":
        assert not allows_more(100)
        config = dataclasses.replace(config, risk=dataclasses.replace(config.risk, max_var=Decimal(100)))
        assert allows_more(101)
        assert allows_more("")
        return
    step = 1 if isinstance(value, int) or name == "var_confidence_pct" else value / 10
    more, less = value + step, value - step
    if name == "order_wait_ms":
        assert not allows_more(less)
    elif name in ANY_CHANGE:
        assert allows_more(more)
        assert allows_more(less)
    elif name in LESS_IS_LOOSER:
        assert allows_more(less)
        assert not allows_more(more)
    else:
        assert allows_more(more)
        assert not allows_more(less)
    assert not allows_more(value)


def test_equal_limits_are_not_looser() -> None:
    limits = RiskSettings().limits(X, Decimal(10))
    assert list(loosened(limits, limits)) == []
