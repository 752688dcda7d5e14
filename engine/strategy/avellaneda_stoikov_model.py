"""The market-making model of Avellaneda and Stoikov, as the journal has it.

Quantitative Finance 8(3), 2008, 217-224, equations 29 and 30. Units: prices in ticks, inventory in order
units (one unit is one order), time in seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AvellanedaStoikovParameters:
    """Everything positive. `ValueError` for anything else."""

    gamma_per_tick: float
    """Risk aversion: of one unit of inventory and one tick of price."""
    sigma_ticks_sqrt_s: float
    """Volatility of the mid."""
    A_per_s: float
    """Fills per second at depth 0: intensity is A e^(-k depth). The quotes do not depend on it."""
    k_per_tick: float
    """How quickly fills become rare with depth."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} = {value}: must be a number above 0")


def reservation_offset_ticks(
    parameters: AvellanedaStoikovParameters, inventory: float, left_s: float
) -> float:
    """How far the price at which one is indifferent lies from the mid (eq. 29): -q gamma sigma^2 (T - t)."""
    return -inventory * parameters.gamma_per_tick * parameters.sigma_ticks_sqrt_s**2 * left_s


def risk_half_spread_ticks(parameters: AvellanedaStoikovParameters, left_s: float) -> float:
    """The part of the half-spread that pays for the risk of holding: gamma sigma^2 (T - t) / 2."""
    return parameters.gamma_per_tick * parameters.sigma_ticks_sqrt_s**2 * left_s / 2


def liquidity_half_spread_ticks(parameters: AvellanedaStoikovParameters) -> float:
    """The part that earns most from those who come: ln(1 + gamma / k) / gamma."""
    gamma = parameters.gamma_per_tick
    return math.log1p(gamma / parameters.k_per_tick) / gamma


def spread_ticks(parameters: AvellanedaStoikovParameters, left_s: float) -> float:
    """Distance of the ask from the bid (eq. 30)."""
    return 2 * (risk_half_spread_ticks(parameters, left_s) + liquidity_half_spread_ticks(parameters))


def intensity_per_s(parameters: AvellanedaStoikovParameters, depth_ticks: float) -> float:
    """Fills per second of a quote so far from the mid."""
    return parameters.A_per_s * math.exp(-parameters.k_per_tick * depth_ticks)
