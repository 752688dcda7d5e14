"""The frames of the Coinbase Exchange feed as typed structs: only the fields that are used."""

from __future__ import annotations

import msgspec

TextLevel = tuple[str, str]
"""(price, size) as the venue writes them."""


class Snapshot(msgspec.Struct, tag_field="type", tag="snapshot", gc=False):
    """The whole book by price level."""

    product_id: str
    bids: list[TextLevel]
    asks: list[TextLevel]
    time: str = ""


class L2Update(msgspec.Struct, tag_field="type", tag="l2update", gc=False):
    """(buy or sell, price, absolute size), to be applied in order."""

    product_id: str
    changes: list[tuple[str, str, str]]
    time: str = ""


class Match(msgspec.Struct, tag_field="type", tag="match", gc=False):
    """A trade; `side` is the maker's. On the user channel one group of ids is ours."""

    product_id: str
    trade_id: int
    price: str
    size: str
    side: str
    time: str = ""
    sequence: int | None = None
    maker_order_id: str = ""
    taker_order_id: str = ""
    user_id: str = ""
    maker_user_id: str = ""
    taker_user_id: str = ""
    maker_fee_rate: str = ""
    taker_fee_rate: str = ""


class LastMatch(msgspec.Struct, tag_field="type", tag="last_match", gc=False):
    """The last trade before the subscription: history."""

    product_id: str
    trade_id: int


class ExchangeTicker(msgspec.Struct, tag_field="type", tag="ticker", gc=False):
    """The last trade and the touch, as the venue wrote them. Sizes are absent in old frames."""

    product_id: str
    price: str
    best_bid: str = ""
    best_bid_size: str = ""
    best_ask: str = ""
    best_ask_size: str = ""


class ExchangeHeartbeat(msgspec.Struct, tag_field="type", tag="heartbeat", gc=False):
    """One a second and product."""

    product_id: str
    last_trade_id: int = 0
    time: str = ""


class OrderMessage(msgspec.Struct, tag_field="type", gc=False):
    """What every message of the `full` channel carries."""

    product_id: str
    sequence: int
    order_id: str
    time: str = ""
    user_id: str = ""


class Received(OrderMessage, tag="received", gc=False):
    """An order arrived; it does not rest yet."""


class Open(OrderMessage, tag="open", kw_only=True, gc=False):
    """An order rests now."""

    side: str
    price: str
    remaining_size: str


class Done(OrderMessage, tag="done", gc=False):
    """An order has ended; it may never have rested."""


class Change(OrderMessage, tag="change", gc=False):
    """An order's size or price changed; it may never have rested."""

    new_size: str | None = None
    new_price: str | None = None


class Activate(msgspec.Struct, tag_field="type", tag="activate", gc=False):
    """A stop order was triggered: no effect on the book, and not in its sequence."""


class ChannelList(msgspec.Struct, gc=False):
    """One channel's products."""

    name: str
    product_ids: list[str] | None = None


class Subscriptions(msgspec.Struct, tag_field="type", tag="subscriptions", gc=False):
    """Everything subscribed so far. Names are rewritten: `level2_batch` answers as `level2_50`."""

    channels: list[ChannelList] = []


class Error(msgspec.Struct, tag_field="type", tag="error", gc=False):
    """The venue refused a request."""

    message: str = ""
    reason: str = ""


class Status(msgspec.Struct, tag_field="type", tag="status", gc=False):
    """Known and not used."""


class Balance(msgspec.Struct, tag_field="type", tag="balance", gc=False):
    """Known and not used."""


class RfqMatch(msgspec.Struct, tag_field="type", tag="rfq_match", gc=False):
    """A trade outside the public book, in an id space of its own: known and not used."""


AnyMessage = (
    Snapshot
    | L2Update
    | Match
    | LastMatch
    | ExchangeTicker
    | ExchangeHeartbeat
    | Received
    | Open
    | Done
    | Change
    | Activate
    | Subscriptions
    | Error
    | Status
    | Balance
    | RfqMatch
)


class TypeHead(msgspec.Struct, gc=False):
    """What can be told of a frame that is none of `AnyMessage`."""

    type: str
    product_id: str = ""


class Level3Book(msgspec.Struct, gc=False):
    """`GET /products/{id}/book?level=3`: (price, size, order id) per resting order."""

    sequence: int
    bids: list[tuple[str, str, str]]
    asks: list[tuple[str, str, str]]


class ExchangeRequest(msgspec.Struct, gc=False):
    """What we send; a channel is a name or an object with its own products."""

    type: str
    product_ids: list[str] = []
    channels: list[str | ChannelList] = []
