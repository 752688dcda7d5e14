"""The circuit breaker: every trigger at its boundary, and the way back on timers alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.core.errors import UsageError
from engine.core.settings import require_valid
from engine.risk.breaker_settings import BreakerSettings
from engine.risk.circuit_breaker import BreakerState, CircuitBreaker, CircuitBreakerState, Trigger
from engine.risk.limits import BreakerLimits, Ratio
from engine.risk.state import RiskState, TradingState

MS, S = 1_000_000, 1_000_000_000
MINUTE = 60 * S
BID, ASK = 10_000, 10_001


class Desk:
    """A breaker over a market that trades at 100.00 with a spread of a tick."""

    def __init__(self, **changes: Any) -> None:
        self.risk = RiskState()
        self.breaker = CircuitBreaker(BreakerSettings(**changes).limits(), self.risk)

    def price(self, ticks: int, at_ns: int) -> BreakerState:
        self.breaker.on_time(at_ns)
        self.breaker.on_touch(ticks, ticks + 1, at_ns)
        return self.breaker.state

    @property
    def trigger(self) -> Trigger | None:
        return self.breaker.trigger


def test_half_open_by_timer_without_a_price_and_closed_after_the_trial() -> None:
    desk = Desk(cooldown_s=10, trial_s=20)
    desk.breaker.trip(Trigger.MANUAL, "a person", 0)
    desk.breaker.on_time(10 * S - 1)
    assert desk.breaker.state is BreakerState.OPEN
    assert desk.risk.effective is TradingState.PAUSED
    desk.breaker.on_time(10 * S)
    assert desk.breaker.state is BreakerState.HALF_OPEN
    assert desk.breaker.size_share == Ratio(50, 100)
    assert desk.risk.effective is TradingState.ACTIVE
    desk.breaker.on_time(30 * S - 1)
    assert desk.breaker.state is BreakerState.HALF_OPEN
    desk.breaker.on_time(30 * S)
    assert desk.breaker.state is BreakerState.CLOSED
    assert desk.breaker.size_share is None


def test_a_trigger_on_trial_opens_it_again() -> None:
    desk = Desk(cooldown_s=10)
    desk.breaker.trip(Trigger.MANUAL, "a person", 0)
    desk.price(10_000, 10 * S)
    assert desk.breaker.state is BreakerState.HALF_OPEN
    assert desk.price(10_300, 11 * S) is BreakerState.OPEN
    assert (desk.trigger, desk.breaker.trip_count) == (Trigger.MOVE_1M, 2)


def test_another_trigger_while_open_begins_the_cool_down_anew_and_is_not_counted() -> None:
    desk = Desk(cooldown_s=10)
    desk.price(10_000, 0)
    desk.price(10_300, 1 * S)
    desk.price(10_700, 6 * S)
    assert desk.breaker.trip_count == 1
    desk.breaker.on_time(16 * S - 1)
    assert desk.breaker.state is BreakerState.OPEN
    desk.breaker.on_time(16 * S)
    assert desk.breaker.state is BreakerState.HALF_OPEN


def test_a_price_that_stays_where_it_jumped_to_is_no_new_trigger() -> None:
    desk = Desk(cooldown_s=10)
    desk.price(10_000, 0)
    desk.price(10_300, 1 * S)
    for second in range(2, 12):
        desk.price(10_300, second * S)
    assert desk.breaker.state is BreakerState.HALF_OPEN


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(("mid_ticks", "is_open"), [(199, False), (200, False), (201, True)])
def test_a_move_of_more_than_two_percent_within_a_minute_opens(
    sign: int, mid_ticks: int, is_open: bool
) -> None:
    desk = Desk()
    desk.breaker.on_touch(9_999, 10_001, 0)
    desk.breaker.on_touch(9_999 + sign * mid_ticks, 10_001 + sign * mid_ticks, 59 * S)
    assert (desk.breaker.state is BreakerState.OPEN) is is_open


def test_a_slow_move_opens_by_the_five_minutes_and_a_slower_one_does_not() -> None:
    slow = Desk()
    states = [slow.price(10_000 + 2 * second, second * S) for second in range(300)]
    assert states[200] is BreakerState.CLOSED
    assert BreakerState.OPEN in states
    assert slow.trigger is Trigger.MOVE_5M
    slower = Desk()
    assert {slower.price(10_000 + second, second * S) for second in range(900)} == {BreakerState.CLOSED}


@pytest.mark.parametrize(("ask", "is_open"), [(10_049, False), (10_050, False), (10_051, True)])
def test_a_spread_above_100_bp_opens(ask: int, is_open: bool) -> None:
    desk = Desk()
    desk.breaker.on_touch(9_950, ask, 0)
    assert (desk.breaker.state is BreakerState.OPEN) is is_open
    assert desk.trigger is (Trigger.SPREAD if is_open else None)


def swing(breaker: CircuitBreaker, ticks: int, seconds: int, from_s: int = 0) -> None:
    """Up and down again by so many ticks of 10,000, by turns, once a second."""
    for second in range(from_s, from_s + seconds):
        breaker.on_time(second * S)
        up = ticks * (second % 2)
        breaker.on_touch(BID + up, ASK + up, second * S)


@pytest.mark.parametrize(("ticks", "is_open"), [(25, False), (26, True)])
def test_a_price_that_swings_without_going_anywhere_opens(ticks: int, is_open: bool) -> None:
    """A swing of r each second is r x sqrt(60) per sqrt minute: 2 % are 25.8 ticks of 10,000."""
    desk = Desk()
    swing(desk.breaker, ticks, 90)
    assert (desk.breaker.state is BreakerState.OPEN) is is_open
    assert desk.trigger is (Trigger.VOLATILITY if is_open else None)


@pytest.mark.parametrize(("seconds", "is_open"), [(31, False), (32, True)])
def test_volatility_says_nothing_before_half_a_minute_of_returns(seconds: int, is_open: bool) -> None:
    desk = Desk()
    swing(desk.breaker, 100, seconds)
    assert (desk.breaker.state is BreakerState.OPEN) is is_open


def test_a_market_that_stays_wild_keeps_it_open_and_one_that_calms_down_does_not() -> None:
    desk = Desk()
    swing(desk.breaker, 100, 300)
    assert (desk.breaker.state, desk.breaker.trip_count) == (BreakerState.OPEN, 1)
    swing(desk.breaker, 1, 91, from_s=300)
    assert desk.breaker.state is BreakerState.HALF_OPEN


def quiet_minutes(desk: Desk, minutes: int) -> None:
    for minute in range(minutes):
        desk.breaker.on_trade(10, minute * MINUTE)


@pytest.mark.parametrize(("size", "is_open"), [(499, False), (500, False), (501, True)])
def test_a_minute_of_more_than_fifty_times_the_usual_volume_opens(size: int, is_open: bool) -> None:
    desk = Desk()
    quiet_minutes(desk, 30)
    desk.breaker.on_trade(size, 30 * MINUTE)
    assert (desk.breaker.state is BreakerState.OPEN) is is_open
    assert desk.trigger is (Trigger.VOLUME if is_open else None)


def test_volume_says_nothing_before_half_an_hour_and_counts_minutes_without_trades() -> None:
    desk = Desk()
    quiet_minutes(desk, 29)
    desk.breaker.on_trade(10_000, 29 * MINUTE)
    assert desk.breaker.state is BreakerState.CLOSED
    gaps = Desk()
    gaps.breaker.on_trade(30, 0)
    gaps.breaker.on_trade(50, 30 * MINUTE)
    assert gaps.breaker.state is BreakerState.CLOSED
    gaps.breaker.on_trade(1, 30 * MINUTE)
    assert gaps.breaker.state is BreakerState.OPEN


def test_one_late_message_is_an_accident() -> None:
    desk = Desk(max_latency_ms=100)
    for at in range(0, 3_000, 500):
        desk.breaker.on_delay(500 * MS if at % 1_000 else 100 * MS, at * MS)
    assert desk.breaker.state is BreakerState.CLOSED


@pytest.mark.parametrize(("last_ns", "is_open"), [(300 * S - 1, True), (300 * S, False)])
def test_three_losses_of_the_book_within_five_minutes_open(last_ns: int, is_open: bool) -> None:
    desk = Desk()
    for at in (0, 100 * S, last_ns):
        desk.breaker.on_feed_lost(at)
    assert (desk.breaker.state is BreakerState.OPEN) is is_open


KEYS = [entry.name for entry in dataclasses.fields(BreakerSettings)]


def opened_by(feed: Callable[[CircuitBreaker], None]) -> Callable[[BreakerLimits], Any]:
    def outcome(limits: BreakerLimits) -> Any:
        breaker = CircuitBreaker(limits, RiskState())
        feed(breaker)
        return breaker.trigger

    return outcome


def moved(percent: int, over_ns: int) -> Callable[[BreakerLimits], Any]:
    def feed(breaker: CircuitBreaker) -> None:
        breaker.on_touch(BID, ASK, 0)
        breaker.on_touch(BID + 100 * percent, ASK + 100 * percent, over_ns)

    return opened_by(feed)


def volume(breaker: CircuitBreaker) -> None:
    for minute in range(31):
        breaker.on_trade(10 if minute < 30 else 200, minute * MINUTE)


def late(breaker: CircuitBreaker) -> None:
    for second in range(3):
        breaker.on_delay(500 * MS, second * S)


def later(seconds: int) -> Callable[[BreakerLimits], Any]:
    def outcome(limits: BreakerLimits) -> Any:
        breaker = CircuitBreaker(limits, RiskState())
        breaker.trip(Trigger.MANUAL, "a person", 0)
        for second in range(1, seconds + 1):
            breaker.on_time(second * S)
        return breaker.state, breaker.size_share

    return outcome


OPEN, TRIAL = (BreakerState.OPEN, None), (BreakerState.HALF_OPEN, Ratio(50, 100))
EFFECTS: dict[str, tuple[Any, Callable[[BreakerLimits], Any], Any, Any]] = {
    # key: another value, what is looked at, with the default, with the other value
    "move_1m_pct": (Decimal("0.5"), moved(1, S), None, Trigger.MOVE_1M),
    "move_5m_pct": (Decimal(2), moved(3, 200 * S), None, Trigger.MOVE_5M),
    "max_spread_bps": (
        Decimal(10),
        opened_by(lambda x: x.on_touch(10_000, 10_050, 0)),
        None,
        Trigger.SPREAD,
    ),
    "max_volatility": (1, opened_by(lambda x: swing(x, 20, 40)), None, Trigger.VOLATILITY),
    "volume_burst": (10, opened_by(volume), None, Trigger.VOLUME),
    "max_latency_ms": (100, opened_by(late), None, Trigger.LATENCY),
    "max_disconnects": (1, opened_by(lambda x: x.on_feed_lost(0)), None, Trigger.CONNECTIVITY),
    "cooldown_s": (30, later(40), OPEN, TRIAL),
    "trial_s": (10, later(80), TRIAL, (BreakerState.CLOSED, None)),
    "trial_size_pct": (Decimal(20), later(80), TRIAL, (BreakerState.HALF_OPEN, Ratio(20, 100))),
}


def test_every_key_has_an_effect_test() -> None:
    assert list(EFFECTS) == KEYS


@pytest.mark.parametrize("key", EFFECTS)
def test_effect(key: str) -> None:
    value, outcome, before, after = EFFECTS[key]
    assert outcome(BreakerSettings().limits()) == before
    assert outcome(dataclasses.replace(BreakerSettings(), **{key: value}).limits()) == after


@pytest.mark.parametrize("key", KEYS)
def test_every_key_has_a_ceiling(key: str) -> None:
    ceiling = BreakerSettings.__dataclass_fields__[key].metadata["setting"].at_most
    with pytest.raises(UsageError, match=f"breaker.{key} = .*must be at most {ceiling}"):
        require_valid("breaker", dataclasses.replace(BreakerSettings(), **{key: ceiling + 1}))


def test_a_minute_may_not_be_allowed_more_than_five() -> None:
    with pytest.raises(UsageError, match=r"breaker.move_1m_pct = 5: must be at most move_5m_pct = 4"):
        require_valid("breaker", BreakerSettings(move_1m_pct=Decimal(5)))


@pytest.mark.parametrize("mode", ["sim", "replay", "paper", "live"])
def test_the_defaults_of_every_mode_are_valid(mode: str) -> None:
    require_valid("breaker", BreakerSettings.for_mode(mode))


def test_a_loaded_breaker_goes_on_as_the_saved_one() -> None:
    one = Desk(cooldown_s=10, trial_s=10)
    quiet_minutes(one, 31)
    one.breaker.on_feed_lost(1_000 * S)
    one.breaker.on_delay(2_000 * MS, 1_990 * S)
    for second in range(2_000, 2_400, 7):
        one.price(10_000 + second // 3 + 70 * (second % 2), second * S)
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(one.breaker.save()), type=CircuitBreakerState)
    other = Desk(cooldown_s=10, trial_s=10)
    other.breaker.load(state)
    assert other.breaker.save() == one.breaker.save()
    for desk in (one, other):
        for second in range(2_400, 2_600, 3):
            desk.price(10_900 + second // 3, second * S)
            desk.breaker.on_trade(100, second * S)
    assert other.breaker.save() == one.breaker.save()
    assert one.breaker.trip_count > 0
