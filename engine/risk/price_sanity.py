"""Control R17: prices that no market has. A crossed book is found where the feed is; this finds the rest."""

from __future__ import annotations

from typing import Final

import msgspec

from engine.core.instrument import Instrument
from engine.risk.limits import RiskLimits
from engine.risk.price_range import PriceRange, PriceRangeState
from engine.risk.state import RiskState, TradingState

BOOK: Final = "BOOK"
_S: Final = 1_000_000_000
_PARTS: Final = 10


class PriceSanityState(msgspec.Struct, frozen=True):
    """The mids of the last second, and when something absurd was seen last."""

    mids: PriceRangeState
    seen_ns: int


class PriceSanity:
    """A spread above `max_spread_pct`, or a mid that moves by more than `max_mid_move_pct` within a second:
    hold PAUSED until `book_hold_s` have passed without either."""

    __slots__ = ("_instrument", "_mids", "_seen_ns", "_state", "limits")

    def __init__(self, instrument: Instrument, limits: RiskLimits, state: RiskState) -> None:
        self.limits = limits
        self._instrument = instrument
        self._state = state
        self._mids = PriceRange(_S, _PARTS)
        self._seen_ns = 0

    def on_touch(self, bid: int, ask: int, now_ns: int) -> None:
        """The best prices of a book that may be believed, in ticks."""
        mid, limits, mids = bid + ask, self.limits, self._mids
        mids.add(mid, now_ns)
        if 2 * (ask - bid) * limits.max_spread.denominator > mid * limits.max_spread.numerator:
            bid_text, ask_text = self._instrument.price_text(bid), self._instrument.price_text(ask)
            self._hold(f"a spread from {bid_text} to {ask_text} is no market", now_ns)
        elif mids.has_moved(mid, limits.max_mid_move, now_ns):
            text = self._instrument.half_ticks_text(mid)
            self._hold(f"the mid has jumped within a second, to {text}", now_ns)
        elif now_ns - self._seen_ns >= limits.book_hold_ns and self._state.has_hold(BOOK):
            self._state.release(BOOK)

    def forget(self) -> None:
        """The book was lost: what it says next is not to be compared with what it said last."""
        self._mids.clear()

    def _hold(self, reason: str, now_ns: int) -> None:
        self._seen_ns = now_ns
        if not self._state.has_hold(BOOK):
            release = f"{self.limits.book_hold_ns // _S} s of sane prices have passed"
            self._state.hold(BOOK, TradingState.PAUSED, reason, release, now_ns)

    def save(self) -> PriceSanityState:
        """All of it; the limits are settings."""
        return PriceSanityState(self._mids.save(), self._seen_ns)

    def load(self, state: PriceSanityState) -> None:
        """Go on from there."""
        self._mids.load(state.mids)
        self._seen_ns = state.seen_ns
