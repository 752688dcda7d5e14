"""A journal's records in words and as JSON, in the units of the session's products."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from engine.core.events import (
    Alert,
    BookSnapshot,
    BookUpdate,
    CancelOrder,
    CancelRejected,
    FeedStatus,
    OperatorCommand,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    Recovered,
    SettingsChange,
    StorageStatus,
    SubmitOrder,
    Timer,
    TradePrint,
)
from engine.core.instrument import Instrument
from engine.persistence.records import (
    TYPES,
    ArchiveDeleted,
    Entry,
    LogCut,
    Reconciled,
    SessionEnded,
    SessionStarted,
    SnapshotRef,
    StateDigest,
)

_S: Final = 1_000_000_000
_PRICES: Final = frozenset({"price"})
_SIZES: Final = frozenset({"size", "remaining"})
_LEVELS: Final = frozenset({"bids", "asks"})


class Words:
    """Tells records. Products without a known instrument keep their integers: ticks, lots, atoms."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._instruments = instruments
        self._sentences: dict[type[Any], Callable[[Any], str]] = {
            SubmitOrder: self._submit,
            CancelOrder: lambda it: f"cancel {it.client_id}: {it.reason}",
            OrderAccepted: lambda it: f"the venue has {it.client_id} as {it.venue_order_id}",
            OrderRejected: lambda it: f"{it.client_id} was refused, {it.code}: {it.reason}",
            OrderCancelled: self._ended("cancelled"),
            OrderExpired: self._ended("expired"),
            CancelRejected: lambda it: f"no cancel of {it.client_id}, {it.code}: {it.reason}",
            OrderFilled: self._fill,
            BookSnapshot: lambda it: f"the whole book, {len(it.bids)} bids and {len(it.asks)} asks",
            BookUpdate: self._update,
            TradePrint: self._trade,
            FeedStatus: lambda it: f"the book is {it.state.value}: {it.reason}",
            Timer: lambda it: f"{it.recv_ns / _S:.6f} s: decide",
            OperatorCommand: lambda it: f"{it.action.value.replace('_', ' ')}: {it.reason}",
            SettingsChange: lambda it: ", ".join(f"{k} = {v or 'unset'}" for k, v in it.changes.items()),
            StorageStatus: lambda it: f"{'sound' if it.is_sound else it.code}: {it.reason}",
            Recovered: lambda it: it.reason or "the engine goes on after a crash",
            Alert: lambda it: f"{it.severity.value} {it.code}: {it.text}",
            SessionStarted: lambda it: f"taken up by process {it.pid}, version {it.version}",
            SessionEnded: lambda it: f"ended with {it.exit_code}: {it.reason}",
            StateDigest: lambda it: f"the state is {it.digest}",
            SnapshotRef: lambda it: f"the state after record {it.at_seq} was saved, {it.body_bytes:,} bytes",
            LogCut: lambda it: (
                f"{it.bytes_dropped} bytes and {it.records_dropped} records cut off, kept in {it.kept_as}"
            ),
            Reconciled: lambda it: f"{it.asked}: {_counted(it.decided)}",
            ArchiveDeleted: lambda it: f"{', '.join(it.files)} deleted: {it.reason}",
        }

    def line(self, entry: Entry) -> str:
        """One record for people."""
        value = entry.value
        product = getattr(value, "product", "")
        return (
            f"{entry.seq:>10}  {clock(entry.ts_ns)}  {type_name(entry):<14} "
            f"{product + '  ' if product else ''}"
            f"{self._sentences[type(value)](value)}"
        )

    def object(self, entry: Entry) -> dict[str, Any]:
        """One record for machines: decimals as text, times as integers, `event` its exact kind."""
        value = entry.value
        instrument = self._instruments.get(getattr(value, "product", ""))
        fields = {
            name: self._plain(name, getattr(value, name), instrument)
            for name in type(value).__struct_fields__
        }
        return {
            "v": 1,
            "seq": entry.seq,
            "ts_ns": entry.ts_ns,
            "type": type_name(entry),
            "event": type(value).__name__,
        } | fields

    @staticmethod
    def _plain(name: str, value: Any, instrument: Instrument | None) -> Any:
        if instrument is not None and value is not None:
            if name in _PRICES:
                return instrument.price_text(value)
            if name in _SIZES:
                return instrument.size_text(value)
            if name in _LEVELS:
                return [[instrument.price_text(price), instrument.size_text(size)] for price, size in value]
            if name == "fee":
                return instrument.money_text(value)
        return msgspec.to_builtins(value)

    # -- sentences -------------------------------------------------------------------------------

    def _submit(self, it: SubmitOrder) -> str:
        at = "the market" if it.price is None else self._price(it, it.price)
        return f"{it.side.word} {self._size(it, it.size)} at {at} in {it.slot} ({it.client_id}, {it.purpose})"

    def _ended(self, word: str) -> Callable[[Any], str]:
        def told(it: Any) -> str:
            why = f": {it.reason}" if it.reason else ""
            return f"{it.client_id} is {word}, {self._size(it, it.remaining)} not filled{why}"

        return told

    def _fill(self, it: OrderFilled) -> str:
        instrument = self._instruments.get(it.product)
        fee = str(it.fee) if instrument is None or it.fee_asset else instrument.money_text(it.fee)
        return (
            f"{it.side.word} {self._size(it, it.size)} at {self._price(it, it.price)}, "
            f"{'maker' if it.is_maker else 'taker'}, fee {fee} ({it.client_id}, {it.fill_id})"
        )

    def _update(self, it: BookUpdate) -> str:
        sides = (("bid", it.bids), ("ask", it.asks))
        changes = [
            f"{name} {self._price(it, price)} {'gone' if not size else self._size(it, size)}"
            for name, levels in sides
            for price, size in levels[:3]
        ]
        more = len(it.bids) + len(it.asks) - len(changes)
        return "  ".join(changes) + (f"  and {more} more" if more else "")

    def _trade(self, it: TradePrint) -> str:
        size, price = self._size(it, it.size), self._price(it, it.price)
        return f"trade {it.trade_id}: {it.taker_side.word} {size} at {price}"

    def _price(self, it: Any, ticks: int) -> str:
        instrument = self._instruments.get(it.product)
        return f"{ticks} ticks" if instrument is None else instrument.price_text(ticks)

    def _size(self, it: Any, lots: int) -> str:
        instrument = self._instruments.get(it.product)
        return f"{lots} lots" if instrument is None else f"{instrument.size_text(lots)} {instrument.base}"


def type_name(entry: Entry) -> str:
    """The word of a record's type."""
    return TYPES[type(entry.value)].name.lower()


def clock(wall_ns: int) -> str:
    """A wall time for people, in UTC."""
    at = datetime.fromtimestamp(wall_ns // _S, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}.{wall_ns % _S // 1_000_000:03}Z"


def _counted(decided: Mapping[str, str]) -> str:
    if not decided:
        return "no order was open"
    counts: dict[str, int] = {}
    for word in decided.values():
        counts[word] = counts.get(word, 0) + 1
    return ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
