"""The book a paper venue trades against: what the feed displays, less what our own takers took of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.core.events import BookSnapshot, BookUpdate, FeedState, FeedStatus, Level
from engine.core.order import Side
from engine.core.price_levels import PriceLevels
from engine.exchange.paper_state import PaperBookState

_CLOCKS_AGREE_NS: Final = 60_000_000_000
"""Delay and drift stay below this; a wrong time zone or no clock at all does not."""


class PaperBook:
    """A mirror of one product's book that knows whether it may be believed.

    `venue_ns` is the venue's own time of the newest book event, 0 while it gave none; `clocks_agree` tells
    that our wall clock showed about the same time when it came. What our takers
    took still stands in the data; `available` leaves it out until the level itself shrinks below it,
    so that nothing displayed is taken twice.
    """

    __slots__ = (
        "_feed_is_live",
        "_has_book",
        "_taken_asks",
        "_taken_bids",
        "clocks_agree",
        "levels",
        "venue_ns",
    )

    def __init__(self) -> None:
        self.levels = PriceLevels()
        self.venue_ns = 0
        self.clocks_agree = False
        self._has_book = False
        self._feed_is_live = False
        self._taken_bids: dict[int, int] = {}
        self._taken_asks: dict[int, int] = {}

    def save(self) -> PaperBookState:
        """All of it, copied."""
        return PaperBookState(
            self.levels.save(),
            self.venue_ns,
            self.clocks_agree,
            self._has_book,
            self._feed_is_live,
            self._taken_bids.copy(),
            self._taken_asks.copy(),
        )

    def load(self, state: PaperBookState) -> None:
        """Go on from a saved one."""
        self.levels.load(state.levels)
        self.venue_ns, self.clocks_agree = state.venue_ns, state.clocks_agree
        self._has_book, self._feed_is_live = state.has_book, state.feed_is_live
        self._taken_bids, self._taken_asks = dict(state.taken_bids), dict(state.taken_asks)

    @property
    def is_live(self) -> bool:
        """True when there is a book and the feed vouches for it."""
        return self._has_book and self._feed_is_live

    # -- market data -----------------------------------------------------------------------------

    def on_status(self, event: FeedStatus) -> None:
        """Take the feed's word: LIVE means that everything told so far, while STALE too, makes the book."""
        self._feed_is_live = event.state is FeedState.LIVE

    def on_snapshot(self, event: BookSnapshot) -> None:
        """Replace the book."""
        self.levels.apply_snapshot(event.bids, event.asks)
        self._has_book = True
        self._applied(event.exchange_ns, event.wall_ns)

    def on_update(self, event: BookUpdate) -> bool:
        """Apply an update; False, with nothing changed, while there is no book to apply it to."""
        if not self._has_book:
            return False
        self.levels.apply(event.bids, event.asks)
        self._applied(event.exchange_ns, event.wall_ns)
        return self._feed_is_live

    def _applied(self, venue_ns: int, wall_ns: int) -> None:
        if venue_ns > self.venue_ns:
            self.venue_ns = venue_ns
            self.clocks_agree = -_CLOCKS_AGREE_NS < wall_ns - venue_ns < _CLOCKS_AGREE_NS
        if self._taken_bids or self._taken_asks:
            for side, taken in ((Side.BUY, self._taken_bids), (Side.SELL, self._taken_asks)):
                for price, size in list(taken.items()):
                    left = min(size, self.levels.volume_at(side, price))
                    if left:
                        taken[price] = left
                    else:
                        del taken[price]

    # -- taking ----------------------------------------------------------------------------------

    def available(self, side: Side) -> Iterator[Level]:
        """What a taker still finds on a side, best price first."""
        taken = self._taken_bids if side is Side.BUY else self._taken_asks
        seen, depth = 0, 8
        while True:
            levels = self.levels.levels(side, depth)
            for price, size in levels[seen:]:
                left = size - taken.get(price, 0)
                if left > 0:
                    yield price, left
            if len(levels) < depth:
                return
            seen, depth = depth, depth * 4

    def best_available(self, side: Side) -> int | None:
        """The best price a taker still finds on a side."""
        if self._taken_bids if side is Side.BUY else self._taken_asks:
            return next((price for price, _ in self.available(side)), None)
        return self.levels.best_bid() if side is Side.BUY else self.levels.best_ask()

    def take(self, side: Side, price: int, size: int) -> None:
        """Note that one of our takers took `size` lots of a side at a price."""
        taken = self._taken_bids if side is Side.BUY else self._taken_asks
        taken[price] = taken.get(price, 0) + size
