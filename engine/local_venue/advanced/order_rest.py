"""REST of Advanced Trade that takes orders and lists them."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from aiohttp import web

from engine.core.order import Side
from engine.local_venue.advanced.account_bodies import TIME_IN_FORCE, fill_body, order_body
from engine.local_venue.advanced.market_bodies import Body, side_word
from engine.local_venue.advanced.requests import (
    BadRequest,
    NotFound,
    decimal_of,
    new_order,
    number_of,
    page_of,
    read_object,
    side_of,
    time_of,
)
from engine.local_venue.advanced.words import (
    CANCEL_FAILURES,
    UNKNOWN_CANCEL,
    UNKNOWN_FAILURE,
    edit_failure_of,
    failure_of,
)
from engine.local_venue.core import VenueCore
from engine.local_venue.holds import cost, cost_at_market
from engine.local_venue.money import EXACT, plain, product_of
from engine.local_venue.orders import OrderRefused, OrderStatus, Refusal, VenueOrder

_MOST_CANCELS: Final = 100
_PAGE: Final = 100
_MOST_ORDERS: Final = 1_000
_STATUSES: Final = frozenset(OrderStatus) | {"QUEUED", "EDIT_QUEUED", "UNKNOWN_ORDER_STATUS"}
"""What may be asked for; no order of this venue is ever in the last three."""


class OrderRest:
    """Orders and fills. A refused order is a normal answer: HTTP 200, `success` false."""

    def __init__(self, core: VenueCore) -> None:
        self._core = core

    async def create(self, request: web.Request) -> Body:
        """POST /orders"""
        body = await read_object(request)
        if not body.get("client_order_id"):
            raise BadRequest("client_order_id is required")
        try:
            order = self._core.submit(new_order(body))
        except OrderRefused as refused:
            return _refused(refused, body)
        return {
            "success": True,
            "success_response": {
                "order_id": order.order_id,
                "product_id": order.product_id,
                "side": side_word(order.side),
                "client_order_id": order.client_order_id,
                "attached_order_id": "",
            },
            "order_configuration": body["order_configuration"],
        }

    async def preview(self, request: web.Request) -> Body:
        """POST /orders/preview"""
        body = await read_object(request)
        try:
            order = self._core.preview(new_order(body))
        except OrderRefused as refused:
            failure = failure_of(refused.refusal)
            return {**_preview_figures(None, self._core), "errs": [failure.preview], "warning": []}
        return {**_preview_figures(order, self._core), "errs": [], "warning": []}

    async def edit(self, request: web.Request) -> Body:
        """POST /orders/edit"""
        order_id, price, size = await self._edit_asked(request)
        try:
            self._core.edit(order_id, price, size)
        except OrderRefused as refused:
            return _edit_refused(refused)
        return {"success": True, "errors": []}

    async def edit_preview(self, request: web.Request) -> Body:
        """POST /orders/edit_preview"""
        order_id, price, size = await self._edit_asked(request)
        try:
            order = self._core.check_edit(order_id, price, size)
        except OrderRefused as refused:
            return {"errors": _edit_refused(refused)["errors"]}
        value = EXACT.multiply(price, size)
        fee = EXACT.multiply(value, order.taker_rate)
        return {
            "errors": [],
            "slippage": "0",
            "order_total": plain(EXACT.add(value, fee)),
            "commission_total": plain(fee),
            "quote_size": plain(value),
            "base_size": plain(size),
            "best_bid": self._touch(order.product_id, Side.BUY),
            "best_ask": self._touch(order.product_id, Side.SELL),
            "average_filled_price": plain(order.average_price),
        }

    async def cancel(self, request: web.Request) -> Body:
        """POST /orders/batch_cancel"""
        order_ids = (await read_object(request)).get("order_ids")
        if not isinstance(order_ids, list) or not all(isinstance(each, str) for each in order_ids):
            raise BadRequest("order_ids must be a list of texts")
        if not 0 < len(order_ids) <= _MOST_CANCELS:
            raise BadRequest(f"order_ids must hold 1 to {_MOST_CANCELS} ids")
        answers = self._core.cancel(order_ids)
        return {
            "results": [
                {
                    "success": refusal is None,
                    "failure_reason": UNKNOWN_CANCEL
                    if refusal is None
                    else CANCEL_FAILURES.get(refusal, UNKNOWN_CANCEL),
                    "order_id": order_id,
                }
                for order_id, refusal in zip(order_ids, answers, strict=True)
            ]
        }

    async def order(self, request: web.Request) -> Body:
        """GET /orders/historical/{order_id}"""
        order = self._core.order(request.match_info["order_id"])
        if order is None:
            raise NotFound("order not found")
        return {"order": order_body(order)}

    async def batch(self, request: web.Request) -> Body:
        """GET /orders/historical/batch"""
        query = request.query
        words = query.getall("order_status", [])
        if not _STATUSES.issuperset(words):
            raise BadRequest(f"order_status must be of {', '.join(sorted(_STATUSES))}")
        if "OPEN" in words and len(words) > 1:
            raise BadRequest("OPEN cannot be combined with other order statuses")
        kinds, terms = query.getall("order_types", []), query.getall("time_in_forces", [])
        found = [
            order
            for order in self._core.orders(
                order_ids=query.getall("order_ids", []),
                product_ids=query.getall("product_ids", []),
                side=side_of(query["order_side"]) if query.get("order_side") else None,
                start_ns=time_of(request, "start_date"),
                end_ns=time_of(request, "end_date"),
            )
            if (not words or order.status.value in words)
            and (not kinds or ("MARKET" if order.price is None else "LIMIT") in kinds)
            and (not terms or TIME_IN_FORCE[order.asked.time_in_force] in terms)
        ]
        limit = number_of(request, "limit", _MOST_ORDERS, _MOST_ORDERS)
        ids = [order.order_id for order in found]
        page, cursor = page_of(found, query.get("cursor", ""), limit, ids)
        return {
            "orders": [order_body(order) for order in page],
            "sequence": "0",
            "has_next": bool(cursor),
            "cursor": cursor,
            "proof_token_required": False,
        }

    async def fills(self, request: web.Request) -> Body:
        """GET /orders/historical/fills"""
        query = request.query
        # The singular names are older spellings of the same.
        found = self._core.fills(
            order_ids=query.getall("order_ids", []) + query.getall("order_id", []),
            product_ids=query.getall("product_ids", []) + query.getall("product_id", []),
            trade_ids=query.getall("trade_ids", []),
            start_ns=time_of(request, "start_sequence_timestamp"),
            end_ns=time_of(request, "end_sequence_timestamp"),
        )
        limit = number_of(request, "limit", _PAGE, _MOST_ORDERS)
        ids = [fill.entry_id for fill in found]
        page, cursor = page_of(found, query.get("cursor", ""), limit, ids)
        return {"fills": [fill_body(fill) for fill in page], "cursor": cursor}

    async def _edit_asked(self, request: web.Request) -> tuple[str, Decimal, Decimal]:
        body = await read_object(request)
        order_id = body.get("order_id")
        if not isinstance(order_id, str):
            raise BadRequest("order_id is required")
        return order_id, decimal_of(body.get("price"), "price"), decimal_of(body.get("size"), "size")

    def _touch(self, product_id: str, side: Side) -> str:
        levels = self._core.tape(product_id).levels.levels(side, 1)
        return self._core.products[product_id].instrument.price_text(levels[0][0]) if levels else ""


def _refused(refused: OrderRefused, body: Body) -> Body:
    if refused.refusal is Refusal.NO_ACCOUNT:
        raise BadRequest(refused.refusal.value)
    failure = failure_of(refused.refusal)
    return {
        "success": False,
        "failure_reason": UNKNOWN_FAILURE,
        "order_id": "",
        "error_response": {
            "error": failure.error,
            "message": failure.message,
            "error_details": failure.details,
            "preview_failure_reason": failure.preview,
            "new_order_failure_reason": UNKNOWN_FAILURE,
        },
        "order_configuration": body.get("order_configuration"),
    }


def _edit_refused(refused: OrderRefused) -> Body:
    edit, preview = edit_failure_of(refused.refusal)
    return {"success": False, "errors": [{"edit_failure_reason": edit, "preview_failure_reason": preview}]}


def _preview_figures(order: VenueOrder | None, core: VenueCore) -> Body:
    if order is None:
        return {"order_total": "0", "commission_total": "0", "quote_size": "0", "base_size": "0"}
    if order.price is not None:
        total = cost(order.price, order.size, order.maker_rate, order.taker_rate)
        value = product_of(order.price, order.size)
    else:
        product = core.products[order.product_id]
        levels = core.tape(order.product_id).levels.levels(order.side.opposite)
        total = cost_at_market(product, levels, order.size, order.taker_rate)
        value = cost_at_market(product, levels, order.size, Decimal(0))
    return {
        "order_total": plain(total),
        "commission_total": plain(EXACT.subtract(total, value)),
        "quote_size": plain(value),
        "base_size": plain(order.size),
        "slippage": "0",
        "is_max": False,
    }
