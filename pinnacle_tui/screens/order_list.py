"""Our open orders of every product as a few lines of text, for dialogs that speak of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from textual.content import Content

from engine.core.foreign_text import visible
from engine.link.view import WorkingOrder
from pinnacle_tui.numbers import Numbers, age
from pinnacle_tui.widgets.rows import left, right

if TYPE_CHECKING:
    from pinnacle_tui.steering_app import SteeringApp

MOST_LISTED: Final = 8


class OpenOrder(NamedTuple):
    """One order, and how to write it."""

    symbol: str
    order: WorkingOrder
    numbers: Numbers
    age_ns: int
    """Engine time since it was sent."""


def working_orders(app: SteeringApp) -> list[OpenOrder]:
    """Every order of ours that may still trade, as the newest view tells; asks above bids."""
    view, mirror = app.mirror.view, app.mirror
    made: list[OpenOrder] = []
    for book in view.products if view is not None else ():
        product = mirror.product(book.symbol)
        if product is None or view is None:
            continue
        numbers = Numbers.of(product, book)
        made += [
            OpenOrder(book.symbol, order, numbers, view.time_ns - order.sent_ns)
            for order in sorted(book.orders, key=lambda order: -order.price)
        ]
    return made


def orders_text(orders: Sequence[OpenOrder], most: int = MOST_LISTED) -> Content:
    """A line each: side, price, size that is left, age; of many the first ones, and how many more."""
    shown = orders[:most]
    cells = [
        (
            visible(one.symbol),
            "buy" if one.order.side > 0 else "sell",
            one.numbers.price(one.order.price),
            one.numbers.size(one.order.size - one.order.filled),
            age(one.age_ns),
        )
        for one in shown
    ]
    widths = [max(len(row[column]) for row in cells) for column in range(5)] if cells else []
    lines = []
    for symbol, side, price, size, old in cells:
        colour = "$bid" if side == "buy" else "$ask"
        lines.append(
            Content.assemble(
                (left(symbol, widths[0]) + "  ", "$muted"),
                (left(side, widths[1]), colour),
                f"  {right(price, widths[2])}  {right(size, widths[3])}",
                (f"  {right(old, widths[4])}", "$muted"),
            )
        )
    if len(orders) > most:
        lines.append(Content.assemble((f"and {len(orders) - most} more", "$muted")))
    return Content("\n").join(lines)
