"""Rungs and their rows: our orders summed, marks, bars, columns that fit, rows that are kept."""

from __future__ import annotations

import pytest
from console.ladder_books import BIDS, LOT, NUMBERS
from console.views import working

from pinnacle_tui.widgets.ladder_levels import ASK, BID, in_queue, own_orders, rungs
from pinnacle_tui.widgets.ladder_rows import ORDER_MARKS, Marks, RungWriter
from pinnacle_tui.widgets.rows import row_text

BAR_STYLES = ("own", "own on depth-bid", "depth-bid")


def test_orders_at_one_price_are_summed_and_the_most_urgent_state_is_told() -> None:
    orders = [
        working("B0", 100, ahead=9 * LOT),
        working("B1", 100, ahead=4 * LOT, filled=400_000, state="partially_filled"),
        working("B2", 100, ahead=None, state="pending"),
        working("A0", 100),
    ]
    own = own_orders(BID, orders, 1)[100]
    assert (own.lots, own.resting, own.orders, own.state, own.ahead) == (
        2_600_000,
        1_600_000,
        3,
        "pending",
        4 * LOT,
    )


def test_the_queue_ahead_in_a_group_is_that_of_the_best_price() -> None:
    orders = [working("A0", 109, ahead=1), working("A1", 102, ahead=77)]
    assert own_orders(ASK, orders, 10)[110].ahead == 77
    assert [order.slot for order in in_queue(ASK, orders)] == ["A1", "A0"]


def test_an_order_beyond_the_known_depth_stands_where_nobody_knows_the_size() -> None:
    made = rungs(BID, [(100, 5), (99, 5)], [working("B0", 90)], is_cut=True)
    assert [(rung.price, rung.size, rung.is_complete) for rung in made] == [
        (100, 5, True),
        (99, 5, True),
        (90, None, False),
    ]
    assert rungs(BID, [(100, 5), (99, 5)], [working("B0", 90)])[-1].size == 0


@pytest.mark.parametrize("state", ORDER_MARKS)
def test_every_state_of_an_order_has_its_own_mark(state: str) -> None:
    """By a sign and not by hue alone."""
    assert [mark for mark, _ in ORDER_MARKS.values()].count(ORDER_MARKS[state][0]) == 1
    rung = rungs(BID, BIDS, [working("B0", BIDS[0][0], state=state)])[0]
    writer = RungWriter()
    writer.begin(NUMBERS, [rung], 30, full=100 * LOT, shows_own=True, grouping=1)
    assert ORDER_MARKS[state][0] + " 65,088.00" in row_text(writer.row(rung))


def test_a_state_that_is_not_known_looks_uncertain() -> None:
    rung = rungs(BID, BIDS, [working("B0", BIDS[0][0], state="haunted")])[0]
    writer = RungWriter()
    writer.begin(NUMBERS, [rung], 30, full=100 * LOT, shows_own=True, grouping=1)
    assert "? 65,088.00" in row_text(writer.row(rung))


async def test_less_important_columns_go_first() -> None:
    order = working("B0", BIDS[1][0], ahead=8 * LOT)
    again = working("B1", BIDS[1][0], ahead=9 * LOT)
    found = {}
    for width in range(24, 61):
        writer = RungWriter()
        rung = rungs(BID, BIDS, [order, again])[1]
        writer.begin(NUMBERS, [rung], width, full=40 * LOT, shows_own=True, grouping=1)
        text = row_text(writer.row(rung))
        assert "● 65,087.00" in text or "●65,087.00" in text
        assert "0.2000" in text
        found[width] = ("0.0200" in text, "█" in text, "2×" in text, "0.0800" in text)
    assert found[24] == (False, False, False, False)
    assert found[25] == (False, True, False, False)
    assert found[60] == (True, True, True, True)
    for width in range(25, 61):
        assert found[width] >= found[width - 1]


def test_a_bar_tells_our_part_and_what_is_beyond_the_scale() -> None:
    order = working("B0", BIDS[9][0], size=50 * LOT)
    market = rungs(BID, BIDS, [order])
    writer = RungWriter()
    writer.begin(NUMBERS, market, 50, full=100 * LOT, shows_own=True, grouping=1)
    ours, shared, others = writer.row(market[9])[-3:]
    assert (ours[1], shared[1], others[1]) == BAR_STYLES
    # Half of the size is ours; the cell in which it ends shows both.
    cells = (len(ours[0]) * 8 + "▏▎▍▌▋▊▉█".index(shared[0]) + 1) / 8
    assert cells == pytest.approx((len(ours[0]) + 1 + len(others[0])) / 2, abs=1 / 8)
    assert row_text(writer.row(market[10])).endswith("█▸")
    assert not row_text(writer.row(market[9])).endswith("▸")


def test_an_unchanged_rung_is_the_same_row() -> None:
    writer, market = RungWriter(), rungs(BID, BIDS)
    writer.begin(NUMBERS, market, 50, full=100 * LOT, shows_own=True, grouping=1)
    row, touched = writer.row(market[0]), writer.row(market[1], Marks(is_touch=True))
    writer.begin(NUMBERS, market, 50, full=100 * LOT, shows_own=True, grouping=1)
    assert writer.row(rungs(BID, BIDS)[0]) is row
    assert writer.row(market[1]) is not touched
    writer.begin(NUMBERS, market, 50, full=200 * LOT, shows_own=True, grouping=1)
    assert writer.row(market[0]) is not row
