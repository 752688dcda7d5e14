"""Instruments: exact both ways, and nothing that is not a multiple gets in."""

from __future__ import annotations

import gzip
import json
import random
from decimal import ROUND_FLOOR, Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import InstrumentError
from engine.core.instrument import Instrument, scaled_text

BTC = Instrument.create(
    "BTC-USD", tick="0.01", lot="0.00000001", min_size="0.00000001", max_size="3400", min_notional="1"
)


def test_one_btc_instrument_by_hand() -> None:
    assert (BTC.base, BTC.quote) == ("BTC", "USD")
    assert BTC.ticks("65086.18") == 6_508_618
    assert BTC.lots("0.5") == 50_000_000
    # Half a cent times 1e-8 is 5e-11: eleven places, five atoms.
    assert (BTC.money_places, BTC.atoms_per_half_tick_lot) == (11, 5)
    assert BTC.money_text(BTC.notional(6_508_618, 50_000_000)) == "32543.09"
    assert BTC.money_text(BTC.value(2 * 6_508_618 + 1, 50_000_000)) == "32543.0925"
    assert BTC.half_ticks_text(2 * 6_508_618 + 1) == "65086.185"
    assert (BTC.min_size, BTC.max_size, BTC.min_notional) == (1, 340_000_000_000, 10**11)
    assert (BTC.model_places, BTC.half_tick_units) == (9, 5_000_000)


def test_text_has_no_exponent_and_no_trailing_zeros() -> None:
    assert BTC.price_text(6_508_600) == "65086"
    assert BTC.price_text(6_508_610) == "65086.1"
    assert BTC.size_text(1) == "0.00000001"
    assert BTC.size_text(0) == "0"
    assert BTC.money_text(-1) == "-0.00000000001"
    assert BTC.price_text(10**30) == "1" + "0" * 28
    assert [scaled_text(value, 2) for value in (0, 5, -50, 100, -12345)] == [
        "0",
        "0.05",
        "-0.5",
        "1",
        "-123.45",
    ]


def test_steps_above_one_need_no_places() -> None:
    rough = Instrument.create("X-Y", tick="100", lot="10")
    assert (rough.price_places, rough.size_places, rough.money_places) == (0, 0, 0)
    assert rough.ticks("300") == 3
    assert rough.price_text(3) == "300"
    assert rough.size_text(7) == "70"
    assert rough.notional(3, 7) == 21_000


@pytest.mark.parametrize(
    "price",
    [
        "65086.185",
        "0.001",
        "-0.01",
        "nan",
        "sNaN",
        "inf",
        "-Infinity",
        "",
        "abc",
        "0x10",
        "1_000",
        " 1",
        "1\n",
        "\uff11\uff12",
        "1e400",
        "1e-400",
        "1e999999999",
        "1e65",
        "1." + "0" * 200 + "1",
        "9" * 5_000,
        10**4_000,
        True,
        1.5,
        None,
        Decimal("NaN"),
        Decimal("0.005"),
    ],
)
def test_what_is_no_price_is_refused(price: Any) -> None:
    with pytest.raises(InstrumentError) as caught:
        BTC.ticks(price)
    assert "price" in str(caught.value)
    assert len(str(caught.value)) < 300


def test_an_exponent_is_read_exactly_since_decimals_print_themselves_so() -> None:
    assert BTC.lots(str(Decimal("0.00000001"))) == 1
    assert BTC.ticks("1e2") == 10_000
    with pytest.raises(InstrumentError, match="not a multiple"):
        BTC.lots("1e-9")


def test_zero_in_every_spelling_is_zero() -> None:
    assert [BTC.ticks(zero) for zero in ("0", "-0", "0.000", "0E-999999", "0e999999", 0)] == [0] * 6


def test_the_callers_decimal_context_changes_nothing() -> None:
    with localcontext() as context:
        context.prec = 3
        assert BTC.ticks("65086.18") == 6_508_618
        assert BTC.price_text(6_508_618) == "65086.18"
        fine = Instrument.create("A-B", tick="0.12345678", lot="0.00012345")
        assert fine.price_text(1) == "0.12345678"
        assert fine.atoms_per_half_tick_lot * 2 == 12_345_678 * 12_345
        with pytest.raises(InstrumentError):
            BTC.ticks("65086.181")


@pytest.mark.parametrize(
    "change",
    [
        {"tick": "0"},
        {"tick": "-0.01"},
        {"lot": "0"},
        {"lot": "nan"},
        {"tick": "1e-70"},
        {"min_size": "-1"},
        {"max_size": "0"},
        {"max_size": "0.000000001"},
        {"min_size": "2", "max_size": "1"},
        {"min_notional": "-1"},
        {"tick": 0.01},
    ],
)
def test_an_impossible_instrument_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InstrumentError):
        Instrument.create("BTC-USD", **{"tick": "0.01", "lot": "0.00000001", **change})


def test_limits_finer_than_their_step_become_stricter() -> None:
    one = Instrument.create(
        "A-B", tick="0.01", lot="0.1", min_size="0.15", max_size="9.99", min_notional="1.00001"
    )
    assert (one.min_size, one.max_size) == (2, 99)
    assert one.min_notional == 10_001  # atoms of 1e-4


