"""Reading what clients of Advanced Trade send: parameters of a query, and the body of a new order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar

import msgspec
from aiohttp import web

from engine.core.errors import PinnacleError
from engine.core.order import Side, TimeInForce
from engine.local_venue.orders import NewOrder, OrderRefused, Refusal

Item = TypeVar("Item")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LIMIT_KINDS: Final = {
    "limit_limit_gtc": TimeInForce.GTC,
    "limit_limit_gtd": TimeInForce.GTD,
    "limit_limit_fok": TimeInForce.FOK,
    "sor_limit_ioc": TimeInForce.IOC,
}
_MARKET_KINDS: Final = {
    "market_market_ioc": TimeInForce.IOC,
    "market_market_fok": TimeInForce.FOK,
}


class BadRequest(PinnacleError):
    """A request that is answered with HTTP 400; the message is what the client is told."""


class NotFound(PinnacleError):
    """A request for something that does not exist: HTTP 404; the message is what the client is told."""


async def read_object(request: web.Request) -> dict[str, Any]:
    """The JSON object of a request's body."""
    try:
        body = msgspec.json.decode(await request.read())
    except msgspec.DecodeError as error:
        raise BadRequest(f"the body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise BadRequest("the body must be an object")
    return body


def number_of(request: web.Request, name: str, default: int, most: int) -> int:
    """A whole number of the query, at least 1 and no more than `most`."""
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise BadRequest(f"{name} must be a positive whole number")
    return min(int(text), most)


def seconds_of(request: web.Request, name: str) -> int | None:
    """UNIX seconds of the query."""
    text = request.query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()):
        raise BadRequest(f"{name} must be UNIX seconds")
    return int(text)


def time_of(request: web.Request, name: str) -> int | None:
    """An RFC 3339 time of the query, in nanoseconds since 1970."""
    text = request.query.get(name)
    return None if not text else nanoseconds(text, name)


def nanoseconds(text: object, name: str) -> int:
    """An RFC 3339 time in nanoseconds since 1970."""
    try:
        if not isinstance(text, str):
            raise TypeError
        at = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise BadRequest(f"{name} must be an RFC 3339 time") from None
    if at.tzinfo is None:
        raise BadRequest(f"{name} must name its zone")
    return (at - _EPOCH) // timedelta(microseconds=1) * 1_000


def page_of(items: Sequence[Item], cursor: str, limit: int, ids: Sequence[str]) -> tuple[Sequence[Item], str]:
    """The items behind the one that `cursor` names, at most `limit`, and the cursor of the next page.

    A cursor names the last item that was shown, so what came since does not move the pages.
    """
    begin = 0
    if cursor:
        if cursor not in ids:
            raise BadRequest("invalid cursor")
        begin = ids.index(cursor) + 1
    page = items[begin : begin + limit]
    has_next = begin + limit < len(items)
    return page, ids[begin + limit - 1] if has_next else ""


def side_of(text: object) -> Side:
    """A side as requests spell it."""
    if text == "BUY":
        return Side.BUY
    if text == "SELL":
        return Side.SELL
    raise BadRequest("side must be BUY or SELL")


def decimal_of(text: object, name: str) -> Decimal:
    """A number that came as text in plain notation."""
    try:
        if not isinstance(text, str) or not set(text) <= set("0123456789.-"):
            raise InvalidOperation
        return Decimal(text)
    except InvalidOperation:
        raise BadRequest(f"{name} must be a decimal number, given as text") from None


def new_order(body: Mapping[str, Any]) -> NewOrder:
    """The order of a request to create or to preview one.

    Raises `BadRequest` for what cannot be read, `OrderRefused` for what is not offered here.
    """
    product_id, client_order_id = body.get("product_id"), body.get("client_order_id", "")
    if not isinstance(product_id, str) or not product_id:
        raise BadRequest("product_id is missing")
    if not isinstance(client_order_id, str):
        raise BadRequest("client_order_id must be a text")
    side = side_of(body.get("side"))
    configuration = body.get("order_configuration")
    if not isinstance(configuration, dict) or len(configuration) != 1:
        raise BadRequest("order_configuration must have exactly one member")
    kind, terms = next(iter(configuration.items()))
    if not isinstance(terms, dict):
        raise BadRequest(f"{kind} must be an object")
    if kind in _MARKET_KINDS:
        return _market_order(product_id, client_order_id, side, _MARKET_KINDS[kind], terms)
    if kind not in _LIMIT_KINDS:
        raise OrderRefused(Refusal.UNSUPPORTED, f"{kind} is not offered by the local venue")
    time_in_force = _LIMIT_KINDS[kind]
    post_only = terms.get("post_only", False)
    if type(post_only) is not bool:
        raise BadRequest("post_only must be true or false")
    end_time = terms.get("end_time") if time_in_force is TimeInForce.GTD else None
    return NewOrder(
        product_id,
        side,
        decimal_of(terms.get("base_size"), "base_size"),
        decimal_of(terms.get("limit_price"), "limit_price"),
        client_order_id=client_order_id,
        time_in_force=time_in_force,
        post_only=post_only,
        end_time_ns=None if end_time is None else nanoseconds(end_time, "end_time"),
    )


def _market_order(
    product_id: str, client_order_id: str, side: Side, time_in_force: TimeInForce, terms: Mapping[str, Any]
) -> NewOrder:
    base, quote = terms.get("base_size"), terms.get("quote_size")
    if (base is None) == (quote is None):
        raise BadRequest("a market order needs base_size or quote_size")
    return NewOrder(
        product_id,
        side,
        None if base is None else decimal_of(base, "base_size"),
        quote_size=None if quote is None else decimal_of(quote, "quote_size"),
        client_order_id=client_order_id,
        time_in_force=time_in_force,
    )
