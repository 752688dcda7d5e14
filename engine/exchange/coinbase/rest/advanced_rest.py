"""What Advanced Trade's REST answers say, as the broker's types."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from engine.core.foreign_text import harmless, identifier
from engine.exchange.coinbase.broker import (
    Balance,
    BookTop,
    FeeRates,
    Permissions,
    VenueFill,
)
from engine.exchange.coinbase.rest.reasons import (
    is_meaningless,
)
from engine.exchange.coinbase.rest.texts import amount, figure, required
from engine.exchange.coinbase.wire.timestamps import TimeParser
from engine.exchange.coinbase.wire.user import OrderReport, own_side

_NONE: Final = msgspec.Raw(b"null")
_LIVE: Final = frozenset({"PENDING", "OPEN", "QUEUED", "CANCEL_QUEUED", "EDIT_QUEUED"})
_BPS: Final = 10_000


class _Time(msgspec.Struct):
    epochMillis: int  # noqa: N815 - the venue's name


class _Terms(msgspec.Struct):
    """The one member of an order's configuration."""

    base_size: msgspec.Raw = _NONE
    limit_price: msgspec.Raw = _NONE
    stop_price: msgspec.Raw = _NONE
    post_only: bool | None = False


class _Order(msgspec.Struct):
    order_id: str
    product_id: str
    side: str
    status: str
    client_order_id: str | None = ""
    order_type: str | None = ""
    time_in_force: str | None = ""
    order_configuration: dict[str, _Terms | None] | None = None
    filled_size: msgspec.Raw = _NONE
    average_filled_price: msgspec.Raw = _NONE
    filled_value: msgspec.Raw = _NONE
    total_fees: msgspec.Raw = _NONE
    number_of_fills: msgspec.Raw = _NONE
    reject_reason: str | None = ""
    reject_message: str | None = ""
    cancel_message: str | None = ""


class _OneOrder(msgspec.Struct):
    order: _Order


class _Orders(msgspec.Struct):
    orders: list[_Order]
    has_next: bool
    cursor: str | None = ""


class _Fill(msgspec.Struct):
    entry_id: str
    order_id: str
    product_id: str
    side: str
    price: msgspec.Raw
    size: msgspec.Raw
    commission: msgspec.Raw = _NONE
    trade_time: str | None = ""
    trade_type: str | None = "FILL"
    liquidity_indicator: str | None = ""
    size_in_quote: bool | None = False


class _Fills(msgspec.Struct):
    fills: list[_Fill]
    cursor: str | None = ""


class _Money(msgspec.Struct):
    value: msgspec.Raw = _NONE


class _Account(msgspec.Struct):
    currency: str
    available_balance: _Money
    hold: _Money | None = None
    type: str = ""
    deleted_at: str | None = None


class _Accounts(msgspec.Struct):
    accounts: list[_Account]
    has_next: bool = False
    cursor: str | None = ""


class _Tier(msgspec.Struct):
    maker_fee_rate: msgspec.Raw
    taker_fee_rate: msgspec.Raw
    pricing_tier: str = ""


class _Summary(msgspec.Struct):
    fee_tier: _Tier


class _Rights(msgspec.Struct):
    can_view: bool | None = None
    can_trade: bool | None = None
    can_transfer: bool | None = None
    portfolio_uuid: str = ""


class _Level(msgspec.Struct):
    price: msgspec.Raw
    size: msgspec.Raw


class _PriceBook(msgspec.Struct):
    bids: list[_Level]
    asks: list[_Level]


class _Book(msgspec.Struct):
    pricebook: _PriceBook


class PlainFill(msgspec.Struct, frozen=True):
    """A fill whose size may still be in quote money."""

    fill: VenueFill
    is_in_quote: bool


def server_ns(body: bytes) -> int:
    """The venue's time, as nanoseconds since 1970."""
    return msgspec.json.decode(body, type=_Time, strict=False).epochMillis * 1_000_000


def one_order(body: bytes) -> OrderReport:
    """The order of a question for one."""
    return _report(msgspec.json.decode(body, type=_OneOrder, strict=False).order)


def orders_page(body: bytes) -> tuple[list[OrderReport], str | None]:
    """One page of orders, and the cursor of the next page; None at the end."""
    page = msgspec.json.decode(body, type=_Orders, strict=False)
    return [_report(order) for order in page.orders], (page.cursor or "") if page.has_next else None


