"""What the venue knows of an order: what was asked, where it stands, what it traded."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from engine.core.errors import PinnacleError
from engine.core.order import Side, TimeInForce
from engine.local_venue.money import EXACT, ZERO, quotient

_AVERAGE_PLACES: Final = 16


class OrderStatus(enum.StrEnum):
    """Where an order stands; the words are the venue's own."""

    PENDING = "PENDING"
    OPEN = "OPEN"
    CANCEL_QUEUED = "CANCEL_QUEUED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    FAILED = "FAILED"

    @property
    def is_live(self) -> bool:
        """True while the order may still trade."""
        return self in _LIVE


_LIVE: Final = frozenset({OrderStatus.PENDING, OrderStatus.OPEN, OrderStatus.CANCEL_QUEUED})


class Refusal(enum.StrEnum):
    """Why the venue will not have an order, an edit or a cancel. Each face has its own words for it."""

    UNKNOWN_PRODUCT = "unknown product"
    NO_ACCOUNT = "account is not available"
    TRADING_DISABLED = "trading is disabled"
    CANCEL_ONLY = "cancel only mode"
    LIMIT_ONLY = "limit only mode"
    POST_ONLY_MODE = "post only mode"
    BAD_SIZE = "the size is not a positive number"
    BAD_PRICE = "the price is not a positive number"
    PRICE_PRECISION = "Too many decimals in order price"
    SIZE_PRECISION = "Too many decimals in order amount"
    SIZE_TOO_SMALL = "the size is below the minimum"
    SIZE_TOO_LARGE = "the size is above the maximum"
    NOTIONAL_TOO_SMALL = "the value is below the minimum"
    NOTIONAL_TOO_LARGE = "the value is above the maximum"
    POST_ONLY_CROSSES = "a post only order would take"
    INSUFFICIENT_FUNDS = "Insufficient balance in source account"
    NO_LIQUIDITY = "nothing stands on the other side"
    UNFILLABLE = "the book cannot fill all of it"
    UNSUPPORTED = "this order configuration is not supported"
    END_TIME_MISSING = "a GTD order needs an end time"
    END_TIME_PAST = "the end time is in the past"
    DUPLICATE_CLIENT_ID = "the client order id was used before"
    TOO_MANY_OPEN = "too many open orders"
    UNKNOWN_ORDER = "no such order"
    NOT_OPEN = "the order is not open"
    ALREADY_FILLED = "the order is fully filled"
    CANCEL_PENDING = "a cancel of this order is under way"
    NOT_LIMIT_GTC = "only limit GTC orders can be edited"
    BELOW_FILLED = "the new size is not above what is filled"
    UNCHANGED = "the edit changes nothing"
    VENUE_BUSY = "the venue did not take it"


class OrderRefused(PinnacleError):
    """The venue says no; `refusal` is why, and nothing has changed by it."""

    def __init__(self, refusal: Refusal, message: str = "") -> None:
        super().__init__(message or refusal.value)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What is asked for. `price` None is a market order, of `size` base or, as a buy, of `quote_size`."""

    product_id: str
    side: Side
    size: Decimal | None
    price: Decimal | None = None
    quote_size: Decimal | None = None
    client_order_id: str = ""
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    end_time_ns: int | None = None
    """Wall time at which a GTD order ends."""
    terms: Mapping[str, object] = field(default_factory=dict)
    """The order as its face was given it, to be shown again."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A price and a total size that an order once had, and when they were changed (wall time)."""

    price: Decimal
    size: Decimal
    time_ns: int


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution of one of our orders; `commission` is exact, in quote units."""

    entry_id: str
    trade_id: str
    order_id: str
    product_id: str
    side: Side
    price: Decimal
    size: Decimal
    commission: Decimal
    is_maker: bool
    time_ns: int
    """Wall time."""

    @property
    def value(self) -> Decimal:
        """Price times size, exact."""
        return EXACT.multiply(self.price, self.size)


@dataclass(slots=True)
class VenueOrder:
    """An order of the account with its cumulative figures. Only `VenueCore` changes it."""

    order_id: str
    asked: NewOrder
    price: Decimal | None
    size: Decimal
    """Total base size, the filled part included."""
    created_ns: int
    """Wall time, as all times here."""
    maker_rate: Decimal
    taker_rate: Decimal
    status: OrderStatus = OrderStatus.PENDING
    filled: Decimal = ZERO
    value: Decimal = ZERO
    """Quote money traded, without fees."""
    fees: Decimal = ZERO
    fill_count: int = 0
    hold: Decimal = ZERO
    """What is held for it now: quote money of a buy, base of a sell."""
    last_fill_ns: int | None = None
    ended_ns: int | None = None
    refusal: Refusal | None = None
    """Why it FAILED."""
    cancel_reason: str = ""
    edits: list[Edit] = field(default_factory=list)

    @property
    def product_id(self) -> str:
        """The product it was sent for."""
        return self.asked.product_id

    @property
    def side(self) -> Side:
        """Buy or sell."""
        return self.asked.side

    @property
    def client_order_id(self) -> str:
        """The sender's id; empty for an order of another front end."""
        return self.asked.client_order_id

    @property
    def is_live(self) -> bool:
        """True while it may still trade."""
        return self.status.is_live

    @property
    def leaves(self) -> Decimal:
        """Base size that may still trade; 0 once it has ended."""
        return EXACT.subtract(self.size, self.filled) if self.is_live else ZERO

    @property
    def average_price(self) -> Decimal:
        """Average price of all fills so far, cut to 16 places; 0 without a fill."""
        return quotient(self.value, self.filled, _AVERAGE_PLACES)

    @property
    def completion(self) -> Decimal:
        """Percent filled."""
        return quotient(self.filled * 100, self.size, 2)
