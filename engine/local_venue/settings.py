"""How a local venue behaves. Every value has a default that resembles the real one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final

from engine.exchange.simulator.settings import SimulatorSettings
from engine.local_venue.fee_tiers import ENTRY_TIERS, FeeTier

ORIGINAL: Final = "original"
FAILURE: Final = "failure"
REFUSE: Final = "refuse"
FAIL_LATER: Final = "fail later"
DEFAULT_PRODUCTS: Final = ("BTC-USD", "ETH-USD")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may do in a second: requests, and how many more at once after a pause."""

    rate: Decimal
    burst: int


@dataclass(frozen=True, slots=True)
class VenueSettings:
    """One venue: what it lists, who has an account there, and its manners."""

    products: tuple[str, ...] = ()
    """What is listed; empty: `DEFAULT_PRODUCTS`, or what a recording speaks of."""
    simulator: SimulatorSettings = field(default_factory=SimulatorSettings)
    """The strangers of a simulated market."""
    capture: Path | None = None
    """A recording (`*.jsonl` or `*.jsonl.gz`) to be played in place of a simulated market."""
    capture_speed: Decimal | None = Decimal(1)
    """How much faster than it was recorded; None is as fast as the clients can read."""
    capture_now: bool = False
    """Move all times of the recording so that it seems to happen now. Off: every event as it was."""
    balances: Mapping[str, Decimal] = field(
        default_factory=lambda: {
            "USD": Decimal(1_000_000),
            "USDC": Decimal(0),
            "EUR": Decimal(1_000_000),
            "GBP": Decimal(1_000_000),
            "BTC": Decimal(10),
            "ETH": Decimal(200),
        }
    )
    """What the account holds at first, by currency; a currency that is missing has no wallet."""
    fee_tiers: tuple[FeeTier, ...] = ENTRY_TIERS
    traded_volume: Decimal = Decimal(0)
    """Quote money that the account traded in the thirty days before."""
    duplicate_client_id: str = ORIGINAL
    """`original`: an order whose client id was used is answered with the first order; `failure`: refused."""
    post_only_crossing: str = REFUSE
    """`refuse`: a post-only order that would take is refused at once; `fail later`: taken, then FAILED."""
    accept_delay_ms: int = 0
    """How long an order stays PENDING."""
    cancel_delay_ms: int = 0
    """How long a cancel is only queued: the order may still trade."""
    fills_delay_ms: int = 0
    """How much later than on the user channel a fill is in the list of fills."""
    max_open_orders: int = 500
    """Open orders that one product may have."""
    max_books: int = 30
    """Products whose book one connection to market data may have."""
    public_rest: Limits = Limits(Decimal(10), 10)
    private_rest: Limits = Limits(Decimal(30), 30)
    socket_messages: Limits = Limits(Decimal(8), 8)
    socket_connections: Limits = Limits(Decimal(8), 8)
    clock_leeway_s: int = 5
    """How far the times of a token may be off the venue's clock."""
    takes_tokens_for_own_host: bool = False
    """Take tokens of REST that name this venue's host too: the official client signs for the host it asks."""
    unauthorised_as_json: bool = False
    """What a refused token is answered with: JSON, or the plain word."""
