"""The blotter: our working orders, our fills and our ended orders, three lists in one panel."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence
from typing import Any, ClassVar, Final, Generic, TypeVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.message import Message

from engine.core.foreign_text import visible
from engine.link.events import Filled, OrderEnded
from engine.link.mirror import KEPT
from engine.link.view import WorkingOrder
from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.blotter_columns import ENDED, UNCERTAIN, UNITS, Unit, fills, working_orders
from pinnacle_tui.widgets.rows import Row, left, row_width
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.table import Table, TablePanel, remembered_sorts, table_bindings
from pinnacle_tui.widgets.words import because

EventT = TypeVar("EventT", Filled, OrderEnded)
Listed = WorkingOrder | Filled | OrderEnded
_ORDERS_BY_UNIT: Final[dict[Unit, Table[Any]]] = {unit: working_orders(unit) for unit in UNITS}
_TABS: Final = ("orders", "fills", "ended")
_TAB_WORDS: Final = {"orders": "working", "fills": "fills", "ended": "ended"}


class BlotterPanel(TablePanel[Listed]):
    """Three tabs; each keeps its own order. What is uncertain is said in the heading, whatever the tab."""

    TITLE = "ORDERS"
    HELP = (
        "Our orders of this product in three lists: working, fills, ended.\n"
        "ahead is what stands before the order in its queue; to mid is its distance to the middle of the\n"
        "touch, below zero where the market has gone through it, in basis points or ticks.\n"
        "An UNCERTAIN order was not answered: only the venue knows whether it is open, and it may trade.\n"
        "Copies hold exact, unrounded numbers."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *table_bindings("blotter", "order"),
        Binding(
            "]", "tab(1)", "next list", id="blotter.tab_next", tooltip="Working orders, fills, ended orders"
        ),
        Binding("right", "tab(1)", "next list", show=False, id="blotter.tab_right", tooltip="The next list"),
        Binding(
            "[", "tab(-1)", "list before", show=False, id="blotter.tab_previous", tooltip="The list before"
        ),
        Binding(
            "left", "tab(-1)", "list before", show=False, id="blotter.tab_left", tooltip="The list before"
        ),
        Binding(
            "enter",
            "explain",
            "explain",
            id="blotter.explain",
            tooltip="Why the selected order stands where it does",
        ),
        Binding(
            "b", "unit", "unit", show=False, id="blotter.unit", tooltip="Distances in basis points or ticks"
        ),
        Binding(
            "i", "copy_id", "copy id", show=False, id="blotter.copy_id", tooltip="Copy the order's id alone"
        ),
    ]

    class ExplainRequested(Message):
        """A person asks why the order in `slot` stands where it does."""

        def __init__(self, slot: str) -> None:
            super().__init__()
            self.slot = slot

    class OrderSelected(Message):
        """A person has selected a row that belongs to this order, or None any more."""

        def __init__(self, client_id: str | None) -> None:
            super().__init__()
            self.client_id = client_id

    def __init__(self, palette: Palette, *, id: str, number: int | None = None) -> None:
        """See `Panel`."""
        super().__init__(palette, id=id, number=number)
        self._tab = "orders"
        self._unit: Unit = "bp"
        self._fills: _NewestFirst[Filled] = _NewestFirst()
        self._ended: _NewestFirst[OrderEnded] = _NewestFirst()
        self._fill_places = 0
        """Decimals of the sizes in the list of fills."""
        self._selected_slot = ""
        self._tab_ends: list[tuple[int, str]] = []

    # -- what is shown ---------------------------------------------------------------------------

    @property
    def tab(self) -> str:
        """The list that is shown: orders, fills or ended."""
        return self._tab

    @property
    def table(self) -> Table[Any]:
        """See `TablePanel`."""
        if self._tab == "orders":
            return _ORDERS_BY_UNIT[self._unit]
        return fills(self._fill_places) if self._tab == "fills" else ENDED

    def source(self, scene: Scene) -> Sequence[Listed]:
        """See `TablePanel`."""
        if self._tab == "orders":
            return scene.book.orders
        if self._tab == "fills":
            return self._fills.of(scene, scene.mirror.fills)
        return self._ended.of(scene, scene.mirror.ended_orders)

    def keys(self, scene: Scene, items: Sequence[Listed]) -> Sequence[Hashable]:
        """See `ListPanel`. A replaced order's selection goes on to the order that has its slot now."""
        keys = super().keys(scene, items)
        window = self.window
        if self._tab == "orders" and window.selected is not None and window.selected not in keys:
            for order in items:
                if isinstance(order, WorkingOrder) and order.slot == self._selected_slot:
                    window.selected = order.client_id
        return keys

    def head(self, scene: Scene, width: int, items: Sequence[Listed]) -> list[Row]:
        """See `ListPanel`. Fills have the decimals that tell those apart which are seen."""
        if self._tab == "fills":
            needed = [scene.numbers.places(fill.size) for fill in items]
            self._fill_places = max([scene.numbers.size_places, *needed])
        return super().head(scene, width, items)

    def empty(self, scene: Scene) -> str:
        """See `ListPanel`. Without orders there is a reason why."""
        text = super().empty(scene)
        is_explained = self._tab == "orders" and not self.entry.text and scene.book.note
        return because(text, visible(scene.book.note)) if is_explained else text

    def title(self, scene: Scene, room: int) -> Row:
        """`ORDERS 6 working · 31 fills · 214 ended`; where it is narrow the list that is shown alone."""
        counts = {
            "orders": f"{len(scene.book.orders):,}",
            "fills": _counted(self._fills.of(scene, scene.mirror.fills), scene.mirror.fills),
            "ended": _counted(self._ended.of(scene, scene.mirror.ended_orders), scene.mirror.ended_orders),
        }
        words = _TAB_WORDS | ({"orders": "last known working"} if scene.is_stale else {})
        uncertain = sum(order.state == UNCERTAIN for order in scene.book.orders)
        loud: Row = (("  ", "text"), (f"{uncertain} UNCERTAIN", "danger bold")) if uncertain else ()
        spans: list[tuple[str, str]] = [(f"{self.TITLE} ", "title bold")]
        ends, x = [], cell_len(self._number) + cell_len(spans[0][0])
        for name in _TABS:
            text = f"{counts[name]} {words[name]}"
            spans.append((text, "text bold underline" if name == self._tab else "muted"))
            x += cell_len(text)
            ends.append((x, name))
            if name != _TABS[-1]:
                spans.append((" · ", "muted"))
                x += 3
        whole: Row = (*spans, *loud)
        if row_width(whole) <= room:
            self._tab_ends = ends
            return whole
        self._tab_ends = []
        short = f"{self.TITLE} {counts[self._tab]} {words[self._tab]}"
        left_over = room - row_width(loud)
        if left_over < len(self.TITLE):
            # What may trade without our knowing comes before everything else.
            text, style = loud[-1] if loud else (short, "title bold")
            return ((left(text, room), style),)
        return ((left(short, min(left_over, cell_len(short))), "title bold"), *loud)

    # -- keys and mouse --------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """See `ListPanel`; only what works in a slot of the strategy has an explanation."""
        if action == "explain":
            return not self.entry.is_open and self._is_explained
        if action == "copy_id":
            return not self.entry.is_open and self.window.index is not None
        if action == "unit" and self._tab != "orders":
            return False
        return super().check_action(action, parameters)

    def validity(self) -> tuple[Hashable, ...]:
        """See `ListPanel`."""
        return (*super().validity(), self._tab, self._is_explained)

    @property
    def _is_explained(self) -> bool:
        item, quotes = self.selected_item, self.scene.book.quotes if self.scene is not None else ()
        return isinstance(item, WorkingOrder) and any(quote.slot == item.slot for quote in quotes)

    def select(self, order: WorkingOrder) -> None:
        """Select a working order, where its list is shown and has it."""
        if self._tab != "orders" or order.client_id == self.window.selected:
            return
        for index, item in enumerate(self.items):
            if item.client_id == order.client_id:
                self.window.select(index)
                self._selected_slot = order.slot
        self.redraw()

    def action_clear(self) -> None:
        """See `ListPanel`."""
        before = self.window.index
        super().action_clear()
        if before is not None and self.window.index is None:
            self.post_message(self.OrderSelected(None))

    def action_copy_id(self) -> None:
        """The id of the selected row's order to the clipboard."""
        item = self.selected_item
        if item is not None:
            self.copy(item.client_id, f"the id {item.client_id}")

    def action_tab(self, by: int) -> None:
        """Show another list."""
        self.show_tab(_TABS[(_TABS.index(self._tab) + by) % len(_TABS)])

    def show_tab(self, name: str) -> None:
        """Show a list by name: orders, fills or ended. The filter stays, the selection does not."""
        if name != self._tab:
            self._tab = name
            self.window.to_news()
            self.redraw()

    def action_explain(self) -> None:
        """Ask why the selected order stands where it does."""
        item = self.selected_item
        if item is not None:
            self.opened(item)

    def action_unit(self) -> None:
        """The other unit of distances."""
        self._unit = UNITS[(UNITS.index(self._unit) + 1) % len(UNITS)]
        self.redraw()

    def clicked_above(self, x: int, y: int) -> None:
        """See `ListPanel`; a click on a count shows its list."""
        super().clicked_above(x, y)
        if y == 0:
            name = next((name for end, name in self._tab_ends if x < end), None)
            if name is not None and x >= len(self.TITLE):
                self.show_tab(name)

    def selected_by_user(self, item: Listed) -> None:
        """See `ListPanel`."""
        self._selected_slot = item.slot if isinstance(item, WorkingOrder) else ""
        self.post_message(self.OrderSelected(item.client_id))

    def opened(self, item: Listed) -> None:
        """See `ListPanel`."""
        if isinstance(item, WorkingOrder) and self._is_explained:
            self.post_message(self.ExplainRequested(item.slot))

    # -- remembering -----------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """See `ListPanel`."""
        return super().state() | {"tab": self._tab, "unit": self._unit}

    def restore(self, state: dict[str, Any]) -> None:
        """See `ListPanel`."""
        self._sorts = remembered_sorts(state.get("sort"), (_ORDERS_BY_UNIT["bp"], fills(0), ENDED))
        if state.get("tab") in _TABS:
            self._tab = str(state["tab"])
        for unit in UNITS:
            if state.get("unit") == unit:
                self._unit = unit
        self.redraw()


class _NewestFirst(Generic[EventT]):
    """A product's events from the newest to the oldest: the same list until there are others."""

    def __init__(self) -> None:
        self._of: tuple[Hashable, ...] = ()
        self._list: list[EventT] = []

    def of(self, scene: Scene, events: deque[EventT]) -> list[EventT]:
        """Those of the scene's product among `events`."""
        hello = scene.mirror.hello
        newest = events[-1].eseq if events else 0
        of = (hello.engine_id if hello else "", scene.product.symbol, newest, len(events))
        if of != self._of:
            self._of = of
            self._list = [event for event in reversed(events) if event.product == scene.product.symbol]
        return self._list


def _counted(events: Sequence[object], kept: deque[Any]) -> str:
    """A count; with a plus where older ones may have been let go."""
    return f"{len(events):,}{'+' if len(kept) >= KEPT else ''}"
