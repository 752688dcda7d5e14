"""Random schedules: whatever is lost, late, doubled or out of order, and whenever the process dies."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal
from typing import Any

import pytest
from broker_kit import FEE, LIVE, FakeBroker, Fate, Lost, ScriptedVenue, VenueOrder
from edge_bench import EdgeBench, UserFeed
from trader_bench import X
from virtual_time import run_virtual

from engine.core.order import OrderState, Side
from engine.exchange.coinbase.broker import (
    CancelAnswer,
    Gate,
    NewOrder,
    OrderRef,
    Outcome,
    SubmitAnswer,
    open_gate,
)
from engine.exchange.coinbase.wire.user import UserMatch

TIMEOUT_S = 2.0


class Weather(Fate):
    """Reads are late or lost while it is bad."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.is_bad = True

    async def there(self, call: str) -> None:
        await self._leg()

    async def back(self, call: str) -> None:
        await self._leg()

    async def _leg(self) -> None:
        if not self.is_bad:
            await asyncio.sleep(0.005)
            return
        await asyncio.sleep(self.rng.choice((0.005, 0.02, 0.1, 0.4)))
        if self.rng.random() < 0.04:
            raise Lost

    def delay_s(self) -> float | None:
        """How long a command is under way; None for one that is lost."""
        if not self.is_bad:
            return 0.005
        if self.rng.random() < 0.08:
            return None
        return self.rng.choice((0.002, 0.01, 0.03, 0.2, 1.0, 2.5, 15.0 if self.rng.random() < 0.2 else 0.1))


class StormyBroker(FakeBroker):
    """Commands arrive on their own, whether or not whoever sent them still waits, or lives."""

    def __init__(self, venue: ScriptedVenue, weather: Weather, *, can_find: bool) -> None:
        super().__init__(venue, weather, can_find=can_find, timeout_s=0.5)
        self.weather = weather

    async def submit(self, order: NewOrder, gate: Gate = open_gate) -> SubmitAnswer:
        if self.weather.is_bad and self.weather.rng.random() < 0.03:
            outcome = self.weather.rng.choice((Outcome.REFUSED, Outcome.NOT_SENT))
            return SubmitAnswer(outcome, code="SAID_THE_TEST", reason="no")
        answer = await self._command(
            lambda: SubmitAnswer(Outcome.ACCEPTED, self.venue.create(order).order_id)
        )
        return SubmitAnswer(Outcome.UNKNOWN, reason="time-out") if answer is None else answer

    async def cancel(self, refs: Any) -> list[CancelAnswer]:
        refs = tuple[OrderRef, ...](refs)
        answer = await self._command(lambda: [self._cancel(ref) for ref in refs])
        return [CancelAnswer(ref, Outcome.UNKNOWN) for ref in refs] if answer is None else answer

    async def _command(self, act: Any) -> Any:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Any] = loop.create_future()

        def arrive() -> None:
            answer = act()
            back = self.weather.delay_s()
            if back is not None:
                loop.call_later(back, lambda: answered.done() or answered.set_result(answer))

        there = self.weather.delay_s()
        if there is not None:
            loop.call_later(there, arrive)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await answered
        except TimeoutError:
            return None


class StormyFeed(UserFeed):
    """Reports come late, twice and out of order."""

    def __init__(self, venue: ScriptedVenue, weather: Weather) -> None:
        super().__init__(venue)
        self._weather = weather

    def _changed(self, order: VenueOrder) -> None:
        if not self.is_up:
            return
        rng, report = self._weather.rng, order.report()
        for _ in range(2 if self._weather.is_bad and rng.random() < 0.2 else 1):
            delay_s = rng.choice((0.001, 0.005, 0.05, 0.3)) if self._weather.is_bad else 0.002
            asyncio.get_running_loop().call_later(delay_s, self._tell, report, self.connection)


class ExecutionFeed(StormyFeed):
    """The other API's channel: executions one by one and ends, in order, some of them twice."""

    def __init__(self, venue: ScriptedVenue, weather: Weather) -> None:
        super().__init__(venue, weather)
        self._told: dict[str, int] = {}
        self._last_s = 0.0

    def _changed(self, order: VenueOrder) -> None:
        new = order.fills[self._told.get(order.order_id, 0) :]
        self._told[order.order_id] = len(order.fills)
        if not self.is_up:
            return
        rng, loop = self._weather.rng, asyncio.get_running_loop()
        self._last_s = max(self._last_s, loop.time() + rng.choice((0.001, 0.05, 0.3)))
        for fill in new:
            match = UserMatch(
                fill.product,
                int(fill.fill_id.removeprefix("e-")),
                fill.order_id,
                fill.side,
                True,
                fill.price,
                fill.size,
                FEE,
            )
            for _ in range(2 if rng.random() < 0.1 else 1):
                loop.call_at(self._last_s, self._match, match, self.connection)
        if order.status not in LIVE:
            loop.call_at(self._last_s, self._tell, order.report(), self.connection)

    def _match(self, match: UserMatch, connection: int) -> None:
        if self.is_up and connection == self.connection and self.edge is not None:
            self.edge.on_user_match(match)


