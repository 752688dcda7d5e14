"""What the engine does when a part of it fails: fail closed, cancel, prove or list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from trader_bench import D, configured

from engine.core.clock import SystemClock
from engine.core.events import Alert, AnyCommand, AnyEvent, CancelOrder, OrderEvent, OrderFilled
from engine.runtime.builder import Market, build_engine, build_market
from engine.runtime.desk import Desk
from engine.runtime.engine import Engine
from engine.runtime.observers import WakeUp
from engine.runtime.outcome import ListingError, Outcome

S = 1_000_000_000


class Watcher:
    """Keeps what the engine shows."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []
        self.commands: list[AnyCommand] = []
        self.events: list[AnyEvent] = []
        self.fills: list[str] = []
        self.statuses: list[int] = []
        self.on_wake: Callable[[], None] = lambda: None
        self.is_done = False

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        self.commands += wake.commands
        self.events += wake.events
        self.fills += [booked.fill.fill_id for booked in wake.fills]
        self.on_wake()

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None:
        self.alerts += alerts

    def on_status(self, now_ns: int) -> None:
        self.statuses.append(now_ns)


def simulated(**changes: Any) -> tuple[Engine, Market, Watcher]:
    config = configured(**{"engine__speed": "max", "engine__duration_s": D(5)} | changes)
    market, watcher = build_market(config), Watcher()
    return build_engine(config, market, SystemClock(), watcher, status_interval_ns=S), market, watcher


def codes(watcher: Watcher) -> list[str]:
    return [alert.code for alert in watcher.alerts]


async def test_a_clean_run_ends_with_proof():
    engine, market, watcher = simulated()
    outcome = await engine.run()
    assert outcome == Outcome("the duration has passed", 0)
    assert market.desks[0].trader.quote_count > 6
    assert market.desks[0].venue.open_orders() == []
    assert watcher.statuses[-1] == 5 * S


async def test_a_strategy_that_raises_ends_the_run_with_every_order_cancelled(monkeypatch):
    engine, market, watcher = simulated()
    desk = market.desks[0]
    decide = desk.trader.strategy.decide

    def break_after_a_second(view):
        if view.now_ns > S:
            raise RuntimeError("a defect")
        return decide(view)

    monkeypatch.setattr(desk.trader.strategy, "decide", break_after_a_second)
    outcome = await engine.run()
    assert outcome.exit_code == 1
    assert "a defect" in outcome.reason
    assert outcome.open_orders == ()
    assert desk.trader.quote_count >= 6
    assert desk.venue.open_orders() == []
    assert "STAGE_FAILED" in codes(watcher)


async def test_a_trader_that_fails_for_good_leaves_its_orders_to_the_listing(monkeypatch):
    engine, market, watcher = simulated()
    desk = market.desks[0]
    on_event = desk.trader.on_event

    def break_after_a_second(event):
        if event.recv_ns > S:
            raise RuntimeError("a defect")
        return on_event(event)

    monkeypatch.setattr(desk.trader, "on_event", break_after_a_second)
    outcome = await engine.run()
    assert desk.venue.open_orders() == [], "the venue's own list was cancelled"
    assert outcome.exit_code == 75, "our records can no longer prove it"
    assert len(outcome.open_orders) == len(desk.trader.orders.open_orders()) > 0
    assert "SHUTDOWN" in codes(watcher)


class DeafToCancels:
    """A venue that takes cancels and does nothing."""

    def __init__(self, venue: Any) -> None:
        self._venue = venue

    def cancel(self, order: CancelOrder) -> None:
        pass

    def poll(self, now_ns: int) -> list[OrderEvent]:
        events: list[OrderEvent] = self._venue.poll(now_ns)
        return events

    def __getattr__(self, name: str) -> Any:
        return getattr(self._venue, name)


class LosesFirstCancels(DeafToCancels):
    """A venue to which the first cancel of every order gets lost on the way."""

    def __init__(self, venue: Any) -> None:
        super().__init__(venue)
        self._asked: set[str] = set()

    def cancel(self, order: CancelOrder) -> None:
        if order.client_id in self._asked:
            self._venue.cancel(order)
        self._asked.add(order.client_id)


async def test_cancels_that_get_lost_are_repeated_until_the_venue_proves_them():
    engine, market, _ = simulated()
    desk = market.desks[0]
    desk.venue = LosesFirstCancels(desk.venue)
    outcome = await engine.run()
    assert outcome == Outcome("the duration has passed", 0)
    assert desk.venue.open_orders() == []
    assert desk.trader.quote_count > 6


async def test_without_proof_the_exit_code_is_75_and_the_orders_are_listed():
    engine, market, _ = simulated()
    desk = market.desks[0]
    desk.venue = DeafToCancels(desk.venue)
    outcome = await engine.run()
    assert outcome.exit_code == 75
    assert set(outcome.open_orders) >= set(desk.venue.open_orders())
    assert len(outcome.open_orders) >= 6
    assert engine.clock.monotonic_ns() <= 11 * S, "the waiting for proof is bounded"


