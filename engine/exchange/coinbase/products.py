"""Instruments from the venue's own product lists, and a dated catalogue of well-known products."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from engine.core.errors import InstrumentError, UsageError
from engine.core.instrument import Instrument, parse_decimal

CATALOGUE_DATE: Final = "2026-08-09"
"""The day of `catalogue` and `reference_prices`. They are a fallback: the venue's list is the authority."""

_CATALOGUE: Final = (
    # product, price increment, size increment, smallest size, smallest notional, price of that day
    ("BTC-USD", "0.01", "0.00000001", "0.00000001", "1", "65083.66"),
    ("BTC-EUR", "0.01", "0.00000001", "0.00000001", "1", "56310"),
    ("BTC-GBP", "0.01", "0.00000001", "0.00000001", "1", "48240"),
    ("ETH-USD", "0.01", "0.00000001", "0.00000001", "1", "1919"),
    ("ETH-EUR", "0.01", "0.00000001", "0.00000001", "1", "1661"),
    ("ETH-GBP", "0.01", "0.00000001", "0.00000001", "1", "1423"),
    ("ETH-BTC", "0.000001", "0.00000001", "0.00000001", "0.00001", "0.02949"),
    ("SOL-USD", "0.01", "0.00000001", "0.00000001", "1", "77.12"),
    ("SOL-BTC", "0.0000001", "0.001", "0.001", "0.000016", "0.001185"),
    ("XRP-USD", "0.0001", "0.000001", "0.000001", "1", "1.041"),
    ("DOGE-USD", "0.00001", "0.1", "0.1", "1", "0.0704"),
    ("SHIB-USD", "0.00000001", "1", "1", "1", "0.00000468"),
    ("LTC-USD", "0.01", "0.00000001", "0.00000001", "1", "46.09"),
    ("LTC-BTC", "0.000001", "0.00000001", "0.00000001", "0.000016", "0.000708"),
    ("BCH-USD", "0.01", "0.00000001", "0.00000001", "1", "215.6"),
    ("ADA-USD", "0.00001", "0.00000001", "0.00000001", "1", "0.1978"),
    ("AVAX-USD", "0.001", "0.00000001", "0.00000001", "1", "6.552"),
    ("LINK-USD", "0.001", "0.01", "0.01", "1", "8.326"),
    ("DOT-USD", "0.0001", "0.00000001", "0.00000001", "1", "0.808"),
    ("UNI-USD", "0.0001", "0.000001", "0.000001", "1", "4.053"),
    ("AAVE-USD", "0.01", "0.001", "0.001", "1", "91.4"),
    ("PEPE-USD", "0.00000001", "1", "1", "1", "0.00000293"),
    ("XLM-USD", "0.000001", "0.00000001", "0.00000001", "1", "0.1638"),
    ("HBAR-USD", "0.00001", "0.1", "0.1", "1", "0.06933"),
    ("SUI-USD", "0.0001", "0.1", "0.1", "1", "0.6989"),
    ("NEAR-USD", "0.0001", "0.001", "0.001", "1", "1.627"),
    ("ATOM-USD", "0.001", "0.01", "0.01", "1", "1.39"),
    ("USDT-USD", "0.00001", "0.01", "0.01", "1", "0.9993"),
)


class AdvancedProduct(msgspec.Struct):
    """A product of Advanced Trade's list, as far as an instrument needs it."""

    product_id: str
    base_increment: str
    quote_increment: str
    price_increment: str = ""
    base_min_size: str = ""
    base_max_size: str = ""
    quote_min_size: str = ""
    base_currency_id: str = ""
    quote_currency_id: str = ""


class _AdvancedProducts(msgspec.Struct):
    products: list[AdvancedProduct]


class ExchangeProduct(msgspec.Struct):
    """A product of Exchange's list, as far as an instrument needs it."""

    id: str
    base_increment: str
    quote_increment: str
    base_currency: str = ""
    quote_currency: str = ""
    base_min_size: str = ""
    base_max_size: str = ""
    min_market_funds: str = ""


def parse_products(body: bytes) -> dict[str, Instrument]:
    """The instruments of a product list as either API's REST answers it.

    Advanced: `GET /api/v3/brokerage/market/products`; Exchange: `GET /products`. Raises `UsageError`
    for a body that is neither, or that holds an impossible product, naming it.
    """
    try:
        if body.lstrip()[:1] == b"[":
            listed = [
                exchange_instrument(entry) for entry in msgspec.json.decode(body, type=list[ExchangeProduct])
            ]
        else:
            answer = msgspec.json.decode(body, type=_AdvancedProducts)
            listed = [advanced_instrument(entry) for entry in answer.products]
    except InstrumentError as error:
        raise UsageError(f"the product list holds an impossible product: {error}") from None
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UsageError(
            f"this is not a product list of Coinbase Advanced Trade or Exchange: {error}"
        ) from None
    return {instrument.symbol: instrument for instrument in listed}


def advanced_instrument(entry: AdvancedProduct) -> Instrument:
    """Raises `InstrumentError` for an impossible product."""
    return Instrument.create(
        entry.product_id,
        tick=entry.price_increment or entry.quote_increment,
        lot=entry.base_increment,
        base=entry.base_currency_id or None,
        quote=entry.quote_currency_id or None,
        min_size=entry.base_min_size or "0",
        max_size=_maximum(entry.base_max_size),
        min_notional=entry.quote_min_size or "0",
    )


def exchange_instrument(entry: ExchangeProduct) -> Instrument:
    """Raises `InstrumentError` for an impossible product."""
    return Instrument.create(
        entry.id,
        tick=entry.quote_increment,
        lot=entry.base_increment,
        base=entry.base_currency or None,
        quote=entry.quote_currency or None,
        min_size=entry.base_min_size or "0",
        max_size=_maximum(entry.base_max_size),
        min_notional=entry.min_market_funds or "0",
    )


def _maximum(text: str) -> str | None:
    """A maximum of 0 is the venue's word for none."""
    return text if text and parse_decimal(text, "maximum size") > 0 else None


def catalogue() -> dict[str, Instrument]:
    """Well-known products with their increments of `CATALOGUE_DATE`."""
    return {
        symbol: Instrument.create(symbol, tick=tick, lot=lot, min_size=least, min_notional=notional)
        for symbol, tick, lot, least, notional, _ in _CATALOGUE
    }


def reference_prices() -> dict[str, Decimal]:
    """A price of every catalogued product on `CATALOGUE_DATE`, rounded: where a simulation may start."""
    return {symbol: Decimal(price) for symbol, *_, price in _CATALOGUE}
