"""The columns of the blotter: working orders, fills and ended orders, each as words and exact numbers."""

from __future__ import annotations

from functools import cache
from typing import Final, Literal

from engine.core.foreign_text import visible
from engine.link.events import Filled, OrderEnded
from engine.link.view import WorkingOrder
from pinnacle_tui.numbers import NOTHING, Numbers, age, clock, grouped, signed
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.table import Table
from pinnacle_tui.widgets.table_layout import Column
from pinnacle_tui.widgets.words import exact_time, last_known, side_word

Unit = Literal["bp", "ticks"]
UNITS: Final[tuple[Unit, ...]] = ("bp", "ticks")
"""Of an order's distance to the mid."""
_FEE_PLACES: Final = 4
"""Fees of a small fill are parts of a cent."""
UNCERTAIN: Final = "uncertain"
_STATES: Final = {
    "pending": ("sent", "muted"),
    "new": ("open", "ok"),
    "partially_filled": ("partly filled", "ok"),
    "pending_cancel": ("cancelling", "warning"),
    UNCERTAIN: ("UNCERTAIN", "danger bold"),
}
_END_STATES: Final = {
    "filled": "ok",
    "cancelled": "muted",
    "rejected": "danger",
    "expired": "warning",
}


def side_style(side: int) -> str:
    """The colour of a side."""
    return "bid" if side > 0 else "ask"


def words(text: str) -> str:
    """A name of the engine's (`queue_cleared`) as a person reads it."""
    return visible(text).replace("_", " ")


def exact_seconds(ns: int) -> str:
    """A span of time for machines."""
    return grouped(ns, 9, 9).replace(",", "")


def mid_half_ticks(scene: Scene) -> int | None:
    """The middle of the displayed touch; None where a side is missing."""
    book = scene.book
    return book.bids[0][0] + book.asks[0][0] if book.bids and book.asks else None


def distance_half_ticks(order: WorkingOrder, scene: Scene) -> int | None:
    """From the order to the mid, in half ticks; below zero where the mid has gone through the price."""
    mid = mid_half_ticks(scene)
    return None if mid is None else order.side * (mid - 2 * order.price)


def fee_text(fill: Filled, numbers: Numbers) -> str:
    """A fee in quote currency, or with its unit where the venue took it in the base; a rebate is negative."""
    product = numbers.product
    if fill.fee_asset and fill.fee_asset == product.base:
        return f"{numbers.size(fill.fee)} {product.base}"
    return grouped(fill.fee, product.money_places, min(_FEE_PLACES, product.money_places))


def _exact_fee(fill: Filled, scene: Scene) -> str:
    if fill.fee_asset and fill.fee_asset == scene.product.base:
        return f"{scene.numbers.exact_size(fill.fee)} {scene.product.base}"
    return scene.numbers.exact_money(fill.fee)


