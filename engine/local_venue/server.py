"""The local venue as a server on this machine: one address, every API."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from ssl import SSLContext
from types import TracebackType
from typing import Final, Protocol, Self

from aiohttp import web

from engine.core.clock import Clock, SystemClock
from engine.core.errors import UsageError
from engine.local_venue.advanced.face import AdvancedFace
from engine.local_venue.core import VenueCore
from engine.local_venue.exchange.face import ExchangeFace, ExchangeManners
from engine.local_venue.keys import CdpKey, ExchangeKey, make_cdp_key, make_exchange_key
from engine.local_venue.settings import VenueSettings
from engine.local_venue.wire import Interference, NoInterference

HOST: Final = "127.0.0.1"
_PAUSE_S: Final = 0.01
_LARGEST_BODY: Final = 1 << 20


class Face(Protocol):
    """The venue as one of its APIs."""

    def add_routes(self, app: web.Application) -> None:
        """Serve this API."""
        ...

    def tick(self, now_ns: int) -> None:
        """Time has passed (monotonic): send what is sent on a cadence."""
        ...

    @property
    def is_congested(self) -> bool:
        """True while a client is far behind: a recording at full speed waits for it."""
        ...

    def close(self) -> None:
        """Ask every connection to end."""
        ...


class LocalVenue:
    """A venue that runs while it is entered: `async with LocalVenue() as venue: … venue.url`.

    It can be stopped and started again, on the same port, with everything it knew.
    """

    def __init__(
        self,
        settings: VenueSettings | None = None,
        *,
        clock: Clock | None = None,
        cdp_keys: Sequence[CdpKey] = (),
        exchange_keys: Sequence[ExchangeKey] = (),
        interference: Interference | None = None,
        exchange_manners: ExchangeManners | None = None,
        ssl_context: SSLContext | None = None,
        port: int = 0,
    ) -> None:
        """Without keys it makes one of each kind. Port 0 is any that is free. Raises `UsageError`."""
        self.clock = clock or SystemClock()
        self.core = VenueCore(settings or VenueSettings(), self.clock)
        self.cdp_keys = tuple(cdp_keys) or (make_cdp_key(),)
        self.exchange_keys = tuple(exchange_keys) or (make_exchange_key(),)
        given = self.core.settings
        self._waits_for_clients = given.capture is not None and given.capture_speed is None
        self._interference = interference or NoInterference()
        self._ssl_context = ssl_context
        self._port = port
        self.advanced = AdvancedFace(self.core, self.cdp_keys, self._interference)
        self.exchange = ExchangeFace(self.core, self.exchange_keys, self._interference, exchange_manners)
        self.faces: list[Face] = [self.advanced, self.exchange]
        """Every API; more may be added before the start."""
        self._runner: web.AppRunner | None = None
        self._driver: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, or https; what `network.endpoint` takes."""
        scheme = "http" if self._ssl_context is None else "https"
        return f"{scheme}://{HOST}:{self._port}"

    # -- life ----------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen, and let time pass. `UsageError` where the port is taken."""
        app = web.Application(middlewares=[self._interference.middleware], client_max_size=_LARGEST_BODY)
        for face in self.faces:
            face.add_routes(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, HOST, self._port, ssl_context=self._ssl_context)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            raise UsageError(f"{HOST}:{self._port} cannot be listened on: {error.strerror}") from error
        self._runner = runner
        self._port = runner.addresses[0][1]
        self._driver = asyncio.create_task(self._drive())

    async def stop(self) -> None:
        """End every connection; raises what ended the market, if something did."""
        driver, self._driver = self._driver, None
        runner, self._runner = self._runner, None
        for face in self.faces:
            face.close()
        try:
            if driver is not None:
                driver.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await driver
        finally:
            if runner is not None:
                await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    # -- time ------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Let happen what is due by the clock; the venue does it by itself many times a second."""
        if not self._is_held_up:
            self.core.poll()
        now_ns = self.clock.monotonic_ns()
        for face in self.faces:
            face.tick(now_ns)

    @property
    def _is_held_up(self) -> bool:
        """True while a recording at full speed waits for a client that reads more slowly."""
        return self._waits_for_clients and any(face.is_congested for face in self.faces)

    async def _drive(self) -> None:
        while True:
            self.step()
            due_ns = self.core.next_due_ns()
            goes_on = due_ns is not None and due_ns <= self.clock.monotonic_ns() and not self._is_held_up
            await asyncio.sleep(0 if goes_on else _PAUSE_S)
