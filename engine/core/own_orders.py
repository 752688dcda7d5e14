"""Our own orders at one product: the record of each, their running totals, and the book without them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Self

import msgspec

from engine.core.depth import DepthReader
from engine.core.errors import OrderError
from engine.core.events import Level, SubmitOrder, Term
from engine.core.order import BUY, SELL, OrderState, Side, TimeInForce

# Looking a member up on an enum class costs more than most of what is done here.
_RESTING: Final = (TimeInForce.GTC, TimeInForce.GTD)


Explain = Callable[[], tuple[Term, ...]]


def unexplained() -> tuple[Term, ...]:
    """The explanation of an order whose price no model made."""
    return ()


class Reasons(msgspec.Struct, frozen=True):
    """Why a quote or an order has its price (terms in model units) and its size (terms in lots)."""

    price: tuple[Term, ...] = ()
    size: tuple[Term, ...] = ()


def told_as(reasons: Reasons) -> tuple[Explain, Explain]:
    """What tells these reasons when asked: those of the price, and those of the size."""
    return partial(_told, reasons.price), partial(_told, reasons.size)


def _told(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    return terms


class OwnOrderState(msgspec.Struct, frozen=True, gc=False):
    """One order as it stood; each field is the `OwnOrder`'s of that name."""

    command: SubmitOrder
    filled: int
    remaining: int
    state: OrderState
    venue_order_id: str
    accepted_ns: int | None
    cancel_asked_ns: int | None
    cancel_due_ns: int | None
    cancel_interval_ns: int
    cancel_reason: str
    uncertain_ns: int | None
    is_unresolved: bool
    ended_ns: int | None
    end_reason: str
    is_displayed: bool


class OwnOrder:
    """One order we sent, and what is known of it. Times are engine nanoseconds, None for "not yet"."""

    __slots__ = (
        "accepted_ns",
        "cancel_asked_ns",
        "cancel_due_ns",
        "cancel_interval_ns",
        "cancel_reason",
        "client_id",
        "command",
        "end_reason",
        "ended_ns",
        "explain",
        "explain_size",
        "filled",
        "is_displayed",
        "is_unresolved",
        "price",
        "remaining",
        "sent_ns",
        "side",
        "size",
        "slot",
        "state",
        "uncertain_ns",
        "venue_order_id",
    )

    def __init__(
        self, command: SubmitOrder, explain: Explain = unexplained, explain_size: Explain = unexplained
    ) -> None:
        if command.price is None:
            raise OrderError(f"order {command.client_id} has no price; only limit orders are sent")
        self.command = command
        """What was sent."""
        self.explain = explain
        """Gives the additive terms of the price when asked: telling why must not make the order later."""
        self.explain_size = explain_size
        """Gives those of the size."""
        self.client_id = command.client_id
        self.slot = command.slot
        self.side = command.side
        self.price = command.price
        self.size = command.size
        self.filled = 0
        self.remaining = command.size
        """Lots that were not filled; after the end these are the lots that were never filled."""
        self.state = OrderState.PENDING
        self.venue_order_id = ""
        self.sent_ns = command.created_ns
        self.accepted_ns: int | None = None
        """First evidence that the venue has the order."""
        self.cancel_asked_ns: int | None = None
        """When the cancel was asked for the first time."""
        self.cancel_due_ns: int | None = None
        """When the cancel is sent again."""
        self.cancel_interval_ns = 0
        self.cancel_reason = ""
        self.uncertain_ns: int | None = None
        self.is_unresolved = False
        """True once the order stayed unknown for so long that trading had to stop."""
        self.ended_ns: int | None = None
        self.end_reason = ""
        self.is_displayed = False
        """True while the venue shows the order in its book, as far as we know."""

    def reasons(self) -> Reasons:
        """Both explanations, told now."""
        return Reasons(self.explain(), self.explain_size())

    def save(self) -> OwnOrderState:
        """All of it but the explanation, which is for people."""
        return OwnOrderState(
            self.command,
            self.filled,
            self.remaining,
            self.state,
            self.venue_order_id,
            self.accepted_ns,
            self.cancel_asked_ns,
            self.cancel_due_ns,
            self.cancel_interval_ns,
            self.cancel_reason,
            self.uncertain_ns,
            self.is_unresolved,
            self.ended_ns,
            self.end_reason,
            self.is_displayed,
        )

    @classmethod
    def loaded(cls, state: OwnOrderState, reasons: Reasons | None = None) -> Self:
        """The order that was saved."""
        why = (unexplained, unexplained) if reasons is None else told_as(reasons)
        order = cls(state.command, *why)
        for name in OwnOrderState.__struct_fields__:
            setattr(order, name, getattr(state, name))
        return order


