"""The line chart: its scale, its points, its gaps, and that it always fits."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pinnacle_tui.widgets.line_chart import (
    LEAST_ROWS,
    elapsed,
    is_gap,
    line_chart,
    time_labels,
    value_scale,
)
from pinnacle_tui.widgets.rows import Row, row_text, row_width

S = 1_000_000_000
MINUTE = 60 * S


def plain(value: int, step: int) -> str:
    return f"{value:+d}" if value else "0"


def chart(points: list[tuple[int, int]], width: int, height: int) -> list[str]:
    return [row_text(row) for row in line_chart(points, width, height, label=plain)]


def plot(lines: list[str]) -> list[str]:
    """The cells right of the axis, without the line of times."""
    at = next(lines[0].index(mark) for mark in "┤│┼" if mark in lines[0])
    return [line[at + 1 :] for line in lines[:-1]]


def is_dots(cell: str) -> bool:
    return 0x2800 < ord(cell) < 0x2900 or cell == "●"


def dotted(cells: str) -> list[int]:
    return [at for at, cell in enumerate(cells) if is_dots(cell)]


def test_a_rise_from_zero_is_a_diagonal_under_round_labels() -> None:
    lines = chart([(n * S, n) for n in range(61)], 40, 9)
    assert [line[:4] for line in lines] == [
        "    ",
        "+60 ",
        "    ",
        "+40 ",
        "    ",
        "+20 ",
        "    ",
        "  0 ",
        "    ",
    ]
    assert lines[-1].split() == ["╵0:00", "╵0:15", "╵0:30", "╵0:45"]
    rows = plot(lines)
    assert rows[1].endswith("●")
    firsts = [dotted(row)[0] for row in rows[1:-1]]
    assert firsts == sorted(firsts, reverse=True)
    assert rows[-1][0] != "┈"  # it begins on the zero line,
    assert rows[-1].endswith("┈┈")  # and leaves it


def test_above_zero_and_below_have_signs_and_colours_of_their_own() -> None:
    rows = line_chart([(0, -50), (S, 50)], 30, 10, label=plain)
    styles = {words for row in rows for text, words in row if any(map(is_dots, text))}
    assert styles == {"up", "down", "text"}
    zero = next(at for at, row in enumerate(rows) if "┼" in row_text(row))

    def said(part: list[Row]) -> str:
        return "".join(text for row in part for text, words in row if words in ("up", "down"))

    assert not any(words == "down" for row in rows[:zero] for _, words in row)
    assert not any(words == "up" for row in rows[zero + 1 :] for _, words in row)
    assert "●" in said(rows[:zero])


def test_every_extreme_is_drawn_however_many_points_share_a_column() -> None:
    points = [(n * S, 100 if n == 501 else -100 if n == 502 else 0) for n in range(1_000)]
    rows = plot(chart(points, 30, 11))
    scale = value_scale(-100, 100, 10)
    assert any(dotted(rows[scale.dot(100) // 4]))
    assert any(dotted(rows[scale.dot(-100) // 4]))


def test_a_gap_stays_a_gap() -> None:
    points = [(n * S, 10) for n in (*range(100), *range(200, 300))]
    row = next(row for row in plot(chart(points, 67, 8)) if any(map(is_dots, row)))
    middle = row[22:38]
    assert not any(map(is_dots, middle))
    assert all(map(is_dots, row[:19]))
    assert all(map(is_dots, row[-18:]))


def test_a_history_of_mixed_spacing_has_no_gap() -> None:
    times = [*range(0, 600, 10), *range(600, 700)]
    spacings = [later - earlier for earlier, later in pairwise(times)]
    assert not any(is_gap(spacings, at) for at in range(len(spacings)))
    assert not is_gap([50], 0)


def test_a_lone_point_between_two_gaps_is_shown_alone() -> None:
    spacings = [1, 1, 1, 60, 50, 1, 1, 1]
    assert [at for at in range(len(spacings)) if is_gap(spacings, at)] == [3, 4]


def test_nothing_to_draw_or_no_room_gives_no_rows() -> None:
    assert chart([], 60, 12) == []
    assert chart([(0, 1)], 60, LEAST_ROWS) == []
    assert chart([(0, 1)], 11, 12) == []
    assert len(chart([(0, 1)], 12, 12)) == 12


def test_a_flat_zero_stands_in_the_middle() -> None:
    rows = plot(chart([(0, 0), (S, 0), (2 * S, 0)], 30, 8))
    assert [any(map(is_dots, row)) for row in rows] == [False, False, False, True, False, False, False]


@pytest.mark.parametrize(
    ("low", "high", "rows", "step", "labels"),
    [
        (-642, 2_000, 11, 1_000, [2_000, 1_000, 0, -1_000]),
        (0, 60, 8, 20, [60, 40, 20, 0]),
        (-7, 0, 6, 5, [0, -5]),
        (0, 1, 12, 1, [1, 0]),
    ],
)
def test_scales_are_round(low: int, high: int, rows: int, step: int, labels: list[int]) -> None:
    scale = value_scale(low, high, rows)
    assert scale.step == step
    assert [mark for row in range(rows) if (mark := scale.label(row)) is not None] == labels


def test_no_step_is_finer_than_can_be_written() -> None:
    assert value_scale(0, 30, 20, unit=10).step % 10 == 0


@pytest.mark.parametrize(
    ("ns", "text"),
    [(0, "0:00"), (65 * S, "1:05"), (3_600 * S, "1:00:00"), (183_600 * S, "2d 03:00")],
)
def test_times(ns: int, text: str) -> None:
    assert elapsed(ns) == text


def test_time_marks_stand_where_their_times_are() -> None:
    line = time_labels(90 * S, 690 * S, 61)  # ten seconds a cell
    assert line.index("╵4:00") == 15
    assert line.index("╵10:00") == 51


VALUES = st.integers(-(10**24), 10**24)


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(0, 10**15), VALUES), max_size=60),
    width=st.integers(0, 120),
    height=st.integers(0, 40),
)
def test_it_never_raises_and_always_fits(steps: list[tuple[int, int]], width: int, height: int) -> None:
    points, now = [], 0
    for after, value in steps:
        now += after
        points.append((now, value))
    rows = line_chart(points, width, height, label=plain)
    assert len(rows) in (0, height)
    assert all(row_width(row) == width for row in rows)


@settings(max_examples=300, deadline=None)
@given(low=VALUES, high=VALUES, rows=st.integers(LEAST_ROWS, 60), unit=st.sampled_from((1, 10**9)))
def test_scales_hold_all_values_and_two_labels(low: int, high: int, rows: int, unit: int) -> None:
    low, high = min(low, high), max(low, high)
    scale = value_scale(low, high, rows, unit)
    assert 0 <= scale.dot(max(high, 0)) <= scale.dot(min(low, 0)) < 4 * rows
    marks = [(row, mark) for row in range(rows) if (mark := scale.label(row)) is not None]
    assert len(marks) >= 2
    assert all(scale.dot(mark) // 4 == row for row, mark in marks)
    assert scale.step % unit == 0
    assert str(scale.step // unit).rstrip("0") in ("1", "2", "5")
