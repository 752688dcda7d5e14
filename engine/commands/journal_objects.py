"""A journal's records for machines: decimals as text, times in whole nanoseconds, keys that stay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from engine.commands.journal_items import Item, kind_name
from engine.core.events import FillEvidence, Level, OrderFilled
from engine.core.instrument import Instrument
from engine.core.order import Side
from engine.persistence.records import Explained
from engine.strategy.explain import objects, price_rows, size_rows

_PRICES: Final = frozenset({"price"})
_SIZES: Final = frozenset({"size", "remaining"})
_LEVELS: Final = frozenset({"bids", "asks"})


class Objects:
    """Products without a known instrument keep their integers: ticks, lots, atoms."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._instruments = instruments

    def object(self, item: Item) -> dict[str, Any]:
        """One record: `type` is its class, `event` its exact kind, then what it holds."""
        value = item.value
        instrument = self._instruments.get(getattr(value, "product", ""))
        told: dict[str, Any] = {
            "v": 1,
            "seq": item.seq,
            "ts_ns": item.ts_ns,
            "type": kind_name(item.kind),
            "event": type(value).__name__,
        }
        if isinstance(value, Explained) and instrument is not None:
            return told | _explained(value, instrument)
        for name in type(value).__struct_fields__:
            told[name] = _plain(name, getattr(value, name), instrument)
        if isinstance(value, OrderFilled) and instrument is not None:
            told |= _fees(value, instrument)
        return told


def _plain(name: str, value: Any, instrument: Instrument | None) -> Any:
    if isinstance(value, Side):
        return value.word
    if isinstance(value, Decimal):
        return _decimal(value)
    if instrument is None or value is None:
        return msgspec.to_builtins(value)
    if name in _PRICES:
        return instrument.price_text(value)
    if name in _SIZES:
        return instrument.size_text(value)
    if name in _LEVELS:
        return _levels(value, instrument)
    if isinstance(value, FillEvidence):
        return _evidence(value, instrument.size_text)
    return msgspec.to_builtins(value)


def _explained(value: Explained, instrument: Instrument) -> dict[str, Any]:
    def reasons(client_id: str) -> dict[str, Any]:
        why = value.reasons(client_id)
        return {
            "client_id": client_id,
            "price": objects(price_rows(instrument, why.price)),
            "size": objects(size_rows(instrument, why.size)),
        }

    orders = [reasons(client_id) for client_id in value.orders]
    return {"product": value.product, "reason": value.reason, "orders": orders}


def _decimal(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _levels(levels: list[Level], instrument: Instrument) -> list[list[str]]:
    return [[instrument.price_text(price), instrument.size_text(size)] for price, size in levels]


def _evidence(evidence: FillEvidence, size_text: Callable[[int], str]) -> dict[str, Any]:
    return {
        "reason": evidence.reason,
        "ahead_before": size_text(evidence.ahead_before),
        "ahead_after": size_text(evidence.ahead_after),
        "trade_id": evidence.trade_id,
    }


def _fees(fill: OrderFilled, instrument: Instrument) -> dict[str, Any]:
    """The fee in units of its asset; one in a third asset as the venue counts it."""
    asset = fill.fee_asset or instrument.quote
    fee = {instrument.base: instrument.size_text, instrument.quote: instrument.money_text}.get(asset, str)
    value = None if fill.fee_value is None else instrument.money_text(fill.fee_value)
    return {"fee": fee(fill.fee), "fee_asset": asset, "fee_value": value}
