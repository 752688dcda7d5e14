"""The local venue as Advanced Trade."""

from __future__ import annotations

from aiohttp import web

from engine.local_venue.advanced.market_socket import MarketSocket
from engine.local_venue.advanced.rest import AdvancedRest
from engine.local_venue.advanced.session import SessionLimits
from engine.local_venue.advanced.tokens import TokenJudge
from engine.local_venue.advanced.user_socket import UserSocket
from engine.local_venue.core import VenueCore
from engine.local_venue.keys import CdpKey
from engine.local_venue.rate_limits import RateLimiter
from engine.local_venue.wire import Interference


class AdvancedFace:
    """REST below `/api/v3/brokerage`, market data at `/advanced`, orders at `/advanced-user`."""

    def __init__(self, core: VenueCore, keys: tuple[CdpKey, ...], interference: Interference) -> None:
        settings, clock = core.settings, core.clock
        self.judge = TokenJudge(keys, clock, settings.clock_leeway_s)
        self._rest = AdvancedRest(core, self.judge)
        limits = SessionLimits(
            RateLimiter(settings.socket_connections, clock), RateLimiter(settings.socket_messages, clock)
        )
        self._market = MarketSocket(core, self.judge, interference, limits)
        self._user = UserSocket(core, self.judge, interference, limits)

    def add_routes(self, app: web.Application) -> None:
        """See `Face`."""
        self._rest.add_routes(app)
        app.router.add_get("/advanced", self._market.serve)
        app.router.add_get("/advanced-user", self._user.serve)

    def tick(self, now_ns: int) -> None:
        """See `Face`."""
        self._market.tick(now_ns)
        self._user.tick(now_ns)

    @property
    def is_congested(self) -> bool:
        """See `Face`."""
        return self._market.is_congested or self._user.is_congested

    def close(self) -> None:
        """See `Face`."""
        self._market.close()
        self._user.close()
