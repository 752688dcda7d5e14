"""The markout curve: where the market stood, on average, at each horizon after our passive fills."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, NamedTuple

from rich.cells import cell_len

from engine.link.analytics import Analytics, FillGroup
from pinnacle_tui.numbers import NOTHING, grouped, signed
from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.analytics_choice import Choice, horizon_name
from pinnacle_tui.widgets.attribution import NOT_TOLD
from pinnacle_tui.widgets.line_chart import Scale, value_scale
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.rows import Row, Span, centred, left, right
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.words import profit_style

_HUNDREDTHS: Final = 100
"""The curve's values are whole hundredths of a basis point."""
_GUTTER: Final = 8
_LEAST_COLUMN: Final = 7
_LEAST_ROWS: Final = 3
_DOTS: Final = 4
"""Places of a value within a row."""
_MEAN: Final = "●"
_BAND: Final = "┃"
_ZERO_LINE: Final = "┈"


class Point(NamedTuple):
    """One horizon, 0 for the fill itself; in hundredths of a basis point, None where no fill tells."""

    horizon_ns: int
    fills: int
    mean: int | None
    error: int | None
    net: int | None
    """The average less fees."""


class MarkoutCurvePanel(Panel):
    """Average markout by horizon, with its error, for the chosen fills."""

    TITLE: ClassVar[str] = "MARKOUT"
    HELP: ClassVar[str] = (
        "Passive fills of the chosen group: the mid after 0.1 s, 1 s, 10 s, 1 min and 5 min against our\n"
        "price, on average by size, in basis points before fees: above 0 the market was better than our\n"
        "price. It begins with what the spread gave (at 0) and falls as far as fills are picked off. The\n"
        "band is one standard error to either side: a curve whose band holds 0 says nothing yet. Net is\n"
        "after fees: what is left of an average fill if it is worked off at the mid of then."
    )

    def __init__(self, palette: Palette, choice: Choice, *, id: str) -> None:
        super().__init__(palette, id=id)
        self._choice = choice

    def remark(self, scene: Scene) -> str:
        """Which fills, and the unit."""
        analytics = scene.book.analytics
        group = None if analytics is None else self._choice.group(analytics)
        return "bp ± error" if group is None else f"{group.name}, bp ± error"

    def rows(self, scene: Scene, width: int, height: int) -> list[Row]:
        """The curve, and below it the numbers."""
        return curve_rows(scene, self._choice, width, height)


def points_of(group: FillGroup, mark: int) -> list[Point]:
    """The curve of a group; `mark` in half ticks is the price that basis points are of."""

    def hundredths(ticks: float | None) -> int | None:
        return None if ticks is None else round(ticks * 2 * 10_000 * _HUNDREDTHS / mark)

    made = [
        Point(
            each.horizon_ns,
            each.fills,
            hundredths(each.average),
            hundredths(each.error),
            hundredths(_less(each.average, each.fees_average)),
        )
        for each in group.markouts
    ]
    if group.markouts:
        first = group.markouts[0]
        mean, net = first.captured_average, _less(first.captured_average, first.fees_average)
        made.insert(0, Point(0, first.fills, hundredths(mean), None, hundredths(net)))
    return made


def _less(ticks: float | None, fees: float | None) -> float | None:
    return None if ticks is None or fees is None else ticks - fees


def curve_rows(scene: Scene, choice: Choice, width: int, height: int) -> list[Row]:
    """The panel below its heading: curve, horizons, averages, errors, fills, as far as there is room."""
    analytics = scene.book.analytics
    mark = scene.book.pnl.mark or _mid(scene)
    group = None if analytics is None else choice.group(analytics)
    if analytics is None or group is None or not mark:
        return [((left(NOT_TOLD if analytics is None else "no mark, no basis points", width), "muted"),)]
    points = points_of(group, mark)
    if not any(point.fills for point in points):
        return [((left("no fill has come to a horizon yet", width), "muted"),)]
    if _columns(len(points), width) < _LEAST_COLUMN:
        points = points[1:]  # where it begins is told as captured, too
    table = _table(points, choice, analytics, width)
    plot_rows = height - len(table)
    if plot_rows < _LEAST_ROWS or width < _GUTTER + len(points):
        return table[:height]
    return [*_plot(points, width, plot_rows), *table]


