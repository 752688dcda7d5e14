"""Everything that goes into a Trader and everything that comes out, as frozen typed structs.

The same objects serve in memory, in the journal and on the wire. Prices are ticks, sizes lots, money
atoms (see `engine.core.instrument`). Every event carries `recv_ns` (monotonic, when we received it)
and `wall_ns` (UTC); market and fill events carry `exchange_ns` too, the venue's own time, 0 where it
gave none. Unanswered questions about time are never asked of a clock: time is a field of the event.

Encoded they are arrays, the type's name first: fields may be added at the end alone, with a default.
"""

from __future__ import annotations

import enum
from decimal import Decimal
from typing import Final

import msgspec

from engine.core.order import OrderType, Side, TimeInForce

Level = tuple[int, int]
"""(price in ticks, size in lots)."""


class Event(msgspec.Struct, frozen=True, gc=False, tag=True, array_like=True):
    """What every event carries."""

    product: str
    recv_ns: int
    wall_ns: int


# -- market data ---------------------------------------------------------------------------------


class BookSnapshot(Event, frozen=True, gc=False, tag=True):
    """The whole book of a product. Replaces whatever was known. Any order of levels."""

    bids: list[Level]
    asks: list[Level]
    exchange_ns: int = 0


class BookUpdate(Event, frozen=True, gc=False, tag=True):
    """Absolute sizes at prices, to be applied in order and as one; size 0 deletes the level."""

    bids: list[Level]
    asks: list[Level]
    exchange_ns: int = 0


class TradePrint(Event, frozen=True, gc=False, tag=True):
    """A trade on the venue's tape; `taker_side` is the aggressor's. `trade_id` rises per product."""

    trade_id: int
    price: int
    size: int
    taker_side: Side
    exchange_ns: int = 0


class FeedState(enum.StrEnum):
    """How far a product's book may be believed. Only LIVE may feed order checks."""

    IDLE = "idle"
    SUBSCRIBED = "subscribed"
    LIVE = "live"
    STALE = "stale"


class FeedStatus(Event, frozen=True, gc=False, tag=True):
    """The feed's word on a product's book, with the reason of the change."""

    state: FeedState
    reason: str = ""


# -- time and people -----------------------------------------------------------------------------


class Timer(Event, frozen=True, gc=False, tag=True):
    """Everything that was ready has been applied and it is this time now: decide.

    Sent after every batch of events and, when the market is quiet, on a cadence. The Trader asks its
    strategy only here, so a batch of frames costs one decision.
    """


class OperatorAction(enum.StrEnum):
    """What a person (or a signal, or the end of a run) can ask of a Trader."""

    PAUSE = "pause"
    RESUME = "resume"
    """Ends every pause, and a flatten that is under way."""
    CANCEL_ALL = "cancel_all"
    FLATTEN = "flatten"
    """Cancel all and close the position by orders that only reduce it; then paused until resumed."""
    KILL = "kill"
    REARM = "rearm"
    """Take back the latch that HALTED or KILLED trading."""
    TRIP_BREAKER = "trip_breaker"
    """Open the circuit breaker: no quotes for its cool-down, then smaller ones on trial."""
    RESET_BREAKER = "reset_breaker"
    """Close the circuit breaker at once."""
    SHUTDOWN = "shutdown"


class OperatorCommand(Event, frozen=True, gc=False, tag=True):
    """A person's command, with who asked and why."""

    action: OperatorAction
    reason: str = ""


class Recovered(Event, frozen=True, gc=False, tag=True):
    """The engine goes on after a crash: what became of our orders meanwhile only the venue knows.

    Every live order is UNCERTAIN from now on, and nothing new is quoted until none is.
    """

    reason: str = ""


class StorageStatus(Event, frozen=True, gc=False, tag=True):
    """How the journal's disk does. While it is not sound, no new order is sent; cancels always are.

    `code` is one upper-case word (`DISK_SLOW`, `DISK_SPACE`), `reason` a sentence with the numbers.
    """

    is_sound: bool
    code: str
    reason: str = ""


class DayCarried(Event, frozen=True, gc=False, tag=True):
    """What earlier sessions have earned in the UTC day that this one is a part of.

    `day` in days since 1970, `profit` in atoms. Said again for the same day, it replaces what was said.
    """

    day: int
    profit: int


class Restraint(enum.StrEnum):
    """How far something beside the market keeps trading back."""

    NONE = "none"
    """It is over: the hold of its code is released. A latch stays."""
    REDUCING = "reducing"
    """Only what reduces the position may leave."""
    REDUCING_LATCHED = "reducing_latched"
    """REDUCING until a person rearms."""
    AWAITED = "awaited"
    """As PAUSED, and nothing is wrong: it is what every start waits for."""
    PAUSED = "paused"
    """No quotes; orders that only reduce the position may leave."""
    HALTED = "halted"
    """No order leaves while it lasts."""
    LATCHED = "latched"
    """HALTED until a person rearms."""


class EdgeStatus(Event, frozen=True, gc=False, tag=True):
    """What an edge of the engine has found about the venue or itself, and what it asks of trading.

    `code` is one upper-case word and names the hold (`RECONCILE`, `CLOCK`, `WATCHDOG`, `REJECTS`, ...);
    `reason` is a sentence with the numbers, `release` what ends it, in words. What the new restraint
    forbids is cancelled at once.
    """

    code: str
    restraint: Restraint
    reason: str = ""
    release: str = ""


