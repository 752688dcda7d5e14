"""A client of the Exchange API, written from its documentation alone."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import aiohttp

from engine.core.clock import Clock
from engine.local_venue.exchange.face import ExchangeManners
from engine.local_venue.keys import ExchangeKey
from engine.local_venue.server import LocalVenue
from engine.local_venue.settings import Limits, VenueSettings
from engine.local_venue.simulated import STILL

PATIENT = Limits(Decimal(10_000), 10_000)
AT_ONCE = ExchangeManners(PATIENT, PATIENT, PATIENT)
WAIT_S = 5.0
Message = dict[str, Any]


def signature(secret: str, timestamp: str, method: str, path: str, body: str) -> str:
    """What the documentation says is to be sent."""
    message = (timestamp + method + path + body).encode()
    return base64.b64encode(hmac.new(base64.b64decode(secret), message, hashlib.sha256).digest()).decode()


class ExchangeClient:
    """REST and feed of one venue."""

    def __init__(self, url: str, key: ExchangeKey) -> None:
        self.url = url
        self.key = key
        self.headers = {"User-Agent": "test"}
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WAIT_S))

    async def close(self) -> None:
        await self._session.close()

    def signed(self, method: str, path: str, body: str = "", at: str | None = None) -> dict[str, str]:
        at = at or str(int(time.time()))
        return {
            "CB-ACCESS-KEY": self.key.key,
            "CB-ACCESS-SIGN": signature(self.key.secret, at, method, path, body),
            "CB-ACCESS-TIMESTAMP": at,
            "CB-ACCESS-PASSPHRASE": self.key.passphrase,
        }

    async def ask(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Status and body; signed unless headers are given."""
        text = "" if body is None else json.dumps(body)
        given = self.signed(method, path, text) if headers is None else headers
        async with self._session.request(
            method,
            self.url + path,
            data=text or None,
            headers={**self.headers, **given},
            skip_auto_headers=("User-Agent",),
        ) as answer:
            self.answer_headers = answer.headers
            return answer.status, json.loads(await answer.text())

    async def get(self, path: str) -> Any:
        """The body of an answer that must be 200."""
        status, body = await self.ask("GET", path)
        assert status == 200, body
        return body

    async def place(self, **order: Any) -> Message:
        """An accepted order."""
        status, body = await self.ask("POST", "/orders", limit(**order))
        assert status == 200, body
        return dict(body)

    @asynccontextmanager
    async def feed(self) -> AsyncIterator[Feed]:
        """A connection to the feed."""
        async with self._session.ws_connect(f"{self.url}/exchange", max_msg_size=0) as socket:
            yield Feed(socket, self)


class Feed:
    """One connection, with everything that came on it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, client: ExchangeClient) -> None:
        self.socket = socket
        self.client = client
        self.seen: list[Message] = []

    async def subscribe(self, *channels: Any, signed: bool = False, **fields: Any) -> None:
        message: Message = {"type": "subscribe", "product_ids": ["BTC-USD"], "channels": list(channels)}
        if signed:
            at = str(int(time.time()))
            key = self.client.key
            message |= {
                "key": key.key,
                "passphrase": key.passphrase,
                "timestamp": at,
                "signature": signature(key.secret, at, "GET", "/users/self/verify", ""),
            }
        await self.socket.send_json(message | fields)

    async def next(self, kind: str, where: Callable[[Message], bool] = lambda message: True) -> Message:
        """The next frame of a type that is as wanted; those before it are kept in `seen`."""
        async with asyncio.timeout(WAIT_S):
            while True:
                message = await self.socket.receive_json()
                self.seen.append(message)
                if message["type"] == kind and where(message):
                    return dict(message)


class OrderBook:
    """The book of level 3, kept as the documentation says."""

    def __init__(self, snapshot: Message) -> None:
        self.sequence = snapshot["sequence"]
        self.orders = {
            row[2]: (side, row[0], Decimal(row[1]))
            for side, rows in (("buy", snapshot["bids"]), ("sell", snapshot["asks"]))
            for row in rows
        }

    def apply(self, event: Message) -> None:
        if event["sequence"] <= self.sequence:
            return
        assert event["sequence"] == self.sequence + 1, "a gap"
        self.sequence += 1
        order_id = event.get("order_id", "")
        if event["type"] == "open":
            assert order_id not in self.orders
            self.orders[order_id] = (event["side"], event["price"], Decimal(event["remaining_size"]))
        elif event["type"] == "done":
            self.orders.pop(order_id, None)
        elif event["type"] == "change":
            side, price, size = self.orders[order_id]
            assert size == Decimal(event["old_size"])
            self.orders[order_id] = (side, event.get("new_price", price), Decimal(event["new_size"]))
        elif event["type"] == "match":
            side, price, size = self.orders[event["maker_order_id"]]
            assert (side, price) == (event["side"], event["price"])
            left = size - Decimal(event["size"])
            assert left >= 0
            self.orders[event["maker_order_id"]] = (side, price, left)

    def whole(self) -> list[tuple[str, str, str, Decimal]]:
        """Every order, to be compared."""
        return sorted((order_id, *order) for order_id, order in self.orders.items())

    def totals(self) -> dict[tuple[str, str], Decimal]:
        """Sizes by side and price."""
        totals: dict[tuple[str, str], Decimal] = {}
        for side, price, size in self.orders.values():
            totals[side, price] = totals.get((side, price), Decimal(0)) + size
        return totals


def limit(**fields: Any) -> Message:
    """A limit order; without fields one that rests far from the market."""
    return {
        "type": "limit",
        "side": "buy",
        "product_id": "BTC-USD",
        "price": "60000.10",
        "size": "0.01",
        "client_oid": str(uuid.uuid4()),
    } | fields


@asynccontextmanager
async def exchange(
    settings: VenueSettings | None = None,
    *,
    clock: Clock | None = None,
    manners: ExchangeManners = AT_ONCE,
    key: ExchangeKey | None = None,
    **changes: Any,
) -> AsyncIterator[tuple[LocalVenue, ExchangeClient]]:
    """A venue whose market stands still, and a client of it."""
    settings = settings or VenueSettings(simulator=STILL)
    venue = LocalVenue(
        replace(settings, **changes),
        clock=clock,
        exchange_manners=manners,
        exchange_keys=() if key is None else (key,),
    )
    async with venue:
        client = ExchangeClient(venue.url, venue.exchange_keys[0])
        try:
            yield venue, client
        finally:
            await client.close()