async def test_monitoring_that_fails_does_not_stop_the_trading(monkeypatch):
    engine, market, watcher = simulated()

    def fail(now_ns: int) -> None:
        raise RuntimeError("no room on the screen")

    engine._monitoring._work = fail
    outcome = await engine.run()
    assert outcome.exit_code == 0
    assert market.desks[0].trader.quote_count > 6
    assert codes(watcher).count("STAGE_FAILED") == 2, "told at first and when it is left out"


@pytest.mark.parametrize(("signals", "at_most_ns"), [(2, 3 * S), (3, 2 * S)])
async def test_further_interrupts_shorten_the_waiting_not_the_list(signals, at_most_ns):
    engine, market, watcher = simulated(engine__duration_s=D(60))
    desk = market.desks[0]
    desk.venue = DeafToCancels(desk.venue)
    left = [signals]

    def interrupt() -> None:
        if engine.clock.monotonic_ns() > S and left[0]:
            left[0] -= 1
            engine.interrupt("SIGINT", 130)

    watcher.on_wake = interrupt
    outcome = await engine.run()
    assert outcome.exit_code == 75
    assert outcome.reason.startswith("SIGINT")
    assert len(outcome.open_orders) >= 6
    assert engine.clock.monotonic_ns() < at_most_ns


async def test_two_interrupts_at_once_still_wait_for_the_proof():
    engine, market, watcher = simulated(engine__duration_s=D(60))

    def interrupt_twice() -> None:
        if engine.clock.monotonic_ns() > S and not watcher.is_done:
            watcher.is_done = True
            engine.interrupt("SIGINT", 130)
            engine.interrupt("SIGINT", 130)

    watcher.on_wake = interrupt_twice
    assert (await engine.run()).exit_code == 130
    assert market.desks[0].venue.open_orders() == []


async def test_ends_that_no_person_asked_for_shorten_nothing():
    engine, market, watcher = simulated(engine__duration_s=D(60))
    desk = market.desks[0]
    desk.venue = DeafToCancels(desk.venue)

    def end() -> None:
        if engine.clock.monotonic_ns() > S:
            engine.end("the owner is gone", 0)

    watcher.on_wake = end
    outcome = await engine.run()
    assert outcome.exit_code == 75
    assert outcome.reason.startswith("the owner is gone")
    assert engine.clock.monotonic_ns() > 5.9 * S
    assert engine.end_asked.is_set()


async def test_an_end_that_came_by_itself_was_asked_for_by_nobody():
    engine, _, _ = simulated()
    assert (await engine.run()).exit_code == 0
    engine.end("too late", 1)
    assert not engine.end_asked.is_set()


# -- a venue that cannot list its orders ---------------------------------------------------------


def unlisted(monkeypatch: pytest.MonkeyPatch, engine: Engine, desk: Desk, until_ns: int) -> None:
    """The venue's list of orders cannot be had between 1 s and `until_ns`."""
    listed = desk.venue.open_orders

    def open_orders() -> list[str]:
        if S < engine.clock.monotonic_ns() < until_ns:
            raise OSError("no route to the venue")
        return listed()

    monkeypatch.setattr(desk.venue, "open_orders", open_orders)


async def test_a_venue_that_cannot_list_its_orders_at_the_end_is_no_proof(monkeypatch):
    engine, market, _ = simulated()
    desk = market.desks[0]
    unlisted(monkeypatch, engine, desk, 3_600 * S)
    outcome = await engine.run()
    assert outcome == Outcome(
        "the duration has passed; no proof that every order is gone: simulator's list of orders in BTC-USD "
        "cannot be had (OSError: no route to the venue)",
        75,
    )
    assert not outcome.is_proven
    assert desk.trader.orders.open_orders() == [], "the Trader was answered all the same"
    assert 9 * S < engine.clock.monotonic_ns() < 11 * S, "the list was asked for until the deadline"


async def test_without_the_list_what_we_know_of_is_told(monkeypatch):
    engine, market, _ = simulated()
    desk = market.desks[0]
    desk.venue = DeafToCancels(desk.venue)
    unlisted(monkeypatch, engine, desk, 3_600 * S)
    outcome = await engine.run()
    known = sorted(order.client_id for order in desk.trader.orders.open_orders())
    assert len(known) >= 6
    assert (outcome.exit_code, list(outcome.open_orders)) == (75, known)
    assert "cannot be had" in outcome.reason
    with pytest.raises(ListingError, match="simulator's list of orders in BTC-USD cannot be had") as failure:
        engine.possibly_open()
    assert failure.value.known == {"BTC-USD": tuple(known)}


async def test_a_list_that_comes_back_in_time_is_proof(monkeypatch):
    engine, market, _ = simulated()
    unlisted(monkeypatch, engine, market.desks[0], 7 * S)
    assert await engine.run() == Outcome("the duration has passed", 0)
    assert engine.clock.monotonic_ns() < 8 * S


