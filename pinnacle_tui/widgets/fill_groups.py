"""All groups of fills as a table: what each of them earned, and from what."""

from __future__ import annotations

from typing import ClassVar, Final

from rich.cells import cell_len

from pinnacle_tui.numbers import NOTHING
from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.analytics_choice import Choice, Split
from pinnacle_tui.widgets.attribution import NO_FILL, NOT_TOLD
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.rows import Row, left, right
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.words import profit_style

_COLUMNS: Final = ("fills", "captured", "adverse", "holding", "fees", "profit")
_GIVES_WAY: Final = ("fees", "holding", "captured", "fills", "adverse")
"""What goes first where there is no room; the profit always stays."""


class GroupsPanel(Panel):
    """Every group of fills with what it earned."""

    TITLE: ClassVar[str] = "FILLS"
    HELP: ClassVar[str] = (
        "Fills by side, level, age of the quote or hour, and what each group came to; the groups of one\n"
        "kind add up to the first line. Fills of no quote (hedges, closing orders) and fills that took are\n"
        "`other`. An hour has the adverse selection of the fills whose horizon came within it."
    )

    def __init__(self, palette: Palette, choice: Choice, *, id: str) -> None:
        super().__init__(palette, id=id)
        self._choice = choice

    def remark(self, scene: Scene) -> str:
        """What fills are told apart by."""
        return f"by {self._choice.kind}"

    def rows(self, scene: Scene, width: int, height: int) -> list[Row]:
        """A line for each."""
        return group_rows(scene, self._choice, width, height)


def group_rows(scene: Scene, choice: Choice, width: int, height: int) -> list[Row]:
    """The groups as a table of the columns that fit, around the chosen line."""
    analytics = scene.book.analytics
    splits = [] if analytics is None else choice.splits(analytics)
    if not splits or not splits[0].fills:
        return [((left(NOT_TOLD if analytics is None else NO_FILL, width), "muted"),)]
    cells = {name: [_cell(scene, split, name) for split in splits] for name in _COLUMNS}
    widths = {name: max(cell_len(name), *map(cell_len, texts)) for name, texts in cells.items()}
    names = max(cell_len(choice.kind), *(cell_len(split.name) for split in splits))
    columns = list(_COLUMNS)
    for name in _GIVES_WAY:
        if names + sum(2 + widths[each] for each in columns) > width:
            columns.remove(name)
    names = max(0, min(names, width - sum(2 + widths[each] for each in columns)))
    heading = left(choice.kind, names) + "".join(f"  {right(name, widths[name])}" for name in columns)
    made: list[Row] = [((left(heading, width), "muted"),)]
    at = next((n for n, split in enumerate(splits) if split.name == choice.name), 0)
    room = max(1, height - 1)
    first = max(0, min(at - room // 2, len(splits) - room))
    made.extend(
        _line(splits[n], names, [(name, cells[name][n], widths[name]) for name in columns], n == at)
        for n in range(first, min(len(splits), first + room))
    )
    return made[:height]


def _line(split: Split, names: int, columns: list[tuple[str, str, int]], is_chosen: bool) -> Row:
    ground = " on selected" if is_chosen else ""
    row: Row = ((left(split.name, names), f"text bold{ground}" if is_chosen else "text"),)
    for name, text, width in columns:
        style = "text" if name in ("fills", "fees") else profit_style(getattr(split, name))
        style = "muted" if text == NOTHING else style
        style = f"{style} bold" if name == "profit" else style
        row = (*row, (f"  {right(text, width)}", style + ground))
    return row


def _cell(scene: Scene, split: Split, column: str) -> str:
    if column == "fills":
        return f"{split.fills:,}"
    if column == "adverse" and not split.is_followed:
        return NOTHING
    value: int = getattr(split, column)
    return scene.numbers.amount(value) if column == "fees" else scene.numbers.money(value)
