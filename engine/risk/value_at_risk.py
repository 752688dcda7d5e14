"""Value at risk: what a position may lose within a while, at a confidence. Pure functions over returns.

Returns are fractions (0.01 is 1 %), and all results are losses as positive fractions, never below 0. Without
returns nothing can be said, and the answer is 0.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import ceil
from statistics import NormalDist, fmean, pstdev
from typing import Final

_STANDARD: Final = NormalDist()
DRAWS: Final = 2_000
"""Of a Monte Carlo estimate."""


def historical(returns: Sequence[float], confidence: float) -> float:
    """The loss that was not exceeded in `confidence` of the cases: an order statistic, nothing assumed."""
    if not returns:
        return 0.0
    losses = sorted(-each for each in returns)
    return max(0.0, losses[ceil(confidence * len(losses)) - 1])


def parametric(returns: Sequence[float], confidence: float) -> float:
    """The same of the normal distribution with the mean and the deviation of the returns."""
    if not returns:
        return 0.0
    return max(0.0, _STANDARD.inv_cdf(confidence) * pstdev(returns) - fmean(returns))


def monte_carlo(returns: Sequence[float], confidence: float, seed: int, draws: int = DRAWS) -> float:
    """The historical one of `draws` sums of resampled deviations: fat tails stay, single cases matter less.

    Each draw takes a return at random and moves it by a normal deviation as wide as the kernel that suits so
    many returns (Silverman's rule), so that losses between and beyond those seen can come. Equal seeds give
    equal answers.
    """
    if not returns:
        return 0.0
    source = random.Random(seed)
    width = 1.06 * pstdev(returns) * len(returns) ** -0.2
    drawn = [each + source.gauss(0.0, width) for each in source.choices(returns, k=draws)]
    return historical(drawn, confidence)


def expected_shortfall(returns: Sequence[float], confidence: float) -> float:
    """The average of the losses at and beyond the historical value at risk."""
    if not returns:
        return 0.0
    losses = sorted(-each for each in returns)
    return max(0.0, fmean(losses[ceil(confidence * len(losses)) - 1 :]))
