"""The depth ladder: what it shows at every size and in every state of the book, its keys and its mouse."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import msgspec
import pytest
from console.ladder_books import ASKS, BIDS, LOT, SOLD, book, of
from console.panel_app import PanelApp, shown
from console.views import MS, WALL, S, hello, mirror, palette, product_view, scene, view, working
from textual import events
from textual.pilot import Pilot

from engine.link.view import ProductView, Trade, WorkingOrder
from pinnacle_tui.widgets.ladder import DepthLadder, OrderSelected
from pinnacle_tui.widgets.ladder_levels import Ladder
from pinnacle_tui.widgets.rows import row_text, row_width
from pinnacle_tui.widgets.scene import Scene

SIZES = [(24, 10), (40, 24), (52, 30), (80, 50)]


class LadderApp(PanelApp):
    """Also remembers which orders were selected."""

    def __init__(self, panel: DepthLadder) -> None:
        super().__init__(panel)
        self.chosen: list[str] = []

    def on_order_selected(self, message: OrderSelected) -> None:
        self.chosen.append(message.client_id)


def ladder() -> DepthLadder:
    return DepthLadder(palette(), number=1)


async def started(pilot: Pilot[None], shown_scene: Scene) -> DepthLadder:
    panel = pilot.app.query_one(DepthLadder)
    panel.focus()
    await pilot.pause()
    panel.show(shown_scene)
    return panel


def line_of(panel: DepthLadder, words: str) -> str:
    return next(line for line in shown(panel) if words in line)


def styles_of(panel: DepthLadder, price: str) -> dict[str, str]:
    """Style by text (stripped) of the row of a price."""
    row = next(row for row in panel.shown_rows if price in row_text(row) and "spread" not in row_text(row))
    return {text.strip(): style for text, style in row if text.strip()}


# -- what is shown -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("multiple", [1, 5, 100])
async def test_it_fits_every_size_with_whole_numbers(size: tuple[int, int], multiple: int) -> None:
    width, height = size
    panel = ladder()
    panel.restore({"multiple": multiple})
    async with PanelApp(panel).run_test(size=size):
        panel.show(of(product_view()))
        assert len(panel.shown_rows) == height
        for row in panel.shown_rows:
            assert row_width(row) <= width
        text = "\n".join(shown(panel))
        assert "#" not in text
        # As many whole prices as there are rows for them.
        assert len(re.findall(r"(?<![\d,])65,\d{3}\.\d\d(?!\d)", text)) >= height - 4
        # The spread is in the middle of what is below the headings.
        place = next(y for y, line in enumerate(shown(panel)) if "spread" in line)
        assert abs(place - height // 2) <= 1


async def test_the_columns_of_a_wide_ladder() -> None:
    orders = (
        working("B0", BIDS[1][0], ahead=8 * LOT),
        working("B1", BIDS[1][0], ahead=9 * LOT),
        working("A0", ASKS[0][0], ahead=0),
    )
    panel = ladder()
    async with PanelApp(panel).run_test(size=(60, 15)):
        panel.show(of(book(orders=orders)))
        lines = shown(panel)
    assert lines[0] == "1 DEPTH                                                   ×1"
    assert lines[1] == "  ahead         own   price USD size BTC"
    assert lines[7] == "  first      0.0100 ● 65,089.10   0.1000  ▎██"
    assert lines[8] == "─ spread 1.10 · 0.17 bp ─ mid 65,088.55 ─ last 65,088.00 ▼ ─"
    assert lines[9] == "                      65,088.00▼  0.1000  ███"
    assert lines[10] == " 0.0800   2× 0.0200 ● 65,087.00   0.2000  ▋█████"
    assert lines[11] == "                      65,086.00   0.3000  █████████"


async def test_the_best_prices_stand_out_and_the_last_trade_has_its_direction() -> None:
    bought = Trade(2, WALL, ASKS[2][0], LOT, 1)
    panel = ladder()
    async with PanelApp(panel).run_test(size=(52, 30)):
        panel.show(of(book(trades=(SOLD, bought))))
        assert styles_of(panel, "65,088.00")["65,088.00"] == "bid bold"
        assert styles_of(panel, "65,087.00")["65,087.00"] == "bid"
        assert styles_of(panel, "65,089.10")["65,089.10"] == "ask bold"
        assert styles_of(panel, "65,091.10")["▲"] == "up bold"
        assert sum(line.count("▲") + line.count("▼") for line in shown(panel) if "spread" not in line) == 1


async def test_a_level_that_is_ours_alone_says_so() -> None:
    orders = (working("B0", BIDS[0][0], size=10 * LOT), working("A0", ASKS[0][0] + 50))
    panel = ladder()
    async with PanelApp(panel).run_test(size=(60, 20)):
        panel.show(of(book(orders=orders)))
        assert " alone" in line_of(panel, "● 65,088.00")
        assert styles_of(panel, "65,088.00")["0.1000"] == "own bold"
        assert line_of(panel, "65,089.60").split() == ["alone", "0.0100", "●", "65,089.60", "–"]


async def test_on_paper_our_orders_are_no_part_of_the_market() -> None:
    orders = (working("B0", BIDS[0][0], size=10 * LOT, ahead=7 * LOT), working("A0", ASKS[0][0] + 50))
    shown_scene = scene(
        mirror(shown=view(book(orders=orders, shows_own=False)), greeting=hello(mode="paper"))
    )
    panel = ladder()
    async with PanelApp(panel).run_test(size=(60, 20)):
        panel.show(shown_scene)
        assert "~ahead" in shown(panel)[1]
        assert line_of(panel, "● 65,088.00").split()[:5] == ["0.0700", "0.1000", "●", "65,088.00▼", "0.1000"]
        row = next(row for row in panel.shown_rows if "● 65,088.00" in row_text(row))
        assert not any("█" in text and style.startswith("own") for text, style in row)
        assert line_of(panel, "65,089.60").split() == ["alone", "0.0100", "●", "65,089.60", "–"]


async def test_a_giant_order_does_not_flatten_the_other_bars() -> None:
    asks = ((ASKS[0][0], 10_000_000 * LOT), *ASKS[1:])
    panel = ladder()
    async with PanelApp(panel).run_test(size=(60, 30)):
        panel.show(of(book(asks=asks)))
        assert line_of(panel, "65,089.10").endswith("█▸")
        assert line_of(panel, "65,096.10").count("█") >= 5


async def test_columns_do_not_move_when_a_long_number_leaves() -> None:
    panel = ladder()
    async with PanelApp(panel).run_test(size=(60, 20)):
        panel.show(of(book(bids=((BIDS[0][0], 123_456 * LOT), *BIDS[1:]))))
        before = line_of(panel, "65,087.00").index("0.2000")
        panel.show(of(book()))
        assert line_of(panel, "65,087.00").index("0.2000") == before


# -- changed levels ------------------------------------------------------------------------------


async def test_a_changed_level_is_marked_for_one_frame() -> None:
    bids = ((BIDS[0][0], 77 * LOT), *BIDS[1:])
    panel = ladder()
    async with PanelApp(panel).run_test(size=(52, 30)):
        panel.show(of(book()))
        assert "on changed" not in str(panel.shown_rows)
        panel.show(of(book(bids=bids), 140 * MS))
        assert styles_of(panel, "65,088.00")["0.7700"] == "text bold on changed"
        assert str(panel.shown_rows).count("on changed") == 1
        panel.redraw()
        assert str(panel.shown_rows).count("on changed") == 1
        panel.show(of(book(bids=bids), 240 * MS))
        assert "on changed" not in str(panel.shown_rows)


async def test_marks_can_be_switched_off_and_are_left_out_after_a_pause_and_for_another_product() -> None:
    bids = ((BIDS[0][0], 77 * LOT), *BIDS[1:])
    panel = ladder()
    async with PanelApp(panel).run_test(size=(52, 30)):
        panel.show(of(book()))
        panel.show(of(book(bids=bids), 4 * S))
        assert "on changed" not in str(panel.shown_rows)
        other = msgspec.structs.replace(book(), symbol="ETH-USD")
        panel.show(dataclasses.replace(of(book(), 4 * S + 100 * MS), book=other))
        assert "on changed" not in str(panel.shown_rows)
        panel.show(of(book(), 4 * S + 200 * MS))
        panel.marks_changes = False
        panel.show(of(book(bids=bids), 4 * S + 300 * MS))
        assert "on changed" not in str(panel.shown_rows)


async def test_a_level_that_comes_into_sight_has_not_changed() -> None:
    panel = ladder()
    async with PanelApp(panel).run_test(size=(52, 60)):
        panel.show(of(book(bids=BIDS[:10], is_depth_cut=True)))
        panel.show(of(book(bids=BIDS[:12], is_depth_cut=True), 140 * MS))
        assert "on changed" not in str(panel.shown_rows)
        inserted = (*BIDS[:3], (BIDS[3][0] + 50, 9 * LOT), *BIDS[3:12])
        panel.show(of(book(bids=inserted, is_depth_cut=True), 240 * MS))
        assert styles_of(panel, "65,085.50")["0.0900"] == "text on changed"


async def test_where_everything_changes_nothing_is_marked() -> None:
    panel = ladder()
    async with PanelApp(panel).run_test(size=(52, 30)):
        panel.show(of(book()))
        moved = {
            side: tuple((price, size + LOT) for price, size in levels)
            for side, levels in (("bids", BIDS), ("asks", book().asks))
        }
        panel.show(of(book(**moved), 140 * MS))
        assert "on changed" not in str(panel.shown_rows)


# -- books that cannot be believed ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bids": (), "asks": ()}, "the book is empty"),
        ({"bids": (), "asks": (), "connection": "subscribed"}, "waiting for the book"),
        ({"bids": (), "asks": (), "book_age_ns": None}, "waiting for the book"),
        ({"asks": ()}, "no asks"),
        ({"bids": ()}, "no bids"),
        ({"bids": ((ASKS[0][0] + 1, LOT), *BIDS)}, "CROSSED: bid above ask"),
        ({"bids": ((ASKS[0][0], LOT), *BIDS)}, "LOCKED: bid equals ask"),
    ],
)
@pytest.mark.parametrize("size", SIZES)
async def test_a_book_without_a_spread_says_why(
    size: tuple[int, int], changes: dict[str, Any], words: str
) -> None:
    panel = ladder()
    async with PanelApp(panel).run_test(size=size):
        panel.show(of(book(**changes)))
        text = "\n".join(shown(panel))
        assert words in text
        assert "spread" not in text
        assert all(row_width(row) <= size[0] for row in panel.shown_rows)


async def test_our_orders_are_seen_in_an_empty_book() -> None:
    panel = ladder()
    async with PanelApp(panel).run_test(size=(52, 20)):
        panel.show(of(book(bids=(), asks=(), orders=(working("B0", BIDS[0][0]),))))
        assert line_of(panel, "● 65,088.00")
        assert line_of(panel, "the book is empty")


@pytest.mark.parametrize(
    ("changes", "now_ns", "remark", "is_grey"),
    [
        ({"book_age_ns": 1_900 * MS}, 0, "×1", False),
        ({"book_age_ns": 2_100 * MS}, 0, "STALE 2.1s · ×1", False),
        ({"book_age_ns": 1_900 * MS}, 2_300 * MS, "STALE 4.2s · ×1", False),
        ({"book_age_ns": 5_200 * MS}, 0, "STALE 5.2s · ×1", True),
        ({"connection": "stale", "book_age_ns": 300 * MS}, 0, "STALE 0.3s · ×1", False),
        ({"connection": "stale", "book_age_ns": None}, 0, "STALE · ×1", False),
    ],
)
async def test_a_stale_book_is_loud_and_then_grey(
    changes: dict[str, Any], now_ns: int, remark: str, is_grey: bool
) -> None:
    panel = ladder()
    async with PanelApp(panel).run_test(size=(52, 30)):
        panel.show(of(book(**changes), now_ns))
        heading, *rows = panel.shown_rows
        assert heading[1][0] == remark
        assert heading[1][1] == ("warning bold" if "STALE" in remark else heading[1][1])
        assert ({style for row in rows for _, style in row} == {"stale"}) is is_grey


# -- grouping ------------------------------------------------------------------------------------


async def test_plus_and_minus_group_and_ungroup() -> None:
    panel = ladder()
    async with PanelApp(panel).run_test(size=(52, 30)) as pilot:
        await started(pilot, of(book()))
        assert not panel.check_action("zoom_in", ())
        await pilot.press("plus")
        assert panel.multiple == 1
        await pilot.press(*["minus"] * 7)
        assert panel.multiple == 200
        assert shown(panel)[0].endswith("×200")
        # 65,088.00 + 65,087.00 go down to 65,086.00 with 65,086.00; 65,089.10 and 65,090.00 up to 65,090.00.
        assert line_of(panel, "65,088.00▼").split()[-2] == "0.1000"
        assert line_of(panel, "65,086.00").split()[1] == "0.5000"
        assert line_of(panel, "65,090.00").split()[1] == "0.1000"
        assert line_of(panel, "65,092.00").split()[1] == "0.5000"
        # The real touch stays in the spread row.
        assert "spread 1.10" in line_of(panel, "spread")
        await pilot.press("equals_sign", "plus")
        assert panel.multiple == 50
        await pilot.press(*["minus"] * 30)
        assert panel.multiple == 500_000
        assert not panel.check_action("zoom_out", ())


async def test_a_group_that_the_cut_depth_may_continue_is_marked() -> None:
    panel = ladder()
    panel.restore({"multiple": 500})
    async with PanelApp(panel).run_test(size=(52, 30)):
        panel.show(of(book(bids=BIDS[:7], asks=ASKS[:7], is_depth_cut=True)))
        lines = shown(panel)
        assert "≥" in line_of(panel, "65,080.00")
        assert "≥" not in line_of(panel, "65,085.00")
        assert "≥" in line_of(panel, "65,100.00")
        assert lines[-1] != "deeper levels are not shown"
        assert sum("deeper levels are not shown" in line for line in lines) == 2
        panel.show(of(book(bids=BIDS[:7], asks=ASKS[:7], is_depth_cut=False)))
        assert not any("≥" in line or "deeper" in line for line in shown(panel))


@pytest.mark.parametrize("bad", [0, 3, -1, "5", True, 1.0, None, [5]])
def test_what_makes_no_sense_is_not_restored(bad: object) -> None:
    panel = ladder()
    panel.restore({"multiple": 20})
    panel.restore({"multiple": bad})
    panel.restore({})
    assert panel.state() == {"multiple": 20}


# -- looking away --------------------------------------------------------------------------------


async def test_arrows_and_pages_look_away_and_home_comes_back() -> None:
    panel = ladder()
    async with PanelApp(panel).run_test(size=(52, 20)) as pilot:
        await started(pilot, of(book()))
        still = shown(panel)
        assert not panel.check_action("follow", ())
        await pilot.press("up", "up")
        assert shown(panel)[2 + 9 + 2].strip("─ ").startswith("spread")
        assert "follow off" in shown(panel)[0]
        await pilot.press("down", "down")
        assert shown(panel) == still
        await pilot.press("pageup")
        assert "65,105.10" in "\n".join(shown(panel))
        await pilot.press("full_stop")
        assert shown(panel) == still
        await pilot.press("pagedown")
        assert "65,071.00" in "\n".join(shown(panel))
        assert "spread" not in "\n".join(shown(panel))
        await pilot.press("pagedown", "pagedown", "pagedown")
        assert "65,059.00" in shown(panel)[-1]
        await pilot.press("up")
        assert "65,060.00" in shown(panel)[-1]
        await pilot.press("home")
        assert shown(panel) == still
        assert "follow off" not in shown(panel)[0]


async def test_a_price_that_is_looked_at_stays_when_the_market_moves() -> None:
    panel = ladder()
    async with PanelApp(panel).run_test(size=(52, 20)) as pilot:
        await started(pilot, of(book()))
        await pilot.press("down", "down", "down")
        place = shown(panel).index(line_of(panel, "65,086.00"))
        fewer = BIDS[1:]
        more_asks = ((BIDS[0][0] + 10, LOT), *ASKS)
        panel.show(of(book(bids=fewer, asks=more_asks), 140 * MS))
        assert shown(panel).index(line_of(panel, "65,086.00")) == place


async def test_the_wheel_looks_away() -> None:
    panel = ladder()
    async with PanelApp(panel).run_test(size=(52, 20)) as pilot:
        await started(pilot, of(book()))
        still = shown(panel)
        panel.post_message(wheel(events.MouseScrollUp, panel))
        await pilot.pause()
        assert "follow off" in shown(panel)[0]
        assert shown(panel)[2 + 9 + 3].strip("─ ").startswith("spread")
        panel.post_message(wheel(events.MouseScrollDown, panel))
        await pilot.pause()
        assert shown(panel) == still


def wheel(kind: type[events.MouseEvent], panel: DepthLadder) -> events.MouseEvent:
    return kind(panel, 5, 5, 0, 0, 0, shift=False, meta=False, ctrl=False)


async def test_in_a_narrow_heading_the_warning_stays_longest() -> None:
    panel = ladder()
    async with PanelApp(panel).run_test(size=(24, 10)) as pilot:
        await started(pilot, of(book(book_age_ns=3_000 * MS), 0))
        assert shown(panel)[0] == "1 DEPTH  STALE 3.0s · ×1"
        await pilot.press("down")
        assert shown(panel)[0] == "1 DEPTH       STALE 3.0s"


async def test_a_ladder_with_nothing_to_scroll_stays() -> None:
    panel = ladder()
    async with PanelApp(panel).run_test(size=(52, 30)) as pilot:
        await started(pilot, of(book(bids=BIDS[:3], asks=ASKS[:3])))
        still = shown(panel)
        await pilot.press("up", "pagedown", "pageup")
        assert shown(panel) == still


async def test_keys_before_the_first_scene_do_nothing() -> None:
    panel = ladder()
    async with PanelApp(panel).run_test(size=(52, 30)) as pilot:
        panel.focus()
        await pilot.press("up", "pagedown", "home", "minus", "plus")
        await pilot.click(panel, offset=(20, 5))
        assert not any(shown(panel)[1:])
        assert panel.multiple == 1


# -- selecting -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_a_click_selects_our_order(size: tuple[int, int]) -> None:
    orders: tuple[WorkingOrder, ...] = (
        working("B0", BIDS[1][0], ahead=9 * LOT),
        working("B1", BIDS[1][0], ahead=5 * LOT),
        working("A0", ASKS[0][0]),
    )
    panel = ladder()
    app = LadderApp(panel)
    async with app.run_test(size=size) as pilot:
        await started(pilot, of(book(orders=orders)))
        lines = shown(panel)
        y = lines.index(line_of(panel, "65,087.00"))
        await pilot.click(panel, offset=(10, y))
        assert app.chosen == ["pt-7-b1"]
        assert "on selected" in str(panel.shown_rows[y])
        await pilot.click(panel, offset=(10, y))
        await pilot.click(panel, offset=(10, y))
        assert app.chosen == ["pt-7-b1", "pt-7-b0", "pt-7-b1"]
        await pilot.click(panel, offset=(10, lines.index(line_of(panel, "65,089.10"))))
        assert app.chosen[-1] == "pt-7-a0"
        assert "on selected" not in str(panel.shown_rows[y])
        # Rows without an order, the spread and the headings select nothing.
        for row in (0, 1, lines.index(line_of(panel, "65,086.00")), lines.index(line_of(panel, "spread"))):
            await pilot.click(panel, offset=(10, row))
        assert len(app.chosen) == 4


async def test_another_panel_may_select() -> None:
    panel = ladder()
    async with PanelApp(panel).run_test(size=(52, 30)):
        panel.show(of(book(orders=(working("B0", BIDS[1][0]),))))
        panel.select("pt-7-b0")
        assert styles_of(panel, "65,087.00")["●"] == "own on selected"
        panel.select(None)
        assert "on selected" not in str(panel.shown_rows)


def test_every_key_says_what_it_does() -> None:
    for binding in DepthLadder.BINDINGS:
        assert binding.id.startswith("ladder.")  # type: ignore[union-attr]
        assert binding.tooltip  # type: ignore[union-attr]
        assert binding.description  # type: ignore[union-attr]
    assert 2 <= len(DepthLadder.HELP.splitlines()) <= 6


async def test_it_reads_without_colours() -> None:
    panel = DepthLadder(palette(is_colourless=True), number=1)
    async with PanelApp(panel).run_test(size=(52, 30)):
        panel.show(of(product_view()))
        assert len({panel._palette.style(style) for row in panel.shown_rows for _, style in row}) > 3


# -- what it costs -------------------------------------------------------------------------------


async def test_each_book_is_arranged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    arranged: list[ProductView] = []
    arrange = Ladder.of

    def counted(shown_book: ProductView, multiple: int) -> Ladder:
        arranged.append(shown_book)
        return arrange(shown_book, multiple)

    monkeypatch.setattr(Ladder, "of", counted)
    books = [book(bids=((BIDS[0][0], n * LOT), *BIDS[1:])) for n in range(1, 5)]
    async with PanelApp(ladder()).run_test(size=(52, 30)) as pilot:
        panel = await started(pilot, of(books[0]))
        for n, following in enumerate(books[1:], start=1):
            panel.show(of(following, now_ns=(40 + 100 * n) * MS))
        assert arranged == books
