"""The products as tabs under the status line: which one is shown, how each does, one click away."""

from __future__ import annotations

from itertools import accumulate
from typing import Final

from rich.cells import cell_len
from textual import events
from textual.message import Message

from engine.core.foreign_text import visible
from engine.link.view import ProductView
from pinnacle_tui.numbers import Numbers
from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.drawn import Drawn
from pinnacle_tui.widgets.rows import Row, Span, row_width
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.words import profit_style, state_style

_MORE_BEFORE: Final = "‹ "
_MORE_BEHIND: Final = " ›"
Tab = tuple[Span, ...]


class ProductTabs(Drawn, can_focus=False):
    """One row: of each product its name, its state in words unless all is well, and its profit."""

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, symbol: str) -> None:
            super().__init__()
            self.symbol = symbol

    def __init__(self, palette: Palette, *, id: str) -> None:
        super().__init__(palette, id=id)
        self._scene: Scene | None = None
        self._ends: list[tuple[int, str]] = []
        """Where each tab that is shown ends, and its product."""

    def show(self, scene: Scene) -> None:
        """Draw the products of a scene."""
        self._scene = scene
        self.redraw()

    def redraw(self) -> None:
        """See `Drawn`."""
        if self._scene is not None and self.size:
            self.put([self.row(self._scene, self.size.width)], is_grey=self._scene.is_stale)

    def row(self, scene: Scene, width: int) -> Row:
        """All tabs, or as many as fit around that of the product that is shown."""
        books = scene.view.products
        tabs = [_tab(scene, book, has_profit=True) for book in books]
        if sum(map(row_width, tabs)) > width:
            tabs = [_tab(scene, book, has_profit=False) for book in books]
        first, last = _window(list(map(row_width, tabs)), _place(scene), width)
        before, behind = _MORE_BEFORE * (first > 0), _MORE_BEHIND * (last < len(tabs))
        ends = list(accumulate((row_width(tab) for tab in tabs[first:last]), initial=cell_len(before)))
        self._ends = [(end, book.symbol) for end, book in zip(ends[1:], books[first:last], strict=True)]
        return ((before, "muted"), *(span for tab in tabs[first:last] for span in tab), (behind, "muted"))

    def on_click(self, event: events.Click) -> None:
        """Show the product whose tab was clicked."""
        symbol = next((symbol for end, symbol in self._ends if event.x < end), None)
        if symbol is not None:
            self.post_message(self.Chosen(symbol))


def _place(scene: Scene) -> int:
    return next(n for n, book in enumerate(scene.view.products) if book.symbol == scene.book.symbol)


def _tab(scene: Scene, book: ProductView, *, has_profit: bool) -> Tab:
    """One product; the one that is shown stands out by more than its colour."""
    is_shown = book.symbol == scene.book.symbol
    name = f"[{visible(book.symbol)}] " if is_shown else f" {visible(book.symbol)}  "
    spans: list[Span] = [(name, "accent bold" if is_shown else "text")]
    if book.state != "ACTIVE":
        spans.append((f"{book.state} ", state_style(book.state)))
    elif book.connection != "live":
        spans.append((f"{book.connection} ", "warning bold"))
    elif book.note and not book.orders:
        spans.append(("not quoting ", "warning"))
    product = scene.mirror.product(book.symbol)
    if has_profit and product is not None:
        profit = book.pnl.total
        spans.append((f"{Numbers(product).money(profit).strip()}  ", profit_style(profit)))
    return tuple(spans)


def _window(widths: list[int], place: int, width: int) -> tuple[int, int]:
    """From which tab to before which one they fit, that at `place` among them."""
    room = width - (len(_MORE_BEFORE) + len(_MORE_BEHIND)) * (sum(widths) > width)
    first, last, taken = place, place + 1, widths[place]
    while True:
        if last < len(widths) and taken + widths[last] <= room:
            taken += widths[last]
            last += 1
        elif first > 0 and taken + widths[first - 1] <= room:
            first -= 1
            taken += widths[first]
        else:
            return first, last
