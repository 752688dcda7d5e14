"""What a paper venue goes on from, as values: its book, our orders in their queues, what is under way."""

from __future__ import annotations

import msgspec

from engine.core.events import AnyCommand, OrderEvent
from engine.core.order import Side
from engine.core.price_levels import PriceLevelsState
from engine.exchange.account import AccountState


class PaperBookState(msgspec.Struct, frozen=True):
    """A `PaperBook`; each field is its attribute of that name."""

    levels: PriceLevelsState
    venue_ns: int
    clocks_agree: bool
    has_book: bool
    feed_is_live: bool
    taken_bids: dict[int, int]
    taken_asks: dict[int, int]


class RestingOrderState(msgspec.Struct, frozen=True, gc=False):
    """A `RestingOrder`; each field is its attribute of that name."""

    client_id: str
    side: Side
    price: int
    remaining: int
    ahead: float
    joined_ns: int
    fills: int
    shrinkage: list[tuple[int, float]]


class PriceQueueState(msgspec.Struct, frozen=True):
    """A `PriceQueue` with its orders, first come first."""

    displayed: int
    traded: int
    traded_ns: int
    orders: list[RestingOrderState]


class PaperState(msgspec.Struct, frozen=True):
    """A `PaperVenue` between two moments. Times are engine nanoseconds."""

    account: AccountState
    book: PaperBookState
    buys: dict[int, PriceQueueState]
    sells: dict[int, PriceQueueState]
    order_ids: list[str]
    """Of the resting orders, in the order they came."""
    client_ids: list[str]
    """All that were used, oldest first."""
    now_ns: int
    wall_offset_ns: int
    commands: list[tuple[int, AnyCommand]]
    """On their way to the venue, with the time they act."""
    answers: list[OrderEvent]
