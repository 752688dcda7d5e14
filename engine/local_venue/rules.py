"""What the venue checks before it takes an order: the product's flags, its increments, its limits."""

from __future__ import annotations

from decimal import Decimal

from engine.core.order import TimeInForce
from engine.local_venue.money import EXACT, is_multiple
from engine.local_venue.orders import NewOrder, OrderRefused, Refusal
from engine.local_venue.products import Product


def check_order(product: Product, order: NewOrder, now_ns: int) -> None:
    """Raise `OrderRefused` for an order that the product's rules forbid. `now_ns` is wall time."""
    check_flags(product, order)
    if order.price is None:
        if order.post_only or order.time_in_force not in (TimeInForce.IOC, TimeInForce.FOK):
            raise OrderRefused(Refusal.UNSUPPORTED)
        if order.quote_size is not None:
            _check_quote_size(product, order.quote_size)
            return
        check_size(product, order.size)
        return
    if order.post_only and order.time_in_force in (TimeInForce.IOC, TimeInForce.FOK):
        raise OrderRefused(Refusal.UNSUPPORTED, "post only does not go with IOC or FOK")
    check_price(product, order.price)
    check_size(product, order.size)
    assert order.size is not None
    check_value(product, EXACT.multiply(order.price, order.size))
    if order.time_in_force is TimeInForce.GTD:
        if order.end_time_ns is None:
            raise OrderRefused(Refusal.END_TIME_MISSING)
        if order.end_time_ns <= now_ns:
            raise OrderRefused(Refusal.END_TIME_PAST)


def check_flags(product: Product, order: NewOrder) -> None:
    """Raise `OrderRefused` for what the product does not trade at the moment."""
    if product.trading_disabled or product.status != "online":
        raise OrderRefused(Refusal.TRADING_DISABLED)
    if product.cancel_only:
        raise OrderRefused(Refusal.CANCEL_ONLY)
    if product.limit_only and order.price is None:
        raise OrderRefused(Refusal.LIMIT_ONLY)
    if product.post_only and not order.post_only:
        raise OrderRefused(Refusal.POST_ONLY_MODE)


def check_price(product: Product, price: Decimal) -> None:
    """Raise `OrderRefused` for a price that is no multiple of the increment."""
    if price <= 0:
        raise OrderRefused(Refusal.BAD_PRICE)
    if not is_multiple(price, product.tick):
        raise OrderRefused(Refusal.PRICE_PRECISION)


def check_size(product: Product, size: Decimal | None) -> None:
    """Raise `OrderRefused` for a base size off the increment or outside the limits."""
    if size is None or size <= 0:
        raise OrderRefused(Refusal.BAD_SIZE)
    if not is_multiple(size, product.step):
        raise OrderRefused(Refusal.SIZE_PRECISION)
    if size < product.min_size:
        raise OrderRefused(Refusal.SIZE_TOO_SMALL)
    if size > product.max_size:
        raise OrderRefused(Refusal.SIZE_TOO_LARGE)


def check_value(product: Product, value: Decimal) -> None:
    """Raise `OrderRefused` for quote money outside the limits."""
    if value < product.min_value:
        raise OrderRefused(Refusal.NOTIONAL_TOO_SMALL)
    if value > product.max_value:
        raise OrderRefused(Refusal.NOTIONAL_TOO_LARGE)


def _check_quote_size(product: Product, quote_size: Decimal) -> None:
    if quote_size <= 0:
        raise OrderRefused(Refusal.BAD_SIZE)
    if not is_multiple(quote_size, product.tick):
        raise OrderRefused(Refusal.SIZE_PRECISION)
    check_value(product, quote_size)
