"""Venues and clients for the tests of the local venue."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from aiohttp import ClientSession
from local_venue.advanced_client import AdvancedClient
from local_venue.venue_kit import NOW_NS, still_settings

from engine.core.clock import Clock, ManualClock
from engine.local_venue.server import LocalVenue
from engine.local_venue.settings import VenueSettings

OpenVenue = Callable[..., Awaitable[AdvancedClient]]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(0, NOW_NS)


@pytest.fixture
async def open_venue(clock: ManualClock) -> AsyncIterator[OpenVenue]:
    """Starts a venue and gives its client; the clock of the venue moves when the test moves it."""
    async with AsyncExitStack() as opened:

        async def start(settings: VenueSettings | None = None, its_clock: Clock = clock) -> AdvancedClient:
            venue = await opened.enter_async_context(
                LocalVenue(still_settings() if settings is None else settings, clock=its_clock)
            )
            return AdvancedClient(venue, await opened.enter_async_context(ClientSession()))

        yield start


@pytest.fixture
async def client(open_venue: OpenVenue) -> AdvancedClient:
    """A client of a still venue with products BTC-USD and ETH-USD."""
    return await open_venue()