class Schedule(EdgeBench):
    """One random life of an engine at one venue; odd seeds are a venue that can be asked by our own ids."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.weather = Weather(self.rng)
        super().__init__(self.weather)
        can_find = bool(seed % 2)
        self.broker = StormyBroker(self.exchange, self.weather, can_find=can_find)
        self.user = (ExecutionFeed if can_find else StormyFeed)(self.exchange, self.weather)
        self.edge = self._new_edge()

    async def run(self) -> None:
        await self.start()
        for _ in range(self.rng.randrange(15, 40)):
            await self._act()
            await self.after(self.rng.choice((0, 0.01, 0.05, 0.2, 0.6)))
        self.weather.is_bad = False
        self.broker.failing.clear()
        if not self.user.is_up:
            self.user.connect()
        await self.after(35, 0.25)
        self.check()
        self.edge.sweep("the end")
        await self.after(35, 0.25)
        self.check()
        assert not self.exchange.live()
        assert self.edge.sweep_report is not None
        assert self.edge.sweep_report.is_proven
        await self.stop()

    def check(self) -> None:
        assert all(len(orders) == 1 for orders in self.exchange.by_client.values()), "an order lives twice"
        self.check_accounts()
        self.check_open_sets()
        settled = (OrderState.NEW, OrderState.PARTIALLY_FILLED)
        assert all(order.state in settled for order in self.trader.orders.open_orders())
        for order in self.exchange.orders.values():
            assert self.own(order.client_id).filled == X.lots(order.filled)

    async def _act(self) -> None:
        rng = self.rng
        roll = rng.random()
        if roll < 0.35:
            side = rng.choice((Side.BUY, Side.SELL))
            self.send(side, str(rng.randrange(90, 111)), str(Decimal(rng.randrange(1, 6)) / 2))
        elif roll < 0.5:
            live = self.trader.orders.open_orders()
            if live:
                self.ask_cancel(rng.choice(live).client_id)
        elif roll < 0.8:
            self._fill()
        elif roll < 0.84:
            if live_there := self.exchange.live():
                self.exchange.end(rng.choice(live_there), rng.choice(("CANCELLED", "EXPIRED")), "by itself")
        elif roll < 0.9:
            await self.crash()
            if rng.random() < 0.5:
                await self.after(rng.choice((0.05, 1.0)))
            await self.edge.start()
            self.user.connect()
        elif roll < 0.96:
            if self.user.is_up:
                self.user.lose()
            else:
                self.user.connect()
        elif self.broker.failing:
            self.broker.failing.clear()
        else:
            self.broker.failing.update(rng.sample(("live_orders", "order", "fills"), rng.randrange(1, 4)))

    def _fill(self) -> None:
        """One or two executions at once, some at a better price."""
        live = [order for order in self.exchange.live() if order.status in LIVE]
        if not live:
            return
        order = self.rng.choice(live)
        for _ in range(self.rng.choice((1, 1, 2))):
            left = X.lots(order.size - order.filled)
            if left:
                better = self.rng.choice((0, 0, 0, 1))
                price = order.price - order.side * better * X.tick
                self.exchange.fill(order, self.rng.randrange(1, left + 1) * X.lot, price)


def run_seed(seed: int) -> None:
    async def run() -> None:
        await Schedule(seed).run()

    try:
        run_virtual(run())
    except BaseException as error:
        error.add_note(f"schedule {seed}")
        raise


@pytest.mark.parametrize("block", range(5))
def test_no_order_is_doubled_and_no_fill_lost(block: int) -> None:
    for seed in range(block * 100, block * 100 + 100):
        run_seed(seed)


@pytest.mark.nightly
@pytest.mark.parametrize("block", range(100))
def test_no_order_is_doubled_and_no_fill_lost_in_10_000_schedules(block: int) -> None:
    for seed in range(1_000 + block * 100, 1_000 + block * 100 + 100):
        run_seed(seed)
