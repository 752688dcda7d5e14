"""The ledger to the digit: the table of its identity, its decomposition, fees in every asset."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from engine.core.errors import OrderError
from engine.core.events import OrderFilled
from engine.core.fill_ids import FillIds
from engine.core.instrument import Instrument
from engine.core.ledger import DAY_NS, Ledger, fee_atoms
from engine.core.order import Side

UNIT = Instrument.create("BTC-USD", tick="0.01", lot="1")
BUY, SELL = Side.BUY, Side.SELL


def fill(side: Side, size: int, price: str, fee: str = "0", fill_id: str = "1", **more: Any) -> OrderFilled:
    known: dict[str, Any] = {
        "product": "BTC-USD",
        "recv_ns": 0,
        "wall_ns": 0,
        "client_id": "c",
        "is_maker": True,
    }
    known.update(more)
    return OrderFilled(
        fill_id=fill_id,
        side=side,
        price=UNIT.ticks(price),
        size=size,
        fee=known.pop("raw_fee", None) or UNIT.atoms(fee),
        **known,
    )


def half_ticks(mark: str) -> int:
    return 2 * UNIT.ticks(mark)


def money(atoms: int | None) -> str | None:
    return None if atoms is None else UNIT.money_text(atoms)


def books(ledger: Ledger) -> tuple[Any, ...]:
    return (
        money(ledger.cash),
        ledger.position,
        money(ledger.open_cost),
        money(ledger.realised),
        money(ledger.unrealised),
        money(ledger.fees),
        money(ledger.profit),
    )


TABLE = [
    ("100.02", fill(BUY, 2, "100", "0.12", "a"), ("-200.12", 2, "200", "0", "0.04", "0.12", "-0.08")),
    ("100.1", fill(SELL, 1, "100.12", "0.06", "b"), ("-100.06", 1, "100", "0.12", "0.1", "0.18", "0.04")),
    ("99.9", fill(BUY, 1, "99.88", "0.06", "c"), ("-200", 2, "199.88", "0.12", "-0.08", "0.24", "-0.2")),
    ("99.95", fill(SELL, 3, "99.97", "0.18", "d"), ("99.73", -1, "-99.97", "0.18", "0.02", "0.42", "-0.22")),
    ("99.9", None, ("99.73", -1, "-99.97", "0.18", "0.07", "0.42", "-0.17")),
]


def test_the_table_of_section_13_to_the_digit() -> None:
    ledger = Ledger(UNIT, UNIT.atoms("1000"))
    for mark, booked, expected in TABLE:
        ledger.mark(half_ticks(mark))
        assert ledger.residual == 0
        if booked is not None:
            assert ledger.apply(booked)
        assert books(ledger) == expected
        assert ledger.residual == 0
    assert money(ledger.equity) == "999.83"
    assert (ledger.bought, ledger.sold, ledger.fill_count) == (3, 4, 4)


def test_the_decomposition_of_section_14_to_the_digit() -> None:
    ledger = Ledger(UNIT, 0)
    for mark, booked, _ in TABLE:
        ledger.mark(half_ticks(mark))
        if booked is not None:
            ledger.apply(booked)
    assert (money(ledger.captured), money(ledger.revaluation), money(ledger.fees)) == ("0.14", "0.11", "0.42")
    assert money(ledger.profit) == "-0.17"


def test_case_41_own_bid_fills_at_the_mid_and_total_profit_is_minus_the_fee() -> None:
    ledger = Ledger(UNIT, UNIT.atoms("500"))
    ledger.mark(half_ticks("100"))
    ledger.apply(fill(BUY, 1, "100", "0.6"))
    assert books(ledger) == ("-100.6", 1, "100", "0", "0", "0.6", "-0.6")
    assert ledger.average_cost == 100
    assert money(ledger.equity) == "499.4"
    ledger.mark(half_ticks("101"))
    assert money(ledger.unrealised) == "1"
    ledger.apply(fill(SELL, 1, "101", "0.6", "2"))
    assert books(ledger) == ("-0.2", 0, "0", "1", "0", "1.2", "-0.2")
    assert ledger.average_cost is None


def test_a_repeated_fill_changes_nothing() -> None:
    ledger = Ledger(UNIT, 0)
    ledger.mark(half_ticks("100"))
    assert ledger.apply(fill(BUY, 2, "99.99", "0.01", "7001"))
    before = ledger.save()
    assert not ledger.apply(fill(BUY, 2, "99.99", "0.01", "7001"))
    assert not ledger.apply(fill(SELL, 9, "5", "1", "7001"))
    assert ledger.save() == before
    assert ledger.apply(fill(BUY, 2, "99.99", "0.01", "7002"))
    assert ledger.save() != before


def test_released_cost_is_rounded_to_an_atom_and_nothing_is_lost() -> None:
    ledger = Ledger(UNIT, 0)
    ledger.mark(half_ticks("100"))
    ledger.apply(fill(BUY, 2, "100", fill_id="a"))
    ledger.apply(fill(BUY, 1, "100.01", fill_id="b"))
    ledger.apply(fill(SELL, 1, "100.01", fill_id="c"))
    # 300.01 / 3 = 100.00333..., an atom is 0.001 (half a cent times one lot is 0.005)
    assert (money(ledger.open_cost), money(ledger.realised)) == ("200.007", "0.007")
    ledger.apply(fill(SELL, 2, "100.01", fill_id="d"))
    assert (money(ledger.open_cost), money(ledger.realised), ledger.residual) == ("0", "0.02", 0)


def test_without_a_mark_nothing_is_valued_but_a_flat_book() -> None:
    ledger = Ledger(UNIT, UNIT.atoms("10"))
    assert (ledger.unrealised, money(ledger.equity), ledger.mark_half_ticks) == (0, "10", None)
    ledger.apply(fill(BUY, 1, "100", "0.5", "a"))
    assert (ledger.unrealised, ledger.profit, ledger.equity, ledger.residual) == (None, None, None, 0)
    ledger.mark(half_ticks("102"))
    assert (money(ledger.unrealised), money(ledger.profit), ledger.residual) == ("2", "1.5", 0)
    ledger.mark(None)
    assert (ledger.unrealised, ledger.profit, ledger.residual) == (None, None, 0)
    ledger.apply(fill(SELL, 1, "103", "0.5", "b"))
    assert (ledger.unrealised, money(ledger.profit), ledger.residual) == (0, "2", 0)
    # Without a mark a fill's own price is the mark: nothing counts as captured.
    assert (money(ledger.captured), money(ledger.revaluation)) == ("0", "3")


def test_a_fee_in_base_is_a_sale_at_the_mark_whose_proceeds_pay_it() -> None:
    ledger = Ledger(UNIT, 0)
    ledger.mark(half_ticks("101"))
    ledger.apply(fill(BUY, 10, "100", raw_fee=1, fee_asset="BTC"))
    # 10 bought for 1000; 1 sold at 101 (cost 100, so 1 realised); 101 paid as fee.
    assert books(ledger) == ("-1000", 9, "900", "1", "9", "101", "-91")
    assert ledger.base_fees == 1
    assert ledger.position == ledger.bought - ledger.sold - ledger.base_fees
    assert (money(ledger.captured), ledger.residual) == ("10", 0)


def test_a_base_fee_on_a_sale_that_flattens_leaves_a_short() -> None:
    ledger = Ledger(UNIT, 0)
    ledger.mark(half_ticks("100"))
    ledger.apply(fill(BUY, 5, "100", fill_id="a"))
    ledger.apply(fill(SELL, 5, "102", fill_id="b", raw_fee=1, fee_asset="BTC"))
    assert books(ledger) == ("10", -1, "-100", "10", "0", "100", "-90")
    assert ledger.residual == 0


def test_a_rebate_in_base_is_bought_with_what_it_pays() -> None:
    ledger = Ledger(UNIT, 0)
    ledger.mark(half_ticks("100"))
    ledger.apply(fill(BUY, 5, "100", raw_fee=-1, fee_asset="BTC"))
    assert books(ledger) == ("-500", 6, "600", "0", "0", "-100", "100")
    assert ledger.residual == 0


def test_a_fee_in_a_third_asset_has_its_own_account() -> None:
    ledger = Ledger(UNIT, 0)
    ledger.mark(half_ticks("100"))
    ledger.apply(fill(BUY, 1, "100", raw_fee=750, fee_asset="BNB", fee_value=UNIT.atoms("0.45")))
    assert books(ledger) == ("-100", 1, "100", "0", "0", "0.45", "-0.45")
    assert dict(ledger.other_fees) == {"BNB": 750}
    assert (ledger.is_complete, ledger.residual) == (True, 0)


def test_a_third_asset_without_a_price_marks_profit_incomplete() -> None:
    ledger = Ledger(UNIT, 0)
    ledger.mark(half_ticks("100"))
    ledger.apply(fill(BUY, 1, "100", raw_fee=750, fee_asset="BNB"))
    assert (ledger.is_complete, ledger.fees, ledger.residual) == (False, 0, 0)
    assert dict(ledger.other_fees) == {"BNB": 750}
    ledger.apply(fill(BUY, 1, "100", raw_fee=50, fee_asset="BNB", fill_id="2", fee_value=UNIT.atoms("0.03")))
    assert (ledger.is_complete, money(ledger.fees)) == (False, "0.03")
    assert dict(ledger.other_fees) == {"BNB": 800}


def test_the_quote_currency_may_be_named() -> None:
    ledger = Ledger(UNIT, 0)
    ledger.mark(half_ticks("100"))
    ledger.apply(fill(BUY, 1, "100", "0.4", fee_asset="USD"))
    assert (money(ledger.cash), money(ledger.fees)) == ("-100.4", "0.4")


def test_what_rounding_a_fee_left_out_has_its_own_counter() -> None:
    ledger = Ledger(UNIT, 0)
    for number, venue_fee in enumerate(("0.00149", "0.0015", "0.123456789012345678901234567890123")):
        fee, dust = UNIT.atoms_rounded(venue_fee)
        ledger.apply(fill(BUY, 1, "100", fill_id=str(number), raw_fee=fee, fee_dust=dust))
    venue_total = Fraction("0.126446789012345678901234567890123")
    assert Fraction(UNIT.money_text(ledger.fees)) + Fraction(ledger.fee_dust) == venue_total


def test_fee_value_of_each_asset() -> None:
    assert fee_atoms(fill(BUY, 1, "100", "0.4"), UNIT, 0) == UNIT.atoms("0.4")
    assert fee_atoms(fill(BUY, 1, "100", raw_fee=2, fee_asset="BTC"), UNIT, half_ticks("50")) == UNIT.atoms(
        "100"
    )
    assert fee_atoms(fill(BUY, 1, "100", raw_fee=2, fee_asset="BNB"), UNIT, 0) is None
    assert fee_atoms(fill(BUY, 1, "100", fee_asset="BNB"), UNIT, 0) == 0


def test_volume_counts_per_utc_day() -> None:
    ledger = Ledger(UNIT, 0)
    midnight = 20_000 * DAY_NS
    ledger.apply(fill(BUY, 5, "100", fill_id="a", wall_ns=midnight - 1))
    assert ledger.day_volume(midnight - 1) == 5
    assert ledger.day_volume(midnight) == 0
    ledger.apply(fill(SELL, 2, "100", fill_id="b", wall_ns=midnight))
    ledger.apply(fill(BUY, 4, "100", fill_id="c", wall_ns=midnight + 7))
    assert ledger.day_volume(midnight + DAY_NS - 1) == 6
    # A fill of yesterday told today is no volume of today.
    ledger.apply(fill(BUY, 100, "100", fill_id="d", wall_ns=midnight - 2))
    assert ledger.day_volume(midnight + 8) == 6
    assert (ledger.bought, ledger.sold) == (109, 2)


@pytest.mark.parametrize("change", [{"size": 0}, {"size": -1}, {"price": -1}, {"product": "ETH-USD"}])
def test_an_impossible_fill_is_refused_and_changes_nothing(change: dict[str, Any]) -> None:
    ledger = Ledger(UNIT, 0)
    known: dict[str, Any] = {"product": "BTC-USD", "price": 10_000, "size": 1, **change}
    before = ledger.save()
    with pytest.raises(OrderError, match="cannot be booked"):
        ledger.apply(
            OrderFilled(
                recv_ns=0, wall_ns=0, client_id="c", fill_id="1", side=BUY, fee=0, is_maker=True, **known
            )
        )
    assert ledger.save() == before
    assert ledger.apply(fill(BUY, 1, "100", fill_id="1"))


def test_fill_ids_never_meet_and_never_fade() -> None:
    ids = FillIds()
    names = [str(number) for number in range(3_000)]
    names += [f"{number:06d}" for number in range(3_000)]
    names += [f"T-{number}" for number in range(3_000)]
    names += [
        "",
        "x",
        "007",
        "7",
        "1\u0661\u0662\u0663",
        "1\u00b2\u00b2\u00b2",
        "5f0c8e2a-7d1b-4c93-9f60-2b7a9c1d4e88",
    ]
    distinct = list(dict.fromkeys(names))
    assert not any(name in ids for name in distinct)
    assert [ids.add(name) for name in distinct] == [True] * len(distinct)
    assert all(name in ids for name in distinct)
    assert "3000" not in ids
    assert "y" not in ids
    assert not any(ids.add(name) for name in reversed(distinct))
    backwards = FillIds()
    for name in reversed(distinct):
        backwards.add(name)
    assert ids.checksum == backwards.checksum
