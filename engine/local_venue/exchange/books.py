"""The order-level story of each product: one sequence of events, and the book that they leave."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

from engine.core.events import BookSnapshot, BookUpdate, MarketEvent, TradePrint
from engine.core.order import BUY, SELL, Side
from engine.local_venue.core import VenueCore
from engine.local_venue.exchange.own import OwnStory
from engine.local_venue.exchange.story import Message, Readers, Story
from engine.local_venue.exchange.strangers import (
    Change,
    Gone,
    Opened,
    Price,
    Resized,
    StrangerOrders,
    Traded,
)
from engine.local_venue.orders import Fill, VenueOrder
from engine.local_venue.products import Product


class ProductBook:
    """One product. `settle` tells what the strangers did, and is to be called now and then."""

    def __init__(self, core: VenueCore, product: Product, readers: Readers, random: Random) -> None:
        self.product = product
        self._core = core
        self._tape = core.tape(product.product_id)
        self._story = Story(product, core.clock, readers, random)
        self._strangers = StrangerOrders(self._story.new_id)
        self._are_told = False
        """Strangers' orders cost time, and are made up only from when somebody asks for them."""
        self._changed: dict[Price, None] = {}
        self._trades: list[TradePrint] = []
        self._last_match: Message | None = None
        self._own = OwnStory(self._story, self._take, self._touch)

    @property
    def sequence(self) -> int:
        """The number of the last event."""
        return self._story.sequence

    # -- the book ----------------------------------------------------------------------------------------

    def orders(self, side: Side) -> list[list[str | int]]:
        """Every order of a side as [price, size, id], the first to trade first."""
        self.tell_all()
        own = self._resting(side)
        rows: list[list[str | int]] = []
        ticks = {at for of, at in self._strangers.prices() if of is side} | own.keys()
        for at in sorted(ticks, reverse=side is BUY):
            queue = [(order_id, lots) for order_id, lots in self._strangers.at((side, at))]
            for order_id, lots in queue + own.get(at, []):
                rows.append([self._story.price(at), self._story.size(lots), order_id])
        return rows

    def levels(self, side: Side, depth: int | None) -> list[list[str | int]]:
        """The best levels of a side as [price, size, number of orders]."""
        own = self._resting(side)
        return [
            [
                self._story.price(at),
                self._story.size(lots),
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
        if not self._are_told:
            self._are_told = True
            self._mark_all()
            self._fit(is_silent=True)

    def tell_rests(self) -> None:
        """Tell which orders of ours rest by now."""
        self._own.tell_rests()

    def _resting(self, side: Side) -> dict[int, list[tuple[str, int]]]:
        """Our resting orders as (id, lots) by price."""
        mine = [one for one in self._core.live_orders() if one.product_id == self.product.product_id]
        return self._own.resting(mine, side)

    # -- the market --------------------------------------------------------------------------------------

    def on_market(self, event: MarketEvent) -> None:
        """Remember what is to be told."""
        if isinstance(event, TradePrint):
            self._trades.append(event)
        elif isinstance(event, BookSnapshot):
            self._mark_all()
        elif isinstance(event, BookUpdate) and self._are_told:
            for side, rows in ((BUY, event.bids), (SELL, event.asks)):
                self._changed.update(dict.fromkeys((side, at) for at, _ in rows))

    def on_order(self, order: VenueOrder, fill: Fill | None) -> None:
        """Tell what happened to an order of ours."""
        self._own.on_order(order, fill)

    def settle(self) -> None:
        """Tell what happened since the last time."""
        self.tell_rests()
        ours = self._own.matches
        if self._core.is_recorded:  # nobody has seen our orders there: its trades are between strangers
            ours.clear()
        trades, self._trades = self._trades, []
        for trade in trades:
            match = ours.pop(str(trade.trade_id), None) or self._print(trade)
            self._last_match = match
            self._story.readers.on_trade(trade, match)
        if self._are_told:
            self._fit(is_silent=False)

    def _print(self, trade: TradePrint) -> Message:
        at = (trade.taker_side.opposite, trade.price)
        return self._take(at, trade.size, trade.trade_id, self._story.new_id(), None)

    def _take(
        self, at: Price, lots: int, trade_id: int, taker_id: str, private: Mapping[str, Any] | None
    ) -> Message:
        """Somebody takes from a stranger's order; the match that tells it."""
        changes = self._strangers.trade(at, lots) if self._are_told else [Traded(self._story.new_id(), lots)]
        match: Message = {}
        for change in changes:
            if isinstance(change, Traded):
                match = self._story.tell_match(at, lots, trade_id, change.order_id, taker_id, private)
            else:
                self._tell_stranger(at, change)
        self._touch(at)
        return match

    def _touch(self, at: Price) -> None:
        """The strangers' orders at a price may not fit any more."""
        if self._are_told:
            self._changed[at] = None

    def _mark_all(self) -> None:
        if not self._are_told:
            return
        self._changed.update(dict.fromkeys(self._strangers.prices()))
        for side in (BUY, SELL):
            self._changed.update(dict.fromkeys((side, at) for at, _ in self._tape.levels.levels(side)))

    def _fit(self, *, is_silent: bool) -> None:
        """Let the strangers' orders be what the published levels leave beside ours."""
        if not self._changed:
            return
        own = {side: self._resting(side) for side in (BUY, SELL)}
        changed, self._changed = self._changed, {}
        for at in changed:
            # A recording's levels do not hold our orders, a real market's do.
            ours = 0 if self._core.is_recorded else sum(lots for _, lots in own[at[0]].get(at[1], []))
            others = max(0, self._tape.levels.volume_at(*at) - ours)
            for change in self._strangers.fit(at, others):
                if not is_silent:
                    self._tell_stranger(at, change)

    def _tell_stranger(self, at: Price, change: Change) -> None:
        side, ticks = at
        common = {"order_id": change.order_id, "side": side.word, "price": self._story.price(ticks)}
        match change:
            case Opened(_, lots):
                text = self._story.size(lots)
                self._story.tell("received", {**common, "order_type": "limit", "size": text}, None)
                self._story.tell("open", {**common, "remaining_size": text}, None)
            case Resized(_, old_lots, lots):
                sizes = {"old_size": self._story.size(old_lots), "new_size": self._story.size(lots)}
                self._story.tell("change", {"reason": "STP", **common, **sizes}, None)
            case Gone(_, lots, is_filled):
                reason = "filled" if is_filled else "canceled"
                self._story.tell(
                    "done", {**common, "reason": reason, "remaining_size": self._story.size(lots)}, None
                )


ExchangeBooks = Mapping[str, ProductBook]
