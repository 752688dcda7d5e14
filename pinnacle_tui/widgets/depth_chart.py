"""The depth chart: what stands between the mid and every price around it, as an area."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, ClassVar, Final

from textual.binding import Binding, BindingType

from engine.link.view import ProductView
from pinnacle_tui.numbers import grouped
from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.book_panel import BookPanel
from pinnacle_tui.widgets.book_trust import book_trouble, is_too_old
from pinnacle_tui.widgets.depth_curve import (
    RANGES,
    DepthCurve,
    column_of,
    depth_curve,
    in_hundredths,
    known_reach,
    nearest_range,
    price_at,
)
from pinnacle_tui.widgets.ladder_levels import ASK, BID, Scale, most_urgent, own_orders, round_up
from pinnacle_tui.widgets.ladder_rows import order_mark
from pinnacle_tui.widgets.rows import Row, Span, right, row_width
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.spread_row import words_row

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_GUTTER_FROM_WIDTH: Final = 36
"""Cells from which sizes are written at the left."""
_TOTALS_FROM_HEIGHT: Final = 6
"""Rows below the heading from which the totals are written above the area."""
_NOT_KNOWN: Final = "not known"
_BOUNDARY: Final = "┊"
_STYLES: Final = {BID: ("bid", "depth-bid"), ASK: ("ask", "depth-ask")}
"""The edge of an area, and what is below it."""


@dataclass(frozen=True, slots=True)
class _Drawing:
    """One chart: two curves over the same columns and the same scale."""

    mid: int
    reach: int
    columns: int
    """Of each side."""
    height: int
    """Rows of the area."""
    full: int
    """Lots at the top."""
    bids: DepthCurve
    asks: DepthCurve


class DepthChart(BookPanel):
    """See the module."""

    TITLE = "DEPTH CHART"
    HELP = """\
