"""What one connection knows of one product: its steps, how far its book may be believed, its trades."""

from __future__ import annotations

import re
from typing import Final

from engine.core.events import FeedState, TradePrint
from engine.core.instrument import Instrument
from engine.core.order import Side
from engine.exchange.coinbase.wire.trade_ids import TradeIds

DIGITS: Final = "0123456789."
FAST_LIMIT: Final = 1 << 43
"""Steps up to which the fast conversion also tells a multiple of the step from its neighbourhood."""
FAST_ERROR: Final = 4 * 2.0**-53
"""Relative error of a decimal that is a whole number of steps: text, scale and product each round once."""
_PLAIN_DECIMAL: Final = re.compile(r"(?:0|[1-9][0-9]{0,23})(?:\.[0-9]{1,40})?", re.ASCII)


class ProductFeed:
    """One product on one connection."""

    __slots__ = (
        "asked_after_loss",
        "has_book",
        "instrument",
        "is_active",
        "is_left",
        "price_scale",
        "size_scale",
        "state",
        "symbol",
        "trades",
    )

    def __init__(self, instrument: Instrument) -> None:
        self.instrument: Instrument = instrument
        self.symbol: str = instrument.symbol
        self.price_scale: float = float(1 / instrument.tick)
        self.size_scale: float = float(1 / instrument.lot)
        self.state: FeedState = FeedState.IDLE
        self.has_book: bool = False
        """A snapshot came on this connection."""
        self.asked_after_loss: bool = False
        """The book was asked for after this connection lost frames."""
        self.is_left: bool = False
        """We have unsubscribed, and not asked again."""
        self.is_active: bool = False
        """Subscribed or seen: a loss concerns it."""
        self.trades: TradeIds = TradeIds()

    def ticks(self, text: str) -> int:
        """A positive price as ticks; `ValueError` (or `OverflowError`) for anything else.

        Digits far below a tick (within `FAST_ERROR` of the price) are taken for that tick.
        """
        scaled = float(text) * self.price_scale
        price = int(scaled + 0.5)
        if not 0 < price < FAST_LIMIT or abs(scaled - price) > price * FAST_ERROR or text.strip(DIGITS):
            return self.exact_ticks(text)
        return price

    def lots(self, text: str) -> int:
        """A size, zero included, as lots; `ValueError` (or `OverflowError`) for anything else.

        Digits far below a lot (within `FAST_ERROR` of the size) are taken for that lot.
        """
        scaled = float(text) * self.size_scale
        size = int(scaled + 0.5)
        if size >= FAST_LIMIT or abs(scaled - size) > size * FAST_ERROR or text.strip(DIGITS):
            return self.exact_lots(text)
        return size

    def trade_print(
        self, trade_id: int, price: str, size: str, maker: Side, times: tuple[int, int, int]
    ) -> TradePrint:
        """A trade on the tape, from the maker's side as the venue tells it.

        `times` are received (monotonic, wall) and the venue's. `ValueError` (or `OverflowError`) for a
        price or size that is none.
        """
        ticks, lots = self.ticks(price), self.lots(size)
        if lots == 0:
            raise ValueError(f"{self.symbol}: a trade of nothing")
        recv_ns, wall_ns, time_ns = times
        return TradePrint(self.symbol, recv_ns, wall_ns, trade_id, ticks, lots, maker.opposite, time_ns)

    def exact_ticks(self, text: str) -> int:
        """The slow and exact way of `ticks`, for prices beyond the fast way's range."""
        _require_plain(text)
        price = self.instrument.ticks(text)
        if price == 0:
            raise ValueError(f"{self.symbol}: a price of 0")
        return price

    def exact_lots(self, text: str) -> int:
        """The slow and exact way of `lots`, for sizes beyond the fast way's range."""
        _require_plain(text)
        return self.instrument.lots(text)


def _require_plain(text: str) -> None:
    if _PLAIN_DECIMAL.fullmatch(text) is None:
        raise ValueError(f"{text[:40]!r} is not a plain decimal number")
