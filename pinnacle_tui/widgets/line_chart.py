"""A line chart of a signed value over time, in braille dots: two by four of them in a cell.

The scale always holds zero and every point, its labels stand on round values in the middle of their rows,
and every segment is drawn, so that no extreme is lost however many points share a column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from rich.cells import cell_len

from pinnacle_tui.widgets.rows import Row, Span, right

LEAST_COLUMNS: Final = 8
LEAST_ROWS: Final = 3
"""Cells of the plot below which a line tells nothing; such a chart has no rows."""
_ACROSS, _DOWN = 2, 4
# Bits of a cell's dots in the braille block, by column and row.
_BITS: Final = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_BRAILLE: Final = 0x2800
_ZERO_LINE: Final = "┈"
_NEWEST: Final = "●"
_NEIGHBOURS: Final = 5
_GAP_FACTOR: Final = 5
_TWO_LABELS_MERIT: Final = 0.75
"""A third label is worth a quarter of the height."""
_S: Final = 1_000_000_000
_TIME_STEPS_S: Final = (
    *(1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1_800),
    *(3_600, 7_200, 10_800, 21_600, 43_200, 86_400),
)

Point = tuple[int, int]
"""(time in ns, value)."""


class Scale(NamedTuple):
    """Where values stand: every `rows_per_step` rows the value changes by `step`."""

    step: int
    rows_per_step: int
    zero_row: int
    """From the top."""

    def dot(self, value: int) -> int:
        """The dot row of a value, from the top."""
        away = (2 * _DOWN * self.rows_per_step * value + self.step) // (2 * self.step)
        return self.zero_row * _DOWN + 1 - away

    def label(self, row: int) -> int | None:
        """The round value in the middle of a row; None where there is none."""
        steps, rest = divmod(self.zero_row - row, self.rows_per_step)
        return None if rest else steps * self.step


def value_scale(low: int, high: int, rows: int, unit: int = 1) -> Scale:
    """The scale on which low, high and zero fill `rows` best and that shows at least two labels.

    No step is smaller than `unit`.
    """
    low, high = min(low, 0), max(high, 0)
    if low == high:
        low, high = -unit, unit
    least = 2 if rows > 4 else 1
    best, best_merit = Scale(1, 1, 0), 0.0
    for step in _round_steps((high - low) // rows, unit):
        for per_step in range(min(rows - 1, (rows - 1) * step // (high - low)), least - 1, -1):
            above, below = _ceil(high * per_step, step), _ceil(-low * per_step, step)
            spare = rows - 1 - above - below
            zero_row = above + (spare if not low else 0 if not high else spare // 2)
            labels = zero_row // per_step + (rows - 1 - zero_row) // per_step + 1
            if spare < 0 or labels < 2:
                continue
            merit = per_step * (high - low) / step * (1.0 if labels > 2 else _TWO_LABELS_MERIT)
            if merit > best_merit:
                best, best_merit = Scale(step, per_step, zero_row), merit
            break
    return best


def line_chart(
    points: Sequence[Point],
    width: int,
    height: int,
    *,
    label: Callable[[int, int], str],
    unit: int = 1,
) -> list[Row]:
    """Rows of a chart of exactly `width` by `height` cells; none without points or without room.

    Times rise. `label` writes a value of the scale, given also the scale's step; `unit` is the smallest
    difference that it can write.
    """
    plot_rows = height - 1
    if not points or plot_rows < LEAST_ROWS:
        return []
    values = [value for _, value in points]
    scale = value_scale(min(values), max(values), plot_rows, unit)
    marks = [scale.label(row) for row in range(plot_rows)]
    labels = ["" if mark is None else label(mark, scale.step) for mark in marks]
    gutter = max(map(cell_len, labels)) + 1
    columns = width - gutter - 1
    if columns < LEAST_COLUMNS:
        return []
    cells = _Cells(columns, plot_rows)
    newest = _plot(points, scale, cells)
    made: list[Row] = []
    for row in range(plot_rows):
        axis = "┼" if row == scale.zero_row else "┤" if labels[row] else "│"
        line = cells.text(row, _ZERO_LINE if row == scale.zero_row else " ")
        style = "up" if row < scale.zero_row else "down" if row > scale.zero_row else "text"
        spans: list[Span] = [(right(labels[row], gutter - 1) + " ", "muted"), (axis, "rule")]
        at = newest[0] if newest[1] == row else None
        made.append((*spans, *_spans(line, style, at)))
    times = time_labels(points[0][0], points[-1][0], columns)
    made.append(((" " * (gutter + 1) + times, "muted"),))
    return made


def time_labels(start_ns: int, end_ns: int, columns: int) -> str:
    """Round times below a plot of `columns` cells that spans start to end; each follows its tick mark."""
    line = [" "] * columns
    free, span = 0, end_ns - start_ns
    for time_ns in _round_times(start_ns, end_ns, columns):
        at = (time_ns - start_ns) * (columns - 1) // span if span else 0
        text = "╵" + elapsed(time_ns)
        if at >= free and at + len(text) <= columns:
            line[at : at + len(text)] = text
            free = at + len(text) + 1
    return "".join(line)


def elapsed(ns: int) -> str:
    """A time since the start: `0:05`, `12:31`, `1:00:00`, `2d 03:00`."""
    minutes, seconds = divmod(ns // _S, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours:02}:{minutes:02}"
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def is_gap(spacings: Sequence[int], at: int) -> bool:
    """True where the distance to the next point is far beyond what is usual on either side of it.

    Histories change their spacing as they are thinned, so only near points say what is usual.
    """
    before = sorted(spacings[max(0, at - _NEIGHBOURS) : at])
    after = sorted(spacings[at + 1 : at + 1 + _NEIGHBOURS])
    usual = max(before[len(before) // 2] if before else 0, after[len(after) // 2] if after else 0)
    return bool(usual) and spacings[at] > _GAP_FACTOR * usual


class _Cells:
    """A plot's cells as bits of their dots."""

    __slots__ = ("_bits", "columns")

    def __init__(self, columns: int, rows: int) -> None:
        self.columns = columns
        self._bits = [bytearray(columns) for _ in range(rows)]

    def fill(self, x: int, y0: int, y1: int) -> None:
        """Set the dots of one dot column from y0 to y1, in either order."""
        column, bits = x // _ACROSS, _BITS[x % _ACROSS]
        for y in range(min(y0, y1), max(y0, y1) + 1):
            self._bits[y // _DOWN][column] |= bits[y % _DOWN]

    def text(self, row: int, empty: str) -> str:
        return "".join(chr(_BRAILLE + bits) if bits else empty for bits in self._bits[row])


def _plot(points: Sequence[Point], scale: Scale, cells: _Cells) -> tuple[int, int]:
    """Draw the points; the cell (column, row) of the newest."""
    start, span = points[0][0], points[-1][0] - points[0][0]
    last = cells.columns * _ACROSS - 1
    dots = [((time - start) * last // span if span else 0, scale.dot(value)) for time, value in points]
    spacings = [later[0] - earlier[0] for earlier, later in pairwise(points)]
    cells.fill(dots[0][0], dots[0][1], dots[0][1])
    for at, ((x0, y0), (x1, y1)) in enumerate(pairwise(dots)):
        if x1 - x0 > 1 and is_gap(spacings, at):
            cells.fill(x1, y1, y1)
        else:
            _segment(cells, x0, y0, x1, y1)
    x, y = dots[-1]
    return x // _ACROSS, y // _DOWN


def _segment(cells: _Cells, x0: int, y0: int, x1: int, y1: int) -> None:
    if x0 == x1:
        cells.fill(x0, y0, y1)
        return
    across, up, before = x1 - x0, y1 - y0, y0
    for x in range(x0 + 1, x1 + 1):
        y = y0 + (2 * up * (x - x0) + across) // (2 * across)
        # A steep step is shared by both of its columns.
        middle = (before + y) // 2
        cells.fill(x - 1, before, middle)
        cells.fill(x, middle if middle == y else middle + (1 if y > middle else -1), y)
        before = y


def _spans(line: str, style: str, newest: int | None) -> list[Span]:
    """A plot's row in runs of the line and of the zero line."""
    if newest is not None:
        line = line[:newest] + _NEWEST + line[newest + 1 :]
    made: list[Span] = []
    start = 0
    for at in range(1, len(line) + 1):
        if at == len(line) or (line[at] == _ZERO_LINE) != (line[start] == _ZERO_LINE):
            made.append((line[start:at], "rule" if line[start] == _ZERO_LINE else style))
            start = at
    return made


def _ceil(value: int, by: int) -> int:
    return -(-value // by)


def _round_steps(least: int, unit: int) -> Sequence[int]:
    """Steps of 1, 2 and 5 times powers of ten, from the last below `least` upwards; multiples of `unit`."""
    power = 10 ** max(0, len(str(least // unit)) - 2) * unit
    return [power * 10**more * digit for more in range(5) for digit in (1, 2, 5)]


def _round_times(start_ns: int, end_ns: int, columns: int) -> range:
    room = len(elapsed(end_ns)) + 4
    span_s = max(1, -(-(end_ns - start_ns) // _S))
    fitting = (step for step in _TIME_STEPS_S if step * columns >= room * span_s)
    day = _TIME_STEPS_S[-1]
    step = _S * next(fitting, _ceil(room * span_s, columns * day) * day)
    return range(_ceil(start_ns, step) * step, end_ns + 1, step)
