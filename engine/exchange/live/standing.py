"""Where an order stands at the venue, whatever words its API has for it."""

from __future__ import annotations

import enum
from typing import Final

from engine.core.instrument import Instrument
from engine.exchange.coinbase.wire.user import OrderReport


class Remote(enum.StrEnum):
    """What the venue says of an order: the columns of the reconciliation matrix."""

    PENDING = "pending"
    """It has it, and it does not work yet (PENDING, QUEUED, RECEIVED)."""
    OPEN = "open"
    PART_FILLED = "part_filled"
    FILLED = "filled"
    ENDED = "ended"
    """Cancelled, expired, failed."""
    NOT_FOUND = "not_found"
    QUERY_FAILED = "query_failed"


LIVE: Final = frozenset({Remote.PENDING, Remote.OPEN, Remote.PART_FILLED})
FAILED: Final = frozenset({"FAILED", "REJECTED"})
EXPIRED: Final = "EXPIRED"
_CANCELLED: Final = frozenset({"CANCELLED", "CANCELED"})
_WAITING: Final = frozenset({"PENDING", "QUEUED", "RECEIVED"})
_ENDED: Final = _CANCELLED | FAILED | {EXPIRED}


def standing(report: OrderReport, size: int, instrument: Instrument) -> Remote:
    """The column of a report on an order of `size` lots. A word that nobody knows counts as live.

    Whether what is filled is a whole number of lots is not judged here: of other front ends it need not be.
    """
    lots = instrument.lots_floor(report.filled)
    status = report.status
    if status == "FILLED" or (status == "DONE" and not report.remaining and report.filled):
        return Remote.FILLED
    if status in _ENDED or status == "DONE":
        return Remote.FILLED if size and lots >= size else Remote.ENDED
    if report.filled:
        return Remote.PART_FILLED
    return Remote.PENDING if status in _WAITING else Remote.OPEN
