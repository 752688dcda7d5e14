"""Section `persistence`: where sessions are kept, how safely, and for how long."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Self

from engine.core.settings import setting


class Durability(enum.StrEnum):
    """When a record counts as written; see `engine.persistence.journal`."""

    NONE = "none"
    INTERVAL = "interval"
    GROUP = "group"
    EVERY = "every"


class MarketDataClass(enum.StrEnum):
    """What is kept of market data once recovery needs it no more."""

    FULL = "full"
    THINNED = "thinned"
    OFF = "off"


_LIVE = "live"


@dataclass(frozen=True, slots=True)
class PersistenceSettings:
    """What survives the process, and what it costs."""

    data_dir: str | None = setting(
        None, "The folder that holds sessions; unset is `sessions` in the platform's state folder."
    )
    journal: bool = setting(
        True, "Whether the session is kept at all; without it nothing survives the process."
    )
    durability: str = setting(
        Durability.INTERVAL.value,
        "When orders leave: none and interval, once they are in memory that outlives the process; group and "
        "every, once they are on the disk.",
        choices=tuple(Durability),
    )
    sync_interval_ms: int = setting(
        50, "How often `interval` writes to the disk.", unit="ms", at_least=1, at_most=10_000
    )
    segment_kib: int = setting(
        16_384, "Size of a journal file; a multiple of 4.", unit="KiB", at_least=64, at_most=1_048_576
    )
    market_data: str = setting(
        MarketDataClass.FULL.value,
        "What the archive keeps of market data: full; thinned, trades without books; off, none.",
        choices=tuple(MarketDataClass),
    )
    digest_every: int = setting(
        10_000,
        "After so many events the journal notes a digest of the state, which replay must reach.",
        unit="events",
        at_least=100,
        at_most=10_000_000,
    )
    snapshot_every: int = setting(
        50_000,
        "After so many records the state is saved, so that a start reads no more than that.",
        unit="records",
        at_least=100,
        at_most=10_000_000,
    )
    snapshot_interval_s: int = setting(
        60, "And at least so often, in real time.", unit="s", at_least=1, at_most=86_400
    )
    snapshots_kept: int = setting(3, "Saved states that are kept.", at_least=2, at_most=100)
    archive_days: int = setting(
        30, "An archived journal file older than this is told of.", unit="days", at_least=1, at_most=36_500
    )
    archive_mib: int = setting(
        2_048, "An archive larger than this is told of.", unit="MiB", at_least=1, at_most=1 << 30
    )
    archive_delete: bool = setting(
        False, "Whether what is beyond these two is deleted, oldest first, instead of told of."
    )

    @classmethod
    def for_mode(cls, mode: str) -> Self:
        """The defaults of a mode: with real money no order leaves before it is on the disk."""
        return cls(durability=(Durability.GROUP if mode == _LIVE else Durability.INTERVAL).value)

    def violation(self) -> str | None:
        """The first rule between fields that is broken."""
        if self.segment_kib % 4:
            return f"persistence.segment_kib = {self.segment_kib}: must be a multiple of 4"
        return None

    def violation_in(self, mode: str) -> str | None:
        """The rule of a mode that is broken."""
        if mode != _LIVE:
            return None
        if not self.journal:
            return "persistence.journal = false: live trading is never without a journal"
        if self.durability not in (Durability.GROUP, Durability.EVERY):
            return (
                f"persistence.durability = {self.durability}: in live mode an order is on the disk before it "
                "leaves; must be group or every"
            )
        return None
