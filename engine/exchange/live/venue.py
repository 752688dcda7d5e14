"""A live venue: takes the Trader's commands to a broker and brings back what is proven of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

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
from engine.exchange.coinbase.broker import Broker
from engine.exchange.coinbase.wire.user import OrderReport, UserMatch
from engine.exchange.live.balances import AccountCheck
from engine.exchange.live.drop_copy import DropCopy
from engine.exchange.live.halts import Halts
from engine.exchange.live.history import History
from engine.exchange.live.listing import Listings
from engine.exchange.live.orders import LiveOrders
from engine.exchange.live.outbox import Outbox
from engine.exchange.live.rechecks import Rechecks
from engine.exchange.live.reconcile import Reconciler, ReconcileReport
from engine.exchange.live.rejects import RejectStorms
from engine.exchange.live.resolver import Resolver
from engine.exchange.live.sending import Sending
from engine.exchange.live.settle import Settler
from engine.exchange.live.sweeps import SweepEvidence, Sweeps
from engine.exchange.live.tasks import Tasks
from engine.exchange.live.upkeep import EdgeSettings, Upkeep
from engine.exchange.protocol import OwnRecord

_HOUR_NS: Final = 3_600_000_000_000


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
        on_swept: Callable[[SweepEvidence], None] = lambda _: None,
        warn: Callable[[str, str], None] = lambda _code, _text: None,
    ) -> None:
        """`clock` is the engine's. `account` knows what else the account holds, where that is not nothing.

        `opened_ns`: venue wall time at which the opening balances were read; executions of before are in
        them. `fills_since_ns` gives the wall time up to which the record is whole, None where it begins now;
        executions since an hour before it are looked through at the start. `on_report` is told of every
        comparison, `warn` what people should know.
        """
        self.name = broker.name
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
        self._settler = Settler(instrument, broker, clock, self._orders, self._tasks)
        history = History(instrument, broker, clock, record, self._orders, opened_ns)
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
            on_swept,
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
        self._sending = Sending(
            instrument,
            broker,
            clock,
            self._outbox,
            self._orders,
            self._calls,
            self._forbidden,
            self._command_left,
            self.reconcile_now,
            self._unreachable,
        )
        self._upkeep = Upkeep(
            instrument,
            broker,
            settings,
            account or AccountCheck(instrument, record),
            self._reconciler,
            DropCopy(instrument, broker, clock, self._outbox, self._orders, history),
            self._halts,
            lambda: self._sending.last_price,
            lambda: self._outbox.next_due_ns() is not None,
        )
        self._last_command_ns = clock.monotonic_ns()
        self._connections = 0
        self._is_user_ready = False
        self._is_running = False

    # -- the edge --------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to compare; trading is PAUSED until the first comparison has left nothing open."""
        self._is_running = True
        since_ns = self._fills_since_ns()
        self._reconciler.look_back_to((self._clock.wall_ns() if since_ns is None else since_ns) - _HOUR_NS)
        self._reconciler.lock("our record has not been compared with the venue yet", Restraint.AWAITED)
        self._upkeep.start(self._tasks)

    async def stop(self) -> None:
        """Nothing is sent any more; what was sent is waited for as long as an answer may take."""
        self._is_running = False
        self._sending.drop("the engine is ending")
        self._sending.stop()
        self._storms.stop()
        await self._tasks.finish(0)
        await self._calls.finish(self._settings.answer_timeout_ms / 1_000)

    async def accept_balances(self) -> Mapping[str, Decimal]:
        """A person has looked: what the account holds now is right. See `Upkeep.accept_balances`."""
        return await self._upkeep.accept_balances()

    def reconcile_now(self) -> None:
        """Compare at once."""
        self._upkeep.ask()

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
        self._orders.user_channel(is_up=True)
        self.reconcile_now()

    def on_user_lost(self) -> None:
        """The channel is lost, or a frame of it: what happens to our orders is not told."""
        self._is_user_ready = False
        self._orders.user_channel(is_up=False)
        if self._is_running:
            self._reconciler.lock("the user channel is lost: fills and ends of orders are not told")
            self.reconcile_now()

    def _unreachable(self, reason: str) -> None:
        """An order could not be handed to the network: neither could a cancel."""
        self._reconciler.lose(reason)
        self.reconcile_now()

    def _user_epoch(self) -> int | None:
        return self._connections if self._is_user_ready else None

    # -- the venue -------------------------------------------------------------------------------

    def submit(self, order: SubmitOrder) -> None:
        """See `Venue`."""
        self._sending.submit(order)

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
        """See `Venue`: our orders in a complete list that was begun after the last command had left.

        While a sweep is under way its proof, two such lists in a row, is waited for.
        """
        if self._sweeps.is_active:
            return self._sweeps.listed()
        since = self._clock.monotonic_ns() if self._sending.in_flight else self._last_command_ns
        listing = self._listings.present(since)
        return [
            report.client_order_id or report.order_id
            for report in listing.orders
            if self._orders.observe(report, listing.began_ns) is not None
        ]

    def sweep(self, reason: str) -> None:
        """See `Venue`; what it has shown is `sweep_report`."""
        self._sweeps.begin(reason)
        self._sending.drop(reason)

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
        if not self._lease():
            return "the watchdog has not confirmed that it watches"
        return ""

    def _command_left(self) -> None:
        self._last_command_ns = self._clock.monotonic_ns()

    def _failed(self, what: str, error: BaseException) -> None:
        self._outbox.restrain(
            "EDGE",
            Restraint.LATCHED,
            f"the connection to {self.name} failed at its work ({what}): {type(error).__name__}: {error}",
            "a person; restart the engine",
        )
