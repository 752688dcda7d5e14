"""The risk tables: limits, restrictions, denials and markouts."""

from __future__ import annotations

from typing import Any

import pytest
from console import views
from console.panel_app import PanelApp, shown
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.link.view import Gauge, Markout, Restriction
from pinnacle_tui.widgets.gauges import (
    GaugesPanel,
    MarkoutsPanel,
    RestrictionsPanel,
    denied_row,
    gauge_percent,
    gauge_rows,
    gauge_style,
    gauge_word,
    markout_rows,
    restriction_rows,
)
from pinnacle_tui.widgets.rows import Row, row_text, row_width
from pinnacle_tui.widgets.scene import Scene

S, USD = views.S, views.USD


def scene(**changes: Any) -> Scene:
    return views.scene(views.mirror(shown=views.view(views.product_view(**changes))))


def text(rows: list[Row]) -> list[str]:
    return [row_text(row).rstrip() for row in rows]


@pytest.mark.parametrize(
    ("used", "limit", "percent", "word", "style"),
    [
        (0, 100, "0 %", "", "text"),
        (1, 10_000, "<1 %", "", "text"),
        (80, 100, "80 %", "", "text"),
        (801, 1_000, "80 %", "near", "warning"),
        (9_999, 10_000, "99 %", "near", "warning"),
        (100, 100, "100 %", "AT THE LIMIT", "danger bold"),
        (10**9, 100, "1,000,000,000 %", "OVER THE LIMIT", "danger bold"),
        (1, 0, "100 %", "AT THE LIMIT", "danger bold"),
        (0, 0, "0 %", "", "text"),
        (-5, 100, "0 %", "", "text"),
        (None, 100, "–", "unknown", "warning"),
    ],
)
def test_a_share_has_a_number_a_word_and_a_colour(
    used: int | None, limit: int, percent: str, word: str, style: str
) -> None:
    gauge = Gauge("POSITION", "position", "lots", used, limit)
    assert (gauge_percent(gauge), gauge_word(gauge), gauge_style(gauge)) == (percent, word, style)


def test_limits_in_their_units_with_bars() -> None:
    made = text(gauge_rows(scene(), 120))
    assert made[0].split() == ["limit", "of", "used", "limit", "share"]
    assert made[1].split()[-7:-1] == ["0.0410", "BTC", "0.5000", "BTC", "8", "%"]
    assert made[2].split()[-7:-1] == ["0.12", "%", "5.00", "%", "2", "%"]
    assert made[4].split()[-5:-1] == ["4", "200", "2", "%"]
    assert made[5].endswith("2,668.00 USD  2,000,000.00 USD   <1 %  ▏")
    ends = [line.index("%", 90) for line in made[1:]]
    assert len(set(ends)) == 1


def test_a_full_limit_is_said_in_words_beside_its_bar() -> None:
    full = Gauge("DRAWDOWN", "drop from the peak", "ppm", 50_001, 50_000)
    row = gauge_rows(scene(gauges=(full,)), 80)[1]
    assert row_text(row).endswith("█  OVER THE LIMIT")
    assert row[-1] == ("OVER THE LIMIT", "danger bold")
    assert gauge_rows(scene(gauges=()), 80) == [(("no limits are told", "muted"),)]


def test_a_narrow_table_names_codes_and_keeps_the_share() -> None:
    assert text(gauge_rows(scene(), 28))[1:3] == ["position       8 %  ▌", "drawdown       2 %  ▏"]
    assert text(gauge_rows(scene(), 60))[1] == "position       0.0410 BTC        0.5000 BTC    8 %  ▌"


