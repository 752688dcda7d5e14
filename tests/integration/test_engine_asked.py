"""A person's commands reach a running engine between its wake-ups: at once, in order, and told to observers.

Real time is a clock moved by hand, so nothing here waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from trader_bench import MS, D, X, configured

from engine.config import Config
from engine.core.clock import Clock, ManualClock
from engine.core.errors import UsageError
from engine.core.events import (
    Alert,
    AnyCommand,
    AnyEvent,
    BookSnapshot,
    CancelOrder,
    FeedState,
    FeedStatus,
    MarketEvent,
    OperatorAction,
    OperatorCommand,
    SettingsChange,
    SubmitOrder,
    Timer,
)
from engine.core.instrument import Instrument
from engine.core.order import SELL
from engine.exchange.account import Account
from engine.exchange.paper import PaperVenue
from engine.risk.state import TradingState
from engine.runtime.builder import Market, build_engine, build_market, build_trader
from engine.runtime.desk import Desk
from engine.runtime.engine import Engine
from engine.runtime.observers import WakeUp
from engine.runtime.outcome import Outcome

S = 1_000_000_000
A = OperatorAction
Y = Instrument.create("Y-USD", tick="0.01", lot="0.001")
Z = Instrument.create("Z-USD", tick="0.01", lot="0.001")
ACTS_AFTER, ANSWERS_AFTER = 30 * MS, 50 * MS
"""What the paper venue takes from a command to its effect, and to our knowing of it."""


class Quiet:
    """A feed that shows a book at 0 and then has nothing to say for an hour."""

    makes_market = False
    is_exhausted = False

    def __init__(self, *products: str) -> None:
        self._products = products
        self._is_shown = False

    def next_due_ns(self) -> int | None:
        return 3_600 * S if self._is_shown else 0

    def poll(self, now_ns: int) -> list[MarketEvent]:
        if self._is_shown:
            return []
        self._is_shown = True
        events: list[MarketEvent] = []
        for product in self._products:
            bids, asks = [(X.ticks("9999"), 10_000)], [(X.ticks("10001"), 10_000)]
            events.append(BookSnapshot(product, 0, 0, bids, asks))
            events.append(FeedStatus(product, 0, 0, FeedState.LIVE))
        return events

    def distrust(self, product: str, reason: str, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        return []


class Watcher:
    """Keeps what the engine shows."""

    def __init__(self) -> None:
        self.wakes: list[tuple[str, WakeUp]] = []
        self.alerts: list[Alert] = []
        self.statuses: list[int] = []
        self.on_look: Callable[[], None] = lambda: None

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        self.wakes.append((desk.product, wake))

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None:
        self.alerts += alerts

    def on_status(self, now_ns: int) -> None:
        self.statuses.append(now_ns)
        self.on_look()

    def events(self, product: str = "X-USD") -> list[AnyEvent]:
        return [event for name, wake in self.wakes if name == product for event in wake.events]

    def commands(self, product: str = "X-USD") -> list[AnyCommand]:
        return [command for name, wake in self.wakes if name == product for command in wake.commands]


class Paced:
    """An engine at real speed over a quiet market, and the real clock in our hands."""

    def __init__(self, *instruments: Instrument, **changes: Any) -> None:
        self.config: Config = configured(engine__timer_interval_ms=60_000, engine__speed=D(1), **changes)
        self.real = ManualClock()
        self.watcher = Watcher()
        desks = [
            Desk(
                build_trader(self.config, instrument, number, displays_own=False),
                PaperVenue(
                    instrument,
                    Account(
                        instrument,
                        self.config.fees.schedule(),
                        quote=instrument.atoms(1_000_000),
                        base=instrument.lots("10"),
                    ),
                    self.config.exchange,
                ),
            )
            for number, instrument in enumerate(instruments or (X,))
        ]
        market = Market(desks, [Quiet(*(desk.product for desk in desks))], 0)
        self.engine: Engine = build_engine(
            self.config, market, self.real, self.watcher, status_interval_ns=3_600 * S
        )
        self.desks = desks

    async def at(self, now_ns: int) -> None:
        """Let real time reach `now_ns` and everything happen that is due by then."""
        due = self.engine._awaited_ns
        while due <= now_ns:
            self.real.advance(max(0, due - self.real.monotonic_ns()))
            self.engine._disturbed.set()
            await settle()
            if self.engine._awaited_ns == due:
                break
            due = self.engine._awaited_ns
        self.real.advance(max(0, now_ns - self.real.monotonic_ns()))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Engine]:
        """The engine runs meanwhile, its first quotes working; at the end it is interrupted and proven."""
        task = asyncio.create_task(self.engine.run())
        await settle()
        await self.at(S // 10)
        try:
            yield self.engine
        finally:
            self.engine.interrupt("the test is over", 0)
            await settle()
            await self.at(self.real.monotonic_ns() + 100 * MS)
            self.outcome: Outcome = await task


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_command_acts_at_once_and_the_loop_looks_again_at_what_is_due() -> None:
    paced = Paced()
    async with paced.running() as engine:
        assert len(paced.desks[0].venue.open_orders()) == 6
        await paced.at(S)
        assert engine._awaited_ns >= 60 * S, "nothing but the timer is due"
        answers = engine.tell(None, A.CANCEL_ALL, "said the test")
        assert answers["X-USD"].text == "6 orders are being cancelled"
        (asked,) = paced.watcher.wakes[-1][1].events
        assert isinstance(asked, OperatorCommand)
        assert (asked.recv_ns, asked.wall_ns, asked.reason) == (S, S, "said the test")
        sent = paced.watcher.wakes[-1][1].commands
        assert [type(command) for command in sent] == [CancelOrder] * 6
        assert {command.created_ns for command in sent} == {S}
        assert paced.desks[0].venue.next_due_ns() == S + ACTS_AFTER
        assert len(engine.possibly_open()["X-USD"]) == 6
        await settle()
        assert engine._awaited_ns == S + ACTS_AFTER, "the loop slept on until its old moment"
        await paced.at(S + ANSWERS_AFTER)
        ended = [order.client_id for _, wake in paced.watcher.wakes for order in wake.ended]
        assert ended == [command.client_id for command in sent]
    assert paced.outcome == Outcome("the test is over", 0)


async def test_possibly_open_is_our_record_and_the_venues_list() -> None:
    paced = Paced()
    async with paced.running() as engine:
        engine.tell(None, A.PAUSE, "")
        await settle()
        await paced.at(paced.real.monotonic_ns() + ANSWERS_AFTER)
        assert engine.possibly_open() == {"X-USD": ()}
        venue = paced.desks[0].venue
        venue.submit(SubmitOrder("X-USD", 0, "unknown to us", SELL, 10, X.ticks("10005"), post_only=True))
        engine.tell(None, A.PAUSE, "")  # wakes the loop
        await settle()
        await paced.at(paced.real.monotonic_ns() + ANSWERS_AFTER)
        assert engine.possibly_open() == {"X-USD": ("unknown to us",)}
        venue.cancel(CancelOrder("X-USD", engine.clock.monotonic_ns(), "unknown to us"))


async def test_a_command_is_stamped_with_the_moment_it_came_and_never_beyond_what_is_due() -> None:
    paced = Paced()
    async with paced.running() as engine:
        await paced.at(2 * S)
        engine.tell(None, A.PAUSE, "")
        assert engine.clock.monotonic_ns() == 2 * S
        await settle()
        # The process was asleep: the venue's work at 2.03 s has not been looked at when the next one comes.
        paced.real.advance(5 * S)
        engine.tell(None, A.PAUSE, "")
        assert engine.clock.monotonic_ns() == 2 * S + ACTS_AFTER
        await settle()
        times = [event.recv_ns for event in paced.watcher.events()]
        assert times == sorted(times)


@pytest.mark.parametrize("speed", [D(1), D(4)])
async def test_lateness_is_what_the_real_clock_says_beyond_the_due_moment(speed: Any) -> None:
    paced = Paced()
    paced.engine._speed = float(speed)
    async with paced.running() as engine:
        count = engine.lateness.count
        assert count > 0
        await paced.at(2 * S)
        engine.tell(None, A.CANCEL_ALL, "")
        await settle()
        assert engine.lateness.count == count, "a command is no wake-up: it was not due before it came"
        due = engine._awaited_ns
        paced.real.advance(int((due - engine.clock.monotonic_ns()) / speed) + 7 * S)
        engine.tell(None, A.CANCEL_ALL, "")
        await settle()
        assert engine.lateness.max == 7 * S


async def test_at_full_speed_there_is_no_lateness() -> None:
    config = configured(engine__speed="max", engine__duration_s=D(1))
    engine = build_engine(config, build_market(config), ManualClock(), Watcher(), status_interval_ns=S)
    assert (await engine.run()).exit_code == 0
    assert engine.lateness.count == 0


async def test_several_desks_are_told_together_or_one_by_one() -> None:
    paced = Paced(X, Y)
    states = {desk.product: desk.trader.risk for desk in paced.desks}
    async with paced.running() as engine:
        assert set(engine.tell(None, A.PAUSE, "")) == {"X-USD", "Y-USD"}
        assert {risk.effective for risk in states.values()} == {TradingState.PAUSED}
        answers = engine.tell("Y-USD", A.RESUME, "")
        assert set(answers) == {"Y-USD"}
        assert answers["Y-USD"].is_taken
        assert (states["X-USD"].effective, states["Y-USD"].effective) == (
            TradingState.PAUSED,
            TradingState.ACTIVE,
        )
        with pytest.raises(UsageError, match="Z-USD is not traded here, nothing was done; products: X-USD"):
            engine.tell("Z-USD", A.KILL, "")
        assert set(engine.possibly_open()) == {"X-USD", "Y-USD"}


async def test_settings_change_at_every_desk_and_are_shown() -> None:
    paced = Paced(X, Y)
    async with paced.running() as engine:
        answers = engine.change_settings({"strategy.levels": "1"})
        assert [answer.text for answer in answers.values()] == ["from now on strategy.levels = 1"] * 2
        assert isinstance(paced.watcher.events("Y-USD")[-1], SettingsChange)
        await settle()
        await paced.at(61 * S)
        assert {len(ids) for ids in engine.possibly_open().values()} == {2}
        refused = engine.change_settings({"strategy.levels": "0"})
        assert [answer.is_taken for answer in refused.values()] == [False, False]


async def test_a_trader_that_fails_over_a_command_ends_the_run_and_the_others_are_told_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paced = Paced(X, Y)
    first, second = paced.desks
    on_event = first.trader.on_event

    def fail(event: AnyEvent) -> Sequence[AnyCommand]:
        if isinstance(event, OperatorCommand) and event.action is A.KILL:
            raise RuntimeError("a defect")
        return on_event(event)

    monkeypatch.setattr(first.trader, "on_event", fail)
    async with paced.running() as engine:
        answers = engine.tell(None, A.KILL, "")
        assert not answers["X-USD"].is_taken
        assert "a defect" in answers["X-USD"].text
        assert answers["Y-USD"].is_taken
        assert second.trader.risk.effective is TradingState.KILLED
        assert "STAGE_FAILED" in [alert.code for alert in paced.watcher.alerts]
    assert paced.outcome.exit_code == 1
    assert "a defect" in paced.outcome.reason
    assert engine.possibly_open() == {"X-USD": (), "Y-USD": ()}


async def test_one_kill_that_fails_at_every_desk_is_one_end_and_waits_for_the_proof(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paced = Paced(X, Y, Z)
    for desk in paced.desks:

        def fail(event: AnyEvent, on_event: Any = desk.trader.on_event) -> Sequence[AnyCommand]:
            if isinstance(event, OperatorCommand) and event.action is A.KILL:
                raise RuntimeError(f"a defect of {event.product}")
            return on_event(event)  # type: ignore[no-any-return]

        monkeypatch.setattr(desk.trader, "on_event", fail)
    async with paced.running() as engine:
        answers = engine.tell(None, A.KILL, "")
        assert not any(answer.is_taken for answer in answers.values())
        await settle()
    assert paced.outcome.exit_code == 1, "every order is proven gone"
    assert "a defect of X-USD" in paced.outcome.reason
    assert engine.possibly_open() == {"X-USD": (), "Y-USD": (), "Z-USD": ()}


async def test_a_venue_that_fails_over_a_command_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    paced = Paced()
    venue = paced.desks[0].venue
    cancel, failures = venue.cancel, [1]

    def fail_once(order: CancelOrder) -> None:
        if failures:
            failures.pop()
            raise RuntimeError("a defect")
        cancel(order)

    monkeypatch.setattr(venue, "cancel", fail_once)
    async with paced.running() as engine:
        assert not engine.tell(None, A.CANCEL_ALL, "")["X-USD"].is_taken
    assert paced.outcome.exit_code == 1
    assert engine.possibly_open() == {"X-USD": ()}


async def test_a_command_from_an_observer_is_taken_too() -> None:
    paced = Paced()
    paced.engine._monitoring.next_due_ns = S
    paced.watcher.on_look = lambda: paced.engine.tell(None, A.PAUSE, "") and None
    async with paced.running() as engine:
        await paced.at(S + ANSWERS_AFTER)
        assert paced.watcher.statuses == [S]
        assert engine.possibly_open() == {"X-USD": ()}


async def test_an_engine_interrupted_before_it_runs_sends_nothing() -> None:
    paced = Paced()
    paced.engine.interrupt("too soon", 130)
    outcome = await paced.engine.run()
    assert outcome == Outcome("too soon", 130)
    assert not any(isinstance(command, SubmitOrder) for command in paced.watcher.commands())


# -- what was shown is all there was -------------------------------------------------------------


async def commanded(real: Clock) -> tuple[Market, Watcher, Config]:
    """A simulated minute at full speed in which people ask for things and change settings."""
    config = configured(
        engine__speed="max",
        engine__duration_s=D(30),
        strategy__base_spread_bps=D(1),
        strategy__min_spread_bps=D("0.1"),
    )
    market, watcher = build_market(config), Watcher()
    engine = build_engine(config, market, real, watcher, status_interval_ns=S)
    script: list[tuple[int, Callable[[], object]]] = [
        (5, lambda: engine.tell(None, A.PAUSE, "a break")),
        (7, lambda: engine.tell(None, A.RESUME, "")),
        (10, lambda: engine.change_settings({"strategy.levels": "2", "risk.max_open_orders_per_side": "2"})),
        (15, lambda: engine.tell(None, A.KILL, "")),
        (17, lambda: engine.tell(None, A.FLATTEN, "")),
        (20, lambda: engine.tell(None, A.REARM, "")),
        (21, lambda: engine.tell(None, A.RESUME, "")),
        (25, lambda: engine.change_settings({"strategy.base_spread_bps": "2"})),
    ]

    async def keep_up() -> None:
        while script and engine.clock.monotonic_ns() >= script[0][0] * S:
            script.pop(0)[1]()

    engine.before_step = keep_up
    outcome = await engine.run()
    assert outcome == Outcome("the duration has passed", 0)
    assert not script
    return market, watcher, config


async def test_the_events_that_were_shown_lead_a_new_trader_to_the_same_state_and_commands() -> None:
    market, watcher, config = await commanded(ManualClock())
    live = market.desks[0].trader
    again = build_trader(config, live.instrument, 0, displays_own=market.desks[0].venue.displays_own_orders)
    again.strategy.start()
    sent: list[AnyCommand] = []
    for event in watcher.events(live.instrument.symbol):
        sent += again.on_event(event)
    assert again.digest() == live.digest()
    assert len(sent) == len(watcher.commands(live.instrument.symbol)) > 100
    purposes = {command.purpose for command in sent if isinstance(command, SubmitOrder)}
    assert purposes == {"quote", "flatten"}, "the flatten found a position to close while KILLED"
    times = [event.recv_ns for event in watcher.events(live.instrument.symbol) if isinstance(event, Timer)]
    assert times == sorted(times)


async def test_the_same_commands_at_the_same_moments_give_the_same_run() -> None:
    first, _, _ = await commanded(ManualClock())
    second, _, _ = await commanded(ManualClock())
    assert first.desks[0].trader.digest() == second.desks[0].trader.digest()
