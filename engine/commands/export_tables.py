"""The rows that the wake-ups of a session give to the tables it is exported as."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from engine.commands.export_schema import ATTRIBUTION, FILLS, HORIZONS, ORDERS, POSITIONS, Row, Table
from engine.core.instrument import Instrument, scaled_text
from engine.core.ledger import BookedFill
from engine.core.own_orders import OwnOrder
from engine.link.analytics import FillGroup, HourShare
from engine.runtime.analytics_view import analytics_of
from engine.runtime.desk import Desk
from engine.runtime.observers import WakeUp

_POSITION_EVERY_NS: Final = 1_000_000_000


class _Filled:
    """A fill that waits for its markouts."""

    __slots__ = ("markouts", "row", "unknown")

    def __init__(self, row: Row, unknown: int) -> None:
        self.row = row
        self.markouts: list[str | None] = [None] * len(HORIZONS)
        self.unknown = unknown
        """Horizons that are still to come."""


class DeskTables:
    """The rows of one product. Show it every wake-up after the desk's own watcher, then `finish` it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._instrument = desk.trader.instrument
        self._waiting: deque[_Filled] = deque()
        self._by_id: dict[str, _Filled] = {}
        self._next_ns = 0
        self._untold: tuple[int, int] | None = None
        """Engine and wall time of a last wake-up that has no row of positions."""
        desk.watcher.markouts.tell_to(self._on_settled)

    def on_fills(self, fills: Sequence[BookedFill]) -> None:
        """Before the watcher sees them: a fill's first horizon may come in the same wake-up."""
        for booked in fills:
            fill = booked.fill
            filled = _Filled(self._fill(booked), len(HORIZONS) if fill.is_maker else 0)
            self._waiting.append(filled)
            if fill.is_maker:
                self._by_id[fill.fill_id] = filled

    def rows(self, wake: WakeUp) -> Iterator[tuple[Table, Row]]:
        """What a wake-up adds, the watcher having seen it."""
        yield from self._complete()
        for order in wake.ended:
            yield ORDERS, self._order(order)
        last = wake.events[-1]
        self._untold = last.recv_ns, last.wall_ns
        if wake.fills or last.recv_ns >= self._next_ns:
            self._next_ns = (last.recv_ns // _POSITION_EVERY_NS + 1) * _POSITION_EVERY_NS
            yield from self._last_position()

    def finish(self) -> Iterator[tuple[Table, Row]]:
        """The rest: fills whose horizons were not reached, orders that are open, and what it all came to."""
        self._desk.watcher.markouts.close()
        yield from self._complete()
        yield from self._last_position()
        for order in self._desk.trader.orders.own.by_id.values():
            yield ORDERS, self._order(order)
        analytics = analytics_of(self._desk.watcher.analytics, self._desk.trader.ledger)
        for group in analytics.groups:
            yield ATTRIBUTION, self._group(group)
        for hour in analytics.hours:
            yield ATTRIBUTION, self._hour(hour)

    def _on_settled(self, fill_id: str, horizon: int, markout: int | None) -> None:
        filled = self._by_id.get(fill_id)
        if filled is not None:
            filled.markouts[horizon] = self._money(markout)
            filled.unknown -= 1
            if not filled.unknown:
                del self._by_id[fill_id]

    def _complete(self) -> Iterator[tuple[Table, Row]]:
        while self._waiting and not self._waiting[0].unknown:
            filled = self._waiting.popleft()
            yield FILLS, (*filled.row, *filled.markouts)

    def _last_position(self) -> Iterator[tuple[Table, Row]]:
        if self._untold is not None:
            yield POSITIONS, self._position(*self._untold)
            self._untold = None

    def _fill(self, booked: BookedFill) -> Row:
        fill, instrument = booked.fill, self._instrument
        order = self._desk.trader.orders.order(fill.client_id)
        captured = instrument.value(booked.mark - 2 * fill.price, fill.side * fill.size)
        return (
            fill.product,
            fill.recv_ns,
            fill.wall_ns,
            fill.exchange_ns or None,
            fill.fill_id,
            fill.client_id,
            None if order is None else order.slot,
            None if order is None else order.command.purpose,
            fill.side.word,
            instrument.price_text(fill.price),
            instrument.size_text(fill.size),
            fill.is_maker,
            self._fee(fill.fee, fill.fee_asset),
            fill.fee_asset or instrument.quote,
            None if order is None else fill.recv_ns - order.sent_ns,
            mark_text(instrument, booked.mark),
            instrument.money_text(captured),
            instrument.size_text(booked.position),
        )

    def _fee(self, fee: int, asset: str) -> str:
        if asset == self._instrument.base:
            return self._instrument.size_text(fee)
        return self._instrument.money_text(fee) if asset in ("", self._instrument.quote) else str(fee)

    def _order(self, order: OwnOrder) -> Row:
        instrument, command = self._instrument, order.command
        return (
            command.product,
            order.client_id,
            order.venue_order_id or None,
            order.slot,
            command.purpose,
            order.side.word,
            instrument.price_text(order.price),
            instrument.size_text(order.size),
            command.time_in_force.value,
            command.post_only,
            command.reduce_only,
            order.sent_ns,
            order.accepted_ns,
            order.ended_ns,
            instrument.size_text(order.filled),
            order.state.value,
            order.cancel_reason or order.end_reason or None,
        )

    def _position(self, time_ns: int, wall_ns: int) -> Row:
        ledger, instrument = self._desk.trader.ledger, self._instrument
        mark = ledger.mark_half_ticks
        return (
            self._desk.product,
            time_ns,
            wall_ns,
            instrument.size_text(ledger.position),
            None if mark is None else mark_text(instrument, mark),
            self._money(ledger.realised),
            self._money(ledger.unrealised),
            self._money(ledger.captured),
            self._money(ledger.revaluation),
            self._money(ledger.fees),
            self._money(ledger.profit),
            self._money(self._desk.watcher.analytics.hold),
        )

    def _group(self, group: FillGroup) -> Row:
        return (
            *self._share(group.kind, group.name, group),
            *(self._money(each.adverse if each.fills else None) for each in group.markouts),
            *(each.fills for each in group.markouts),
            *(each.censored for each in group.markouts),
        )

    def _hour(self, hour: HourShare) -> Row:
        adverse = [self._money(each) for each in hour.adverse]
        unknown = (None,) * (2 * len(HORIZONS))
        return (*self._share("hour", str(hour.start_wall_ns), hour), *adverse, *unknown)

    def _share(self, kind: str, name: str, share: FillGroup | HourShare) -> Row:
        profit = share.captured + share.revaluation - share.fees
        amounts = (share.captured, share.revaluation, share.fees, profit)
        return (self._desk.product, kind, name, share.fills, *map(self._money, amounts))

    def _money(self, atoms: int | None) -> str | None:
        return None if atoms is None else self._instrument.money_text(atoms)


def mark_text(instrument: Instrument, half_ticks: int) -> str:
    """A mark as a price; half a tick may need one decimal more."""
    return scaled_text(half_ticks * instrument.tick_steps * 5, instrument.price_places + 1)
