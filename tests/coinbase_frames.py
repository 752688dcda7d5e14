"""Frames of both Coinbase APIs composed for tests, and sessions to feed them to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from engine.core.events import MarketEvent
from engine.core.instrument import Instrument
from engine.core.price_levels import PriceLevels
from engine.exchange.coinbase.wire.session import FeedSession

INSTRUMENTS = {
    "BTC-USD": Instrument.create("BTC-USD", tick="0.01", lot="0.00000001"),
    "ETH-USD": Instrument.create("ETH-USD", tick="0.01", lot="0.00000001"),
    "SKL-BTC": Instrument.create("SKL-BTC", tick="0.00000001", lot="0.1"),
}

Changes = Sequence[tuple[str, str]]


def advanced(channel: str, sequence: int, *events: object) -> str:
    """An envelope of Advanced Trade."""
    return json.dumps(
        {
            "channel": channel,
            "timestamp": "2026-08-09T21:05:48.483587501Z",
            "sequence_num": sequence,
            "events": list(events),
        }
    )


TIMESTAMP_NS = 1786309548483587501
"""The envelope's time, from `date -d 2026-08-09T21:05:48Z +%s`."""


def l2_event(kind: str, product: str, bids: Changes = (), asks: Changes = ()) -> dict[str, object]:
    """One event of channel level2."""
    return {
        "type": kind,
        "product_id": product,
        "updates": [
            {"side": side, "event_time": "2026-08-09T21:05:48.1Z", "price_level": price, "new_quantity": size}
            for side, changes in (("bid", bids), ("offer", asks))
            for price, size in changes
        ],
    }


def l2(sequence: int, kind: str, product: str = "BTC-USD", bids: Changes = (), asks: Changes = ()) -> str:
    """A frame of channel level2."""
    return advanced("l2_data", sequence, l2_event(kind, product, bids, asks))


def l2_snapshot(sequence: int, product: str = "BTC-USD") -> str:
    """A small book: two levels a side around 100."""
    return l2(
        sequence,
        "snapshot",
        product,
        [("99.99", "1"), ("99.98", "2")],
        [("100.01", "0.5"), ("100.02", "0.25")],
    )


def trades(sequence: int, kind: str, *rows: tuple[int, str, str, str], product: str = "BTC-USD") -> str:
    """A frame of channel market_trades; rows of (id, price, size, maker side), newest first."""
    return advanced(
        "market_trades",
        sequence,
        {
            "type": kind,
            "trades": [
                {
                    "product_id": product,
                    "trade_id": str(number),
                    "price": price,
                    "size": size,
                    "side": side,
                    "time": "2026-08-09T21:05:42.5Z",
                }
                for number, price, size, side in rows
            ],
        },
    )


def heartbeat(sequence: int, counter: int | str) -> str:
    """A frame of channel heartbeats."""
    return advanced(
        "heartbeats",
        sequence,
        {"current_time": "2026-08-09 21:05:48.85 +0000 UTC m=+1.2", "heartbeat_counter": counter},
    )


def subscribe(product: str, kind: str = "subscribe") -> str:
    """Our request for a product's book on Advanced Trade."""
    return json.dumps({"type": kind, "product_ids": [product], "channel": "level2"})


class Holder:
    """Holds the books of a session, as whoever uses one does."""

    def __init__(self, session: FeedSession) -> None:
        self.session = session
        self.books: dict[str, PriceLevels] = {}
        self.events: list[MarketEvent] = []

    def feed(self, *frames: bytes | str) -> list[MarketEvent]:
        """Feed frames, apply what comes out, and return it."""
        events: list[MarketEvent] = []
        for raw in frames:
            events += self.take(self.session.on_frame(raw, 5, 7))
        return events

    def take(self, events: Iterable[MarketEvent]) -> list[MarketEvent]:
        """Apply events to the books."""
        taken = list(events)
        for event in taken:
            name = type(event).__name__
            if name in ("BookSnapshot", "BookUpdate"):
                book = self.books.setdefault(event.product, PriceLevels())
                apply = book.apply_snapshot if name == "BookSnapshot" else book.apply
                apply(event.bids, event.asks)  # type: ignore[union-attr]
        self.events += taken
        return taken
