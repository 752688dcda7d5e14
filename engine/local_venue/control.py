"""The venue's remote control, for tests and rehearsals: faults, other people's orders, flags, state.

It is served only where it was asked for, and only to this machine.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal, InvalidOperation
from ipaddress import ip_address
from typing import Any, Final

from aiohttp import web

from engine.core.errors import PinnacleError, UsageError
from engine.core.order import Side
from engine.local_venue.core import VenueCore
from engine.local_venue.faults.plan import FaultPlan, parse_fault
from engine.local_venue.money import plain
from engine.local_venue.orders import VenueOrder

PREFIX: Final = "/_control"
_FLAGS: Final = ("trading_disabled", "cancel_only", "limit_only", "post_only", "auction_mode")
_SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL}

_Act = Callable[[Mapping[str, Any]], dict[str, Any]]


class Control:
    """`GET /_control/state` and what can be posted. See `Face`."""

    def __init__(self, core: VenueCore, plan: FaultPlan) -> None:
        self._core = core
        self._plan = plan

    def add_routes(self, app: web.Application) -> None:
        """See `Face`."""
        app.router.add_get(f"{PREFIX}/state", self._guarded(lambda body: self.state()))
        app.router.add_delete(f"{PREFIX}/faults", self._guarded(self._clear))
        acts: dict[str, _Act] = {
            "faults": self._arm,
            "trades": self._trade,
            "orders": self._place,
            "cancels": self._cancel,
            "flags": self._flag,
            "deposits": self._deposit,
        }
        for name, act in acts.items():
            app.router.add_post(f"{PREFIX}/{name}", self._guarded(act))

    def tick(self, now_ns: int) -> None:
        """See `Face`: nothing here has a cadence."""

    @property
    def is_congested(self) -> bool:
        """See `Face`."""
        return False

    def close(self) -> None:
        """See `Face`: there are no connections."""

    def _guarded(self, act: _Act) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            if request.remote is None or not ip_address(request.remote).is_loopback:
                return web.json_response({"error": "only this machine controls the venue"}, status=403)
            try:
                body = json.loads(await request.read() or b"{}")
                if not isinstance(body, dict):
                    raise UsageError("the body must be an object")
                return web.json_response(act(body))
            except KeyError as error:
                return web.json_response({"error": f"{error.args[0]} is missing or unknown"}, status=400)
            except (PinnacleError, InvalidOperation, ValueError) as error:
                return web.json_response({"error": str(error) or "not a number"}, status=400)

        return handle

    # -- what is there ---------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Orders, fills, balances and faults, as the venue itself knows them."""
        core = self._core
        return {
            "orders": [_order(order) for order in reversed(core.orders())],
            "fills": [
                {
                    "order_id": fill.order_id,
                    "trade_id": fill.trade_id,
                    "price": plain(fill.price),
                    "size": plain(fill.size),
                    "commission": plain(fill.commission),
                    "is_maker": fill.is_maker,
                }
                for fill in reversed(core.fills())
            ],
            "balances": {
                wallet.currency: {"balance": plain(wallet.balance), "hold": plain(wallet.hold)}
                for wallet in core.accounts.wallets()
            },
            "products": {
                product_id: {flag: getattr(product, flag) for flag in _FLAGS} | {"status": product.status}
                for product_id, product in core.products.items()
            },
            "faults": {
                "armed": self._plan.armed,
                "strikes": [
                    {"name": strike.name, "occasion": strike.occasion} for strike in self._plan.strikes
                ],
                "strike_count": self._plan.strike_count,
            },
        }

    # -- what can be done ------------------------------------------------------------------------------

    def _arm(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """`{"faults": ["ws-drop:channel=l2_data", …]}`: all of them, or none where one cannot be read."""
        self._plan.arm(*[parse_fault(str(text)) for text in body["faults"]])
        return {"armed": self._plan.armed}

    def _clear(self, body: Mapping[str, Any]) -> dict[str, Any]:
        self._plan.clear()
        return {"armed": []}

    def _trade(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """`{"order_id": …, "size": …}`: a stranger trades with an order of ours; no size: all of it."""
        size = body.get("size")
        self._core.trade_against(str(body["order_id"]), None if size is None else Decimal(str(size)))
        order = self._core.order(str(body["order_id"]))
        return {} if order is None else _order(order)

    def _place(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """An order of the account from another front end; with `"is_stranger": true` somebody else's."""
        price = body.get("price")
        asked = (
            str(body["product_id"]),
            _SIDES[str(body["side"]).lower()],
            Decimal(str(body["size"])),
            None if price is None else Decimal(str(price)),
        )
        if body.get("is_stranger"):
            self._core.stranger_order(*asked)
            return {}
        return _order(self._core.external_order(*asked, str(body.get("client_order_id", ""))))

    def _cancel(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """`{"order_ids": […]}`: cancelled as by another front end."""
        ids = [str(order_id) for order_id in body["order_ids"]]
        refusals = self._core.cancel(ids)
        return {order_id: refusal or "" for order_id, refusal in zip(ids, refusals, strict=True)}

    def _flag(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """`{"product_id": …, "post_only": true, "status": …}`: a product changes its rules."""
        product = self._core.products[str(body["product_id"])]
        given = {key: value for key, value in body.items() if key != "product_id"}
        for key, value in given.items():
            is_good = isinstance(value, str) if key == "status" else key in _FLAGS and isinstance(value, bool)
            if not is_good:
                raise UsageError(f"{key} = {value}: must be status or one of {', '.join(_FLAGS)}")
        for key, value in given.items():
            setattr(product, key, value)
        return {flag: getattr(product, flag) for flag in _FLAGS} | {"status": product.status}

    def _deposit(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """`{"currency": …, "amount": …}`: money comes, or below 0 goes, behind the client's back."""
        self._core.deposit(str(body["currency"]), Decimal(str(body["amount"])))
        return {}


def _order(order: VenueOrder) -> dict[str, Any]:
    return {
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
        "product_id": order.product_id,
        "side": order.side.word,
        "price": None if order.price is None else plain(order.price),
        "size": plain(order.size),
        "filled": plain(order.filled),
        "status": order.status.value,
        "is_live": order.is_live,
    }
