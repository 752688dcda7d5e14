"""The latency panel: figures, histogram, stages, in every form from the small to the full screen."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from console import views
from console.panel_app import PanelApp, shown
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.link.view import Bin, Stage
from pinnacle_tui.widgets.histogram import LogScale, heights, histogram, placed, round_duration, scale_of
from pinnacle_tui.widgets.latency import LatencyPanel, count_text, latency_rows
from pinnacle_tui.widgets.rows import row_text, row_width
from pinnacle_tui.widgets.scene import Scene

TENFOLD = tuple(Bin(10_000 * 10**n, count) for n, count in enumerate((8, 4, 0, 1)))


def scene(**changes: Any) -> Scene:
    return views.scene(views.mirror(shown=views.view(views.product_view(**changes))))


def lines(width: int, height: int, **changes: Any) -> list[str]:
    return [row_text(row).rstrip() for row in latency_rows(scene(**changes), width, height)]


def test_the_small_form_has_all_figures_and_a_line_of_the_histogram() -> None:
    assert lines(28, 5) == [
        "p50     38 us  p99.9  391 us",
        "p90     61 us  max    1.2 ms",
        "p99    142 us  count   1,204",
        "▁▁▁▃▆▇█▇▆▅▃▂▁▁▁▁▁▁▁▁ ▁▁   ▁▁",
        " ╵10 us       ╵50 us",
    ]


def test_more_height_brings_the_stages_and_the_wake_ups() -> None:
    assert lines(34, 16)[-5:] == [
        "stage              p50     p99",
        "feed            4.0 us   19 us",
        "book            2.0 us   11 us",
        "decide           19 us   90 us",
        "wake-up late    190 us  1.2 ms",
    ]


def test_the_full_form_has_every_stage_with_every_figure() -> None:
    full = lines(80, 20)
    assert full[:6] == [
        "stage               p50      p90      p99    p99.9      max  count",
        "tick to quote     38 us    61 us   142 us   391 us   1.2 ms  1,204",
        "feed             4.0 us   6.0 us    19 us    40 us    92 us  8,120",
        "book             2.0 us   4.0 us    11 us    31 us    77 us  8,120",
        "decide            19 us    31 us    90 us   210 us   610 us  8,120",
        "wake-up late     190 us        –   1.2 ms        –   7.0 ms      –",
    ]
    assert len(full) == 20
    assert full[-1].split() == ["↑p50", "↑p90", "↑p99", "p99.9↑"]


def test_the_ranges_run_from_the_median_over_p99_to_the_maximum_on_one_scale() -> None:
    wide = lines(160, 30)
    ranges = [line[68:] for line in wide[1:6]]
    for line in ranges:
        assert 0 <= line.index("●") < line.index("┃") < line.index("╴")
    medians = dict(
        zip(("tick", "feed", "book", "decide", "late"), (r.index("●") for r in ranges), strict=True)
    )
    assert medians["book"] < medians["feed"] < medians["decide"] < medians["tick"] < medians["late"]
    assert "╵100 us" in wide[6]


def test_before_the_first_quote_there_are_words_and_no_zeros() -> None:
    words = ["no quote has followed a tick yet"]
    assert lines(60, 20, stages=(), bins=()) == words
    assert lines(60, 20, stages=(Stage("tick_to_quote", 0, 0, 0, 0, 0, 0),), bins=()) == words


def test_an_hour_is_written_as_one() -> None:
    hour = msgspec.structs.replace(scene().book.stages[0], max=4_398 * views.S)
    assert "max     1h13m" in lines(28, 5, stages=(hour,))[1]


def test_figures_without_bins_stand_alone() -> None:
    assert lines(28, 6, bins=()) == lines(28, 3)


def test_figures_change_once_a_second() -> None:
    panel = LatencyPanel(views.palette(), id="latency")
    stage = msgspec.structs.replace(scene().book.stages[0], p50=99_000)
    later = views.view(views.product_view(stages=(stage,)))

    def first(known: Scene) -> str:
        return row_text(panel.rows(known, 28, 5)[0])

    assert "38 us" in first(views.scene(now_ns=0))
    assert "38 us" in first(views.scene(views.mirror(shown=later), now_ns=999 * views.MS))
    assert "99 us" in first(views.scene(views.mirror(shown=later), now_ns=views.S))


async def test_the_heading_says_since_when() -> None:
    panel = LatencyPanel(views.palette(), id="latency", number=3)
    app = PanelApp(panel)
    async with app.run_test(size=(28, 6)) as pilot:
        panel.show(scene())
        assert shown(panel)[0] == "3 TICK TO QUOTE  since start"
        await pilot.resize_terminal(200, 50)
        await pilot.pause()
        assert len(shown(panel)) == 50
        assert "wake-up late" in shown(panel)[6]


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (999_999, "999,999"), (1_234_567, "1.2 M"), (123_456_789, "123.5 M"), (10**10, "10.0 G")],
)
def test_counts_stay_short(count: int, text: str) -> None:
    assert count_text(count) == text


def test_equal_ratios_take_equal_room() -> None:
    scale = LogScale(1_000, 1_000_000, 30)
    assert [round(scale.place(ns), 6) for ns in (1, 1_000, 10_000, 100_000, 10**9)] == [0, 0, 10, 20, 30]
    assert scale.column(10**12) == 29
    assert scale.labels().split("╵")[1:] == ["1 us     ", "10 us    ", "100 us   "]


def test_a_wide_bin_is_spread_over_its_cells_and_nothing_is_lost() -> None:
    scale = scale_of(TENFOLD, 40)
    counts = heights(TENFOLD, scale)
    assert counts == pytest.approx([0.8] * 10 + [0.4] * 10 + [0.0] * 10 + [0.1] * 10)
    rows = [row_text(row) for row in histogram(TENFOLD, 40, 3)]
    assert rows[0] == "█" * 10 + " " * 30
    assert rows[1] == "█" * 20 + " " * 10 + "▂" * 10
    assert rows[2].startswith("╵1 us")


def test_marks_do_not_touch() -> None:
    assert placed([(0, "abc"), (3, "no"), (4, "de"), (9, "no")], 10) == "abc de    "


@pytest.mark.parametrize(
    ("ns", "text"), [(1, "1 ns"), (500, "500 ns"), (10_000, "10 us"), (2 * 10**6, "2 ms"), (10**9, "1 s")]
)
def test_round_durations(ns: int, text: str) -> None:
    assert round_duration(ns) == text


@pytest.mark.parametrize("width", [66, 67, 68, 80])
def test_large_counts_leave_the_wide_form_to_wider_panels(width: int) -> None:
    stages = tuple(Stage(name, 1, 2, 3, 4, 5, 1_204_300) for name in ("tick_to_quote", "feed"))
    rows = latency_rows(scene(stages=stages), width, 20)
    assert all(row_width(row) <= width for row in rows)
    assert "1,204,300" in "".join(map(row_text, rows)) or width < 70


NS = st.integers(0, 10**13)
STAGES = st.lists(st.builds(Stage, st.just("decode"), NS, NS, NS, NS, NS, NS), max_size=9)
BINS = st.lists(st.tuples(NS, st.integers(0, 10**9)), max_size=80)


@settings(max_examples=150, deadline=None)
@given(width=st.integers(1, 200), height=st.integers(1, 50), stages=STAGES, bins=BINS)
def test_it_always_fits(width: int, height: int, stages: list[Stage], bins: list[tuple[int, int]]) -> None:
    rising = tuple(Bin(upto, count) for upto, count in sorted(dict(bins).items()))
    rows = latency_rows(scene(stages=tuple(stages), bins=rising), width, height)
    assert len(rows) <= height
    assert all(row_width(row) <= width for row in rows)


@settings(max_examples=100, deadline=None)
@given(bins=BINS, columns=st.integers(1, 200))
def test_the_columns_hold_every_value(bins: list[tuple[int, int]], columns: int) -> None:
    rising = tuple(Bin(upto, count) for upto, count in sorted(dict(bins).items()))
    if any(one.count for one in rising):
        total = sum(one.count for one in rising)
        assert sum(heights(rising, scale_of(rising, columns))) == pytest.approx(total)
