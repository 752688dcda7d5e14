"""A market that is a recording of the real one: played again, our orders filled on paper against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Final

from engine.core.clock import Clock
from engine.core.errors import RecordingError, UsageError
from engine.core.events import (
    CancelOrder,
    Level,
    OrderAccepted,
    OrderCancelled,
    OrderEvent,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    SubmitOrder,
    TradePrint,
)
from engine.core.order import OrderType, Side, TimeInForce
from engine.exchange.account import Account
from engine.exchange.fees import FeeSchedule
from engine.exchange.paper import PaperSettings, PaperVenue
from engine.local_venue.capture_codec import CaptureDecoder
from engine.local_venue.capture_file import frames
from engine.local_venue.market import Accepted, Batch, Ended, Executed, Rejected, Report
from engine.local_venue.orders import Refusal
from engine.local_venue.products import Product
from engine.local_venue.tape import Tape

_UNLIMITED: Final = 10**40
"""The paper account can afford everything: the venue's accounts have decided already."""
_AT_A_TIME: Final = 64
"""Frames of one poll at full speed: between two polls the clients get their turn."""
_REFUSALS: Final = {
    "INVALID_LIMIT_PRICE_POST_ONLY": Refusal.POST_ONLY_CROSSES,
    "INVALID_NO_LIQUIDITY": Refusal.NO_LIQUIDITY,
    "UNSUPPORTED_ORDER_CONFIGURATION": Refusal.UNSUPPORTED,
}


@dataclass(slots=True)
class _Resting:
    """An order of ours on paper: for whom it stands, what is left of it, and its terms."""

    key: str
    product_id: str
    side: Side
    price: int | None
    remaining: int
    post_only: bool


