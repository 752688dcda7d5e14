"""The columns of the overview: one row a product, its numbers written as on its own screens."""

from __future__ import annotations

from typing import Final, NamedTuple

from engine.core.foreign_text import visible
from engine.link.view import Gauge, Product, ProductView
from pinnacle_tui.numbers import NOTHING, Numbers, grouped
from pinnacle_tui.widgets.gauges import gauge_percent, gauge_share, gauge_style
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.table import Table
from pinnacle_tui.widgets.table_layout import Column
from pinnacle_tui.widgets.words import profit_style, state_style

_SEVERITY: Final = {"ACTIVE": 0, "REDUCING": 1, "PAUSED": 2, "HALTED": 3, "KILLED": 4}
_FEED_STYLES: Final = {"live": "ok", "stale": "danger bold"}
_BP_PLACES: Final = 2


class ProductLine(NamedTuple):
    """One product of a view, and what is needed to write it."""

    book: ProductView
    product: Product
    numbers: Numbers
    alert: str
    """What nobody has acknowledged and is this product's, the newest; empty where there is nothing."""

    @property
    def says(self) -> str:
        """Its alert, else why it does not quote."""
        return self.alert or self.book.note

    @property
    def mid(self) -> int | None:
        """The middle of the touch in half ticks; None where a side is missing."""
        book = self.book
        return book.bids[0][0] + book.asks[0][0] if book.bids and book.asks else None

    @property
    def spread(self) -> int | None:
        """The spread in hundredths of a basis point."""
        if self.mid is None or self.mid <= 0:
            return None
        return 2_000_000 * (self.book.asks[0][0] - self.book.bids[0][0]) // self.mid

    @property
    def notional(self) -> int | None:
        """What the position is worth at the mark, in atoms; None while there is none."""
        pnl = self.book.pnl
        if not pnl.position:
            return 0
        if pnl.mark is None:
            return None
        return self.product.atoms_per_half_tick_lot * pnl.mark * abs(pnl.position)

    @property
    def exposure(self) -> Gauge | None:
        """Its limit in money with what is used of it, all open orders of a side filled."""
        return next((gauge for gauge in self.book.gauges if gauge.code == "EXPOSURE"), None)


def _state_style(line: ProductLine, scene: Scene) -> str:
    return "ok" if line.book.state == "ACTIVE" else state_style(line.book.state)


def _symbol_style(line: ProductLine, scene: Scene) -> str:
    return "text bold" if line.book.symbol == scene.book.symbol else "text"


def _share(line: ProductLine, scene: Scene) -> str:
    return NOTHING if line.exposure is None else gauge_percent(line.exposure)


def _share_order(line: ProductLine, scene: Scene) -> float | None:
    return None if line.exposure is None else gauge_share(line.exposure)


def _share_style(line: ProductLine, scene: Scene) -> str:
    return "muted" if line.exposure is None else gauge_style(line.exposure)


def _spread(line: ProductLine, scene: Scene) -> str:
    spread = line.spread
    return NOTHING if spread is None else grouped(spread, _BP_PLACES, _BP_PLACES)


def _exact_money(line: ProductLine, atoms: int | None) -> str:
    return "" if atoms is None else line.numbers.exact_money(atoms)


_COLUMNS: Final[tuple[Column[ProductLine], ...]] = (
    Column(
        "product",
        "product",
        lambda line, scene: visible(line.book.symbol),
        lambda line, scene: line.book.symbol,
        style=_symbol_style,
    ),
    Column(
        "state",
        "state",
        lambda line, scene: line.book.state,
        lambda line, scene: _SEVERITY.get(line.book.state),
        style=_state_style,
    ),
    Column(
        "feed",
        "feed",
        lambda line, scene: line.book.connection,
        lambda line, scene: line.book.connection,
        style=lambda line, scene: _FEED_STYLES.get(line.book.connection, "warning"),
        rank=4,
    ),
    Column(
        "mid",
        "mid",
        lambda line, scene: line.numbers.mid(line.mid),
        lambda line, scene: line.mid,
        rank=3,
        is_number=True,
    ),
    Column(
        "spread",
        "spread bp",
        _spread,
        lambda line, scene: line.spread,
        rank=6,
        is_number=True,
    ),
    Column(
        "position",
        "position",
        lambda line, scene: line.numbers.position(line.book.pnl.position),
        lambda line, scene: line.notional,
        exact=lambda line, scene: line.numbers.exact_size(line.book.pnl.position),
        rank=1,
        is_number=True,
    ),
    Column(
        "notional",
        "worth",
        lambda line, scene: line.numbers.amount(line.notional),
        lambda line, scene: line.notional,
        exact=lambda line, scene: _exact_money(line, line.notional),
        rank=5,
        is_number=True,
    ),
    Column(
        "limit",
        "of limit",
        _share,
        _share_order,
        style=_share_style,
        rank=2,
        is_number=True,
    ),
    Column(
        "profit",
        "P&L",
        lambda line, scene: line.numbers.money(line.book.pnl.total),
        lambda line, scene: line.book.pnl.total,
        exact=lambda line, scene: _exact_money(line, line.book.pnl.total),
        style=lambda line, scene: profit_style(line.book.pnl.total),
        is_number=True,
    ),
    Column(
        "today",
        "today",
        lambda line, scene: line.numbers.money(line.book.day_profit),
        lambda line, scene: line.book.day_profit,
        exact=lambda line, scene: _exact_money(line, line.book.day_profit),
        style=lambda line, scene: profit_style(line.book.day_profit),
        rank=1,
        is_number=True,
    ),
    Column(
        "quote",
        "in",
        lambda line, scene: visible(line.product.quote),
        lambda line, scene: line.product.quote,
        style="muted",
        rank=3,
    ),
    Column(
        "open",
        "open",
        lambda line, scene: f"{len(line.book.orders):,}",
        lambda line, scene: len(line.book.orders),
        style=lambda line, scene: "warning" if line.book.note and not line.book.orders else "text",
        rank=4,
        is_number=True,
    ),
    Column(
        "fills",
        "fills",
        lambda line, scene: f"{line.book.pnl.fills:,}",
        lambda line, scene: line.book.pnl.fills,
        rank=5,
        is_number=True,
    ),
    Column(
        "alert",
        "alert, or why it does not quote",
        lambda line, scene: visible(line.says),
        lambda line, scene: line.says or None,
        style=lambda line, scene: "warning" if line.alert else "muted",
        rank=7,
        least=16,
    ),
)

PRODUCTS: Final[Table[ProductLine]] = Table(
    "products",
    "product",
    _COLUMNS,
    "product",
    False,
    lambda line: line.book.symbol,
    "the engine trades no product",
)
"""In the order of their names, unless somebody wants it otherwise."""