@pytest.mark.parametrize(
    ("unit", "used", "limit", "told"),
    [
        ("ppm", 21, 1, "0.0021 % 0.0001 %"),
        ("ppm", 700, 99, "0.0700 % 0.0099 %"),
        ("ppm", 21, 100, "0.00 % 0.01 %"),
        ("lots", 2_500, 1_000, "0.000025 BTC 0.00001 BTC"),
        ("lots", 2_500, 10_000, "<0.0001 BTC 0.0001 BTC"),
        ("atoms", USD // 1_000, USD // 250, "0.001 USD 0.004 USD"),
        ("lots", 5, 0, "<0.0001 BTC 0.0000 BTC"),
    ],
)
def test_a_limit_that_is_small_is_told_exactly(unit: str, used: int, limit: int, told: str) -> None:
    gauge = Gauge("LOSS", "loss", unit, used, limit)
    assert " ".join(text(gauge_rows(scene(gauges=(gauge,)), 60))[1].split()[1:]).startswith(told)


def test_restrictions_tell_since_when_why_and_until_when() -> None:
    held = Restriction("OPERATOR", "PAUSED", views.TIME - 12 * S, "paused at the console", "a person resumes")
    halted = Restriction("DRAWDOWN", "HALTED", views.TIME - 90 * S, "5.2 % below the peak", "a person rearms")
    rows = restriction_rows(scene(restrictions=(halted, held)), 60)
    assert text(rows) == [
        "HALTED  DRAWDOWN  since 1m30s  5.2 % below the peak",
        "  until a person rearms",
        "PAUSED  OPERATOR  since 12s  paused at the console",
        "  until a person resumes",
    ]
    assert [row[0][1] for row in rows[::2]] == ["danger bold", "warning bold"]
    assert len(restriction_rows(scene(restrictions=(halted,)), 40)) == 3
    assert text(restriction_rows(scene(restrictions=(halted,)), 20)) == [
        "HALTED  DRAWDOWN  s…",
        "  5.2 % below the",
        "  peak",
        "  until a person",
        "  rearms",
    ]
    assert text(restriction_rows(scene(), 60)) == ["nothing restricts trading"]


@pytest.mark.parametrize(
    ("width", "said"),
    [
        (60, "kept back by the risk gate: STALE 1,200  BAND 2  COLLAR 2"),
        (40, "denied: STALE 1,200  BAND 2  COLLAR 2"),
        (36, "denied: STALE 1,200  +2 codes"),
        (20, "orders denied"),
    ],
)
def test_denials_by_code_never_cut(width: int, said: str) -> None:
    given = scene(denied={"COLLAR": 2, "STALE": 1_200, "BAND": 2})
    assert row_text(denied_row(given, width)).rstrip() == said


def test_no_denial() -> None:
    assert row_text(denied_row(scene(denied={}), 40)).rstrip() == "the risk gate kept no order back"


def test_markouts_add_up_in_their_row() -> None:
    assert text(markout_rows(scene(), 80)) == [
        " after  fills  captured  adverse  fees     net  per fill  waiting",
        "100 ms     31    +41.20    −2.13  9.00  +30.07   +0.9700        0",
        "   1 s     28    +39.80    −7.71  8.50  +23.59   +0.8425        3",
        "  10 s     25    +35.00   −14.00  8.00  +13.00   +0.5200        6",
    ]
    assert text(markout_rows(scene(), 28))[1] == "100 ms  +30.07   +0.9700"
    assert text(markout_rows(scene(), 16))[0] == " after     net"


def test_a_horizon_that_no_fill_has_reached_has_no_zeros() -> None:
    given = scene(markouts=(Markout(300 * S, 0, 0, 0, 0, 4),))
    assert text(markout_rows(given, 80))[1].split() == ["5", "min", "0", "–", "–", "–", "–", "–", "4"]
    assert text(markout_rows(scene(markouts=()), 80)) == ["no passive fill yet"]


async def test_the_panels_stand_under_their_headings() -> None:
    held = Restriction("OPERATOR", "PAUSED", views.TIME, "paused", "a person resumes")
    panels = (
        (GaugesPanel(views.palette(), id="x"), "LIMITS"),
        (MarkoutsPanel(views.palette(), id="x"), "MARKOUTS                             USD"),
        (RestrictionsPanel(views.palette(), id="x"), "RESTRICTIONS                      PAUSED"),
    )
    for panel, heading in panels:
        async with PanelApp(panel).run_test(size=(40, 8)):
            panel.show(scene(state="PAUSED", restrictions=(held,)))
            assert shown(panel)[0] == heading
            assert shown(panel)[1]


@settings(max_examples=100, deadline=None)
@given(
    width=st.integers(1, 140),
    used=st.none() | st.integers(-(10**25), 10**25),
    limit=st.integers(0, 10**25),
    unit=st.sampled_from(("lots", "atoms", "ppm", "count")),
)
def test_they_fit_from_18_cells_on(width: int, used: int | None, limit: int, unit: str) -> None:
    given = scene(gauges=(Gauge("POSITION", "position", unit, used, limit),))
    width = max(width, 8 + 2 + len(gauge_percent(given.book.gauges[0])))
    assert all(row_width(row) <= width for row in gauge_rows(given, width))
    assert gauge_percent(given.book.gauges[0]) in row_text(gauge_rows(given, width)[1])
