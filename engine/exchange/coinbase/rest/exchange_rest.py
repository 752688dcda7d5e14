"""What Coinbase Exchange's REST answers say, as the broker's types; and its requests for orders."""

from __future__ import annotations

from decimal import Context, Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from engine.core.foreign_text import harmless, identifier
from engine.core.order import TimeInForce
from engine.exchange.coinbase.broker import (
    Balance,
    BookTop,
    FeeRates,
    NewOrder,
    Outcome,
    SubmitAnswer,
    VenueFill,
)
from engine.exchange.coinbase.rest.reasons import text_reason
from engine.exchange.coinbase.rest.texts import amount, figure, plain, required
from engine.exchange.coinbase.wire.timestamps import TimeParser
from engine.exchange.coinbase.wire.user import OrderReport, own_side

_NONE: Final = msgspec.Raw(b"null")
_BPS: Final = 10_000
_NS: Final = 10**9
_WIDE: Final = Context(prec=60)
_STATUSES: Final = {
    "received": "PENDING",
    "pending": "PENDING",
    "open": "OPEN",
    "active": "OPEN",
    "rejected": "FAILED",
}
_TIMES_IN_FORCE: Final = {
    "GTC": "GOOD_UNTIL_CANCELLED",
    "GTT": "GOOD_UNTIL_DATE_TIME",
    "IOC": "IMMEDIATE_OR_CANCEL",
    "FOK": "FILL_OR_KILL",
}
_OVER: Final = frozenset({"FILLED", "CANCELLED", "FAILED"})


class _Time(msgspec.Struct):
    epoch: msgspec.Raw


class _Order(msgspec.Struct):
    id: str
    product_id: str
    side: str
    status: str
    client_oid: str | None = ""
    type: str = "limit"
    time_in_force: str | None = ""
    post_only: bool | None = False
    price: msgspec.Raw = _NONE
    size: msgspec.Raw = _NONE
    stop_price: msgspec.Raw = _NONE
    filled_size: msgspec.Raw = _NONE
    executed_value: msgspec.Raw = _NONE
    fill_fees: msgspec.Raw = _NONE
    done_reason: str | None = ""
    reject_reason: str | None = ""


class _Fill(msgspec.Struct):
    trade_id: int
    order_id: str
    product_id: str
    side: str
    price: msgspec.Raw
    size: msgspec.Raw
    fee: msgspec.Raw = _NONE
    liquidity: str | None = ""
    created_at: str = ""


class _Account(msgspec.Struct):
    currency: str
    available: msgspec.Raw
    hold: msgspec.Raw = _NONE
    profile_id: str = ""


class _Fees(msgspec.Struct):
    maker_fee_rate: msgspec.Raw
    taker_fee_rate: msgspec.Raw


class _Book(msgspec.Struct):
    bids: list[list[msgspec.Raw]]
    asks: list[list[msgspec.Raw]]


def order_body(order: NewOrder) -> bytes | None:
    """The request that creates an order; None for one that this API cannot express."""
    time_in_force = order.time_in_force
    body: dict[str, Any]
    if order.price is None:
        if order.post_only or time_in_force not in (TimeInForce.GTC, TimeInForce.IOC):
            return None
        body = {"type": "market", "size": plain(order.size)}
    else:
        is_at_once = time_in_force in (TimeInForce.IOC, TimeInForce.FOK)
        if time_in_force is TimeInForce.GTD or (is_at_once and order.post_only):
            # GTT counts minutes, hours or days from the acceptance: no end time can be said exactly.
            return None
        body = {
            "type": "limit",
            "price": plain(order.price),
            "size": plain(order.size),
            "time_in_force": time_in_force.value.upper(),
            **({} if is_at_once else {"post_only": order.post_only}),
        }
    return msgspec.json.encode(
        {
            **body,
            "side": order.side.word,
            "product_id": order.product,
            "client_oid": order.client_id,
            "stp": "dc",
        }
    )


def is_uuid(client_id: str) -> bool:
    """True for an id that the venue takes as ours; it ignores or refuses others."""
    try:
        return str(UUID(client_id)) == client_id.lower()
    except ValueError:
        return False


def server_ns(body: bytes) -> int:
    """The venue's time, as nanoseconds since 1970."""
    return int(required(msgspec.json.decode(body, type=_Time).epoch, "epoch") * _NS)


def created(body: bytes, client_id: str) -> SubmitAnswer:
    """The answer to a create with status 200: the order, which may be one that was rejected."""
    try:
        order = msgspec.json.decode(body, type=_Order, strict=False)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        order = None
    if order is None or not order.id or (order.client_oid or client_id).lower() != client_id.lower():
        return SubmitAnswer(
            Outcome.UNKNOWN,
            code="UNREADABLE",
            reason="the venue's answer cannot be read; whether it acted on the request is not known",
        )
    if order.status.lower() == "rejected":
        reason = text_reason(order.reject_reason or "")
        return SubmitAnswer(Outcome.REFUSED, identifier(order.id), reason.code, reason.sentence)
    return SubmitAnswer(Outcome.ACCEPTED, order_id=identifier(order.id))