def _distance_text(order: WorkingOrder, scene: Scene, unit: Unit) -> str:
    distance, mid = distance_half_ticks(order, scene), mid_half_ticks(scene)
    if distance is None or not mid:
        return NOTHING
    if unit == "ticks":
        return signed(grouped(distance * 5, 1, 1))
    hundredths = (abs(distance) * 1_000_000 + abs(mid) // 2) // abs(mid)
    return signed(grouped(hundredths if distance > 0 else -hundredths, 2, 2))


def _optional_size(lots: int | None, scene: Scene) -> str:
    return "" if lots is None else scene.numbers.exact_size(lots)


def _state_text(order: WorkingOrder, scene: Scene) -> str:
    text, _ = _STATES.get(order.state, (words(order.state), ""))
    return last_known(text, is_stale=scene.is_stale)


def _filled_style(order: WorkingOrder | OrderEnded, scene: Scene) -> str:
    return "text" if order.filled else "muted"


def _common(places: int | None = None) -> tuple[Column[WorkingOrder | Filled | OrderEnded], ...]:
    """Side, price and size; sizes with so many decimals, by default with those of sizes elsewhere."""

    def size_text(order: WorkingOrder | Filled | OrderEnded, scene: Scene) -> str:
        numbers = scene.numbers
        return numbers.size(order.size) if places is None else numbers.size_at(order.size, places)

    return (
        Column(
            "side",
            "side",
            text=lambda order, scene: side_word(order.side),
            order=lambda order, scene: order.side,
            style=lambda order, scene: side_style(order.side),
        ),
        Column(
            "price",
            "price",
            text=lambda order, scene: scene.numbers.price(order.price),
            order=lambda order, scene: order.price,
            exact=lambda order, scene: scene.numbers.exact_price(order.price),
            is_number=True,
        ),
        Column(
            "size",
            "size",
            text=size_text,
            order=lambda order, scene: order.size,
            exact=lambda order, scene: scene.numbers.exact_size(order.size),
            rank=1,
            is_number=True,
        ),
    )


def _filled(rank: int) -> Column[WorkingOrder | OrderEnded]:
    return Column(
        "filled",
        "filled",
        text=lambda order, scene: scene.numbers.size(order.filled),
        order=lambda order, scene: order.filled,
        exact=lambda order, scene: scene.numbers.exact_size(order.filled),
        style=_filled_style,
        rank=rank,
        is_number=True,
    )


def _slot(rank: int) -> Column[WorkingOrder | OrderEnded]:
    return Column(
        "slot",
        "slot",
        text=lambda order, scene: visible(order.slot),
        order=lambda order, scene: order.slot,
        rank=rank,
    )


def _purpose(rank: int) -> Column[WorkingOrder | OrderEnded]:
    return Column(
        "purpose",
        "purpose",
        text=lambda order, scene: words(order.purpose),
        order=lambda order, scene: order.purpose,
        style="muted",
        rank=rank,
        least=8,
    )


def _identifier(rank: int) -> Column[WorkingOrder | Filled | OrderEnded]:
    return Column(
        "id",
        "id",
        text=lambda order, scene: visible(order.client_id),
        order=lambda order, scene: order.client_id,
        style="muted",
        rank=rank,
        least=8,
        keeps_end=True,
    )


def _time() -> Column[Filled | OrderEnded]:
    return Column(
        "time",
        "time",
        text=lambda event, scene: clock(event.wall_ns, millis=True),
        # Events of one instant are told apart by their number.
        order=lambda event, scene: event.eseq,
        exact=lambda event, scene: exact_time(event.wall_ns),
        style="muted",
        rank=2,
    )


def _reason(rank: int) -> Column[Filled | OrderEnded]:
    return Column(
        "reason",
        "reason",
        text=lambda event, scene: words(event.reason),
        order=lambda event, scene: event.reason or None,
        exact=lambda event, scene: event.reason,
        rank=rank,
        least=20,
    )


def working_orders(unit: Unit) -> Table[WorkingOrder]:
    """Orders that may still trade, from the highest price down as on the ladder."""
    return Table(
        "orders",
        "working order",
        (
            *_common(),
            _filled(3),
            Column(
                "age_s",
                "age",
                text=lambda order, scene: age(scene.view.time_ns - order.sent_ns),
                order=lambda order, scene: -order.sent_ns,
                exact=lambda order, scene: exact_seconds(scene.view.time_ns - order.sent_ns),
                style="muted",
                rank=4,
                is_number=True,
                is_live=True,
            ),
            Column(
                "ahead",
                "ahead",
                text=lambda order, scene: scene.numbers.size(order.ahead),
                order=lambda order, scene: order.ahead,
                exact=lambda order, scene: _optional_size(order.ahead, scene),
                rank=5,
                is_number=True,
            ),
            Column(
                "to_mid",
                f"to mid {unit}",
                text=lambda order, scene: _distance_text(order, scene, unit),
                order=distance_half_ticks,
                rank=6,
                is_number=True,
                is_live=True,
            ),
            Column(
                "state",
                "state",
                text=_state_text,
                order=lambda order, scene: order.state,
                exact=lambda order, scene: order.state,
                style=lambda order, scene: _STATES.get(order.state, ("", "text"))[1],
                rank=1,
            ),
            _slot(7),
            _purpose(9),
            _identifier(8),
        ),
        sort="price",
        is_falling=True,
        key=lambda order: order.client_id,
        empty="no order of ours is working",
    )


@cache
def fills(places: int) -> Table[Filled]:
    """Our trades, the newest first, their sizes with so many decimals."""
    return Table(
        "fills",
        "fill",
        (
            _time(),
            *_common(places),
            Column(
                "fee",
                "fee",
                text=lambda fill, scene: fee_text(fill, scene.numbers),
                order=lambda fill, scene: fill.fee,
                exact=_exact_fee,
                rank=3,
                is_number=True,
            ),
            Column(
                "liquidity",
                "liquidity",
                text=lambda fill, scene: "maker" if fill.is_maker else "taker",
                order=lambda fill, scene: fill.is_maker,
                style=lambda fill, scene: "text" if fill.is_maker else "warning",
                rank=5,
            ),
            Column(
                "position",
                "position",
                text=lambda fill, scene: scene.numbers.position(fill.position),
                order=lambda fill, scene: fill.position,
                exact=lambda fill, scene: scene.numbers.exact_size(fill.position),
                rank=4,
                is_number=True,
            ),
            _reason(6),
            _identifier(7),
        ),
        sort="time",
        is_falling=True,
        key=lambda fill: fill.eseq,
        empty="no fill yet",
    )


ENDED: Final[Table[OrderEnded]] = Table(
    "ended",
    "ended order",
    (
        _time(),
        *_common(),
        _filled(3),
        Column(
            "state",
            "end",
            text=lambda event, scene: words(event.state),
            order=lambda event, scene: event.state,
            style=lambda event, scene: _END_STATES.get(event.state, "text"),
            rank=2,
        ),
        _reason(4),
        Column(
            "life_s",
            "life",
            text=lambda event, scene: age(event.time_ns - event.sent_ns),
            order=lambda event, scene: event.time_ns - event.sent_ns,
            exact=lambda event, scene: exact_seconds(event.time_ns - event.sent_ns),
            style="muted",
            rank=5,
            is_number=True,
        ),
        _slot(6),
        _purpose(8),
        _identifier(7),
    ),
    sort="time",
    is_falling=True,
    key=lambda event: event.eseq,
    empty="no order has ended yet",
)
