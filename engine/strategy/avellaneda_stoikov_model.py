"""The market-making model of Avellaneda and Stoikov, as the journal has it.

Quantitative Finance 8(3), 2008, 217-224, equations 29 and 30. Units: prices in ticks, inventory in order
units (one unit is one order), time in seconds.
"""

from __future__ import annotations

import math

from engine.strategy.optimal_quoting import OptimalQuotingParameters


def reservation_offset_ticks(parameters: OptimalQuotingParameters, inventory: float, left_s: float) -> float:
    """How far the price at which one is indifferent lies from the mid (eq. 29): -q gamma sigma^2 (T - t)."""
    return -inventory * parameters.gamma_per_tick * parameters.sigma_ticks_sqrt_s**2 * left_s


def risk_half_spread_ticks(parameters: OptimalQuotingParameters, left_s: float) -> float:
    """The part of the half-spread that pays for the risk of holding: gamma sigma^2 (T - t) / 2."""
    return parameters.gamma_per_tick * parameters.sigma_ticks_sqrt_s**2 * left_s / 2


def liquidity_half_spread_ticks(parameters: OptimalQuotingParameters) -> float:
    """The part that earns most from those who come: ln(1 + gamma / k) / gamma."""
    gamma = parameters.gamma_per_tick
    return math.log1p(gamma / parameters.k_per_tick) / gamma


def spread_ticks(parameters: OptimalQuotingParameters, left_s: float) -> float:
    """Distance of the ask from the bid (eq. 30)."""
    return 2 * (risk_half_spread_ticks(parameters, left_s) + liquidity_half_spread_ticks(parameters))


def intensity_per_s(parameters: OptimalQuotingParameters, depth_ticks: float) -> float:
    """Fills per second of a quote so far from the mid."""
    return parameters.A_per_s * math.exp(-parameters.k_per_tick * depth_ticks)
