"""The circuit breaker in a person's hands: opened and closed through the Trader, told, and replayed alike."""

from __future__ import annotations

import pytest
from trader_bench import D, TraderBench, cancels, submits

from engine.core.events import AnyCommand, AnyEvent, OperatorAction, OperatorCommand, Severity
from engine.risk.circuit_breaker import BreakerState, Trigger
from engine.risk.state import TradingState

TRIP, RESET = OperatorAction.TRIP_BREAKER, OperatorAction.RESET_BREAKER
COOLDOWN, TRIAL = 10, 20


def desk() -> TraderBench:
    return TraderBench(breaker__cooldown_s=COOLDOWN, breaker__trial_s=TRIAL, breaker__trial_size_pct=D(50))


def told(bench: TraderBench) -> list[tuple[Severity, str]]:
    return [(alert.severity, alert.text) for alert in bench.trader.drain_alerts() if alert.code == "BREAKER"]


def where(bench: TraderBench) -> tuple[BreakerState, Trigger | None, int]:
    breaker = bench.trader.guards.breaker
    return breaker.state, breaker.trigger, breaker.trip_count


def pass_time(bench: TraderBench, seconds: int) -> None:
    for _ in range(seconds):
        commands = bench.step(1_000)
        bench.accept(commands)
        bench.prove(commands)


def test_case_64_a_trip_by_hand_pulls_the_quotes_and_a_reset_lets_them_back() -> None:
    bench = desk()
    resting = bench.quote()
    assert resting
    assert where(bench) == (BreakerState.CLOSED, None, 0)
    commands = bench.operator(TRIP)
    assert {order.client_id for order in cancels(commands)} == {order.client_id for order in resting}
    bench.prove(commands)
    assert where(bench) == (BreakerState.OPEN, Trigger.MANUAL, 1)
    assert bench.trader.answer.is_taken
    assert bench.trader.answer.text == (
        "the circuit breaker was closed and is open; 6 orders are being cancelled; smaller quotes go on "
        "trial once 10 s have passed without a trigger"
    )
    assert submits(bench.step()) == []
    assert told(bench) == [(Severity.WARNING, "circuit breaker closed → open, manual: said the test")]
    assert bench.trader.risk.effective is TradingState.PAUSED
    (held,) = bench.trader.risk.restrictions()
    assert held.reason == "circuit breaker, manual: said the test"

    bench.operator(RESET)
    assert where(bench) == (BreakerState.CLOSED, Trigger.MANUAL, 1)
    assert bench.trader.answer.text == "the circuit breaker was open and is closed"
    assert len(submits(bench.step())) == len(resting)
    assert told(bench) == [(Severity.INFO, "circuit breaker open → closed")]


def test_what_was_opened_by_hand_comes_back_on_timers_with_smaller_quotes() -> None:
    bench = desk()
    whole = {order.slot: order.size for order in bench.quote()}
    bench.prove(bench.operator(TRIP))
    pass_time(bench, COOLDOWN)
    assert where(bench)[0] is BreakerState.HALF_OPEN
    on_trial = {order.command.slot: order.size for order in bench.trader.orders.open_orders()}
    assert on_trial == {slot: size // 2 for slot, size in whole.items()}
    pass_time(bench, TRIAL)
    assert where(bench) == (BreakerState.CLOSED, Trigger.MANUAL, 1)
    assert [text for _, text in told(bench)] == [
        "circuit breaker closed → open, manual: said the test",
        "circuit breaker open → half-open",
        "circuit breaker half-open → closed",
    ]


def test_a_reset_on_trial_gives_the_whole_size_back() -> None:
    bench = desk()
    bench.quote()
    bench.prove(bench.operator(TRIP))
    pass_time(bench, COOLDOWN)
    assert bench.trader.guards.breaker.size_share is not None
    bench.operator(RESET)
    assert bench.trader.answer.text == "the circuit breaker was half-open and is closed"
    assert bench.trader.guards.breaker.size_share is None


def test_a_second_trip_begins_the_cool_down_anew_and_counts_once() -> None:
    bench = desk()
    bench.quote()
    bench.prove(bench.operator(TRIP))
    pass_time(bench, COOLDOWN - 1)
    bench.operator(TRIP)
    assert bench.trader.answer.text.startswith("the circuit breaker was open already; no cancel was needed")
    pass_time(bench, COOLDOWN - 1)
    assert where(bench) == (BreakerState.OPEN, Trigger.MANUAL, 1)
    pass_time(bench, 1)
    assert where(bench)[0] is BreakerState.HALF_OPEN


def test_a_closed_breaker_is_not_reset_and_it_says_what_restricts_trading_instead() -> None:
    bench = desk()
    bench.quote()
    bench.operator(OperatorAction.PAUSE)
    bench.operator(RESET)
    assert not bench.trader.answer.is_taken
    assert bench.trader.answer.text == (
        "the circuit breaker is closed; trading is PAUSED: said the test, until a person resumes"
    )
    assert told(bench) == []


def test_a_resume_does_not_step_around_an_open_breaker() -> None:
    bench = desk()
    bench.quote()
    bench.prove(bench.operator(TRIP))
    bench.operator(OperatorAction.RESUME)
    assert not bench.trader.answer.is_taken
    assert submits(bench.step()) == []


@pytest.mark.parametrize("saved_after", [0, 10, 30, 60])
def test_the_same_events_give_the_same_orders_and_digests_from_any_saved_state_on(saved_after: int) -> None:
    bench, events, answers = desk(), list[AnyEvent](), list[list[AnyCommand]]()
    take = bench.trader.on_event

    def recorded(event: AnyEvent) -> list[AnyCommand]:
        events.append(event)
        answers.append(list(take(event)))
        return answers[-1]

    begun = bench.trader.save()
    bench.trader.on_event = recorded  # type: ignore[method-assign]
    bench.quote()
    for action in (TRIP, RESET, TRIP):
        bench.prove(bench.operator(action))
        pass_time(bench, COOLDOWN + 2)
    assert any(isinstance(event, OperatorCommand) for event in events[saved_after:])

    again = desk().trader
    again.load(begun)
    for number, (event, commands) in enumerate(zip(events, answers, strict=True), start=1):
        assert list(again.on_event(event)) == commands
        if number == saved_after:
            saved, again = again.save(), desk().trader
            again.load(saved)
    assert again.digest() == bench.trader.digest()
    assert again.guards.breaker.trip_count == 2