async def test_the_list_of_one_venue_does_not_stand_for_that_of_another(monkeypatch):
    engine, market, _ = simulated(engine__symbols=("BTC-USD", "ETH-USD"))
    unlisted(monkeypatch, engine, market.desks[0], 3_600 * S)
    outcome = await engine.run()
    assert outcome.exit_code == 75
    assert "BTC-USD" in outcome.reason
    assert "ETH-USD" not in outcome.reason


# -- what happened in a wake-up that failed -----------------------------------------------------

BUSY = {
    "strategy__base_spread_bps": D(2),
    "strategy__min_spread_bps": D(1),
    "simulator__taker_rate_per_min": 240.0,
    "engine__duration_s": D(30),
}


@pytest.mark.parametrize("part", ["decide", "on_event", "on_event for good"])
async def test_fills_of_a_wake_up_that_fails_are_shown(monkeypatch, part):
    engine, market, watcher = simulated(**BUSY)
    trader = market.desks[0].trader
    target, name = (trader.strategy, "decide") if part == "decide" else (trader, "on_event")
    work, is_broken = getattr(target, name), False

    def fail_after_a_fill(given: Any) -> Any:
        nonlocal is_broken
        worked = work(given)
        is_due = len(watcher.fills) < trader.ledger.fill_count and not is_broken
        if is_due or (is_broken and part == "on_event for good"):
            is_broken = True
            raise RuntimeError("a defect")
        return worked

    monkeypatch.setattr(target, name, fail_after_a_fill)
    outcome = await engine.run()
    assert is_broken
    assert "a defect" in outcome.reason
    shown = [event.fill_id for event in watcher.events if isinstance(event, OrderFilled)]
    assert watcher.fills == shown
    assert len(shown) == trader.ledger.fill_count > 0


async def test_a_fill_that_breaks_the_accounts_is_shown(monkeypatch):
    engine, market, watcher = simulated(**BUSY)
    trader = market.desks[0].trader
    monkeypatch.setattr(type(trader.ledger), "residual", property(lambda self: self.fill_count))
    outcome = await engine.run()
    assert "the accounts are off" in outcome.reason
    assert len(watcher.fills) == trader.ledger.fill_count > 0


@pytest.mark.parametrize("part", ["feed", "venue", "due"])
async def test_a_part_that_keeps_failing_cannot_keep_the_engine_from_ending(monkeypatch, part):
    engine, market, watcher = simulated()
    desk, feed = market.desks[0], market.feeds[0]
    target, name = {
        "feed": (feed, "poll"),
        "venue": (desk.venue, "poll"),
        "due": (desk.venue, "next_due_ns"),
    }[part]
    original = getattr(target, name)

    def fail_after_a_second(*arguments: Any) -> Any:
        if engine.clock.monotonic_ns() > S:
            raise RuntimeError("a defect")
        return original(*arguments)

    monkeypatch.setattr(target, name, fail_after_a_second)
    outcome = await engine.run()
    assert outcome.exit_code in (1, 75)
    assert "a defect" in outcome.reason
    assert engine.clock.monotonic_ns() < 8 * S, "the waiting for proof is bounded"
    assert len(watcher.alerts) < 10, "one failure is told once"
    if part == "feed":
        assert desk.venue.open_orders() == []


async def test_an_observer_that_fails_cannot_stop_the_trading(monkeypatch):
    engine, market, watcher = simulated()

    def fail(*_: Any) -> None:
        raise ValueError("no room on the screen")

    monkeypatch.setattr(watcher, "on_wake_up", fail)
    monkeypatch.setattr(watcher, "on_alerts", fail)
    outcome = await engine.run()
    assert outcome == Outcome("the duration has passed", 0)
    assert market.desks[0].venue.open_orders() == []
    assert market.desks[0].trader.quote_count > 6


async def test_more_market_data_than_the_queue_holds_makes_the_book_stale_until_a_new_one():
    engine, market, watcher = simulated()
    desk = market.desks[0]
    capacity, states = desk.market_events.capacity, set()

    def choke_for_a_second() -> None:
        is_choked = S < engine.clock.monotonic_ns() < 2 * S
        desk.market_events.capacity = 1 if is_choked else capacity
        states.add(desk.trader.feed_state.value)
        if desk.trader.feed_state.value == "stale":
            assert not any(o.cancel_asked_ns is None for o in desk.trader.orders.open_orders())

    watcher.on_wake = choke_for_a_second
    outcome = await engine.run()
    assert desk.market_events.lost > 0
    assert states >= {"stale", "live"}
    assert desk.trader.feed_state.value == "live", "the feed sent the whole book anew"
    assert outcome.exit_code == 0


@pytest.mark.parametrize("speed", [None, 5_000.0])
async def test_the_status_comes_on_time_whatever_the_speed(speed):
    engine, _, watcher = simulated()
    engine._speed = speed
    await engine.run()
    assert [at // S for at in watcher.statuses] == [0, 1, 2, 3, 4, 5]
    assert [at % S for at in watcher.statuses[1:]] == [0] * 5


def test_configured_changes_one_key():
    assert configured(strategy__levels=1).strategy == replace(configured().strategy, levels=1)
