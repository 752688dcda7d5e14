"""What the venue needs from a market: data that happens, and a book that our orders trade in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from engine.core.events import Level, MarketEvent
from engine.core.order import Side, TimeInForce
from engine.local_venue.orders import Refusal


class RecordedFrame(NamedTuple):
    """A market data frame as the real venue once sent it, decoded as far as passing it on needs.

    `events` is the text of its `events` array, untouched; `product_ids` are those it speaks of.
    """

    channel: str
    timestamp: str
    events: str
    kind: str
    product_ids: frozenset[str]


class Batch(NamedTuple):
    """What one moment of the market brought; `frame` is where a recording brought it, None otherwise."""

    events: Sequence[MarketEvent]
    frame: RecordedFrame | None = None


class Accepted(NamedTuple):
    """The book has the order."""

    key: str


class Rejected(NamedTuple):
    """The book does not take the order."""

    key: str
    refusal: Refusal
    text: str


class Executed(NamedTuple):
    """The order traded: ticks, lots, and the trade's number on the tape (or a word where there is none)."""

    key: str
    price: int
    size: int
    is_maker: bool
    trade_id: str


class Ended(NamedTuple):
    """The order is out of the book with something unfilled; `text` says why."""

    key: str
    text: str


Report = Accepted | Rejected | Executed | Ended


class MarketEngine(Protocol):
    """A market of several products. `now_ns` is monotonic time of the venue's clock; it never goes back.

    Orders are known by keys that the venue chooses. All calls act at once; what came of them is told by
    the next `reports`, in causal order: accepted, executions, end.
    """

    def begin(self, now_ns: int) -> None:
        """Somebody watches: a recording begins to play. Later calls change nothing."""
        ...

    def poll(self, now_ns: int) -> list[Batch]:
        """Market data that has happened by now."""
        ...

    def next_due_ns(self) -> int | None:
        """When there may be more of it; None when nothing is to come for now."""
        ...

    def reports(self, now_ns: int) -> list[Report]:
        """What happened to our orders by now."""
        ...

    def submit(
        self,
        now_ns: int,
        key: str,
        product_id: str,
        side: Side,
        size: int,
        price: int | None,
        time_in_force: TimeInForce,
        post_only: bool,
    ) -> None:
        """Put an order (lots, ticks; no price: at market) into the book."""
        ...

    def cancel(self, now_ns: int, key: str) -> None:
        """Take an order out; nothing is told of one that has ended."""
        ...

    def amend(self, now_ns: int, key: str, price: int, remaining: int) -> None:
        """Give a resting order another price or remaining size; a smaller size alone keeps its place."""
        ...

    def levels(self, product_id: str, side: Side, depth: int | None = None) -> list[Level]:
        """What a taker would find on a side now, best first, as (ticks, lots)."""
        ...

    def stranger_order(self, now_ns: int, product_id: str, side: Side, size: int, price: int | None) -> None:
        """Somebody else sends an order: it trades what it can, and what is left of a limit order rests.

        `UsageError` where the market is a recording, which nobody can change.
        """
        ...

    def trade_against(self, now_ns: int, key: str, size: int) -> None:
        """A stranger trades with `size` lots of a resting order of ours.

        Strangers who stand before it leave first; orders of ours that stand before it are traded with too.
        """
        ...
