"""The table of Avellaneda and Stoikov's journal paper, simulated again with our own formulas."""

from __future__ import annotations

import math
import random
import statistics
from typing import Final, NamedTuple

from engine.strategy.avellaneda_stoikov_model import intensity_per_s, reservation_offset_ticks, spread_ticks
from engine.strategy.optimal_quoting import OptimalQuotingParameters

PATHS: Final = 1_000
_STEPS: Final = 200
_HORIZON_S: Final = 1.0
_SIGMA: Final = 2.0
_A: Final = 140.0
_K: Final = 1.5


class Statistics(NamedTuple):
    """Of the final profit and the final inventory over all paths."""

    profit: float
    profit_sd: float
    inventory: float
    inventory_sd: float


class Row(NamedTuple):
    """One row of the table: what the paper prints, and what many batches of `PATHS` paths give."""

    gamma: float
    strategy: str
    """`inventory`: around the reservation price; `symmetric`: the same average spread around the mid."""
    printed: Statistics
    mean: Statistics
    """Over 40 batches."""
    batch_sd: Statistics
    """How much one batch differs from another."""


TABLE: Final = (
    Row(
        0.1,
        "inventory",
        Statistics(65.0, 6.6, 0.08, 2.9),
        Statistics(64.94, 6.54, -0.02, 2.94),
        Statistics(0.21, 0.15, 0.09, 0.07),
    ),
    Row(
        0.1,
        "symmetric",
        Statistics(68.4, 12.7, 0.26, 8.4),
        Statistics(68.25, 13.52, -0.12, 8.45),
        Statistics(0.51, 0.42, 0.26, 0.18),
    ),
    Row(
        0.01,
        "inventory",
        Statistics(68.6, 8.7, 0.12, 5.1),
        Statistics(68.44, 8.98, -0.06, 5.24),
        Statistics(0.36, 0.19, 0.14, 0.11),
    ),
    Row(
        0.01,
        "symmetric",
        Statistics(68.8, 12.8, 0.09, 8.7),
        Statistics(68.68, 13.71, -0.09, 8.77),
        Statistics(0.53, 0.41, 0.26, 0.18),
    ),
    Row(
        1.0,
        "inventory",
        Statistics(31.4, 5.0, 0.02, 1.7),
        Statistics(31.46, 4.82, 0.00, 1.64),
        Statistics(0.16, 0.12, 0.05, 0.03),
    ),
    Row(
        1.0,
        "symmetric",
        Statistics(44.0, 11.0, 0.00, 5.1),
        Statistics(43.71, 10.75, -0.02, 5.21),
        Statistics(0.35, 0.28, 0.15, 0.12),
    ),
)


def average_spread(gamma: float) -> float:
    """The spread in the middle of the horizon, which is its average over time."""
    return spread_ticks(_parameters(gamma), _HORIZON_S / 2)


def simulated(row: Row, seed: int, paths: int = PATHS) -> Statistics:
    """A row played again: the mid moves by sigma sqrt(dt) up or down, each side fills one unit with
    probability lambda dt (never above 1)."""
    draw = random.Random(seed).random
    parameters = _parameters(row.gamma)
    dt = _HORIZON_S / _STEPS
    jump = _SIGMA * math.sqrt(dt)
    is_symmetric = row.strategy == "symmetric"
    fixed = average_spread(row.gamma) / 2
    halves = [
        fixed if is_symmetric else spread_ticks(parameters, _HORIZON_S - n * dt) / 2 for n in range(_STEPS)
    ]
    # What one unit of inventory moves both quotes by; the exponentials are those of the intensity.
    skews = [
        0.0 if is_symmetric else -reservation_offset_ticks(parameters, 1, _HORIZON_S - n * dt)
        for n in range(_STEPS)
    ]
    steps = [
        (half, skew, intensity_per_s(parameters, half) * dt) for half, skew in zip(halves, skews, strict=True)
    ]
    exp, k = math.exp, _K
    profits, inventories = [], []
    for _ in range(paths):
        mid, cash, held = 100.0, 0.0, 0
        for half, skew, chance in steps:
            shift = held * skew
            lean = exp(-k * shift)
            has_bought = draw() < chance * lean
            has_sold = draw() < chance / lean
            if has_bought:
                cash -= mid - half - shift
                held += 1
            if has_sold:
                cash += mid + half - shift
                held -= 1
            mid += jump if draw() < 0.5 else -jump
        profits.append(cash + held * mid)
        inventories.append(held)
    return Statistics(
        statistics.fmean(profits),
        statistics.pstdev(profits),
        statistics.fmean(inventories),
        statistics.pstdev(inventories),
    )


def deviations(row: Row, found: Statistics) -> Statistics:
    """How many batch deviations each statistic lies from the mean; 4 are the bound."""
    pairs = zip(found, row.mean, row.batch_sd, strict=True)
    return Statistics(*(abs(value - mean) / sd for value, mean, sd in pairs))


def _parameters(gamma: float) -> OptimalQuotingParameters:
    return OptimalQuotingParameters(gamma, _SIGMA, _A, _K)
