"""What the exchange publishes: the whole book once, then changed levels and trades, in batches."""

from __future__ import annotations

from collections import deque

import msgspec

from engine.core.events import BookSnapshot, BookUpdate, FeedState, FeedStatus, MarketEvent, TradePrint
from engine.core.order_book import OrderBook
from engine.core.order_book_events import Trade
from engine.exchange.simulator.link import Link


class MarketDataState(msgspec.Struct, frozen=True, gc=False):
    """A `MarketData`: trades not yet sent, with their times, and messages that have not arrived."""

    tape: list[tuple[int, Trade]]
    sent: list[MarketEvent]


class MarketData:
    """Collects trades and changed levels and sends them over a link."""

    __slots__ = ("_book", "_link", "_product", "_sent", "_start_wall_ns", "_tape")

    def __init__(self, product: str, book: OrderBook, link: Link, start_wall_ns: int) -> None:
        self._product = product
        self._book = book
        self._link = link
        self._start_wall_ns = start_wall_ns
        self._tape: list[tuple[int, Trade]] = []
        self._sent: deque[MarketEvent] = deque()

    def open(self, now_ns: int) -> None:
        """Send the whole book and the word that it may be believed."""
        self._book.drain_changed_levels()
        arrival = self._link.arrival(now_ns)
        wall = self._start_wall_ns + arrival
        bids, asks = self._book.bids(), self._book.asks()
        self._sent.append(
            BookSnapshot(self._product, arrival, wall, bids, asks, exchange_ns=self._start_wall_ns + now_ns)
        )
        self._sent.append(FeedStatus(self._product, arrival, wall, FeedState.LIVE, "snapshot received"))

    def record(self, now_ns: int, trade: Trade) -> None:
        """Note a trade for the next batch."""
        self._tape.append((now_ns, trade))

    def publish(self, now_ns: int) -> None:
        """Send what happened since the last batch, trades before the book they led to; nothing if nothing."""
        bids, asks = self._book.drain_changed_levels()
        if not (bids or asks or self._tape):
            return
        arrival = self._link.arrival(now_ns)
        wall, send = self._start_wall_ns + arrival, self._sent.append
        for traded_ns, trade in self._tape:
            exchange_ns = self._start_wall_ns + traded_ns
            send(
                TradePrint(
                    self._product,
                    arrival,
                    wall,
                    trade.sequence,
                    trade.price,
                    trade.size,
                    trade.taker_side,
                    exchange_ns,
                )
            )
        self._tape.clear()
        if bids or asks:
            send(BookUpdate(self._product, arrival, wall, bids, asks, self._start_wall_ns + now_ns))

    def next_arrival_ns(self) -> int | None:
        """When the next message on the way arrives, or None."""
        return self._sent[0].recv_ns if self._sent else None

    def arrived(self, now_ns: int) -> list[MarketEvent]:
        """Everything that has arrived by now."""
        sent, arrived = self._sent, []
        while sent and sent[0].recv_ns <= now_ns:
            arrived.append(sent.popleft())
        return arrived

    def save(self) -> MarketDataState:
        """A copy, without the book and the link, which are others' too."""
        return MarketDataState(list(self._tape), list(self._sent))

    def load(self, state: MarketDataState) -> None:
        """Go on from a saved one."""
        self._tape = list(state.tape)
        self._sent = deque(state.sent)
