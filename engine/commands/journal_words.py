"""A journal's records in plain words, in the units of the session's products."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from engine.commands.journal_items import Item, SegmentEnd, Unknown, kind_name
from engine.core.events import (
    Alert,
    BookSnapshot,
    BookUpdate,
    CancelOrder,
    CancelRejected,
    DayCarried,
    EdgeStatus,
    FeedStatus,
    Level,
    OperatorCommand,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUncertain,
    Recovered,
    SettingsChange,
    StorageStatus,
    SubmitOrder,
    Timer,
    TradePrint,
)
from engine.core.instrument import Instrument
from engine.core.order import OrderType, TimeInForce
from engine.persistence.records import (
    ArchiveDeleted,
    Explained,
    LogCut,
    Reconciled,
    SessionEnded,
    SessionStarted,
    SnapshotRef,
    StateDigest,
)
from engine.strategy.explain import Row, price_rows, size_rows

_S: Final = 1_000_000_000
_US: Final = 1_000
_LEVELS_TOLD: Final = 3
"""Of each side of a book's change."""


class Words:
    """Tells records. Products without a known instrument keep their integers: ticks, lots, atoms."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._instruments = instruments
        self._sentences: dict[type[Any], Callable[[Any], str]] = {
            SubmitOrder: self._submit,
            CancelOrder: lambda it: f"cancel {it.client_id}{_why(it.reason)}",
            OrderAccepted: lambda it: f"the venue has {it.client_id} as {it.venue_order_id}",
            OrderRejected: lambda it: f"{it.client_id} was refused, {it.code}{_why(it.reason)}",
            OrderCancelled: self._ended("cancelled"),
            OrderExpired: self._ended("expired"),
            CancelRejected: lambda it: f"no cancel of {it.client_id}, {it.code}{_why(it.reason)}",
            OrderFilled: self._fill,
            BookSnapshot: lambda it: f"the whole book, {len(it.bids):,} bids and {len(it.asks):,} asks",
            BookUpdate: self._update,
            TradePrint: self._trade,
            FeedStatus: lambda it: f"the book is {it.state.value}{_why(it.reason)}",
            Timer: lambda it: f"decide at {_seconds(it.recv_ns)} s",
            OperatorCommand: lambda it: f"{it.action.value.replace('_', ' ')}{_why(it.reason)}",
            SettingsChange: lambda it: ", ".join(
                f"{key} = {to or 'unset'}" for key, to in it.changes.items()
            ),
            StorageStatus: lambda it: (
                f"{'sound' if it.is_sound else 'not sound'}, {it.code}{_why(it.reason)}"
            ),
            EdgeStatus: lambda it: f"{it.code}: {it.restraint.value}{_why(it.reason)}",
            DayCarried: lambda it: (
                f"earlier sessions of this UTC day have earned {self._amount(it.product, it.profit)}"
            ),
            OrderUncertain: lambda it: f"{it.client_id} is uncertain{_why(it.reason)}",
            Recovered: lambda it: f"the engine goes on after a crash{_why(it.reason)}",
            Alert: lambda it: f"{it.severity.value} {it.code}: {it.text}",
            SessionStarted: lambda it: f"taken up by process {it.pid}, version {it.version}",
            SessionEnded: _session_end,
            StateDigest: lambda it: f"the state is {it.digest}",
            Explained: self._explained,
            SnapshotRef: lambda it: f"the state after record {it.at_seq} was saved, {it.body_bytes:,} bytes",
            LogCut: _cut,
            Reconciled: lambda it: f"asked the venue for {it.asked}: {_counted(it.decided)}",
            ArchiveDeleted: lambda it: f"deleted {', '.join(it.files)}{_why(it.reason)}",
            SegmentEnd: lambda it: f"the file ends after {it.records:,} records",
            Unknown: lambda it: f"{it.payload_bytes:,} bytes that a newer version wrote",
        }

    def line(self, item: Item) -> str:
        """One record on one line."""
        value = item.value
        product = getattr(value, "product", "")
        text = f"{product}  {self.sentence(value)}" if product else self.sentence(value)
        return f"{item.seq:>10}  {clock(item.ts_ns)}  {kind_name(item.kind):<13}  {_printable(text)}"

    def sentence(self, value: object) -> str:
        """What a record says."""
        return self._sentences[type(value)](value)

    def _submit(self, it: SubmitOrder) -> str:
        at = "the market" if it.price is None else self._price(it.product, it.price)
        terms = (
            (it.purpose, it.purpose != "quote"),
            (it.order_type.value.replace("_", " "), it.order_type is not OrderType.LIMIT),
            (it.time_in_force.value, it.time_in_force is not TimeInForce.GTC),
            ("post only", it.post_only),
            ("reduce only", it.reduce_only),
        )
        told = "".join(f", {word}" for word, is_told in terms if is_told)
        place = f" in {it.slot}" if it.slot else ""
        return f"{it.side.word} {self._size(it.product, it.size)} at {at}{place} ({it.client_id}){told}"

    def _explained(self, it: Explained) -> str:
        instrument = self._instruments.get(it.product)
        told = []
        for client_id in it.orders:
            why = it.reasons(client_id)
            if instrument is None:
                sums = [f"{sum(term.value for term in terms)} units" for terms in (why.price, why.size)]
            else:
                sums = [
                    _sum_text(price_rows(instrument, why.price)),
                    _sum_text(size_rows(instrument, why.size)),
                ]
            told.append(f"{client_id} at {sums[0]}; size {sums[1]}")
        return " | ".join([*told, *([it.reason] if it.reason else [])]) or "nothing is left out any more"

    def _ended(self, word: str) -> Callable[[Any], str]:
        def told(it: Any) -> str:
            left = self._size(it.product, it.remaining)
            return f"{it.client_id} is {word}, {left} not filled{_why(it.reason)}"

        return told

    def _fill(self, it: OrderFilled) -> str:
        size, price = self._size(it.product, it.size), self._price(it.product, it.price)
        role = "maker" if it.is_maker else "taker"
        return f"{it.side.word} {size} at {price}, {role}, fee {self._fee(it)} ({it.client_id}, {it.fill_id})"

    def _fee(self, it: OrderFilled) -> str:
        instrument = self._instruments.get(it.product)
        if instrument is None:
            return f"{it.fee} {it.fee_asset or 'atoms'}"
        if it.fee_asset == instrument.base:
            return self._size(it.product, it.fee)
        if it.fee_asset in ("", instrument.quote):
            return f"{_exact(it.fee, instrument.money_places)} {instrument.quote}"
        return f"{it.fee} {it.fee_asset}"

    def _update(self, it: BookUpdate) -> str:
        told = [*self._changes(it.product, "bid", it.bids), *self._changes(it.product, "ask", it.asks)]
        more = len(it.bids) + len(it.asks) - len(told)
        return ", ".join(told) + (f" and {more:,} more" if more else "")

    def _changes(self, product: str, side: str, levels: list[Level]) -> list[str]:
        return [
            f"{side} {self._price(product, price)} {self._size(product, size) if size else 'gone'}"
            for price, size in levels[:_LEVELS_TOLD]
        ]

    def _trade(self, it: TradePrint) -> str:
        size, price = self._size(it.product, it.size), self._price(it.product, it.price)
        return f"trade {it.trade_id}, {it.taker_side.word} {size} at {price}"

    def _price(self, product: str, ticks: int) -> str:
        instrument = self._instruments.get(product)
        if instrument is None:
            return f"{ticks} ticks"
        places = instrument.price_places
        return _grouped(ticks * instrument.tick_steps, places, places)

    def _amount(self, product: str, atoms: int) -> str:
        instrument = self._instruments.get(product)
        if instrument is None:
            return f"{atoms} atoms"
        return f"{_exact(atoms, instrument.money_places)} {instrument.quote}"

    def _size(self, product: str, lots: int) -> str:
        instrument = self._instruments.get(product)
        if instrument is None:
            return f"{lots} lots"
        return f"{_exact(lots * instrument.lot_steps, instrument.size_places)} {instrument.base}"


def clock(wall_ns: int) -> str:
    """A wall time for people, in UTC."""
    try:
        at = datetime.fromtimestamp(wall_ns // _S, UTC)
    except (OverflowError, ValueError):  # a clock that was never right
        return f"{wall_ns} ns"
    return f"{at:%Y-%m-%d %H:%M:%S}.{wall_ns % _S // 1_000_000:03}Z"


def _session_end(it: SessionEnded) -> str:
    left = f"; possibly open: {', '.join(it.open_orders)}" if it.open_orders else ""
    return f"ended with {it.exit_code}{_why(it.reason)}{left}"


def _cut(it: LogCut) -> str:
    count = it.records_dropped
    records = f"{count or 'no'} whole record{'s' if count > 1 else ''}"
    return f"{it.bytes_dropped:,} bytes of {records} were cut off and kept in {it.kept_as}"


def _counted(decided: Mapping[str, str]) -> str:
    if not decided:
        return "none was open"
    counts: dict[str, int] = {}
    for word in decided.values():
        counts[word] = counts.get(word, 0) + 1
    return ", ".join(f"{count} {word.replace('_', ' ')}" for word, count in sorted(counts.items()))


def _why(reason: str) -> str:
    return f": {reason}" if reason else ""


def _sum_text(rows: list[Row]) -> str:
    """A sum and the terms in it that are not 0: `99.5 = fair 100, half spread -0.5`."""
    *terms, (_, total, _) = rows
    return f"{total} = {', '.join(f'{name} {value}' for name, value, _ in terms if value != '0')}"


def _seconds(ns: int) -> str:
    return f"{ns // _S:,}.{ns % _S // _US:06}"


def _grouped(value: int, places: int, least: int) -> str:
    """`value * 10**-places` exactly, thousands separated, with at least so many digits after the point."""
    whole, fraction = divmod(abs(value), 10**places)
    digits = f"{fraction:0{places}}".rstrip("0").ljust(least, "0") if places else ""
    return f"{'-' if value < 0 else ''}{whole:,}{'.' if digits else ''}{digits}"


def _exact(value: int, places: int) -> str:
    return _grouped(value, places, 0)


def _printable(text: str) -> str:
    """What a venue or a person wrote stays on its line and cannot steer a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
