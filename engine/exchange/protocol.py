"""What the runtime needs from a market: data that falls due in time, and a venue that takes orders.

Both are pull based and synchronous: the runtime asks what is due at a time of its clock, so that the
same code runs at real speed, at any multiple of it and as fast as the machine can. Network edges fill
their queues from asyncio tasks and answer from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from engine.core.errors import PinnacleError
from engine.core.events import (
    CancelOrder,
    EdgeStatus,
    MarketEvent,
    OrderEvent,
    OrderFilled,
    SubmitOrder,
)
from engine.core.own_orders import OwnOrder


class ListingPending(PinnacleError):
    """The venue has been asked for its list of orders and has not answered yet."""


class OwnRecord(Protocol):
    """Our own record of one product, as a network edge reads it: never changed from there."""

    def open_orders(self) -> Sequence[OwnOrder]:
        """Every order that may still trade, oldest first."""
        ...

    def order(self, client_id: str) -> OwnOrder | None:
        """A live or recently ended order."""
        ...

    def is_ours(self, client_id: str) -> bool:
        """True for an id that carries this installation's tag."""
        ...

    def knows_fill(self, fill_id: str) -> bool:
        """True for a fill that was booked."""
        ...

    @property
    def base_balance(self) -> int:
        """Lots that the account has by our record: opening balance and fills."""
        ...

    @property
    def quote_balance(self) -> int:
        """Quote atoms that the account has by our record: opening balance, fills and fees."""
        ...


class Edge(Protocol):
    """Something of the engine that lives on the network: it runs tasks of its own on the engine's loop.

    `notify`, given to it when it is made, is called whenever something waits to be polled.
    """

    async def start(self) -> None:
        """Begin. Raises a `PinnacleError` for what cannot get well by itself (a refused key)."""
        ...

    async def stop(self) -> None:
        """End every task and connection; nothing is left behind."""
        ...


class Feed(Protocol):
    """A source of market data for one or many products."""

    makes_market: bool
    """True when polling makes the market happen (a simulator): that time is no latency of ours."""

    def next_due_ns(self) -> int | None:
        """Monotonic time of the next batch, or None when there is nothing to come for now."""
        ...

    def poll(self, now_ns: int) -> list[MarketEvent]:
        """Everything due up to `now_ns`, in order."""
        ...

    def distrust(self, product: str, reason: str, recv_ns: int, wall_ns: int) -> list[MarketEvent]:
        """Whoever holds the book found it wrong: stale until a new snapshot. What to tell the desks."""
        ...

    @property
    def is_exhausted(self) -> bool:
        """True when the source has ended for good (the end of a recording)."""
        ...


class Venue(Protocol):
    """Where orders go. Answers arrive later, through `poll`."""

    name: str
    displays_own_orders: bool
    """True when our resting orders are part of the market data (a real book), False on paper."""

    def submit(self, order: SubmitOrder) -> None:
        """Send an order; it is on its way, nothing more is known."""
        ...

    def cancel(self, order: CancelOrder) -> None:
        """Ask for a cancel; evidence comes as an event."""
        ...

    def on_market(self, event: MarketEvent) -> None:
        """Market data passes by (paper venues fill against it; others ignore it)."""
        ...

    def next_due_ns(self) -> int | None:
        """Monotonic time of the next answer, or None when none is under way."""
        ...

    def poll(self, now_ns: int) -> Sequence[OrderEvent | EdgeStatus]:
        """Every answer due up to `now_ns`, in order."""
        ...

    def open_orders(self) -> list[str]:
        """Client ids of our orders that the venue holds now: the listing that proves a shutdown clean.

        Raises where no list can be had; `ListingPending` while one is on its way: ask again.
        """
        ...

    def sweep(self, reason: str) -> None:
        """Cancel whatever of ours the venue has, known to us or not, until it lists nothing any more.

        For a kill and for the end. A venue that cannot hold an order we do not know need do nothing.
        """
        ...

    def estimated_ahead(self, client_id: str) -> int | None:
        """Strangers' lots that stand before an order of ours in its queue; None while it does not rest.

        For people only: nothing that trades may read it.
        """
        ...

    def print_of(self, fill: OrderFilled) -> int | None:
        """The trade id of the print on the tape that a fill of ours belongs to; None where nobody knows."""
        ...
