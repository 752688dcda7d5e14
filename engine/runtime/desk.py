"""A desk: one product's Trader with its venue, the queues between the stages, and its figures."""

from __future__ import annotations

from engine.core.events import AnyCommand, EdgeStatus, FeedState, MarketEvent, OrderEvent
from engine.core.queues import BoundedQueue, Overflow, QueueCounters
from engine.exchange.protocol import Feed, Venue
from engine.runtime.watcher import DeskWatcher
from engine.telemetry.latency import LatencyRecorder
from engine.trader.trader import Trader

MARKET_CAPACITY = 5_000
"""More pending book changes than this and the book is invalid (trading-safety: network client and queues)."""
ORDER_CAPACITY = 10_000
COMMAND_CAPACITY = 1_000


class Desk:
    """What the stages share about one product. Each queue has one producer and one consumer."""

    __slots__ = (
        "commands",
        "feed",
        "latency",
        "market_events",
        "next_timer_ns",
        "order_events",
        "product",
        "trader",
        "venue",
        "watcher",
    )

    def __init__(self, trader: Trader, venue: Venue, feed: Feed | None = None) -> None:
        """`feed` is the one that serves this product alone; None where one serves many."""
        self.product = trader.instrument.symbol
        self.trader = trader
        self.venue = venue
        self.feed = feed
        self.latency = LatencyRecorder()
        self.watcher = DeskWatcher(trader, venue)
        self.next_timer_ns = 0
        """Engine time at which its strategy is asked next, whatever else happens."""
        self.market_events: BoundedQueue[MarketEvent] = BoundedQueue(
            f"{self.product} market data", MARKET_CAPACITY, Overflow.REFUSE
        )
        # Answers of the venue are never lost, whatever it costs.
        self.order_events: BoundedQueue[OrderEvent | EdgeStatus] = BoundedQueue(
            f"{self.product} order events", ORDER_CAPACITY, Overflow.GROW
        )
        self.commands: BoundedQueue[AnyCommand] = BoundedQueue(
            f"{self.product} commands", COMMAND_CAPACITY, Overflow.GROW
        )

    @property
    def has_waiting(self) -> bool:
        """True when something has come that its Trader was not shown yet."""
        return len(self.market_events) > 0 or len(self.order_events) > 0

    def is_due(self, now_ns: int) -> bool:
        """True when this desk is one that a wake-up at `now_ns` is for, whatever will have come then."""
        if now_ns >= self.next_timer_ns:
            return True
        answers = self.venue.next_due_ns()
        market = None if self.feed is None else self.feed.next_due_ns()
        return (answers is not None and now_ns >= answers) or (market is not None and now_ns >= market)

    @property
    def is_book_impossible(self) -> bool:
        """True when a book that counts as live is crossed or locked: something was missed."""
        trader = self.trader
        return trader.book.is_crossed() and trader.feed_state is FeedState.LIVE

    def queue_counters(self) -> list[QueueCounters]:
        """Depth, high-water mark and losses of each queue."""
        return [self.market_events.counters(), self.order_events.counters(), self.commands.counters()]
