"""Several observers: each sees everything, and one that fails takes nothing from the others."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from trader_bench import X, configured

from engine.core.events import Alert, Severity, Timer
from engine.exchange.account import Account
from engine.exchange.paper import PaperVenue
from engine.runtime.builder import build_trader
from engine.runtime.desk import Desk
from engine.runtime.observers import Observers, WakeUp

WAKE = WakeUp([Timer("X-USD", 5, 7)], ())
ALERT = Alert("X-USD", 5, 7, Severity.INFO, "TEST", "said the test")


class Seen:
    """Notes what it is shown, or fails over it."""

    def __init__(self, fails_over: str = "") -> None:
        self.fails_over = fails_over
        self.calls: list[str] = []
        self.alerts: list[Alert] = []

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        self._note("wake")

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None:
        self._note("alerts")
        self.alerts += alerts

    def on_status(self, now_ns: int) -> None:
        self._note("status")

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if call == self.fails_over:
            raise RuntimeError("no room on the screen")


@pytest.fixture
def desk() -> Desk:
    config = configured()
    account = Account(X, config.fees.schedule(), quote=0, base=0)
    trader = build_trader(config, X, 0, displays_own=False)
    return Desk(trader, PaperVenue(X, account, config.exchange))


def test_everyone_sees_everything_in_turn(desk: Desk) -> None:
    seen = Seen(), Seen()
    observers = Observers(*seen)
    observers.on_wake_up(desk, WAKE)
    observers.on_alerts(desk, [ALERT])
    observers.on_status(9)
    assert [one.calls for one in seen] == [["wake", "alerts", "status"]] * 2
    assert [one.alerts for one in seen] == [[ALERT]] * 2


def test_one_that_comes_later_sees_what_happens_then(desk: Desk) -> None:
    late, observers = Seen(), Observers()
    observers.on_wake_up(desk, WAKE)
    observers.add(late)
    observers.on_status(9)
    assert late.calls == ["status"]


@pytest.mark.parametrize("fails_over", ["wake", "status"])
def test_one_that_fails_is_told_of_and_left_out_and_the_others_go_on(desk: Desk, fails_over: str) -> None:
    broken, sound = Seen(fails_over), Seen()
    observers = Observers(broken, sound)
    for _ in range(10):
        observers.on_wake_up(desk, WAKE)
        observers.on_status(9)
    assert (sound.calls.count("wake"), sound.calls.count("status")) == (10, 10)
    assert broken.calls.count(fails_over) == 4, "three times it is called again"
    assert [alert.code for alert in sound.alerts] == ["STAGE_FAILED"] * 2
    assert (sound.alerts[0].recv_ns, sound.alerts[0].wall_ns) == (5, 7)
    assert "it is left out for 60 s, then tried again; trading goes on" in sound.alerts[-1].text
    other = {"wake": "status", "status": "wake"}[fails_over]
    assert broken.calls.count(other) == 10, "only what fails is left out"


def test_one_that_failed_for_a_moment_sees_again_what_happens_a_minute_later(desk: Desk) -> None:
    seen = Seen("wake")
    observers = Observers(seen)
    for _ in range(10):
        observers.on_wake_up(desk, WAKE)
    seen.calls, seen.fails_over = [], ""
    observers.on_wake_up(desk, WakeUp([Timer("X-USD", 59_000_000_000, 0)], ()))
    observers.on_wake_up(desk, WakeUp([Timer("X-USD", 60_000_000_005, 0)], ()))
    assert seen.calls == ["wake"]


def test_one_that_cannot_be_told_of_alerts_takes_none_from_the_others(desk: Desk) -> None:
    broken, sound = Seen("alerts"), Seen()
    observers = Observers(broken, sound)
    for _ in range(10):
        observers.on_alerts(desk, [ALERT])
    assert sound.alerts == [ALERT] * 10
    assert broken.calls.count("alerts") == 4


def test_a_desks_watcher_that_fails_keeps_nobody_from_seeing(desk: Desk) -> None:
    sound = Seen()

    class Broken:
        def on_wake_up(self, *_: object) -> None:
            raise RuntimeError("a defect")

    desk.watcher = Broken()  # type: ignore[assignment]
    observers = Observers(sound)
    observers.on_wake_up(desk, WAKE)
    assert sound.calls == ["alerts", "wake"]
