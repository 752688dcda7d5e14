"""What is remembered of a desk for people: the tape, the feed's age, markouts, the profit's history."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

import msgspec

from engine.core.events import AnyEvent, BookSnapshot, BookUpdate, FeedStatus, OrderFilled, TradePrint
from engine.exchange.protocol import Venue
from engine.link.mirror import HISTORY_POINTS, HISTORY_SPACING_NS
from engine.link.series import Series
from engine.telemetry.markouts import Markouts, MarkoutsState
from engine.trader import Trader

TAPE: Final = 60
"""Prints that are remembered."""
HORIZONS_NS: Final = tuple(ms * 1_000_000 for ms in (100, 1_000, 10_000, 60_000))
"""When it is asked where the market went after a fill."""
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


class DeskWatcher:
    """Looks on after each wake-up; nothing that trades reads what it keeps.

    It sees the state after a whole wake-up. A fill is marked out from the mid that was in force before
    it, unless the book moved earlier in the same wake-up: then from the mid at its end.
    """

    __slots__ = (
        "_mid",
        "_next_point_ns",
        "_ours",
        "_trader",
        "_venue",
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
        self.markouts = Markouts(trader.instrument, HORIZONS_NS)
        self.profit = Series(HISTORY_POINTS, HISTORY_SPACING_NS)
        """Profit in atoms over engine time, while it can be told."""
        self._trader = trader
        self._venue = venue
        self._ours: dict[int, None] = {}
        self._mid: int | None = None
        self._next_point_ns = 0

    def on_wake_up(self, timeline: Iterable[tuple[AnyEvent, int | None]]) -> None:
        """What happened in order, as `WakeUp.timeline` tells it."""
        now: int | None = None
        moved_ns: int | None = None
        for event, position in timeline:
            now = event.recv_ns
            if isinstance(event, _BOOK):
                self.market_ns = moved_ns = now
            elif isinstance(event, TradePrint):
                self.market_ns = now
                self.trade_count += 1
                self.tape.append(event)
            elif isinstance(event, OrderFilled) and position is not None:
                if moved_ns is not None:
                    self._note_mid(moved_ns)
                self._on_fill(event)
        if now is not None:
            self._note_mid(now)
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
        )

    def load(self, state: WatcherState) -> None:
        """Remember what was remembered then."""
        self.tape = deque(state.tape, maxlen=TAPE)
        self.trade_count, self.market_ns = state.trade_count, state.market_ns
        self.markouts.load(state.markouts)
        self.profit.restore(state.profit_spacing_ns, state.profit)
        self._ours = dict.fromkeys(state.ours)
        self._mid, self._next_point_ns = state.mid, state.next_point_ns

    def is_ours(self, trade_id: int) -> bool:
        """True when a fill of ours is known to belong to that print."""
        return trade_id in self._ours

    def _note_mid(self, now_ns: int) -> None:
        mid = self._trader.ledger.mark_half_ticks
        if mid != self._mid:
            self._mid = mid
            self.markouts.on_mid(now_ns, mid)

    def _note_profit(self, now_ns: int) -> None:
        profit = self._trader.ledger.profit
        if profit is not None:
            self.profit.add(now_ns, profit)
            self._next_point_ns = (now_ns // HISTORY_SPACING_NS + 1) * HISTORY_SPACING_NS

    def _on_fill(self, fill: OrderFilled) -> None:
        self.markouts.on_fill(fill)
        trade_id = self._venue.print_of(fill)
        if trade_id is not None:
            self._ours[trade_id] = None
            if len(self._ours) > _OURS:
                del self._ours[next(iter(self._ours))]
