"""What the sessions of both Coinbase APIs share: counters, book states, trades, events about them.

A session turns the frames of one connection after the other into market events. It opens no socket
and no file: the live feed and the player of recordings call the same code. A frame either counts as a
whole or not at all, and nothing that a venue sends makes a session raise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from engine.core.events import BookSnapshot, FeedState, FeedStatus, Level, MarketEvent
from engine.core.instrument import Instrument
from engine.exchange.coinbase.wire.product_feed import ProductFeed
from engine.exchange.coinbase.wire.timestamps import TimeParser
from engine.exchange.coinbase.wire.user import UserEvent, UserMatch

REFUSED: Final = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)
"""What decoding and converting raise for a frame that is not what it should be."""

_MOST_USER_EVENTS: Final = 10_000


class FeedCounters(msgspec.Struct):
    """What has happened on a feed since it was made, over all its connections."""

    frames: int = 0
    gaps: int = 0
    """Places where frames were lost: holes in a sequence, or in the trade ids where there is no other."""
    duplicates: int = 0
    """Frames dropped because they, or later ones, had come before."""
    malformed: int = 0
    """Frames refused: not JSON, a wrong type, a price off the tick, a negative size."""
    errors: int = 0
    """Error messages of the venue."""
    unknown: int = 0
    """Channels, types, products and words that we do not know; ignored."""
    reconnects: int = 0
    heartbeats: int = 0
    before_snapshot: int = 0
    """Book changes that came before the book; dropped."""
    known_trades: int = 0
    """Trades told again."""
    last_error: str = ""


class FeedSession(Protocol):
    """One feed's frames in, market events out."""

    counters: FeedCounters
    listed: frozenset[str] | None
    """Products whose book the venue last said it sends us; None until it did."""
    last_sent: str
    """When the last frame was sent, in the venue's words; empty where none said."""

    @property
    def has_lost_frames(self) -> bool:
        """True when frames of this connection were lost: no book of it can be believed for long."""
        ...

    def on_connect(self, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """A new connection is up: counters of the wire start anew, every book waits for a snapshot."""
        ...

    def on_send(self, raw: bytes | str, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """We sent this request (subscribe, unsubscribe)."""
        ...

    def on_frame(self, raw: bytes | str, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """A frame came. Never raises for anything in it."""
        ...

    def load_level3(self, product: str, body: bytes, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """The order-by-order snapshot of a product, for the full channel."""
        ...

    def mark_stale(self, product: str, reason: str, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """Whoever holds the book has seen that it cannot be right (crossed, silent): wait for a snapshot."""
        ...

    def state(self, product: str) -> FeedState:
        """How far the product's book may be believed."""
        ...

    def unique_trades(self, product: str) -> int:
        """Distinct trades seen, history included."""
        ...

    def open_orders(self, product: str) -> int | None:
        """Resting orders of an order-by-order book; None where the feed has price levels only."""
        ...

    def take_user_events(self) -> list[UserEvent | UserMatch]:
        """News of our own orders since the last call."""
        ...


class SessionBase:
    """The common half of both sessions."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self.counters: FeedCounters = FeedCounters()
        self._products: dict[str, ProductFeed] = {
            symbol: ProductFeed(instrument) for symbol, instrument in instruments.items()
        }
        self.times: TimeParser = TimeParser()
        self._used: bool = False
        self._lost: bool = False
        """Frames of this connection were lost."""
        self.listed: frozenset[str] | None = None
        self.last_sent: str = ""
        self._user_events: deque[UserEvent | UserMatch] = deque(maxlen=_MOST_USER_EVENTS)

    # -- asking ----------------------------------------------------------------------------------

    @property
    def has_lost_frames(self) -> bool:
        """See `FeedSession`."""
        return self._lost

    def product_feed(self, product: str) -> ProductFeed | None:
        """What is known of a product, for whoever converts its frames elsewhere."""
        return self._products.get(product)

    def state(self, product: str) -> FeedState:
        """See `FeedSession`."""
        feed = self._products.get(product)
        return FeedState.IDLE if feed is None else feed.state

    def unique_trades(self, product: str) -> int:
        """See `FeedSession`."""
        feed = self._products.get(product)
        return 0 if feed is None else feed.trades.count

    def take_user_events(self) -> list[UserEvent | UserMatch]:
        """See `FeedSession`."""
        taken = list(self._user_events)
        self._user_events.clear()
        return taken

    # -- book states -----------------------------------------------------------------------------

    def mark_stale(self, product: str, reason: str, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """See `FeedSession`."""
        feed = self._products.get(product)
        return [] if feed is None else self.change_state(feed, FeedState.STALE, reason, recv_ns, wall_ns)

    def change_state(
        self, feed: ProductFeed, state: FeedState, reason: str, recv_ns: int, wall_ns: int
    ) -> list[MarketEvent]:
        """Note a book's state and say so, if it is another than before."""
        feed.is_active = True
        if feed.state is state:
            return []
        feed.state = state
        return [FeedStatus(feed.symbol, recv_ns, wall_ns, state, reason)]

    def _all_stale(self, reason: str, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        events: list[MarketEvent] = []
        for feed in self._products.values():
            if feed.is_active:
                events += self.change_state(feed, FeedState.STALE, reason, recv_ns, wall_ns)
        return events

    def _frames_lost(self, reason: str, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """Nobody knows whose frames were lost: every book of the connection is suspect, also one that
        has not come yet, unless it is asked for again."""
        self._lost = True
        for feed in self._products.values():
            feed.asked_after_loss = False
        return self._all_stale(reason, recv_ns, wall_ns)

    def _new_connection(self, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        if self._used:
            self.counters.reconnects += 1
        self._used = True
        self._lost = False
        self.listed = None
        self.last_sent = ""
        events: list[MarketEvent] = []
        for feed in self._products.values():
            feed.has_book = False
            feed.asked_after_loss = False
            feed.is_left = False
            if feed.state is FeedState.LIVE:
                events += self.change_state(feed, FeedState.STALE, "reconnected", recv_ns, wall_ns)
        return events

    def _subscribed(self, product: str, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        feed = self._products.get(product)
        if feed is None:
            return []
        feed.is_active = True
        feed.asked_after_loss = self._lost
        feed.is_left = False
        if feed.state is FeedState.IDLE:
            return self.change_state(feed, FeedState.SUBSCRIBED, "asked for", recv_ns, wall_ns)
        return []

    def _unsubscribed(self, product: str, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        feed = self._products.get(product)
        if feed is None or not feed.is_active:
            return []
        feed.has_book = False
        feed.asked_after_loss = False
        feed.is_left = True
        return self.change_state(feed, FeedState.STALE, "unsubscribed", recv_ns, wall_ns)

    def accept_snapshot(
        self,
        feed: ProductFeed,
        bids: list[Level],
        asks: list[Level],
        recv_ns: int,
        wall_ns: int,
        exchange_ns: int,
    ) -> list[MarketEvent]:
        """The snapshot, and the state that follows from it.

        After a loss a first snapshot that was already under way is shown but not believed: only one
        that replaces a book, or that was asked for since, is known to be whole. Nor is one believed that
        comes after we have left: nobody sends its changes any more.
        """
        believed = not feed.is_left and (not self._lost or feed.has_book or feed.asked_after_loss)
        feed.has_book = True
        events: list[MarketEvent] = [BookSnapshot(feed.symbol, recv_ns, wall_ns, bids, asks, exchange_ns)]
        if bids and asks and max(bids)[0] >= min(asks)[0]:
            return events + self.change_state(feed, FeedState.STALE, "crossed snapshot", recv_ns, wall_ns)
        if not believed:
            return events + self.change_state(feed, FeedState.STALE, _not_believed(feed), recv_ns, wall_ns)
        return events + self.change_state(feed, FeedState.LIVE, "snapshot", recv_ns, wall_ns)


def _not_believed(feed: ProductFeed) -> str:
    return "unsubscribed" if feed.is_left else "frames were lost"
