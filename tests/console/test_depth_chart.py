"""The depth chart: the area, what is not known, our orders on the axis, its keys, at every size."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import msgspec
import pytest
from console.panel_app import PanelApp, shown
from console.views import BTC, MID, MS, mirror, palette, product_view, scene, view, working

from engine.link.view import ProductView
from pinnacle_tui.numbers import Numbers
from pinnacle_tui.widgets.depth_chart import DepthChart
from pinnacle_tui.widgets.depth_curve import RANGES, depth_curve, nearest_range
from pinnacle_tui.widgets.ladder_levels import BID
from pinnacle_tui.widgets.rows import row_text, row_width
from pinnacle_tui.widgets.scene import Scene

SIZES = [(20, 5), (24, 10), (40, 24), (52, 30), (80, 30), (100, 16)]
LOT = 1_000_000
BP = MID // 10_000
"""A basis point in ticks, nearly: 650."""
BIDS = tuple((MID - n * BP, 100 * LOT) for n in range(1, 9))
ASKS = tuple((MID + n * BP, 100 * LOT) for n in range(1, 5))
NUMBERS = Numbers(BTC, MID)


def book(**changes: Any) -> ProductView:
    """A level of 1 BTC at every basis point: eight bids, four asks."""
    plain: dict[str, Any] = {"bids": BIDS, "asks": ASKS, "orders": (), "is_depth_cut": False}
    return product_view(**(plain | changes))


def of(shown_book: ProductView, now_ns: int = 40 * MS) -> Scene:
    return dataclasses.replace(scene(mirror(shown=view(shown_book)), now_ns=now_ns), numbers=NUMBERS)


def chart(reach: int | None = None) -> DepthChart:
    panel = DepthChart(palette(), number=2)
    panel.restore({"range": reach})
    return panel


AREA = """\
2 DEPTH CHART                     ±10 bp
       bids 8.0000          asks 4.0000
8.0000 ████
       █████
       ███████
       █████████
4.0000 ██████████            ██████████
       ████████████        ████████████
       █████████████      █████████████
       ███████████████  ███████████████
       ────────────────────────────────
       65,023.46   65,088.55  65,153.64"""
CUT = """\
2 DEPTH CHART                     ±10 bp
       bids 8.0000          asks 4.0000
8.0000    ┊                  ┊
          ┊█                 ┊
          ┊███               ┊
          ┊█████             ┊
