"""The Trader: the deterministic heart of the engine. Events go in, order commands come out.

It reads no clock, sends no byte and draws no random number: time is a field of every event, and what
it answers follows from the events alone. Live, paper, simulated and replayed trading are this same
object with other edges.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Final

from engine.core.depth import DepthReader
from engine.core.errors import IntegrityError
from engine.core.events import (
    Alert,
    AnyCommand,
    AnyEvent,
    BookSnapshot,
    BookUpdate,
    CancelRejected,
    Event,
    FeedState,
    FeedStatus,
    OperatorAction,
    OperatorCommand,
    OrderAccepted,
    OrderCancelled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    Severity,
    SubmitOrder,
    Timer,
    TradePrint,
)
from engine.core.instrument import Instrument
from engine.core.ledger import Ledger
from engine.core.order import BUY, SELL, Side
from engine.core.order_manager import OrderManager
from engine.core.own_orders import ExcludingOwn
from engine.core.price_levels import PriceLevels
from engine.risk.gate import Denial, RiskContext, RiskGate
from engine.risk.loss_guard import LossGuard
from engine.risk.state import RiskState, TradingState
from engine.strategy.protocol import Decision, MarketView, Quote, Strategy, Take

_LIVE: Final = FeedState.LIVE
_REDUCING: Final = TradingState.REDUCING
_PAUSED: Final = TradingState.PAUSED
_NOTHING: Final[tuple[AnyCommand, ...]] = ()
_DENIAL_ALERT_EVERY_NS: Final = 60_000_000_000
"""The same denial or rejection code is told once a minute; every one of them is counted."""


class Trader:
    """Trades one product.

    `on_event` takes any event and returns the commands it causes. Market and order events update the
    state; a `Timer` ends a batch and is the only moment at which the strategy is asked. `displays_own`
    says whether the market data contains our own orders (then the strategy sees the book without them).
    `opening_quote` is the account's quote balance in atoms, against which free balance is judged.
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
        *,
        opening_quote: int,
        displays_own: bool,
    ) -> None:
        self.instrument = instrument
        self.strategy = strategy
        self.orders = orders
        self.ledger = ledger
        self.gate = gate
        self.risk = risk
        self.guard = guard
        self.book = PriceLevels()
        self.feed_state = FeedState.IDLE
        self.event_count = 0
        self.quote_count = 0
        """Quotes sent so far."""
        self.command_count = 0
        self.crossed_count = 0
        """How often the book was crossed or locked after a complete update."""
        self.decision = Decision(reason="no decision yet")
        """The strategy's last answer, with the explanation of every quote."""
        self._wanted: Sequence[Quote] = ()
        """Quotes of the last decision that may still be placed once a replaced order has left its slot."""
        self._slot_freed = False
        self._take: Take | None = None
        """A taking order that waits for our own quotes to leave its way."""
        self._settled = TradingState.ACTIVE
        """The trading state that the working orders conform to."""
        self._opening_quote = opening_quote
        self._is_stopping = False
        self._alerts: list[Alert] = []
        self._told_ns: dict[str, int] = {}
        own = orders.own
        self.market: DepthReader = (
            ExcludingOwn(self.book, own.displayed_bids, own.displayed_asks) if displays_own else self.book
        )
        """The book as the strategy sees it: without our own orders."""
        self._view = MarketView(0, 0, self.market, self.book, 0)
        self._context = RiskContext(own)
        self._handlers: dict[type[Event], Callable[[Any], Sequence[AnyCommand]]] = {
            BookUpdate: self._on_book_update,
            BookSnapshot: self._on_book_snapshot,
            TradePrint: self._on_trade,
            FeedStatus: self._on_feed_status,
            Timer: self._on_timer,
            OperatorCommand: self._on_operator,
            OrderAccepted: self._on_order,
            OrderRejected: self._on_order,
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

    @property
    def is_quiet(self) -> bool:
        """True when none of our orders may still trade, as far as the venue has proven it."""
        return not self.orders.own.by_id

    def digest(self) -> str:
        """SHA-256 over the whole trading state: equal digests mean equal futures for equal events."""
        snapshot = self.book.snapshot()
        state = (
            self.instrument.symbol,
            self.event_count,
            self.command_count,
            self.quote_count,
            self.crossed_count,
            self.feed_state.value,
            self._is_stopping,
            self._settled.name,
            self._slot_freed,
            tuple((quote.slot, quote.price, quote.size) for quote in self._wanted),
            None if self._take is None else (self._take.side.value, self._take.price, self._take.size),
            (snapshot.bids, snapshot.asks),
            self.orders.state(),
            self.ledger.state(),
            self.strategy.state(),
            self.gate.state(),
            self.risk.state(),
            self.guard.state(),
        )
        return hashlib.sha256(repr(state).encode()).hexdigest()

    # -- market data -----------------------------------------------------------------------------

    def _on_book_update(self, event: BookUpdate) -> Sequence[AnyCommand]:
        if self.feed_state is _LIVE:
            self.book.apply(event.bids, event.asks)
            self._mark()
        return _NOTHING

    def _on_book_snapshot(self, event: BookSnapshot) -> Sequence[AnyCommand]:
        self.book.apply_snapshot(event.bids, event.asks)
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
        return _NOTHING

    def _on_feed_status(self, event: FeedStatus) -> Sequence[AnyCommand]:
        was, self.feed_state = self.feed_state, event.state
        if event.state is not _LIVE:
            self.ledger.mark(None)
        if event.state is _LIVE or was is not _LIVE:
            return _NOTHING
        self._wanted, self._take = (), None
        self._alert(
            event, Severity.WARNING, "FEED", f"book is {event.state.value}: {event.reason}; quotes are pulled"
        )
        return self._pull(event.recv_ns)

    # -- the venue's answers ---------------------------------------------------------------------

    def _on_order(self, event: OrderEvent) -> Sequence[AnyCommand]:
        update = self.orders.on_event(event)
        if update.alerts:
            self._alerts.extend(update.alerts)
        if isinstance(event, OrderRejected):
            self._tell_once(event, "REJECTED", event.code, f"the venue rejected an order: {event.reason}")
        if update.fill is not None:
            self._book_fill(update.fill)
        elif isinstance(event, OrderCancelled):
            # A refused order is not sent again before the next decision.
            self._slot_freed = True
        if update.must_halt:
            return self._halt(event, "CONTRADICTION", "our record and the venue's contradict each other")
        return _NOTHING

    def _book_fill(self, fill: OrderFilled) -> None:
        self.ledger.apply(fill)
        # What was wanted before the fill is not wanted with this position.
        self._wanted, self._take = (), None
        self.gate.on_position(self.ledger.position, fill.recv_ns)

    # -- people ----------------------------------------------------------------------------------

    def _on_operator(self, event: OperatorCommand) -> Sequence[AnyCommand]:
        now, action = event.recv_ns, event.action
        reason = event.reason or action.value
        if action is OperatorAction.RESUME:
            self.risk.resume()
            return _NOTHING
        if action is OperatorAction.PAUSE:
            self.risk.pause(reason, now)
            return self._pull(now)
        if action is OperatorAction.CANCEL_ALL:
            return self.orders.cancel_all(now, reason)
        if action is OperatorAction.KILL:
            self.risk.latch(TradingState.KILLED, "KILL", reason, now)
            self._alert(
                event, Severity.CRITICAL, "KILL", f"kill switch: {reason}; all orders are being cancelled"
            )
            return self.orders.cancel_all(now, reason)
        self._is_stopping = True
        self.strategy.stop()
        return self.orders.cancel_all(now, reason)

    # -- time ------------------------------------------------------------------------------------

    def _on_timer(self, event: Timer) -> Sequence[AnyCommand]:
        now = event.recv_ns
        due = self.orders.on_time(now, event.wall_ns)
        commands: list[AnyCommand] = list(due.cancels)
        if due.alerts:
            self._alerts.extend(due.alerts)
        if due.must_halt:
            commands += self._halt(event, "UNRESOLVED", "an order stayed unknown for too long")
        if self.feed_state is _LIVE:
            self.strategy.on_book(now, self.market)
        closing = self._guard(event)
        if self.ledger.residual:
            raise IntegrityError(
                f"the accounts are off by {self.instrument.money_text(self.ledger.residual)} "
                f"{self.instrument.quote}; quoting stops. Compare position and balances with the venue "
                "before starting again"
            )
        if self._is_stopping:
            return commands

        if self.risk.effective > self._settled:
            # What the new state forbids goes first; what it allows is judged anew by the gate.
            commands += self._pull(now)
            self._wanted = ()
        self._settled = self.risk.effective
        decision = self._decide(event)
        if closing:
            commands += self._close_position(event, closing)
        if decision is not None:
            self.decision, self._wanted = decision, decision.quotes
            self._take = decision.take or self._take
            commands += self._requote(decision.quotes, event)
        elif self._slot_freed and self._wanted:
            commands += self._requote(self._wanted, event)
        self._slot_freed = False
        if self._take is not None:
            commands += self._try_take(event)
        return commands

    def _guard(self, event: Timer) -> str:
        """Judge the accounts; tells what restricts trading from now on, returns what must be closed."""
        ledger, before = self.ledger, self.risk.effective
        closing = self.guard.check(
            equity=ledger.equity,
            position=ledger.position,
            open_cost=ledger.open_cost,
            unrealised=ledger.unrealised,
            day_volume=ledger.day_volume(event.wall_ns),
            now_ns=event.recv_ns,
        )
        if self.risk.effective > before:
            worst = max(self.risk.restrictions(), key=lambda r: r.state)
            text = f"{worst.state.name}: {worst.reason}; released when {worst.release}"
            self._alert(event, Severity.ERROR, worst.code, text)
        return closing

    def _decide(self, event: Timer) -> Decision | None:
        if self.feed_state is not _LIVE:
            return Decision(reason=f"no quotes: the book is {self.feed_state.value}")
        if self.risk.effective >= _PAUSED:
            worst = max(self.risk.restrictions(), key=lambda r: r.state)
            return Decision(reason=f"no quotes: {worst.state.name}, {worst.reason}")
        view = self._view
        view.now_ns, view.wall_ns = event.recv_ns, event.wall_ns
        view.position = self.ledger.position
        return self.strategy.decide(view)

    def _requote(self, quotes: Sequence[Quote], event: Timer) -> list[AnyCommand]:
        if self.risk.effective is _REDUCING:
            quotes = [quote for quote in quotes if not self._adds_exposure(quote.side)]
        if self._take is not None:
            # Its own way must be free of our quotes.
            quotes = [quote for quote in quotes if quote.side is self._take.side]
        book, now = self.book, event.recv_ns
        cancels, places = self.orders.diff(quotes, now, book.best_bid(), book.best_ask())
        commands: list[AnyCommand] = list(cancels)
        if places:
            context = self._refilled_context(now)
            for quote in places:
                intent = self.orders.intent(quote, now)
                denial = self.gate.check(intent, context)
                if denial is None:
                    commands.append(self.orders.submit(intent, quote.explain))
                    self.quote_count += 1
                else:
                    self._denied(event, intent, denial)
        return commands

    def _try_take(self, event: Timer) -> list[AnyCommand]:
        """Send the taking order that is wanted, once our quotes are out of its way."""
        take, own = self._take, self.orders.own
        if take is None:
            return []
        blocked_by = own.best_ask if take.side is BUY else own.best_bid
        if blocked_by is not None and take.side * (take.price - blocked_by) >= 0:
            return []
        self._take = None
        return self._send_take(take, event, reduce_only=False)

    def _send_take(self, take: Take, event: Timer, *, reduce_only: bool) -> list[AnyCommand]:
        """Send a taking order, cut to the largest order allowed, if its slot is free and the gate agrees."""
        if take.purpose in self.orders.own.by_slot:
            return []
        limits = self.gate.limits
        affordable = limits.max_order_notional // self.instrument.notional(take.price, 1)
        size = min(take.size, limits.max_order_size, affordable)
        if size <= 0:
            return []
        context = self._refilled_context(event.recv_ns)
        intent = self.orders.take_intent(
            take.side, take.price, size, take.purpose, event.recv_ns, reduce_only=reduce_only
        )
        denial = self.gate.check(intent, context)
        if denial is not None:
            self._denied(event, intent, denial)
            return []
        self._tell_once(event, "SENT", take.purpose.upper(), take.reason)
        return [self.orders.submit(intent)]

    def _close_position(self, event: Timer, purpose: str) -> list[AnyCommand]:
        """Reduce the position by an order at the collar, once no other order of ours can fill."""
        mid = self.book.mid()
        if self.orders.own.by_id or mid is None or self.feed_state is not _LIVE:
            return []
        side = SELL if self.ledger.position > 0 else BUY
        size = self.gate.reducible(side, self._refilled_context(event.recv_ns))
        numerator, denominator = self.gate.limits.collar
        room = mid * numerator // (2 * denominator)
        price = max(1, (mid + 1) // 2 - room) if side is SELL else mid // 2 + room
        reason = f"{purpose.replace('_', ' ')}: {side.word} {self._lots(size)} to close the position"
        return self._send_take(Take(side, price, size, purpose, reason), event, reduce_only=True)

    def _adds_exposure(self, side: Side) -> bool:
        return side * self.ledger.position >= 0

    def _pull(self, now: int) -> list[AnyCommand]:
        """Cancel every quote that is not being cancelled already."""
        cancels, _ = self.orders.diff((), now)
        return list(cancels)

    def _halt(self, event: Event, code: str, reason: str) -> Sequence[AnyCommand]:
        self.risk.latch(TradingState.HALTED, code, reason, event.recv_ns)
        self._alert(event, Severity.CRITICAL, code, f"HALTED: {reason}; all orders are being cancelled")
        return self.orders.cancel_all(event.recv_ns, code)

    def _refilled_context(self, now: int) -> RiskContext:
        context, book = self._context, self.book
        bid, ask = book.best_bid(), book.best_ask()
        context.now_ns = now
        context.is_book_live = self.feed_state is _LIVE
        context.best_bid, context.best_ask = bid, ask
        context.mid = None if bid is None or ask is None else bid + ask
        context.position = self.ledger.position
        context.quote_balance = self._opening_quote + self.ledger.cash
        context.equity = self.ledger.equity
        return context

    # -- alerts ----------------------------------------------------------------------------------

    def _denied(self, event: Event, intent: SubmitOrder, denial: Denial) -> None:
        text = f"{intent.purpose} in {intent.slot} was not sent: {denial.reason}"
        self._tell_once(event, "DENIED", denial.code, text)

    def _tell_once(self, event: Event, what: str, code: str, text: str) -> None:
        key = f"{what} {code}"
        told = self._told_ns.get(key)
        if told is None or event.recv_ns - told >= _DENIAL_ALERT_EVERY_NS:
            self._told_ns[key] = event.recv_ns
            self._alert(event, Severity.WARNING, code, text)

    def _alert(self, event: Event, severity: Severity, code: str, text: str) -> None:
        self._alerts.append(Alert(event.product, event.recv_ns, event.wall_ns, severity, code, text))

    def _lots(self, lots: int) -> str:
        return f"{self.instrument.size_text(lots)} {self.instrument.base}"
