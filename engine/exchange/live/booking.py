"""Books fills: whatever they are known from, each of them is told once."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import localcontext
from typing import Final

from engine.core.instrument import Instrument
from engine.exchange.coinbase.broker import VenueFill
from engine.exchange.coinbase.wire.user import OrderReport, UserMatch
from engine.exchange.live.order_fills import (
    Figures,
    NewFill,
    booked_to,
    boundaries,
    derive,
    fill_id,
    totals,
    unbooked,
)
from engine.exchange.live.outbox import Outbox
from engine.exchange.live.tracking import TrackedOrder
from engine.exchange.protocol import OwnRecord

_PRINTS_KEPT: Final = 10_000


class Booking:
    """Turns what the venue says of an order's fills into `OrderFilled` events."""

    def __init__(self, instrument: Instrument, record: OwnRecord, outbox: Outbox, opened_ns: int = 0) -> None:
        """`opened_ns`: venue wall time at which the opening balances were read; executions of before are in
        them and are not booked."""
        self._opened_ns = opened_ns
        self._instrument = instrument
        self._record = record
        self._outbox = outbox
        self._prints: dict[str, int] = {}

    def print_of(self, fill: str) -> int | None:
        """The trade id of a fill, where the venue told it."""
        return self._prints.get(fill)

    def book_report(self, order: TrackedOrder, report: OrderReport) -> bool:
        """Book up to the cumulative figures of a report; False where that takes the list of executions."""
        lots = self._instrument.lots(report.filled)
        order.target = max(order.target, lots)
        if lots <= order.booked.lots:
            return True
        is_maker = order.is_maker()
        now = Figures(lots, report.filled_value, report.fees)
        fill = derive(self._instrument, order.booked, now) if is_maker is not None else None
        if fill is None or order.is_fetching or order.is_absent:
            return False
        self._tell(order, fill, is_maker=bool(is_maker))
        order.booked = now
        return True

    def book_executions(self, order: TrackedOrder, executions: Sequence[VenueFill]) -> None:
        """Book what is missing from the complete list of an order's executions, oldest first.

        Raises `CorrectionError`, with nothing booked, for one that takes an execution back.
        """
        known = totals(self._instrument, executions)
        if order.is_absent:
            self._recall(order, executions)
        if known.lots == order.booked.lots and order.booked.value is None:
            order.booked = known
        if known.lots <= order.booked.lots:
            return
        fills = unbooked(self._instrument, executions, order.booked)
        for fill in fills:
            is_maker = order.is_maker() if fill.is_maker is None else fill.is_maker
            self._tell(order, fill, is_maker=bool(is_maker))
        order.booked = booked_to(self._instrument, order.booked, fills, known)
        order.target = max(order.target, known.lots)

    def book_match(self, order: TrackedOrder, match: UserMatch) -> bool:
        """Book one execution that the user feed tells by itself.

        False where others may not have been told, or may be in the figures of a report already: only the
        venue's own figures tell then.
        """
        if not order.is_whole:
            return False
        if match.trade_id in order.matches:
            return True
        order.matches.add(match.trade_id)
        size = self._instrument.lots(match.size)
        order.matched += size
        if order.matched - size != order.booked.lots:
            order.target = max(order.target, order.matched)
            return False
        with localcontext(prec=200):
            value = match.price * match.size
            fee = value * match.fee_rate
            before = order.booked
            after = Figures(
                order.matched,
                None if before.value is None else before.value + value,
                None if before.fees is None else before.fees + fee,
            )
        fill = NewFill(order.matched, self._instrument.ticks(match.price), size, fee, match.is_maker)
        self._prints[fill_id(order.venue_id, fill.lots_after)] = match.trade_id
        if len(self._prints) > _PRINTS_KEPT:
            del self._prints[next(iter(self._prints))]
        self._tell(order, fill, is_maker=match.is_maker)
        order.booked = after
        order.target = max(order.target, order.booked.lots)
        return True

    def _recall(self, order: TrackedOrder, executions: Sequence[VenueFill]) -> None:
        """Which fills of an order that the record does not have are in its figures all the same.

        Those of before the record began, and those it booked and forgot the order of: ids of fills are never
        forgotten.
        """
        ends = boundaries(self._instrument, executions)
        for lots, execution in zip(reversed(ends), reversed(executions), strict=True):
            if lots <= order.booked.lots:
                return
            is_before = execution.time_ns < self._opened_ns
            if is_before or self._record.knows_fill(fill_id(order.venue_id, lots)):
                order.booked = Figures(lots, None, None)
                return

    def _tell(self, order: TrackedOrder, fill: NewFill, *, is_maker: bool) -> None:
        order.is_confirmed = False
        order.booked_ns = self._outbox.filled(
            order.client_id,
            fill_id(order.venue_id, fill.lots_after),
            order.side,
            fill.price,
            fill.size,
            self._instrument.atoms_rounded(fill.fee),
            is_maker=is_maker,
            exchange_ns=fill.time_ns,
        )
