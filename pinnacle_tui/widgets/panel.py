"""The base of everything that is drawn from a scene."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.cells import cell_len

from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.drawn import Drawn
from pinnacle_tui.widgets.rows import Row, left
from pinnacle_tui.widgets.scene import Scene


class Panel(Drawn, can_focus=True):
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
        super().__init__(palette, id=id)
        self.number = number
        self.scene: Scene | None = None
        """What is on the screen now."""

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
        """Draw a scene."""
        self.scene = scene
        self._draw()

    def redraw(self) -> None:
        """Draw the same scene again: a choice of the panel has changed. Before any, the heading alone."""
        self._draw()

    # -- drawing ---------------------------------------------------------------------------------

    def _draw(self) -> None:
        scene, (width, height) = self.scene, self.size
        if not width or not height:
            return
        if scene is None:
            self.put([self._titled("", "muted", width)] if self.HAS_HEADING else [])
            return
        # The heading comes last: it may tell of what the rows have found (a place in a list).
        rows = list(self.rows(scene, width, height - self.HAS_HEADING))
        if self.HAS_HEADING:
            rows = [self._heading(scene, width), *rows]
        self.put(rows, is_grey=scene.is_stale)

    def _heading(self, scene: Scene, width: int) -> Row:
        return self._titled(self.remark(scene), self.remark_style(scene), width)

    def _titled(self, remark: str, style: str, width: int) -> Row:
        number = f"{self.number} " if self.number is not None else ""
        name = f"{number}{self.TITLE}"
        if style == "muted" and cell_len(f"{name} {remark}") > width:
            remark = ""  # what says nothing new gives way to the name
        room = max(0, width - cell_len(remark) - 1)
        title = left(name, room) + " "
        if self.has_focus:
            return ((title, "text bold on focus"), (remark, "text on focus" if style == "muted" else style))
        return ((title, "title bold"), (remark, style))

    def watch_has_focus(self, has_focus: bool) -> None:
        """The heading shows where the keys go."""
        super().watch_has_focus(has_focus)
        self.redraw()
