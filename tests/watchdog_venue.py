"""A venue over real HTTP that knows orders, their list and their cancel, and fails on demand."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

_PREFIX = "/api/v3/brokerage"


class RestVenue:
    """Orders rest until they are cancelled."""

    def __init__(self) -> None:
        self.orders: dict[str, str] = {}
        """Client ids by venue id."""
        self.fault: str | None = None
        """`silent`: requests are not answered. `error`: 503. None: all is well."""
        self.cancelled: dict[str, float] = {}
        """By client id, the monotonic second."""
        self.changed = asyncio.Condition()
        self.tokens: set[str] = set()
        self.url = ""

    def rest(self, *client_ids: str) -> None:
        for client_id in client_ids:
            self.orders[f"venue-{client_id}"] = client_id

    async def until_cancelled(self, *client_ids: str, within_s: float) -> float:
        """When the last of them was."""
        async with self.changed:
            await asyncio.wait_for(
                self.changed.wait_for(lambda: set(client_ids) <= self.cancelled.keys()), within_s
            )
        return max(self.cancelled[client_id] for client_id in client_ids)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[RestVenue]:
        app = web.Application(middlewares=[self._fail])
        app.router.add_get(f"{_PREFIX}/time", self._time)
        app.router.add_get(f"{_PREFIX}/orders/historical/batch", self._list)
        app.router.add_post(f"{_PREFIX}/orders/batch_cancel", self._cancel)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        try:
            yield self
        finally:
            await runner.cleanup()

    @web.middleware
    async def _fail(self, request: web.Request, handler: object) -> web.StreamResponse:
        self.tokens.add(request.headers.get("Authorization", ""))
        if self.fault == "silent":
            await asyncio.Event().wait()
        if self.fault == "error":
            return web.Response(status=503, text="<html>upstream</html>")
        return await handler(request)  # type: ignore[operator, no-any-return]

    async def _time(self, request: web.Request) -> web.Response:
        now = time.time_ns()
        return web.json_response(
            {"iso": "", "epochSeconds": str(now // 10**9), "epochMillis": str(now // 10**6)}
        )

    async def _list(self, request: web.Request) -> web.Response:
        is_open = "OPEN" in request.query.getall("order_status", [])
        orders = [
            {
                "order_id": order_id,
                "client_order_id": client_id,
                "product_id": "BTC-USD",
                "side": "BUY",
                "status": "OPEN",
                "order_type": "LIMIT",
                "time_in_force": "GOOD_UNTIL_CANCELLED",
                "order_configuration": {
                    "limit_limit_gtc": {"base_size": "0.1", "limit_price": "10", "post_only": True}
                },
                "filled_size": "0",
                "average_filled_price": "0",
                "filled_value": "0",
                "total_fees": "0",
                "number_of_fills": "0",
            }
            for order_id, client_id in self.orders.items()
        ]
        return web.json_response({"orders": orders if is_open else [], "has_next": False, "cursor": ""})

    async def _cancel(self, request: web.Request) -> web.Response:
        results = []
        for order_id in (await request.json())["order_ids"]:
            client_id = self.orders.pop(order_id, None)
            if client_id is not None:
                self.cancelled[client_id] = time.monotonic()
            results.append(
                {
                    "success": client_id is not None,
                    "failure_reason": "UNKNOWN_CANCEL_FAILURE_REASON"
                    if client_id
                    else "UNKNOWN_CANCEL_ORDER",
                    "order_id": order_id,
                }
            )
        async with self.changed:
            self.changed.notify_all()
        return web.json_response({"results": results})
