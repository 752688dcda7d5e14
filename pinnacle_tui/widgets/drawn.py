"""Widgets that are drawn from rows of text: terminal strips are made once, only what changed is redrawn.

Textual asks for lines when the compositor needs them; the answer is a strip that was made when its row
last changed. One changed row costs one strip.
"""

from __future__ import annotations

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from engine.core.foreign_text import visible
from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.rows import Row


class Drawn(Widget):
    """Holds the rows that stand on the screen. Whoever has new ones hands them to `put`."""

    def __init__(self, palette: Palette, *, id: str) -> None:
        super().__init__(id=id)
        self._palette = palette
        self._rows: list[Row] = []
        self._strips: list[Strip] = []
        self._drawn_as: tuple[int, bool] | None = None
        """Width, and whether it was greyed."""

    def put(self, rows: list[Row], *, is_grey: bool = False) -> None:
        """Show these rows; only those that differ from what stands there cost anything.

        `is_grey` draws them as what is not the present any more.
        """
        width, height = self.size
        if not width or not height:
            return
        rows = rows[:height] + [()] * (height - len(rows))
        if self._drawn_as != (width, is_grey) or len(rows) != len(self._rows):
            self._drawn_as = (width, is_grey)
            self._strips = [self._strip(row, width, is_grey) for row in rows]
            self._rows = rows
            self.refresh()
            return
        before, strips, changed = self._rows, self._strips, []
        for y, row in enumerate(rows):
            if row != before[y]:
                strips[y] = self._strip(row, width, is_grey)
                changed.append(Region(0, y, width, 1))
        self._rows = rows
        if changed:
            self.refresh(*changed)

    def redraw(self) -> None:
        """Draw again what there is to show: size, theme or focus has changed."""

    def use_palette(self, palette: Palette) -> None:
        """Another theme: every strip is made anew."""
        self._palette = palette
        self._drawn_as = None
        self.refresh()
        self.redraw()

    @property
    def shown_rows(self) -> list[Row]:
        """The rows that stand on the screen."""
        return list(self._rows)

    def _strip(self, row: Row, width: int, is_grey: bool) -> Strip:
        style = self._palette.style
        segments = [
            # Texts of venues and people are data: nothing in them may steer the terminal.
            Segment(visible(text), style("stale" if is_grey else words))
            for text, words in row
            if text
        ]
        return Strip(segments).adjust_cell_length(width, style("text"))

    def render_line(self, y: int) -> Strip:
        """See `Widget`."""
        if y < len(self._strips):
            return self._strips[y]
        return Strip.blank(self.size.width, self._palette.style("text"))

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.redraw()
