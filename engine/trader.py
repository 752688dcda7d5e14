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
from engine.core.errors import IntegrityError, StateError
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
    Restraint,
    SettingsChange,
    Severity,
    StorageStatus,
    Timer,
    TradePrint,
)
from engine.core.instrument import Instrument
from engine.core.ledger import DAY_NS, BookedFill, Ledger, LedgerState
from engine.core.order import BUY, SELL
from engine.core.order_manager import NOTHING_DUE, OrderManager, OrderManagerState
from engine.core.own_orders import ExcludingOwn, Reasons
from engine.core.price_levels import PriceLevels, PriceLevelsState
from engine.operator_commands import OperatorCommands, OperatorState, Reconfigure
from engine.order_entry import OrderEntry, OrderEntryState
from engine.risk.circuit_breaker import BREAKER, BreakerState, Trigger
from engine.risk.denials import Denial
from engine.risk.gate import FLATTEN, RiskGate, RiskGateState
from engine.risk.loss_guard import LossGuard, LossGuardState
from engine.risk.market_guards import MarketGuards, MarketGuardsState
from engine.risk.state import GUARDS, UNTIL_RESUMED, RiskState, RiskStateSaved, TradingState
from engine.strategy.protocol import Decision, MarketView, Quote, Strategy

_LIVE: Final = FeedState.LIVE
_REDUCING: Final = TradingState.REDUCING
_PAUSED: Final = TradingState.PAUSED
_NOTHING: Final[tuple[AnyCommand, ...]] = ()
_SAME_ALERT_EVERY_NS: Final = 60_000_000_000
"""The same code of a denial or rejection is told once a minute; every one of them is counted."""


STATE_VERSION: Final = 2
"""Of `TraderState`: another one cannot be gone on with."""
_RECOVERED: Final = "RECOVERED"
_STRATEGY: Final = "STRATEGY"
"""The strategy itself has failed; a person looks at it before it is asked again."""
_NEVER_THERE: Final = {NOT_SENT: "an order was not sent", NEVER_ARRIVED: "an order has never arrived"}
_ASKED_BY: Final = {
    Restraint.REDUCING: (TradingState.REDUCING, Severity.ERROR),
    Restraint.REDUCING_LATCHED: (TradingState.REDUCING, Severity.ERROR),
    Restraint.AWAITED: (TradingState.PAUSED, Severity.INFO),
    Restraint.PAUSED: (TradingState.PAUSED, Severity.WARNING),
    Restraint.HALTED: (TradingState.HALTED, Severity.ERROR),
}
"""What a restraint holds, and how loudly it is told."""
_encode: Final = msgspec.msgpack.Encoder(order="deterministic").encode


class Explanations(msgspec.Struct, frozen=True):
    """Why prices and sizes are as they are: for people, and no part of the digest."""

    orders: dict[str, Reasons] = {}
    """By client id."""
    wanted: dict[str, Reasons] = {}
    """By slot."""
    decision: str = ""
    """Of the last decision."""
    denied: dict[str, tuple[Denial, ...]] = {}
    """By slot, why a wanted quote was not sent."""


