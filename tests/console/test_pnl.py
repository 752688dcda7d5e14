"""The P&L panel: its sums can be checked on the screen, what is unknown says why, what is wrong is loud."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from console import views
from console.panel_app import PanelApp, shown
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.link.mirror import EngineMirror
from pinnacle_tui.widgets.big_digits import big
from pinnacle_tui.widgets.pnl import LEAST_FOR_CHART, PnlPanel
from pinnacle_tui.widgets.rows import row_text, row_width
from pinnacle_tui.widgets.scene import Scene

USD = views.USD


def panel() -> PnlPanel:
    return PnlPanel(views.palette(), id="pnl", number=2)


def scene(*, connection: str = "live", now_ns: int = 40 * views.MS, **changes: Any) -> Scene:
    book = views.product_view(connection=connection)
    book = msgspec.structs.replace(book, pnl=msgspec.structs.replace(book.pnl, **changes))
    return views.scene(views.mirror(shown=views.view(book)), now_ns=now_ns)


def lines(width: int, height: int, given: Scene | None = None) -> list[str]:
    return [row_text(row).rstrip() for row in panel().rows(given or scene(), width, height)]


def test_one_column_shows_both_sums_under_the_total() -> None:
    assert lines(30, 14)[:10] == [
        "total          +12.48",
        "= realised     +28.59",
        "+ unrealised    −6.42",
        "− fees           9.69",
        "= captured     +41.20",
        "+ revaluation  −19.03",
        "− fees           9.69",
        "adverse 1 s     −7.71 28 fills",
        "per fill      +0.4026",
        "residual         0.00",
    ]


def test_two_columns_stand_side_by_side_and_long_names_come_with_room() -> None:
    assert lines(60, 9)[:5] == [
        "total         +12.48   residual         0.00",
        "= realised    +28.59   = captured     +41.20",
        "+ unrealised   −6.42   + revaluation  −19.03",
        "− fees          9.69   − fees           9.69",
        "per fill     +0.4026   adverse 1 s     −7.71 28 fills",
    ]
    assert lines(90, 9)[2] == "+ unrealised          −6.42   + inventory revaluation  −19.03"


@pytest.mark.parametrize(("height", "last"), [(4, "− fees"), (5, "− fees"), (6, "− fees"), (7, "− fees")])
def test_a_sum_is_not_cut_in_two(height: int, last: str) -> None:
    assert lines(30, height)[-1].startswith(last)


def test_the_line_comes_with_nine_rows_of_panel() -> None:
    assert LEAST_FOR_CHART == 8
    assert not any("┼" in line for line in lines(28, 7))
    assert any("┼" in line for line in lines(28, 8))
    assert [line.split()[:2] for line in lines(28, 8)[:4]] == [
        ["total", "+12.48"],
        ["=", "realised"],
        ["+", "unrealised"],
        ["−", "fees"],
    ]
    assert any(line.startswith("  0 ┼") for line in lines(28, 9))
    tall = lines(60, 29)
    assert tall[:3] == [line.rstrip() for line in big("+12.48")]
    assert tall[-1].split() == ["╵0:00", "╵5:00", "╵10:00"]


def test_without_a_mark_what_is_unknown_is_a_dash_with_its_reason() -> None:
    told = lines(60, 28, scene(mark=None, total=None, unrealised=None, connection="stale"))
    assert told[:4] == [
        "total             –   residual        0.00",
        "no mark: the book is stale",
        "= realised   +28.59   = captured    +41.20",
        "+ unrealised      –   + revaluation −19.03",
    ]
    assert told[5].startswith("per fill          –")


def test_a_profit_that_a_fee_is_missing_from_says_so() -> None:
    said = "incomplete: a fee has no price"
    rows = panel().rows(scene(is_complete=False), 60, 28)
    assert [row[0][1] for row in rows if said in row_text(row)] == ["warning"]
    assert not any(said in line for line in lines(60, 28))


def test_no_fill_gives_no_average_and_no_adverse_selection() -> None:
    told = lines(34, 14, scene(fills=0, adverse_fills=0, adverse_1s=0))
    assert told[7:9] == ["adverse 1 s        – 0 fills", "per fill           –"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"residual": -1}, "DOES NOT ADD UP: off by 0.00000000001"),
        ({"realised": 2_859 * USD // 100 + 3}, "DOES NOT ADD UP: off by 0.00000000003"),
        ({"captured": 4_121 * USD // 100}, "DOES NOT ADD UP: off by 0.01"),
    ],
)
@pytest.mark.parametrize(("width", "height"), [(60, 9), (40, 4), (60, 28)])
def test_what_does_not_add_up_is_said_first_to_the_last_digit(
    changes: dict[str, int], said: str, width: int, height: int
) -> None:
    rows = panel().rows(scene(**changes), width, height)
    loud = [row for row in rows if row_text(row) == said.ljust(width)]
    assert rows.index(loud[0]) <= 3
    assert "danger" in loud[0][0][1]


def test_a_sum_that_adds_up_is_not_loud() -> None:
    assert not any("DOES NOT" in line for line in lines(60, 28))


def test_gain_and_loss_differ_by_sign_and_by_colour() -> None:
    rows = panel().rows(scene(), 28, 8)
    styles = {row_text(row).split()[1]: row[1][1] for row in rows[1:3]}
    assert styles == {"realised": "up", "unrealised": "down"}
    total = panel().rows(scene(total=-1_248 * USD // 100), 28, 8)[0]
    assert total[1] == (" −12.48", "down bold")


def test_the_line_is_drawn_anew_once_a_second_and_the_figures_at_once() -> None:
    mirror = views.mirror()
    one = panel()

    def plotted(known: EngineMirror, now_ns: int) -> list[str]:
        return [row_text(row) for row in one.rows(views.scene(known, now_ns=now_ns), 60, 28)]

    before = plotted(mirror, 0)
    mirror.profits["BTC-USD"].add(views.TIME + 30 * views.S, -900 * USD)
    assert plotted(mirror, 999 * views.MS) == before
    assert "−500 ┤" in "".join(plotted(mirror, 1_000 * views.MS))


def test_before_the_first_mark_there_is_no_line() -> None:
    known = views.mirror()
    known.profits.clear()
    assert lines(60, 12, views.scene(known))[-1].strip() == "the line begins with the first mark"


async def test_it_stands_in_its_panel_and_follows_a_resize() -> None:
    one = panel()
    app = PanelApp(one)
    async with app.run_test(size=(28, 5)) as pilot:
        one.show(scene())
        assert shown(one)[:2] == ["2 P&L           USD, rounded", "total          +12.48"]
        await pilot.resize_terminal(60, 20)
        await pilot.pause()
        assert "┼" in "".join(shown(one))


MONEY = st.integers(-(10**30), 10**30)


@settings(max_examples=100, deadline=None)
@given(
    width=st.integers(1, 90),
    height=st.integers(1, 30),
    realised=MONEY,
    unrealised=MONEY,
    fees=MONEY,
    total=st.none() | MONEY,
)
def test_any_money_fits_any_size(
    width: int, height: int, realised: int, unrealised: int, fees: int, total: int | None
) -> None:
    changes = {"realised": realised, "unrealised": unrealised, "fees": fees, "total": total}
    rows = panel().rows(scene(**changes), width, height)
    assert len(rows) <= height
    assert all(row_width(row) <= width for row in rows)


@settings(max_examples=50, deadline=None)
@given(realised=MONEY)
def test_a_number_is_whole_or_not_a_number(realised: int) -> None:
    whole = scene().numbers.money(realised)
    for width in (28, 40, 60):
        row = row_text(panel().rows(scene(realised=realised), width, 7)[2])
        assert whole.strip() in row or "##" in row
