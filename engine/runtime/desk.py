"""A desk: one product's Trader with its venue, the queues between the stages, and its figures."""

from __future__ import annotations

from engine.core.events import AnyCommand, EdgeStatus, FeedState, MarketEvent, OrderEvent
from engine.core.queues import BoundedQueue, Overflow, QueueCounters
from engine.exchange.protocol import Venue
from engine.runtime.watcher import DeskWatcher
from engine.telemetry.latency import LatencyRecorder
from engine.trader import Trader

MARKET_CAPACITY = 5_000
"""More pending book changes than this and the book is invalid (trading-safety: network client and queues)."""
ORDER_CAPACITY = 10_000
COMMAND_CAPACITY = 1_000


class Desk:
    """What the stages share about one product. Each queue has one producer and one consumer."""

    __slots__ = (
        "commands",
        "latency",
        "market_events",
        "order_events",
        "product",
        "trader",
        "venue",
        "watcher",
    )

    def __init__(self, trader: Trader, venue: Venue) -> None:
        self.product = trader.instrument.symbol
        self.trader = trader
        self.venue = venue
        self.latency = LatencyRecorder()
        self.watcher = DeskWatcher(trader, venue)
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
    def is_book_impossible(self) -> bool:
        """True when a book that counts as live is crossed or locked: something was missed."""
        trader = self.trader
        return trader.book.is_crossed() and trader.feed_state is FeedState.LIVE

    def queue_counters(self) -> list[QueueCounters]:
        """Depth, high-water mark and losses of each queue."""
        return [self.market_events.counters(), self.order_events.counters(), self.commands.counters()]
