"""Markouts: where the market went after each of our passive fills, and what that cost.

With s = +1 for our buy, P the fill's price, M the mid, and f the moment of the fill (Huang and Stoll
(1996), "Dealer versus auction markets", for the spread's components; seen from the maker's side):

    captured            s (M_f - P)
    adverse selection   s (M_{f+t} - M_f)
    markout             s (M_{f+t} - P) = captured + adverse selection
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from engine.core.events import OrderFilled
from engine.core.instrument import Instrument
from engine.core.ledger import fee_atoms
from engine.telemetry.markout_sums import MarkoutSums

HORIZONS_NS: Final = tuple(ms * 1_000_000 for ms in (100, 1_000, 10_000, 60_000, 300_000))
_NEVER: Final = 1 << 63


@dataclass(frozen=True, slots=True)
class _Pending:
    """A fill that waits for its horizons."""

    fill_id: str
    at_ns: int
    signed_lots: int
    lots: int
    mid: int
    captured: int
    fees: int
    sums: tuple[MarkoutSums, ...]


class PendingState(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """A fill that waits for its horizons, and the group it belongs to."""

    at_ns: int
    signed_lots: int
    lots: int
    mid: int
    captured: int
    fees: int
    group: str
    fill_id: str


Settled = Callable[[str, int, "int | None"], None]
"""Told of a fill by its id, of the horizon's index, and of its markout in atoms; None: censored."""


class MarkoutsState(msgspec.Struct, frozen=True):
    """Sums by group, one for each horizon, and the fills that wait for each."""

    groups: dict[str, tuple[MarkoutSums, ...]]
    rows: tuple[tuple[PendingState, ...], ...]
    mid: int | None
    last_ns: int
    next_ns: int


