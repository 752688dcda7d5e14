"""The latency panel: how fast a quote follows its tick, and where the time goes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from rich.cells import cell_len

from engine.link.view import Health, Journal, Stage
from pinnacle_tui.numbers import NOTHING, age, duration
from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.histogram import LogScale, histogram, placed, scale_of
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.row_cache import RowCache
from pinnacle_tui.widgets.rows import Row, left, right
from pinnacle_tui.widgets.scene import Scene

_FULL_WIDTH: Final = 66
_FULL_HEIGHT: Final = 15
_NUMBER: Final = 7
"""Cells of a duration."""
_FIGURE: Final = 13
_BETWEEN: Final = 2
_MOST_FIGURE_COLUMNS: Final = 3
_MOST_BARS: Final = 9
_STAGE_NAME: Final = 14
_LEAST_RANGE: Final = 24
_LONG_NS: Final = 1_000_000_000_000
_LATE: Final = "wake-up late"


class LatencyPanel(Panel):
    """Latencies of one product's stages since the start, and the lateness of the engine's wake-ups."""

    TITLE: ClassVar[str] = "TICK TO QUOTE"
    HELP: ClassVar[str] = (
        "How long it took from a market event to the quote that answered it, over everything since the\n"
        "start, so a bad minute long ago still shows in the maximum. p99: 99 of 100 were at most this slow.\n"
        "The histogram's time runs logarithmically; heights are linear, and a trace stands for few, however\n"
        "many the fullest column holds. Below, the stages on the way and how late the engine's wake-ups\n"
        "came against the moment they were due (0 at full speed). In the wide form a stage's line runs from\n"
        "its p50 (●) over p99 (┃) to its maximum."
    )

    def __init__(self, palette: Palette, *, id: str, number: int | None = None) -> None:
        super().__init__(palette, id=id, number=number)
        self._kept = RowCache()

    def remark(self, scene: Scene) -> str:
        """What the figures run over."""
        return "since start"

    def rows(self, scene: Scene, width: int, height: int) -> list[Row]:
        """Figures and histogram, in the form that fits."""
        return self._kept.rows(
            (scene.book.symbol, width, height), scene.now_ns, lambda: latency_rows(scene, width, height)
        )


def latency_rows(scene: Scene, width: int, height: int) -> list[Row]:
    """The panel below its heading."""
    stages = scene.book.stages
    if not stages or not stages[0].count:
        return [((left("no quote has followed a tick yet", width), "muted"),)]
    full = _full(scene, width, height) if width >= _FULL_WIDTH and height >= _FULL_HEIGHT else []
    return full or _compact(scene, width, height)


def _compact(scene: Scene, width: int, height: int) -> list[Row]:
    """Figures, then the histogram, then as many of the stages as fit."""
    rows = _figures(scene.book.stages[0], width)
    extra = height - len(rows) - 2
    if extra < 0:
        return rows[:height]
    stages = _stage_lines(scene, width)
    shown = min(len(stages), max(0, extra - 1))
    if shown < 2:
        shown = 0
    bars = min(_MOST_BARS, extra - shown + 1)
    return [*rows, *histogram(scene.book.bins, width, bars + 1), *stages[:shown]]


def _figures(stage: Stage, width: int) -> list[Row]:
    """The percentiles in one to three columns, read downwards."""
    figures = [
        ("p50", _time(stage.p50)),
        ("p90", _time(stage.p90)),
        ("p99", _time(stage.p99)),
        ("p99.9", _time(stage.p999)),
        ("max", _time(stage.max)),
        ("count", count_text(stage.count)),
    ]
    columns = max(1, min(_MOST_FIGURE_COLUMNS, (width + _BETWEEN) // (_FIGURE + _BETWEEN)))
    cells = min(_FIGURE, width)
    if columns == 1:
        figures = [figures[0], figures[2], figures[4], figures[1], figures[3], figures[5]]
    deep = -(-len(figures) // columns)
    made: list[Row] = []
    for row in range(deep):
        spans: Row = ()
        for at in range(row, len(figures), deep):
            name, value = figures[at]
            gap = " " * _BETWEEN if spans else ""
            name = left(name, max(0, cells - len(value)))
            style = "text bold" if figures[at][0] == "p50" else "text"
            spans = (*spans, (gap + name, "muted"), (right(value, min(len(value), cells)), style))
        made.append(spans)
    return made


def count_text(count: int) -> str:
    """A count in at most seven characters."""
    if count < 1_000_000:
        return f"{count:,}"
    return f"{count / 1e6:.1f} M" if count < 1_000_000_000 else f"{count / 1e9:.1f} G"


def _time(ns: int | None) -> str:
    """A duration in at most seven characters."""
    return age(ns) if ns is not None and ns >= _LONG_NS else duration(ns)


def _marks(tick: Stage, scale: LogScale) -> str:
    """Names of the percentiles at their cells."""
    named = (("p50", tick.p50), ("p90", tick.p90), ("p99", tick.p99), ("p99.9", tick.p999), ("max", tick.max))
    texts: list[tuple[int, str]] = []
    for name, ns in named:
        at = scale.column(ns)
        has_room = at + 1 + len(name) <= scale.columns
        texts.append((at, f"↑{name}") if has_room else (at - len(name), f"{name}↑"))
    return placed(texts, scale.columns)


def _stage_lines(scene: Scene, width: int) -> list[Row]:
    """p50 and p99 of the other stages and of the wake-ups; none where the numbers have no room."""
    if width < 2 * (_NUMBER + 1):
        return []
    lines = [(stage.name.replace("_", " "), stage.p50, stage.p99) for stage in scene.book.stages[1:]]
    health = scene.view.health
    lines.append((_LATE, health.late_p50_ns, health.late_p99_ns))
    name = min(_STAGE_NAME, width - 2 * (_NUMBER + 1))
    made: list[Row] = [((left("stage", name) + f" {'p50':>{_NUMBER}} {'p99':>{_NUMBER}}", "muted"),)]
    for title, p50, p99 in lines:
        made.append(
            (
                (left(title, name), "muted"),
                (" " + right(_time(p50), _NUMBER) + " " + right(_time(p99), _NUMBER), "text"),
            )
        )
    if (journal := health.journal) is not None:
        made.append(((left("not on disk", name), "muted"), (_behind(journal), "text")))
    return made


def _full(scene: Scene, width: int, height: int) -> list[Row]:
    """All stages with all figures, their ranges where there is room, and a large histogram.

    None where the figures do not fit.
    """
    table = _table(scene, width)
    if not table:
        return []
    room = height - len(table) - 3
    bins, tick = scene.book.bins, scene.book.stages[0]
    bars = histogram(bins, width, room)
    if not bars:
        return table[:height]
    marks = _marks(tick, scale_of(bins, width))
    heading = left(f"tick to quote, {tick.count:,} quotes", width)
    return [*table, (), ((heading, "muted"),), *bars, ((marks, "accent"),)]


def _table(scene: Scene, width: int) -> list[Row]:
    """A line for each stage and one for the wake-ups; none where they are wider than `width`."""
    stages, health = scene.book.stages, scene.view.health
    heads = ("p50", "p90", "p99", "p99.9", "max")
    counts = [f"{stage.count:,}" for stage in stages]
    count = max(cell_len("count"), *map(cell_len, counts))
    name = max(_STAGE_NAME, *(cell_len(stage.name) for stage in stages))
    used = name + len(heads) * (_NUMBER + _BETWEEN) + count + _BETWEEN
    if used > width:
        return []
    room = width - used - 2 * _BETWEEN
    scale = _common_scale(stages, health, room) if room >= _LEAST_RANGE else None
    heading = left("stage", name) + "".join(right(head, _NUMBER + _BETWEEN) for head in heads)
    heading += right("count", count + _BETWEEN)
    made: list[Row] = [((heading, "muted"),)]
    for at, stage in enumerate(stages):
        values = (stage.p50, stage.p90, stage.p99, stage.p999, stage.max)
        numbers = "".join(right(_time(ns), _NUMBER + _BETWEEN) for ns in values)
        row: Row = (
            (left(stage.name.replace("_", " "), name), "muted" if at else "text bold"),
            (numbers, "text" if at else "text bold"),
            (right(counts[at], count + _BETWEEN), "muted"),
        )
        made.append(row + _range(scale, stage.p50, stage.p99, stage.max))
    late = (health.late_p50_ns, None, health.late_p99_ns, None, health.late_max_ns)
    numbers = "".join(right(_time(ns), _NUMBER + _BETWEEN) for ns in late)
    blank = right(NOTHING, count + _BETWEEN)
    last: Row = ((left(_LATE, name), "muted"), (numbers, "text"), (blank, "muted"))
    made.append(last + _range(scale, health.late_p50_ns, health.late_p99_ns, health.late_max_ns))
    if (journal := health.journal) is not None:
        made.append(((left("not on disk", name), "muted"), (_behind(journal), "text")))
    if scale is not None:
        made.append(((" " * (used + 2 * _BETWEEN), "text"), (scale.labels(), "muted")))
    return made


def _behind(journal: Journal) -> str:
    """How far the disk is behind the journal."""
    if not journal.behind_records:
        return f" {'nothing':>{2 * _NUMBER + 1}}"
    return f" {f'{journal.behind_records:,} for {_time(journal.behind_ns)}':>{2 * _NUMBER + 1}}"


def _common_scale(stages: Sequence[Stage], health: Health, columns: int) -> LogScale:
    """One scale for all ranges, from the lowest median to the highest maximum."""
    lows = [stage.p50 for stage in stages if stage.count] + [health.late_p50_ns]
    low = max(1, min((ns for ns in lows if ns > 0), default=1))
    high = max(low * 2, health.late_max_ns, *(stage.max for stage in stages))
    return LogScale(low / 1.2, high * 1.2, columns)


def _range(scale: LogScale | None, p50: int, p99: int, highest: int) -> Row:
    """A line from p50 over p99 to the maximum."""
    if scale is None or not highest:
        return ()
    start, middle, end = sorted(scale.column(ns) for ns in (p50, p99, highest))
    spans: Row = ((" " * (2 * _BETWEEN + start), "text"), ("●", "accent bold"))
    if middle > start:
        spans = (*spans, ("━" * (middle - start - 1) + "┃", "chart"))
    if end > middle:
        spans = (*spans, ("─" * (end - middle - 1) + "╴", "chart"))
    return spans
