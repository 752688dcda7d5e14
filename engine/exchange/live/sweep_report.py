"""What a sweep tells of itself: on the way, and as its result."""

from __future__ import annotations

import msgspec

from engine.exchange.coinbase.broker import BrokerError, CancelAnswer
from engine.exchange.coinbase.wire.user import OrderReport


class SweepReport(msgspec.Struct, frozen=True):
    """What a sweep has found out by now. Orders are named by our client id, else by the venue's id."""

    began_ns: int
    """Wall time."""
    took_ns: int
    rounds: int
    listings: int
    """Complete ones."""
    cancelled: tuple[str, ...] = ()
    """The venue took our cancel up, and lists the order no longer. What was filled before is filled."""
    gone: tuple[str, ...] = ()
    """Is not listed, though no cancel of ours was taken up: filled, ended, or the answer was lost."""
    still_open: tuple[str, ...] = ()
    """In the last complete listing."""
    unknown: tuple[str, ...] = ()
    """We wanted it cancelled, and the venue has neither answered that nor ever listed the order."""
    is_proven: bool = False
    """Two complete listings in a row, 500 ms apart, had no order of ours."""
    failure: str = ""
    """Why the last listing could not be had; empty when it was."""

    def __str__(self) -> str:
        """For people."""
        counts = (
            f"{len(self.cancelled)} cancelled, {len(self.gone)} gone otherwise, "
            f"{len(self.still_open)} still open, {len(self.unknown)} unknown"
        )
        after = f"after {self.took_ns / 1e9:.1f} s"
        if self.is_proven:
            return f"nothing of ours is open, proven by two complete listings {after}: {counts}"
        why = f"; the venue's list cannot be had: {self.failure}" if self.failure else ""
        return f"no proof {after} ({self.rounds} rounds): {counts}{why}"


class SweepRound(msgspec.Struct, frozen=True):
    """One round: what was listed, what was cancelled, and where that leaves the sweep."""

    number: int
    listed: tuple[OrderReport, ...] | None
    """Orders of ours; None when the list could not be had."""
    answers: tuple[CancelAnswer, ...]
    error: BrokerError | None
    """Why the list could not be had."""
    report: SweepReport
