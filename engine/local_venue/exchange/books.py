"""The order-level story of each product: one sequence of events, and the book that they leave."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Any, Final, Protocol

from engine.core.events import BookSnapshot, BookUpdate, MarketEvent, TradePrint
from engine.core.order import BUY, SELL, Side, TimeInForce
from engine.local_venue.core import VenueCore
from engine.local_venue.exchange.strangers import (
    Change,
    Gone,
    Opened,
    Price,
    Resized,
    StrangerOrders,
    Traded,
)
from engine.local_venue.exchange.texts import (
    PROFILE_ID,
    USER_ID,
    done_reason,
    money,
    price,
    size,
    trade_number,
)
from engine.local_venue.money import ZERO, rfc3339
from engine.local_venue.orders import Fill, OrderStatus, VenueOrder
from engine.local_venue.products import Product

Message = dict[str, Any]
_FIRST_SEQUENCE: Final = 1_000_000
_AT_ONCE: Final = (TimeInForce.IOC, TimeInForce.FOK)
_OWNER: Final = {"user_id": USER_ID, "profile_id": PROFILE_ID}


class Readers(Protocol):
    """Whoever is told of the story."""

    def on_event(self, message: Message, private: Mapping[str, Any] | None) -> None:
        """Something happened to an order; `private` is what its owner alone is told, of an order of ours."""
        ...

    def on_trade(self, trade: TradePrint, match: Message) -> None:
        """A trade was published; `match` is what the story says of it."""
        ...


class _Told:
    """What has been told of an order of ours."""

    __slots__ = ("edits", "is_open")

    def __init__(self) -> None:
        self.is_open = False
        self.edits = 0


class ProductBook:
    """One product. `settle` tells what the strangers did, and is to be called now and then."""

    def __init__(self, core: VenueCore, product: Product, readers: Readers, random: Random) -> None:
        self.product = product
        self.sequence = _FIRST_SEQUENCE
        self._core = core
        self._tape = core.tape(product.product_id)
        self._readers = readers
        self._random = random
        self._strangers = StrangerOrders(self._new_id)
        self._is_told = False
        """Strangers' orders cost time, and are made up only from when somebody asks for them."""
        self._changed: dict[Price, None] = {}
        self._trades: list[TradePrint] = []
        self._own_matches: dict[str, Message] = {}
        self._told: dict[str, _Told] = {}
        self._last_match: Message | None = None
        self._resting: dict[str, VenueOrder] = {}
        """Orders of ours that rest, or are about to trade at once: it is not told yet."""

    # -- the book ----------------------------------------------------------------------------------------

    def orders(self, side: Side) -> list[list[str | int]]:
        """Every order of a side as [price, size, id], the first to trade first."""
        self.tell_all()
        own = self._own(side)
        product = self.product
        rows: list[list[str | int]] = []
        ticks = {at for of, at in self._strangers.prices() if of is side} | own.keys()
        for at in sorted(ticks, reverse=side is BUY):
            queue = [(order_id, lots) for order_id, lots in self._strangers.at((side, at))]
            for order_id, lots in queue + own.get(at, []):
                rows.append([self._price(at), size(product, lots * product.step), order_id])
        return rows

    def levels(self, side: Side, depth: int | None) -> list[list[str | int]]:
        """The best levels of a side as [price, size, number of orders]."""
        own, product = self._own(side), self.product
        return [
            [
                self._price(at),
                size(product, lots * product.step),
                max(1, len(self._strangers.at((side, at))) + len(own.get(at, []))),
            ]
            for at, lots in self._tape.levels.levels(side, depth)
        ]

    def last_match(self) -> Message | None:
        """The last trade that was published, as a listener is told of it first; None before it."""
        return None if self._last_match is None else {**self._last_match, "type": "last_match"}

    def tell_all(self) -> None:
        """From now on the strangers' orders are told too; the book is up to date."""
        self.settle()
        if not self._is_told:
            self._is_told = True
            self._mark_all()
            self._fit(is_silent=True)

    def _own(self, side: Side) -> dict[int, list[tuple[str, int]]]:
        """Our resting orders by price, in lots."""
        found: dict[int, list[tuple[str, int]]] = {}
        instrument = self.product.instrument
        for order in self._core.live_orders():
            told = self._told.get(order.order_id)
            if order.product_id == self.product.product_id and order.side is side and told and told.is_open:
                assert order.price is not None
                at = instrument.ticks(order.price)
                found.setdefault(at, []).append((order.order_id, instrument.lots(order.leaves)))
        return found

    # -- the market --------------------------------------------------------------------------------------

    def on_market(self, event: MarketEvent) -> None:
        """Remember what is to be told."""
        if isinstance(event, TradePrint):
            self._trades.append(event)
        elif isinstance(event, BookSnapshot):
            self._mark_all()
        elif isinstance(event, BookUpdate) and self._is_told:
            for side, rows in ((BUY, event.bids), (SELL, event.asks)):
                self._changed.update(dict.fromkeys((side, at) for at, _ in rows))

    def settle(self) -> None:
        """Tell what happened since the last time."""
        self.tell_rests()
        trades, self._trades = self._trades, []
        for trade in trades:
            match = self._own_matches.pop(str(trade.trade_id), None) or self._print(trade)
            self._last_match = match
            self._readers.on_trade(trade, match)
        if self._is_told:
            self._fit(is_silent=False)

    def _print(self, trade: TradePrint) -> Message:
        at = (trade.taker_side.opposite, trade.price)
        return self._take(at, trade.size, trade.trade_id, self._new_id(), None)

    def _take(
        self, at: Price, lots: int, trade_id: int, taker_id: str, private: Mapping[str, Any] | None
    ) -> Message:
        """Somebody takes from a stranger's order; the match that tells it."""
        changes = self._strangers.trade(at, lots) if self._is_told else [Traded(self._new_id(), lots)]
        match: Message = {}
        for change in changes:
            if isinstance(change, Traded):
                match = self._match(at, lots, trade_id, change.order_id, taker_id, private)
            else:
                self._tell_stranger(at, change)
        self._changed[at] = None
        return match

    def _mark_all(self) -> None:
        if not self._is_told:
            return
        self._changed.update(dict.fromkeys(self._strangers.prices()))
        for side in (BUY, SELL):
            self._changed.update(dict.fromkeys((side, at) for at, _ in self._tape.levels.levels(side)))

    def _fit(self, *, is_silent: bool) -> None:
        """Let the strangers' orders be what the published levels leave beside ours."""
        if not self._changed:
            return
        own = {side: self._own(side) for side in (BUY, SELL)}
        changed, self._changed = self._changed, {}
        for at in changed:
            ours = sum(lots for _, lots in own[at[0]].get(at[1], []))
            others = max(0, self._tape.levels.volume_at(*at) - ours)
            for change in self._strangers.fit(at, others):
                if not is_silent:
                    self._tell_stranger(at, change)

    # -- our orders --------------------------------------------------------------------------------------

    def on_order(self, order: VenueOrder, fill: Fill | None) -> None:
        """Tell what happened to an order of ours."""
        told = self._told.get(order.order_id)
        if told is None:
            told = self._told[order.order_id] = _Told()
            self._tell_received(order)
        if order.status is OrderStatus.OPEN and not told.is_open and _may_rest(order):
            self._resting[order.order_id] = order
        if fill is not None and fill.is_maker:
            self._tell_rest(order, fill.size)
        if len(order.edits) > told.edits:
            told.edits = len(order.edits)
            self._tell_edit(order, told)
        if fill is not None:
            self._tell_fill(order, fill)
            if told.is_open and order.is_live and not fill.is_maker:
                # It rested, was given a price at which it takes, and is smaller now.
                assert order.price is not None
                self._tell_change(order, order.price, order.leaves + fill.size)
        if not order.is_live:
            told.is_open = False
            self._resting.pop(order.order_id, None)
            self._tell_done(order)
        if order.price is not None:
            self._changed[(order.side, self.product.instrument.ticks(order.price))] = None

    def _tell_received(self, order: VenueOrder) -> None:
        message: Message = {
            "order_id": order.order_id,
            "order_type": "market" if order.price is None else "limit",
            "side": order.side.word,
        }
        if order.client_order_id:
            message["client_oid"] = order.client_order_id
        if order.asked.quote_size is not None:
            message["funds"] = money(order.asked.quote_size)
        else:
            message["size"] = size(self.product, order.size)
        if order.price is not None:
            message["price"] = price(self.product, order.price)
        self._tell("received", message, _OWNER)

    def tell_rests(self) -> None:
        """Tell which orders of ours rest by now."""
        for order in list(self._resting.values()):
            self._tell_rest(order)

    def _tell_rest(self, order: VenueOrder, just_filled: Decimal = ZERO) -> None:
        """It came to rest, before the fill of this size; nothing if that is told, or if it does not rest."""
        if self._resting.pop(order.order_id, None) is None:
            return
        self._told[order.order_id].is_open = True
        assert order.price is not None
        remaining = order.size - order.filled + just_filled
        message = {
            "order_id": order.order_id,
            "price": price(self.product, order.price),
            "remaining_size": size(self.product, remaining),
            "side": order.side.word,
        }
        self._tell("open", message, _OWNER)

    def _tell_edit(self, order: VenueOrder, told: _Told) -> None:
        """It has another price or size; of one that nobody knows to rest, that is told when it does."""
        before = order.edits[-1]
        self._changed[(order.side, self.product.instrument.ticks(before.price))] = None
        if told.is_open:
            self._tell_change(order, before.price, before.size - order.filled)

    def _tell_change(self, order: VenueOrder, old_price: Decimal, old_size: Decimal) -> None:
        assert order.price is not None
        message = {
            "reason": "modify_order",
            "order_id": order.order_id,
            "side": order.side.word,
            "old_size": size(self.product, old_size),
            "new_size": size(self.product, order.leaves),
            "old_price": price(self.product, old_price),
            "new_price": price(self.product, order.price),
        }
        self._tell("change", message, _OWNER)

    def _tell_fill(self, order: VenueOrder, fill: Fill) -> None:
        instrument = self.product.instrument
        ticks, lots = instrument.ticks(fill.price), instrument.lots(fill.size)
        number = trade_number(fill.trade_id)
        role = "maker" if fill.is_maker else "taker"
        private = _OWNER | {
            f"{role}_user_id": USER_ID,
            f"{role}_profile_id": PROFILE_ID,
            f"{role}_fee_rate": f"{order.maker_rate if fill.is_maker else order.taker_rate:f}",
        }
        if fill.is_maker:
            match = self._match((order.side, ticks), lots, number, order.order_id, self._new_id(), private)
        else:
            match = self._take((order.side.opposite, ticks), lots, number, order.order_id, private)
        self._own_matches[fill.trade_id] = match

    def _tell_done(self, order: VenueOrder) -> None:
        left = order.size - order.filled
        message: Message = {
            "order_id": order.order_id,
            "reason": done_reason(order),
            "side": order.side.word,
        }
        if order.price is not None:
            message |= {
                "price": price(self.product, order.price),
                "remaining_size": size(self.product, left),
            }
        if order.status is OrderStatus.CANCELLED and order.asked.time_in_force in _AT_ONCE:
            message["cancel_reason"] = "101:Time In Force"
        self._tell("done", message, _OWNER)

    # -- telling -----------------------------------------------------------------------------------------

    def _match(
        self,
        at: Price,
        lots: int,
        trade_id: int,
        maker_id: str,
        taker_id: str,
        private: Mapping[str, Any] | None,
    ) -> Message:
        message = {
            "trade_id": trade_id,
            "maker_order_id": maker_id,
            "taker_order_id": taker_id,
            "side": at[0].word,
            "size": self._size(lots),
            "price": self._price(at[1]),
        }
        return self._tell("match", message, private)

    def _tell_stranger(self, at: Price, change: Change) -> None:
        side, ticks = at
        common = {"order_id": change.order_id, "side": side.word, "price": self._price(ticks)}
        match change:
            case Opened(_, lots):
                text = self._size(lots)
                self._tell("received", {**common, "order_type": "limit", "size": text}, None)
                self._tell("open", {**common, "remaining_size": text}, None)
            case Resized(_, old_lots, lots):
                sizes = {"old_size": self._size(old_lots), "new_size": self._size(lots)}
                self._tell("change", {"reason": "STP", **common, **sizes}, None)
            case Gone(_, lots, is_filled):
                reason = "filled" if is_filled else "canceled"
                self._tell("done", {**common, "reason": reason, "remaining_size": self._size(lots)}, None)

    def _tell(self, kind: str, fields: Mapping[str, Any], private: Mapping[str, Any] | None) -> Message:
        self.sequence += 1
        message = {
            "type": kind,
            "time": rfc3339(self._core.clock.wall_ns()),
            "product_id": self.product.product_id,
            "sequence": self.sequence,
            **fields,
        }
        self._readers.on_event(message, private)
        return message

    def _price(self, ticks: int) -> str:
        return price(self.product, ticks * self.product.tick)

    def _size(self, lots: int) -> str:
        return size(self.product, lots * self.product.step)

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))


def _may_rest(order: VenueOrder) -> bool:
    return order.price is not None and order.asked.time_in_force not in _AT_ONCE


ExchangeBooks = Mapping[str, ProductBook]
