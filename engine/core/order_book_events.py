"""What an order book says: trades, changes, and why an order was refused or ended."""

from __future__ import annotations

import enum

import msgspec

from engine.core.order import Side


class SelfTrade(enum.StrEnum):
    """What happens when an order would trade with another one of the same owner.

    `DECREMENT` takes the smaller of the two sizes off both: the smaller order is cancelled, the
    larger one goes on with what is left of it.
    """

    CANCEL_RESTING = "cancel_resting"
    CANCEL_TAKING = "cancel_taking"
    DECREMENT = "decrement"


class ReasonCode(enum.StrEnum):
    """One word for why an order was refused, or why it ended without being filled."""

    DUPLICATE_ID = "DUPLICATE_ID"
    WRONG_PRODUCT = "WRONG_PRODUCT"
    BAD_SIZE = "BAD_SIZE"
    BAD_PRICE = "BAD_PRICE"
    BAD_TERMS = "BAD_TERMS"
    MIN_SIZE = "MIN_SIZE"
    MAX_SIZE = "MAX_SIZE"
    MIN_NOTIONAL = "MIN_NOTIONAL"
    POST_ONLY = "POST_ONLY"
    FOK_UNFILLABLE = "FOK_UNFILLABLE"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    CANCEL_REQUESTED = "CANCEL_REQUESTED"
    SELF_TRADE = "SELF_TRADE"
    NO_LIQUIDITY = "NO_LIQUIDITY"
    IOC_REMAINDER = "IOC_REMAINDER"
    TIME_ELAPSED = "TIME_ELAPSED"


class Reason(msgspec.Struct, frozen=True, gc=False):
    """A code for programs and a sentence for people."""

    code: ReasonCode
    text: str


class Trade(msgspec.Struct, frozen=True, gc=False):
    """One execution between two orders, at the maker's price. `sequence` rises by one per trade."""

    sequence: int
    price: int
    size: int
    maker_id: str
    taker_id: str
    taker_side: Side


class ChangeKind(enum.StrEnum):
    """What happened to an order.

    `AMENDED` is an order that got smaller in its place or left it to take another one (an `ADDED`
    follows when it rests again); `REDUCED` is self-trade prevention making a resting order smaller;
    `TRIGGERED` is a stop on its way into the market.
    """

    ADDED = "added"
    EXECUTED = "executed"
    REDUCED = "reduced"
    AMENDED = "amended"
    REMOVED = "removed"
    TRIGGERED = "triggered"


class BookChange(msgspec.Struct, frozen=True, gc=False):
    """One change of one order, with what it did to the displayed level.

    `delta` is the change of the level at `price` in lots, `level_size` what the level holds after it
    (0: the level is gone). Both are 0 for stop orders, which are not displayed.
    `sequence` is the book's own after the change.
    """

    sequence: int
    kind: ChangeKind
    order_id: str
    side: Side
    price: int
    delta: int
    level_size: int