def test_money_is_exact_or_rounded_once_with_its_remainder() -> None:
    assert BTC.atoms("-12.5") == -1_250_000_000_000
    with pytest.raises(InstrumentError, match="finer"):
        BTC.atoms("0.000000000001")
    assert BTC.atoms_rounded("0.0000000000149") == (1, Decimal("0.0000000000049"))
    assert BTC.atoms_rounded("0.000000000015") == (2, Decimal("-0.000000000005"))
    assert BTC.atoms_rounded("-0.000000000015") == (-1, Decimal("-0.000000000005"))


def test_sizes_round_down() -> None:
    assert BTC.lots_floor("0.0000000199") == 1
    assert BTC.lots_floor("0.000000009") == 0


@st.composite
def instruments(draw: st.DrawFn) -> Instrument:
    tick = Decimal(draw(st.integers(1, 9_999))).scaleb(draw(st.integers(-12, 2)))
    lot = Decimal(draw(st.integers(1, 9_999))).scaleb(draw(st.integers(-18, 3)))
    return Instrument.create("AAA-BBB", tick=tick, lot=lot)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    instrument=instruments(),
    ticks=st.integers(0, 10**12),
    lots=st.integers(0, 10**15),
    part=st.integers(1, 999),
)
def test_any_instrument_is_exact_both_ways(instrument: Instrument, ticks: int, lots: int, part: int) -> None:
    price, size = Fraction(instrument.tick) * ticks, Fraction(instrument.lot) * lots
    for text, value in ((instrument.price_text(ticks), price), (instrument.size_text(lots), size)):
        assert Fraction(text) == value
        assert "e" not in text.lower()
        assert "." not in text or not text.endswith(("0", "."))
    assert instrument.ticks(instrument.price_text(ticks)) == ticks
    assert instrument.lots(instrument.size_text(lots)) == lots
    notional = instrument.notional(ticks, lots)
    assert Fraction(instrument.money_text(notional)) == price * size
    assert Fraction(instrument.money_text(instrument.value(2 * ticks + 1, lots))) == (
        (price + Fraction(instrument.tick) / 2) * size
    )
    assert instrument.atoms(instrument.money_text(-notional)) == -notional
    assert Fraction(instrument.half_ticks_text(2 * ticks + 1)) == price + Fraction(instrument.tick) / 2
    assert Fraction(instrument.half_tick_units, 10**instrument.model_places) == Fraction(instrument.tick) / 2
    with localcontext() as context:
        context.prec = 60
        off = instrument.tick * ticks + instrument.tick * part / 1000
        assert instrument.lots_floor(instrument.lot * lots + instrument.lot * part / 1000) == lots
    with pytest.raises(InstrumentError, match="not a multiple"):
        instrument.ticks(off)


def test_every_real_product_round_trips(shared_data: Path) -> None:
    path = shared_data / "coinbase" / "advanced_rest_market_products_20260809.json.gz"
    products = json.loads(gzip.decompress(path.read_bytes()))["products"]
    source = random.Random(920)
    refused = 0
    for product in products:
        instrument = Instrument.create(
            product["product_id"],
            tick=product["price_increment"],
            lot=product["base_increment"],
            min_size=product["base_min_size"],
            max_size=product["base_max_size"],
            min_notional=product["quote_min_size"],
        )
        tick, lot = Decimal(product["price_increment"]), Decimal(product["base_increment"])
        assert (
            instrument.size_text(instrument.min_size) == f"{Decimal(product['base_min_size']).normalize():f}"
        )
        assert Decimal(instrument.money_text(instrument.min_notional)) == Decimal(product["quote_min_size"])
        with localcontext() as context:
            context.prec = 80
            for _ in range(20):
                ticks, lots = source.randrange(1, 10**9), source.randrange(1, 10**13)
                price, size = tick * ticks, lot * lots
                assert instrument.ticks(f"{price:f}") == ticks
                assert instrument.lots(f"{size:f}") == lots
                assert instrument.price_text(ticks) == f"{price.normalize():f}"
                assert instrument.size_text(lots) == f"{size.normalize():f}"
                assert Decimal(instrument.money_text(instrument.notional(ticks, lots))) == price * size
                assert Decimal(instrument.money_text(instrument.value(2 * ticks + 1, lots))) == (
                    (price + tick / 2) * size
                )
                for read, near in (
                    (instrument.ticks, price + tick / 7),
                    (instrument.lots, size - lot / 1000),
                ):
                    with pytest.raises(InstrumentError, match="not a multiple"):
                        read(near.quantize(Decimal("1e-40"), ROUND_FLOOR))
                    refused += 1
    assert len(products) == 920
    assert refused == 920 * 20 * 2


@pytest.mark.parametrize(
    ("quote", "exact", "words"),
    [
        ("USD", "150.44102037", "150.44"),
        ("USD", "-150.446", "-150.45"),
        ("USD", "1000000", "1000000"),
        ("USD", "4.5", "4.5"),
        ("USD", "0", "0"),
        ("BTC", "0.000123456789", "0.0001235"),
    ],
)
def test_money_in_a_sentence_is_short(quote: str, exact: str, words: str) -> None:
    instrument = Instrument.create(f"X-{quote}", tick="0.000001", lot="0.0000001")
    assert instrument.money_words(instrument.atoms(exact)) == words
