"""The base of panels that show a list: a selected row, keys and mouse to move in it, typed text, copying."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast

from textual import events
from textual.binding import Binding

from pinnacle_tui.bound_keys import bindings_of, key_of
from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.entry import Entry
from pinnacle_tui.widgets.list_window import ListWindow
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.rows import Row, left, row_width
from pinnacle_tui.widgets.scene import Scene

ItemT = TypeVar("ItemT")
_WHEEL_ROWS = 3
_LEAST_TITLE = 16
"""Cells that remarks leave to the title, or are not shown."""
_FOOT_FROM = 3
"""Rows below the heading from which on the typed text has a row of its own."""


class Copier(Protocol):
    """What a panel needs of its app."""

    def copy(self, text: str, what: str) -> None:
        """Put `text` on the clipboard and say that it was `what`."""


def list_bindings(prefix: str, noun: str, typed: str, tooltip: str) -> list[Binding]:
    """The keys of every list. `noun` is one row's name, `typed` the verb of what is typed after `/`."""
    return [
        Binding("up", "move(-1)", "up", show=False, id=f"{prefix}.up", tooltip=f"The {noun} above"),
        Binding("down", "move(1)", "down", show=False, id=f"{prefix}.down", tooltip=f"The {noun} below"),
        Binding("pageup", "page(-1)", "page up", show=False, id=f"{prefix}.page_up", tooltip="A window up"),
        Binding(
            "pagedown", "page(1)", "page down", show=False, id=f"{prefix}.page_down", tooltip="A window down"
        ),
        Binding("home", "first", "first", show=False, id=f"{prefix}.first", tooltip="To the first row"),
        Binding("end", "last", "last", show=False, id=f"{prefix}.last", tooltip="To the last row"),
        Binding("/", "type", typed, id=f"{prefix}.type", tooltip=tooltip),
        Binding("enter", "keep_text", "keep", id=f"{prefix}.keep", tooltip="End typing and keep the text"),
        Binding("escape", "clear", "clear", id=f"{prefix}.clear", tooltip="No text, then no selection"),
        Binding(
            "y", "copy_row", "copy", id=f"{prefix}.copy", tooltip=f"Copy the selected {noun}, tab separated"
        ),
        Binding(
            "Y",
            "copy_all",
            "copy all",
            show=False,
            id=f"{prefix}.copy_all",
            tooltip="Copy all rows and a head",
        ),
    ]


