"""Which columns of a table fit into so many cells, and how wide each of them is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rich.cells import cell_len

from pinnacle_tui.widgets.rows import left, right
from pinnacle_tui.widgets.scene import Scene

ItemT = TypeVar("ItemT")
ItemT_contra = TypeVar("ItemT_contra", contravariant=True)
_GAPS = (2, 1)
"""Cells between columns: the wide gap, or a narrow one where that keeps a column more."""


@dataclass(frozen=True, slots=True)
class Column(Generic[ItemT_contra]):
    """One column: what stands in it, in which order it sorts, what is copied."""

    name: str
    """In saved choices and in the head of copies."""
    title: str
    text: Callable[[ItemT_contra, Scene], str]
    order: Callable[[ItemT_contra, Scene], Any]
    """A value to sort by; None sorts last, whatever the direction."""
    exact: Callable[[ItemT_contra, Scene], str] | None = None
    """What is copied; by default the text."""
    style: Callable[[ItemT_contra, Scene], str] | str = "text"
    rank: int = 0
    """Columns of the highest rank go first where it is narrow."""
    is_number: bool = False
    """Numbers stand at the right, and are shown whole or not at all."""
    least: int | None = None
    """Texts that may be cut: to so many cells. None: never."""
    is_live: bool = False
    """True where the text changes with every view, also of an item that does not change."""
    keeps_end: bool = False
    """Cut at the front: of an identifier the end tells most."""

    def words(self, item: ItemT_contra, scene: Scene) -> str:
        """The style of this item's text."""
        return self.style if isinstance(self.style, str) else self.style(item, scene)

    def cell(self, text: str, width: int) -> str:
        """A text in its place."""
        if self.is_number:
            return right(text, width)
        return _end(text, width) if self.keeps_end else left(text, width)

    def heading(self, mark: str, width: int) -> str:
        """The title, with the mark of sorting on its inner side so that the title never moves."""
        return right(mark + self.title, width) if self.is_number else left(self.title + mark, width)


@dataclass(frozen=True, slots=True)
class Layout(Generic[ItemT]):
    """The columns that are shown, each with its width, and the cells between them."""

    columns: tuple[tuple[Column[ItemT], int], ...]
    gap: int

    @property
    def width(self) -> int:
        """Cells that the columns take."""
        return sum(width for _, width in self.columns) + self.gap * max(0, len(self.columns) - 1)

    def column_at(self, x: int) -> Column[ItemT] | None:
        """The column at a cell, half of the gap at either side included; None behind the last one."""
        end = 0
        for column, width in self.columns:
            end += width + self.gap
            if x < end - self.gap // 2:
                return column
        return None


def lay_out(columns: Sequence[Column[ItemT]], wishes: Sequence[int], room: int) -> Layout[ItemT]:
    """Columns by rank as long as they fit; what is left over goes to the texts that were cut.

    `wishes` are the widths at which nothing is cut. No column at all may fit.
    """
    pairs = list(zip(columns, wishes, strict=True))
    chosen = max(
        ((_fitting(pairs, room, gap), gap) for gap in _GAPS), key=lambda made: (len(made[0]), made[1])
    )
    kept, gap = chosen
    widths = {column.name: _least(column, wish) for column, wish in kept}
    spare = room - sum(widths.values()) - gap * max(0, len(kept) - 1)
    for column, wish in sorted(kept, key=lambda pair: pair[0].rank):
        more = min(spare, wish - widths[column.name])
        widths[column.name] += more
        spare -= more
    return Layout(tuple((column, widths[column.name]) for column, _ in kept), gap)


Pairs = list[tuple[Column[ItemT], int]]


def _fitting(pairs: Pairs[ItemT], room: int, gap: int) -> Pairs[ItemT]:
    kept = list(pairs)
    while kept and sum(_least(*pair) for pair in kept) + gap * (len(kept) - 1) > room:
        # Of equal rank the one at the right goes first.
        last = max(range(len(kept)), key=lambda n: (kept[n][0].rank, n))
        del kept[last]
    return kept


def _least(column: Column[ItemT], wish: int) -> int:
    return wish if column.least is None else min(wish, max(column.least, cell_len(column.title) + 1))


def _end(text: str, width: int) -> str:
    if cell_len(text) <= width:
        return left(text, width)
    while text and cell_len(text) > width - 1:
        text = text[1:]
    return left("…" + text, width) if width > 0 else ""
