"""A local venue in this process, and the configuration that trades there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from engine.config import Resolved, load_config
from engine.core.clock import Clock
from engine.local_venue.keys import CdpKey, make_cdp_key, write_key
from engine.local_venue.server import LocalVenue
from engine.local_venue.settings import Limits, VenueSettings
from engine.local_venue.wire import Interference

PLENTY = Limits(Decimal(10_000), 10_000)


@asynccontextmanager
async def running_venue(
    folder: Path,
    settings: VenueSettings | None = None,
    *,
    key: CdpKey | None = None,
    clock: Clock | None = None,
    interference: Interference | None = None,
) -> AsyncIterator[tuple[LocalVenue, Path]]:
    """A venue, and the file with the key of its account."""
    known = key or make_cdp_key()
    settings = settings or VenueSettings(public_rest=PLENTY, private_rest=PLENTY)
    async with LocalVenue(settings, cdp_keys=(known,), clock=clock, interference=interference) as venue:
        yield venue, write_key(folder / "keys", known)


def configured(venue: LocalVenue, mode: str, key_file: Path | None = None, **more: str) -> Resolved:
    """The configuration of a run at the venue; further keys as `section__key="text"`."""
    flags = {"engine.mode": mode, "network.endpoint": venue.url}
    if key_file is not None:
        flags["network.key_file"] = str(key_file)
    overrides = [f"{name.replace('__', '.')}={text}" for name, text in more.items()]
    return load_config(
        env={}, overrides=["engine.live=true", "strategy.allow_negative_edge=true", *overrides], flags=flags
    )
