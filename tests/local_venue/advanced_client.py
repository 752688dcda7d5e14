"""A client of Advanced Trade for tests: signs, asks, subscribes. It shares nothing with the product's."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import Callable
from typing import Any

import jwt
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from engine.local_venue.keys import Algorithm, CdpKey
from engine.local_venue.server import LocalVenue

PREFIX = "/api/v3/brokerage"
PATIENCE_S = 5.0
Frame = dict[str, Any]


def token(key: CdpKey, now_s: int, uri: str | None, **changes: Any) -> str:
    """A token as the venue wants it, with some claims or header fields changed (None: left out)."""
    claims = {"sub": key.name, "iss": "cdp", "nbf": now_s, "exp": now_s + 120, "uri": uri}
    header = {"kid": key.name, "nonce": secrets.token_hex(16)}
    for name, value in changes.items():
        (header if name in header else claims)[name] = value
    private: Any = key.private_text
    if key.algorithm is Algorithm.EDDSA:
        private = Ed25519PrivateKey.from_private_bytes(base64.b64decode(key.private_text)[:32])
    return jwt.encode(
        {name: value for name, value in claims.items() if value is not None},
        private,
        algorithm=key.algorithm.value,
        headers={name: value for name, value in header.items() if value is not None},
    )


class Answer:
    """What came back."""

    def __init__(self, status: int, text: str, headers: dict[str, str]) -> None:
        self.status = status
        self.text = text
        self.headers = headers

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.text)  # type: ignore[no-any-return]


class AdvancedClient:
    """Asks one venue with its first key."""

    def __init__(self, venue: LocalVenue, http: ClientSession) -> None:
        self.venue = venue
        self.http = http
        self.key = venue.cdp_keys[0]

    def token(self, method: str, path: str, **changes: Any) -> str:
        now_s = self.venue.clock.wall_ns() // 10**9
        uri = changes.pop("uri", f"{method} api.coinbase.com{PREFIX}{path}")
        return token(self.key, now_s, uri, **changes)

    async def ask(
        self, method: str, path: str, query: Any = (), body: Any = None, bearer: str | None = None
    ) -> Answer:
        headers = {"Authorization": f"Bearer {self.token(method, path) if bearer is None else bearer}"}
        async with self.http.request(
            method, self.venue.url + PREFIX + path, params=query, json=body, headers=headers
        ) as response:
            return Answer(response.status, await response.text(), dict(response.headers))

    async def get(self, path: str, **query: Any) -> dict[str, Any]:
        pairs = [
            (name, one)
            for name, value in query.items()
            for one in (value if isinstance(value, list) else [str(value)])
        ]
        answer = await self.ask("GET", path, pairs)
        assert answer.status == 200, answer.text
        return answer.body

    async def post(self, path: str, body: Any) -> dict[str, Any]:
        answer = await self.ask("POST", path, body=body)
        assert answer.status == 200, answer.text
        return answer.body

    async def limit(
        self, side: str, size: str, price: str, client_id: str = "", **more: Any
    ) -> dict[str, Any]:
        terms = {"base_size": size, "limit_price": price, "post_only": False, **more}
        return await self.post(
            "/orders",
            {
                "client_order_id": client_id or secrets.token_hex(8),
                "product_id": "BTC-USD",
                "side": side,
                "order_configuration": {"limit_limit_gtc": terms},
            },
        )

    async def socket(self, path: str = "/advanced") -> Socket:
        url = self.venue.url.replace("http", "ws", 1) + path
        return Socket(await self.http.ws_connect(url, max_msg_size=0), self)


class Socket:
    """One WebSocket, frames as objects; `frames` are all that came."""

    def __init__(self, raw: ClientWebSocketResponse, client: AdvancedClient) -> None:
        self.raw = raw
        self._client = client
        self.frames: list[Frame] = []

    async def say(self, **message: Any) -> None:
        await self.raw.send_str(json.dumps(message))

    async def subscribe(self, channel: str, *products: str, **more: Any) -> None:
        message: Frame = {"type": "subscribe", "channel": channel, **more}
        if products:
            message["product_ids"] = list(products)
        if channel == "user" and "jwt" not in more:
            message["jwt"] = token(self._client.key, self._client.venue.clock.wall_ns() // 10**9, None)
        await self.say(**message)

    async def next(self) -> Frame:
        async with asyncio.timeout(PATIENCE_S):
            message = await self.raw.receive()
        if message.type is not WSMsgType.TEXT:
            raise ConnectionError(f"{message.type.name} {message.data} {message.extra}")
        frame: Frame = json.loads(message.data)
        self.frames.append(frame)
        return frame

    async def until(self, condition: Callable[[Frame], bool]) -> Frame:
        """The next frame that meets a condition, others before it read too."""
        while not condition(frame := await self.next()):
            pass
        return frame

    async def channel(self, name: str) -> Frame:
        return await self.until(lambda frame: frame.get("channel") == name)

    async def closed(self) -> int | None:
        """Read to the end; the code that the venue closed with."""
        async with asyncio.timeout(PATIENCE_S):
            while (await self.raw.receive()).type is WSMsgType.TEXT:
                pass
        return self.raw.close_code
