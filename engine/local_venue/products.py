"""The products the venue can list: their rules, and the flags that an operator may set at any time."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from engine.core.errors import UsageError
from engine.core.instrument import Instrument

CATALOGUE_DATE: Final = "2026-08-09"
"""The day whose rules and prices the venue's products have."""

_NAMES: Final = {
    "BTC": "Bitcoin",
    "ETH": "Ethereum",
    "SOL": "Solana",
    "XRP": "XRP",
    "LTC": "Litecoin",
    "ADA": "Cardano",
    "AVAX": "Avalanche",
    "LINK": "Chainlink",
    "DOGE": "Dogecoin",
    "SHIB": "SHIBA INU",
    "PEPE": "Pepe",
    "USD": "US Dollar",
    "EUR": "Euro",
    "GBP": "British Pound",
}

_CATALOGUE: Final = (
    # product, tick, step and least size, largest size, least value, largest value, price of that day
    ("BTC-USD", "0.01", "0.00000001", "3400", "1", "150000000", "65083.66"),
    ("ETH-USD", "0.01", "0.00000001", "42000", "1", "150000000", "1919.41"),
    ("SOL-USD", "0.01", "0.00000001", "1274000", "1", "25000000", "77.12"),
    ("XRP-USD", "0.0001", "0.000001", "11996772.8407292192545075", "1", "10000000", "1.0411"),
    ("LTC-USD", "0.01", "0.00000001", "122300", "1", "10000000", "46.09"),
    ("ADA-USD", "0.00001", "0.00000001", "30176000", "1", "10000000", "0.19782"),
    ("AVAX-USD", "0.001", "0.00000001", "631600", "1", "10000000", "6.552"),
    ("LINK-USD", "0.001", "0.01", "1503100", "1", "10000000", "8.326"),
    ("DOGE-USD", "0.00001", "0.1", "141834300", "1", "10000000", "0.0704"),
    ("SHIB-USD", "0.00000001", "1", "970443076600", "1", "10000000", "0.00000468"),
    ("PEPE-USD", "0.00000001", "1", "539937939102.8409944033184418", "1", "10000000", "0.00000293"),
    ("ETH-BTC", "0.000001", "0.00000001", "6100", "0.00001", "200", "0.02948878"),
    ("BTC-EUR", "0.01", "0.00000001", "400", "1", "10000000", "56306.27"),
    ("BTC-GBP", "0.01", "0.00000001", "200", "1", "10000000", "48237.81"),
    ("ETH-EUR", "0.01", "0.00000001", "6700", "1", "10000000", "1660.53"),
)


@dataclass(slots=True)
class Product:
    """One product. Increments and limits are exact decimals in base or quote units."""

    product_id: str
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    min_size: Decimal
    max_size: Decimal
    min_value: Decimal
    max_value: Decimal
    reference_price: Decimal
    """What it cost on the catalogue's day: where a simulated market begins."""
    status: str = "online"
    trading_disabled: bool = False
    cancel_only: bool = False
    limit_only: bool = False
    post_only: bool = False
    auction_mode: bool = False
    instrument: Instrument = field(init=False)
    """The same in integers, without the limits, which are the venue's own to check."""

    def __post_init__(self) -> None:
        self.instrument = Instrument.create(
            self.product_id, tick=self.tick, lot=self.step, base=self.base, quote=self.quote
        )

    @property
    def base_name(self) -> str:
        """The base currency for people."""
        return _NAMES.get(self.base, self.base)

    @property
    def quote_name(self) -> str:
        """The quote currency for people."""
        return _NAMES.get(self.quote, self.quote)


def known_products() -> dict[str, Product]:
    """A fresh copy of every product of the catalogue, by id."""
    products = {}
    for product_id, tick, step, most, least_value, most_value, price in _CATALOGUE:
        base, _, quote = product_id.partition("-")
        products[product_id] = Product(
            product_id,
            base,
            quote,
            Decimal(tick),
            Decimal(step),
            Decimal(step),
            Decimal(most),
            Decimal(least_value),
            Decimal(most_value),
            Decimal(price),
        )
    return products


def choose_products(product_ids: tuple[str, ...]) -> dict[str, Product]:
    """Those products of the catalogue; `UsageError` for one that is not in it."""
    known = known_products()
    for product_id in product_ids:
        if product_id not in known:
            raise UsageError(f"the local venue does not know {product_id}; it knows {', '.join(known)}")
    return {product_id: known[product_id] for product_id in product_ids}