4.0000    ┊██████            ┊
          ┊████████        ██┊
          ┊█████████      ███┊
          ┊███████████  █████┊
       ╌╌╌╌──────────────────╌╌╌╌╌╌╌╌╌╌
       65,023.46   65,088.55  65,153.64"""


@pytest.mark.parametrize(("is_cut", "drawn"), [(False, AREA), (True, CUT)])
async def test_the_area_ends_where_knowledge_ends(is_cut: bool, drawn: str) -> None:
    async with PanelApp(panel := chart(1_000)).run_test(size=(40, 12)):
        panel.show(of(book(is_depth_cut=is_cut)))
        assert "\n".join(shown(panel)) == drawn


async def test_a_wide_chart_says_how_far_it_knows() -> None:
    async with PanelApp(panel := chart(2_000)).run_test(size=(100, 14)):
        panel.show(of(book(is_depth_cut=True)))
        lines = shown(panel)
        assert "bids 8.0000 to 7.98 bp" in lines[1]
        assert "asks 4.0000 to 3.99 bp" in lines[1]
        assert sum(line.count("not known") for line in lines) == 2
        assert len(lines[-1].split()) == 5
        panel.show(of(book()))
        assert not any("not known" in line or " bp" in line or "┊" in line for line in shown(panel)[1:])


async def test_the_edge_of_the_area_has_the_colour_of_its_side() -> None:
    async with PanelApp(panel := chart(1_000)).run_test(size=(40, 12)):
        panel.show(of(book()))
        bottom = [(style, text[0]) for text, style in panel.shown_rows[9] if "█" in text]
        assert bottom == [("depth-bid", "█"), ("bid", "█"), ("ask", "█"), ("depth-ask", "█")]


async def test_sizes_far_below_the_scale_are_still_seen() -> None:
    asks = ((ASKS[0][0], 1), (ASKS[3][0], 100 * LOT))
    async with PanelApp(panel := chart(1_000)).run_test(size=(40, 12)):
        panel.show(of(book(asks=asks)))
        assert "▁" in row_text(panel.shown_rows[9])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("reach", [None, 50, 1_000])
@pytest.mark.parametrize("is_cut", [True, False])
async def test_it_fits_every_size(size: tuple[int, int], reach: int | None, is_cut: bool) -> None:
    width, height = size
    async with PanelApp(panel := chart(reach)).run_test(size=size):
        panel.show(of(product_view(is_depth_cut=is_cut)))
        assert len(panel.shown_rows) == height
        assert all(row_width(row) <= width for row in panel.shown_rows)
        text = "\n".join(shown(panel))
        assert "#" not in text
        assert "65,088.55" in shown(panel)[-1]
        assert re.fullmatch(r"\s*65,\d{3}\.\d\d(\s+65,\d{3}\.\d\d)*", shown(panel)[-1])
        assert any(char in text for char in "▁▂▃▄▅▆▇█")


# -- our orders ----------------------------------------------------------------------------------


async def test_our_orders_are_marked_on_the_axis() -> None:
    orders = (
        working("B0", MID - 2 * BP),
        working("B1", MID - 2 * BP - 1, state="uncertain"),
        working("B2", MID - 30 * BP),
        working("A0", MID + BP // 2, state="pending"),
        working("A1", MID + 5 * BP, state="pending_cancel"),
        working("A2", MID + 30 * BP),
    )
    async with PanelApp(panel := chart(1_000)).run_test(size=(40, 12)):
        panel.show(of(book(orders=orders)))
        axis = shown(panel)[-2][7:]
        # 16 columns a side, 0.625 bp each.
        assert axis == "◂───────────" + "?" + "───" + "○" + "──────" + "×" + "───────" + "▸"
        styles = {text: style for text, style in panel.shown_rows[-2] if text in "◂?○×▸"}
        assert styles == {"◂": "own", "?": "warning bold", "○": "own", "×": "own", "▸": "own"}


# -- range ---------------------------------------------------------------------------------------


async def test_the_range_fits_what_is_known_without_trembling() -> None:
    async with PanelApp(panel := chart()).run_test(size=(60, 12)):
        panel.show(of(book()))
        assert shown(panel)[0].endswith("±8 bp")
        panel.show(of(book(bids=BIDS[:5]), 140 * MS))
        assert shown(panel)[0].endswith("±8 bp")
        panel.show(of(book(bids=BIDS[:3], asks=ASKS[:3]), 240 * MS))
        assert shown(panel)[0].endswith("±3 bp")


async def test_another_product_has_another_range() -> None:
    async with PanelApp(panel := chart()).run_test(size=(60, 12)):
        panel.show(of(book()))
        other = of(book(bids=BIDS[:5]))
        panel.show(dataclasses.replace(other, book=msgspec.structs.replace(other.book, symbol="ETH-USD")))
        assert shown(panel)[0].endswith("±5 bp")


async def test_plus_narrows_minus_widens_and_home_fits() -> None:
    panel = chart()
    async with PanelApp(panel).run_test(size=(60, 12)) as pilot:
        panel.focus()
        panel.show(of(book()))
        fitted = shown(panel)
        assert not panel.check_action("fit", ())
        await pilot.press("plus")
        assert shown(panel)[0].endswith("±5 bp")
        await pilot.press("equals_sign")
        assert shown(panel)[0].endswith("±2 bp")
        assert panel.state() == {"range": 200}
        await pilot.press("minus", "minus")
        assert shown(panel)[0].endswith("±10 bp")
        assert panel.check_action("fit", ())
        await pilot.press("home")
        assert shown(panel) == fitted
        assert panel.state() == {"range": None}
        await pilot.press("plus", "full_stop")
        assert shown(panel) == fitted
        await pilot.press(*["plus"] * 20)
        assert panel.chosen_range == RANGES[0]
        assert not panel.check_action("zoom_in", ())
        await pilot.press(*["minus"] * 20)
        assert panel.chosen_range == RANGES[-1]
        assert not panel.check_action("zoom_out", ())


def test_the_next_range_is_the_nearest_choice() -> None:
    assert (nearest_range(800, -1), nearest_range(800, 1)) == (500, 1_000)
    assert (nearest_range(RANGES[0], -1), nearest_range(RANGES[-1], 1)) == (RANGES[0], RANGES[-1])


@pytest.mark.parametrize("bad", [0, 3, -10, "50", True, 50.0, [50]])
def test_what_makes_no_sense_is_not_restored(bad: object) -> None:
    panel = chart(500)
    panel.restore({"range": bad})
    panel.restore({})
    assert panel.state() == {"range": 500}
    panel.restore({"range": None})
    assert panel.state() == {"range": None}


async def test_keys_without_a_book_do_nothing() -> None:
    panel = chart()
    async with PanelApp(panel).run_test(size=(60, 12)) as pilot:
        panel.focus()
        await pilot.press("plus", "minus", "home")
        panel.show(of(book(bids=(), asks=())))
        await pilot.press("plus", "minus", "home")
        assert panel.chosen_range is None


# -- books that cannot be believed ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bids": (), "asks": (), "connection": "idle"}, "waiting for the book"),
        ({"bids": (), "asks": ()}, "the book is empty"),
        ({"asks": ()}, "no asks"),
        ({"bids": ()}, "no bids"),
        ({"bids": ((ASKS[0][0] + 1, LOT), *BIDS)}, "CROSSED: bid above ask"),
    ],
)
@pytest.mark.parametrize("size", SIZES)
async def test_a_book_without_a_mid_says_why(
    size: tuple[int, int], changes: dict[str, Any], words: str
) -> None:
    async with PanelApp(panel := chart()).run_test(size=size):
        panel.show(of(book(**changes)))
        text = "\n".join(shown(panel))
        assert words in text or (words[: size[0] - 1] in text and "…" in text)
        assert "█" not in text
        assert all(row_width(row) <= size[0] for row in panel.shown_rows)


async def test_a_stale_book_is_loud_and_then_grey() -> None:
    async with PanelApp(panel := chart(1_000)).run_test(size=(60, 12)):
        panel.show(of(book(book_age_ns=3_000 * MS), 0))
        assert shown(panel)[0].endswith("STALE 3.0s · ±10 bp")
        assert panel.shown_rows[0][1][1] == "warning bold"
        assert {"bid", "ask"} <= {style for row in panel.shown_rows for _, style in row}
        panel.show(of(book(book_age_ns=6_000 * MS), 0))
        assert {style for row in panel.shown_rows[1:] for _, style in row} == {"stale"}


# -- the curve -----------------------------------------------------------------------------------


def test_a_level_belongs_to_the_column_that_it_ends() -> None:
    # The mid is 100 ticks, 200 bp are two ticks: four columns of half a tick.
    curve = depth_curve(BID, [(99, 7), (98, 5)], 200, 20_000, 4, is_cut=False)
    assert curve.totals == [0, 7, 7, 12]
    cut = depth_curve(BID, [(99, 7)], 200, 20_000, 4, is_cut=True)
    assert (cut.totals, cut.known, cut.total) == ([0, 7], 2, 7)


def test_every_key_says_what_it_does() -> None:
    for binding in DepthChart.BINDINGS:
        assert binding.id.startswith("depth_chart.")  # type: ignore[union-attr]
        assert binding.tooltip  # type: ignore[union-attr]
    assert 2 <= len(DepthChart.HELP.splitlines()) <= 6
