"""The venue of a replayed session: whatever it said is on record, and nothing can be sent to it."""

from __future__ import annotations

from engine.core.errors import UsageError
from engine.core.events import CancelOrder, MarketEvent, OrderEvent, OrderFilled, SubmitOrder


class PastVenue:
    """See `Venue`. It refuses every order: this is the past."""

    displays_own_orders = True

    def __init__(self, name: str = "the past") -> None:
        self.name = name

    def submit(self, order: SubmitOrder) -> None:
        """See `Venue`."""
        raise UsageError("this is the past: no order can be sent")

    def cancel(self, order: CancelOrder) -> None:
        """See `Venue`."""
        raise UsageError("this is the past: nothing can be cancelled")

    def on_market(self, event: MarketEvent) -> None:
        """See `Venue`."""

    def next_due_ns(self) -> int | None:
        """See `Venue`."""
        return None

    def poll(self, now_ns: int) -> list[OrderEvent]:
        """See `Venue`."""
        return []

    def open_orders(self) -> list[str]:
        """See `Venue`."""
        return []

    def sweep(self, reason: str) -> None:
        """See `Venue`. No order is here that its Trader does not know."""

    def estimated_ahead(self, client_id: str) -> int | None:
        """See `Venue`. Not on record."""
        return None

    def print_of(self, fill: OrderFilled) -> int | None:
        """See `Venue`. Where the fill's id ends in the number of the trade, as the simulator's do."""
        number = fill.fill_id.rpartition("-")[2]
        return int(number) if number.isdigit() else None
