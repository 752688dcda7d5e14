"""How the Exchange API writes products, orders, fills, accounts and books."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from engine.core.order import Side, TimeInForce
from engine.local_venue.accounts import Wallet
from engine.local_venue.money import rfc3339
from engine.local_venue.orders import Fill, OrderStatus, Refusal, VenueOrder
from engine.local_venue.products import Product

PROFILE_ID: Final = str(uuid.uuid5(uuid.NAMESPACE_OID, "local venue profile"))
USER_ID: Final = "00000000000000000000002a"
_MONEY_PLACES: Final = 16
_STATUSES: Final = {
    OrderStatus.PENDING: "pending",
    OrderStatus.OPEN: "open",
    OrderStatus.CANCEL_QUEUED: "open",
    OrderStatus.FILLED: "done",
    OrderStatus.CANCELLED: "done",
    OrderStatus.EXPIRED: "done",
    OrderStatus.FAILED: "rejected",
}
_TERMS: Final = {
    TimeInForce.GTC: "GTC",
    TimeInForce.GTD: "GTT",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
}
_REJECTIONS: Final = {Refusal.POST_ONLY_CROSSES: "post only", Refusal.UNFILLABLE: "fill or kill"}


def money(value: Decimal) -> str:
    """Money as the venue writes it."""
    return f"{value:.{_MONEY_PLACES}f}"


def size(product: Product, value: Decimal) -> str:
    """A base size with all the places of its increment."""
    return f"{value:.{places(product.step)}f}"


def price(product: Product, value: Decimal) -> str:
    """A price with all the places of its increment."""
    return f"{value:.{places(product.tick)}f}"


def places(step: Decimal) -> int:
    """Digits behind the point."""
    exponent = step.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)


def product_body(product: Product) -> dict[str, Any]:
    """One product."""
    return {
        "id": product.product_id,
        "base_currency": product.base,
        "quote_currency": product.quote,
        "quote_increment": f"{product.tick.normalize():f}",
        "base_increment": f"{product.step.normalize():f}",
        "display_name": product.product_id,
        "min_market_funds": f"{product.min_value:f}",
        "margin_enabled": False,
        "post_only": product.post_only,
        "limit_only": product.limit_only,
        "cancel_only": product.cancel_only,
        "status": product.status,
        "status_message": "",
        "trading_disabled": product.trading_disabled,
        "fx_stablecoin": False,
        "max_slippage_percentage": "0.02000000",
        "auction_mode": product.auction_mode,
        "high_bid_limit_percentage": "",
    }


def status_of(order: VenueOrder) -> str:
    """Where it stands, in this API's words."""
    return _STATUSES[order.status]


def order_body(product: Product, order: VenueOrder) -> dict[str, Any]:
    """One order."""
    asked = order.asked
    body: dict[str, Any] = {
        "id": order.order_id,
        "size": size(product, order.size),
        "product_id": order.product_id,
        "profile_id": PROFILE_ID,
        "side": order.side.word,
        "type": "market" if order.price is None else "limit",
        "post_only": asked.post_only,
        "created_at": rfc3339(order.created_ns),
        "fill_fees": money(order.fees),
        "filled_size": size(product, order.filled),
        "executed_value": money(order.value),
        "status": status_of(order),
        "settled": order.status is OrderStatus.FILLED,
    }
    if order.price is not None:
        body["price"] = price(product, order.price)
        body["time_in_force"] = _TERMS[asked.time_in_force]
    if asked.quote_size is not None:
        body["funds"] = money(asked.quote_size)
    if asked.end_time_ns is not None:
        body["expire_time"] = rfc3339(asked.end_time_ns)
    if asked.client_order_id:
        body["client_oid"] = asked.client_order_id
    if order.refusal is not None:
        body["reject_reason"] = _REJECTIONS.get(order.refusal, order.refusal.value)
    elif order.ended_ns is not None:
        body["done_at"] = rfc3339(order.ended_ns)
        body["done_reason"] = done_reason(order)
    return body


def done_reason(order: VenueOrder) -> str:
    """Why an order that is over is over."""
    return "filled" if order.status is OrderStatus.FILLED else "canceled"


def fill_body(product: Product, fill: Fill) -> dict[str, Any]:
    """One fill."""
    return {
        "created_at": rfc3339(fill.time_ns),
        "trade_id": trade_number(fill.trade_id),
        "product_id": fill.product_id,
        "order_id": fill.order_id,
        "user_id": USER_ID,
        "profile_id": PROFILE_ID,
        "liquidity": "M" if fill.is_maker else "T",
        "price": price(product, fill.price),
        "size": size(product, fill.size),
        "fee": money(fill.commission),
        "side": fill.side.word,
        "settled": True,
        "usd_volume": money(fill.value),
    }


def trade_number(trade_id: str) -> int:
    """A trade's number; one that has only a word gets a number that the same word always gets."""
    return int(trade_id) if trade_id.isdecimal() else uuid.uuid5(uuid.NAMESPACE_OID, trade_id).int >> 76


def account_body(wallet: Wallet) -> dict[str, Any]:
    """One account."""
    return {
        "id": wallet.account_id,
        "currency": wallet.currency,
        "balance": money(wallet.balance),
        "available": money(wallet.available),
        "hold": money(wallet.hold),
        "profile_id": PROFILE_ID,
        "trading_enabled": True,
    }


def refusal_text(product: Product | None, refusal: Refusal) -> tuple[int, str]:
    """Status and message for what the venue will not do."""
    fixed = _REFUSED.get(refusal)
    if fixed is not None:
        return fixed
    if refusal is Refusal.SIZE_TOO_SMALL and product is not None:
        return 400, f"size is too small. Minimum size is {size(product, product.min_size)}"
    if refusal is Refusal.SIZE_TOO_LARGE and product is not None:
        return 400, f"size is too large. Maximum size is {product.max_size:f}"
    if refusal is Refusal.NOTIONAL_TOO_SMALL and product is not None:
        return 400, f"funds is too small. Minimum size is {product.min_value:f}"
    return 400, refusal.value


_REFUSED: Final[Mapping[Refusal, tuple[int, str]]] = {
    Refusal.UNKNOWN_PRODUCT: (400, "Product not found"),
    Refusal.NO_ACCOUNT: (400, "account is not available"),
    Refusal.TRADING_DISABLED: (400, "Trading is disabled"),
    Refusal.CANCEL_ONLY: (400, "Cancel only mode"),
    Refusal.LIMIT_ONLY: (400, "Limit only mode"),
    Refusal.POST_ONLY_MODE: (400, "Post only mode"),
    Refusal.BAD_SIZE: (400, "Invalid size"),
    Refusal.BAD_PRICE: (400, "price is too small"),
    Refusal.PRICE_PRECISION: (400, "price too precise"),
    Refusal.SIZE_PRECISION: (400, "size too precise"),
    Refusal.INSUFFICIENT_FUNDS: (400, "Insufficient funds"),
    Refusal.DUPLICATE_CLIENT_ID: (400, "Duplicate client_oid"),
    Refusal.TOO_MANY_OPEN: (400, "Maximum number of open orders exceeded"),
    Refusal.UNKNOWN_ORDER: (404, "NotFound"),
    Refusal.NOT_OPEN: (400, "Order already done"),
    Refusal.ALREADY_FILLED: (400, "Order already done"),
    Refusal.NO_LIQUIDITY: (400, "Insufficient liquidity"),
}


def side_of(word: object) -> Side | None:
    """The side that a word means."""
    return {"buy": Side.BUY, "sell": Side.SELL}.get(str(word))
