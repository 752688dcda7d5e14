"""Advanced Trade's REST: routes, who may use them, how fast, and how refusals are answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from aiohttp import hdrs, web

from engine.core.clock import Clock
from engine.local_venue.advanced.account_rest import AccountRest
from engine.local_venue.advanced.market_rest import MarketRest
from engine.local_venue.advanced.order_rest import OrderRest
from engine.local_venue.advanced.requests import BadRequest, NotFound
from engine.local_venue.advanced.tokens import HOST, TokenJudge, TokenRefused
from engine.local_venue.core import VenueCore
from engine.local_venue.keys import CdpKey
from engine.local_venue.rate_limits import RateLimiter

PREFIX: Final = "/api/v3/brokerage"

_Answer = dict[str, Any]
_Public = Callable[[web.Request], Awaitable[_Answer]]
_Private = Callable[[web.Request, CdpKey], Awaitable[_Answer]]


class AdvancedRest:
    """Answers requests from the core. Every answer is JSON but that to a token that is refused."""

    def __init__(self, core: VenueCore, judge: TokenJudge) -> None:
        self._core = core
        self._judge = judge
        clock: Clock = core.clock
        self._public_limit = RateLimiter(core.settings.public_rest, clock)
        self._private_limit = RateLimiter(core.settings.private_rest, clock)

    def add_routes(self, app: web.Application) -> None:
        """Serve everything of this API's REST."""
        market = MarketRest(self._core)
        account = AccountRest(self._core)
        orders = OrderRest(self._core)
        public: dict[str, _Public] = {
            "/time": market.time,
            "/market/products": market.products,
            "/market/product_book": market.product_book,
            "/market/products/{product_id}": market.product,
            "/market/products/{product_id}/ticker": market.ticker,
            "/market/products/{product_id}/candles": market.candles,
        }
        seen: dict[str, _Public] = {
            "/products": market.products,
            "/product_book": market.product_book,
            "/best_bid_ask": market.best_bid_ask,
            "/products/{product_id}": market.product,
            "/products/{product_id}/ticker": market.ticker,
            "/products/{product_id}/candles": market.candles,
            "/accounts": account.accounts,
            "/accounts/{account_id}": account.account,
            "/transaction_summary": account.summary,
            "/portfolios": account.portfolios,
            "/orders/historical/batch": orders.batch,
            "/orders/historical/fills": orders.fills,
            "/orders/historical/{order_id}": orders.order,
        }
        traded: dict[str, _Public] = {
            "/orders": orders.create,
            "/orders/edit": orders.edit,
            "/orders/batch_cancel": orders.cancel,
        }
        previewed: dict[str, _Public] = {
            "/orders/preview": orders.preview,
            "/orders/edit_preview": orders.edit_preview,
        }
        for path, answer in public.items():
            app.router.add_get(PREFIX + path, self._public(answer))
        for path, answer in seen.items():
            app.router.add_get(PREFIX + path, self._private(_without_key(answer), trades=False))
        app.router.add_get(PREFIX + "/key_permissions", self._private(account.permissions, trades=False))
        for path, answer in traded.items():
            app.router.add_post(PREFIX + path, self._private(_without_key(answer), trades=True))
        for path, answer in previewed.items():
            app.router.add_post(PREFIX + path, self._private(_without_key(answer), trades=False))

    # -- who may, and how fast ---------------------------------------------------------------------

    def _public(self, answer: _Public) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            if not self._public_limit.take(request.remote or ""):
                return _too_many(self._public_limit)
            return await _answered(answer, request)

        return handle

    def _private(self, answer: _Private, *, trades: bool) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            try:
                key = self._judge.judge(_bearer(request), self._uris(request))
            except TokenRefused:
                return self._unauthorised()
            if not self._private_limit.take(key.name):
                return _too_many(self._private_limit)
            if not (key.rights.trade if trades else key.rights.view):
                return _json({"error": "PERMISSION_DENIED", "message": "Missing required scopes"}, 403)

            async def with_key(request: web.Request) -> _Answer:
                return await answer(request, key)

            return await _answered(with_key, request)

        return handle

    def _uris(self, request: web.Request) -> list[str]:
        hosts = [HOST, request.host] if self._core.settings.takes_tokens_for_own_host else [HOST]
        return [f"{request.method} {host}{request.path}" for host in hosts]

    def _unauthorised(self) -> web.Response:
        if self._core.settings.unauthorised_as_json:
            return _json({"error": "UNAUTHORIZED", "code": 16, "message": "Unauthorized"}, 401)
        return web.Response(status=401, text="Unauthorized\n")


def _without_key(answer: _Public) -> _Private:
    async def handle(request: web.Request, key: CdpKey) -> _Answer:
        return await answer(request)

    return handle


async def _answered(answer: _Public, request: web.Request) -> web.Response:
    try:
        return _json(await answer(request))
    except BadRequest as error:
        text = str(error)
        return _json({"error": "INVALID_ARGUMENT", "error_details": text, "message": text}, 400)
    except NotFound as error:
        return _json({"error": "NOT_FOUND", "message": str(error)}, 404)


def _bearer(request: web.Request) -> str:
    kind, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if kind != "Bearer" or not token:
        raise TokenRefused("there is no token")
    return token


def _json(body: _Answer, status: int = 200) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json")


def _too_many(limit: RateLimiter) -> web.Response:
    answer = _json({"errors": [{"id": "rate_limit_exceeded", "message": "Too many requests"}]}, 429)
    answer.headers[hdrs.RETRY_AFTER] = str(limit.wait_s)
    return answer