def _mid(scene: Scene) -> int | None:
    book = scene.book
    return book.bids[0][0] + book.asks[0][0] if book.bids and book.asks else None


def _columns(count: int, width: int) -> int:
    """Cells of each horizon."""
    return max(1, (width - _GUTTER) // count)


def _table(points: Sequence[Point], choice: Choice, analytics: Analytics, width: int) -> list[Row]:
    """Horizons, averages, errors, what fees leave, and fills below the columns of the curve."""
    cell = _columns(len(points), width)
    chosen = analytics.horizons_ns[choice.horizon_at(analytics)]
    lines = (
        ("after", [horizon_name(point.horizon_ns) for point in points]),
        ("bp", _fitting([point.mean for point in points], cell)),
        ("±", [text.strip("+ ") for text in _fitting([point.error for point in points], cell)]),
        ("net bp", _fitting([point.net for point in points], cell)),
        ("fills", [f"{point.fills:,}" for point in points]),
    )
    made: list[Row] = []
    for name, texts in lines:
        row: Row = ((left(name, _GUTTER), "muted"),)
        for at, text in enumerate(texts):
            style = "muted"
            if name in ("bp", "net bp"):
                style = profit_style(points[at].mean if name == "bp" else points[at].net)
            elif name == "after" and points[at].horizon_ns == chosen:
                style = "text bold"
            shown = centred(text, cell) if cell_len(text) <= cell else right(text, cell)
            row = (*row, (shown, style))
        made.append(row)
    return made


def _fitting(values: Sequence[int | None], cell: int) -> list[str]:
    """Values with as many decimals, two at most, as leave a blank between them."""
    for places in (2, 1):
        texts = [_bp(value, places) for value in values]
        if max(map(cell_len, texts)) < cell:
            return texts
    return [_bp(value, 0) for value in values]


def _bp(hundredths: int | None, places: int = 2) -> str:
    """A value of the curve with its sign."""
    return NOTHING if hundredths is None else signed(grouped(hundredths, 2, places))


def _plot(points: Sequence[Point], width: int, rows: int) -> list[Row]:
    known = [(point.mean, point.error or 0) for point in points if point.mean is not None]
    scale = value_scale(
        min(mean - error for mean, error in known), max(mean + error for mean, error in known), rows
    )
    cell = _columns(len(points), width)
    middles = [_GUTTER + at * cell + (cell - 1) // 2 for at in range(len(points))]
    made: list[Row] = []
    for row in range(rows):
        mark = scale.label(row)
        label = "" if mark is None else _bp(mark)
        axis = "┼" if row == scale.zero_row else "┤" if label else "│"
        empty = _ZERO_LINE if row == scale.zero_row else " "
        spans: list[Span] = [(right(label, _GUTTER - 2) + " ", "muted"), (axis, "rule")]
        at = _GUTTER
        for middle, point in zip(middles, points, strict=True):
            spans.append((empty * (middle - at), "rule"))
            symbol = _symbol(point, scale, row)
            above = point.mean is not None and point.mean >= 0
            spans.append((symbol or empty, ("up" if above else "down") if symbol else "rule"))
            at = middle + 1
        spans.append((empty * max(0, width - at), "rule"))
        made.append(tuple(span for span in spans if span[0]))
    return made


def _symbol(point: Point, scale: Scale, row: int) -> str:
    """What of a point stands in a row: its average, its band, or nothing."""
    if point.mean is None:
        return ""
    if scale.dot(point.mean) // _DOTS == row:
        return _MEAN
    if point.error is None:
        return ""
    top, bottom = scale.dot(point.mean + point.error), scale.dot(point.mean - point.error)
    return _BAND if top // _DOTS <= row <= bottom // _DOTS else ""
