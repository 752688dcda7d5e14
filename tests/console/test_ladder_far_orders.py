"""Our orders beyond the rows of the ladder: they have rows of their own, calm ones, or at least a mark."""

from __future__ import annotations

import pytest
from console.ladder_books import ASKS, BIDS, LOT, book, of
from console.panel_app import PanelApp, shown
from console.test_ladder import LadderApp, ladder, line_of, started
from console.views import MS, S, hello, mirror, scene, view, working
from hypothesis import given
from hypothesis import strategies as st

from engine.link.view import WorkingOrder
from pinnacle_tui.widgets.ladder_levels import ASK, BID, Ladder, Rung
from pinnacle_tui.widgets.ladder_window import MOST_PINS, FarRows, Gap, Mark, around_spread

FAR = (
    working("A2", ASKS[26][0], ahead=3 * LOT),
    working("A1", ASKS[22][0], state="pending", ahead=None),
    working("A0", ASKS[20][0], ahead=0),
    working("B0", BIDS[20][0], filled=400_000, state="partially_filled"),
    working("B1", BIDS[21][0]),
    working("B2", BIDS[28][0], state="pending_cancel"),
)


async def drawn(size: tuple[int, int], *orders: WorkingOrder, now_ns: int = 40 * MS) -> list[str]:
    panel = ladder()
    async with PanelApp(panel).run_test(size=size):
        panel.show(of(book(orders=orders), now_ns))
        return shown(panel)


async def test_far_orders_have_rows_at_the_ends_of_their_sides() -> None:
    lines = await drawn((60, 24), *FAR)
    # 22 rows of which one is the spread: seven of the eleven asks, a gap, three orders.
    assert [line.split()[:4] for line in lines[2:5]] == [
        ["0.0300", "0.0100", "●", "65,115.10"],
        ["–", "0.0100", "○", "65,111.10"],
        ["first", "0.0100", "●", "65,109.10"],
    ]
    assert lines[2].split()[4] == "2.7000"
    assert lines[5] == " ⋮ 13 levels · 20.00 USD away"
    assert "65,095.10" in lines[6]
    assert [line.split()[2:4] for line in lines[-3:]] == [
        ["◐", "65,068.00"],
        ["●", "65,067.00"],
        ["×", "65,060.00"],
    ]
    assert "⋮ 14 levels · 20.00 USD away" in lines[-4]
    assert "65,083.00" in lines[-5]
    assert "spread" in lines[2 + 11]


async def test_near_orders_change_nothing() -> None:
    near = (working("A0", ASKS[10][0]), working("B0", BIDS[9][0]))
    assert not any("⋮" in line for line in await drawn((60, 24), *near))
    # One level farther it gets the last row, and the row before says what is left out.
    lines = await drawn((60, 24), working("A0", ASKS[11][0]), working("B0", BIDS[9][0]))
    assert "● 65,100.10" in lines[2]
    assert "⋮ 2 levels · 11.00 USD away" in lines[3]
    assert "● 65,079.00" in lines[-1]


async def test_more_orders_than_rows_are_counted() -> None:
    orders = [working(f"A{n}", ASKS[12 + 3 * n][0]) for n in range(5)]
    lines = await drawn((60, 24), *orders)
    assert "⋮ 5 levels · 12.00 USD away · 2 more own" in lines[5]
    assert [line.split()[3] for line in lines[2:5]] == ["65,107.10", "65,104.10", "65,101.10"]
    assert "⋮ 5 levels · 12.00 away · 2 more" in (await drawn((36, 24), *orders))[5]


async def test_an_order_beyond_the_known_depth_is_so_many_levels_away_at_least() -> None:
    panel = ladder()
    async with PanelApp(panel).run_test(size=(60, 24)):
        panel.show(of(book(orders=(working("B0", BIDS[29][0] - 5_000),), is_depth_cut=True)))
        assert "⋮ 22+ levels · 79.00 USD away" in shown(panel)[-2]
        assert shown(panel)[-1].split()[-2:] == ["65,009.00", "…"]


@pytest.mark.parametrize("height", [6, 8, 11])
async def test_in_a_low_ladder_an_edge_tells_of_them(height: int) -> None:
    lines = await drawn((40, height), *FAR)
    assert lines[1].strip() == "▲ 3 own from 65,109.10"
    assert lines[-1].strip() == "▼ 3 own from 65,068.00"
    assert sum("65,0" in line for line in lines[2:-1]) >= 1
    near = await drawn((40, height), working("A0", ASKS[0][0]), working("B0", BIDS[0][0]))
    assert not any("own from" in line for line in near)


async def test_who_looks_elsewhere_sees_the_book_alone() -> None:
    panel = ladder()
    async with PanelApp(panel).run_test(size=(60, 24)) as pilot:
        await started(pilot, of(book(orders=FAR)))
        pinned = shown(panel)
        await pilot.press("down")
        assert not any("⋮" in line for line in shown(panel))
        assert "65,098.10" in shown(panel)[2]
        await pilot.press("home")
        assert shown(panel) == pinned


