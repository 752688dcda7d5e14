"""The frames of the Advanced Trade WebSocket as typed structs: only the fields that are used."""

from __future__ import annotations

import msgspec

from engine.exchange.coinbase.wire.user import WireUserOrder


class Frame(msgspec.Struct, tag_field="channel", gc=False):
    """The envelope. `type` exists on error frames only; those must win over any channel."""

    sequence_num: int
    timestamp: str = ""
    type: str = ""


class L2Change(msgspec.Struct, gc=False):
    """An absolute size at a price; `side` is `bid` or `offer`."""

    side: str
    price_level: str
    new_quantity: str
    event_time: str = ""


class L2Event(msgspec.Struct, gc=False):
    """A snapshot or an update of one product's book."""

    type: str
    product_id: str
    updates: list[L2Change]


class L2Frame(Frame, tag="l2_data", kw_only=True, gc=False):
    """Channel `level2`, whose frames say `l2_data`."""

    events: list[L2Event]


class WireTrade(msgspec.Struct, gc=False):
    """A trade; `side` is the maker's."""

    product_id: str
    trade_id: int
    price: str
    size: str
    side: str
    time: str = ""


class TradesEvent(msgspec.Struct, gc=False):
    """Trades, newest first. A snapshot is history."""

    type: str
    trades: list[WireTrade]


class TradesFrame(Frame, tag="market_trades", kw_only=True, gc=False):
    """Channel `market_trades`."""

    events: list[TradesEvent]


class AdvancedTicker(msgspec.Struct, gc=False):
    """The last price, and with channel `ticker` the touch, as the venue wrote them."""

    product_id: str
    price: str
    best_bid: str = ""
    best_bid_quantity: str = ""
    best_ask: str = ""
    best_ask_quantity: str = ""


class TickerEvent(msgspec.Struct, gc=False):
    """Tickers of one or many products."""

    tickers: list[AdvancedTicker]


class TickerFrame(Frame, tag="ticker", kw_only=True, gc=False):
    """Channel `ticker`."""

    events: list[TickerEvent]


class TickerBatchFrame(Frame, tag="ticker_batch", kw_only=True, gc=False):
    """Channel `ticker_batch`: every five seconds and without the touch."""

    events: list[TickerEvent]


class Heartbeat(msgspec.Struct, gc=False):
    """One a second; the counter is a number or a string of digits."""

    heartbeat_counter: int


class HeartbeatsFrame(Frame, tag="heartbeats", kw_only=True, gc=False):
    """Channel `heartbeats`."""

    events: list[Heartbeat]


class SubscriptionsEvent(msgspec.Struct, gc=False):
    """Everything subscribed on the connection so far: channel to products (or a user id)."""

    subscriptions: dict[str, list[str]]


class SubscriptionsFrame(Frame, tag="subscriptions", kw_only=True, gc=False):
    """The answer to subscribe and unsubscribe."""

    events: list[SubscriptionsEvent]


class WireUserEvent(msgspec.Struct, gc=False):
    """Orders of ours; a snapshot lists the open ones, an update those that changed."""

    type: str
    orders: list[WireUserOrder] = []


class UserFrame(Frame, tag="user", kw_only=True, gc=False):
    """Channel `user`."""

    events: list[WireUserEvent]


class CandlesFrame(Frame, tag="candles", kw_only=True, gc=False):
    """Known and not used."""


class StatusFrame(Frame, tag="status", kw_only=True, gc=False):
    """Known and not used."""


class FuturesBalanceFrame(Frame, tag="futures_balance_summary", kw_only=True, gc=False):
    """Known and not used."""


AnyFrame = (
    L2Frame
    | TradesFrame
    | TickerFrame
    | TickerBatchFrame
    | HeartbeatsFrame
    | SubscriptionsFrame
    | UserFrame
    | CandlesFrame
    | StatusFrame
    | FuturesBalanceFrame
)


class ProductHead(msgspec.Struct, gc=False):
    """Whose event it is, where that is all that can be read."""

    product_id: str


class Envelope(msgspec.Struct, gc=False):
    """What can be told of a frame that is none of `AnyFrame`."""

    type: str = ""
    message: str = ""
    channel: str = ""
    sequence_num: int | None = None
    events: msgspec.Raw = msgspec.Raw()


class Request(msgspec.Struct, gc=False):
    """What we send: one channel a message."""

    type: str
    channel: str = ""
    product_ids: list[str] = []
