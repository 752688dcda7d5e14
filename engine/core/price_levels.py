"""`PriceLevels`: the mirror of a venue's book by price level, fed with snapshots and absolute sizes.

Per side one dict from tick to lots and one sorted list of ticks with the best price at the *end* (asks
are kept negated there), so that changes near the touch, which are nearly all, move almost nothing.
"""

from __future__ import annotations

from bisect import bisect_left, insort

import msgspec

from engine.core.depth import DepthReader
from engine.core.errors import OrderError
from engine.core.events import Level
from engine.core.order import BUY, Side


class PriceLevelsState(msgspec.Struct, frozen=True):
    """Prices of each side, the best last, with their lots, and the counters."""

    bid_prices: list[int]
    bid_sizes: list[int]
    ask_prices: list[int]
    """Negated, as they are kept."""
    ask_sizes: list[int]
    snapshots: int
    updates: int
    absent_deletes: int


class PriceLevels(DepthReader):
    """A book of price levels. Prices in ticks, sizes in lots.

    The mirror believes what it is told: a crossed book is kept and shown (`is_crossed`), because only
    the feed can decide what to do about it. Counters: `snapshots` and `updates` applied, and
    `absent_deletes`, deletions of levels that were not there, which are normal on some feeds.
    """

    __slots__ = (
        "_ask_keys",
        "_ask_sizes",
        "_bid_keys",
        "_bid_sizes",
        "absent_deletes",
        "snapshots",
        "updates",
    )

    def __init__(self) -> None:
        self._bid_sizes: dict[int, int] = {}
        self._ask_sizes: dict[int, int] = {}
        self._bid_keys: list[int] = []
        self._ask_keys: list[int] = []
        self.snapshots: int = 0
        self.updates: int = 0
        self.absent_deletes: int = 0

    # -- writing ---------------------------------------------------------------------------------

    def apply_snapshot(self, bids: list[Level], asks: list[Level]) -> None:
        """Replace the whole book. Levels in any order; of a price named twice the last size counts.

        Raises `OrderError` on a negative size and leaves the book as it was.
        """
        bid_sizes, ask_sizes = _positive_levels(bids), _positive_levels(asks)
        self._bid_sizes, self._ask_sizes = bid_sizes, ask_sizes
        self._bid_keys = sorted(bid_sizes)
        self._ask_keys = sorted([-price for price in ask_sizes])
        self.snapshots += 1

    def apply(self, bids: list[Level], asks: list[Level]) -> None:
        """Apply one update's absolute sizes in order, as one; size 0 deletes, also what is not there.

        Raises `OrderError` on a negative size. Nothing of that update stays: a book that had taken a
        part of it is emptied. (Looking first would cost each good update a fifth of its time.)
        """
        if bids:
            sizes = self._bid_sizes
            for price, size in bids:
                if size > 0:
                    if price not in sizes:
                        insort(self._bid_keys, price)
                    sizes[price] = size
                elif size:
                    raise self._refused(price, size, bids[0])
                elif price in sizes:
                    del sizes[price]
                    keys = self._bid_keys
                    del keys[bisect_left(keys, price)]
                else:
                    self.absent_deletes += 1
        if asks:
            sizes = self._ask_sizes
            for price, size in asks:
                if size > 0:
                    if price not in sizes:
                        insort(self._ask_keys, -price)
                    sizes[price] = size
                elif size:
                    raise self._refused(price, size, bids[0] if bids else asks[0])
                elif price in sizes:
                    del sizes[price]
                    keys = self._ask_keys
                    del keys[bisect_left(keys, -price)]
                else:
                    self.absent_deletes += 1
        self.updates += 1

    def _refused(self, price: int, size: int, first: Level) -> OrderError:
        if first[1] < 0:
            return _negative(price, size)
        self.clear()
        return OrderError(f"a level cannot hold {size} lots (at {price} ticks); the book was emptied")

    def clear(self) -> None:
        """Forget all levels; the counters stay."""
        self._bid_sizes, self._ask_sizes = {}, {}
        self._bid_keys, self._ask_keys = [], []

    # -- saving ----------------------------------------------------------------------------------

    def save(self) -> PriceLevelsState:
        """All of it, copied."""
        bids, asks = self._bid_sizes, self._ask_sizes
        return PriceLevelsState(
            self._bid_keys.copy(),
            [bids[price] for price in self._bid_keys],
            self._ask_keys.copy(),
            [asks[-key] for key in self._ask_keys],
            self.snapshots,
            self.updates,
            self.absent_deletes,
        )

    def load(self, state: PriceLevelsState) -> None:
        """Be the book that was saved."""
        self._bid_keys, self._ask_keys = list(state.bid_prices), list(state.ask_prices)
        self._bid_sizes = dict(zip(state.bid_prices, state.bid_sizes, strict=True))
        self._ask_sizes = {-key: size for key, size in zip(state.ask_prices, state.ask_sizes, strict=True)}
        self.snapshots, self.updates = state.snapshots, state.updates
        self.absent_deletes = state.absent_deletes

    # -- reading ---------------------------------------------------------------------------------

    def best_bid(self) -> int | None:
        """See `DepthReader`."""
        keys = self._bid_keys
        return keys[-1] if keys else None

    def best_ask(self) -> int | None:
        """See `DepthReader`."""
        keys = self._ask_keys
        return -keys[-1] if keys else None

    def levels(self, side: Side, depth: int | None = None) -> list[Level]:
        """See `DepthReader`."""
        if depth is None:
            depth = len(self._bid_keys) + len(self._ask_keys)
        elif depth <= 0:
            return []
        if side is BUY:
            sizes = self._bid_sizes
            return [(price, sizes[price]) for price in self._bid_keys[: -depth - 1 : -1]]
        sizes = self._ask_sizes
        return [(-key, sizes[-key]) for key in self._ask_keys[: -depth - 1 : -1]]

    def volumes(self, depth: int = 5) -> tuple[int, int]:
        """See `DepthReader`."""
        bid = ask = 0
        if depth > 0:
            sizes = self._bid_sizes
            for price in self._bid_keys[-depth:]:
                bid += sizes[price]
            sizes = self._ask_sizes
            for key in self._ask_keys[-depth:]:
                ask += sizes[-key]
        return bid, ask

    def volume_at(self, side: Side, price: int) -> int:
        """See `DepthReader`."""
        return (self._bid_sizes if side is BUY else self._ask_sizes).get(price, 0)

    def level_count(self, side: Side) -> int:
        """How many price levels a side holds."""
        return len(self._bid_keys if side is BUY else self._ask_keys)

    def total_size(self, side: Side) -> int:
        """All lots displayed on a side."""
        return sum((self._bid_sizes if side is BUY else self._ask_sizes).values())

    def sequence(self) -> int:
        """Snapshots and updates applied so far."""
        return self.snapshots + self.updates


def _positive_levels(levels: list[Level]) -> dict[int, int]:
    sizes = dict(levels)
    if sizes and min(sizes.values()) <= 0:
        for price, size in levels:
            if size < 0:
                raise _negative(price, size)
        return {price: size for price, size in sizes.items() if size}
    return sizes


def _negative(price: int, size: int) -> OrderError:
    return OrderError(f"a level cannot hold {size} lots (at {price} ticks); the book was left as it was")
