"""What is told of the account's own orders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from engine.core.order import Side, TimeInForce
from engine.local_venue.exchange.story import Message, Story
from engine.local_venue.exchange.strangers import Price
from engine.local_venue.exchange.texts import (
    PROFILE_ID,
    USER_ID,
    done_reason,
    money,
    price,
    size,
    trade_number,
)
from engine.local_venue.money import ZERO
from engine.local_venue.orders import Fill, OrderStatus, VenueOrder

_AT_ONCE: Final = (TimeInForce.IOC, TimeInForce.FOK)
_OWNER: Final = {"user_id": USER_ID, "profile_id": PROFILE_ID}

Take = Callable[[Price, int, int, str, Mapping[str, Any] | None], Message]
"""Somebody (the id) takes lots at a price from strangers, under a trade's number: what is told of it."""


class _Told:
    """What has been told of an order."""

    __slots__ = ("edits", "is_done", "is_open")

    def __init__(self) -> None:
        self.is_open = False
        self.is_done = False
        self.edits = 0


class OwnStory:
    """The part of a product's story that is about orders of ours."""

    def __init__(self, story: Story, take: Take, touch: Callable[[Price], None]) -> None:
        """`touch` is told where the book has changed by an order of ours."""
        self.product = story.product
        self.matches: dict[str, Message] = {}
        """What was told of trades that are not published yet, by trade id."""
        self._story = story
        self._take = take
        self._touch = touch
        self._told: dict[str, _Told] = {}
        self._resting: dict[str, VenueOrder] = {}
        """Orders that rest, or are about to trade at once: it is not told yet."""

    def resting(self, orders: Iterable[VenueOrder], side: Side) -> dict[int, list[tuple[str, int]]]:
        """Those of the orders that were told to rest on a side, as (id, lots) by price."""
        found: dict[int, list[tuple[str, int]]] = {}
        instrument = self.product.instrument
        for order in orders:
            told = self._told.get(order.order_id)
            if told is not None and told.is_open and order.side is side:
                assert order.price is not None
                at = instrument.ticks(order.price)
                found.setdefault(at, []).append((order.order_id, instrument.lots(order.leaves)))
        return found

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
            if not told.is_done:
                told.is_done = True
                self._tell_done(order)
        if order.price is not None:
            self._touch((order.side, self.product.instrument.ticks(order.price)))

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
        self._story.tell("received", message, _OWNER)

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
        self._story.tell("open", message, _OWNER)

    def _tell_edit(self, order: VenueOrder, told: _Told) -> None:
        """It has another price or size; of one that nobody knows to rest, that is told when it does."""
        before = order.edits[-1]
        self._touch((order.side, self.product.instrument.ticks(before.price)))
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
        self._story.tell("change", message, _OWNER)

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
            match = self._story.tell_match(
                (order.side, ticks), lots, number, order.order_id, self._story.new_id(), private
            )
        else:
            match = self._take((order.side.opposite, ticks), lots, number, order.order_id, private)
        self.matches[fill.trade_id] = match

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
        self._story.tell("done", message, _OWNER)


def _may_rest(order: VenueOrder) -> bool:
    return order.price is not None and order.asked.time_in_force not in _AT_ONCE