class ListPanel(Panel, Generic[ItemT]):
    """A list drawn from a scene, one row an item. Only rows in the window are made.

    Subclasses give the items, their keys and rows; a list that is the same object as before is taken to
    be unchanged.
    """

    FOLLOWS_END: ClassVar[bool] = False
    """True where the newest item is the last one."""
    _MOVES: ClassVar[frozenset[str]] = frozenset({"move", "page", "first", "last"})

    def __init__(self, palette: Palette, *, id: str, number: int | None = None) -> None:
        """See `Panel`."""
        super().__init__(palette, id=id, number=number)
        self.entry = Entry()
        self.window = ListWindow(follows_end=self.FOLLOWS_END)
        self._items: Sequence[ItemT] = ()
        self._first_line = 0
        self._validity: tuple[Hashable, ...] = ()

    # -- for subclasses --------------------------------------------------------------------------

    def listed(self, scene: Scene) -> Sequence[ItemT]:
        """What the list shows, in order."""
        raise NotImplementedError

    def keys(self, scene: Scene, items: Sequence[ItemT]) -> Sequence[Hashable]:
        """A key for each of `items`; the same object while they are the same."""
        raise NotImplementedError

    def head(self, scene: Scene, width: int, items: Sequence[ItemT]) -> list[Row]:
        """As many rows as `head_height` tells, over the `items` that are seen."""
        return []

    def head_height(self, height: int) -> int:
        """Rows above the list, of `height` below the heading."""
        return 0

    def item_row(self, scene: Scene, item: ItemT, width: int, *, is_selected: bool) -> Row:
        """One item."""
        raise NotImplementedError

    def foot(self, scene: Scene, width: int, height: int) -> list[Row]:
        """Rows below the list: the typed text where there is any."""
        if not ListPanel.foot_height(self, width, height):
            return []
        shown: Row = (*self._typed(), (self.found(scene), "muted"), (self._ways_out(), "muted"))
        return [shown if row_width(shown) <= width else shown[:-1]]

    def _ways_out(self) -> str:
        if not self.entry.is_open:
            return ""
        keep, clear = (self._key_of(action) for action in ("keep_text", "clear"))
        return f"   {keep} keeps it, {clear} clears it"

    def _key_of(self, action: str) -> str:
        bound = next(bound for bound in bindings_of(self) if bound.action == action)
        return key_of(self, bound.id)

    def foot_height(self, width: int, height: int) -> int:
        """Rows that `foot` will give; the list must be fitted between before."""
        return int(self.has_text and height >= _FOOT_FROM)

    def found(self, scene: Scene) -> str:
        """What the typed text has led to."""
        return ""

    def empty(self, scene: Scene) -> str:
        """Why the list has no rows."""
        return ""

    def title(self, scene: Scene, room: int) -> Row:
        """The heading without its remarks, in at most `room` cells."""
        return ((left(self.TITLE, min(room, len(self.TITLE))), "title bold"),)

    def remarks(self, scene: Scene) -> Row:
        """The right of the heading."""
        return ((self.place(), "muted"),)

    def text_changed(self) -> None:
        """The typed text is another one."""

    def selected_by_user(self, item: ItemT) -> None:
        """A person has selected `item`, which is not what was selected before."""

    def opened(self, item: ItemT) -> None:
        """A person wants more of `item` (double click)."""

    def tsv(self, scene: Scene, items: Sequence[ItemT]) -> list[str]:
        """A line with exact values for each of `items`."""
        raise NotImplementedError

    def tsv_head(self, scene: Scene) -> str:
        """The names of the values."""
        raise NotImplementedError

    def what(self, count: int) -> str:
        """`3 fills`: how to call so many rows."""
        raise NotImplementedError

    # -- state -----------------------------------------------------------------------------------

    @property
    def has_text(self) -> bool:
        """True while text is typed or in force."""
        return self.entry.is_open or bool(self.entry.text)

    @property
    def selected_item(self) -> ItemT | None:
        """The selected row's item."""
        index = self.window.index
        return self._items[index] if index is not None else None

    @property
    def items(self) -> Sequence[ItemT]:
        """What the list holds since it was last drawn."""
        return self._items

    def place(self) -> str:
        """`12-30 of 214`; empty when everything is seen."""
        window = self.window
        if window.is_whole or not window.height:
            return ""
        return f"{window.top + 1:,}-{window.bottom:,} of {window.count:,}"

    def state(self) -> dict[str, Any]:
        """What is worth remembering, for `restore`."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what `state` gave in an earlier run; values that make no sense are passed over."""

    # -- drawing ---------------------------------------------------------------------------------

    def rows(self, scene: Scene, width: int, height: int) -> list[Row]:
        """See `Panel`."""
        items = self._items = self.listed(scene)
        keys, window = self.keys(scene, items), self.window
        # The list first: how high the foot is may depend on what is selected in it.
        window.fit(keys, window.height)
        head_height = self.head_height(height)
        window.fit(keys, max(0, height - head_height - self.foot_height(width, height)))
        foot = self.foot(scene, width, height)
        seen = items[window.top : window.bottom]
        rows = self.head(scene, width, seen)[:head_height]
        self._first_line = len(rows) + self.HAS_HEADING
        for index, item in enumerate(seen, window.top):
            rows.append(self.item_row(scene, item, width, is_selected=index == window.index))
        if not items and window.height:
            rows.append(((" ", "text"), (left(self.empty(scene), max(0, width - 1)), "muted")))
        rows += [()] * (height - len(rows) - len(foot))
        return rows + foot

    @property
    def _number(self) -> str:
        return f"{self.number} " if self.number is not None else ""

    def _typed(self) -> Row:
        return ((f"/{self.entry.text}", "text bold"), ("▏" if self.entry.is_open else " ", "accent"))

    def _heading(self, scene: Scene, width: int) -> Row:
        remarks: Row = tuple(span for span in self.remarks(scene) if span[0])
        if self.has_text and self.size.height - self.HAS_HEADING < _FOOT_FROM:
            remarks = (*self._typed(), *remarks)
        number = self._number[:width]
        room = width - len(number) - row_width(remarks) - 1
        if room < _LEAST_TITLE:
            remarks, room = (), max(0, width - len(number))
        title: Row = ((number, "title bold"), *self.title(scene, room))
        spare = max(0, width - row_width(title) - row_width(remarks))
        row = (*title, (" " * spare, "text"), *remarks)
        return tuple((text, focused(words)) for text, words in row) if self.has_focus else row

    def _draw(self) -> None:
        super()._draw()
        # The footer shows only what is valid now, and is asked again only when that has changed.
        validity = self.validity()
        if validity != self._validity:
            self._validity = validity
            self.refresh_bindings()

    def validity(self) -> tuple[Hashable, ...]:
        """Everything that decides which keys are valid."""
        return (self.entry.is_open, self.has_text, self.window.index is not None, bool(self._items))

    # -- keys ------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While text is typed only moving and ending it are valid."""
        if action == "keep_text":
            return self.entry.is_open
        if action == "clear":
            return self.has_text or self.window.index is not None
        if action in self._MOVES:
            return True
        if self.entry.is_open:
            return False
        if action == "copy_row":
            return self.window.index is not None
        if action == "copy_all":
            return bool(self._items)
        return True

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Letters that are text do nothing else, whoever else has bound them."""
        return self.entry.takes(key, character)

    def on_key(self, event: events.Key) -> None:
        """Take what is typed."""
        if self.entry.takes(event.key, event.character):
            event.stop()
            event.prevent_default()
            self.entry.press(event.key, event.character)
            self._text_changed()

    def on_paste(self, event: events.Paste) -> None:
        """Take what is pasted while typing."""
        if self.entry.is_open:
            event.stop()
            self.entry.insert(event.text)
            self._text_changed()

    def on_blur(self) -> None:
        """Typing ends; the text stays in force."""
        self.entry.is_open = False

    def action_move(self, by: int) -> None:
        """Select the row `by` rows further down."""
        self._by_user(lambda: self.window.move(by))

    def action_page(self, pages: int) -> None:
        """Move by windows."""
        self._by_user(lambda: self.window.page(pages))

    def action_first(self) -> None:
        """Select the first row."""
        if self._items:
            self._by_user(lambda: self.window.select(0))

    def action_last(self) -> None:
        """Select the last row."""
        if self._items:
            self._by_user(lambda: self.window.select(len(self._items) - 1))

    def action_type(self) -> None:
        """Text is typed from now on."""
        self.entry.is_open = True
        self.redraw()

    def action_keep_text(self) -> None:
        """Typing ends, the text stays."""
        self.entry.is_open = False
        self.redraw()

    def action_clear(self) -> None:
        """The text goes; where there is none, the selection does."""
        if self.has_text:
            self.entry.clear()
            self._text_changed()
        else:
            self.window.unselect()
            self.redraw()

    def action_copy_row(self) -> None:
        """The selected row to the clipboard."""
        item = self.selected_item
        if item is not None and self.scene is not None:
            lines = self.tsv(self.scene, [item])
            if lines:
                self.copy(lines[0], self.what(1))

    def action_copy_all(self) -> None:
        """All rows to the clipboard, those outside the window too."""
        if self._items and self.scene is not None:
            lines = self.tsv(self.scene, self._items)
            self.copy("\n".join([self.tsv_head(self.scene), *lines]), self.what(len(lines)))

    # -- mouse -----------------------------------------------------------------------------------

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The window moves; the selection stays."""
        event.stop()
        self.window.scroll(_WHEEL_ROWS)
        self.redraw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The window moves; the selection stays."""
        event.stop()
        self.window.scroll(-_WHEEL_ROWS)
        self.redraw()

    def on_click(self, event: events.Click) -> None:
        """Select a row; twice opens it. Above the rows are the heading and the head."""
        place = event.get_content_offset(self)
        if place is None:
            return
        index = self.window.top + place.y - self._first_line
        if place.y < self._first_line:
            self.clicked_above(place.x, place.y)
        elif index < self.window.bottom:
            self._by_user(lambda: self.window.select(index))
            item = self.selected_item
            if event.chain == 2 and item is not None:
                self.opened(item)

    def clicked_above(self, x: int, y: int) -> None:
        """A click on a line above the rows; 0 is the heading."""

    # -- inside ----------------------------------------------------------------------------------

    def _by_user(self, moving: Callable[[], None]) -> None:
        before = self.window.selected
        moving()
        item = self.selected_item
        self.redraw()
        if item is not None and self.window.selected != before:
            self.selected_by_user(item)

    def _text_changed(self) -> None:
        self.text_changed()
        self.redraw()

    def copy(self, text: str, what: str) -> None:
        """Put `text` on the clipboard and say that it was `what`."""
        cast(Copier, self.app).copy(text, what)


def focused(words: str) -> str:
    """Style words for the heading that has the focus: one colour, but attributes stay and danger shows."""
    colour, *attributes = words.split()
    if colour == "danger":
        return words
    return " ".join(["text", *attributes, "on focus"])
