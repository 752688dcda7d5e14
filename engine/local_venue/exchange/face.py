"""The Exchange API of the local venue: who may ask for what, how fast, and its WebSocket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from aiohttp import hdrs, web

from engine.local_venue.core import VenueCore
from engine.local_venue.exchange.answers import refused
from engine.local_venue.exchange.auth import ExchangeAuthority, Unauthorised
from engine.local_venue.exchange.feed import ExchangeFeed
from engine.local_venue.exchange.private import PrivateRest
from engine.local_venue.exchange.public import PublicRest
from engine.local_venue.keys import ExchangeKey
from engine.local_venue.rate_limits import RateLimiter
from engine.local_venue.settings import Limits
from engine.local_venue.wire import Interference

FEED_PATH: Final = "/exchange"

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class ExchangeManners:
    """How patient this API is."""

    public: Limits = field(default_factory=lambda: Limits(Decimal(10), 15))
    private: Limits = field(default_factory=lambda: Limits(Decimal(15), 30))
    fills: Limits = field(default_factory=lambda: Limits(Decimal(10), 20))
    first_message_s: float = 5.0
    """A WebSocket on which nothing was asked for by then is closed."""


class ExchangeFace:
    """REST at the root, the feed at `/exchange`. See `Face`."""

    def __init__(
        self,
        core: VenueCore,
        keys: tuple[ExchangeKey, ...],
        interference: Interference,
        manners: ExchangeManners | None = None,
    ) -> None:
        manners = manners or ExchangeManners()
        self._core = core
        self._authority = ExchangeAuthority(keys, core.clock)
        self._public_limit = RateLimiter(manners.public, core.clock)
        self._private_limit = RateLimiter(manners.private, core.clock)
        self._fills_limit = RateLimiter(manners.fills, core.clock)
        seed = core.settings.simulator.seed
        self._feed = ExchangeFeed(core, self._authority, interference, manners.first_message_s, seed)
        core.add_listener(self._feed)

    def add_routes(self, app: web.Application) -> None:
        """See `Face`."""
        for handlers, guard in (
            (PublicRest(self._core, self._feed.books).handlers(), self._public),
            (PrivateRest(self._core, self._feed.books).handlers(), self._private),
        ):
            for (method, path), handler in handlers.items():
                app.router.add_route(method, path, guard(handler))
        app.router.add_get(FEED_PATH, self._feed.handle)

    def tick(self, now_ns: int) -> None:
        """See `Face`."""
        self._feed.tick(now_ns)

    @property
    def is_congested(self) -> bool:
        """See `Face`."""
        return self._feed.is_congested

    def close(self) -> None:
        """See `Face`."""
        self._feed.close()

    # -- who may, and how fast -----------------------------------------------------------------------

    def _public(self, handler: _Handler) -> _Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            if not request.headers.get(hdrs.USER_AGENT):
                return _no_user_agent()
            if not self._public_limit.take(request.remote or ""):
                return refused(429, "Public rate limit exceeded")
            return await handler(request)

        return guarded

    def _private(self, handler: _Handler) -> _Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            if not request.headers.get(hdrs.USER_AGENT):
                return _no_user_agent()
            body = await request.read()
            headers: Mapping[str, str] = request.headers
            try:
                rights = self._authority.check_request(headers, request.method, request.raw_path, body)
            except Unauthorised as error:
                return refused(401, str(error))
            limit = self._fills_limit if request.path == "/fills" else self._private_limit
            if not limit.take(headers["CB-ACCESS-KEY"]):
                return refused(429, "Private rate limit exceeded")
            if not (rights.view if request.method == "GET" else rights.trade):
                return refused(403, "Forbidden")
            return await handler(request)

        return guarded


def _no_user_agent() -> web.Response:
    return refused(400, "User-Agent header is required.")
