"""The Exchange `user` channel: received, open, match, change and done of our orders, as cumulative reports.

The messages carry no cumulative figures, so they are added up here, exactly. An order whose beginning was
not seen on this connection cannot be added up: its executions are told one by one, and when it ends that
is told as missing news, for which the venue's own list has to be asked. So is one whose end does not fit what
was added up, and an execution that does not say what it costs.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from decimal import Context, Decimal, localcontext
from typing import Final

import msgspec

from engine.core.foreign_text import harmless, identifier
from engine.core.order import Side
from engine.exchange.coinbase.wire.exchange_messages import (
    Change,
    Error,
    ExchangeHeartbeat,
    Match,
    Open,
    OrderMessage,
    Subscriptions,
    TypeHead,
)
from engine.exchange.coinbase.wire.session import REFUSED, FeedCounters
from engine.exchange.coinbase.wire.user import OrderReport, UserMatch, exact, own_side

_EXACT: Final = Context(prec=200)
_MOST_ENDED: Final = 5_000
"""Ended orders remembered; those that ended first are forgotten first."""
_ORDER_TYPES: Final = frozenset({"received", "open", "done", "change", "match"})


class OwnReceived(OrderMessage, tag="received", kw_only=True, gc=False):
    """An order of ours arrived. A market order has no price, and may have no size."""

    side: str
    price: str | None = None
    size: str | None = None
    order_type: str = ""
    client_oid: str | None = None


class OwnDone(OrderMessage, tag="done", gc=False):
    """An order of ours has ended; `reason` is filled or canceled."""

    reason: str = ""
    cancel_reason: str | None = None
    remaining_size: str | None = None


_Message = OwnReceived | Open | OwnDone | Change | Match | ExchangeHeartbeat | Subscriptions | Error


def own_match(message: Match) -> UserMatch:
    """Our side of an execution. `ValueError` for a side or figure that is none."""
    is_maker = bool(message.maker_user_id or message.maker_fee_rate)
    maker_side = own_side(message.side)
    return UserMatch(
        product=identifier(message.product_id),
        trade_id=message.trade_id,
        order_id=identifier(message.maker_order_id if is_maker else message.taker_order_id),
        side=maker_side if is_maker else maker_side.opposite,
        is_maker=is_maker,
        price=exact(message.price),
        size=exact(message.size),
        fee_rate=exact((message.maker_fee_rate if is_maker else message.taker_fee_rate) or "0"),
    )


@dataclass(slots=True)
class _Order:
    """One order, added up from its beginning."""

    order_id: str
    client_id: str
    product: str
    side: Side
    order_type: str
    price: Decimal | None
    size: Decimal | None
    status: str = "PENDING"
    cancel_reason: str = ""
    filled: Decimal = Decimal(0)
    value: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    trades: set[int] = field(default_factory=set)

    def add(self, match: UserMatch) -> bool:
        """Add an execution; False for one that is in the sum already."""
        if match.trade_id in self.trades:
            return False
        self.trades.add(match.trade_id)
        with localcontext(_EXACT):
            value = match.price * match.size
            self.filled += match.size
            self.value += value
            self.fees += value * match.fee_rate
        return True

    def report(self) -> OrderReport:
        with localcontext(_EXACT):
            left = Decimal(0) if self.size is None else max(self.size - self.filled, Decimal(0))
        is_over = self.status in ("FILLED", "CANCELLED")
        return OrderReport(
            order_id=identifier(self.order_id),
            client_order_id=identifier(self.client_id),
            product=identifier(self.product),
            side=self.side,
            status=self.status,
            order_type=self.order_type,
            time_in_force="",
            post_only=False,
            limit_price=self.price,
            stop_price=None,
            filled=self.filled,
            remaining=Decimal(0) if is_over else left,
            average_price=self.value / self.filled if self.filled else Decimal(0),
            filled_value=self.value,
            fees=self.fees,
            number_of_fills=len(self.trades),
            cancel_reason=harmless(self.cancel_reason),
            reject_reason="",
        )


class OwnMessages:
    """The messages of one `user` connection after the other. One that cannot be read changes nothing."""

    def __init__(self) -> None:
        self.counters = FeedCounters()
        self.is_subscribed = False
        """True once the venue has said, on this connection, that it tells us of our orders."""
        self._decoder: msgspec.json.Decoder[_Message] = msgspec.json.Decoder(_Message, strict=False)
        self._head: msgspec.json.Decoder[TypeHead] = msgspec.json.Decoder(TypeHead)
        self._orders: dict[str, _Order] = {}
        self._ended: deque[str] = deque()
        self._news: list[OrderReport | UserMatch] = []

    def on_connect(self) -> None:
        """A new connection: what happened meanwhile is not known, so no sum of before goes on."""
        self.is_subscribed = False
        self._orders.clear()
        self._ended.clear()
        self._news.clear()

    def take(self) -> list[OrderReport | UserMatch]:
        """The news since the last call, in order; an execution stands before the report with it."""
        news, self._news = self._news, []
        return news

    def on_message(self, raw: str) -> bool:
        """Take in a message. False when it told of an order whose sum is unknown: the venue must be asked."""
        self.counters.frames += 1
        try:
            message = self._decoder.decode(raw)
        except REFUSED:
            self._undecoded(raw)
            return True
        if isinstance(message, ExchangeHeartbeat):
            self.counters.heartbeats += 1
        elif isinstance(message, Subscriptions):
            self.is_subscribed = any(channel.name == "user" for channel in message.channels)
        elif isinstance(message, Error):
            self.counters.errors += 1
            self.counters.last_error = harmless(f"{message.message}: {message.reason}".rstrip(": "))
        else:
            try:
                return self._order(message)
            except REFUSED:
                self.counters.malformed += 1
        return True

    def _undecoded(self, raw: str) -> None:
        try:
            kind = self._head.decode(raw).type
        except REFUSED:
            self.counters.malformed += 1
            return
        if kind in _ORDER_TYPES:
            self.counters.malformed += 1
        else:
            self.counters.unknown += 1

    def _order(self, message: OwnReceived | Open | OwnDone | Change | Match) -> bool:
        if isinstance(message, OwnReceived):
            self._begin(message)
            return True
        if isinstance(message, Match):
            match = own_match(message)
            if not (message.maker_fee_rate or message.taker_fee_rate):
                self._orders.pop(match.order_id, None)
                return False
            order = self._orders.get(match.order_id)
            if order is not None and not order.add(match):
                self.counters.duplicates += 1
                return True
            self._news.append(match)
        else:
            order = self._orders.get(message.order_id)
            if order is not None:
                _change(order, message)
                if isinstance(message, OwnDone):
                    self._ended.append(message.order_id)
                    if not _adds_up(order, message):
                        order = None
        if order is None:
            return isinstance(message, Match | Open)
        self._news.append(order.report())
        while len(self._ended) > _MOST_ENDED:
            self._orders.pop(self._ended.popleft(), None)
        return True

    def _begin(self, message: OwnReceived) -> None:
        if message.order_id in self._orders:
            self.counters.duplicates += 1
            return
        self._orders[message.order_id] = order = _Order(
            order_id=message.order_id,
            client_id=message.client_oid or "",
            product=message.product_id,
            side=own_side(message.side),
            order_type=message.order_type.upper(),
            price=exact(message.price) if message.price else None,
            size=exact(message.size) if message.size else None,
        )
        self._news.append(order.report())


def _change(order: _Order, message: Open | OwnDone | Change) -> None:
    if isinstance(message, Open):
        if order.status == "PENDING":
            order.status = "OPEN"
    elif isinstance(message, OwnDone):
        order.status = "FILLED" if message.reason == "filled" else "CANCELLED"
        order.cancel_reason = message.cancel_reason or ""
    else:
        if message.new_price is not None:
            order.price = exact(message.new_price)
        if message.new_size is not None:
            order.size = order.filled + exact(message.new_size)


def _adds_up(order: _Order, done: OwnDone) -> bool:
    """True where what the venue says is left of an ended order is what the executions have left of it."""
    if order.size is None:
        return True
    if done.remaining_size:
        left = exact(done.remaining_size)
    elif order.status == "FILLED" and order.price is not None:
        left = Decimal(0)
    else:
        return True  # it is not said; a market order may also end because its funds are spent
    return order.size - order.filled == left
