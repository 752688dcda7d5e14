"""Two set-ups on the same seeds: totals of each, and how often the one did better than the other."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from engine.commands.quoting_run import QuotingRun
from engine.core.instrument import Instrument
from engine.telemetry.markout_sums import MarkoutSums
from engine.telemetry.markouts import HORIZONS_NS


class Markout(msgspec.Struct, frozen=True):
    """The average markout of a unit of size, in bp of the price, before fees; None without a settled fill."""

    horizon_s: float
    bps: float | None
    error_bps: float | None
    """Its standard error."""
    fills: int


class Totals(msgspec.Struct, frozen=True):
    """A set-up over all seeds, as means of a run; money in quote currency, sizes in base."""

    profit: float
    variance: float
    profit_per_variance: float | None
    """The mean profit by the mean variance: no run with a tiny variance outweighs the others."""
    fees: float
    fills: float
    volume: float
    markouts: tuple[Markout, ...]
    """Of all fills together."""


class Paired(msgspec.Struct, frozen=True):
    """The model against the fixed quote, seed by seed: profit per unit of variance, then profit alone."""

    better: int
    worse: int
    undecided: int
    """Both lost, or were equal: a loss by a variance is no merit, since more variance improves it."""
    p_value: float
    """Of as uneven a count if both were equally good: the two-sided sign test of those decided."""
    richer: int
    """Seeds with which the model's profit is higher."""
    median_difference: float
    """Of the profits, the model's less the fixed quote's."""


class Pair(NamedTuple):
    """What both set-ups came to on one seed."""

    fixed: QuotingRun
    model: QuotingRun


def totals(runs: Sequence[QuotingRun], instrument: Instrument) -> Totals:
    """Over at least one run."""
    profit, variance = _mean([run.profit for run in runs]), _mean([run.variance for run in runs])
    return Totals(
        profit,
        variance,
        per_variance(profit, variance),
        _mean([run.fees for run in runs]),
        _mean([run.fills for run in runs]),
        _mean([run.volume for run in runs]),
        markouts(runs, instrument),
    )


def markouts(runs: Sequence[QuotingRun], instrument: Instrument) -> tuple[Markout, ...]:
    """Of all fills of the runs together, one for each horizon."""
    # The price moves by less than the error of a markout while a run lasts.
    ticks_per_bp = _mean([run.mid_ticks for run in runs]) * 1e-4
    made = []
    for index, horizon_ns in enumerate(HORIZONS_NS):
        sums = MarkoutSums()
        for run in runs:
            sums.add(run.markouts[index])
        ticks, error = sums.per_unit(instrument), sums.error_per_unit(instrument)
        made.append(
            Markout(
                horizon_ns / 1e9,
                None if ticks is None else ticks / ticks_per_bp,
                None if error is None else error / ticks_per_bp,
                sums.fills,
            )
        )
    return tuple(made)


def per_variance(profit: float, variance: float) -> float | None:
    """Profit per unit of inventory variance; None for an inventory that never changed."""
    return profit / variance if variance else None


def paired(pairs: Sequence[Pair]) -> Paired:
    """Over at least one seed."""
    verdicts = [_verdict(pair) for pair in pairs]
    better, worse = verdicts.count(1), verdicts.count(-1)
    differences = [pair.model.profit - pair.fixed.profit for pair in pairs]
    return Paired(
        better,
        worse,
        verdicts.count(0),
        sign_test(better, worse),
        sum(difference > 0 for difference in differences),
        statistics.median(differences),
    )


def sign_test(better: int, worse: int) -> float:
    """Two-sided p-value of such a count of signs, each sign being as likely (Dixon and Mood 1946)."""
    count, most = better + worse, max(better, worse)
    tail = sum(math.comb(count, number) for number in range(most, count + 1))
    return min(1.0, 2 * tail / (1 << count))


def _verdict(pair: Pair) -> int:
    """1 where the model has earned more per unit of variance, -1 where less, 0 where nothing can be said."""
    if pair.fixed.profit <= 0 and pair.model.profit <= 0:
        return 0
    fixed, model = (per_variance(run.profit, run.variance) or 0.0 for run in pair)
    return (model > fixed) - (model < fixed)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
