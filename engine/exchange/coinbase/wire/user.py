"""News of our own orders, from the user channels of both APIs, as exact typed reports.

Both channels are decoded here and nowhere interpreted: fills are derived from the cumulative figures,
or taken from the executions, by whoever keeps the orders.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

import msgspec

from engine.core.foreign_text import harmless, identifier
from engine.core.order import Side
from engine.exchange.coinbase.rest.texts import figure

_NONE: Final = msgspec.Raw(b"null")
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,23})(?:\.[0-9]{1,40})?", re.ASCII)


class WireUserOrder(msgspec.Struct, gc=False):
    """An order as the Advanced `user` channel tells it. Figures are text; "" stands for none.

    Every order of the account is told here, so an unusual one of another front end (a figure as a JSON
    number, a null) must not make the whole channel unreadable.
    """

    order_id: str
    product_id: str
    order_side: str
    status: str
    client_order_id: str | None = ""
    order_type: str | None = ""
    time_in_force: str | None = ""
    post_only: bool | None = False
    limit_price: msgspec.Raw = _NONE
    stop_price: msgspec.Raw = _NONE
    cumulative_quantity: msgspec.Raw = _NONE
    leaves_quantity: msgspec.Raw = _NONE
    avg_price: msgspec.Raw = _NONE
    filled_value: msgspec.Raw = _NONE
    total_fees: msgspec.Raw = _NONE
    number_of_fills: msgspec.Raw = _NONE
    cancel_reason: str | None = ""
    reject_reason: str | None = ""
    reject_Reason: str | None = ""  # noqa: N815 - an older spelling of the venue


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
        order_id=identifier(order.order_id),
        client_order_id=identifier(order.client_order_id or ""),
        product=identifier(order.product_id),
        side=own_side(order.order_side),
        status=harmless(order.status).upper(),
        order_type=_order_type(order.order_type or ""),
        time_in_force=(order.time_in_force or "").upper(),
        post_only=bool(order.post_only),
        limit_price=_figure(order.limit_price, "limit_price") or None,
        stop_price=_figure(order.stop_price, "stop_price") or None,
        filled=_amount(order.cumulative_quantity, "cumulative_quantity"),
        remaining=_amount(order.leaves_quantity, "leaves_quantity"),
        average_price=_amount(order.avg_price, "avg_price"),
        filled_value=_figure(order.filled_value, "filled_value"),
        fees=_amount(order.total_fees, "total_fees"),
        number_of_fills=int(_amount(order.number_of_fills, "number_of_fills")),
        cancel_reason=harmless(order.cancel_reason or ""),
        reject_reason=harmless(order.reject_reason or order.reject_Reason or ""),
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


def _figure(raw: msgspec.Raw, what: str) -> Decimal | None:
    """A figure; where it is text it has to be a plain one. None for null and for no text."""
    text = bytes(raw).decode("ascii", "replace")
    return exact(text[1:-1]) if text.startswith('"') and text != '""' else figure(raw, what)


def _amount(raw: msgspec.Raw, what: str) -> Decimal:
    return _figure(raw, what) or Decimal(0)
