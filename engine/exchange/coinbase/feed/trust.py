"""How far a mirrored book is to be trusted: a score from 0 to 100 and the sentence that says why.

Whether a book is whole the session knows. Trust is about the rest: a feed that loses frames again and
again, a book that had to be doubted, heartbeats that come late, and what REST says of the same book.
Pure: time is given, nothing is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from engine.core.errors import InstrumentError
from engine.core.instrument import Instrument
from engine.core.order import BUY, SELL, Side
from engine.exchange.coinbase.broker import BookTop

TRUSTED: Final = 50
"""Below this score nobody quotes on the book."""
_FULL: Final = 100
_A_GAP: Final = 18
_A_CONTRADICTION: Final = 22
_MOST_AGE: Final = 30
_MOST_HEARTBEAT: Final = 30
_AUDIT_FREE_PERCENT: Final = 30
"""REST is a second old and the touch moves on: so many levels may differ."""
_HALF_LIFE_S: Final = 60
_HEARTBEAT_NS: Final = 1_500_000_000
_HEARTBEAT_MOST_NS: Final = 3_000_000_000

Levels = Mapping[tuple[Side, int], int]
"""Size in lots by side and price in ticks."""


class Difference(NamedTuple):
    """What an audit found: of so many levels that REST showed, so many are not ours."""

    levels: int
    wrong: int

    @property
    def wrong_percent(self) -> int:
        """The share of wrong levels; 0 of none."""
        return 0 if not self.levels else 100 * self.wrong // self.levels


class Trust(NamedTuple):
    """The score, and why it is not higher."""

    score: int
    reason: str

    @property
    def is_enough(self) -> bool:
        """True where the book may be quoted on."""
        return self.score >= TRUSTED


def compare(instrument: Instrument, top: BookTop, moments: Sequence[Levels]) -> Difference:
    """Our book against the venue's word on its best levels.

    The answer of REST is of some time between our looks at our own book (`moments`): a level is right
    where it was so in any of them. One that the instrument cannot express is wrong.
    """
    levels = wrong = 0
    for side, shown in ((BUY, top.bids), (SELL, top.asks)):
        for price, size in shown:
            levels += 1
            try:
                key, lots = (side, instrument.ticks(price)), instrument.lots(size)
            except InstrumentError:
                wrong += 1
                continue
            wrong += all(moment.get(key, 0) != lots for moment in moments)
    return Difference(levels, wrong)


class _Fading:
    """A count of which half is forgotten in a minute."""

    __slots__ = ("_count", "_since_ns")

    def __init__(self) -> None:
        self._count = 0.0
        self._since_ns = 0

    def add(self, now_ns: int) -> None:
        self._count, self._since_ns = self.at(now_ns) + 1, now_ns

    def at(self, now_ns: int) -> float:
        minutes = (now_ns - self._since_ns) / (_HALF_LIFE_S * 1e9)
        return self._count * 0.5 ** max(0.0, minutes) if self._count else 0.0


class BookTrust:
    """What speaks against one product's book."""

    __slots__ = ("_contradictions", "_gaps", "audit")

    def __init__(self) -> None:
        self.audit: Difference | None = None
        """The last audit of the present book; None before one."""
        self._gaps = _Fading()
        self._contradictions = _Fading()

    def note_gap(self, now_ns: int) -> None:
        """Frames of the connection were lost."""
        self._gaps.add(now_ns)

    def note_contradiction(self, now_ns: int) -> None:
        """Whoever holds the book found it wrong: crossed, or refusing a change."""
        self._contradictions.add(now_ns)

    def note_snapshot(self) -> None:
        """Another book: what was audited is gone."""
        self.audit = None

    def assess(self, now_ns: int, age_ns: int, most_age_ns: int, heartbeat_ns: int) -> Trust:
        """The score now, by the age of the last change, the age allowed, and that of the last heartbeat."""
        gaps, contradictions = self._gaps.at(now_ns), self._contradictions.at(now_ns)
        wrong = 0 if self.audit is None else self.audit.wrong_percent
        losses = [
            (round(_A_GAP * gaps), "frames were lost lately"),
            (round(_A_CONTRADICTION * contradictions), "the book was found wrong lately"),
            (_part(age_ns, most_age_ns // 2, most_age_ns, _MOST_AGE), f"no change for {age_ns / 1e9:.1f} s"),
            (
                _part(heartbeat_ns, _HEARTBEAT_NS, _HEARTBEAT_MOST_NS, _MOST_HEARTBEAT),
                f"no heartbeat for {heartbeat_ns / 1e9:.1f} s",
            ),
            (
                wrong if wrong > _AUDIT_FREE_PERCENT else 0,
                ""
                if self.audit is None
                else f"REST differs in {self.audit.wrong} of {self.audit.levels} levels",
            ),
        ]
        score = max(0, _FULL - sum(points for points, _ in losses))
        words = [
            f"{what} (-{points})" for points, what in sorted(losses, key=lambda loss: -loss[0]) if points > 0
        ]
        return Trust(
            score, f"trust {score} of {_FULL}: {', '.join(words)}" if words else "nothing speaks against it"
        )


def _part(value: int, free: int, most: int, points: int) -> int:
    """Points to be lost: none up to `free`, all from `most` on."""
    if value <= free:
        return 0
    return points if value >= most else points * (value - free) // (most - free)
