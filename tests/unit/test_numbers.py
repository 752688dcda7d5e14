"""Numbers as a trader reads them, against exact decimals."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext

import msgspec
import pytest
from console import views
from console.views import BTC, MID
from hypothesis import given
from hypothesis import strategies as st

from engine.link.view import Product
from pinnacle_tui.numbers import MINUS, NOTHING, Numbers, age, clock, duration, grouped, signed

NUMBERS = Numbers(BTC, MID)
DOGE = Product("DOGE-USD", "DOGE", "USD", 5, 1, 1, 1, 7, 5, 9)


def value(text: str) -> Decimal:
    return Decimal(text.replace(",", "").replace(MINUS, "-").replace("+", "").strip())


@given(st.integers(-(10**20), 10**20), st.integers(0, 12), st.integers(0, 12))
def test_grouping_is_the_decimal_rounded_half_away_from_zero(number: int, places: int, shown: int) -> None:
    with localcontext(prec=60):
        expected = Decimal(number).scaleb(-places).quantize(Decimal(1).scaleb(-shown), ROUND_HALF_UP)
    text = grouped(number, places, shown)
    assert value(text) == expected
    assert len(text.partition(".")[2]) == shown
    with localcontext(prec=60):
        assert text.replace(MINUS, "") == f"{abs(expected):,.{shown}f}"


@given(st.integers(0, 10**12))
def test_prices_have_the_decimals_of_their_tick(ticks: int) -> None:
    assert value(NUMBERS.price(ticks)) == Decimal(ticks) / 100
    assert value(NUMBERS.exact_price(ticks)) == Decimal(ticks) / 100
    assert "," not in NUMBERS.exact_price(ticks)


def test_examples() -> None:
    assert NUMBERS.price(6_508_855) == "65,088.55"
    assert NUMBERS.mid(2 * 6_508_855) == "65,088.55"
    assert NUMBERS.mid(2 * 6_508_855 + 1) == "65,088.555"
    assert NUMBERS.size(1_234_567) == "0.0123"
    assert NUMBERS.size(10) == "<0.0001"
    assert NUMBERS.size(0) == "0.0000"
    assert NUMBERS.position(-3_100_000) == f"{MINUS}0.0310"
    assert NUMBERS.position(3_100_000) == "+0.0310"
    assert NUMBERS.position(0) == " 0.0000"
    assert NUMBERS.money(-642 * 10**9) == f"{MINUS}6.42"
    assert NUMBERS.money(1_248 * 10**9) == "+12.48"
    assert NUMBERS.amount(1_248 * 10**9) == "12.48"
    assert NUMBERS.exact_size(-10) == "-0.00000010"
    assert NUMBERS.exact_money(1) == "0.00000000001"
    assert NUMBERS.model(-120_000_000) == f"{MINUS}0.1200"
    assert [NUMBERS.price(None), NUMBERS.mid(None), NUMBERS.size(None)] == [NOTHING] * 3
    assert [NUMBERS.position(None), NUMBERS.money(None), NUMBERS.amount(None)] == [NOTHING] * 3


def test_what_rounds_to_nothing_has_no_sign() -> None:
    assert NUMBERS.money(-1) == " 0.00"
    assert grouped(-4, 1, 0) == "0"
    assert signed("0.00") == " 0.00"


def test_sizes_show_what_is_worth_about_ten_units_of_the_quote_currency() -> None:
    assert NUMBERS.size_places == 4
    assert Numbers(DOGE, 16_500).size_places == 0
    assert Numbers(BTC, None).size_places == 8


def test_a_size_has_as_many_decimals_as_it_needs() -> None:
    numbers = Numbers(BTC, MID)
    assert [numbers.places(lots) for lots in (0, 1, 10, -2_500, 10**8, 10**11)] == [0, 8, 7, 6, 0, 0]
    assert numbers.whole_size(-123_456_789_000) == "−1,234.56789"
    assert numbers.whole_size(10**8) == "1"
    assert numbers.size_at(1_003_100, 7) == "0.0100310"
    assert numbers.smallest == 10_000
    assert Numbers(msgspec.structs.replace(BTC, lot_steps=5)).whole_size(3) == "0.00000015"


def test_the_best_bid_is_the_price_of_about_now() -> None:
    book = views.product_view()
    assert Numbers.of(BTC, book).reference == book.bids[0][0]
    assert Numbers.of(BTC, views.product_view(bids=())).reference is None
    assert Numbers.of(BTC, None).reference is None


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ns"),
        (840, "840 ns"),
        (1_240, "1.2 us"),
        (38_400, "38 us"),
        (999_999, "1000 us"),
        (1_240_000, "1.2 ms"),
        (12_400_000, "12 ms"),
        (3_400_000_000, "3.4 s"),
        (None, NOTHING),
    ],
)
def test_durations(ns: int | None, text: str) -> None:
    assert duration(ns) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0s"),
        (0.34, "0.3s"),
        (9.99, "9.9s"),
        (12, "12s"),
        (245, "4m05s"),
        (11_520, "3h12m"),
        (187_200, "2d04h"),
    ],
)
def test_ages(seconds: float, text: str) -> None:
    assert age(int(seconds * 1e9)) == text


def test_clocks() -> None:
    assert clock(1_767_603_667_412_000_000) == "09:01:07"
    assert clock(1_767_603_667_412_000_000, millis=True) == "09:01:07.412"
    assert age(None) == NOTHING
