"""The reconciliation matrix: our record of an order against the venue's word, as a pure function."""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from engine.exchange.live.standing import Remote


class Local(enum.StrEnum):
    """Where an order stands by our own record: the rows of the matrix."""

    ABSENT = "absent"
    QUEUED = "queued"
    """Its intent is durable, its send has not begun."""
    UNCERTAIN = "uncertain"
    OPEN = "open"
    PART_FILLED = "part_filled"
    CANCEL_SENT = "cancel_sent"
    FILLED = "filled"
    ENDED = "ended"


class Decision(enum.StrEnum):
    """What follows."""

    ADOPT = "A"
    """Take over the venue's figures and import missing fills."""
    FILLED = "F"
    """Import fills, close as filled."""
    ENDED = "E"
    """Import fills if any, close with the venue's reason."""
    NEVER_ARRIVED = "N"
    """After five complete queries: it does not exist."""
    QUERY = "Q"
    """Ask for this very order, then as answered."""
    WAIT = "W"
    """UNCERTAIN, ask again; the engine is not ACTIVE."""
    RECHECK = "R"
    """The venue shows less than we booked: ask again after 2 s; if it stays, HALTED."""
    CANCEL = "C"
    """It should not be there: cancel at once, import fills."""
    CONTRADICTION = "H"
    """It cannot be: HALTED."""
    ORPHAN = "X"
    """Ours by its tag, of a crash: import fills and cancel."""
    IMPORT = "I"
    """Ours by its tag and ended: import fills."""
    EXTERNAL = "EXTERNAL"
    """Of another front end: shown, never touched."""
    NOTHING = "-"


class Judgement(msgspec.Struct, frozen=True):
    """One order, where it stood on both sides, and what was decided."""

    order: str
    """Our client id, else the venue's id."""
    local: Local
    remote: Remote
    decision: Decision


_ORDER: Final = tuple(Remote)
_ROWS: Final = {
    Local.ABSENT: "XXXII-W",
    Local.QUEUED: "HHHHH--",
    Local.UNCERTAIN: "AAAFENW",
    Local.OPEN: "AAAFEQW",
    Local.PART_FILLED: "RRAFEQW",
    Local.CANCEL_SENT: "CCCFEQW",
    Local.FILLED: "RRR-R--",
    Local.ENDED: "CCCFE--",
}
_MATRIX: Final = {
    (local, remote): Decision(letter)
    for local, row in _ROWS.items()
    for remote, letter in zip(_ORDER, row, strict=True)
}
_UNANSWERED: Final = frozenset({Remote.NOT_FOUND, Remote.QUERY_FAILED})
_STRANGERS: Final = frozenset({Decision.ORPHAN, Decision.IMPORT})


def decide(local: Local, remote: Remote, *, is_ours: bool = True, shows_less: bool = False) -> Decision:
    """The cell of the matrix. `shows_less`: the venue's total of fills is below ours."""
    decision = _MATRIX[local, remote]
    if decision in _STRANGERS and not is_ours:
        return Decision.EXTERNAL
    if shows_less and remote not in _UNANSWERED and decision is not Decision.CONTRADICTION:
        return Decision.RECHECK
    return decision
