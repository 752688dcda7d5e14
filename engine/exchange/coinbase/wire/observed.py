"""Instruments from what a recording shows: per product the finest price and size that occur in it.

A recording does not carry the venue's increments. Powers of ten as fine as anything in it represent
all of it exactly, which is all that reading it needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from engine.core.instrument import Instrument, scaled_text
from engine.exchange.coinbase.wire import advanced_messages, exchange_messages
from engine.exchange.coinbase.wire.session import REFUSED

_PLAIN: Final = re.compile(r"(?:0|[1-9][0-9]{0,23})(?:\.[0-9]{1,20})?", re.ASCII)


class _Steps:
    __slots__ = ("price_places", "size_places")

    def __init__(self) -> None:
        self.price_places: int = 0
        self.size_places: int = 0


class ObservedInstruments:
    """Collects the precision of every product whose book or trades pass by. What cannot be read is left
    to the session to count."""

    def __init__(self) -> None:
        self._steps: dict[str, _Steps] = {}
        self._advanced = msgspec.json.Decoder(
            advanced_messages.L2Frame | advanced_messages.TradesFrame, strict=False
        )
        self._exchange = msgspec.json.Decoder(
            exchange_messages.Snapshot
            | exchange_messages.L2Update
            | exchange_messages.Match
            | exchange_messages.Received
            | exchange_messages.Open
            | exchange_messages.Done
            | exchange_messages.Change,
            strict=False,
        )
        self.by_order: set[str] = set()
        """Products of the full channel."""

    def has_seen(self, products: Iterable[str]) -> bool:
        """True when each of the products has passed by."""
        return all(product in self._steps for product in products)

    def add_advanced(self, raw: bytes | str) -> None:
        """Look at a frame of Advanced Trade."""
        try:
            frame = self._advanced.decode(raw)
        except REFUSED:
            return
        if isinstance(frame, advanced_messages.L2Frame):
            for event in frame.events:
                self._note(
                    event.product_id, ((change.price_level, change.new_quantity) for change in event.updates)
                )
        else:
            for trades in frame.events:
                for trade in trades.trades:
                    self._note(trade.product_id, ((trade.price, trade.size),))

    def add_exchange(self, raw: bytes | str) -> None:
        """Look at a frame of Exchange."""
        try:
            message = self._exchange.decode(raw)
        except REFUSED:
            return
        product = message.product_id
        if isinstance(message, exchange_messages.L2Update):
            self._note(product, ((price, size) for _, price, size in message.changes))
        elif isinstance(message, exchange_messages.Snapshot):
            self._note(product, message.bids)
            self._note(product, message.asks)
        elif isinstance(message, exchange_messages.Match):
            self._note(product, ((message.price, message.size),))
        else:
            self.by_order.add(product)
            if isinstance(message, exchange_messages.Open):
                self._note(product, ((message.price, message.remaining_size),))
            elif isinstance(message, exchange_messages.Change):
                self._note(product, ((message.new_price or "", message.new_size or ""),))

    def add_level3(self, product: str, body: bytes) -> None:
        """Look at an order-by-order snapshot."""
        try:
            book = msgspec.json.decode(body, type=exchange_messages.Level3Book)
        except REFUSED:
            return
        for side in (book.bids, book.asks):
            self._note(product, ((price, size) for price, size, _ in side))

    def instruments(self) -> dict[str, Instrument]:
        """One instrument for each product seen."""
        return {
            product: Instrument.create(product, tick=_step(steps.price_places), lot=_step(steps.size_places))
            for product, steps in self._steps.items()
        }

    def _note(self, product: str, levels: Iterable[tuple[str, str]]) -> None:
        steps = self._steps.get(product)
        if steps is None:
            self._steps[product] = steps = _Steps()
        for price, size in levels:
            steps.price_places = _finer(steps.price_places, price)
            steps.size_places = _finer(steps.size_places, size)


def _finer(places: int, text: str) -> int:
    point = text.find(".")
    # Only a text longer than the finest one so far can be finer.
    if point < 0 or len(text) - point - 1 <= places or _PLAIN.fullmatch(text) is None:
        return places
    return max(places, len(text.rstrip("0")) - point - 1)


def _step(places: int) -> str:
    return scaled_text(1, places)
