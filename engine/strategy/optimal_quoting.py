"""What the models of optimal market making assume: a trader's aversion to risk, and a market's two numbers.

The mid moves like a Brownian motion, and a quote at a depth is filled at random, the more rarely the deeper.
Units: prices and depths in ticks, inventory in order units (one unit is one order), time in seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OptimalQuotingParameters:
    """Everything positive. `ValueError` for anything else."""

    gamma_per_tick: float
    """Risk aversion: of one unit of inventory and one tick of price."""
    sigma_ticks_sqrt_s: float
    """Volatility of the mid."""
    A_per_s: float
    """Fills per second at depth 0: intensity is A e^(-k depth)."""
    k_per_tick: float
    """How quickly fills become rare with depth."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} = {value}: must be a number above 0")
