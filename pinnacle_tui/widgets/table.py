"""A table that moves ten times a second: sorted, filtered, and drawn only where it is seen.

What does not change is not computed again: the sorted rows are kept until the items, the order or the
filter are others, and the texts that a filter looks into until the items change.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rich.cells import cell_len
from textual.binding import Binding

from engine.core.foreign_text import visible
from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.list_panel import ListPanel, list_bindings
from pinnacle_tui.widgets.rows import Row, left
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.table_layout import Column, Layout, lay_out

ItemT = TypeVar("ItemT")
_HEAD_FROM = 2
"""Rows below the heading from which on there are titles over the columns."""
_MARGIN = 1
"""Cells before the first column: the mark of the selected row."""
_UP, _DOWN = "▲", "▼"


@dataclass(frozen=True, slots=True)
class Table(Generic[ItemT]):
    """What a table shows: its columns, and how it is ordered unless somebody wants it otherwise."""

    name: str
    noun: str
    """One row: `fill`."""
    columns: tuple[Column[ItemT], ...]
    sort: str
    """Name of a column."""
    is_falling: bool
    key: Callable[[ItemT], Hashable]
    empty: str
    """What to say where there are no rows."""

    def column(self, name: str) -> Column[ItemT]:
        """The column of that name. Raises `KeyError`."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


def table_bindings(prefix: str, noun: str) -> list[Binding]:
    """The keys of every table."""
    return [
        *list_bindings(prefix, noun, "filter", "Show rows that have these words, in any column"),
        Binding(
            "<",
            "sort_by(-1)",
            "sort",
            show=False,
            id=f"{prefix}.sort_previous",
            tooltip="Sort by the column before",
        ),
        Binding(
            ">",
            "sort_by(1)",
            "sort",
            id=f"{prefix}.sort_next",
            tooltip="Sort by the next column",
        ),
        Binding("!", "turn", "turn", show=False, id=f"{prefix}.sort_turn", tooltip="Turn the order round"),
    ]


