"""Attribution: which fills earned the profit, and in which hour.

With s = +1 for our buy, p a fill's price, M_f the mark it was booked at and M the mark now, a fill has
earned s qty (M_f - p) by its price and s qty (M - M_f) by what the market did since. Summed over all fills
these are the ledger's spread captured and inventory revaluation, whatever groups the fills are put into:

    profit = captured + revaluation - fees

The revaluation of a group is linear in the mark, so nothing need be done while only the market moves.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import msgspec

from engine.core.instrument import Instrument
from engine.core.ledger import BookedFill, fee_atoms

HOUR_NS: Final = 3_600_000_000_000
HOURS_KEPT: Final = 48
"""Hours that are told one by one; what was before them is in the totals alone."""


@dataclass(slots=True)
class Share:
    """What the fills of one group come to; money in atoms, sizes in lots."""

    fills: int = 0
    passive: int = 0
    """Those of them that were made, not taken: they are followed to their markouts."""
    lots: int = 0
    captured: int = 0
    fees: int = 0
    held: int = 0
    """What they have added to the position, fees in base included."""
    offset: int = 0
    """Their revaluation at the first mark there was."""

    def add(self, other: Share) -> None:
        """Add another group's to this."""
        self.fills += other.fills
        self.passive += other.passive
        self.lots += other.lots
        self.captured += other.captured
        self.fees += other.fees
        self.held += other.held
        self.offset += other.offset


class Totals(msgspec.Struct, frozen=True, gc=False):
    """The accounts at one moment, in atoms, since the start."""

    fills: int = 0
    captured: int = 0
    revaluation: int = 0
    fees: int = 0
    adverse: tuple[int, ...] = ()
    """Adverse selection by horizon, of the passive fills whose horizon has come."""

    @property
    def profit(self) -> int:
        """What they come to."""
        return self.captured + self.revaluation - self.fees

    def since(self, before: Totals) -> Totals:
        """What has come in since another moment."""
        return Totals(
            self.fills - before.fills,
            self.captured - before.captured,
            self.revaluation - before.revaluation,
            self.fees - before.fees,
            tuple(now - (before.adverse[at] if before.adverse else 0) for at, now in enumerate(self.adverse)),
        )


class AttributionState(msgspec.Struct, frozen=True):
    """Each field is the `Attribution`'s of that name."""

    shares: dict[str, Share]
    reference: int | None
    mark: int


class Attribution:
    """Sums fills by group. Marks are half ticks; feed `on_mark` and `on_fill` in the order they happen."""

    __slots__ = ("_instrument", "_mark", "_reference", "_shares")

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self._shares: dict[str, Share] = {}
        self._reference: int | None = None
        self._mark = 0

    def on_mark(self, mark: int | None) -> None:
        """The mark is this from now on; while there is none the last one goes on to value what is held."""
        if mark is not None:
            self._mark = mark

    def on_fill(self, booked: BookedFill, group: str) -> None:
        """Enter a fill into its group."""
        fill, instrument, mark = booked.fill, self._instrument, booked.mark
        if self._reference is None:
            self._reference = mark
        share = self._shares.setdefault(group, Share())
        signed_lots = fill.side * fill.size
        share.fills += 1
        share.passive += fill.is_maker
        share.lots += fill.size
        share.captured += instrument.value(mark - 2 * fill.price, signed_lots)
        share.fees += fee_atoms(fill, instrument, mark) or 0
        if fill.fee_asset == instrument.base:
            signed_lots -= fill.fee
        share.held += signed_lots
        share.offset -= instrument.value(mark - self._reference, signed_lots)
        self._mark = mark

    @property
    def mark(self) -> int:
        """The last mark there was, in half ticks."""
        return self._mark

    def shares(self) -> Mapping[str, Share]:
        """By group, what its fills come to."""
        return MappingProxyType(self._shares)

    def total(self) -> Share:
        """All groups together."""
        total = Share()
        for share in self._shares.values():
            total.add(share)
        return total

    def revaluation(self, share: Share) -> int:
        """What the market has done for a group's fills since they were made, in atoms."""
        return share.offset + self._instrument.value(self._mark - (self._reference or 0), share.held)

    def save(self) -> AttributionState:
        """All of it, copied."""
        shares = {group: replace(share) for group, share in self._shares.items()}
        return AttributionState(shares, self._reference, self._mark)

    def load(self, state: AttributionState) -> None:
        """Be what was saved."""
        self._shares = {group: replace(share) for group, share in state.shares.items()}
        self._reference, self._mark = state.reference, state.mark


class HourEnd(msgspec.Struct, frozen=True, gc=False):
    """The totals with which an hour ended; `hour` counts hours of UTC."""

    hour: int
    totals: Totals


class HoursState(msgspec.Struct, frozen=True):
    """Each field is the `Hours`' of that name."""

    hour: int | None
    ends: tuple[HourEnd, ...]
    before: Totals


class Hours:
    """Cuts rising totals into hours of the market's wall time. A clock that is set back opens no hour."""

    __slots__ = ("_before", "_ends", "_hour")

    def __init__(self) -> None:
        self._hour: int | None = None
        self._ends: deque[HourEnd] = deque()
        self._before = Totals()

    def is_over(self, wall_ns: int) -> bool:
        """True where that time is in a later hour than the one that is open: `turn` it."""
        return self._hour is None or wall_ns // HOUR_NS > self._hour

    def turn(self, wall_ns: int, totals: Totals) -> None:
        """The hour of that time begins, the one before it ends with these totals."""
        if self._hour is not None:
            self._ends.append(HourEnd(self._hour, totals))
            if len(self._ends) > HOURS_KEPT:
                self._before = self._ends.popleft().totals
        self._hour = wall_ns // HOUR_NS

    def rows(self, now: Totals) -> list[tuple[int, Totals]]:
        """For each hour, oldest first, when it began (wall ns) and what came in; the open one is the last."""
        made, before = [], self._before
        for end in self._ends:
            made.append((end.hour * HOUR_NS, end.totals.since(before)))
            before = end.totals
        if self._hour is not None:
            made.append((self._hour * HOUR_NS, now.since(before)))
        return made

    def save(self) -> HoursState:
        """All of it, copied."""
        return HoursState(self._hour, tuple(self._ends), self._before)

    def load(self, state: HoursState) -> None:
        """Be what was saved."""
        self._hour, self._ends, self._before = state.hour, deque(state.ends), state.before
