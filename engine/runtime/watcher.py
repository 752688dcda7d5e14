"""What is remembered of a desk for people: tape, age of the feed, what fills came to, the profit so far."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from engine.core.events import BookSnapshot, BookUpdate, FeedStatus, TradePrint
from engine.core.ledger import BookedFill
from engine.exchange.protocol import Venue
from engine.link.mirror import HISTORY_POINTS, HISTORY_SPACING_NS
from engine.link.series import Series
from engine.telemetry.analytics import Analytics, AnalyticsState
from engine.telemetry.markouts import Markouts, MarkoutsState
from engine.trader.trader import Trader

if TYPE_CHECKING:
    from engine.runtime.observers import WakeUp

TAPE: Final = 60
"""Prints that are remembered."""
_OURS: Final = 256
"""Prints known as ours that are remembered: a fill may be told before its print or after it."""


_BOOK: Final = (BookUpdate, BookSnapshot, FeedStatus)


class WatcherState(msgspec.Struct, frozen=True):
    """What is remembered of a desk for people."""

    tape: tuple[TradePrint, ...]
    trade_count: int
    market_ns: int | None
    markouts: MarkoutsState
    profit: tuple[tuple[int, int], ...]
    profit_spacing_ns: int
    ours: tuple[int, ...]
    mid: int | None
    next_point_ns: int
    analytics: AnalyticsState


class DeskWatcher:
    """Looks on after each wake-up; nothing that trades reads what it keeps.

    It sees the state after a whole wake-up, and each fill with what the accounts booked it at.
    """

    __slots__ = (
        "_mid",
        "_next_point_ns",
        "_ours",
        "_trader",
        "_venue",
        "analytics",
        "market_ns",
        "markouts",
        "profit",
        "tape",
        "trade_count",
    )

    def __init__(self, trader: Trader, venue: Venue) -> None:
        self.tape: deque[TradePrint] = deque(maxlen=TAPE)
        """The last prints, oldest first."""
        self.trade_count = 0
        """Prints since the start."""
        self.market_ns: int | None = None
        """Engine time at which the feed last spoke of this product."""
        self.markouts = Markouts(trader.instrument)
        self.analytics = Analytics(trader.instrument, self.markouts, trader.opening_base)
        self.profit = Series(HISTORY_POINTS, HISTORY_SPACING_NS)
        """Profit in atoms over engine time, while it can be told."""
        self._trader = trader
        self._venue = venue
        self._ours: dict[int, None] = {}
        self._mid: int | None = None
        self._next_point_ns = 0

    def on_wake_up(self, wake: WakeUp) -> None:
        """What a desk was shown in one wake-up, and what came of it."""
        last = wake.events[-1]
        now = last.recv_ns
        self.analytics.begin(last.wall_ns)
        for event in wake.events:
            if isinstance(event, _BOOK):
                self.market_ns = event.recv_ns
            elif isinstance(event, TradePrint):
                self.market_ns = event.recv_ns
                self.trade_count += 1
                self.tape.append(event)
        for booked in wake.fills:
            self._on_fill(booked)
        if wake.commands or wake.ended:
            self.analytics.on_orders(wake.commands, wake.ended)
        self._note_state(now)
        self.markouts.on_time(now)
        if now >= self._next_point_ns:
            self._note_profit(now)

    def save(self) -> WatcherState:
        """All of it, copied."""
        return WatcherState(
            tuple(self.tape),
            self.trade_count,
            self.market_ns,
            self.markouts.save(),
            tuple(self.profit),
            self.profit.spacing_ns,
            tuple(self._ours),
            self._mid,
            self._next_point_ns,
            self.analytics.save(),
        )

    def load(self, state: WatcherState) -> None:
        """Remember what was remembered then."""
        self.tape = deque(state.tape, maxlen=TAPE)
        self.trade_count, self.market_ns = state.trade_count, state.market_ns
        self.markouts.load(state.markouts)
        self.profit.restore(state.profit_spacing_ns, state.profit)
        self._ours = dict.fromkeys(state.ours)
        self._mid, self._next_point_ns = state.mid, state.next_point_ns
        self.analytics.load(state.analytics)

    def is_ours(self, trade_id: int) -> bool:
        """True when a fill of ours is known to belong to that print."""
        return trade_id in self._ours

    def _note_state(self, now_ns: int) -> None:
        trader = self._trader
        mid, own, book = trader.ledger.mark_half_ticks, trader.orders.own, trader.book
        if mid != self._mid:
            self._mid = mid
            self.markouts.on_mid(now_ns, mid)
        touch = None
        if mid is not None:  # which says that the book is believed and has two sides
            bid, ask = book.best_bid(), book.best_ask()
            if bid is not None and ask is not None:
                touch = bid, ask
        self.analytics.on_state(
            now_ns,
            trader.ledger.position,
            mid,
            max(own.displayed_bids, default=None),
            min(own.displayed_asks, default=None),
            touch,
        )

    def _note_profit(self, now_ns: int) -> None:
        profit = self._trader.ledger.profit
        if profit is not None:
            self.profit.add(now_ns, profit)
            self._next_point_ns = (now_ns // HISTORY_SPACING_NS + 1) * HISTORY_SPACING_NS

    def _on_fill(self, booked: BookedFill) -> None:
        self.analytics.on_fill(booked, self._trader.orders.order(booked.fill.client_id))
        trade_id = self._venue.print_of(booked.fill)
        if trade_id is not None:
            self._ours[trade_id] = None
            if len(self._ours) > _OURS:
                del self._ours[next(iter(self._ours))]
