"""The Trader: the deterministic heart of the engine. Events go in, order commands come out.

It reads no clock, sends no byte and draws no random number: time is a field of every event, and what
it answers follows from the events alone. Live, paper, simulated and replayed trading are this same
object with other edges.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from engine.core.depth import DepthReader
from engine.core.errors import StateError
from engine.core.events import (
    NEVER_ARRIVED,
    NOT_SENT,
    Alert,
    Answer,
    AnyCommand,
    AnyEvent,
    BookSnapshot,
    BookUpdate,
    CancelRejected,
    DayCarried,
    EdgeStatus,
    Event,
    FeedState,
    FeedStatus,
    OperatorCommand,
    OrderAccepted,
    OrderCancelled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUncertain,
    Recovered,
    SettingsChange,
    Severity,
    StorageStatus,
    Timer,
    TradePrint,
)
from engine.core.instrument import Instrument
from engine.core.ledger import BookedFill, Ledger
from engine.core.order_manager import NOTHING_DUE, OrderManager
from engine.core.own_orders import ExcludingOwn
from engine.core.price_levels import PriceLevels
from engine.core.refusals import would_have_taken
from engine.risk.denials import Denial
from engine.risk.gate import FLATTEN, RiskGate
from engine.risk.limits import Ratio
from engine.risk.loss_guard import LossGuard
from engine.risk.market_guards import MarketGuards
from engine.risk.state import RiskState, TradingState
from engine.strategy.protocol import Decision, MarketView, Quote, Strategy
from engine.trader.account_watch import AccountWatch
from engine.trader.alerts import TraderAlerts
from engine.trader.operator_commands import OperatorCommands, Reconfigure
from engine.trader.order_entry import OrderEntry
from engine.trader.restraints import Restraints
from engine.trader.state import STATE_VERSION, Explanations, TraderState

_LIVE: Final = FeedState.LIVE
_REDUCING: Final = TradingState.REDUCING
_PAUSED: Final = TradingState.PAUSED
_HALTED: Final = TradingState.HALTED
_NOTHING: Final[tuple[AnyCommand, ...]] = ()
_NO_BOOK: Final = PriceLevels()


_NEVER_THERE: Final = {NOT_SENT: "an order was not sent", NEVER_ARRIVED: "an order has never arrived"}
_encode: Final = msgspec.msgpack.Encoder(order="deterministic").encode


class Trader:
    """Trades one product.

    `on_event` takes any event and returns the commands it causes. Market and order events update the
    state; a `Timer` ends a batch and is the only moment at which the strategy is asked. `displays_own`
    says whether the market data contains our own orders (then the strategy sees the book without them).
    `opening_quote` (atoms) and `opening_base` (lots) are the account's balances at the start, which
    limit what may be bought and sold; profit and drawdown start at zero with them. `reconfigure` puts
    changed settings into force in the parts given here.
    """

    def __init__(
        self,
        instrument: Instrument,
        strategy: Strategy,
        orders: OrderManager,
        ledger: Ledger,
        gate: RiskGate,
        risk: RiskState,
        guard: LossGuard,
        guards: MarketGuards,
        *,
        opening_quote: int,
        opening_base: int,
        displays_own: bool,
        reconfigure: Reconfigure,
    ) -> None:
        self.instrument = instrument
        self.opening_base = opening_base
        self.strategy = strategy
        self.orders = orders
        self.ledger = ledger
        self.gate = gate
        self.risk = risk
        self.guard = guard
        self.guards = guards
        self.book = PriceLevels()
        self.feed_state = FeedState.IDLE
        self.event_count = 0
        self.command_count = 0
        self.crossed_count = 0
        """How often the book was crossed or locked after a complete update."""
        self.decision = Decision(reason="no decision yet")
        """The strategy's last answer, with the explanation of every quote."""
        self._settled = TradingState.ACTIVE
        """The trading state that the working orders conform to."""
        self._alerts = alerts = TraderAlerts()
        self._fills: list[BookedFill] = []
        own = orders.own
        self.market: DepthReader = (
            ExcludingOwn(self.book, own.displayed_bids, own.displayed_asks) if displays_own else self.book
        )
        """The book as the strategy sees it: without our own orders."""
        self._view = MarketView(0, 0, self.market, self.book, 0)
        self._entry = entry = OrderEntry(
            instrument,
            orders,
            gate,
            ledger,
            self.book,
            alerts.tell_once,
            opening_quote=opening_quote,
            opening_base=opening_base,
        )
        self._operator = operator = OperatorCommands(
            instrument,
            strategy,
            orders,
            ledger,
            gate,
            risk,
            guard,
            guards.breaker,
            entry,
            alerts.tell,
            reconfigure,
        )
        self._restraints = restraints = Restraints(orders, risk, guards.breaker, entry, operator, alerts)
        self._accounts = AccountWatch(instrument, ledger, risk, guard, entry)
        self._handlers: dict[type[Event], Callable[[Any], Sequence[AnyCommand]]] = {
            BookUpdate: self._on_book_update,
            BookSnapshot: self._on_book_snapshot,
            TradePrint: self._on_trade,
            FeedStatus: self._on_feed_status,
            Timer: self._on_timer,
            OperatorCommand: operator.on_command,
            SettingsChange: operator.on_settings,
            Recovered: restraints.on_recovered,
            StorageStatus: restraints.on_storage,
            EdgeStatus: restraints.on_edge,
            DayCarried: self._on_day_carried,
            OrderAccepted: self._on_order,
            OrderRejected: self._on_order,
            OrderUncertain: self._on_order,
            OrderFilled: self._on_order,
            OrderCancelled: self._on_order,
            OrderExpired: self._on_order,
            CancelRejected: self._on_order,
        }

    def on_event(self, event: AnyEvent) -> Sequence[AnyCommand]:
        """Take in one event; the commands it causes, in the order they must leave."""
        self.event_count += 1
        commands = self._handlers[type(event)](event)
        if commands:
            self.command_count += len(commands)
        return commands

    def drain_alerts(self) -> list[Alert]:
        """What a person should know since the last call."""
        return self._alerts.drain()

    def drain_fills(self) -> list[BookedFill]:
        """The fills booked since the last call."""
        fills, self._fills = self._fills, []
        return fills

    @property
    def answer(self) -> Answer:
        """What became of the last command of a person or change of settings."""
        return self._operator.answer

    @property
    def wanted(self) -> Sequence[Quote]:
        """The quotes that should be working now; none between a fill, a command or a lost book and the next
        decision."""
        return self._entry.wanted

    @property
    def denials(self) -> Mapping[str, Sequence[Denial]]:
        """By slot, every control that kept a wanted quote back, the one that decided first."""
        return self._entry.denials

    @property
    def quote_count(self) -> int:
        """Quotes sent so far."""
        return self._entry.quote_count

    @property
    def is_quiet(self) -> bool:
        """True when none of our orders may still trade, as far as the venue has proven it."""
        return not self.orders.own.by_id

    @property
    def is_flat(self) -> bool:
        """True when no order could close anything: no position is held, or too little for any order."""
        return not self._accounts.is_tradable(self.ledger.position)

    @property
    def changed_settings(self) -> Mapping[str, str]:
        """Every setting that was changed since the start, with its present text."""
        return self._operator.changed_settings

    # -- saving ----------------------------------------------------------------------------------

    def digest(self) -> str:
        """SHA-256 over the whole trading state: equal digests mean equal futures for equal events."""
        return hashlib.sha256(_encode(self._state(Explanations()))).hexdigest()

    def save(self) -> TraderState:
        """The whole trading state, copied."""
        return self._state(
            Explanations(
                self.orders.explanations(),
                self._entry.reasons(),
                self.decision.reason,
                self._entry.denials.copy(),
            )
        )

    def _state(self, explanations: Explanations) -> TraderState:
        return TraderState(
            STATE_VERSION,
            self.instrument.symbol,
            self.event_count,
            self.command_count,
            self.crossed_count,
            self.feed_state,
            self._settled,
            self._alerts.save(),
            self._operator.save(),
            self.book.save(),
            self.orders.save(),
            self.ledger.save(),
            self.risk.save(),
            self.guard.save(),
            self.gate.save(),
            self.guards.save(),
            self._entry.save(),
            self.strategy.save(),
            explanations,
        )

    def load(self, state: TraderState) -> None:
        """Go on from a saved state, in a Trader freshly built for the same product and settings.

        Raises `StateError` for another version's or another product's.
        """
        if state.version != STATE_VERSION or state.product != self.instrument.symbol:
            raise StateError(
                f"a saved state of {state.product}, version {state.version}, cannot be gone on with here, "
                f"where {self.instrument.symbol} is traded with version {STATE_VERSION}. Nothing was changed"
            )
        self._operator.load(state.operator)
        self.event_count, self.command_count = state.event_count, state.command_count
        self.crossed_count = state.crossed_count
        self.feed_state, self._settled = state.feed_state, state.settled
        self._alerts.load(state.told_ns)
        self.book.load(state.book)
        self.orders.load(state.orders, state.explanations.orders)
        self.ledger.load(state.ledger)
        self.risk.load(state.risk)
        self.guard.load(state.guard)
        self.gate.load(state.gate)
        self.guards.load(state.guards)
        self._entry.load(state.entry, state.explanations.wanted)
        self._entry.denials = dict(state.explanations.denied)
        self.decision = Decision(reason=state.explanations.decision)
        self.strategy.load(state.strategy)

    # -- market data -----------------------------------------------------------------------------

    def _on_book_update(self, event: BookUpdate) -> Sequence[AnyCommand]:
        # Also while it is not believed: what ends that need not be a new snapshot.
        self.book.apply(event.bids, event.asks)
        if event.exchange_ns:
            self.guards.breaker.on_delay(event.wall_ns - event.exchange_ns, event.recv_ns)
        if self.feed_state is _LIVE:
            self._mark()
        return _NOTHING

    def _on_book_snapshot(self, event: BookSnapshot) -> Sequence[AnyCommand]:
        self.book.apply_snapshot(event.bids, event.asks)
        if self.feed_state is _LIVE:
            self._mark()
        return _NOTHING

    def _mark(self) -> None:
        """Value the position at the mid; without a sound two-sided book there is no value to show."""
        bid, ask = self.book.best_bid(), self.book.best_ask()
        if bid is None or ask is None:
            self.ledger.mark(None)
        elif bid >= ask:
            self.crossed_count += 1
            self.ledger.mark(None)
        else:
            self.ledger.mark(bid + ask)

    def _on_trade(self, event: TradePrint) -> Sequence[AnyCommand]:
        self.strategy.on_trade(event)
        self.guards.breaker.on_trade(event.size, event.recv_ns)
        return _NOTHING

    def _on_feed_status(self, event: FeedStatus) -> Sequence[AnyCommand]:
        was, self.feed_state = self.feed_state, event.state
        self._entry.is_live = event.state is _LIVE
        if event.state is _LIVE:
            if was is not _LIVE:
                self._mark()
            return _NOTHING
        self.ledger.mark(None)
        if was is not _LIVE:
            return _NOTHING
        self._entry.forget()
        self.strategy.on_book(event.recv_ns, _NO_BOOK)
        self.guards.on_feed_lost(event.recv_ns)
        self._alerts.tell(
            event, Severity.WARNING, "FEED", f"book is {event.state.value}: {event.reason}; quotes are pulled"
        )
        return self._entry.pull(event.recv_ns)

    # -- the venue's answers ---------------------------------------------------------------------

    def _on_order(self, event: OrderEvent) -> Sequence[AnyCommand]:
        was_open = event.client_id in self.orders.own.by_id
        update = self.orders.on_event(event)
        if update.alerts:
            self._alerts.extend(update.alerts)
        if isinstance(event, OrderRejected):
            what = _NEVER_THERE.get(event.code, "the venue rejected an order")
            is_usual = would_have_taken(event.code, event.reason)
            severity = Severity.INFO if is_usual else Severity.WARNING
            self._alerts.tell_once(event, event.code, f"{what}: {event.reason}", severity)
        if update.fill is not None:
            self._book_fill(update.fill)
        elif isinstance(event, OrderCancelled):
            # A refused order is not sent again before the next decision.
            self._entry.slot_freed()
        if was_open and (order := update.order) is not None and order.ended_ns is not None:
            self.gate.runaway.come_back(order.remaining, order.sent_ns)
        if update.must_halt:
            reason = "our record and the venue's contradict each other"
            return self._restraints.halt(event, "CONTRADICTION", reason)
        return _NOTHING

    def _book_fill(self, fill: OrderFilled) -> None:
        self.ledger.apply(fill)
        self.strategy.on_fill(fill)
        self._fills.append(BookedFill(fill, self.ledger.position, self.ledger.reference_half_ticks))
        self._accounts.check()
        # What was wanted before the fill is not wanted with this position.
        self._entry.forget()
        self.gate.on_position(self.ledger.position, fill.recv_ns)
        self.guards.fills.on_fill(fill.size, fill.recv_ns)

    # -- time ------------------------------------------------------------------------------------

    def _on_day_carried(self, event: DayCarried) -> Sequence[AnyCommand]:
        self.guard.carry(event.day, event.profit)
        self._accounts.forget()
        return _NOTHING

    def _on_timer(self, event: Timer) -> Sequence[AnyCommand]:
        now = event.recv_ns
        due = self.orders.on_time(now, event.wall_ns)
        commands: list[AnyCommand] = []
        if due is not NOTHING_DUE:
            commands += due.cancels
            self._alerts.extend(due.alerts)
            if due.must_halt:
                commands += self._restraints.halt(event, "UNRESOLVED", "an order stayed unknown for too long")
        if self.feed_state is _LIVE:
            self.strategy.on_book(now, self.market)
        self._judge_market(now)
        closing = self._accounts.closing(event)
        self._restraints.tell_changes(event)
        if self.risk.is_flattening:
            closing = self._flatten(event)
        if self._operator.is_stopping:
            return commands

        self._restraints.end_recovery()
        if self.risk.effective > self._settled:
            # What the new state forbids goes first; what it allows is judged anew by the gate.
            self._entry.forget()
            if self.risk.effective >= _HALTED:
                rest = [order for order in self.orders.open_orders() if order.cancel_asked_ns is None]
                commands += [self.orders.cancel(order, now, self.risk.effective.name) for order in rest]
            else:
                commands += self._entry.pull(now)
        self._settled = self.risk.effective
        if closing:
            commands += self._entry.close(closing, event)
        is_reducing = self._settled is _REDUCING
        decision = self._decide(event)
        if decision is None:
            commands += self._entry.proceed(event, is_reducing)
            return self._stopped(commands, event)
        if decision.is_failure:
            self.decision = decision
            commands += self._restraints.distrust(decision.reason, event)
            self._settled = self.risk.effective
            return self._stopped(commands, event)
        share = self.guards.breaker.size_share
        if is_reducing or share is not None:
            reason = self._trimmed(decision.reason, share, is_reducing=is_reducing)
            decision = msgspec.structs.replace(decision, reason=reason)
        self.decision = decision
        commands += self._entry.want(decision, event, is_reducing, share)
        return self._stopped(commands, event)

    def _trimmed(self, reason: str, share: Ratio | None, *, is_reducing: bool) -> str:
        """The strategy's reason, and why what it wants is cut or left out."""
        reasons = [reason] if reason else []
        if share is not None:
            percent = 100 * share.numerator / share.denominator
            reasons.append(f"the circuit breaker is half-open: at most {percent:g} % of every size")
        if is_reducing:
            reasons.append(
                f"REDUCING: only what brings the position of {self._lots(self.ledger.position)} down"
            )
        return "; ".join(reasons)

    def _stopped(self, commands: list[AnyCommand], event: Timer) -> list[AnyCommand]:
        """The commands of a decision; where the gate has latched over them, everything is cancelled, too."""
        if self.risk.effective > self._settled:
            self._settled = self.risk.effective
            self._entry.forget()
            self._restraints.tell_changes(event)
            commands += self.orders.cancel_all(event.recv_ns, "stopped by the risk gate")
        return commands

    def _judge_market(self, now_ns: int) -> None:
        bid = ask = None
        if self.feed_state is _LIVE:
            bid, ask = self.book.best_bid(), self.book.best_ask()
        self.guards.on_time(bid, ask, self.ledger.position, now_ns)

    def _flatten(self, event: Timer) -> str:
        """Judge a flatten that is under way; what must be closed, nothing when it has ended."""
        position = self.ledger.position
        if self._accounts.is_tradable(position):
            if self.feed_state is not _LIVE:
                text = f"flatten waits: the book is {self.feed_state.value}"
                self._alerts.tell_once(event, "BLOCKED", text)
            return FLATTEN
        if self.is_quiet:
            self.risk.end_flatten()
            rest = (
                f"all but {self._lots(position)}, too little for any order, is closed" if position else "flat"
            )
            text = f"flatten: {rest}; quoting is paused until a person resumes"
            self._alerts.tell(event, Severity.INFO, "FLAT", text)
        return ""

    def _decide(self, event: Timer) -> Decision | None:
        if self.feed_state is not _LIVE:
            return Decision(reason=f"no quotes: the book is {self.feed_state.value}")
        if self.risk.effective >= _PAUSED and (worst := self.risk.worst) is not None:
            return Decision(reason=f"no quotes: {worst.state.name}, {worst.reason}")
        view = self._view
        view.now_ns, view.wall_ns = event.recv_ns, event.wall_ns
        view.position = self.ledger.position
        return self.strategy.decide(view)

    def _lots(self, lots: int) -> str:
        return f"{self.instrument.size_text(lots)} {self.instrument.base}"
