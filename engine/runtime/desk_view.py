"""What a console is shown of one desk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.core.events import Term
from engine.core.order import BUY, SELL
from engine.link.analytics import Analytics
from engine.link.view import (
    Bin,
    Breaker,
    Failure,
    Markout,
    Pnl,
    ProductView,
    Quote,
    Restriction,
    Stage,
    Trade,
    WorkingOrder,
)
from engine.risk.circuit_breaker import CircuitBreaker
from engine.risk.state import UNTIL_RESUMED
from engine.runtime.analytics_view import analytics_of
from engine.runtime.desk import Desk
from engine.runtime.gauges import gauges_of
from engine.runtime.missing_quotes import why_missing
from engine.strategy.protocol import Quote as Wanted
from engine.telemetry.markout_sums import MarkoutSums
from engine.telemetry.markouts import HORIZONS_NS

DEPTH: Final = 200
"""Price levels shown of each side."""
_ADVERSE: Final = HORIZONS_NS.index(1_000_000_000)
_TICK_TO_QUOTE: Final = "tick_to_quote"

Terms = tuple[Term, ...]


class DeskViewer:
    """Builds the view of one desk; changes nothing there.

    It remembers explanations of working orders, which never change, and latencies and what fills came to,
    which are worth a look once in a while only.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._order_terms: dict[str, Terms] = {}
        self._wanted: Sequence[Wanted] = ()
        self._size_terms: dict[str, Terms] = {}
        self._stages: tuple[Stage, ...] = ()
        self._bins: tuple[Bin, ...] = ()
        self._analytics: Analytics | None = None

    def measure(self) -> None:
        """Read latencies and fills anew. It takes a while: whoever calls decides how often."""
        self._analytics = analytics_of(self._desk.watcher.analytics, self._desk.trader.ledger)
        summary = self._desk.latency.summary()
        names = sorted(summary, key=lambda name: name != _TICK_TO_QUOTE)
        self._stages = tuple(Stage(name, **summary[name]) for name in names)
        if _TICK_TO_QUOTE in summary:
            bins = self._desk.latency.stage(_TICK_TO_QUOTE).bins()
            self._bins = tuple(Bin(upto, count) for upto, count in bins)

    def view(self, now_ns: int, wall_ns: int) -> ProductView:
        """The desk at a moment of engine time and of the market's wall time."""
        desk = self._desk
        trader, watcher = desk.trader, desk.watcher
        book, market_ns = trader.book, watcher.market_ns
        sums = watcher.markouts.total()
        return ProductView(
            symbol=desk.product,
            state=trader.risk.effective.name,
            note=why_missing(trader),
            connection=trader.feed_state.value,
            book_age_ns=None if market_ns is None else now_ns - market_ns,
            bids=tuple(book.levels(BUY, DEPTH)),
            asks=tuple(book.levels(SELL, DEPTH)),
            is_depth_cut=max(book.level_count(BUY), book.level_count(SELL)) > DEPTH,
            shows_own=desk.venue.displays_own_orders,
            orders=self._orders(),
            quotes=self._quotes(),
            trades=tuple(
                Trade(
                    trade.trade_id,
                    trade.exchange_ns or trade.wall_ns,
                    trade.price,
                    trade.size,
                    trade.taker_side,
                    watcher.is_ours(trade.trade_id),
                )
                for trade in watcher.tape
            ),
            trade_count=watcher.trade_count,
            pnl=self._pnl(sums[_ADVERSE]),
            max_position=min(trader.gate.limits.max_quoted_position, trader.gate.limits.max_position),
            gauges=gauges_of(trader, wall_ns),
            restrictions=tuple(
                Restriction(
                    each.code,
                    each.state.name,
                    each.since_ns,
                    each.reason,
                    each.release,
                    each.release == UNTIL_RESUMED,
                    each is trader.risk.latched,
                )
                for each in trader.risk.restrictions()
            ),
            stages=self._stages,
            bins=self._bins,
            markouts=self._markouts(sums),
            events=trader.event_count,
            quotes_sent=trader.quote_count,
            crossed=trader.crossed_count,
            denied=dict(trader.gate.denied),
            analytics=self._analytics,
            day_profit=trader.guard.day_profit(trader.ledger.equity),
            breaker=_breaker(trader.guards.breaker),
        )

    def _orders(self) -> tuple[WorkingOrder, ...]:
        ahead = self._desk.venue.estimated_ahead
        return tuple(
            WorkingOrder(
                order.client_id,
                order.venue_order_id,
                order.slot,
                order.command.purpose,
                order.side,
                order.price,
                order.size,
                order.filled,
                order.state.value,
                order.sent_ns,
                ahead(order.client_id),
            )
            for order in self._desk.trader.orders.own.by_id.values()
        )

    def _quotes(self) -> tuple[Quote, ...]:
        trader = self._desk.trader
        self._explain_sizes(trader.wanted)
        wanted = {quote.slot: quote for quote in trader.wanted}
        working = {
            slot: order
            for slot, order in trader.orders.own.by_slot.items()
            if order.command.purpose == "quote"
        }
        known, kept = self._order_terms, {}
        quotes = []
        for slot in wanted.keys() | working.keys():
            quote, order = wanted.get(slot), working.get(slot)
            if order is not None:
                side = order.side
                terms = known.get(order.client_id)
                if terms is None:
                    terms = order.explain()
                kept[order.client_id] = terms
            else:
                assert quote is not None
                side, terms = quote.side, quote.explain()
            quotes.append(
                Quote(
                    slot,
                    side,
                    None if quote is None else quote.price,
                    0 if quote is None else quote.size,
                    None if order is None else order.price,
                    0 if order is None else order.remaining,
                    terms,
                    self._size_terms.get(slot, ()),
                    tuple(Failure(each.code, each.reason) for each in trader.denials.get(slot, ())),
                )
            )
        self._order_terms = kept
        # "B10" comes after "B9", and bids before asks.
        quotes.sort(key=lambda quote: (-quote.side, len(quote.slot), quote.slot))
        return tuple(quotes)

    def _explain_sizes(self, wanted: Sequence[Wanted]) -> None:
        """The terms of the wanted sizes, once per decision; quotes of one side share theirs."""
        if wanted is self._wanted:
            return
        self._wanted = wanted
        self._size_terms = {}
        shared: dict[object, Terms] = {}
        for quote in wanted:
            explain = quote.explain_size
            if explain not in shared:
                shared[explain] = explain()
            self._size_terms[quote.slot] = shared[explain]

    def _pnl(self, adverse: MarkoutSums) -> Pnl:
        ledger = self._desk.trader.ledger
        return Pnl(
            position=ledger.position,
            average_cost=self._average_cost(),
            mark=ledger.mark_half_ticks,
            total=ledger.profit,
            realised=ledger.realised,
            unrealised=ledger.unrealised,
            fees=ledger.fees,
            captured=ledger.captured,
            revaluation=ledger.revaluation,
            residual=ledger.residual,
            adverse_1s=adverse.adverse_selection,
            adverse_fills=adverse.fills,
            bought=ledger.bought,
            sold=ledger.sold,
            fills=ledger.fill_count,
            is_complete=ledger.is_complete,
        )

    def _average_cost(self) -> int | None:
        """Half ticks per lot, rounded half up."""
        ledger = self._desk.trader.ledger
        worth = ledger.instrument.value(1, abs(ledger.position))
        return (2 * abs(ledger.open_cost) + worth) // (2 * worth) if worth else None

    def _markouts(self, sums: Sequence[MarkoutSums]) -> tuple[Markout, ...]:
        waiting = self._desk.watcher.markouts.waiting_by_horizon
        return tuple(
            Markout(
                horizon, each.fills, each.captured, each.adverse_selection, each.fees, each.censored + left
            )
            for horizon, each, left in zip(HORIZONS_NS, sums, waiting, strict=True)
        )


def _breaker(breaker: CircuitBreaker) -> Breaker:
    trigger = "" if breaker.trigger is None else breaker.trigger.value
    return Breaker(
        breaker.state.value,
        trigger,
        breaker.reason,
        breaker.since_ns,
        breaker.next_step_ns,
        breaker.trip_count,
    )
