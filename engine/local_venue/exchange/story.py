"""One product's sequence of order events, and how each is written."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from random import Random
from typing import Any, Final, Protocol

from engine.core.clock import Clock
from engine.core.events import TradePrint
from engine.local_venue.exchange.strangers import Price
from engine.local_venue.exchange.texts import price, size
from engine.local_venue.money import rfc3339
from engine.local_venue.products import Product

Message = dict[str, Any]
_FIRST_SEQUENCE: Final = 1_000_000


class Readers(Protocol):
    """Whoever is told of the story."""

    def on_event(self, message: Message, private: Mapping[str, Any] | None) -> None:
        """Something happened to an order; `private` is what its owner alone is told, of an order of ours."""
        ...

    def on_trade(self, trade: TradePrint, match: Message) -> None:
        """A trade was published; `match` is what the story says of it."""
        ...


class Story:
    """Numbers events and tells them. Prices in ticks, sizes in lots."""

    def __init__(self, product: Product, clock: Clock, readers: Readers, random: Random) -> None:
        self.product = product
        self.sequence = _FIRST_SEQUENCE
        self.readers = readers
        self._clock = clock
        self._random = random

    def tell(self, kind: str, fields: Mapping[str, Any], private: Mapping[str, Any] | None) -> Message:
        """Tell an event; the message is what everybody is told of it."""
        self.sequence += 1
        message = {
            "type": kind,
            "time": rfc3339(self._clock.wall_ns()),
            "product_id": self.product.product_id,
            "sequence": self.sequence,
            **fields,
        }
        self.readers.on_event(message, private)
        return message

    def tell_match(
        self,
        at: Price,
        lots: int,
        trade_id: int,
        maker_id: str,
        taker_id: str,
        private: Mapping[str, Any] | None,
    ) -> Message:
        """Tell a trade with an order that stood at a price."""
        message = {
            "trade_id": trade_id,
            "maker_order_id": maker_id,
            "taker_order_id": taker_id,
            "side": at[0].word,
            "size": self.size(lots),
            "price": self.price(at[1]),
        }
        return self.tell("match", message, private)

    def price(self, ticks: int) -> str:
        """A price as it is written."""
        return price(self.product, ticks * self.product.tick)

    def size(self, lots: int) -> str:
        """A size as it is written."""
        return size(self.product, lots * self.product.step)

    def new_id(self) -> str:
        """An id for an order that is nobody's."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))