class TablePanel(ListPanel[ItemT]):
    """A list with columns. Subclasses give the table and its items."""

    def __init__(self, palette: Palette, *, id: str, number: int | None = None) -> None:
        """See `Panel`."""
        super().__init__(palette, id=id, number=number)
        self._sorts: dict[str, tuple[str, bool]] = {}
        self._source: Sequence[ItemT] | None = None
        self._view_key: tuple[Hashable, ...] = ()
        self._listed: Sequence[ItemT] = ()
        self._keys: list[Hashable] = []
        self._texts: dict[Hashable, tuple[ItemT, str]] = {}
        self._widths: dict[str, int] = {}
        self._widths_of: tuple[str, str] = ("", "")
        self._layout: Layout[ItemT] = Layout((), 1)

    # -- for subclasses --------------------------------------------------------------------------

    @property
    def table(self) -> Table[ItemT]:
        """What is shown now."""
        raise NotImplementedError

    def source(self, scene: Scene) -> Sequence[ItemT]:
        """All items in their natural order; the same object as long as they are the same."""
        raise NotImplementedError

    def divider(self, item: ItemT) -> str:
        """Text over the whole width where `item` is no row but a remark between rows; else empty.

        Dividers make sense in the natural order only: a filter and another order leave them out.
        """
        return ""

    def row_words(self, item: ItemT, words: str) -> str:
        """The style of a cell of `item`, which by its column is `words`."""
        return words

    # -- order and filter ------------------------------------------------------------------------

    @property
    def sort(self) -> tuple[str, bool]:
        """Name of the column that the rows are sorted by, and whether the greatest comes first."""
        return self._sorts.get(self.table.name, (self.table.sort, self.table.is_falling))

    def sort_by(self, name: str, *, is_falling: bool) -> None:
        """Another order; without a selection the table starts at its first row again."""
        self.table.column(name)
        self._sorts[self.table.name] = (name, is_falling)
        if self.window.index is None:
            self.window.to_news()
        self.redraw()

    def listed(self, scene: Scene) -> Sequence[ItemT]:
        """See `ListPanel`."""
        source, table = self.source(scene), self.table
        view_key = (table.name, scene.product.symbol, self.sort, self.entry.text)
        if source is not self._source or view_key != self._view_key:
            if view_key[:2] != self._view_key[:2]:
                self._texts.clear()
            self._source, self._view_key = source, view_key
            self._listed = self._sorted(self._filtered(source, scene), scene)
            self._keys = [table.key(item) for item in self._listed]
        return self._listed

    def keys(self, scene: Scene, items: Sequence[ItemT]) -> Sequence[Hashable]:
        """See `ListPanel`."""
        return self._keys

    def _filtered(self, items: Sequence[ItemT], scene: Scene) -> Sequence[ItemT]:
        needles = self.entry.text.casefold().split()
        if not needles:
            return items
        known, key = self._texts, self.table.key
        if len(known) > 2 * len(items):
            self._texts = {key(item): known[key(item)] for item in items if key(item) in known}
        live = [column for column in self.table.columns if column.is_live]
        return [item for item in items if not self.divider(item) and self._has(item, needles, live, scene)]

    def _has(self, item: ItemT, needles: list[str], live: Sequence[Column[ItemT]], scene: Scene) -> bool:
        """True when every one of `needles` is in a column, as it is shown or as it is copied."""
        known = self._texts.get(self.table.key(item))
        if known is None or known[0] != item:
            columns = [column for column in self.table.columns if not column.is_live]
            texts = [column.text(item, scene) for column in columns]
            texts += [column.exact(item, scene) for column in columns if column.exact is not None]
            known = self._texts[self.table.key(item)] = (item, "\n".join(texts).casefold())
        missing = [needle for needle in needles if needle not in known[1]]
        if not missing or not live:
            return not missing
        text = "\n".join(column.text(item, scene) for column in live).casefold()
        return all(needle in text for needle in missing)

    def _sorted(self, items: Sequence[ItemT], scene: Scene) -> Sequence[ItemT]:
        name, is_falling = self.sort
        order = self.table.column(name).order
        if (name, is_falling) != (self.table.sort, self.table.is_falling):
            items = [item for item in items if not self.divider(item)]
        known, unknown = [], []
        for place, item in enumerate(items):
            value = order(item, scene)
            if value is None:
                unknown.append(item)
            else:
                known.append((value, place))
        # Equal values stay in natural order, in both directions.
        known.sort(key=_value, reverse=is_falling)
        return [*(items[place] for _, place in known), *unknown]

    # -- drawing ---------------------------------------------------------------------------------

    def head_height(self, height: int) -> int:
        """See `ListPanel`."""
        return int(height >= _HEAD_FROM)

    def head(self, scene: Scene, width: int, items: Sequence[ItemT]) -> list[Row]:
        """The titles; the column that sorts bears the mark of the direction."""
        self._lay_out(scene, width, items)
        name, is_falling = self.sort
        mark, gap = (_DOWN if is_falling else _UP), " " * self._layout.gap
        spans = [(" " * _MARGIN, "muted")]
        for number, (column, cells) in enumerate(self._layout.columns):
            is_sorted = column.name == name
            text = column.heading(mark if is_sorted else "", cells)
            spans.append(((gap if number else "") + text, "accent" if is_sorted else "muted"))
        return [tuple(spans)]

    def item_row(self, scene: Scene, item: ItemT, width: int, *, is_selected: bool) -> Row:
        """See `ListPanel`."""
        mark = "▸" if is_selected else " "
        text = self.divider(item)
        if text:
            spans = [(mark, "accent"), (left(text, max(0, width - _MARGIN)), "muted italic")]
        else:
            spans, gap = [(mark, "accent")], " " * self._layout.gap
            for number, (column, cells) in enumerate(self._layout.columns):
                shown = column.cell(column.text(item, scene), cells)
                words = self.row_words(item, column.words(item, scene))
                spans.append(((gap if number else "") + shown, words))
        if is_selected and self.has_focus:
            spans.append((" " * max(0, width - sum(cell_len(text) for text, _ in spans)), "text"))
            return tuple((text, "text bold on selected") for text, _ in spans)
        return tuple(spans)

    def found(self, scene: Scene) -> str:
        """See `ListPanel`."""
        return f" {len(self._items):,} of {len(self.source(scene)):,}"

    def empty(self, scene: Scene) -> str:
        """See `ListPanel`."""
        return f"nothing has {self.entry.text} in any column" if self.entry.text else self.table.empty

    def remarks(self, scene: Scene) -> Row:
        """The place in the list, and the order where its column is not shown."""
        name, is_falling = self.sort
        parts = [self.place()]
        if self._layout.columns and all(column.name != name for column, _ in self._layout.columns):
            parts.insert(0, f"by {self.table.column(name).title} {_DOWN if is_falling else _UP}")
        return (("  ".join(part for part in parts if part), "muted"),)

    def _lay_out(self, scene: Scene, width: int, items: Sequence[ItemT]) -> None:
        table = self.table
        widths_of = (table.name, scene.product.symbol)
        if widths_of != self._widths_of:
            self._widths, self._widths_of = {}, widths_of
        widths, rows = self._widths, [item for item in items if not self.divider(item)]
        for column in table.columns:
            # Once wide, wide: columns must not dance with their numbers.
            wish = max(widths.get(column.name, 0), cell_len(column.title) + 1)
            for item in rows:
                wish = max(wish, cell_len(column.text(item, scene)))
            widths[column.name] = wish
        wishes = [widths[column.name] for column in table.columns]
        self._layout = lay_out(table.columns, wishes, max(0, width - _MARGIN))

    # -- keys and mouse --------------------------------------------------------------------------

    def action_sort_by(self, by: int) -> None:
        """Sort by another one of the columns that are shown."""
        names = [column.name for column, _ in self._layout.columns]
        if not names:
            return
        name = self.sort[0]
        place = (names.index(name) + by) % len(names) if name in names else 0
        self._sort_by_column(self.table.column(names[place]))

    def action_turn(self) -> None:
        """Turn the order round."""
        name, is_falling = self.sort
        self.sort_by(name, is_falling=not is_falling)

    def clicked_above(self, x: int, y: int) -> None:
        """A click on a title sorts by its column; on that of the sorted one it turns the order."""
        if y != self._first_line - 1 or self._first_line == int(self.HAS_HEADING):
            return
        column = self._layout.column_at(x - _MARGIN)
        if column is not None:
            if column.name == self.sort[0]:
                self.action_turn()
            else:
                self._sort_by_column(column)

    def _sort_by_column(self, column: Column[ItemT]) -> None:
        table = self.table
        is_falling = table.is_falling if column.name == table.sort else column.is_number
        self.sort_by(column.name, is_falling=is_falling)

    # -- copying and remembering -----------------------------------------------------------------

    def tsv(self, scene: Scene, items: Sequence[ItemT]) -> list[str]:
        """See `ListPanel`."""
        columns = self.table.columns
        return [
            "\t".join(visible((column.exact or column.text)(item, scene)) for column in columns)
            for item in items
            if not self.divider(item)
        ]

    def tsv_head(self, scene: Scene) -> str:
        """See `ListPanel`."""
        return "\t".join(column.name for column in self.table.columns)

    def what(self, count: int) -> str:
        """See `ListPanel`."""
        return f"{count:,} {self.table.noun}{'' if count == 1 else 's'}"

    def state(self) -> dict[str, Any]:
        """See `ListPanel`."""
        return {"sort": {name: list(sort) for name, sort in self._sorts.items()}}


def _value(pair: tuple[Any, int]) -> Any:
    return pair[0]


def remembered_sorts(state: object, tables: Sequence[Table[Any]]) -> dict[str, tuple[str, bool]]:
    """The orders that make sense for `tables`, of what `TablePanel.state` gave once."""
    sorts: dict[str, tuple[str, bool]] = {}
    if not isinstance(state, dict):
        return sorts
    for table in tables:
        match state.get(table.name):
            case [str(name), bool(is_falling)] if any(column.name == name for column in table.columns):
                sorts[table.name] = (name, is_falling)
    return sorts
