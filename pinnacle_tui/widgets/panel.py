"""The base of everything that is drawn from a scene: rows in, terminal strips out, only changes redrawn.

Textual asks for lines when the compositor needs them; a panel answers from strips that it made when the
row last changed. One changed row costs one strip (terminal notes: `render_line`, `refresh(region)`).
"""

from __future__ import annotations

from typing import Any, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.rows import Row, left
from pinnacle_tui.widgets.scene import Scene


class Panel(Widget, can_focus=True):
    """A titled part of the screen. Subclasses give `TITLE` and `rows`; `show` draws a scene.

    `rows` is a function of scene, size and the panel's own choices (zoom, selection): no I/O, no clock.
    It may give fewer rows than `height`; more are cut.
    """

    TITLE: ClassVar[str] = ""
    HELP: ClassVar[str] = ""
    """What the panel shows and how to read it, for the help screen."""
    HAS_HEADING: ClassVar[bool] = True

    def __init__(self, palette: Palette, *, id: str, number: int | None = None) -> None:
        """`number` is the digit that leads here."""
        super().__init__(id=id)
        self.number = number
        self.scene: Scene | None = None
        """What is on the screen now."""
        self._palette = palette
        self._rows: list[Row] = []
        self._strips: list[Strip] = []
        self._drawn_width = 0
        self._drawn_stale = False

    # -- for subclasses --------------------------------------------------------------------------

    def rows(self, scene: Scene, width: int, height: int) -> list[Row]:
        """The lines below the heading."""
        raise NotImplementedError

    def remark(self, scene: Scene) -> str:
        """A few words at the right of the heading."""
        return ""

    def remark_style(self, scene: Scene) -> str:
        """How loud the remark is."""
        return "muted"

    def state(self) -> dict[str, Any]:
        """What is worth remembering for the next run."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Be as `state` says; what is no sensible value in it is ignored."""

    # -- for the screen --------------------------------------------------------------------------

    def show(self, scene: Scene) -> None:
        """Draw a scene; only rows that differ from what stands there cost anything."""
        self.scene = scene
        self._draw()

    def redraw(self) -> None:
        """Draw the same scene again: a choice of the panel has changed."""
        if self.scene is not None:
            self._draw()

    def use_palette(self, palette: Palette) -> None:
        """Another theme: every strip is made anew."""
        self._palette = palette
        self._rows, self._strips = [], []
        self.refresh()
        self.redraw()

    @property
    def shown_rows(self) -> list[Row]:
        """The rows that stand on the screen, heading included."""
        return list(self._rows)

    # -- drawing ---------------------------------------------------------------------------------

    def _draw(self) -> None:
        scene, (width, height) = self.scene, self.size
        if scene is None or not width or not height:
            return
        # The heading comes last: it may tell of what the rows have found (a place in a list).
        rows = list(self.rows(scene, width, height - self.HAS_HEADING))
        if self.HAS_HEADING:
            rows = [self._heading(scene, width), *rows]
        del rows[height:]
        rows += [()] * (height - len(rows))
        is_whole = width != self._drawn_width or scene.is_stale != self._drawn_stale
        self._drawn_width, self._drawn_stale = width, scene.is_stale
        if is_whole or len(rows) != len(self._rows):
            self._rows = rows
            self._strips = [self._strip(row, width, scene.is_stale) for row in rows]
            self.refresh()
            return
        before, strips, changed = self._rows, self._strips, []
        for y, row in enumerate(rows):
            if row != before[y]:
                strips[y] = self._strip(row, width, scene.is_stale)
                changed.append(Region(0, y, width, 1))
        self._rows = rows
        if changed:
            self.refresh(*changed)

    def _heading(self, scene: Scene, width: int) -> Row:
        number = f"{self.number} " if self.number is not None else ""
        remark, style = self.remark(scene), self.remark_style(scene)
        room = max(0, width - cell_len(remark) - 1)
        title = left(f"{number}{self.TITLE}", room) + " "
        if self.has_focus:
            return ((title, "text bold on focus"), (remark, "text on focus" if style == "muted" else style))
        return ((title, "title bold"), (remark, style))

    def _strip(self, row: Row, width: int, is_stale: bool) -> Strip:
        style = self._palette.style
        if is_stale:
            segments = [Segment(text, style("stale")) for text, _ in row if text]
        else:
            segments = [Segment(text, style(words)) for text, words in row if text]
        return Strip(segments).adjust_cell_length(width, style("text"))

    def render_line(self, y: int) -> Strip:
        """See `Widget`."""
        if y < len(self._strips):
            return self._strips[y]
        return Strip.blank(self.size.width, self._palette.style("text"))

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.redraw()

    def on_focus(self) -> None:
        """The heading shows where the keys go."""
        self.redraw()

    def on_blur(self) -> None:
        """The heading shows where the keys go."""
        self.redraw()
