"""Every catalogued product can be simulated: at its own price, with a book worth that of BTC-USD."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from engine.config import Config, load_config
from engine.core.errors import UsageError
from engine.core.events import BookSnapshot
from engine.exchange.coinbase.products import catalogue, reference_prices
from engine.runtime.builder import build_market

_USD_OF_A = {"USD": Decimal(1), "EUR": Decimal("1.156"), "GBP": Decimal("1.349"), "BTC": Decimal("65083.66")}
"""What a unit of each quote currency was worth that day."""

_SIZES = ("order_quantity", "min_order_quantity", "max_order_quantity", "max_position")


def configured(tmp_path: Path, symbol: str, *overrides: str) -> Config:
    path = tmp_path / "empty.toml"
    path.write_text("")
    return load_config(path, overrides=[f"engine.symbols={symbol}", *overrides]).config


def opening_book(config: Config) -> BookSnapshot:
    [feed] = build_market(config).feeds
    event = next(event for event in feed.poll(10**9) if isinstance(event, BookSnapshot))
    assert event.bids
    assert event.asks
    return event


@pytest.mark.parametrize("symbol", sorted(catalogue()))
def test_a_product_starts_at_its_price_with_a_book_of_the_same_value(tmp_path: Path, symbol: str) -> None:
    x, price = catalogue()[symbol], reference_prices()[symbol]
    only_the_ladder = ("simulator.maker_count=0", "simulator.liquidity_levels=5")
    whole_lots = [f"strategy.{key}=10" for key in _SIZES]
    book = opening_book(configured(tmp_path, symbol, *only_the_ladder, *whole_lots))
    bid, ask = max(book.bids)[0], min(book.asks)[0]
    assert abs((bid + ask) * x.tick / 2 - price) <= max(2 * x.tick, price / 1000)
    value = sum(level * size * x.tick * x.lot for level, size in (*book.bids, *book.asks))
    # Ten levels of 0.02 BTC.
    expected = 10 * Decimal("0.02") * Decimal("65083.66")
    assert value * _USD_OF_A[x.quote] == pytest.approx(expected, rel=Decimal("0.02"))


def test_a_start_price_that_is_set_holds_for_every_product(tmp_path: Path) -> None:
    book = opening_book(configured(tmp_path, "ETH-USD", "simulator.start_price=2500"))
    assert (max(book.bids)[0] + min(book.asks)[0]) / 200 == pytest.approx(2500, rel=0.001)


def test_a_start_price_of_a_few_ticks_is_refused(tmp_path: Path) -> None:
    config = configured(tmp_path, "LTC-USD", "simulator.start_price=0.99")
    with pytest.raises(UsageError, match=r"start_price = 0\.99: LTC-USD moves .* at least 1$"):
        build_market(config)