class SettingsChange(Event, frozen=True, gc=False, tag=True):
    """Settings that are different from now on, all of them at once.

    `changes` maps `section.field` to the value's canonical text, as the configuration reads it; empty
    text unsets.
    """

    changes: dict[str, str]


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What a Trader made of a person's command or of changed settings.

    `is_taken` is False for a refusal, after which everything is as before; `text` is for people. Taken
    up is not carried out: cancels and fills are proven by the venue's events.
    """

    is_taken: bool
    text: str


# -- order events, from the venue ----------------------------------------------------------------


class OrderAccepted(Event, frozen=True, gc=False, tag=True):
    """The venue has the order and it is working."""

    client_id: str
    venue_order_id: str
    exchange_ns: int = 0


class OrderUncertain(Event, frozen=True, gc=False, tag=True):
    """Nobody here knows whether the venue has the order, or still has it: only the venue does."""

    client_id: str
    reason: str = ""


NOT_SENT: Final = "NOT_SENT"
"""The code of an order that never left: our own word, not a venue's."""
NEVER_ARRIVED: Final = "NEVER_ARRIVED"
"""The code of an order that the venue has proven not to have."""


class OrderRejected(Event, frozen=True, gc=False, tag=True):
    """The order does not exist and never will: the venue refused it for good, or it did not come there.

    `code` is a short upper-case word, `reason` a sentence.
    """

    client_id: str
    code: str
    reason: str
    exchange_ns: int = 0


class FillEvidence(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Why a paper fill happened: `crossed`, `traded_through` or `queue_cleared`, and the queue then.

    `ahead_before`/`ahead_after` are lots ahead of the order; `trade_id` is the print that did it, 0
    where the book itself crossed.
    """

    reason: str
    ahead_before: int
    ahead_after: int
    trade_id: int = 0


class OrderFilled(Event, frozen=True, gc=False, tag=True):
    """One execution. `fill_id` is the venue's and unique; the same one twice is the same fill.

    `fee` is in `fee_asset`'s smallest kept unit: quote atoms when `fee_asset` is "" (the quote
    currency), lots when it is the base currency. A fee in a third asset brings `fee_value`, what it
    was worth in quote atoms then, or None when no price was known. `fee_dust` is what rounding a fee
    to whole atoms left out, in quote units.
    """

    client_id: str
    fill_id: str
    side: Side
    price: int
    size: int
    fee: int
    is_maker: bool
    fee_asset: str = ""
    exchange_ns: int = 0
    evidence: FillEvidence | None = None
    fee_value: int | None = None
    fee_dust: Decimal | None = None


class OrderCancelled(Event, frozen=True, gc=False, tag=True):
    """The venue's word that the order is gone; `remaining` lots were not filled."""

    client_id: str
    remaining: int
    reason: str = ""
    exchange_ns: int = 0


class OrderExpired(Event, frozen=True, gc=False, tag=True):
    """The order ended by its own terms (IOC remainder, GTD time, FOK not fillable)."""

    client_id: str
    remaining: int
    reason: str = ""
    exchange_ns: int = 0


class CancelRejected(Event, frozen=True, gc=False, tag=True):
    """The venue refused a cancel: already done or unknown. It does not say which; ask."""

    client_id: str
    code: str
    reason: str = ""
    exchange_ns: int = 0


MarketEvent = BookSnapshot | BookUpdate | TradePrint | FeedStatus
OrderEvent = (
    OrderAccepted
    | OrderRejected
    | OrderFilled
    | OrderCancelled
    | OrderExpired
    | CancelRejected
    | OrderUncertain
)
AnyEvent = (
    MarketEvent
    | OrderEvent
    | Timer
    | OperatorCommand
    | SettingsChange
    | Recovered
    | DayCarried
    | StorageStatus
    | EdgeStatus
)


# -- commands, to the venue ----------------------------------------------------------------------


class Term(msgspec.Struct, frozen=True, gc=False):
    """One line of a price's explanation; `value` is in model units (`Instrument.model_places`).

    `inputs` names what went into it, with units, for people.
    """

    name: str
    value: int
    inputs: str = ""


class Command(msgspec.Struct, frozen=True, gc=False, tag=True, array_like=True):
    """What every command carries; `created_ns` is the time of the event that caused it."""

    product: str
    created_ns: int
    client_id: str


class SubmitOrder(Command, frozen=True, gc=False, tag=True):
    """An order to be sent. `price` is None for a market order; `purpose` is quote, hedge, stop_loss,
    take_profit or flatten; `slot` is the place it fills ("B0" is the first bid)."""

    side: Side
    size: int
    price: int | None
    order_type: OrderType = OrderType.LIMIT
    time_in_force: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    reduce_only: bool = False
    slot: str = ""
    purpose: str = "quote"


class CancelOrder(Command, frozen=True, gc=False, tag=True):
    """A cancel to be sent."""

    venue_order_id: str = ""
    reason: str = ""


AnyCommand = SubmitOrder | CancelOrder


class Severity(enum.StrEnum):
    """How loudly an alert speaks."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class Alert(Event, frozen=True, gc=False, tag=True):
    """Something a person should know; `code` is one upper-case word."""

    severity: Severity
    code: str
    text: str
