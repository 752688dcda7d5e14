"""What the venue has published of a product so far: book, last trades, candles, figures of the day."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

import msgspec

from engine.core.events import BookSnapshot, BookUpdate, MarketEvent, TradePrint
from engine.core.price_levels import PriceLevels

TRADES_KEPT: Final = 1_000
CANDLE_S: Final = 60
_CANDLES_KEPT: Final = 1_500
_S: Final = 1_000_000_000


class Candle(msgspec.Struct):
    """One bucket: its first second, prices in ticks, volume in lots."""

    start: int
    low: int
    high: int
    open: int
    close: int
    volume: int

    def add(self, other: Candle) -> None:
        """Take a later candle into this one."""
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
        self.close = other.close
        self.volume += other.volume


class Tape:
    """The published state of one product. What a client sees, it can be told again from here."""

    def __init__(self) -> None:
        self.levels = PriceLevels()
        self.has_book = False
        self.book_ns = 0
        """Exchange time of the book."""
        self.trades: deque[TradePrint] = deque(maxlen=TRADES_KEPT)
        """The newest last."""
        self.volume = 0
        """Lots traded since the venue began."""
        self.first_price: int | None = None
        self.high = 0
        self.low = 0
        self._minutes: deque[Candle] = deque(maxlen=_CANDLES_KEPT)

    def apply(self, event: MarketEvent) -> None:
        """Take in what is being published."""
        if isinstance(event, BookSnapshot):
            self.levels.apply_snapshot(event.bids, event.asks)
            self.has_book, self.book_ns = True, event.exchange_ns
        elif isinstance(event, BookUpdate):
            if self.has_book:
                self.levels.apply(event.bids, event.asks)
                self.book_ns = event.exchange_ns
        elif isinstance(event, TradePrint):
            self._trade(event)

    def _trade(self, trade: TradePrint) -> None:
        if self.trades and trade.trade_id <= self.trades[-1].trade_id:
            return
        self.trades.append(trade)
        self.volume += trade.size
        if self.first_price is None:
            self.first_price = self.high = self.low = trade.price
        self.high, self.low = max(self.high, trade.price), min(self.low, trade.price)
        start = trade.exchange_ns // _S // CANDLE_S * CANDLE_S
        price = trade.price
        candle = Candle(start, price, price, price, price, trade.size)
        if self._minutes and self._minutes[-1].start >= start:
            self._minutes[-1].add(candle)
        else:
            self._minutes.append(candle)

    @property
    def last_price(self) -> int | None:
        """Ticks of the last trade; None before the first."""
        return self.trades[-1].price if self.trades else None

    def candles(self, width_s: int) -> list[Candle]:
        """Buckets of a width (a multiple of a minute), oldest first; those without a trade are missing."""
        result: list[Candle] = []
        for minute in self._minutes:
            start = minute.start // width_s * width_s
            if result and result[-1].start == start:
                result[-1].add(minute)
            else:
                result.append(msgspec.structs.replace(minute, start=start))
        return result

    def newest_trades(self, count: int) -> Iterator[TradePrint]:
        """The last trades, the newest first."""
        for index in range(min(count, len(self.trades))):
            yield self.trades[-1 - index]
