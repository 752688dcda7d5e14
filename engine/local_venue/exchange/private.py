"""REST of the Exchange API that needs a key: orders, fills, accounts, fees."""

from __future__ import annotations

import json
import uuid
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler

from engine.local_venue.core import VenueCore
from engine.local_venue.exchange.answers import BadRequest, NotFound, refused
from engine.local_venue.exchange.books import ExchangeBooks
from engine.local_venue.exchange.orders import BadOrder, read_order
from engine.local_venue.exchange.pages import Numbered, page
from engine.local_venue.exchange.texts import (
    account_body,
    fill_body,
    money,
    order_body,
    refusal_text,
    status_of,
    trade_number,
)
from engine.local_venue.orders import NewOrder, OrderRefused, OrderStatus, Refusal, VenueOrder

_DEFAULT_STATUSES: Final = ("open", "pending", "active")
_ALL_STATUSES: Final = frozenset({*_DEFAULT_STATUSES, "received", "rejected", "done", "settled", "all"})


class PrivateRest:
    """Handlers of requests whose sender is known."""

    def __init__(self, core: VenueCore, books: ExchangeBooks) -> None:
        self._core = core
        self._books = books

    def handlers(self) -> dict[tuple[str, str], Handler]:
        """Who answers which method and path."""
        return {
            ("POST", "/orders"): self._place,
            ("GET", "/orders"): self._list,
            ("DELETE", "/orders"): self._cancel_all,
            ("GET", "/orders/{id}"): self._get,
            ("DELETE", "/orders/{id}"): self._cancel,
            ("GET", "/fills"): self._fills,
            ("GET", "/accounts"): self._accounts,
            ("GET", "/accounts/{id}"): self._account,
            ("GET", "/fees"): self._fees,
        }

    # -- orders ------------------------------------------------------------------------------------------

    async def _place(self, request: web.Request) -> web.Response:
        try:
            body = json.loads(await request.read())
        except (ValueError, RecursionError):
            raise BadRequest("Malformed JSON") from None
        if not isinstance(body, dict):
            raise BadRequest("Malformed JSON")
        try:
            asked = read_order(body, self._core.clock.wall_ns())
            order = self._core.submit(asked)
        except BadOrder as error:
            raise BadRequest(str(error)) from error
        except OrderRefused as error:
            if error.refusal is Refusal.POST_ONLY_CROSSES:
                return web.json_response(self._body(self._rejected(asked)))
            product = self._core.products.get(str(body.get("product_id")))
            return refused(*refusal_text(product, error.refusal))
        self._books[order.product_id].tell_rests()
        return web.json_response(self._body(order))

    def _rejected(self, asked: NewOrder) -> VenueOrder:
        """An order that this API takes only to say at once that it is rejected; nothing is kept of it."""
        tier, size = self._core.fee_tier, asked.size
        assert size is not None
        order = VenueOrder(
            str(uuid.uuid4()),
            asked,
            asked.price,
            size,
            self._core.clock.wall_ns(),
            tier.maker_rate,
            tier.taker_rate,
        )
        order.status, order.refusal = OrderStatus.FAILED, Refusal.POST_ONLY_CROSSES
        return order

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response(self._body(self._named(request)))

    async def _list(self, request: web.Request) -> web.Response:
        asked = [one for given in request.query.getall("status", []) for one in given.split(",") if one]
        statuses = frozenset(asked or _DEFAULT_STATUSES)
        if not statuses <= _ALL_STATUSES:
            raise BadRequest("Invalid status")
        product_id = request.query.get("product_id")
        numbered = [
            Numbered(number, order)
            for number, order in enumerate(reversed(self._core.orders()), start=1)
            if _is_kept(order)
            and (product_id is None or order.product_id == product_id)
            and ("all" in statuses or status_of(order) in statuses)
        ]
        orders, headers = page(numbered[::-1], request.query)
        return web.json_response([self._body(order) for order in orders], headers=headers)

    async def _cancel(self, request: web.Request) -> web.Response:
        order = self._named(request)
        product_id = request.query.get("product_id")
        if product_id is not None and product_id != order.product_id:
            raise NotFound
        (refusal,) = self._core.cancel([order.order_id])
        if refusal is not None and refusal is not Refusal.CANCEL_PENDING:
            return refused(*refusal_text(None, refusal))
        return web.json_response(request.match_info["id"].removeprefix("client:"))

    async def _cancel_all(self, request: web.Request) -> web.Response:
        product_id = request.query.get("product_id")
        ids = [
            order.order_id
            for order in self._core.live_orders()
            if product_id is None or order.product_id == product_id
        ]
        refusals = self._core.cancel(ids)
        return web.json_response(
            [order_id for order_id, refusal in zip(ids, refusals, strict=True) if refusal is None]
        )

    def _named(self, request: web.Request) -> VenueOrder:
        """The order that a path names, unless the venue has forgotten it."""
        name = request.match_info["id"]
        if name.startswith("client:"):
            order = self._core.order_by_client_id(name.removeprefix("client:"))
        else:
            order = self._core.order(name)
        if order is None or not _is_kept(order):
            raise NotFound
        return order

    def _body(self, order: VenueOrder) -> dict[str, Any]:
        return order_body(self._core.products[order.product_id], order)

    # -- the account -------------------------------------------------------------------------------------

    async def _fills(self, request: web.Request) -> web.Response:
        order_id, product_id = request.query.get("order_id"), request.query.get("product_id")
        if order_id is None and product_id is None:
            raise BadRequest("either order_id or product_id must be provided")
        fills = self._core.fills(
            order_ids=() if order_id is None else (order_id,),
            product_ids=() if product_id is None else (product_id,),
        )
        numbered = [
            Numbered(trade_number(fill.trade_id), fill_body(self._core.products[fill.product_id], fill))
            for fill in fills
        ]
        shown, headers = page(numbered, request.query)
        return web.json_response(shown, headers=headers)

    async def _accounts(self, request: web.Request) -> web.Response:
        return web.json_response([account_body(wallet) for wallet in self._core.accounts.wallets()])

    async def _account(self, request: web.Request) -> web.Response:
        for wallet in self._core.accounts.wallets():
            if wallet.account_id == request.match_info["id"]:
                return web.json_response(account_body(wallet))
        raise NotFound

    async def _fees(self, request: web.Request) -> web.Response:
        tier = self._core.fee_tier
        return web.json_response(
            {
                "maker_fee_rate": f"{tier.maker_rate:f}",
                "taker_fee_rate": f"{tier.taker_rate:f}",
                "usd_volume": money(self._core.traded_volume),
            }
        )


def _is_kept(order: VenueOrder) -> bool:
    """An order that ended without a fill is forgotten."""
    return order.is_live or order.fill_count > 0
