"""The tape: every print of the market, the newest on top, ours marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from textual.binding import BindingType

from engine.link.tape import Missed, Print
from engine.link.view import Trade
from pinnacle_tui.numbers import clock
from pinnacle_tui.widgets.rows import Row
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.table import Table, TablePanel, remembered_sorts, table_bindings
from pinnacle_tui.widgets.table_layout import Column
from pinnacle_tui.widgets.words import exact_time

Listed = Print | Missed


def _trade(item: Listed) -> Trade:
    """Only prints have cells; dividers are drawn without columns."""
    if isinstance(item, Missed):
        raise TypeError("prints that were not shown have no columns")
    return item.trade


def _direction(item: Listed, scene: Scene) -> str:
    return "up" if _trade(item).side > 0 else "down"


TAPE: Final[Table[Listed]] = Table(
    "trades",
    "trade",
    (
        Column(
            "time",
            "time",
            text=lambda item, scene: clock(_trade(item).wall_ns, millis=True),
            order=lambda item, scene: item.number,
            exact=lambda item, scene: exact_time(_trade(item).wall_ns),
            style="muted",
            rank=2,
        ),
        Column(
            "price",
            "price",
            text=lambda item, scene: scene.numbers.price(_trade(item).price),
            order=lambda item, scene: _trade(item).price,
            exact=lambda item, scene: scene.numbers.exact_price(_trade(item).price),
            style=_direction,
            is_number=True,
        ),
        Column(
            "size",
            "size",
            text=lambda item, scene: scene.numbers.size(_trade(item).size),
            order=lambda item, scene: _trade(item).size,
            exact=lambda item, scene: scene.numbers.exact_size(_trade(item).size),
            rank=1,
            is_number=True,
        ),
        Column(
            "taker",
            "taker",
            text=lambda item, scene: "▲ buy" if _trade(item).side > 0 else "▼ sell",
            order=lambda item, scene: _trade(item).side,
            exact=lambda item, scene: "buy" if _trade(item).side > 0 else "sell",
            style=_direction,
            rank=1,
        ),
        Column(
            "ours",
            "ours",
            text=lambda item, scene: "ours" if _trade(item).is_ours else "",
            order=lambda item, scene: _trade(item).is_ours,
            style="own bold",
            rank=3,
        ),
        Column(
            "id",
            "id",
            text=lambda item, scene: str(_trade(item).trade_id),
            order=lambda item, scene: _trade(item).trade_id,
            style="muted",
            rank=4,
            is_number=True,
        ),
    ),
    sort="time",
    is_falling=True,
    key=lambda item: item.number if isinstance(item, Print) else -item.number,
    empty="no print yet",
)


class TradesPanel(TablePanel[Listed]):
    """The tape of the scene's product, which the mirror keeps whether or not this panel is drawn."""

    TITLE = "TRADES"
    HELP = (
        "Every print of the market, newest first. ▲ buy: the taker bought; ▼ sell: the taker sold.\n"
        "ours marks prints that filled an order of ours. Bold prints are five times the usual size.\n"
        "Where prints come faster than the screen is told, the tape says how many it does not show."
    )
    BINDINGS: ClassVar[list[BindingType]] = [*table_bindings("trades", "trade")]

    @property
    def table(self) -> Table[Listed]:
        """See `TablePanel`."""
        return TAPE

    def source(self, scene: Scene) -> Sequence[Listed]:
        """See `TablePanel`."""
        tape = scene.mirror.tapes.get(scene.product.symbol)
        return tape.newest_first if tape is not None else ()

    def divider(self, item: Listed) -> str:
        """See `TablePanel`."""
        if isinstance(item, Print):
            return ""
        return f"… {item.count:,} {'print' if item.count == 1 else 'prints'} not shown"

    def row_words(self, item: Listed, words: str) -> str:
        """A big print is bold as a whole."""
        is_big = isinstance(item, Print) and item.is_big
        return f"{words} bold" if is_big and "bold" not in words else words

    def title(self, scene: Scene, room: int) -> Row:
        """`TRADES 4,711 prints`."""
        count = f" {scene.book.trade_count:,} prints"
        title = super().title(scene, room)
        return (*title, (count, "muted")) if room >= len(self.TITLE) + len(count) else title

    def restore(self, state: dict[str, Any]) -> None:
        """See `ListPanel`."""
        self._sorts = remembered_sorts(state.get("sort"), (TAPE,))
        self.redraw()
