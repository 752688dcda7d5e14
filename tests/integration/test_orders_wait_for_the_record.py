"""No order leaves and nothing is told before it is on record for good; cancels never wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise

import pytest_asyncio
from trader_bench import D, configured

from engine.core.clock import SystemClock
from engine.core.events import (
    NOT_SENT,
    Alert,
    AnyCommand,
    AnyEvent,
    CancelOrder,
    OperatorAction,
    OrderRejected,
    SubmitOrder,
)
from engine.core.order import BUY
from engine.persistence.errors import JournalError
from engine.persistence.records import AnyNote
from engine.runtime.builder import build_engine, build_market
from engine.runtime.desk import Desk
from engine.runtime.engine import Engine
from engine.runtime.observers import WakeUp
from engine.runtime.outcome import Outcome
from engine.trader.trader import Trader

S = 1_000_000_000


class ByHand:
    """A recorder that acknowledges when it is told to."""

    def __init__(self) -> None:
        self.batches: list[tuple[Sequence[AnyEvent], Sequence[AnyCommand]]] = []
        self.acknowledged = 0
        self.fails_at: int | None = None
        self.is_failed = False
        self.on_record: list[int] = []

    def record(self, trader: Trader, events: Sequence[AnyEvent], commands: Sequence[AnyCommand]) -> int:
        if self.is_failed:
            return 0
        if self.fails_at is not None and len(self.batches) >= self.fails_at:
            self.is_failed = True
            raise JournalError("the disk is full")
        self.batches.append((tuple(events), tuple(commands)))
        return len(self.batches)

    def explain(self, trader: Trader, commands: Sequence[AnyCommand]) -> None: ...

    def note(self, value: AnyNote | Alert) -> int:
        return len(self.batches)

    def is_acknowledged(self, number: int) -> bool:
        return number <= self.acknowledged or self.is_failed


class Told:
    """Keeps what the engine tells."""

    def __init__(self) -> None:
        self.wakes: list[WakeUp] = []
        self.alerts: list[Alert] = []

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        self.wakes.append(wake)

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None:
        self.alerts += alerts

    def on_status(self, now_ns: int) -> None: ...


class Held:
    """A simulated market at full speed, whose recorder is in our hands; what reaches the venue is kept."""

    def __init__(self) -> None:
        config = configured(engine__speed="max", engine__duration_s=D(60))
        market = build_market(config)
        self.recorder, self.told = ByHand(), Told()
        self.engine: Engine = build_engine(
            config, market, SystemClock(), self.told, status_interval_ns=S, recorder=self.recorder
        )
        [self.desk] = market.desks
        self.left: list[AnyCommand] = []
        venue, submit, cancel = self.desk.venue, self.desk.venue.submit, self.desk.venue.cancel

        def submitted(order: SubmitOrder) -> None:
            self.left.append(order)
            submit(order)

        def cancelled(order: CancelOrder) -> None:
            self.left.append(order)
            cancel(order)

        venue.submit = submitted  # type: ignore[method-assign]
        venue.cancel = cancelled  # type: ignore[method-assign]
        self.task: asyncio.Task[Outcome] | None = None

    async def until_orders_wait(self) -> list[SubmitOrder]:
        """Run until the first orders are recorded and not acknowledged; those orders."""
        self.task = asyncio.create_task(self.engine.run())
        while not self.engine._execution.is_holding:
            await asyncio.sleep(0)
            if self.engine._untold and not self.engine._execution.is_holding:
                self.acknowledge()  # a wake-up with news alone
        return [command for command in self.recorder.batches[-1][1] if isinstance(command, SubmitOrder)]

    def acknowledge(self, *, everything: bool = False) -> None:
        self.recorder.acknowledged = 1 << 60 if everything else len(self.recorder.batches)
        self.engine.on_acknowledged()

    async def end(self) -> Outcome:
        assert self.task is not None
        self.engine.interrupt("the test is over", 0)
        self.acknowledge(everything=True)
        return await self.task


@pytest_asyncio.fixture
async def held() -> AsyncIterator[Held]:
    async with asyncio.timeout(30):
        yield Held()


async def test_orders_leave_and_are_told_once_their_record_is_acknowledged(held: Held) -> None:
    waiting = await held.until_orders_wait()
    assert waiting
    assert held.left == []
    assert all(not wake.commands for wake in held.told.wakes)
    held.acknowledge()
    assert held.left == waiting
    assert [command for wake in held.told.wakes for command in wake.commands] == waiting
    assert (await held.end()).exit_code == 0


async def test_the_market_stands_still_until_then(held: Held) -> None:
    await held.until_orders_wait()
    now = held.engine.clock.monotonic_ns()
    for _ in range(100):
        await asyncio.sleep(0)
    assert held.engine.clock.monotonic_ns() == now
    await held.end()


async def test_the_same_run_whatever_the_record_takes() -> None:
    digests = []
    for is_slow in (False, True):
        held = Held()
        if not is_slow:
            held.recorder.acknowledged = 1 << 60
        held.task = asyncio.create_task(held.engine.run())
        while is_slow and not held.task.done():
            await asyncio.sleep(0)
            if held.engine._execution.is_holding or held.engine._untold:
                held.acknowledge()
        assert (await held.task).exit_code == 0
        digests.append(held.desk.trader.digest())
    assert digests[0] == digests[1]


async def test_an_order_that_is_called_back_before_it_left_never_leaves(held: Held) -> None:
    waiting = await held.until_orders_wait()
    held.engine.tell(None, OperatorAction.KILL, "enough")
    assert held.left == []  # nothing is there to be cancelled
    held.acknowledge(everything=True)
    assert held.left == []
    for _ in range(1_000):
        await asyncio.sleep(0)
    ends = [
        event.client_id
        for events, _ in held.recorder.batches
        for event in events
        if isinstance(event, OrderRejected) and event.code == "NOT_SENT"
    ]
    assert ends == [order.client_id for order in waiting]
    assert held.desk.trader.is_quiet
    await held.end()


async def test_a_cancel_never_waits(held: Held) -> None:
    await held.until_orders_wait()
    held.acknowledge()
    while not held.desk.trader.orders.own.displayed_bids:
        await asyncio.sleep(0)
        held.acknowledge()
    held.left.clear()
    held.engine.tell(None, OperatorAction.CANCEL_ALL, "a person")
    cancels = [command for command in held.left if isinstance(command, CancelOrder)]
    assert cancels
    assert held.recorder.acknowledged < len(held.recorder.batches)
    await held.end()


async def test_when_the_journal_fails_orders_stay_cancels_leave_and_the_engine_ends_with_74(
    held: Held,
) -> None:
    await held.until_orders_wait()
    held.acknowledge()
    while not held.desk.trader.orders.own.displayed_bids:
        await asyncio.sleep(0)
        held.acknowledge()
    held.recorder.fails_at = len(held.recorder.batches)
    before = len(held.left)
    held.recorder.acknowledged = 1 << 60
    held.engine.on_acknowledged()
    assert held.task is not None
    outcome = await held.task
    after = held.left[before:]
    assert outcome.exit_code == 74
    assert outcome.open_orders == ()
    assert "the disk is full" in outcome.reason
    assert any(isinstance(command, CancelOrder) for command in after)
    assert not any(isinstance(command, SubmitOrder) for command in after)


async def test_a_venue_that_fails_over_an_order_whose_record_came_late_ends_the_run(held: Held) -> None:
    await held.until_orders_wait()
    submit = held.desk.venue.submit

    def failing(order: SubmitOrder) -> None:
        held.desk.venue.submit = submit  # type: ignore[method-assign]
        raise RuntimeError("the line is dead")

    held.desk.venue.submit = failing  # type: ignore[method-assign]
    held.acknowledge(everything=True)
    assert held.task is not None
    outcome = await held.task
    assert "the line is dead" in outcome.reason
    assert outcome.exit_code not in (0, 74)


async def test_batches_are_recorded_in_the_order_of_time(held: Held) -> None:
    held.recorder.acknowledged = 1 << 60
    held.task = asyncio.create_task(held.engine.run())
    await held.task
    times = [events[-1].recv_ns for events, _ in held.recorder.batches]
    assert len(times) > 100
    assert all(earlier <= later for earlier, later in pairwise(times))


async def test_an_order_that_the_same_step_cancels_never_leaves() -> None:
    """The gate has latched KILLED over a later order of the step: those before it are cancelled with it."""
    held = Held()
    held.recorder.acknowledged = 1 << 60  # nothing waits for the disk
    first, second = (SubmitOrder("BTC-USD", 0, name, BUY, 1, 1, slot=name) for name in ("one", "two"))
    for command in (first, second, CancelOrder("BTC-USD", 0, "one")):
        held.desk.commands.push(command)
    held.engine._execution.step(held.desk, ())
    assert held.left == [second]
    (answer,) = held.desk.order_events.drain()
    assert isinstance(answer, OrderRejected)
    assert (answer.client_id, answer.code) == ("one", NOT_SENT)
