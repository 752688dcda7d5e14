"""The market-making model of Guéant, Lehalle and Fernandez-Tapia: how far from the mid to quote.

Math. Fin. Econ. 7 (2013), 477-507 (arXiv 1105.3115), and Guéant, arXiv 1605.01862, equations 4.6 and 4.7.
Units: depths and prices in ticks, sizes in order units (one unit is one order), time in seconds.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from engine.strategy.optimal_quoting import OptimalQuotingParameters

_BISECTIONS: Final = 200
"""Halvings of the interval of the eigenvalue; floating point ends it much earlier."""


class Depths(NamedTuple):
    """How far below and above the mid to quote, in ticks; may be negative far from flat."""

    bid: float
    ask: float


class ClosedForm:
    """The asymptotic solution: a half-spread, and a shift that is proportional to the inventory.

    depth of the bid = c1 + (2q + delta)/2 * sigma * c2, of the ask c1 - (2q - delta)/2 * sigma * c2.
    """

    def __init__(
        self, parameters: OptimalQuotingParameters, *, xi: float | None = None, delta: float = 1.0
    ) -> None:
        """`xi` is the aversion to the risk of not being filled (None: gamma, the model of 2013), `delta` the
        size of an order in units."""
        gamma, sigma = parameters.gamma_per_tick, parameters.sigma_ticks_sqrt_s
        intensity, k = parameters.A_per_s, parameters.k_per_tick
        xi = gamma if xi is None else xi
        ratio = xi * delta / k
        self.c1_ticks = math.log1p(ratio) / (xi * delta)
        """What a fill is worth beyond the risk it brings."""
        power = math.exp((1 / ratio + 1) * math.log1p(ratio))  # (1 + ratio)^..., and e where it is tiny
        self.c2 = math.sqrt(gamma / (2 * intensity * delta * k) * power)
        self.skew_ticks = sigma * self.c2
        """How far both quotes move for one unit of inventory."""
        self.half_spread_ticks = self.c1_ticks + delta * self.skew_ticks / 2

    def depths(self, inventory: float) -> Depths:
        """For an inventory in units, positive when long."""
        shift = inventory * self.skew_ticks
        return Depths(self.half_spread_ticks + shift, self.half_spread_ticks - shift)


class ExactSolution:
    """The stationary solution itself, for inventories from -Q to Q.

    The depths follow from the positive eigenvector f of the matrix with alpha q^2 on its diagonal and -eta
    beside it, alpha = k gamma sigma^2 / 2, eta = A (1 + gamma/k)^-(1 + k/gamma): the bid of inventory q lies
    ln(f_q / f_(q+1)) / k + ln(1 + gamma/k) / gamma below the mid. The ratios of neighbours obey a continued
    fraction, computed from the edge inwards, where it is stable; f is symmetric, which gives the eigenvalue.
    """

    def __init__(self, parameters: OptimalQuotingParameters, most_units: int) -> None:
        """`most_units` is Q: beyond it nothing is bought (or sold)."""
        if most_units < 1:
            raise ValueError(f"most_units = {most_units}: must be at least 1")
        gamma, k = parameters.gamma_per_tick, parameters.k_per_tick
        alpha = k * gamma * parameters.sigma_ticks_sqrt_s**2 / 2
        eta = parameters.A_per_s * math.exp(-(1 + k / gamma) * math.log1p(gamma / k))
        self.most_units = most_units
        self._k = k
        self._c1 = math.log1p(gamma / k) / gamma
        self._ratios = _neighbours(alpha / eta, most_units)

    def bid_depth(self, inventory: int) -> float | None:
        """Below the mid, in ticks; None where the inventory must not grow any further."""
        if not -self.most_units <= inventory < self.most_units:
            return None
        ratios = self._ratios
        ratio = ratios[inventory] if inventory >= 0 else 1 / ratios[-inventory - 1]
        return self._c1 + math.log(ratio) / self._k

    def ask_depth(self, inventory: int) -> float | None:
        """Above the mid, in ticks; None where nothing more may be sold."""
        return self.bid_depth(-inventory)


def _neighbours(curvature: float, most: int) -> list[float]:
    """f_q / f_(q+1) for q = 0 .. most-1, for the eigenvector of the smallest eigenvalue, all divided by eta.

    `curvature` is alpha / eta. Below the eigenvalue every ratio is positive and the middle row is above 0.
    """
    low, high = -2.0, 0.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        ratios = _ratios(curvature, most, middle)
        if ratios is None or -middle - 2 / ratios[0] < 0:
            high = middle
        else:
            low = middle
    found = _ratios(curvature, most, low)
    assert found is not None
    return found


def _ratios(curvature: float, most: int, value: float) -> list[float] | None:
    """The ratios that go with a trial eigenvalue; None when it lies above the smallest one."""
    ratios = [0.0] * most
    beyond = 0.0
    for q in range(most, 0, -1):
        ratio = curvature * q * q - value - beyond
        if ratio <= 0:
            return None
        ratios[q - 1] = ratio
        beyond = 1 / ratio
    return ratios
