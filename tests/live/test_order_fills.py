"""From cumulative figures and lists of executions to fills: nothing twice, nothing lost, all exact."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trader_bench import X

from engine.core.order import Side
from engine.exchange.coinbase.broker import VenueFill
from engine.exchange.live.order_fills import (
    UNFILLED,
    CorrectionError,
    Figures,
    boundaries,
    derive,
    fill_id,
    missing,
    totals,
)

D = Decimal
FEE_RATE = D("0.000400071")


def execution(size: str | Decimal, price: str | Decimal = "100", number: int = 0) -> VenueFill:
    size, price = D(size), D(price)
    return VenueFill(f"e{number}", "v", "X-USD", Side.BUY, price, size, price * size * FEE_RATE, True, number)


def figures(lots: int, value: str | None, fees: str | None = "0") -> Figures:
    return Figures(lots, None if value is None else D(value), None if fees is None else D(fees))


@pytest.mark.parametrize(
    ("before", "now", "wanted"),
    [
        (UNFILLED, figures(400, "40.0"), (400, 10_000)),
        (figures(400, "40.0"), figures(1_000, "99.94"), (600, 9_990)),
        (figures(400, "40.0"), figures(400, "40.0"), None),
        (figures(400, "40.0"), figures(300, "30.0"), None),
        (figures(400, None), figures(500, "50.0"), None),
        (UNFILLED, figures(500, None), None),
        (UNFILLED, figures(3, "0.29999"), None),
        (UNFILLED, figures(100, "0"), None),
    ],
)
def test_one_delta(before: Figures, now: Figures, wanted: tuple[int, int] | None) -> None:
    fill = derive(X, before, now)
    assert (None if fill is None else (fill.size, fill.price)) == wanted


def test_a_correction_is_no_execution() -> None:
    with pytest.raises(CorrectionError, match="correction or a reversal"):
        totals(X, [execution("1"), execution("-1")])


def test_the_key_is_how_far_the_order_is_filled() -> None:
    assert fill_id("v", 7) == "v:7"
    assert boundaries(X, [execution("0.3"), execution("0.2")]) == [300, 500]


EXECUTIONS = st.lists(
    st.tuples(st.integers(1, 5_000), st.integers(9_900, 10_100)), min_size=1, max_size=8
).map(
    lambda rows: [
        execution(size * X.lot, price * X.tick, number) for number, (size, price) in enumerate(rows)
    ]
)


@given(EXECUTIONS, st.data())
def test_whatever_is_booked_first_the_rest_adds_up(executions: list[VenueFill], data: st.DataObject) -> None:
    whole = totals(X, executions)
    booked = data.draw(st.integers(0, whole.lots))
    fills = missing(X, executions, booked)
    assert sum(fill.size for fill in fills) == whole.lots - booked
    assert [fill.lots_after for fill in fills] == [end for end in boundaries(X, executions) if end > booked]
    if not booked:
        assert sum(fill.fee for fill in fills) == whole.fees
        assert sum(fill.price * fill.size for fill in fills) * X.tick * X.lot == whole.value
    assert missing(X, executions, whole.lots) == []


@given(EXECUTIONS)
def test_deltas_one_by_one_are_the_executions(executions: list[VenueFill]) -> None:
    before = UNFILLED
    for count, each in enumerate(executions, 1):
        now = totals(X, executions[:count])
        fill = derive(X, before, now)
        assert fill is not None
        assert (fill.size, fill.price, fill.fee) == (X.lots(each.size), X.ticks(each.price), each.fee)
        before = now
