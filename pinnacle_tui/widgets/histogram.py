"""A histogram of durations on a logarithmic scale, and the scale itself."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len

from engine.link.view import Bin
from pinnacle_tui.widgets.rows import Row

_LEVELS: Final = " ▁▂▃▄▅▆▇█"
_UNITS: Final = (("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000))
_FIRST_BIN_RATIO: Final = 1.1
_ROUNDING: Final = 1e-9
"""Cells that a logarithm may be off."""


@dataclass(frozen=True, slots=True)
class LogScale:
    """Durations from `low_ns` to `high_ns` over `columns` cells, each cell the same ratio."""

    low_ns: float
    high_ns: float
    columns: int

    def place(self, ns: float) -> float:
        """Where a duration stands, in cells from the left; outside durations stand at the ends."""
        if ns <= self.low_ns or self.high_ns <= self.low_ns:
            return 0.0
        if ns >= self.high_ns:
            return float(self.columns)
        return self.columns * math.log(ns / self.low_ns) / math.log(self.high_ns / self.low_ns)

    def column(self, ns: float) -> int:
        """The cell of a duration."""
        return min(self.columns - 1, int(self.place(ns)))

    def marks(self) -> list[int]:
        """Round durations on the scale: powers of ten, and 2 and 5 times them where those are few."""
        tens = [10**power for power in range(12) if self.low_ns <= 10**power <= self.high_ns]
        if len(tens) > 2:
            return tens
        return [
            digit * 10**power
            for power in range(12)
            for digit in (1, 2, 5)
            if self.low_ns <= digit * 10**power <= self.high_ns
        ]

    def labels(self) -> str:
        """The round durations below their cells, each behind its tick mark."""
        texts = ((self.column(mark), f"╵{round_duration(mark)}") for mark in self.marks())
        return placed(texts, self.columns)


def round_duration(ns: int) -> str:
    """A round duration in its largest whole unit: `10 us`."""
    name, size = next((name, size) for name, size in reversed(_UNITS) if ns >= size or size == 1)
    return f"{ns // size} {name}"


def placed(texts: Iterable[tuple[int, str]], width: int) -> str:
    """Texts at their cells on one line; one that would touch the one before or the end is left out."""
    line, free = [" "] * width, 0
    for at, text in texts:
        if at >= free and at + cell_len(text) <= width:
            line[at : at + len(text)] = text
            free = at + len(text) + 1
    return "".join(line)


def scale_of(bins: Sequence[Bin], columns: int) -> LogScale:
    """The scale from the lower edge of the first bin in use to the upper edge of the last."""
    used = [at for at, one in enumerate(bins) if one.count]
    first, last = used[0], used[-1]
    return LogScale(_lower_edge(bins, first), max(1, bins[last].upto_ns), columns)


def heights(bins: Sequence[Bin], scale: LogScale) -> list[float]:
    """How many values fall into each cell; a bin wider than a cell is spread evenly over its cells."""
    made = [0.0] * scale.columns
    for at, one in enumerate(bins):
        if not one.count:
            continue
        start, end = scale.place(_lower_edge(bins, at)), scale.place(one.upto_ns)
        if end - start <= 2 * _ROUNDING:
            made[min(scale.columns - 1, int(start))] += one.count
            continue
        for column in range(int(start), min(scale.columns, math.ceil(end))):
            overlap = min(end, column + 1) - max(start, column)
            if overlap > _ROUNDING:
                made[column] += one.count * overlap / (end - start)
    return made


def histogram(bins: Sequence[Bin], width: int, height: int) -> list[Row]:
    """Bars, and below them a line of round durations; `height` rows in all, none without values or room.

    Heights are linear, the fullest column fills them all; a column with any value shows at least a trace.
    """
    if height < 2 or width < 1 or not any(one.count for one in bins):
        return []
    scale = scale_of(bins, width)
    counts = heights(bins, scale)
    most, levels = max(counts), (height - 1) * (len(_LEVELS) - 1)
    filled = [max(1, round(count * levels / most)) if count > 0 else 0 for count in counts]
    made: list[Row] = []
    for row in range(height - 1):
        floor = (height - 2 - row) * (len(_LEVELS) - 1)
        line = "".join(_LEVELS[max(0, min(len(_LEVELS) - 1, level - floor))] for level in filled)
        made.append(((line, "chart"),))
    made.append(((scale.labels(), "muted"),))
    return made


def _lower_edge(bins: Sequence[Bin], at: int) -> float:
    upto = max(1, bins[at].upto_ns)
    if at:
        return float(min(upto, max(1, bins[at - 1].upto_ns)))
    ratio = bins[1].upto_ns / upto if len(bins) > 1 else _FIRST_BIN_RATIO
    return upto / max(ratio, 1.001)