def _report(order: _Order) -> OrderReport:
    terms = next((terms for terms in (order.order_configuration or {}).values() if terms), _Terms())
    status = harmless(order.status).upper()
    filled = amount(order.filled_size, "filled_size")
    size = figure(terms.base_size, "base_size")
    remaining = max(Decimal(0), size - filled) if size is not None and status in _LIVE else Decimal(0)
    reject = harmless(order.reject_reason or "")
    return OrderReport(
        order_id=identifier(order.order_id),
        client_order_id=identifier(order.client_order_id or ""),
        product=identifier(order.product_id),
        side=own_side(order.side),
        status=status,
        order_type=(order.order_type or "").upper().replace(" ", "_"),
        time_in_force=(order.time_in_force or "").upper(),
        post_only=bool(terms.post_only),
        limit_price=figure(terms.limit_price, "limit_price") or None,
        stop_price=figure(terms.stop_price, "stop_price") or None,
        filled=filled,
        remaining=remaining,
        average_price=amount(order.average_filled_price, "average_filled_price"),
        filled_value=figure(order.filled_value, "filled_value"),
        fees=amount(order.total_fees, "total_fees"),
        number_of_fills=int(amount(order.number_of_fills, "number_of_fills")),
        cancel_reason=harmless(order.cancel_message or ""),
        reject_reason="" if is_meaningless(reject) else reject,
    )


def fills_page(body: bytes) -> tuple[list[PlainFill], str | None]:
    """One page of executions as listed, and the cursor of the next page; None at the end."""
    page = msgspec.json.decode(body, type=_Fills, strict=False)
    times = TimeParser()
    return [_fill(entry, times) for entry in page.fills], page.cursor or None if page.fills else None


def _fill(entry: _Fill, times: TimeParser) -> PlainFill:
    size = required(entry.size, "size")
    liquidity = (entry.liquidity_indicator or "").upper()
    return PlainFill(
        VenueFill(
            fill_id=identifier(entry.entry_id),
            order_id=identifier(entry.order_id),
            product=identifier(entry.product_id),
            side=own_side(entry.side),
            price=required(entry.price, "price"),
            size=size if (entry.trade_type or "").upper() in ("", "FILL") else -abs(size),
            fee=amount(entry.commission, "commission"),
            is_maker=True if liquidity == "MAKER" else False if liquidity == "TAKER" else None,
            time_ns=times.ns(entry.trade_time or ""),
        ),
        bool(entry.size_in_quote),
    )


def accounts_page(body: bytes) -> tuple[list[Balance], str | None]:
    """One page of wallets that can trade, and the cursor of the next page; None at the end."""
    page = msgspec.json.decode(body, type=_Accounts)
    wallets = [
        Balance(
            identifier(account.currency),
            amount(account.available_balance.value, "available_balance"),
            amount((account.hold or _Money()).value, "hold"),
        )
        for account in page.accounts
        if account.deleted_at is None and account.type.upper() != "ACCOUNT_TYPE_VAULT"
    ]
    return wallets, (page.cursor or "") if page.has_next else None


def fee_rates(body: bytes) -> FeeRates:
    """The account's own rates."""
    tier = msgspec.json.decode(body, type=_Summary).fee_tier
    return FeeRates(
        required(tier.maker_fee_rate, "maker_fee_rate") * _BPS,
        required(tier.taker_fee_rate, "taker_fee_rate") * _BPS,
        harmless(tier.pricing_tier),
    )


def rights(body: bytes) -> Permissions:
    """What the key may do."""
    told = msgspec.json.decode(body, type=_Rights)
    return Permissions(told.can_view, told.can_trade, told.can_transfer, identifier(told.portfolio_uuid))


def book_top(body: bytes, depth: int) -> BookTop:
    """The best `depth` levels a side."""
    book = msgspec.json.decode(body, type=_Book).pricebook
    return BookTop(_levels(book.bids, depth), _levels(book.asks, depth))


def _levels(levels: list[_Level], depth: int) -> tuple[tuple[Decimal, Decimal], ...]:
    return tuple((required(level.price, "price"), required(level.size, "size")) for level in levels[:depth])
