"""The four stages: market data, strategy, execution, monitoring.

Each has a synchronous `step`; the engine runs the first three to completion in one wake-up, so that a
hop between them is a function call. They meet only in a desk's queues.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import Final, NamedTuple

from engine.core.clock import Clock
from engine.core.events import (
    NOT_SENT,
    Alert,
    AnyCommand,
    AnyEvent,
    CancelOrder,
    MarketEvent,
    OrderRejected,
    Severity,
    SubmitOrder,
    Timer,
)
from engine.core.queues import QueueOverflow
from engine.exchange.protocol import Feed
from engine.persistence.errors import JournalError
from engine.runtime.desk import Desk
from engine.runtime.recorder import Recorder
from engine.runtime.supervisor import STAGE_FAILED

_DROPPED_KEPT: Final = 1_000
CROSSED: Final = "the book is crossed or locked"
_arrival = attrgetter("recv_ns")


class Arrived(NamedTuple):
    """What a look at the markets has brought."""

    awake: list[Desk]
    """The desks that this wake-up is for: they were due, or something has come for them."""
    begun_ns: int
    """The real time from which what follows counts as latency."""


class MarketDataStage:
    """Asks the feeds and the venues what has arrived and hands it to the desks."""

    name = "market data"

    def __init__(
        self,
        feeds: Sequence[Feed],
        desks: Mapping[str, Desk],
        clock: Clock,
        real: Clock,
        *,
        is_live: bool = False,
    ) -> None:
        """`is_live`: events are stamped with `real`, and latency counts from when they came."""
        self._is_live = is_live
        self._feeds = feeds
        self._desks = desks
        self._clock = clock
        self._real = real

    def step(self) -> Arrived:
        """Fill the desks' queues.

        A desk that is not due is left alone, and its own market with it: what other desks do is no reason to
        be woken. What a product trades would depend on them, and a slow strategy would be asked at every
        tick of theirs.
        """
        now, real = self._clock.monotonic_ns(), self._real
        begin = real.monotonic_ns()
        due = {desk.product for desk in self._desks.values() if desk.is_due(now)}
        asleep = [desk.feed for desk in self._desks.values() if desk.product not in due]
        for feed in self._feeds:
            if feed in asleep:
                continue
            started = real.monotonic_ns()
            events = feed.poll(now)
            if not events:
                continue
            if self._is_live:
                begin = min(begin, events[0].recv_ns)
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
        awake = [desk for desk in self._desks.values() if desk.product in due or desk.has_waiting]
        for desk in awake:
            for answer in desk.venue.poll(now):
                desk.order_events.push(answer)
        if any(feed.makes_market for feed in self._feeds):
            begin = real.monotonic_ns()
        return Arrived(awake, begin)

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


def in_order_of_arrival(desk: Desk) -> list[AnyEvent]:
    """Take everything out of a desk's queues, in one order."""
    market = desk.market_events.drain()
    orders = desk.order_events.drain()
    events: list[AnyEvent] = [*orders, *market]
    if orders and market:
        # The sort is stable, so answers go first on a tie.
        events.sort(key=_arrival)
    return events


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
        has_market = len(desk.market_events) > 0
        events = in_order_of_arrival(desk)
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
        if has_market:
            desk.latency.stage("book").record(applied - started)
            desk.latency.stage("decide").record(real.monotonic_ns() - applied)

    def tell(self, desk: Desk, asked: AnyEvent, shown: list[AnyEvent]) -> None:
        """Show the Trader one event at once, outside its queues: what a person asks, what befell us."""
        shown.append(asked)
        for command in desk.trader.on_event(asked):
            desk.commands.push(command)


class Sent(NamedTuple):
    """What one step of a desk led to."""

    commands: Sequence[AnyCommand]
    """In the Trader's order. Cancels have left; orders leave once `number` is acknowledged."""
    number: int
    """Of the record."""


class ExecutionStage:
    """Puts a step on record, then hands its commands to the venue: cancels at once, orders when they may.

    An order leaves once its record is acknowledged: no crash may leave an order at the venue that we know
    nothing of. A cancel never waits and leaves even when the journal fails.
    """

    name = "execution"

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock
        self._held: deque[tuple[int, Desk, SubmitOrder]] = deque()
        """Orders that wait, with the number of their record."""
        self._dropped: dict[str, None] = {}
        """The last ones that were recorded and never left."""

    @property
    def is_holding(self) -> bool:
        """True while orders wait for their record."""
        return bool(self._held)

    def step(self, desk: Desk, events: Sequence[AnyEvent]) -> Sent:
        """Record what the Trader was shown and what waits to be sent; send it. `JournalError` if it fails."""
        commands = desk.commands.drain()
        try:
            number = self._recorder.record(desk.trader, events, commands)
        except JournalError:
            self._hand_over(desk, commands, 0)
            raise
        self._hand_over(desk, commands, number)
        return Sent(commands, number)

    def explain(self, desk: Desk, commands: Sequence[AnyCommand]) -> None:
        """Record why, once the commands are handed over: telling must not make orders later."""
        self._recorder.explain(desk.trader, commands)

    def record_failure(self, desk: Desk, events: Sequence[AnyEvent], failure: Exception) -> None:
        """Record a wake-up over which the Trader failed: its commands leave with what comes next."""
        last = events[-1]
        note = Alert(desk.product, last.recv_ns, last.wall_ns, Severity.CRITICAL, STAGE_FAILED, str(failure))
        with suppress(JournalError):  # the run ends for another reason already
            self._recorder.record(desk.trader, [*events, note], ())

    def _hand_over(self, desk: Desk, commands: Sequence[AnyCommand], number: int) -> None:
        # First the orders, which do not leave yet: one that the same step cancels must never leave.
        for command in commands:
            if isinstance(command, SubmitOrder):
                self._held.append((number, desk, command))
        for command in commands:
            if isinstance(command, CancelOrder):
                self._cancel(desk, command)
        if self._held:
            self.release()

    def release(self) -> None:
        """Send the orders whose record has been acknowledged meanwhile."""
        held = self._held
        while held and self._recorder.is_acknowledged(held[0][0]):
            _, desk, order = held.popleft()
            if self._recorder.is_failed:
                self._drop(desk, order, "the journal failed before the order was on record for good")
            else:
                desk.venue.submit(order)

    def call_back(self, reason: str) -> None:
        """Drop the orders that wait: something happens before their record is acknowledged.

        What is on record then says in which order things reached the venue, whatever the disk took.
        """
        while self._held:
            _, desk, order = self._held.popleft()
            self._drop(desk, order, reason)

    def _cancel(self, desk: Desk, cancel: CancelOrder) -> None:
        for waiting in self._held:
            if waiting[2].client_id == cancel.client_id:
                self._held.remove(waiting)
                self._drop(desk, waiting[2], "cancelled before it was on record")
                return
        if cancel.client_id not in self._dropped:  # which never left, as its Trader is about to be told
            desk.venue.cancel(cancel)

    def _drop(self, desk: Desk, order: SubmitOrder, reason: str) -> None:
        self._dropped[order.client_id] = None
        if len(self._dropped) > _DROPPED_KEPT:
            del self._dropped[next(iter(self._dropped))]
        now, wall = self._clock.monotonic_ns(), self._clock.wall_ns()
        desk.order_events.push(OrderRejected(desk.product, now, wall, order.client_id, NOT_SENT, reason))


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
