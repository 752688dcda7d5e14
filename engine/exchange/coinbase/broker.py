"""What both Coinbase APIs offer an account: one interface, exact figures, and outcomes that tell doubt apart.

A call that changes something at the venue never raises for what the network or the venue did: it answers
with an `Outcome`, and UNKNOWN is not a failure but a question. A call that reads raises `BrokerError` when
it could not be answered completely: a list that could not be had is unknown, not empty.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from engine.core.errors import PinnacleError
from engine.core.instrument import Instrument
from engine.core.order import Side, TimeInForce
from engine.exchange.coinbase.wire.user import OrderReport


class BrokerError(PinnacleError):
    """A question to the venue that was not answered; nothing is known by it.

    `code` is one upper-case word (TIMEOUT, CONNECT, DNS, TLS, HTTP_503, UNREADABLE, UNAUTHORISED,
    RATE_LIMIT, CLOCK, PERMISSION, NOT_FOUND, MAINTENANCE, ...); the message says what to do.
    """

    exit_code = 5

    def __init__(
        self, code: str, message: str, *, retry_after_s: float | None = None, said: str = ""
    ) -> None:
        super().__init__(message)
        self.code = code
        self.said = said
        """The venue's own reason, as INVALID_SIGNATURE; empty where it gives none."""
        self.retry_after_s = retry_after_s
        """How long the venue asks to be left alone; None where it does not say."""


class AuthenticationError(BrokerError):
    """The venue does not take the key: wrong, of the other API, expired token, wrong clock, no right."""


class Outcome(enum.Enum):
    """What is known after a command was handed to the network."""

    ACCEPTED = "accepted"
    """The venue has it."""
    REFUSED = "refused"
    """The venue's own body says no, for good."""
    NOT_SENT = "not_sent"
    """Not one byte of the request left: the connection could not be made, or the rate budget is used up."""
    LIMITED = "limited"
    """The limiter refused it (429): it does not exist; wait `retry_after_s`."""
    UNKNOWN = "unknown"
    """Anything else: it may exist or not, only the venue knows."""


class NewOrder(msgspec.Struct, frozen=True):
    """A limit order to be created (`price` None: a market order). Texts are made from exact decimals."""

    client_id: str
    product: str
    side: Side
    size: Decimal
    price: Decimal | None
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    end_time_ns: int | None = None
    """Wall time at which a GTD order ends."""


class SubmitAnswer(msgspec.Struct, frozen=True):
    """What became of a submit or an edit. `code` and `reason` are the venue's where it gave them."""

    outcome: Outcome
    order_id: str = ""
    code: str = ""
    reason: str = ""
    retry_after_s: float | None = None


class OrderRef(msgspec.Struct, frozen=True):
    """An order by the venue's id, by ours, or both; an empty text is an id that is not known."""

    order_id: str = ""
    client_id: str = ""
    product: str = ""
    since_ns: int | None = None
    """Wall time before which the order cannot have been made: it bounds a search by our id where that needs
    one (Advanced Trade). None searches everything that the venue remembers."""


class CancelAnswer(msgspec.Struct, frozen=True):
    """What became of one cancel. ACCEPTED means it was taken up, not that the order is gone."""

    ref: OrderRef
    outcome: Outcome
    code: str = ""
    reason: str = ""


class VenueFill(msgspec.Struct, frozen=True):
    """One execution by the venue's own list: exact figures, the fee in quote units."""

    fill_id: str
    """Unique at the venue (`entry_id`, or trade and order id)."""
    order_id: str
    product: str
    side: Side
    price: Decimal
    size: Decimal
    """Base units, also where the venue told it in quote money; negative for an entry that takes an execution
    back or corrects it."""
    fee: Decimal
    is_maker: bool | None
    """None where the venue does not say."""
    time_ns: int
    """Wall time by the venue's clock."""


