"""Order entry: from what is wanted to orders that passed the risk gate. The only caller of the gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import msgspec

from engine.core.events import AnyCommand, Event, Severity
from engine.core.instrument import Instrument
from engine.core.ledger import Ledger
from engine.core.order import BUY, SELL, OrderState, Side
from engine.core.order_manager import OrderManager
from engine.core.own_orders import Reasons, told_as
from engine.core.price_levels import PriceLevels
from engine.risk.denials import Denial
from engine.risk.gate import RiskContext, RiskGate
from engine.risk.limits import Ratio
from engine.strategy.protocol import Decision, Quote, Take
from engine.trader.fair_turns import in_turn
from engine.trader.quote_sizes import reducing, share_of

TAKE_LIFE_NS: Final = 1_000_000_000
"""A taking order that could not leave for this long was wanted for another market."""

_TWICE: Final = "DUPLICATE"
"""The same order again within a moment: the first one is on its way."""


class WantedState(msgspec.Struct, frozen=True):
    """A quote that is wanted, without its reasons."""

    slot: str
    side: Side
    level: int
    price: int
    size: int


class OrderEntryState(msgspec.Struct, frozen=True):
    """What is wanted and could not be placed yet."""

    is_live: bool
    quote_count: int
    slot_freed: bool
    wanted: tuple[WantedState, ...]
    take: Take | None
    take_since_ns: int
    rate_since_ns: int | None


_NO_REASONS: Final = Reasons()


class Tell(Protocol):
    """Tells a person, once in a while for each code."""

    def __call__(self, event: Event, code: str, text: str, severity: Severity = Severity.WARNING, /) -> None:
        """Tell."""
        ...


class OrderEntry:
    """Places quotes and taking orders of one product, and remembers what could not be placed yet.

    What is wanted waits for two things: the venue's proof that a replaced order has left its slot, and
    our own orders leaving the way of one that takes. `forget` drops it when the reason for it is gone.
    """

    def __init__(
        self,
        instrument: Instrument,
        orders: OrderManager,
        gate: RiskGate,
        ledger: Ledger,
        book: PriceLevels,
        tell: Tell,
        *,
        opening_quote: int,
        opening_base: int,
    ) -> None:
        """`opening_quote` (atoms) and `opening_base` (lots) are what the account held at the start."""
        self.is_live = False
        """Whether the book may be believed."""
        self.quote_count = 0
        """Quotes sent so far."""
        self.wanted: Sequence[Quote] = ()
        """The quotes that should be working now: those of the last decision while its grounds hold."""
        self.denials: dict[str, tuple[Denial, ...]] = {}
        """By slot, every control that kept a quote of the last decision back, the one that decided first."""
        self._instrument = instrument
        self._orders = orders
        self._gate = gate
        self._ledger = ledger
        self._book = book
        self._tell = tell
        self._opening_quote = opening_quote
        self._opening_base = opening_base
        self._context = RiskContext(orders.own)
        self._slot_freed = False
        self._take: Take | None = None
        self._take_since_ns = 0
        self._rate_since_ns: int | None = None
        """Since when the rate of orders (R11) has let none leave."""

    # -- what is wanted --------------------------------------------------------------------------

    def forget(self) -> None:
        """What was wanted is not wanted any more: a fill, a person or the feed has changed the grounds."""
        self.wanted, self._take, self._slot_freed = (), None, False
        self.denials = {}
        self._gate.runaway.forget()

    def slot_freed(self) -> None:
        """The venue has proven a cancel: what waits for the slot may leave with the next timer."""
        self._slot_freed = True

    def want(
        self, decision: Decision, event: Event, is_reducing: bool, size_share: Ratio | None = None
    ) -> list[AnyCommand]:
        """A new decision: change the working orders into these, each no more than a share of its size."""
        quotes: Sequence[Quote] = decision.quotes
        least = max(1, self._instrument.min_size)
        if size_share is not None:
            quotes = share_of(quotes, size_share, least)
        self.wanted = reducing(quotes, self._ledger.position, least) if is_reducing else quotes
        if self.denials:
            self.denials = {}
        for quote in self.wanted:
            self._gate.runaway.mean(quote.slot, quote.price, quote.size, event.recv_ns)
        if (take := decision.take) is not None:
            self._gate.runaway.mean(take.purpose, take.price, take.size, event.recv_ns)
            self._take, self._take_since_ns = take, event.recv_ns
        return self._proceed(event, is_reducing)

    def proceed(self, event: Event, is_reducing: bool) -> list[AnyCommand]:
        """Between decisions: place what could not be placed before."""
        if self._slot_freed and self.wanted:
            return self._proceed(event, is_reducing)
        return self._try_take(event)

    def pull(self, now_ns: int) -> list[AnyCommand]:
        """Cancel every quote that is not being cancelled already."""
        cancels, _ = self._orders.diff((), now_ns)
        return list(cancels)

    def close(self, purpose: str, event: Event) -> list[AnyCommand]:
        """Reduce the position by one order with its limit at the collar."""
        mid = self._book.mid()
        if mid is None or not self.is_live:
            return []
        side = SELL if self._ledger.position > 0 else BUY
        size = self._gate.reducible(side, self._refilled(event.recv_ns))
        if not size:
            return []
        price = self.closing_price(side, mid)
        lots = self._instrument.size_text(size)
        self._gate.runaway.mean(purpose, price, size, event.recv_ns)
        text = f"{purpose.replace('_', ' ')}: {side.word} {lots} to close the position"
        return self._send_take(Take(side, price, size, purpose, text), event, reduce_only=True) or []

    def closing_price(self, side: Side, mid: int) -> int:
        """The limit of an order that closes: the collar's edge, rounded inwards. `mid` in half ticks."""
        numerator, denominator = self._gate.limits.collar
        room = mid * numerator // (2 * denominator)
        return max(1, (mid + 1) // 2 - room) if side is SELL else mid // 2 + room

    # -- saving ----------------------------------------------------------------------------------

    def reasons(self) -> dict[str, Reasons]:
        """Why each wanted quote is as it is, by slot."""
        return {quote.slot: Reasons(quote.explain(), quote.explain_size()) for quote in self.wanted}

    def save(self) -> OrderEntryState:
        """All of it but the reasons, which are for people."""
        wanted = [WantedState(q.slot, q.side, q.level, q.price, q.size) for q in self.wanted]
        return OrderEntryState(
            self.is_live,
            self.quote_count,
            self._slot_freed,
            tuple(wanted),
            self._take,
            self._take_since_ns,
            self._rate_since_ns,
        )

    def load(self, state: OrderEntryState, reasons: Mapping[str, Reasons]) -> None:
        """Want what was wanted then, for the same reasons."""
        self.is_live, self.quote_count = state.is_live, state.quote_count
        self._slot_freed = state.slot_freed
        self.wanted = [_quote(wanted, reasons.get(wanted.slot, _NO_REASONS)) for wanted in state.wanted]
        self._take, self._take_since_ns = state.take, state.take_since_ns
        self._rate_since_ns = state.rate_since_ns

    # -- quotes ----------------------------------------------------------------------------------

    def _proceed(self, event: Event, is_reducing: bool) -> list[AnyCommand]:
        self._slot_freed = False
        quotes = self.wanted
        if self._take is not None:
            # Its way must be free of our own quotes.
            side = self._take.side
            quotes = [quote for quote in quotes if quote.side is side]
        book, now = self._book, event.recv_ns
        cancels, places = self._orders.diff(quotes, now, book.best_bid(), book.best_ask())
        commands: list[AnyCommand] = list(cancels)
        if places:
            context = self._refilled(now)
            if not self._gate.is_free(now, len(places)):
                places = in_turn(places, self._orders.own.by_id.values(), self._gate.last_side())
            for quote in places:
                if quote.size > self._room(quote.side, context, is_reducing):
                    continue
                if self._must_wait(now):
                    self._slot_freed = True
                    break
                commands += self._send_quote(quote, event, context)
        if self._take is not None:
            commands += self._try_take(event)
        return commands

    def _must_wait(self, now_ns: int) -> bool:
        """True while the rate of orders lets none leave, for as long as one may wait for it; then it is
        denied like any other, and counted."""
        if self._gate.is_free(now_ns):
            self._rate_since_ns = None
            return False
        if self._rate_since_ns is None:
            self._rate_since_ns = now_ns
        return now_ns - self._rate_since_ns <= self._gate.limits.order_wait_ns

    def _send_quote(self, quote: Quote, event: Event, context: RiskContext) -> list[AnyCommand]:
        intent = self._orders.intent(quote, event.recv_ns)
        denial = self._gate.check(intent, context)
        if denial is not None:
            self.denials[intent.slot] = tuple(self._gate.failures)
            self._tell(event, denial.code, f"quote in {intent.slot} was not sent: {denial.reason}")
            return []
        self.denials.pop(intent.slot, None)
        self.quote_count += 1
        return [self._orders.submit(intent, quote.explain, quote.explain_size)]

    def _room(self, side: Side, context: RiskContext, is_reducing: bool) -> int:
        """Lots that a quote may have now, everything that still rests on its side filled.

        The strategy counts the orders it wants; until replaced ones are proven gone, those count too.
        """
        own = self._orders.own
        resting = own.buy_lots if side is BUY else own.sell_lots
        room = self._gate.limits.max_quoted_position - side * context.position - resting
        return min(room, self._gate.reducible(side, context)) if is_reducing else room

    # -- orders that take ------------------------------------------------------------------------

    def _try_take(self, event: Event) -> list[AnyCommand]:
        take = self._take
        if take is None:
            return []
        commands = self._send_take(take, event, reduce_only=False)
        if commands is not None or event.recv_ns - self._take_since_ns >= TAKE_LIFE_NS:
            self._take = None
        return commands or []

    def _send_take(self, take: Take, event: Event, *, reduce_only: bool) -> list[AnyCommand] | None:
        """Send a taking order, short of our own and cut to the largest allowed; None while it must wait."""
        own, book = self._orders.own, self._book
        if take.purpose in own.by_slot or not self._gate.is_free(event.recv_ns):
            return None
        if take.side is BUY:
            price = take.price if own.best_ask is None else min(take.price, own.best_ask - 1)
            best = book.best_ask()
            is_marketable = best is not None and price >= best
        else:
            price = take.price if own.best_bid is None else max(take.price, own.best_bid + 1)
            best = book.best_bid()
            is_marketable = best is not None and price <= best
        if not is_marketable:
            if any(o.side is not take.side and o.state is OrderState.UNCERTAIN for o in own.by_id.values()):
                text = f"{take.purpose} waits: an unanswered order of ours may stand in its way"
                self._tell(event, "BLOCKED", text)
            return None
        limits = self._gate.limits
        affordable = limits.max_order_notional // self._instrument.notional(price, 1)
        size = min(take.size, limits.max_order_size, affordable)
        if size <= 0:
            reason = "the smallest lot is worth more than risk.max_order_notional"
            self._not_sent(event, take.purpose, "BLOCKED", reason, is_closing=reduce_only)
            return []
        context = self._refilled(event.recv_ns)
        intent = self._orders.take_intent(
            take.side, price, size, take.purpose, event.recv_ns, reduce_only=reduce_only
        )
        denial = self._gate.check(intent, context)
        if denial is not None:
            self._not_sent(event, take.purpose, denial.code, denial.reason, is_closing=reduce_only)
            return []
        self._tell(event, take.purpose.upper(), take.reason)
        return [self._orders.submit(intent)]

    # -- the gate's view -------------------------------------------------------------------------

    def _refilled(self, now_ns: int) -> RiskContext:
        context, book, ledger = self._context, self._book, self._ledger
        bid, ask = book.best_bid(), book.best_ask()
        context.now_ns = now_ns
        context.is_book_live = self.is_live
        context.best_bid, context.best_ask = bid, ask
        context.mid = None if bid is None or ask is None else bid + ask
        context.position = ledger.position
        context.quote_balance = self._opening_quote + ledger.cash
        context.base_balance = self._opening_base + ledger.position
        context.equity = ledger.equity
        return context

    def _not_sent(self, event: Event, purpose: str, code: str, reason: str, *, is_closing: bool) -> None:
        """A taking order was kept back. What was to close the position and did not is told loudly."""
        if is_closing and code != _TWICE:
            lots = self._instrument.size_text(self._ledger.position)
            text = f"{purpose}: the position of {lots} {self._instrument.base} stays open, {code}: {reason}"
            self._tell(event, "NOT_CLOSED", text, Severity.ERROR)
        else:
            self._tell(event, code, f"{purpose} was not sent: {reason}")


def _quote(wanted: WantedState, reasons: Reasons) -> Quote:
    return Quote(wanted.slot, wanted.side, wanted.level, wanted.price, wanted.size, *told_as(reasons))
