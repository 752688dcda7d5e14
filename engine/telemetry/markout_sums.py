"""Sums of markouts over fills, with their average and its error. See `engine.telemetry.markouts`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.core.instrument import Instrument


@dataclass(slots=True)
class MarkoutSums:
    """Sums over fills of one group at one horizon; money in atoms, sizes in lots.

    A censored fill is one whose horizon was never seen (the run ended, or no mid was in force then): it
    is counted and enters no other sum.
    """

    fills: int = 0
    lots: int = 0
    captured: int = 0
    adverse_selection: int = 0
    fees: int = 0
    censored: int = 0
    lots_squared: float = 0.0
    markout_lots: float = 0.0
    markout_squared: float = 0.0
    """Sums over fills of lots², of markout times lots, and of markout²: for the error of the average."""

    @property
    def markout(self) -> int:
        """Size times maker markout, before fees."""
        return self.captured + self.adverse_selection

    @property
    def net(self) -> int:
        """Markout after fees."""
        return self.markout - self.fees

    def per_unit(self, instrument: Instrument) -> float | None:
        """Average markout before fees in ticks per unit of size; None without a settled fill."""
        if not self.lots:
            return None
        return self.markout / (2 * instrument.atoms_per_half_tick_lot * self.lots)

    def error_per_unit(self, instrument: Instrument) -> float | None:
        """Standard error of `per_unit` in the same units; None with fewer than two settled fills.

        Fills count by their size: the error of a ratio of sums (Cochran, Sampling Techniques, 6.4).
        """
        if self.fills < 2:
            return None
        mean = self.markout / self.lots
        spread = self.markout_squared - 2 * mean * self.markout_lots + mean * mean * self.lots_squared
        variance = max(0.0, spread) * self.fills / (self.fills - 1)
        return math.sqrt(variance) / (2 * instrument.atoms_per_half_tick_lot * self.lots)

    def settle(self, lots: int, captured: int, adverse_selection: int, fees: int) -> None:
        """Enter a fill whose horizon has come."""
        markout = captured + adverse_selection
        self.fills += 1
        self.lots += lots
        self.captured += captured
        self.adverse_selection += adverse_selection
        self.fees += fees
        self.lots_squared += float(lots) * lots
        self.markout_lots += float(markout) * lots
        self.markout_squared += float(markout) * markout

    def add(self, other: MarkoutSums) -> None:
        """Add another group's sums to these."""
        self.fills += other.fills
        self.lots += other.lots
        self.captured += other.captured
        self.adverse_selection += other.adverse_selection
        self.fees += other.fees
        self.censored += other.censored
        self.lots_squared += other.lots_squared
        self.markout_lots += other.markout_lots
        self.markout_squared += other.markout_squared