class TraderState(msgspec.Struct, frozen=True):
    """Everything that a Trader's future depends on, besides its instrument and the settings it began with."""

    version: int
    product: str
    event_count: int
    command_count: int
    crossed_count: int
    feed_state: FeedState
    settled: TradingState
    told_ns: dict[str, int]
    operator: OperatorState
    book: PriceLevelsState
    orders: OrderManagerState
    ledger: LedgerState
    risk: RiskStateSaved
    guard: LossGuardState
    gate: RiskGateState
    guards: MarketGuardsState
    entry: OrderEntryState
    strategy: bytes
    explanations: Explanations = Explanations()


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
        self._judged: tuple[object, ...] = ()
        """What the accounts were judged by last; the judgement follows from it."""
        self._closing = ""
        self._alerts: list[Alert] = []
        self._fills: list[BookedFill] = []
        self._told_ns: dict[str, int] = {}
        own = orders.own
        self.market: DepthReader = (
            ExcludingOwn(self.book, own.displayed_bids, own.displayed_asks) if displays_own else self.book
        )
        """The book as the strategy sees it: without our own orders."""
        self._view = MarketView(0, 0, self.market, self.book, 0)
        self._entry = OrderEntry(
            instrument,
            orders,
            gate,
            ledger,
            self.book,
            self._tell_once,
            opening_quote=opening_quote,
            opening_base=opening_base,
        )
        self._operator = OperatorCommands(
            instrument,
            strategy,
            orders,
            ledger,
            gate,
            risk,
            guard,
            guards.breaker,
            self._entry,
            self._alert,
            reconfigure,
        )
        self._handlers: dict[type[Event], Callable[[Any], Sequence[AnyCommand]]] = {
            BookUpdate: self._on_book_update,
            BookSnapshot: self._on_book_snapshot,
            TradePrint: self._on_trade,
            FeedStatus: self._on_feed_status,
            Timer: self._on_timer,
            OperatorCommand: self._operator.on_command,
            SettingsChange: self._operator.on_settings,
            Recovered: self._on_recovered,
            StorageStatus: self._on_storage,
            EdgeStatus: self._on_edge,
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
        alerts, self._alerts = self._alerts, []
        return alerts

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
        return not self._is_tradable(self.ledger.position)

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
            self._told_ns.copy(),
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
        self._told_ns = dict(state.told_ns)
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

    # -- what befell the engine ------------------------------------------------------------------

    def _on_recovered(self, event: Recovered) -> Sequence[AnyCommand]:
        self._operator.go_on()
        uncertain = self.orders.doubt_all(event.recv_ns)
        self._entry.forget()
        self.risk.hold(
            _RECOVERED,
            _PAUSED,
            "orders of before the crash are being accounted for",
            "the venue has told of each of them",
            event.recv_ns,
        )
        orders = f"{uncertain} {'order of before is' if uncertain == 1 else 'orders of before are'} uncertain"
        self._alert(
            event, Severity.WARNING, _RECOVERED, f"{event.reason}; {orders}" if event.reason else orders
        )
        return _NOTHING

    def _on_storage(self, event: StorageStatus) -> Sequence[AnyCommand]:
        if event.is_sound:
            self.risk.release(event.code)
            self._alert(event, Severity.INFO, event.code, event.reason)
            return _NOTHING
        self.risk.hold(event.code, _PAUSED, event.reason, "the disk is well again", event.recv_ns)
        self._alert(event, Severity.ERROR, event.code, event.reason)
        self._entry.forget()
        return self._entry.pull(event.recv_ns)

    def _on_edge(self, event: EdgeStatus) -> Sequence[AnyCommand]:
        now, restraint = event.recv_ns, event.restraint
        if restraint is Restraint.NONE:
            if self.risk.has_hold(event.code):
                self.risk.release(event.code)
                self._alert(event, Severity.INFO, event.code, event.reason)
            return _NOTHING
        self._entry.forget()
        if restraint is Restraint.LATCHED:
            return self._halt(event, event.code, event.reason)
        state, severity = _ASKED_BY[restraint]
        is_new = not self.risk.has_hold(event.code)
        if restraint is Restraint.REDUCING_LATCHED:
            self.risk.latch(state, event.code, event.reason, now)
        else:
            self.risk.hold(event.code, state, event.reason, event.release, now)
        if is_new:
            self._alert(event, severity, event.code, event.reason)
        if restraint is Restraint.HALTED:
            return self.orders.cancel_all(now, event.code)
        return self._entry.pull(now)

    def _on_day_carried(self, event: DayCarried) -> Sequence[AnyCommand]:
        self.guard.carry(event.day, event.profit)
        self._judged = ()
        return _NOTHING

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
        self.guards.on_feed_lost(event.recv_ns)
        self._alert(
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
            self._tell_once(event, event.code, f"{what}: {event.reason}")
        if update.fill is not None:
            self._book_fill(update.fill)
        elif isinstance(event, OrderCancelled):
            # A refused order is not sent again before the next decision.
            self._entry.slot_freed()
        if was_open and (order := update.order) is not None and order.ended_ns is not None:
            self.gate.runaway.come_back(order.remaining, order.sent_ns)
        if update.must_halt:
            return self._halt(event, "CONTRADICTION", "our record and the venue's contradict each other")
        return _NOTHING

    def _book_fill(self, fill: OrderFilled) -> None:
        self.ledger.apply(fill)
        self.strategy.on_fill(fill)
        self._fills.append(BookedFill(fill, self.ledger.position, self.ledger.reference_half_ticks))
        self._check_accounts()
        # What was wanted before the fill is not wanted with this position.
        self._entry.forget()
        self.gate.on_position(self.ledger.position, fill.recv_ns)
        self.guards.fills.on_fill(fill.size, fill.recv_ns)

    def _check_accounts(self) -> None:
        if self.ledger.residual:
            raise IntegrityError(
                f"the accounts are off by {self.instrument.money_text(self.ledger.residual)} "
                f"{self.instrument.quote}; quoting stops. Compare position and balances with the venue "
                "before starting again"
            )

    # -- time ------------------------------------------------------------------------------------

    def _on_timer(self, event: Timer) -> Sequence[AnyCommand]:
        now = event.recv_ns
        due = self.orders.on_time(now, event.wall_ns)
        commands: list[AnyCommand] = []
        if due is not NOTHING_DUE:
            commands += due.cancels
            self._alerts.extend(due.alerts)
            if due.must_halt:
                commands += self._halt(event, "UNRESOLVED", "an order stayed unknown for too long")
        if self.feed_state is _LIVE:
            self.strategy.on_book(now, self.market)
        self._judge_market(now)
        closing = self._closing_now(event)
        self._tell_changes(event)
        if self.risk.is_flattening:
            closing = self._flatten(event)
        if self._operator.is_stopping:
            return commands

        if self.risk.has_hold(_RECOVERED) and not self.orders.has_uncertain:
            self.risk.release(_RECOVERED)
        if self.risk.effective > self._settled:
            # What the new state forbids goes first; what it allows is judged anew by the gate.
            self._entry.forget()
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
            commands += self._distrust(decision, event)
            return self._stopped(commands, event)
        if is_reducing:
            reason = f"REDUCING: only what brings the position of {self._lots(self.ledger.position)} down"
            reason = f"{decision.reason}; {reason}" if decision.reason else reason
            decision = msgspec.structs.replace(decision, reason=reason)
        self.decision = decision
        commands += self._entry.want(decision, event, is_reducing, self.guards.breaker.size_share)
        return self._stopped(commands, event)

    def _distrust(self, decision: Decision, event: Timer) -> Sequence[AnyCommand]:
        """The strategy has failed: its quotes are withdrawn, and it is not asked again before a resume."""
        self.decision = decision
        self.risk.hold(_STRATEGY, _PAUSED, decision.reason, UNTIL_RESUMED, event.recv_ns)
        self._alert(event, Severity.ERROR, _STRATEGY, decision.reason)
        self._settled = self.risk.effective
        self._entry.forget()
        return self._entry.pull(event.recv_ns)

    def _stopped(self, commands: list[AnyCommand], event: Timer) -> list[AnyCommand]:
        """The commands of a decision; where the gate has latched over them, everything is cancelled, too."""
        if self.risk.effective > self._settled:
            self._settled = self.risk.effective
            self._entry.forget()
            self._tell_changes(event)
            commands += self.orders.cancel_all(event.recv_ns, "stopped by the risk gate")
        return commands

    def _judge_market(self, now_ns: int) -> None:
        bid = ask = None
        if self.feed_state is _LIVE:
            bid, ask = self.book.best_bid(), self.book.best_ask()
        self.guards.on_time(bid, ask, self.ledger.position, now_ns)

    def _tell_changes(self, event: Timer) -> None:
        """Tell of what the guards hold, latch and release. Whatever else does has told of it by itself."""
        for step in self.guards.breaker.drain_changes():
            severity = Severity.INFO
            if step.after is BreakerState.OPEN:
                severity = Severity.WARNING if step.trigger is Trigger.MANUAL else Severity.ERROR
            self._alert(event, severity, BREAKER, step.sentence)
        for change, has_begun in self.risk.drain_changes():
            if change.code not in GUARDS:
                continue
            if has_begun:
                severity = Severity.CRITICAL if change.state is TradingState.KILLED else Severity.ERROR
                text = f"{change.state.name}: {change.reason}; released when {change.release}"
                self._alert(event, severity, change.code, text)
            else:
                self._alert(event, Severity.INFO, change.code, f"over: {change.reason}")

    def _closing_now(self, event: Timer) -> str:
        """What must be closed. The accounts are judged anew only where something they depend on changed."""
        ledger, risk = self.ledger, self.risk
        judged = (
            ledger.mark_half_ticks,
            ledger.fill_count,
            event.wall_ns // DAY_NS,
            risk.version,
            self.guard.limits,
        )
        if judged != self._judged:
            self._closing = self._guard(event)
            self._check_accounts()
            self._judged = (*judged[:3], risk.version, judged[4])
        return self._closing

    def _guard(self, event: Timer) -> str:
        """Judge the accounts; what must be closed."""
        ledger = self.ledger
        return self.guard.check(
            equity=ledger.equity,
            position=ledger.position if self._is_tradable(ledger.position) else 0,
            open_cost=ledger.open_cost,
            unrealised=ledger.unrealised,
            day_volume=ledger.day_volume(event.wall_ns),
            day=event.wall_ns // DAY_NS,
            now_ns=event.recv_ns,
        )

    def _flatten(self, event: Timer) -> str:
        """Judge a flatten that is under way; what must be closed, nothing when it has ended."""
        position = self.ledger.position
        if self._is_tradable(position):
            if self.feed_state is not _LIVE:
                self._tell_once(event, "BLOCKED", f"flatten waits: the book is {self.feed_state.value}")
            return FLATTEN
        if self.is_quiet:
            self.risk.end_flatten()
            rest = (
                f"all but {self._lots(position)}, too little for any order, is closed" if position else "flat"
            )
            text = f"flatten: {rest}; quoting is paused until a person resumes"
            self._alert(event, Severity.INFO, "FLAT", text)
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

    def _is_tradable(self, position: int) -> bool:
        """False for a remainder too small for any order: there is nothing that could close it."""
        instrument, mark = self.instrument, self.ledger.mark_half_ticks
        size = abs(position)
        if size < max(1, instrument.min_size) or mark is None or not instrument.min_notional:
            return size >= max(1, instrument.min_size)
        price = self._entry.closing_price(SELL if position > 0 else BUY, mark)
        return instrument.notional(price, size) >= instrument.min_notional

    def _halt(self, event: Event, code: str, reason: str) -> Sequence[AnyCommand]:
        self.risk.latch(TradingState.HALTED, code, reason, event.recv_ns)
        text = f"HALTED: {reason}; all orders are being cancelled"
        if self.risk.is_flattening:
            # The position may not be what we think: orders that close it must not go on by themselves.
            self.risk.end_flatten()
            text += "; the flatten has ended, ask for it again when the position is certain"
        self._alert(event, Severity.CRITICAL, code, text)
        return self.orders.cancel_all(event.recv_ns, code)

    # -- alerts ----------------------------------------------------------------------------------

    def _tell_once(
        self, event: Event, code: str, text: str, severity: Severity = Severity.WARNING, /
    ) -> None:
        told = self._told_ns.get(code)
        if told is None or event.recv_ns - told >= _SAME_ALERT_EVERY_NS:
            self._told_ns[code] = event.recv_ns
            self._alert(event, severity, code, text)

    def _alert(self, event: Event, severity: Severity, code: str, text: str) -> None:
        self._alerts.append(Alert(event.product, event.recv_ns, event.wall_ns, severity, code, text))

    def _lots(self, lots: int) -> str:
        return f"{self.instrument.size_text(lots)} {self.instrument.base}"
