"""Settings and times that the tests of the local venue share."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from engine.local_venue.settings import Limits, VenueSettings
from engine.local_venue.simulated import STILL

NOW_NS = 1_790_735_849_298_000_000
UNHURRIED = Limits(Decimal(10_000), 10_000)
"""For tests that are not about rates."""


def still_settings(**changes: Any) -> VenueSettings:
    """A market in which nothing happens unless told to, and no limits of rate."""
    return VenueSettings(
        **{
            "simulator": STILL,
            "public_rest": UNHURRIED,
            "private_rest": UNHURRIED,
            "socket_messages": UNHURRIED,
            "socket_connections": UNHURRIED,
            **changes,
        }
    )
