"""What can be read from any order book, whether we match in it or mirror somebody else's.

`OrderBook` and `PriceLevels` give four primitives; everything a strategy or a screen asks is derived
here once.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from engine.core.events import Level
from engine.core.order import BUY, SELL, Side


@dataclass(frozen=True, slots=True)
class Sweep:
    """What taking `wanted` lots from one side would do. `is_complete` is False when the book is too thin."""

    wanted: int
    filled: int
    cost: int
    """Sum of ticks times lots."""

    @property
    def is_complete(self) -> bool:
        """True when the book held the whole size."""
        return self.filled == self.wanted

    @property
    def average(self) -> float | None:
        """Average price in ticks of the whole size; None when the book cannot fill it."""
        return self.cost / self.filled if self.filled and self.is_complete else None


@dataclass(frozen=True, slots=True)
class DepthSnapshot:
    """An immutable picture of a book, best prices first."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    sequence: int = 0


class DepthReader:
    """The reading half of an order book. All prices in ticks, sizes in lots; mids in half ticks."""

    __slots__ = ()

    @abstractmethod
    def best_bid(self) -> int | None:
        """Highest bid, or None on an empty side."""

    @abstractmethod
    def best_ask(self) -> int | None:
        """Lowest ask, or None on an empty side."""

    @abstractmethod
    def levels(self, side: Side, depth: int | None = None) -> list[Level]:
        """The best `depth` levels of a side (all when None), best first."""

    @abstractmethod
    def volume_at(self, side: Side, price: int) -> int:
        """Lots displayed at a price on one side; 0 where there is no level."""

    def bids(self, depth: int | None = None) -> list[Level]:
        """`levels(Side.BUY, depth)`."""
        return self.levels(BUY, depth)

    def asks(self, depth: int | None = None) -> list[Level]:
        """`levels(Side.SELL, depth)`."""
        return self.levels(SELL, depth)

    def mid(self) -> int | None:
        """Best bid plus best ask, that is the mid in half ticks; None unless both sides exist."""
        bid, ask = self.best_bid(), self.best_ask()
        return None if bid is None or ask is None else bid + ask

    def spread(self) -> int | None:
        """Best ask minus best bid in ticks; None unless both sides exist."""
        bid, ask = self.best_bid(), self.best_ask()
        return None if bid is None or ask is None else ask - bid

    def is_crossed(self) -> bool:
        """True when the best bid is at or above the best ask (crossed or locked)."""
        bid, ask = self.best_bid(), self.best_ask()
        return bid is not None and ask is not None and bid >= ask

    def volumes(self, depth: int = 5) -> tuple[int, int]:
        """Lots displayed over `depth` levels: of the bids, of the asks."""
        bid = ask = 0
        for _, size in self.levels(BUY, depth):
            bid += size
        for _, size in self.levels(SELL, depth):
            ask += size
        return bid, ask

    def imbalance(self, depth: int = 5) -> float:
        """(B - A) / (B + A) over `depth` levels a side, in -1..1; 0.0 for an empty book."""
        bid, ask = self.volumes(depth)
        total = bid + ask
        return (bid - ask) / total if total else 0.0

    def weighted_mid(self) -> float | None:
        """The touch weighted by the opposite size, in ticks: bid (1 - I) + ask I with I = Qb / (Qb + Qa).

        Stoikov (2018), "The micro-price", section 2: the first approximation of the micro-price.
        """
        bid, ask = self.best_bid(), self.best_ask()
        if bid is None or ask is None:
            return None
        bid_size, ask_size = self.volume_at(BUY, bid), self.volume_at(SELL, ask)
        return (bid * ask_size + ask * bid_size) / (bid_size + ask_size)

    def sweep(self, taker_side: Side, size: int) -> Sweep:
        """What a taker of `size` lots would pay or get (a BUY takes asks)."""
        left, cost = size, 0
        for price, available in self._walk(taker_side.opposite):
            take = available if available < left else left
            cost += take * price
            left -= take
            if not left:
                break
        return Sweep(size, size - left, cost)

    def _walk(self, side: Side) -> list[Level]:
        return self.levels(side)

    def snapshot(self, depth: int | None = None) -> DepthSnapshot:
        """An immutable copy of the best `depth` levels a side (all when None)."""
        return DepthSnapshot(tuple(self.levels(BUY, depth)), tuple(self.levels(SELL, depth)), self.sequence())

    def sequence(self) -> int:
        """How many changes the book has seen."""
        return 0
