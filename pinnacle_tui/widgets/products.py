"""The list of all products, and how they stand together against the limits over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.message import Message

from engine.core.foreign_text import visible
from engine.link.view import Gauge, Portfolio, ProductView, View
from pinnacle_tui.numbers import Numbers, grouped, signed
from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.gauges import gauge_label, gauge_percent, gauge_share, gauge_style, gauge_word
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.product_columns import PRODUCTS, ProductLine
from pinnacle_tui.widgets.rows import Row, Span, bar, left, right, row_width
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.table import Table, TablePanel, remembered_sorts, table_bindings
from pinnacle_tui.widgets.words import profit_style

_MOST_BAR: Final = 30
_LEAST_BAR: Final = 6
_MONEY_PLACES: Final = 2


class ProductsPanel(TablePanel[ProductLine]):
    """Every product that the engine trades, one row each."""

    TITLE: ClassVar[str] = "PRODUCTS"
    HELP: ClassVar[str] = (
        "Every product with its own state, feed, position and profit, in its own quote currency (in).\n"
        "worth is the position at the mark; of limit is how much of the product's share of the limits is\n"
        "used, all open orders of a side filled; today is the UTC day, earlier sessions of it included.\n"
        "What one product does holds no other one up; limits over all of them are below.\n"
        "Enter, or two clicks, goes to a product."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *table_bindings("overview", "product"),
        Binding("enter", "choose", "go there", id="overview.choose", tooltip="Show the selected product"),
    ]

    class Chosen(Message):
        """A person wants to see this product."""

        def __init__(self, symbol: str) -> None:
            super().__init__()
            self.symbol = symbol

    def __init__(self, palette: Palette, *, id: str, number: int | None = None) -> None:
        """See `Panel`."""
        super().__init__(palette, id=id, number=number)
        self._numbers: dict[str, Numbers] = {}
        self._lines: tuple[ProductLine, ...] = ()
        self._lines_of: View | None = None

    @property
    def table(self) -> Table[ProductLine]:
        """See `TablePanel`."""
        return PRODUCTS

    def source(self, scene: Scene) -> Sequence[ProductLine]:
        """See `TablePanel`."""
        if scene.view is not self._lines_of:
            lines = (self._line(scene, book) for book in scene.view.products)
            self._lines, self._lines_of = tuple(line for line in lines if line is not None), scene.view
        return self._lines

    def _line(self, scene: Scene, book: ProductView) -> ProductLine | None:
        product = scene.mirror.product(book.symbol)
        if product is None:
            return None
        numbers = self._numbers.get(book.symbol)
        if numbers is None or numbers.product != product or (numbers.reference is None and book.bids):
            # Written with the same decimals from then on, whatever the price does.
            numbers = self._numbers[book.symbol] = Numbers.of(product, book)
        alerts = [alert.text for alert in scene.view.alerts if alert.product in (book.symbol, "")]
        return ProductLine(book, product, numbers, alerts[-1] if alerts else "")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """See `ListPanel`; only a selected product can be gone to."""
        if action == "choose":
            return not self.entry.is_open and self.window.index is not None
        return super().check_action(action, parameters)

    def action_choose(self) -> None:
        """Go to the selected product."""
        item = self.selected_item
        if item is not None:
            self.opened(item)

    def opened(self, item: ProductLine) -> None:
        """See `ListPanel`."""
        self.post_message(self.Chosen(item.book.symbol))

    def restore(self, state: dict[str, object]) -> None:
        """See `ListPanel`."""
        self._sorts |= remembered_sorts(state.get("sort"), (PRODUCTS,))


class PortfolioPanel(Panel):
    """The products of each quote currency together."""

    TITLE: ClassVar[str] = "ALL TOGETHER"
    HELP: ClassVar[str] = (
        "The products of each quote currency added up, against the limits over all of them (section\n"
        "portfolio of the settings). At the loss limit all of them are HALTED; at that of the drawdown and\n"
        "that of the positions they only reduce. Currencies are not added to each other."
    )

    def rows(self, scene: Scene, width: int, height: int) -> list[Row]:
        """Sums and bars of each currency; where there is no room for all, a line for each."""
        portfolios = scene.view.portfolio
        if not portfolios:
            words = "no limits over several products; each has its own"
            return [((left(words, width), "muted"),)]
        whole = [row for portfolio in portfolios for row in portfolio_rows(portfolio, width)]
        return whole if len(whole) <= height else [portfolio_line(each, width) for each in portfolios]


def portfolio_rows(portfolio: Portfolio, width: int) -> list[Row]:
    """The sums, then a line for each limit."""
    gauges = portfolio.gauges
    names = [gauge_label(gauge) for gauge in gauges]
    used = [_quantity(portfolio, gauge, gauge.used or 0) for gauge in gauges]
    limits = [_quantity(portfolio, gauge, gauge.limit) for gauge in gauges]
    name, amount, most = (max(map(cell_len, cells)) for cells in (names, used, limits))
    made = [_sums(portfolio, width)]
    for at, gauge in enumerate(gauges):
        style, word = gauge_style(gauge), gauge_word(gauge)
        row: Row = (
            (f" {left(names[at], name)}  {right(used[at], amount)}", "text"),
            (f" of {right(limits[at], most)}", "muted"),
            (f"  {right(gauge_percent(gauge), 6)}", style),
        )
        length = min(_MOST_BAR, width - row_width(row) - 2 - len("  OVER THE LIMIT"))
        if length >= _LEAST_BAR:
            colour = "chart" if style == "text" else "warning"
            row = (*row, ("  ", "text"), (bar(gauge_share(gauge) or 0.0, length), colour))
        if word and row_width(row) + 2 + len(word) <= width:
            row = (*row, (f"  {word}", style))
        made.append(row)
    return made


def portfolio_line(portfolio: Portfolio, width: int) -> Row:
    """The sums, and the limit that is nearest."""
    gauge = max(portfolio.gauges, key=lambda each: gauge_share(each) or 0.0)
    nearest: Span = (f"  {gauge_label(gauge)} {gauge_percent(gauge)}", gauge_style(gauge))
    return (*_sums(portfolio, width - cell_len(nearest[0])), nearest)


def _sums(portfolio: Portfolio, width: int) -> Row:
    """As much as fits, from the left."""
    count, today = len(portfolio.products), portfolio.day_profit
    spans: list[Span] = [
        (f"{visible(portfolio.quote)}", "text bold"),
        (f"  P&L {signed(_money(portfolio, portfolio.profit))}", profit_style(portfolio.profit)),
        (f"  today {signed(_money(portfolio, today))}", profit_style(today)),
        (f"  {count} product{'' if count == 1 else 's'}", "muted"),
        (f"  {portfolio.open_orders:,} open", "muted"),
    ]
    while len(spans) > 1 and row_width(tuple(spans)) > width:
        spans.pop()
    return tuple(spans)


def _quantity(portfolio: Portfolio, gauge: Gauge, value: int) -> str:
    return _money(portfolio, value) if gauge.unit == "atoms" else f"{value:,}"


def _money(portfolio: Portfolio, amount: int) -> str:
    places = portfolio.money_places
    return grouped(amount, places, min(places, _MONEY_PLACES))