async def test_a_far_order_is_selected_where_it_stands() -> None:
    panel = ladder()
    app = LadderApp(panel)
    async with app.run_test(size=(60, 24)) as pilot:
        await started(pilot, of(book(orders=FAR)))
        for y in (2, 5, 23):
            await pilot.click(panel, offset=(10, y))
        assert app.chosen == ["pt-7-a2", "pt-7-b2"]
        assert "on selected" in str(panel.shown_rows[23])


async def test_rows_stay_while_an_order_is_replaced() -> None:
    panel = ladder()
    async with PanelApp(panel).run_test(size=(60, 24)):
        panel.show(of(book(orders=FAR)))
        before = shown(panel)
        panel.show(of(book(orders=FAR[1:]), 140 * MS))
        assert shown(panel) == [*before[:2], "", *before[3:]]
        panel.show(of(book(orders=(*FAR[:2], *FAR[3:])), 190 * MS))
        assert shown(panel)[:4] == before[:4]
        assert shown(panel)[4] == ""
        panel.show(of(book(orders=()), 240 * MS))
        assert shown(panel)[6:20] == before[6:20]
        assert not any("⋮" in line or "●" in line for line in shown(panel))
        panel.show(of(book(orders=FAR), 340 * MS))
        assert shown(panel) == before
        panel.show(of(book(orders=()), 440 * MS))
        panel.show(of(book(orders=()), 440 * MS + 3 * S))
        assert "65,099.10" in shown(panel)[2]


def test_another_height_needs_other_rows_at_once() -> None:
    kept = FarRows()
    kept.begin(("BTC-USD", 1, 22), 0)
    assert kept.rows(ASK, 4) == 4
    kept.begin(("BTC-USD", 1, 22), 100 * MS)
    assert (kept.rows(ASK, 2), kept.rows(BID, 2)) == (4, 2)
    kept.begin(("BTC-USD", 1, 12), 200 * MS)
    assert (kept.rows(ASK, 2), kept.rows(ASK, 3)) == (2, 3)


@given(
    body=st.integers(1, 40),
    own=st.sets(st.integers(-40, 40), max_size=12),
    depth=st.integers(0, 40),
    is_cut=st.booleans(),
)
def test_every_far_order_has_a_row_or_is_counted(body: int, own: set[int], depth: int, is_cut: bool) -> None:
    orders = tuple(
        working("A0" if n < 0 else "B0", (ASKS[0][0] + 100 * -n if n < 0 else BIDS[0][0] - 100 * n))
        for n in own
    )
    shown_book = book(bids=BIDS[:depth], asks=ASKS[:depth], orders=orders, is_depth_cut=is_cut)
    made = Ladder.of(shown_book, 1)
    standings = around_spread(made, body, FarRows())
    assert len(standings) == body
    spread = standings.index(Mark.SPREAD)
    assert spread == body // 2
    for rungs, rows in ((made.asks, standings[:spread][::-1]), (made.bids, standings[spread + 1 :])):
        seen = [row for row in rows if isinstance(row, Rung)]
        gaps = [row for row in rows if isinstance(row, Gap)]
        assert [rungs.index(rung) for rung in seen] == sorted({rungs.index(rung) for rung in seen})
        hidden = [rung for rung in rungs if rung.own and rung not in seen]
        if len(rows) < 2:
            continue
        assert sum(gap.more for gap in gaps) == len(hidden)
        if not gaps:
            assert seen == rungs[: len(rows)]
            continue
        place = rows.index(gaps[0])
        assert len(gaps) == 1
        assert place >= 1
        pins = rows[place + 1 :]
        assert all(isinstance(row, Rung) and row.own for row in pins)
        assert len(pins) <= min(MOST_PINS, len(rows) // 3)
        first = next(rung for rung in rungs[place:] if rung.own)
        assert gaps[0].levels == rungs.index(first) - place
        assert gaps[0].away == abs(first.price - rungs[0].price)


# -- columns that stay ---------------------------------------------------------------------------


@pytest.mark.parametrize("width", range(20, 61))
async def test_names_of_columns_are_never_cut_to_signs(width: int) -> None:
    panel = ladder()
    greeting = hello(mode="paper")
    known = mirror(shown=view(book(orders=FAR, shows_own=False)), greeting=greeting)
    async with PanelApp(panel).run_test(size=(width, 24)):
        panel.show(scene(known))
        assert "#" not in shown(panel)[1]
        assert ("~ahead" in shown(panel)[1]) is ("first" in "".join(shown(panel)))


async def test_columns_stay_whatever_is_ahead() -> None:
    panel = ladder()
    places = set()
    async with PanelApp(panel).run_test(size=(48, 24)):
        for ahead in (None, 0, 3 * LOT, 43 * 100 * LOT, 1_234_567 * LOT):
            orders = (working("A0", ASKS[1][0], ahead=ahead),)
            panel.show(of(book(orders=orders)))
            places.add(line_of(panel, "65,090.10").index("65,090.10"))
            places.add(line_of(panel, "65,089.10").index("65,089.10"))
        panel.show(of(book(orders=())))
        places.add(line_of(panel, "65,089.10").index("65,089.10"))
        panel.show(of(book(orders=(alone(),))))
        assert "alone" in line_of(panel, "65,089.60")
        places.add(line_of(panel, "65,089.60").index("65,089.60"))
    assert len(places) == 1


def alone() -> WorkingOrder:
    return working("A0", ASKS[0][0] + 50)
