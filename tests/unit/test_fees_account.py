"""Fee schedules and venue accounts: exact rates, holds that come back to the atom."""

from __future__ import annotations

import random
from decimal import ROUND_CEILING, Decimal

import pytest

from engine.core.errors import UsageError
from engine.core.instrument import Instrument
from engine.core.order import Side
from engine.exchange.account import Account
from engine.exchange.fees import FeeSchedule

BTC = Instrument.create("BTC-USD", tick="0.01", lot="0.00000001")
CENTS = Instrument.create("X-USD", tick="0.01", lot="1")


def test_sixty_basis_points_of_a_thousand_dollars() -> None:
    fees = FeeSchedule.from_bps(Decimal(60), Decimal(120))
    thousand = BTC.atoms("1000")
    assert BTC.money_text(fees.fee(thousand, is_maker=True)) == "6"
    assert BTC.money_text(fees.fee(thousand, is_maker=False)) == "12"


def test_break_even_is_twice_the_maker_fee() -> None:
    assert FeeSchedule.from_bps(Decimal(60), Decimal(120)).break_even_bps == Decimal(120)
    assert FeeSchedule.from_bps(Decimal("-0.5"), Decimal(4)).break_even_bps == Decimal(-1)


def test_fees_round_up_in_the_venues_favour_and_rebates_down() -> None:
    fees = FeeSchedule.from_bps(Decimal(1), Decimal(-1))
    assert fees.fee(10_000, is_maker=True) == 1
    assert fees.fee(10_001, is_maker=True) == 2
    assert fees.fee(1, is_maker=True) == 1
    assert fees.fee(0, is_maker=True) == 0
    assert fees.fee(19_999, is_maker=False) == -1
    assert fees.fee(9_999, is_maker=False) == 0


def test_fees_agree_with_decimal_arithmetic() -> None:
    source = random.Random(11)
    for _ in range(2_000):
        bps = Decimal(source.randrange(-100_000, 1_500_000)).scaleb(-4)
        notional = source.randrange(1, 10**20)
        exact = (Decimal(notional) * bps / 10_000).to_integral_value(ROUND_CEILING)
        assert FeeSchedule.from_bps(bps, bps).fee(notional, is_maker=True) == int(exact)


def test_rates_finer_than_kept_are_refused() -> None:
    assert FeeSchedule.from_bps(Decimal("0.0001"), Decimal(0)) == FeeSchedule(1, 0)
    with pytest.raises(UsageError, match=r"fees\.taker_bps = 0\.00001"):
        FeeSchedule.from_bps(Decimal(0), Decimal("0.00001"))


def account(quote: int, base: int, taker_bps: int = 10) -> Account:
    return Account(CENTS, FeeSchedule.from_bps(Decimal(0), Decimal(taker_bps)), quote=quote, base=base)


def test_a_buy_holds_notional_and_the_taker_fee_it_might_pay() -> None:
    ours = account(quote=CENTS.atoms("1001"), base=0)
    assert ours.hold(Side.BUY, CENTS.ticks("100"), 10)
    assert CENTS.money_text(ours.quote_held) == "1001"
    assert not ours.hold(Side.BUY, 1, 1)


def test_a_hold_that_is_too_large_changes_nothing() -> None:
    ours = account(quote=CENTS.atoms("1000.99"), base=5)
    assert not ours.hold(Side.BUY, CENTS.ticks("100"), 10)
    assert not ours.hold(Side.SELL, CENTS.ticks("100"), 6)
    assert (ours.quote_held, ours.base_held) == (0, 0)
    assert ours.hold(Side.SELL, CENTS.ticks("100"), 5)
    assert not ours.hold(Side.SELL, CENTS.ticks("100"), 1)


def test_fills_move_balances_and_return_the_fee() -> None:
    ours = account(quote=CENTS.atoms("1000"), base=5)
    assert ours.fill(Side.BUY, CENTS.ticks("100"), 2, is_maker=False) == CENTS.atoms("0.2")
    assert (CENTS.money_text(ours.quote), ours.base) == ("799.8", 7)
    assert ours.fill(Side.SELL, CENTS.ticks("101"), 7, is_maker=True) == 0
    assert (CENTS.money_text(ours.quote), ours.base) == ("1506.8", 0)


def test_releasing_in_parts_gives_back_exactly_what_was_held() -> None:
    source = random.Random(3)
    ours = Account(BTC, FeeSchedule.from_bps(Decimal("0.3"), Decimal("7.7777")), quote=10**40, base=10**12)
    for _ in range(300):
        side, price = source.choice((Side.BUY, Side.SELL)), source.randrange(1, 10**7)
        size = left = source.randrange(1, 10**9)
        assert ours.hold(side, price, size)
        while left:
            part = source.randint(1, left)
            ours.release(side, price, part)
            left -= part
    assert (ours.quote_held, ours.base_held) == (0, 0)


def test_a_hold_always_covers_the_fill() -> None:
    source = random.Random(4)
    fees = FeeSchedule.from_bps(Decimal("-1"), Decimal("7.7777"))
    for _ in range(500):
        price, size = source.randrange(1, 10**7), source.randrange(1, 10**9)
        ours = Account(BTC, fees, quote=10**40, base=0)
        assert ours.hold(Side.BUY, price, size)
        before = ours.quote
        ours.fill(Side.BUY, price, size, is_maker=False)
        assert before - ours.quote <= ours.quote_held
