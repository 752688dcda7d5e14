"""What the venue charges: rates by the quote money traded in the last thirty days."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from engine.core.errors import UsageError


@dataclass(frozen=True, slots=True)
class FeeTier:
    """One line of the table: from which volume (quote units) on, under which name, at which rates."""

    volume_from: Decimal
    name: str
    maker_rate: Decimal
    taker_rate: Decimal


def _tier(volume_from: str, name: str, maker: str, taker: str) -> FeeTier:
    return FeeTier(Decimal(volume_from), name, Decimal(maker), Decimal(taker))


ENTRY_TIERS: Final = (
    _tier("0", "Intro 1", "0.006", "0.012"),
    _tier("10000", "Intro 2", "0.0025", "0.004"),
    _tier("50000", "Advanced 1", "0.0015", "0.0025"),
    _tier("100000", "Advanced 2", "0.001", "0.002"),
    _tier("1000000", "Advanced 3", "0.0008", "0.0018"),
)
"""The reported entry tier, then steps of the public table of the other API; they differ by region."""


def single_tier(maker_rate: Decimal, taker_rate: Decimal) -> tuple[FeeTier, ...]:
    """The same rates at any volume."""
    return (FeeTier(Decimal(0), "Local", maker_rate, taker_rate),)


def tier_of(tiers: tuple[FeeTier, ...], volume: Decimal) -> FeeTier:
    """The line that a volume falls into. `UsageError` for a table that does not begin at 0."""
    reached = [tier for tier in tiers if tier.volume_from <= volume]
    if not reached:
        raise UsageError("the fee table has no line for a volume of 0")
    return max(reached, key=lambda tier: tier.volume_from)