class Balance(msgspec.Struct, frozen=True):
    """One currency of the account: what is free, and what open orders hold."""

    currency: str
    available: Decimal
    hold: Decimal

    @property
    def total(self) -> Decimal:
        """All of it."""
        return self.available + self.hold


class FeeRates(msgspec.Struct, frozen=True):
    """The account's own fees in basis points, and the name of its tier (empty where there is none)."""

    maker_bps: Decimal
    taker_bps: Decimal
    tier: str = ""


class Permissions(msgspec.Struct, frozen=True):
    """What a key may do. None: the venue does not tell."""

    can_view: bool | None
    can_trade: bool | None
    can_transfer: bool | None
    portfolio: str = ""


class ProductState(msgspec.Struct, frozen=True):
    """A product as an order check needs it. `alias` is the product whose market data it shares."""

    instrument: Instrument
    is_tradable: bool
    """False while it is halted, delisted, disabled or in an auction; `note` then says why."""
    note: str = ""
    is_post_only: bool = False
    is_cancel_only: bool = False
    is_limit_only: bool = False
    alias: str = ""


class BookTop(msgspec.Struct, frozen=True):
    """The best levels a side, best first, as (price, size)."""

    bids: tuple[tuple[Decimal, Decimal], ...]
    asks: tuple[tuple[Decimal, Decimal], ...]


Gate = Callable[[], str]
"""Why an order may not leave now; empty where it may."""


def open_gate() -> str:
    """Lets everything pass."""
    return ""


class Broker(Protocol):
    """An account at one of the two APIs. All calls share one rate budget with a reserve for cancels."""

    name: str
    """`coinbase` or `coinbase-exchange`, as `exchange.name` has it."""
    can_find_by_client_id: bool
    """True where one order can be asked for, and cancelled, by our own id (Exchange)."""

    async def open(self) -> None:
        """Make the connection pool and measure the server's clock. Raises `BrokerError`."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...

    @property
    def clock_offset_ns(self) -> int | None:
        """Server time minus ours, by the last measurement; None before the first."""
        ...

    async def measure_clock(self) -> int:
        """Measure it anew."""
        ...

    async def products(self, symbols: Sequence[str] = ()) -> dict[str, ProductState]:
        """Products by name; all of them for an empty list."""
        ...

    async def permissions(self) -> Permissions:
        """What the key may do."""
        ...

    async def fees(self) -> FeeRates:
        """The account's own rates."""
        ...

    async def balances(self) -> dict[str, Balance]:
        """Every currency of the account, paged to the end."""
        ...

    async def submit(self, order: NewOrder, gate: Gate = open_gate) -> SubmitAnswer:
        """Create an order, once: nothing is retried and no redirect followed.

        `gate` is asked when its turn has come, directly before it leaves: NOT_SENT, code BARRED, where it
        gives a reason.
        """
        ...

    async def edit(self, ref: OrderRef, price: Decimal, size: Decimal) -> SubmitAnswer:
        """Change price and total size of a resting GTC limit order (REFUSED where the API has no edit)."""
        ...

    async def cancel(self, refs: Sequence[OrderRef]) -> list[CancelAnswer]:
        """Cancel any number of orders, in chunks of what the API takes; one answer for each ref."""
        ...

    async def live_orders(self, product: str | None = None) -> list[OrderReport]:
        """Every order that may still trade, in all live statuses, paged to the end. Complete, or raises."""
        ...

    async def order(self, ref: OrderRef) -> OrderReport | None:
        """One order; None is the venue's own word that it knows none (or purged it)."""
        ...

    async def fills(
        self, product: str | None = None, order_id: str | None = None, since_ns: int | None = None
    ) -> list[VenueFill]:
        """Executions, oldest first, paged to the end; `since_ns` is wall time."""
        ...

    async def book_top(self, product: str, depth: int) -> BookTop:
        """The best levels as REST has them, for the audit of the mirrored book."""
        ...
