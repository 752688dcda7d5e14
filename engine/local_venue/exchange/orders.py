"""Reads the orders that clients of the Exchange API place."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from engine.core.errors import PinnacleError
from engine.core.order import TimeInForce
from engine.local_venue.exchange.texts import side_of
from engine.local_venue.orders import NewOrder

_NS: Final = 1_000_000_000
_TERMS: Final = {
    "GTC": TimeInForce.GTC,
    "GTT": TimeInForce.GTD,
    "IOC": TimeInForce.IOC,
    "FOK": TimeInForce.FOK,
}
_LIVES_S: Final = {"min": 60, "hour": 3_600, "day": 86_400}
_SELF_TRADE_RULES: Final = frozenset({"dc", "co", "cn", "cb"})
_LONGEST: Final = 64
"""No number that means something has more characters."""


class BadOrder(PinnacleError):
    """An order that cannot be read; the text is what the venue answers with 400."""


def read_order(body: Mapping[str, Any], wall_ns: int) -> NewOrder:
    """The order in the body of a request."""
    kind = body.get("type", "limit")
    if kind not in ("limit", "market"):
        raise BadOrder("stop orders are not supported here" if kind == "stop" else "Invalid type")
    product_id = body.get("product_id")
    if not isinstance(product_id, str) or not product_id:
        raise BadOrder("product_id is required")
    side = side_of(body.get("side"))
    if side is None:
        raise BadOrder("Invalid side")
    if body.get("stp", "dc") not in _SELF_TRADE_RULES:
        raise BadOrder("Invalid stp")
    client_oid = _client_oid(body.get("client_oid"))
    if kind == "market":
        size, funds = _number(body, "size"), _number(body, "funds")
        if (size is None) == (funds is None):
            raise BadOrder("one of size and funds is required")
        return NewOrder(product_id, side, size, None, funds, client_oid, TimeInForce.IOC)
    price, size = _number(body, "price"), _number(body, "size")
    if price is None or size is None:
        raise BadOrder(f"{'price' if price is None else 'size'} is required")
    terms = _TERMS.get(body.get("time_in_force", "GTC"))
    if terms is None:
        raise BadOrder("Invalid time_in_force")
    post_only = body.get("post_only", False)
    if not isinstance(post_only, bool):
        raise BadOrder("Invalid post_only")
    if post_only and terms in (TimeInForce.IOC, TimeInForce.FOK):
        raise BadOrder(f"post_only cannot be used with {terms.value.upper()}")
    end_ns = _end(body, terms, wall_ns)
    return NewOrder(product_id, side, size, price, None, client_oid, terms, post_only, end_ns)


def _client_oid(given: object) -> str:
    if given is None or given == "":
        return ""
    try:
        return str(uuid.UUID(str(given)))
    except ValueError:
        raise BadOrder("Invalid client_oid: must be a UUID") from None


def _number(body: Mapping[str, Any], name: str) -> Decimal | None:
    given = body.get(name)
    if given is None or given == "":
        return None
    try:
        number = Decimal(str(given)) if isinstance(given, str | int) and len(str(given)) <= _LONGEST else None
    except InvalidOperation:
        number = None
    if number is None or isinstance(given, bool) or not number.is_finite():
        raise BadOrder(f"Invalid {name}")
    return number


def _end(body: Mapping[str, Any], terms: TimeInForce, wall_ns: int) -> int | None:
    given = body.get("cancel_after")
    if terms is not TimeInForce.GTD:
        if given is not None:
            raise BadOrder("cancel_after requires time_in_force GTT")
        return None
    seconds = _LIVES_S.get(str(given))
    if seconds is None:
        raise BadOrder("cancel_after must be one of min, hour, day")
    return wall_ns + seconds * _NS
