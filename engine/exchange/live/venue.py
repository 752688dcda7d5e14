"""A live venue: takes the Trader's commands to a broker and brings back what is proven of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final, Protocol

from engine.core.clock import Clock
from engine.core.events import (
    CancelOrder,
    EdgeStatus,
    MarketEvent,
    OrderEvent,
    OrderFilled,
    Restraint,
    SubmitOrder,
)
from engine.core.instrument import Instrument
from engine.exchange.coinbase.broker import Broker, BrokerError, NewOrder, Outcome, SubmitAnswer
from engine.exchange.coinbase.user import OrderReport, UserMatch
from engine.exchange.live.balances import AccountCheck
from engine.exchange.live.drop_copy import DropCopy
from engine.exchange.live.halts import Halts
from engine.exchange.live.history import History
from engine.exchange.live.listing import Listings
from engine.exchange.live.orders import LiveOrders
from engine.exchange.live.outbox import Outbox
from engine.exchange.live.outcomes import RATE_LIMIT
from engine.exchange.live.rechecks import Rechecks
from engine.exchange.live.reconcile import Reconciler, ReconcileReport
from engine.exchange.live.rejects import RejectStorms
from engine.exchange.live.resolver import Resolver
from engine.exchange.live.settle import Settler
from engine.exchange.live.sweeps import SweepEvidence, Sweeps
from engine.exchange.live.tasks import Tasks
from engine.exchange.live.tracking import Phase, TrackedOrder
from engine.exchange.protocol import OwnRecord

MOST_IN_FLIGHT: Final = 16
"""Submits that wait for an answer at once; further ones wait their turn."""
_LIMIT_S: Final = 1.0
"""How long nothing is sent after a 429 that does not say how long."""
_LOCKED_S: Final = 2.0
"""Between two comparisons while the record does not agree with the venue."""
_HOUR_NS: Final = 3_600_000_000_000
_CENT: Final = Decimal("0.01")


class EdgeSettings(Protocol):
    """How patient the edge is and how often it compares; see `NetworkSettings`."""

    @property
    def reconcile_interval_s(self) -> Decimal: ...
    @property
    def balance_interval_s(self) -> Decimal: ...
    @property
    def fills_interval_s(self) -> Decimal: ...
    @property
    def answer_timeout_ms(self) -> int: ...


def always() -> bool:
    """A lease that never runs out: for a venue that nobody watches over."""
    return True


class LiveVenue:
    """`Venue` and `Edge` of one product over a broker that all products share.

    An order leaves only while `lease` holds, no sweep is under way, and the venue's list of orders could
    be had. The user channel of the account is to be passed on: `on_user`, `on_user_match`, `on_user_ready`
    after each snapshot's end, `on_user_lost`. Until the first `on_user_ready` trading stays PAUSED.
    """

    displays_own_orders = True

    def __init__(
        self,
        instrument: Instrument,
        broker: Broker,
        record: OwnRecord,
        clock: Clock,
        settings: EdgeSettings,
        notify: Callable[[], None],
        lease: Callable[[], bool] = always,
        *,
        account: AccountCheck | None = None,
        opened_ns: int = 0,
        fills_since_ns: Callable[[], int | None] = lambda: None,
        on_report: Callable[[ReconcileReport], None] = lambda _: None,
        warn: Callable[[str, str], None] = lambda _code, _text: None,
    ) -> None:
        """`clock` is the engine's. `account` knows what else the account holds, where that is not nothing.

        `opened_ns`: venue wall time at which the opening balances were read; executions of before are in
        them. `fills_since_ns` gives the wall time up to which the record is whole, None where it begins now;
        executions since an hour before it are looked through at the start. `on_report` is told of every
        comparison, `warn` what people should know.
        """
        self.name = broker.name
        self.account = account or AccountCheck(instrument, record)
        self._instrument = instrument
        self._broker = broker
        self._clock = clock
        self._settings = settings
        self._lease = lease
        self._outbox = Outbox(instrument.symbol, clock, notify)
        self._calls = Tasks(self._failed)
        self._tasks = Tasks(self._failed)
        self._storms = RejectStorms(clock, self._outbox)
        self._halts = Halts(clock, self._outbox)
        self._orders = LiveOrders(
            instrument,
            broker,
            record,
            clock,
            self._outbox,
            self._calls,
            self._storms,
            self._halts,
            warn,
            self._command_left,
            opened_ns,
        )
        self._listings = Listings(broker, instrument.symbol, clock, self._tasks, notify)
        self._settler = Settler(instrument, broker, self._orders, self._tasks)
        history = History(instrument, broker, record, self._orders, opened_ns)
        self._resolver = Resolver(
            broker,
            clock,
            self._orders,
            self._listings,
            self._settler,
            history,
            self._tasks,
            self._user_epoch,
        )
        self._sweeps = Sweeps(
            instrument,
            broker,
            record,
            clock,
            self._orders,
            self._listings,
            self._settler,
            self._tasks,
            warn,
            self._command_left,
        )
        self._reconciler = Reconciler(
            instrument,
            record,
            clock,
            self._outbox,
            self._orders,
            self._listings,
            self._settler,
            history,
            Rechecks(self._orders, self._settler, self._halts, self._tasks),
            self._halts,
            self._user_epoch,
            on_report,
        )
        self._fills_since_ns = fills_since_ns
        self._drop_copy = DropCopy(instrument, broker, clock, self._outbox, self._orders, history)
        self._waiting: deque[tuple[TrackedOrder, SubmitOrder]] = deque()
        self._in_flight = 0
        self._last_command_ns = clock.monotonic_ns()
        self._limited_until_ns = 0
        self._limit: asyncio.TimerHandle | None = None
        self._connections = 0
        self._is_user_ready = False
        self._is_running = False
        self._asked: asyncio.Event | None = None
        self._tolerance: dict[str, Decimal] = {instrument.base: instrument.lot, instrument.quote: _CENT}

    # -- the edge --------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to compare; trading is PAUSED until the first comparison has left nothing open."""
        self._is_running = True
        self._asked = asyncio.Event()
        since_ns = self._fills_since_ns()
        self._reconciler.look_back_to((self._clock.wall_ns() if since_ns is None else since_ns) - _HOUR_NS)
        self._reconciler.lock("our record has not been compared with the venue yet")
        self._tasks.spawn("reconcile", self._keep_agreed())
        self._tasks.spawn("balances", self._keep_balanced())
        self._tasks.spawn("drop copy", self._keep_confirmed())

    async def stop(self) -> None:
        """Nothing is sent any more; what was sent is waited for as long as an answer may take."""
        self._is_running = False
        self._drop_waiting("the engine is ending")
        self._storms.stop()
        if self._limit is not None:
            self._limit.cancel()
        await self._tasks.finish(0)
        await self._calls.finish(self._settings.answer_timeout_ms / 1_000)

    async def _keep_agreed(self) -> None:
        assert self._asked is not None
        cause = "start"
        while True:
            is_locked = self._reconciler.is_locked
            report = await self._reconciler.reconcile(cause, with_history=is_locked)
            is_agreed = report.is_clean and not self._reconciler.is_locked
            wait_s = float(self._settings.reconcile_interval_s) if is_agreed else _LOCKED_S
            try:
                async with asyncio.timeout(wait_s):
                    await self._asked.wait()
                cause = "reconnect"
            except TimeoutError:
                cause = "interval" if is_agreed else cause
            self._asked.clear()

    async def _keep_confirmed(self) -> None:
        while True:
            await asyncio.sleep(float(self._settings.fills_interval_s))
            try:
                await self._drop_copy.check()
            except BrokerError:
                continue  # nothing is known by it; the comparison of orders holds trading back

    async def _keep_balanced(self) -> None:
        while True:
            await asyncio.sleep(float(self._settings.balance_interval_s))
            if self._reconciler.is_locked:
                continue
            try:
                await self._compare_balances()
            except BrokerError:
                continue

    async def _compare_balances(self) -> None:
        """The position identity, looked at twice: a fill may be on its way to either side."""
        if not self.account.differences(await self._broker.balances(), self._tolerance):
            return
        booked = self._booked()
        await asyncio.sleep(_LOCKED_S)
        differences = self.account.differences(await self._broker.balances(), self._tolerance)
        if differences and booked == self._booked():
            self._halts.halt(
                "balances",
                f"{'; '.join(map(str, differences))}: a fill is missing on one side, or somebody else has "
                "traded or moved money",
            )

    def _booked(self) -> int:
        return sum(order.booked.lots for order in self._orders.tracker)

    async def accept_balances(self) -> None:
        """A person has looked: what the account holds now is right. Raises `BrokerError`."""
        self.account.accept(await self._broker.balances())

    def reconcile_now(self) -> None:
        """Compare at once."""
        if self._asked is not None:
            self._asked.set()

    # -- the user channel ------------------------------------------------------------------------

    def on_user(self, report: OrderReport) -> None:
        """An order's figures, from a snapshot or an update; another product's is ignored."""
        self._orders.observe(report)

    def on_user_match(self, match: UserMatch) -> None:
        """One execution; another product's is ignored."""
        self._orders.on_match(match)

    def on_user_ready(self) -> None:
        """The channel is connected and its snapshot has come to its end."""
        self._connections += 1
        self._is_user_ready = True
        self.reconcile_now()

    def on_user_lost(self) -> None:
        """The channel is lost, or a frame of it: what happens to our orders is not told."""
        self._is_user_ready = False
        if self._is_running:
            self._reconciler.lock("the user channel is lost: fills and ends of orders are not told")

    def _user_epoch(self) -> int | None:
        return self._connections if self._is_user_ready else None

    # -- the venue -------------------------------------------------------------------------------

    def submit(self, order: SubmitOrder) -> None:
        """See `Venue`."""
        tracked = self._orders.submitting(order)
        if reason := self._forbidden():
            self._orders.not_sent(tracked, reason)
            return
        self._waiting.append((tracked, order))
        self._send_waiting()

    def cancel(self, order: CancelOrder) -> None:
        """See `Venue`. A client id that is a venue's id in truth (of `open_orders`) is understood."""
        tracked = self._orders.by_client(order.client_id) or self._orders.tracker.by_venue(order.client_id)
        if tracked is None:
            return  # neither the record nor the venue has it
        self._orders.cancel(tracked)

    def on_market(self, event: MarketEvent) -> None:
        """See `Venue`; the market fills our orders elsewhere."""

    def next_due_ns(self) -> int | None:
        """See `Venue`."""
        return self._outbox.next_due_ns()

    def poll(self, now_ns: int) -> Sequence[OrderEvent | EdgeStatus]:
        """See `Venue`."""
        return self._outbox.poll(now_ns)

    def open_orders(self) -> list[str]:
        """See `Venue`: our orders in a complete list that was begun after the last command had left."""
        since = self._clock.monotonic_ns() if self._in_flight else self._last_command_ns
        listing = self._listings.present(since)
        ours = []
        for report in listing.orders:
            order = self._orders.observe(report, is_listed=True)
            if order is not None:
                ours.append(report.client_order_id or report.order_id)
        return ours

    def sweep(self, reason: str) -> None:
        """See `Venue`; what it has shown is `sweep_report`."""
        self._sweeps.begin(reason)
        self._drop_waiting(reason)

    @property
    def sweep_report(self) -> SweepEvidence | None:
        """The evidence of the last sweep, as far as it has come; None before the first one."""
        return self._sweeps.evidence

    @property
    def strangers(self) -> Mapping[str, OrderReport]:
        """Live orders of other front ends, by the venue's id."""
        return self._orders.strangers

    def estimated_ahead(self, client_id: str) -> int | None:
        """See `Venue`; a real queue does not tell."""
        return None

    def print_of(self, fill: OrderFilled) -> int | None:
        """See `Venue`; known where the user channel tells executions one by one."""
        return self._orders.booking.print_of(fill.fill_id)

    # -- sending ---------------------------------------------------------------------------------

    def _forbidden(self) -> str:
        """Why no order may leave now; empty when one may. The last gate."""
        if not self._is_running:
            return "the connection to the venue is not running"
        if self._sweeps.is_active:
            return "everything is being cancelled"
        if self._reconciler.is_blind:
            return "the venue does not tell which orders are open"
        if self._clock.monotonic_ns() < self._limited_until_ns:
            return "the venue's rate limit is used up"
        if not self._lease():
            return "the watchdog has not confirmed that it watches"
        return ""

    def _send_waiting(self) -> None:
        while self._waiting and self._in_flight < MOST_IN_FLIGHT:
            self._in_flight += 1
            self._calls.spawn("submit", self._send(*self._waiting.popleft()))

    def _drop_waiting(self, reason: str) -> None:
        while self._waiting:
            self._orders.not_sent(self._waiting.popleft()[0], reason)

    async def _send(self, order: TrackedOrder, command: SubmitOrder) -> None:
        answer = SubmitAnswer(Outcome.UNKNOWN, reason="the submit was broken off")
        try:
            if reason := self._forbidden():
                self._orders.not_sent(order, reason)
            if order.phase is not Phase.QUEUED:
                return  # cancelled, or forbidden, before a byte of it left
            order.phase = Phase.SENT
            self._command_left()
            answer = await self._broker.submit(self._new_order(command))
        finally:
            self._in_flight -= 1
            if not order.is_told or order.phase is Phase.SENT:
                self._orders.answered(order, answer)
            self._send_waiting()
        if answer.outcome is Outcome.LIMITED:
            self._limited(answer)

    def _new_order(self, command: SubmitOrder) -> NewOrder:
        instrument = self._instrument
        price = None if command.price is None else Decimal(instrument.price_text(command.price))
        if price is not None:
            self._tolerance[instrument.quote] = max(_CENT, price * instrument.lot)
        return NewOrder(
            command.client_id,
            instrument.symbol,
            command.side,
            Decimal(instrument.size_text(command.size)),
            price,
            command.time_in_force,
            command.post_only,
        )

    def _limited(self, answer: SubmitAnswer) -> None:
        wait_s = _LIMIT_S if answer.retry_after_s is None else answer.retry_after_s
        self._limited_until_ns = self._clock.monotonic_ns() + int(wait_s * 1e9)
        if self._limit is not None:
            self._limit.cancel()
        self._limit = asyncio.get_running_loop().call_later(wait_s, self._unlimited)
        self._outbox.restrain(
            RATE_LIMIT,
            Restraint.PAUSED,
            f"the venue's rate limit is used up: nothing is sent for {wait_s:g} s",
            f"{wait_s:g} s have passed",
        )

    def _unlimited(self) -> None:
        self._limit = None
        self._outbox.restrain(RATE_LIMIT, Restraint.NONE, "the venue's rate limit has been waited for")
        self.reconcile_now()

    def _command_left(self) -> None:
        self._last_command_ns = self._clock.monotonic_ns()

    def _failed(self, what: str, error: BaseException) -> None:
        self._outbox.restrain(
            "EDGE",
            Restraint.LATCHED,
            f"the connection to {self.name} failed at its work ({what}): {type(error).__name__}: {error}",
            "a person; restart the engine",
        )