class Markouts:
    """Follows maker fills to each horizon. Times are monotonic ns, mids half ticks.

    Fills wait in one row per horizon, at most `capacity` in each; when a row is full its oldest fill is
    censored. Feed `on_mid` and `on_fill` in the order of their events.
    """

    __slots__ = (
        "_capacity",
        "_groups",
        "_instrument",
        "_last_ns",
        "_mid",
        "_next_ns",
        "_rows",
        "_settled",
        "horizons_ns",
    )

    def __init__(
        self,
        instrument: Instrument,
        horizons_ns: tuple[int, ...] = HORIZONS_NS,
        capacity: int = 50_000,
    ) -> None:
        self.horizons_ns = horizons_ns
        self._instrument = instrument
        self._capacity = capacity
        self._settled: Settled | None = None
        self._groups: dict[str, tuple[MarkoutSums, ...]] = {}
        self._rows: list[deque[_Pending]] = [deque() for _ in horizons_ns]
        self._mid: int | None = None
        self._last_ns = 0
        self._next_ns = _NEVER

    def tell_to(self, settled: Settled) -> None:
        """Whoever wants to know of each fill."""
        self._settled = settled

    def on_mid(self, now_ns: int, mid: int | None) -> None:
        """The mid is this from now on; None when no mid may be believed."""
        if mid != self._mid:
            # Horizons before this moment belong to the mid that was in force until now.
            self._settle(now_ns - 1)
            self._mid = mid
        self._last_ns = max(self._last_ns, now_ns)

    def on_time(self, now_ns: int) -> None:
        """Everything up to now has been shown: settle the horizons that fall due."""
        self._settle(now_ns)
        self._last_ns = max(self._last_ns, now_ns)

    def on_fill(self, fill: OrderFilled, group: str = "", mark: int | None = None) -> bool:
        """Follow a fill in a group, without one in that of its side; False for a taking fill.

        `mark` is what it was booked at, by default the mid in force. Without any the fill's own price
        stands for it: nothing captured, all of the markout is adverse selection, as in the ledger.
        """
        if not fill.is_maker:
            return False
        mid = mark if mark is not None else 2 * fill.price if self._mid is None else self._mid
        signed_lots = fill.side * fill.size
        pending = _Pending(
            fill_id=fill.fill_id,
            # Rows settle first in, first out, so a fill told late waits from when it was told.
            at_ns=max(fill.recv_ns, self._last_ns),
            signed_lots=signed_lots,
            lots=fill.size,
            mid=mid,
            captured=self._instrument.value(mid - 2 * fill.price, signed_lots),
            fees=fee_atoms(fill, self._instrument, mid) or 0,
            sums=self._sums_of(group or fill.side.word),
        )
        self._last_ns = pending.at_ns
        self._next_ns = min(self._next_ns, pending.at_ns + min(self.horizons_ns))
        for index, row in enumerate(self._rows):
            if len(row) >= self._capacity:
                self._censor(row.popleft(), index)
            row.append(pending)
        return True

    def close(self) -> None:
        """The run ends: every horizon not reached is censored."""
        for index, row in enumerate(self._rows):
            while row:
                self._censor(row.popleft(), index)

    def groups(self) -> dict[str, tuple[MarkoutSums, ...]]:
        """Per group, the sums of each horizon in the order of `horizons_ns`."""
        return dict(self._groups)

    def total(self) -> tuple[MarkoutSums, ...]:
        """The sums of each horizon over all groups."""
        totals = tuple(MarkoutSums() for _ in self.horizons_ns)
        for sums in self._groups.values():
            for total, part in zip(totals, sums, strict=True):
                total.add(part)
        return totals

    @property
    def waiting(self) -> int:
        """Fills whose last horizon is still to come."""
        return max(self.waiting_by_horizon)

    @property
    def waiting_by_horizon(self) -> tuple[int, ...]:
        """Fills that a horizon is still to come for, in the order of `horizons_ns`."""
        return tuple(len(row) for row in self._rows)

    def save(self) -> MarkoutsState:
        """All of it, copied."""
        names = {id(sums): group for group, sums in self._groups.items()}
        rows = [
            tuple(
                [
                    PendingState(
                        fill.at_ns,
                        fill.signed_lots,
                        fill.lots,
                        fill.mid,
                        fill.captured,
                        fill.fees,
                        names[id(fill.sums)],
                        fill.fill_id,
                    )
                    for fill in row
                ]
            )
            for row in self._rows
        ]
        groups = {group: tuple([replace(each) for each in sums]) for group, sums in self._groups.items()}
        return MarkoutsState(groups, tuple(rows), self._mid, self._last_ns, self._next_ns)

    def load(self, state: MarkoutsState) -> None:
        """Follow what was followed then; the horizons must be the same."""
        self._groups = {
            group: tuple([replace(each) for each in sums]) for group, sums in state.groups.items()
        }
        self._rows = [deque(self._pending(fill) for fill in row) for row in state.rows]
        self._mid, self._last_ns, self._next_ns = state.mid, state.last_ns, state.next_ns

    def _pending(self, fill: PendingState) -> _Pending:
        return _Pending(
            fill.fill_id,
            fill.at_ns,
            fill.signed_lots,
            fill.lots,
            fill.mid,
            fill.captured,
            fill.fees,
            self._sums_of(fill.group),
        )

    def _sums_of(self, group: str) -> tuple[MarkoutSums, ...]:
        sums = self._groups.get(group)
        if sums is None:
            sums = self._groups[group] = tuple(MarkoutSums() for _ in self.horizons_ns)
        return sums

    def _censor(self, fill: _Pending, index: int) -> None:
        fill.sums[index].censored += 1
        if self._settled is not None:
            self._settled(fill.fill_id, index, None)

    def _settle(self, until_ns: int) -> None:
        if until_ns < self._next_ns:
            return
        self._next_ns = _NEVER
        for index, (horizon, row) in enumerate(zip(self.horizons_ns, self._rows, strict=True)):
            while row and row[0].at_ns + horizon <= until_ns:
                fill = row.popleft()
                if self._mid is None:
                    self._censor(fill, index)
                    continue
                adverse = self._instrument.value(self._mid - fill.mid, fill.signed_lots)
                fill.sums[index].settle(fill.lots, fill.captured, adverse, fill.fees)
                if self._settled is not None:
                    self._settled(fill.fill_id, index, fill.captured + adverse)
            if row:
                self._next_ns = min(self._next_ns, row[0].at_ns + horizon)
