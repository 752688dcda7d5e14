"""The inventory panel: the marker between the caps, the position's worth, the nearest limit."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from console import views
from console.panel_app import PanelApp, shown
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.link.view import Gauge
from pinnacle_tui.widgets.inventory import InventoryPanel
from pinnacle_tui.widgets.rows import Row, row_text, row_width
from pinnacle_tui.widgets.scene import Scene

CAP = 25_000_000


def scene(*, max_position: int = CAP, gauges: tuple[Gauge, ...] | None = None, **changes: Any) -> Scene:
    book = views.product_view(max_position=max_position)
    book = msgspec.structs.replace(
        book,
        pnl=msgspec.structs.replace(book.pnl, **changes),
        gauges=book.gauges if gauges is None else gauges,
    )
    return views.scene(views.mirror(shown=views.view(book)))


def rows(width: int, height: int, **changes: Any) -> list[Row]:
    return InventoryPanel(views.palette(), id="inventory").rows(scene(**changes), width, height)


def lines(width: int, height: int, **changes: Any) -> list[str]:
    return [row_text(row).rstrip() for row in rows(width, height, **changes)]


def test_position_value_cost_and_the_nearest_limit() -> None:
    assert lines(40, 5) == [
        "−0.2500 ───────────┼●────────── +0.2500",
        "+0.0310 BTC  +2,017.75 USD",
        "average cost 65,085.05  mark 65,088.55",
        "position 8 % of the limit",
    ]


def test_limits_are_named_in_words() -> None:
    gauge = Gauge("OPEN_ORDERS", "open orders of a side", "count", 3, 100)
    assert lines(40, 5, gauges=(gauge,))[3] == "open orders 3 % of the limit"


@pytest.mark.parametrize(
    ("cap", "position", "track", "held"),
    [
        (1_000, 0, "−0.00001 ────────●──────── +0.00001", " 0 BTC   0.00 USD"),
        (1_000, 1_200, "−0.00001 ────────┼━━━━━━━▶ +0.00001", "+0.000012 BTC  +0.78 USD  over the cap"),
        (4_999, -2_500, "−0.00004999 ──●━━┼───── +0.00004999", "−0.000025 BTC  −1.63 USD"),
        (10_000, 2_500, "−0.0001 ─────────┼━●────── +0.0001", "+<0.0001 BTC  +1.63 USD"),
    ],
)
def test_a_limit_that_is_small_is_told_exactly(cap: int, position: int, track: str, held: str) -> None:
    told = lines(40, 5, max_position=cap, position=position)
    assert [part for part in told[0].split() if part[0] in "+−"] == [
        part for part in track.split() if part[0] in "+−"
    ]
    assert told[1] == held


def test_the_smallest_panel_keeps_the_track_and_the_position() -> None:
    assert lines(28, 2) == ["−0.2500 ─────┼●──── +0.2500", "+0.0310 BTC  +2,017.75 USD"]
    assert lines(28, 3)[2] == "position 8 % of the limit"


@pytest.mark.parametrize(
    ("position", "track"),
    [
        (0, "─────●─────"),
        (1, "─────┼●────"),
        (-1, "────●┼─────"),
        (CAP, "─────┼━━━━●"),
        (-CAP, "●━━━━┼─────"),
        (CAP + 1, "─────┼━━━━▶"),
        (-2 * CAP, "◀━━━━┼─────"),
    ],
)
def test_the_marker(position: int, track: str) -> None:
    line = lines(28, 2, position=position)[0]
    assert line == f"−0.2500 {track} +0.2500"


def test_beyond_the_cap_it_is_said_in_words() -> None:
    row = rows(50, 2, position=-CAP - 1)[1]
    assert row_text(row).endswith("  over the cap")
    assert row[0][1] == "danger bold"


def test_a_position_without_a_mark_has_no_value() -> None:
    told = lines(40, 5, mark=None)
    assert told[1:3] == ["+0.0310 BTC  – no mark", "average cost 65,085.05  mark –"]


def test_flat_is_said() -> None:
    told = lines(40, 5, position=0, average_cost=None, mark=None)
    assert told[1:3] == [" 0.0000 BTC   0.00 USD", "flat: no open cost"]


def test_the_limit_that_is_nearest_is_named_and_judged() -> None:
    gauges = (
        Gauge("POSITION", "position", "lots", 10, 100),
        Gauge("VOLUME", "volume", "lots", None, 1),
        Gauge("DRAWDOWN", "drop from the peak", "ppm", 81, 100),
    )
    row = rows(40, 5, gauges=gauges)[3]
    assert row_text(row) == "drawdown 81 % of the limit, near"
    assert {style for _, style in row} == {"warning"}
    over = (*gauges, Gauge("EXPOSURE", "exposure", "atoms", 7, 7))
    row = rows(45, 5, gauges=over)[3]
    assert row_text(row) == "exposure 100 % of the limit, AT THE LIMIT"
    assert {style for _, style in row} == {"danger bold"}


def test_no_gauge_that_can_be_told() -> None:
    assert lines(40, 5, gauges=())[3] == "no limit can be told"


async def test_it_says_long_or_short_in_its_heading() -> None:
    one = InventoryPanel(views.palette(), id="inventory", number=4)
    async with PanelApp(one).run_test(size=(28, 4)):
        one.show(scene(position=-5))
        assert shown(one)[0] == "4 INVENTORY            short"
        assert shown(one)[2].startswith("−<0.0001 BTC")


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 90),
    height=st.integers(1, 6),
    position=st.integers(-(10**20), 10**20),
    cap=st.integers(0, 10**20),
    mark=st.none() | st.integers(1, 10**10),
)
def test_it_always_fits(width: int, height: int, position: int, cap: int, mark: int | None) -> None:
    made = rows(width, height, position=position, max_position=cap, mark=mark)
    assert len(made) <= height
    assert all(row_width(row) <= width for row in made)
    track = row_text(made[0])
    assert sum(track.count(marker) for marker in "●▶◀") == 1
