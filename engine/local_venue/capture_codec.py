"""Reading recorded frames of the real venue: written from the protocol alone, shared with no client."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

import msgspec

from engine.core.errors import RecordingError
from engine.core.events import BookSnapshot, BookUpdate, FeedState, FeedStatus, Level, MarketEvent, TradePrint
from engine.core.order import Side
from engine.local_venue.market import Batch, RecordedFrame
from engine.local_venue.products import Product

PASSED_ON: Final = frozenset({"l2_data", "market_trades", "ticker", "ticker_batch", "candles"})
"""Channels whose frames are played again; the others are the venue's own business."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES: Final = re.compile(r'"(event_time|time)":"([^"]+)"')


class _Envelope(msgspec.Struct):
    channel: str = ""
    timestamp: str = ""
    events: msgspec.Raw = msgspec.Raw(b"[]")


class _Change(msgspec.Struct):
    side: str
    event_time: str
    price_level: str
    new_quantity: str


class _Trade(msgspec.Struct):
    product_id: str
    trade_id: str
    price: str
    size: str
    time: str
    side: str


class _Named(msgspec.Struct):
    product_id: str


class _Event(msgspec.Struct):
    type: str
    product_id: str = ""
    updates: list[_Change] = []
    trades: list[_Trade] = []
    tickers: list[_Named] = []
    candles: list[_Named] = []


class CaptureDecoder:
    """Turns one recording's frames into market events, each trade once."""

    def __init__(self, products: Mapping[str, Product]) -> None:
        self._products = products
        self._envelope = msgspec.json.Decoder(_Envelope)
        self._events = msgspec.json.Decoder(list[_Event])
        self._last_trade: dict[str, int] = {}
        self.shift_ns = 0
        """Added to every time of the recording."""

    def decode(self, raw: str, recv_ns: int, wall_ns: int) -> Batch | None:
        """The frame and what it says of our products; None for one that is not played.

        `recv_ns` and `wall_ns` are the moment at which it is played, in both clocks. Raises
        `RecordingError` for what cannot be read or is off a product's increments.
        """
        try:
            envelope = self._envelope.decode(raw)
            if envelope.channel not in PASSED_ON:
                return None
            text = bytes(envelope.events).decode()
            events = self._events.decode(text)
            found: list[MarketEvent] = []
            product_ids: set[str] = set()
            for event in events:
                product_ids.update(_product_ids(event))
                if envelope.channel == "l2_data":
                    found += self._book_events(event, recv_ns, wall_ns)
                elif envelope.channel == "market_trades":
                    found += self._prints(event, recv_ns, wall_ns)
        except (msgspec.DecodeError, ValueError, UnicodeDecodeError) as error:
            raise RecordingError(f"a recorded frame cannot be read: {error}") from error
        kind = events[0].type if events else ""
        timestamp = envelope.timestamp
        if self.shift_ns:
            text = _TIMES.sub(lambda match: f'"{match[1]}":"{moved(match[2], self.shift_ns)}"', text)
            timestamp = moved(timestamp, self.shift_ns)
        frame = RecordedFrame(envelope.channel, timestamp, text, kind, frozenset(product_ids))
        return Batch(found, frame)

    def _book_events(self, event: _Event, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        product = self._products.get(event.product_id)
        if product is None:
            return []
        bids: list[Level] = []
        asks: list[Level] = []
        instrument = product.instrument
        price_places, size_places = instrument.price_places, instrument.size_places
        for change in event.updates:
            price = _steps(change.price_level, price_places, instrument.tick_steps)
            size = _steps(change.new_quantity, size_places, instrument.lot_steps)
            (bids if change.side == "bid" else asks).append((price, size))
        at_ns = wall_clock_ns(event.updates[0].event_time) + self.shift_ns if event.updates else 0
        if event.type != "snapshot":
            return [BookUpdate(event.product_id, recv_ns, wall_ns, bids, asks, at_ns)]
        live = FeedStatus(event.product_id, recv_ns, wall_ns, FeedState.LIVE, "snapshot received")
        return [BookSnapshot(event.product_id, recv_ns, wall_ns, bids, asks, at_ns), live]

    def _prints(self, event: _Event, recv_ns: int, wall_ns: int) -> list[TradePrint]:
        prints = []
        for trade in reversed(event.trades):
            product = self._products.get(trade.product_id)
            number = int(trade.trade_id)
            if product is None or number <= self._last_trade.get(trade.product_id, 0):
                continue
            self._last_trade[trade.product_id] = number
            instrument = product.instrument
            prints.append(
                TradePrint(
                    trade.product_id,
                    recv_ns,
                    wall_ns,
                    number,
                    _steps(trade.price, instrument.price_places, instrument.tick_steps),
                    _steps(trade.size, instrument.size_places, instrument.lot_steps),
                    # The recorded side is the maker's.
                    Side.SELL if trade.side == "BUY" else Side.BUY,
                    wall_clock_ns(trade.time) + self.shift_ns,
                )
            )
        return prints


def _product_ids(event: _Event) -> set[str]:
    named = {each.product_id for rows in (event.trades, event.tickers, event.candles) for each in rows}
    return named | ({event.product_id} if event.product_id else set())


def _steps(text: str, places: int, step: int) -> int:
    """A plain decimal as a whole number of steps of `step * 10**-places`."""
    whole, _, fraction = text.partition(".")
    if len(fraction) > places:
        fraction = fraction.rstrip("0")
    digits = whole + fraction.ljust(places, "0")
    if not whole or not (digits.isascii() and digits.isdecimal()):
        raise ValueError(f"{text!r} is not a plain decimal number")
    units = int(digits)
    if len(fraction) > places or units % step:
        raise ValueError(f"{text} is finer than the product's increment")
    return units // step


@lru_cache(maxsize=4_096)
def wall_clock_ns(text: str) -> int:
    """An RFC 3339 UTC time with up to nine digits, in nanoseconds since 1970."""
    head, _, fraction = text.removesuffix("Z").partition(".")
    seconds = (datetime.fromisoformat(head).replace(tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
    return seconds * 1_000_000_000 + int(fraction.ljust(9, "0") or "0")


@lru_cache(maxsize=4_096)
def moved(text: str, shift_ns: int) -> str:
    """The same time, later by `shift_ns`, with as many digits."""
    digits = len(text.removesuffix("Z").partition(".")[2])
    at_ns = wall_clock_ns(text) + shift_ns
    moment = _EPOCH + timedelta(seconds=at_ns // 1_000_000_000)
    fraction = f".{at_ns % 1_000_000_000:09d}"[: digits + 1] if digits else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"
