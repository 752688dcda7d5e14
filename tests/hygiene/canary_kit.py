"""Secrets that are planted, every form in which one could come out, and the search for a piece of them."""

from __future__ import annotations

import asyncio
import base64
import binascii
import dataclasses
import json
import secrets
import threading
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from live.venue_kit import PLENTY

from engine.credentials.desk import ADVANCED, EXCHANGE
from engine.local_venue.advanced.tokens import TokenJudge
from engine.local_venue.exchange.auth import ExchangeAuthority
from engine.local_venue.keys import CdpKey, ExchangeKey, make_cdp_key, make_exchange_key
from engine.local_venue.server import LocalVenue
from engine.local_venue.settings import VenueSettings
from engine.local_venue.wire import Handler, Middleware, NoInterference

PIECE = 12
"""Bytes in a row that are a leak."""
KINDS = ("master password", "private key or HMAC secret", "passphrase", "live token or signature")


def forms(secret: bytes) -> Iterator[bytes]:
    """A secret as it is, and in every encoding in which it could be written."""
    yield secret
    yield binascii.hexlify(secret)
    yield binascii.hexlify(secret).upper()
    yield urllib.parse.quote_from_bytes(secret, safe="").encode()
    yield json.dumps(secret.decode("latin-1"))[1:-1].encode()
    yield repr(secret)[2:-1].encode()
    for lead in range(3):
        # Inside of something longer: the first and the last letters depend on what stands beside it.
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            spelt = encode(bytes(lead) + secret).rstrip(b"=")
            yield spelt[(8 * lead + 5) // 6 : len(spelt) - 1]


def pieces(secret: bytes) -> set[bytes]:
    """Every piece of every form."""
    return {form[start : start + PIECE] for form in forms(secret) for start in range(len(form) - PIECE + 1)}


@dataclass
class Canaries:
    """What is looked for, by kind."""

    needles: dict[str, set[bytes]] = field(default_factory=lambda: {kind: set() for kind in KINDS})

    def plant(self, kind: str, *found: bytes | str) -> None:
        for one in found:
            self.needles[kind] |= pieces(one.encode() if isinstance(one, str) else one)

    def found_in(self, kind: str, data: bytes) -> list[bytes]:
        """The pieces of a kind that are in `data`."""
        needles = self.needles[kind]
        return [
            piece
            for start in range(len(data) - PIECE + 1)
            if (piece := data[start : start + PIECE]) in needles
        ]


class Marked:
    """Two keys and a password that nobody else has."""

    def __init__(self) -> None:
        self.password = f"canary-{secrets.token_urlsafe(15)}"
        self.advanced: CdpKey = make_cdp_key()
        phrase = f"phrase{secrets.token_hex(12)}"
        self.exchange: ExchangeKey = dataclasses.replace(make_exchange_key(), passphrase=phrase)
        self.stranger = dataclasses.replace(make_cdp_key(), name=self.advanced.name)
        """A key that the venue refuses: another private key under a known name."""
        self.canaries = Canaries()
        self.canaries.plant(KINDS[0], self.password)
        for made in (self.advanced, self.stranger):
            key: Any = load_pem_private_key(made.private_text.encode(), None)
            self.canaries.plant(KINDS[1], key.private_numbers().private_value.to_bytes(32, "big"))
        self.canaries.plant(KINDS[1], base64.b64decode(self.exchange.secret))
        self.canaries.plant(KINDS[2], self.exchange.passphrase)


class Spiteful(NoInterference):
    """A venue's edge that fails now and then, and repeats in its answer all that it was sent."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        """Requests that change something, by API."""
        self.repeated: Counter[str] = Counter()
        """How often one was answered by itself."""
        self.calm: set[str] = set()
        """APIs that do as they should from now on."""

    @property
    def middleware(self) -> Middleware:
        @web.middleware
        async def pass_on(request: web.Request, handler: Handler) -> web.StreamResponse:
            api = ADVANCED if "Authorization" in request.headers else EXCHANGE
            if request.method != "POST" or api in self.calm:
                return await handler(request)
            self.asked[api] += 1
            sent = f"bad request {dict(request.headers)!r}"
            match self.asked[api] % 5:
                case 2:
                    self.repeated[api] += 1
                    return web.json_response({"error": "INVALID", "message": sent}, status=400)
                case 3:
                    page = f"<html>\n<h1>502</h1>{sent}</html>"
                    return web.Response(text=page, status=502, content_type="text/html")
                case 4:
                    return web.Response(text="{", status=200, content_type="application/json")
                case _:
                    return await handler(request)

        return pass_on


class VenueBeside:
    """A local venue on a loop of its own thread, for tests that wait for processes."""

    def __init__(self, marked: Marked, seen: set[str]) -> None:
        self.seen = seen
        """Live tokens and signatures that came in."""
        self.spite = Spiteful()
        self._marked = marked
        self._ready, self._done = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self.url = ""

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join(10)

    async def _serve(self) -> None:
        settings = VenueSettings(public_rest=PLENTY, private_rest=PLENTY)
        keys = {"cdp_keys": (self._marked.advanced,), "exchange_keys": (self._marked.exchange,)}
        async with LocalVenue(settings, interference=self.spite, **keys) as venue:  # type: ignore[arg-type]
            self.url = venue.url
            self._ready.set()
            await asyncio.get_running_loop().run_in_executor(None, self._done.wait)


@contextmanager
def venue_that_listens(marked: Marked) -> Iterator[VenueBeside]:
    """A venue that notes every token and signature it judges."""
    seen: set[str] = set()
    judge, check = TokenJudge.judge, ExchangeAuthority._check

    def noted_token(self: TokenJudge, token: str, *given: Any) -> CdpKey:
        seen.add(token)
        return judge(self, token, *given)

    def noted_signature(self: ExchangeAuthority, given: list[str], signed: bytes) -> Any:
        seen.add(given[1])
        return check(self, given, signed)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TokenJudge, "judge", noted_token)
        patch.setattr(ExchangeAuthority, "_check", noted_signature)
        with VenueBeside(marked, seen) as venue:
            yield venue