def cancelled(body: bytes) -> bool:
    """True where the venue's answer to a cancel names what it cancels."""
    try:
        return bool(msgspec.json.decode(body, type=str | list[str]))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False


def one_order(body: bytes) -> OrderReport:
    """The order of a question for one."""
    return _report(msgspec.json.decode(body, type=_Order, strict=False))


def orders(body: bytes) -> list[OrderReport]:
    """The orders of one page."""
    return [_report(order) for order in msgspec.json.decode(body, type=list[_Order], strict=False)]


def _report(order: _Order) -> OrderReport:
    filled = amount(order.filled_size, "filled_size")
    value = amount(order.executed_value, "executed_value")
    size = figure(order.size, "size")
    status = _status(order, filled, size)
    remaining = Decimal(0) if size is None or status in _OVER else max(Decimal(0), size - filled)
    time_in_force = (order.time_in_force or "").upper()
    return OrderReport(
        order_id=identifier(order.id),
        client_order_id=identifier(order.client_oid or ""),
        product=identifier(order.product_id),
        side=own_side(order.side),
        status=status,
        order_type=order.type.upper(),
        time_in_force=_TIMES_IN_FORCE.get(time_in_force, time_in_force),
        post_only=bool(order.post_only),
        limit_price=figure(order.price, "price") or None,
        stop_price=figure(order.stop_price, "stop_price") or None,
        filled=filled,
        remaining=remaining,
        average_price=_WIDE.divide(value, filled) if filled else Decimal(0),
        filled_value=value,
        fees=amount(order.fill_fees, "fill_fees"),
        number_of_fills=0,
        cancel_reason=harmless(order.done_reason or "") if status == "CANCELLED" else "",
        reject_reason=harmless(order.reject_reason or ""),
    )


def _status(order: _Order, filled: Decimal, size: Decimal | None) -> str:
    """The status in the words of Advanced Trade; one that is not known stays as it is."""
    word = harmless(order.status).lower()
    if word != "done":
        return _STATUSES.get(word, word.upper())
    if order.done_reason:
        return "FILLED" if order.done_reason.lower() == "filled" else "CANCELLED"
    return "FILLED" if size is not None and filled >= size else "CANCELLED"


def fills(body: bytes) -> list[VenueFill]:
    """The executions of one page, as listed."""
    times = TimeParser()
    return [_fill(entry, times) for entry in msgspec.json.decode(body, type=list[_Fill], strict=False)]


def _fill(entry: _Fill, times: TimeParser) -> VenueFill:
    liquidity = (entry.liquidity or "").upper()
    return VenueFill(
        # One trade has two sides: in a self-trade both are ours.
        fill_id=f"{entry.trade_id}:{identifier(entry.order_id)}",
        order_id=identifier(entry.order_id),
        product=identifier(entry.product_id),
        side=own_side(entry.side),
        price=required(entry.price, "price"),
        size=required(entry.size, "size"),
        fee=amount(entry.fee, "fee"),
        is_maker=True if liquidity == "M" else False if liquidity == "T" else None,
        time_ns=times.ns(entry.created_at),
    )


def accounts(body: bytes) -> tuple[list[Balance], str]:
    """Every wallet, and the profile that they belong to."""
    told = msgspec.json.decode(body, type=list[_Account])
    wallets = [
        Balance(
            identifier(entry.currency), required(entry.available, "available"), amount(entry.hold, "hold")
        )
        for entry in told
    ]
    return wallets, identifier(told[0].profile_id) if told else ""


def fee_rates(body: bytes) -> FeeRates:
    """The account's own rates."""
    told = msgspec.json.decode(body, type=_Fees)
    return FeeRates(
        required(told.maker_fee_rate, "maker_fee_rate") * _BPS,
        required(told.taker_fee_rate, "taker_fee_rate") * _BPS,
    )


def book_top(body: bytes, depth: int) -> BookTop:
    """The best `depth` levels a side."""
    book = msgspec.json.decode(body, type=_Book)
    return BookTop(_levels(book.bids, depth), _levels(book.asks, depth))


def _levels(levels: list[list[msgspec.Raw]], depth: int) -> tuple[tuple[Decimal, Decimal], ...]:
    if any(len(level) < 2 for level in levels[:depth]):
        raise ValueError("a level of the book has no size")
    return tuple((required(level[0], "price"), required(level[1], "size")) for level in levels[:depth])