The area over a price is everything that stands between the mid and that price: bids to the left, asks to the
right; a steep edge is a wall. Sizes are at the left, and in sum above each side. Beyond ┊ nobody knows: the
levels that are shown end there. Marks on the axis are our orders, as in the ladder; ◂ ▸ are orders outside.
+ and - narrow and widen the range; home or . fits it to what is known."""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "plus,equals_sign",
            "zoom_in",
            "narrower",
            id="depth_chart.zoom_in",
            key_display="+",
            tooltip="Show a narrower range around the mid",
        ),
        Binding(
            "minus",
            "zoom_out",
            "wider",
            id="depth_chart.zoom_out",
            key_display="-",
            tooltip="Show a wider range around the mid",
        ),
        Binding(
            "home,full_stop",
            "fit",
            "fit",
            id="depth_chart.fit",
            key_display=".",
            tooltip="Show the range of everything that is known",
        ),
    ]

    def __init__(self, palette: Palette, *, id: str = "depth-chart", number: int | None = None) -> None:
        super().__init__(palette, id=id, number=number)
        self.chosen_range: int | None = None
        """Hundredths of a basis point on either side; None: what is known."""
        self._fitting = Scale()
        self._scale = Scale()

    # -- what is remembered between sessions -----------------------------------------------------

    def state(self) -> dict[str, Any]:
        """The choices worth remembering."""
        return {"range": self.chosen_range}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take remembered choices; what makes no sense is ignored."""
        chosen = state.get("range", self.chosen_range)
        if chosen is None or (type(chosen) is int and chosen in RANGES):
            self._choose(chosen)

    # -- drawing ---------------------------------------------------------------------------------

    def show(self, scene: Scene) -> None:
        """See `Panel`; another product has other scales."""
        if self.scene is not None and self.scene.book.symbol != scene.book.symbol:
            self._fitting, self._scale = Scale(), Scale()
        super().show(scene)

    def remark_words(self, scene: Scene) -> list[str]:
        """The range."""
        return ["" if book_trouble(scene.book) else f"±{_bp(self._reach(scene.book))} bp"]

    def rows(self, scene: Scene, width: int, height: int) -> list[Row]:
        """See `Panel`."""
        trouble = book_trouble(scene.book)
        if trouble or scene.book.bids[0][0] <= 0:
            blank: list[Row] = [()] * ((height - 1) // 2)
            waiting = trouble.startswith("waiting")
            return [*blank, words_row(trouble or "no mid", width, "muted" if waiting else "warning bold")]
        rows = self._chart_rows(scene, width, height)
        if is_too_old(scene):
            return [tuple((text, "stale") for text, _ in row) for row in rows]
        return rows

    def _chart_rows(self, scene: Scene, width: int, height: int) -> list[Row]:
        book, size = scene.book, scene.numbers.size
        has_totals = height >= _TOTALS_FROM_HEIGHT
        area = max(1, height - 2 - has_totals)
        mid, reach = book.bids[0][0] + book.asks[0][0], self._reach(book)
        gutter = 0
        if width >= _GUTTER_FROM_WIDTH:
            # How wide the columns are decides what they hold; the scale will be one of these two.
            most = max(sum(lots for _, lots in levels) for levels in (book.bids, book.asks))
            gutter = max(len(size(self._scale.full)), len(size(round_up(most)))) + 1
        columns = max(1, (width - gutter) // 2)
        bids = depth_curve(BID, book.bids, mid, reach, columns, is_cut=book.is_depth_cut)
        asks = depth_curve(ASK, book.asks, mid, reach, columns, is_cut=book.is_depth_cut)
        full = self._scale.fit(max(bids.total, asks.total))
        drawing = _Drawing(mid, reach, columns, area, full, bids, asks)
        labels = {0: size(full)}
        if area >= 4 and len(size(full // 2)) < gutter:
            labels[area // 2] = size(full // 2)
        rows: list[Row] = [_totals_row(scene, drawing, gutter)] if has_totals else []
        for number, row in enumerate(_area_rows(drawing)):
            label = right(labels.get(number, ""), gutter - 1) + " " if gutter else ""
            rows.append(((label, "muted"), *row))
        rows.append(((" " * gutter, "text"), *_axis(book, drawing)))
        rows.append(((" " * gutter + _price_labels(scene, drawing), "muted"),))
        return rows

    def _reach(self, book: ProductView) -> int:
        if self.chosen_range is not None:
            return self.chosen_range
        return self._fitting.fit(known_reach(book, book.bids[0][0] + book.asks[0][0]))

    # -- choices of a person ---------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that would do nothing are not offered."""
        if action == "fit":
            return self.chosen_range is not None
        if action == "zoom_in":
            return self.chosen_range != RANGES[0]
        if action == "zoom_out":
            return self.chosen_range != RANGES[-1]
        return True

    def action_zoom_in(self) -> None:
        """A narrower range."""
        self._step(-1)

    def action_zoom_out(self) -> None:
        """A wider range."""
        self._step(1)

    def action_fit(self) -> None:
        """The range of what is known."""
        self._choose(None)

    def _step(self, direction: int) -> None:
        if self.scene is not None and not book_trouble(self.scene.book):
            self._choose(nearest_range(self._reach(self.scene.book), direction))

    def _choose(self, reach: int | None) -> None:
        if reach != self.chosen_range:
            self.chosen_range = reach
            self._scale = Scale()
            self.redraw()
            self.refresh_bindings()


def _area_rows(drawing: _Drawing) -> list[Row]:
    """The area, top row first."""
    bids = _heights(drawing.bids, drawing)
    asks = _heights(drawing.asks, drawing)
    rows = []
    for row in range(drawing.height):
        # One look-up for a cell: what stands there for each height that a column may have.
        base = (drawing.height - 1 - row) * 8
        cells = " " * (base + 1) + _BLOCKS + "█" * (drawing.height * 8 - base - 8)
        is_middle = row == drawing.height // 2
        left_side = _side_row(BID, bids, base, cells, drawing.columns, is_middle)
        right_side = _side_row(ASK, asks, base, cells, drawing.columns, is_middle)
        mirrored = tuple(
            (text if text == _NOT_KNOWN else text[::-1], style) for text, style in left_side[::-1]
        )
        rows.append((*mirrored, *right_side))
    return rows


def _heights(curve: DepthCurve, drawing: _Drawing) -> list[int]:
    """Eighths of a row for each known column; above 0 for every size above 0."""
    if not drawing.full:
        return [0] * len(curve.totals)
    most = drawing.height * 8
    return [max(total > 0, round(total * most / drawing.full)) for total in curve.totals]


def _side_row(
    side: int, heights: list[int], base: int, cells: str, columns: int, is_middle: bool
) -> list[Span]:
    """One row of one side outwards: above the curve, its edge, below it, and what is not known."""
    edge_style, fill_style = _STYLES[side]
    edge, fill, end = bisect_right(heights, base), bisect_right(heights, base + 8), len(heights)
    spans: list[Span] = [
        (" " * edge, "text"),
        ("".join([cells[height] for height in heights[edge:fill]]), edge_style),
        ("█" * (end - fill), fill_style),
    ]
    unknown = columns - end
    if unknown:
        spans.append((_BOUNDARY, "rule"))
        before = (unknown - 1 - len(_NOT_KNOWN)) // 2
        if is_middle and before > 0:
            after = unknown - 1 - len(_NOT_KNOWN) - before
            spans += [(" " * before, "text"), (_NOT_KNOWN, "muted"), (" " * after, "text")]
        else:
            spans.append((" " * (unknown - 1), "text"))
    return [span for span in spans if span[0]]


def _axis(book: ProductView, drawing: _Drawing) -> list[Span]:
    """The line below the area: solid where the depth is known, with our orders on it."""
    columns = drawing.columns
    spans: list[Span] = []
    for side, curve in ((BID, drawing.bids), (ASK, drawing.asks)):
        known = len(curve.totals)
        cells: list[Span] = [("─", "rule")] * known + [("╌", "rule")] * (columns - known)
        by_column: dict[int, list[str]] = {}
        for price, own in own_orders(side, book.orders, 1).items():
            column = column_of(side, price, drawing.mid, drawing.reach, columns)
            by_column.setdefault(column, []).append(own.state)
        for column, states in sorted(by_column.items()):
            mark, style = order_mark(most_urgent(states))
            if column == columns:
                column, mark = columns - 1, "◂" if side == BID else "▸"
            cells[column] = (mark, style if style == "warning bold" else "own")
        spans += cells[::-1] if side == BID else cells
    return [("".join(text for text, _ in run), style) for style, run in groupby(spans, itemgetter(1))]


def _totals_row(scene: Scene, drawing: _Drawing, gutter: int) -> Row:
    """The sizes of both sides; where a side is known only in part, how far."""
    sides = (("bids", "bid bold", drawing.bids), ("asks", "ask bold", drawing.asks))
    sizes = [(scene.numbers.size(curve.total), style) for _, style, curve in sides]
    named = [[(f"{name} ", "muted"), size] for (name, _, _), size in zip(sides, sizes, strict=True)]
    limited = [
        [*spans, (_known_words(curve, drawing), "muted")]
        for (_, _, curve), spans in zip(sides, named, strict=True)
    ]
    for bids, asks in (limited, named, ([size] for size in sizes)):
        room = 2 * drawing.columns - row_width((*bids, *asks))
        if room >= 2:
            return ((" " * gutter, "text"), *bids, (" " * room, "text"), *asks)
    return ()


def _known_words(curve: DepthCurve, drawing: _Drawing) -> str:
    return "" if curve.known is None else f" to {_bp(in_hundredths(curve.known, drawing.mid))} bp"


def _price_labels(scene: Scene, drawing: _Drawing) -> str:
    """The prices below the axis, as many as there is room for."""
    price, mid, reach = scene.numbers.price, drawing.mid, drawing.reach
    columns, width = drawing.columns, 2 * drawing.columns
    centre = (columns, scene.numbers.mid(mid))
    ends = ((0, price(price_at(mid, -reach))), (width, price(price_at(mid, reach))))
    quarters = (
        (columns // 2, price(price_at(mid, -reach // 2))),
        (columns + (columns + 1) // 2, price(price_at(mid, reach // 2))),
    )
    for labels in ((centre, *ends, *quarters), (centre, *ends), (centre,)):
        text = _placed(sorted(labels), width)
        if text is not None:
            return text
    return ""


def _placed(labels: list[tuple[int, str]], width: int) -> str | None:
    """Labels around their cells and inside `width`; None where two come too near to each other."""
    text = ""
    for at, label in labels:
        start = max(0, min(width - len(label), at - len(label) // 2))
        if text and start < len(text) + 2:
            return None
        text += " " * (start - len(text)) + label
    return text if len(text) <= width else None


def _bp(hundredths: int) -> str:
    """Basis points without zeros at the end."""
    text = grouped(hundredths, 2, 2)
    return text.rstrip("0").rstrip(".")