class CapturedMarket:
    """Plays a recording from the moment somebody watches. See `MarketEngine`."""

    def __init__(
        self,
        path: Path,
        speed: Decimal | None,
        products: Mapping[str, Product],
        tapes: Mapping[str, Tape],
        clock: Clock,
        *,
        as_if_now: bool,
    ) -> None:
        """`tapes` hold what was published. Raises `RecordingError` for a file that cannot be played."""
        self._path = path
        self._speed = speed
        self._tapes = tapes
        self._clock = clock
        self._as_if_now = as_if_now
        self._decoder = CaptureDecoder(products)
        paper = PaperSettings(order_latency_ms=0.0, answer_latency_ms=0.0)
        self._venues = {
            product_id: PaperVenue(
                product.instrument,
                Account(product.instrument, FeeSchedule(0, 0), quote=_UNLIMITED, base=_UNLIMITED),
                paper,
            )
            for product_id, product in products.items()
        }
        self._frames = frames(path)
        self._next = next(self._frames, None)
        if self._next is None:
            raise RecordingError(f"{path} holds no frame to be played")
        self._first_ns = self._next.at_ns
        self._played_ns = self._first_ns
        """Wall time of the frame that was played last."""
        self._began_ns: int | None = None
        self._resting: dict[str, _Resting] = {}
        self._paper_id: dict[str, str] = {}
        self._made = 0

    # -- the recording -----------------------------------------------------------------------------

    def begin(self, now_ns: int) -> None:
        """See `MarketEngine`."""
        if self._began_ns is None:
            self._began_ns = now_ns
            if self._as_if_now:
                self._decoder.shift_ns = self._clock.wall_ns() - self._first_ns

    def next_due_ns(self) -> int | None:
        """See `MarketEngine`."""
        if self._began_ns is None or self._next is None:
            return None
        if self._speed is None:
            return self._began_ns
        return self._began_ns + int((self._next.at_ns - self._first_ns) / self._speed)

    def poll(self, now_ns: int) -> list[Batch]:
        """See `MarketEngine`."""
        batches: list[Batch] = []
        while (due_ns := self.next_due_ns()) is not None and due_ns <= now_ns:
            frame = self._next
            assert frame is not None
            self._next = next(self._frames, None)
            self._played_ns = frame.at_ns + self._decoder.shift_ns
            batch = self._decoder.decode(frame.raw, now_ns, self._played_ns)
            if batch is None:
                continue
            for event in batch.events:
                venue = self._venues.get(event.product)
                if venue is not None:
                    venue.on_market(event)
            batches.append(batch)
            if self._speed is None and len(batches) >= _AT_A_TIME:
                break
        return batches

    # -- our orders ----------------------------------------------------------------------------------

    def reports(self, now_ns: int) -> list[Report]:
        """See `MarketEngine`."""
        return [
            report
            for venue in self._venues.values()
            for event in venue.poll(now_ns)
            if (report := self._report(venue, event)) is not None
        ]

    def _report(self, venue: PaperVenue, event: OrderEvent) -> Report | None:
        resting = self._resting.get(event.client_id)
        if resting is None:
            return None
        key = resting.key
        if isinstance(event, OrderAccepted):
            # An order that took the place of another was accepted long ago.
            return Accepted(key) if event.client_id == key else None
        if isinstance(event, OrderFilled):
            resting.remaining -= event.size
            trade_id = venue.print_of(event)
            name = event.fill_id if trade_id is None else str(trade_id)
            return Executed(key, event.price, event.size, event.is_maker, name)
        del self._resting[event.client_id]
        if isinstance(event, OrderRejected) and event.client_id == key:
            return Rejected(key, _REFUSALS.get(event.code, Refusal.VENUE_BUSY), event.reason)
        if isinstance(event, OrderCancelled | OrderExpired | OrderRejected):
            return Ended(key, event.reason)
        return None

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
        """See `MarketEngine`."""
        self._send(now_ns, key, _Resting(key, product_id, side, price, size, post_only), time_in_force)

    def _send(self, now_ns: int, paper_id: str, order: _Resting, time_in_force: TimeInForce) -> None:
        self._resting[paper_id] = order
        self._paper_id[order.key] = paper_id
        self._venues[order.product_id].submit(
            SubmitOrder(
                order.product_id,
                now_ns,
                paper_id,
                order.side,
                order.remaining,
                order.price,
                OrderType.MARKET if order.price is None else OrderType.LIMIT,
                time_in_force,
                order.post_only,
            )
        )

    def cancel(self, now_ns: int, key: str) -> None:
        """See `MarketEngine`."""
        paper_id = self._paper_id[key]
        resting = self._resting.get(paper_id)
        if resting is not None:
            self._venues[resting.product_id].cancel(CancelOrder(resting.product_id, now_ns, paper_id))

    def amend(self, now_ns: int, key: str, price: int, remaining: int) -> None:
        """See `MarketEngine`.

        The paper order keeps its place and size where only the size falls (the venue books no more than
        what is left), and gives way to a new one otherwise.
        """
        old_id = self._paper_id[key]
        old = self._resting.get(old_id)
        if old is None:
            return
        if price == old.price and remaining <= old.remaining:
            return
        self._venues[old.product_id].cancel(CancelOrder(old.product_id, now_ns, old_id))
        del self._resting[old_id]
        self._made += 1
        self._send(
            now_ns, f"{key}/{self._made}", replace(old, price=price, remaining=remaining), TimeInForce.GTC
        )

    def levels(self, product_id: str, side: Side, depth: int | None = None) -> list[Level]:
        """See `MarketEngine`."""
        return self._tapes[product_id].levels.levels(side, depth)

    # -- other hands -----------------------------------------------------------------------------------

    def stranger_order(self, now_ns: int, product_id: str, side: Side, size: int, price: int | None) -> None:
        """See `MarketEngine`."""
        raise UsageError("the market is a recording: nobody else can send orders to it")

    def trade_against(self, now_ns: int, key: str, size: int) -> None:
        """See `MarketEngine`: a print that is not on the tape, large enough to get to the order."""
        paper_id = self._paper_id[key]
        resting = self._resting.get(paper_id)
        ahead = None if resting is None else self._venues[resting.product_id].estimated_ahead(paper_id)
        if resting is None or resting.price is None or ahead is None:
            raise UsageError(f"order {key} does not rest: nobody can trade against it")
        self._venues[resting.product_id].on_market(
            TradePrint(
                resting.product_id,
                now_ns,
                self._played_ns,
                0,
                resting.price,
                ahead + size,
                resting.side.opposite,
            )
        )
