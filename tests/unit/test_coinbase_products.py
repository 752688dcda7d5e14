"""Instruments from product lists, from a catalogue and from what a recording shows; exact conversion."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path

import pytest
from coinbase_frames import INSTRUMENTS, Holder, l2_snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import UsageError
from engine.core.events import FeedState
from engine.core.instrument import Instrument
from engine.exchange.coinbase.products import CATALOGUE_DATE, catalogue, parse_products, reference_prices
from engine.exchange.coinbase.wire.advanced import AdvancedSession
from engine.exchange.coinbase.wire.exchange import ExchangeSession
from engine.exchange.coinbase.wire.observed import ObservedInstruments
from engine.exchange.coinbase.wire.product_feed import ProductFeed
from engine.exchange.coinbase.wire.timestamps import TimeParser
from engine.exchange.coinbase.wire.trade_ids import TradeIds

ADVANCED_PRODUCT = {
    "product_id": "BTC-USD",
    "base_increment": "0.00000001",
    "quote_increment": "0.01",
    "price_increment": "0.05",
    "base_min_size": "0.001",
    "base_max_size": "3400",
    "quote_min_size": "1",
    "base_currency_id": "BTC",
    "quote_currency_id": "USD",
}
EXCHANGE_PRODUCT = {
    "id": "SKL-EUR",
    "base_currency": "SKL",
    "quote_currency": "EUR",
    "quote_increment": "0.0001",
    "base_increment": "0.1",
    "base_min_size": "5",
    "base_max_size": "0",
    "min_market_funds": "5.0",
}


def test_an_advanced_product() -> None:
    (product,) = parse_products(json.dumps({"products": [ADVANCED_PRODUCT]}).encode()).values()
    assert (product.symbol, product.base, product.quote) == ("BTC-USD", "BTC", "USD")
    assert (product.tick, product.lot) == (Decimal("0.05"), Decimal("0.00000001"))
    assert (product.min_size, product.max_size) == (100_000, 340_000_000_000)
    assert product.money_text(product.min_notional) == "1"


def test_an_exchange_product() -> None:
    (product,) = parse_products(json.dumps([EXCHANGE_PRODUCT]).encode()).values()
    assert (product.symbol, product.tick, product.lot) == ("SKL-EUR", Decimal("0.0001"), Decimal("0.1"))
    assert (product.min_size, product.max_size) == (50, None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"5",
        b"[5]",
        b'{"products":null}',
        b'[{"id":"A-B"}]',
        json.dumps([{**EXCHANGE_PRODUCT, "quote_increment": "0"}]).encode(),
        json.dumps([{**EXCHANGE_PRODUCT, "quote_increment": "NaN"}]).encode(),
        json.dumps([{**EXCHANGE_PRODUCT, "base_max_size": "many"}]).encode(),
        b"[" * 100_000,
    ],
)
def test_what_is_no_product_list(body: bytes) -> None:
    with pytest.raises(UsageError, match="product list"):
        parse_products(body)


def test_real_product_lists(shared_data: Path) -> None:
    folder = shared_data / "coinbase"
    for name, count in (
        ("advanced_rest_market_products_20260809.json.gz", 920),
        ("exchange_rest_products_20210417.json.gz", 162),
    ):
        assert len(parse_products(gzip.decompress((folder / name).read_bytes()))) == count


def test_the_catalogue_is_what_the_venue_said_that_day(shared_data: Path) -> None:
    assert CATALOGUE_DATE == "2026-08-09"
    body = gzip.decompress(
        (shared_data / "coinbase" / "advanced_rest_market_products_20260809.json.gz").read_bytes()
    )
    listed = parse_products(body)
    assert {"BTC-USD", "ETH-USD", "ETH-BTC", "DOGE-USD", "SHIB-USD", "SOL-USD", "LTC-USD"} <= set(catalogue())
    for symbol, ours in catalogue().items():
        theirs = listed[symbol]
        assert (ours.tick, ours.lot, ours.min_size) == (theirs.tick, theirs.lot, theirs.min_size), symbol
        assert ours.min_notional == theirs.min_notional, symbol
        assert (ours.base, ours.quote) == (theirs.base, theirs.quote), symbol


def test_reference_prices_are_those_of_that_day(shared_data: Path) -> None:
    body = gzip.decompress(
        (shared_data / "coinbase" / "advanced_rest_market_products_20260809.json.gz").read_bytes()
    )
    quoted = {entry["product_id"]: Decimal(entry["price"]) for entry in json.loads(body)["products"]}
    prices = reference_prices()
    assert prices.keys() == catalogue().keys()
    for symbol, price in prices.items():
        assert abs(price / quoted[symbol] - 1) < Decimal("0.0005"), symbol


def test_observed_precision() -> None:
    observed = ObservedInstruments()
    observed.add_advanced(l2_snapshot(0))
    observed.add_exchange(
        '{"type":"match","product_id":"A-B","trade_id":1,"price":"5","size":"0.00100","side":"buy"}'
    )
    observed.add_exchange("garbage")
    observed.add_advanced(l2_snapshot(0, "X-Y").replace("99.99", "9e-9").replace("99.98", "1" * 50))
    found = observed.instruments()
    assert (found["BTC-USD"].tick, found["BTC-USD"].lot) == (Decimal("0.01"), Decimal("0.01"))
    assert (found["A-B"].tick, found["A-B"].lot) == (Decimal(1), Decimal("0.001"))
    assert found["X-Y"].tick == Decimal("0.01")


steps = st.sampled_from(["0.01", "0.05", "0.25", "1", "5", "0.00000001", "0.0000001", "0.03", "0.1"])


@settings(deadline=None, derandomize=True, max_examples=400)
@given(steps, st.one_of(st.integers(1, 2**44), st.integers(1, 10**20)), st.integers(0, 3))
def test_conversion_is_exact_at_any_size(step: str, number: int, zeros: int) -> None:
    feed = ProductFeed(Instrument.create("A-B", tick=step, lot=step))
    text = f"{Decimal(step) * number:f}"
    text += "0" * zeros if "." in text else ""
    if len(text.partition(".")[0]) <= 24:
        assert feed.ticks(text) == feed.lots(text) == number


@settings(deadline=None, derandomize=True, max_examples=300)
@given(steps, st.integers(1, 2**42), st.integers(1, 9), st.integers(1, 6))
def test_what_is_between_two_steps_is_refused(step: str, number: int, digit: int, places: int) -> None:
    """Down to a millionth of a step, where a double can still tell (15 significant digits)."""
    feed = ProductFeed(Instrument.create("A-B", tick=step, lot=step))
    value = Decimal(step) * (number + Decimal(digit).scaleb(-places))
    if number * 10**places < 10**14:
        for convert in (feed.ticks, feed.lots):
            with pytest.raises(ValueError):
                convert(f"{value:f}")


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2026-08-09T21:05:48.483587501Z", 1786309548483587501),
        ("2026-08-09T21:05:48.48Z", 1786309548480000000),
        ("2026-08-09T21:05:48Z", 1786309548000000000),
        ("1969-12-31T23:59:59Z", 0),
        ("1970-01-01T00:00:00Z", 0),
        ("0001-01-01T00:00:00Z", 0),
        ("2026-08-09T21:05:48", 0),
        ("2026-08-09T21:05:48.1", 0),
        ("2026-08-09T21:05:48.1234567890Z", 0),
        ("2026-08-09T21:05:48.1e5Z", 0),
        ("2026-08-09T21:05:48+01:00", 0),
        ("2026-13-09T21:05:48Z", 0),
        ("2026-08-09 21:05:48.8 +0000 UTC m=+1.2", 0),
        ("", 0),
    ],
)
def test_venue_times(text: str, ns: int) -> None:
    times = TimeParser()
    assert times.ns(text) == ns
    assert times.ns("2026-08-09T21:05:48.1Z") == 1786309548100000000
    assert times.ns(text) == ns, "a remembered second changes nothing"


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.lists(st.integers(0, 40), max_size=80))
def test_trade_ids_are_a_set(ids: list[int]) -> None:
    seen: set[int] = set()
    known = TradeIds()
    for number in ids:
        assert known.add(number) == (number not in seen)
        seen.add(number)
        assert (known.count, known.last()) == (len(seen), max(seen))


def test_trade_ids_forget_old_holes_only() -> None:
    known = TradeIds()
    for number in range(0, 6_000, 2):
        assert known.add(number)
    assert not known.add(5_998)
    assert known.add(5_997)
    assert not known.add(1), "a hole of long ago is taken as known"


# -- every payload on file -----------------------------------------------------------------------


def test_every_advanced_payload_is_understood(shared_data: Path) -> None:
    seen = 0
    for path in sorted((shared_data / "coinbase" / "fixtures" / "advanced_ws").glob("*.json")):
        if path.name.startswith("request_"):
            continue
        held = Holder(AdvancedSession(INSTRUMENTS))
        body = json.loads(path.read_text())
        for frame in body if isinstance(body, list) else [body]:
            held.session.on_connect(0, 0)
            held.feed(json.dumps(frame))
            seen += 1
        counters = held.session.counters
        assert counters.malformed == 0, path.name
        assert (counters.errors > 0) == path.name.startswith("error_"), path.name
        assert (counters.unknown > 0) == ("intx" in path.name), path.name
    assert seen > 25


def test_every_exchange_payload_is_understood(shared_data: Path) -> None:
    listed = {
        symbol: Instrument.create(symbol, tick="0.00000001", lot="0.00000001")
        for symbol in ("BTC-USD", "ETH-USD", "BAND-GBP", "SKL-BTC", "test-product")
    }
    seen = 0
    for path in sorted((shared_data / "coinbase" / "fixtures" / "exchange_ws").glob("*.json")):
        if path.name.startswith("request_"):
            continue
        held = Holder(ExchangeSession(listed))
        held.feed(path.read_text())
        seen += 1
        counters = held.session.counters
        assert (counters.malformed, counters.unknown) == (0, 0), path.name
        assert (counters.errors > 0) == path.name.startswith("error_"), path.name
    assert seen > 25


def test_the_user_sequence_gives_one_fill(shared_data: Path) -> None:
    path = shared_data / "coinbase" / "fixtures" / "advanced_ws" / "user_sequence_open_partial_cancel.json"
    session = AdvancedSession(INSTRUMENTS)
    for frame in json.loads(path.read_text()):
        session.on_frame(json.dumps(frame), 0, 0)
    reports = [report for event in session.take_user_events() for report in getattr(event, "orders", ())]
    assert [report.status for report in reports] == [
        "PENDING",
        "OPEN",
        "OPEN",
        "OPEN",
        "CANCEL_QUEUED",
        "CANCELLED",
    ]
    assert [report.filled for report in reports[1:4]] == [0, Decimal("0.1"), Decimal("0.1")]
    assert {report.fees for report in reports[2:]} == {Decimal("30.00005")}
    assert session.state("BTC-USD") is FeedState.IDLE
