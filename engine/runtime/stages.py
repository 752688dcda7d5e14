"""The four stages: market data, strategy, execution, monitoring.

Each has a synchronous `step`; the engine runs the first three to completion in one wake-up, so that a
hop between them is a function call. They meet only in a desk's queues.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter

from engine.core.clock import Clock
from engine.core.events import (
    AnyCommand,
    AnyEvent,
    CancelOrder,
    MarketEvent,
    OperatorCommand,
    SettingsChange,
    SubmitOrder,
    Timer,
)
from engine.core.queues import QueueOverflow
from engine.exchange.protocol import Feed
from engine.runtime.desk import Desk

_arrival = attrgetter("recv_ns")


class MarketDataStage:
    """Asks the feeds and the venues what has arrived and hands it to the desks."""

    name = "market data"

    def __init__(self, feeds: Sequence[Feed], desks: Mapping[str, Desk], clock: Clock, real: Clock) -> None:
        self._feeds = feeds
        self._desks = desks
        self._clock = clock
        self._real = real

    def step(self) -> int:
        """Fill the desks' queues; the real time from which what follows counts as latency."""
        now, real = self._clock.monotonic_ns(), self._real
        begin = real.monotonic_ns()
        for feed in self._feeds:
            started = real.monotonic_ns()
            events = feed.poll(now)
            if not events:
                continue
            if not feed.makes_market:
                for desk in {event.product: self._desks.get(event.product) for event in events}.values():
                    if desk is not None:
                        desk.latency.stage("feed").record(real.monotonic_ns() - started)
            lost: set[str] = set()
            for event in events:
                receiver = self._desks.get(event.product)
                if receiver is not None:
                    # A paper venue must have seen the market up to now before it is asked what happened.
                    receiver.venue.on_market(event)
                    if event.product not in lost and not self._push(receiver, event):
                        lost.add(event.product)
        for desk in self._desks.values():
            for answer in desk.venue.poll(now):
                desk.order_events.push(answer)
        return real.monotonic_ns() if any(feed.makes_market for feed in self._feeds) else begin

    def stop_asking_feeds(self) -> None:
        """From now on only the venues are asked: a feed that fails must not keep their answers away."""
        self._feeds = ()

    def distrust(self, desk: Desk, reason: str) -> None:
        """The desk's book is wrong: stale until the feed brings a new one."""
        now, wall = self._clock.monotonic_ns(), self._clock.wall_ns()
        for feed in self._feeds:
            for event in feed.distrust(desk.product, reason, now, wall):
                self._push(desk, event)

    def _push(self, desk: Desk, event: MarketEvent) -> bool:
        """Queue an event; False when there was no room, and with it the book is lost."""
        try:
            desk.market_events.push(event)
        except QueueOverflow as overflow:
            # A book that missed a change is not a book: forget what waits, and ask for a new one.
            desk.market_events.clear()
            self.distrust(desk, str(overflow))
            return False
        return True


class StrategyStage:
    """Shows a Trader everything that arrived, in order, then asks it once."""

    name = "strategy"

    def __init__(self, clock: Clock, real: Clock) -> None:
        self._clock = clock
        self._real = real

    def step(self, desk: Desk, shown: list[AnyEvent]) -> None:
        """Apply what waits in the desk's queues and decide.

        Every event goes into `shown` before the Trader sees it: they have happened, though it may fail.
        """
        trader, commands, real = desk.trader, desk.commands, self._real
        market = desk.market_events.drain()
        orders = desk.order_events.drain()
        events: list[AnyEvent] = [*orders, *market]
        if orders and market:
            # One arrival order for both; the sort is stable, so answers go first on a tie.
            events.sort(key=_arrival)
        started = real.monotonic_ns()
        for event in events:
            shown.append(event)
            for command in trader.on_event(event):
                commands.push(command)
        applied = real.monotonic_ns()
        timer = Timer(desk.product, self._clock.monotonic_ns(), self._clock.wall_ns())
        shown.append(timer)
        for command in trader.on_event(timer):
            commands.push(command)
        if market:
            desk.latency.stage("book").record(applied - started)
            desk.latency.stage("decide").record(real.monotonic_ns() - applied)

    def tell(self, desk: Desk, asked: OperatorCommand | SettingsChange) -> None:
        """Hand to the Trader at once what a person asks; its `answer` then says what became of it."""
        for command in desk.trader.on_event(asked):
            desk.commands.push(command)


class ExecutionStage:
    """Hands commands to the venue, cancels first."""

    name = "execution"

    def step(self, desk: Desk) -> list[AnyCommand]:
        """Send what waits. Returns what was sent."""
        venue = desk.venue
        commands = desk.commands.drain()
        for command in commands:
            if isinstance(command, CancelOrder):
                venue.cancel(command)
        for command in commands:
            if isinstance(command, SubmitOrder):
                venue.submit(command)
        return commands


class MonitoringStage:
    """Work on a cadence of its own: status lines, alerts, housekeeping."""

    name = "monitoring"

    def __init__(self, interval_ns: int, first_due_ns: int, work: Callable[[int], None]) -> None:
        self.next_due_ns = first_due_ns
        self._interval_ns = interval_ns
        self._work = work

    def claim(self, now_ns: int) -> bool:
        """True when the work is due; the next time is set then, whatever becomes of the work.

        Periods that passed unseen are skipped, not made up for.
        """
        if now_ns < self.next_due_ns:
            return False
        self.next_due_ns = (now_ns // self._interval_ns + 1) * self._interval_ns
        return True

    def step(self, now_ns: int) -> None:
        """Do the work."""
        self._work(now_ns)