class OwnOrders:
    """All our orders that may still trade, with totals kept as they change.

    Working, unanswered and uncertain orders count in full: until the venue proves the contrary each of
    them can fill. Read the attributes; only the order manager calls the methods.
    """

    __slots__ = (
        "best_ask",
        "best_bid",
        "buy_count",
        "buy_lots",
        "buy_tick_lots",
        "by_id",
        "by_slot",
        "displayed_asks",
        "displayed_bids",
        "sell_count",
        "sell_lots",
    )

    def __init__(self) -> None:
        self.by_id: dict[str, OwnOrder] = {}
        self.by_slot: dict[str, OwnOrder] = {}
        """The order that occupies each slot."""
        self.buy_lots = 0
        self.sell_lots = 0
        self.buy_count = 0
        self.sell_count = 0
        self.buy_tick_lots = 0
        """Sum of price times lots of all buys: what they hold of the quote balance."""
        self.best_bid: int | None = None
        """Highest price of our buys."""
        self.best_ask: int | None = None
        """Lowest price of our sells."""
        self.displayed_bids: dict[int, int] = {}
        """Price -> our lots that the venue shows there."""
        self.displayed_asks: dict[int, int] = {}

    def add(self, order: OwnOrder) -> None:
        """Take a new order in. Raises `OrderError` when its id or its slot is taken."""
        if order.client_id in self.by_id or order.slot in self.by_slot:
            raise OrderError(f"order {order.client_id}: its id or its slot {order.slot!r} is already in use")
        self.by_id[order.client_id] = order
        self.by_slot[order.slot] = order
        price, lots = order.price, order.remaining
        if order.side is BUY:
            self.buy_lots += lots
            self.buy_count += 1
            self.buy_tick_lots += price * lots
            if self.best_bid is None or price > self.best_bid:
                self.best_bid = price
        else:
            self.sell_lots += lots
            self.sell_count += 1
            if self.best_ask is None or price < self.best_ask:
                self.best_ask = price

    def load(self, live: Mapping[str, OwnOrder], slots: Mapping[str, str]) -> None:
        """Hold these orders, in this order, as when they were saved: nothing is told of them again.

        `slots` has the client id of the order that occupies each slot.
        """
        self.by_id = dict(live)
        self.by_slot = {slot: live[client_id] for slot, client_id in slots.items()}
        buys = [order for order in live.values() if order.side is BUY]
        sells = [order for order in live.values() if order.side is not BUY]
        self.buy_count, self.sell_count = len(buys), len(sells)
        self.buy_lots = sum(order.remaining for order in buys)
        self.sell_lots = sum(order.remaining for order in sells)
        self.buy_tick_lots = sum(order.price * order.remaining for order in buys)
        self.best_bid = max((order.price for order in buys), default=None)
        self.best_ask = min((order.price for order in sells), default=None)
        for orders, displayed in ((buys, self.displayed_bids), (sells, self.displayed_asks)):
            displayed.clear()  # and not replaced: others look into the same one
            for order in orders:
                if order.is_displayed:
                    displayed[order.price] = displayed.get(order.price, 0) + order.remaining

    def show(self, order: OwnOrder) -> None:
        """The venue has the order: unless it cannot rest, it is part of the displayed book now."""
        if not order.is_displayed and order.command.time_in_force in _RESTING:
            order.is_displayed = True
            shown = self.displayed_bids if order.side is BUY else self.displayed_asks
            shown[order.price] = shown.get(order.price, 0) + order.remaining

    def reduce(self, order: OwnOrder, lots: int) -> None:
        """`lots` of the order, at most what remains of it, have been filled or are gone."""
        order.remaining -= lots
        if order.side is BUY:
            self.buy_lots -= lots
            self.buy_tick_lots -= order.price * lots
            shown = self.displayed_bids
        else:
            self.sell_lots -= lots
            shown = self.displayed_asks
        if lots and order.is_displayed:
            left = shown[order.price] - lots
            if left:
                shown[order.price] = left
            else:
                del shown[order.price]

    def remove(self, order: OwnOrder) -> None:
        """The order cannot trade any more; what remained of it stays on its record."""
        remaining = order.remaining
        self.reduce(order, remaining)
        order.remaining = remaining
        order.is_displayed = False
        del self.by_id[order.client_id]
        self.free_slot(order)
        if order.side is BUY:
            self.buy_count -= 1
            if order.price == self.best_bid:
                self.best_bid = max((o.price for o in self.by_id.values() if o.side is BUY), default=None)
        else:
            self.sell_count -= 1
            if order.price == self.best_ask:
                self.best_ask = min((o.price for o in self.by_id.values() if o.side is SELL), default=None)

    def free_slot(self, order: OwnOrder) -> None:
        """Let another order take the slot of this one, which may still be live."""
        if self.by_slot.get(order.slot) is order:
            del self.by_slot[order.slot]


class ExcludingOwn(DepthReader):
    """A displayed book minus what of it is ours. Levels that are ours alone vanish.

    `own_bids` and `own_asks` map price to our displayed lots; they are read, never copied, so the view
    is always current. Our record may be ahead of the display: no size goes below 0.
    """

    __slots__ = ("_asks", "_bids", "_book")

    def __init__(self, book: DepthReader, own_bids: Mapping[int, int], own_asks: Mapping[int, int]) -> None:
        self._book = book
        self._bids = own_bids
        self._asks = own_asks

    def best_bid(self) -> int | None:
        """See `DepthReader`."""
        price = self._book.best_bid()
        if price is None or price not in self._bids:
            return price
        top = self.levels(BUY, 1)
        return top[0][0] if top else None

    def best_ask(self) -> int | None:
        """See `DepthReader`."""
        price = self._book.best_ask()
        if price is None or price not in self._asks:
            return price
        top = self.levels(SELL, 1)
        return top[0][0] if top else None

    def levels(self, side: Side, depth: int | None = None) -> list[Level]:
        """See `DepthReader`."""
        own = self._bids if side is BUY else self._asks
        top = self._book.levels(side, depth)
        if own.keys().isdisjoint([price for price, _ in top]):
            return top
        if depth is not None:
            # Each price of ours can hide one level at most, so this many always suffice.
            top = self._book.levels(side, depth + len(own))
        others = [(price, left) for price, size in top if (left := size - own.get(price, 0)) > 0]
        return others if depth is None else others[:depth]

    def volume_at(self, side: Side, price: int) -> int:
        """See `DepthReader`."""
        own = self._bids if side is BUY else self._asks
        return max(0, self._book.volume_at(side, price) - own.get(price, 0))

    def sequence(self) -> int:
        """See `DepthReader`."""
        return self._book.sequence()
