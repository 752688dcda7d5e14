"""News of our own orders, from the user channels of both APIs, as exact typed reports.

Both channels are decoded here and nowhere interpreted: fills are derived from the cumulative figures,
or taken from the executions, by whoever keeps the orders.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

import msgspec

from engine.core.order import Side

_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,23})(?:\.[0-9]{1,40})?", re.ASCII)


class WireUserOrder(msgspec.Struct, gc=False):
    """An order as the Advanced `user` channel tells it. All figures are text; "" stands for none."""

    order_id: str
    product_id: str
    order_side: str
    status: str
    client_order_id: str = ""
    order_type: str = ""
    time_in_force: str = ""
    post_only: bool = False
    limit_price: str = ""
    stop_price: str = ""
    cumulative_quantity: str = "0"
    leaves_quantity: str = "0"
    avg_price: str = "0"
    filled_value: str = ""
    total_fees: str = "0"
    number_of_fills: str = "0"
    cancel_reason: str = ""
    reject_reason: str = ""
    reject_Reason: str = ""  # noqa: N815 - an older spelling of the venue


class OrderReport(msgspec.Struct, frozen=True, gc=False):
    """Where an order stands, in cumulative figures. `filled_value` is None where the venue left it out."""

    order_id: str
    client_order_id: str
    product: str
    side: Side
    status: str
    order_type: str
    """Upper case with underscores, however the venue spelled it."""
    time_in_force: str
    post_only: bool
    limit_price: Decimal | None
    stop_price: Decimal | None
    filled: Decimal
    remaining: Decimal
    average_price: Decimal
    filled_value: Decimal | None
    fees: Decimal
    number_of_fills: int
    cancel_reason: str
    reject_reason: str


class UserEvent(msgspec.Struct, frozen=True):
    """One event of the Advanced `user` channel. A snapshot comes in batches of up to 50 open orders;
    the first batch with fewer ends it."""

    is_snapshot: bool
    orders: tuple[OrderReport, ...]


class UserMatch(msgspec.Struct, frozen=True, gc=False):
    """One execution of ours on the Exchange feed. `side` is our own side."""

    product: str
    trade_id: int
    order_id: str
    side: Side
    is_maker: bool
    price: Decimal
    size: Decimal
    fee_rate: Decimal


def exact(text: str) -> Decimal:
    """A decimal of the venue; `ValueError` for NaN, exponents, blanks and whatever else is none."""
    if _DECIMAL.fullmatch(text) is None:
        raise ValueError(f"{text[:40]!r} is not a plain decimal number")
    return Decimal(text)


def order_report(order: WireUserOrder) -> OrderReport:
    """Check and convert one order. Raises `ValueError` for a side or a figure that is none."""
    return OrderReport(
        order_id=order.order_id,
        client_order_id=order.client_order_id,
        product=order.product_id,
        side=own_side(order.order_side),
        status=order.status.upper(),
        order_type=_order_type(order.order_type),
        time_in_force=order.time_in_force.upper(),
        post_only=order.post_only,
        limit_price=_price(order.limit_price),
        stop_price=_price(order.stop_price),
        filled=exact(order.cumulative_quantity or "0"),
        remaining=exact(order.leaves_quantity or "0"),
        average_price=exact(order.avg_price or "0"),
        filled_value=exact(order.filled_value) if order.filled_value else None,
        fees=exact(order.total_fees or "0"),
        number_of_fills=int(exact(order.number_of_fills or "0")),
        cancel_reason=order.cancel_reason,
        reject_reason=order.reject_reason or order.reject_Reason,
    )


def own_side(word: str) -> Side:
    """`buy` or `sell` in any case."""
    upper = word.upper()
    if upper == "BUY":
        return Side.BUY
    if upper == "SELL":
        return Side.SELL
    raise ValueError(f"{word[:20]!r} is not a side")


def _order_type(word: str) -> str:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", word)
    return re.sub(r"[ _]+", "_", spaced).upper()


def _price(text: str) -> Decimal | None:
    value = exact(text) if text else Decimal(0)
    return value or None
