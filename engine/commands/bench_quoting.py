"""`bench quoting`: the model that ships against a fixed 10 bp quote, on the same simulated markets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any, Final, TextIO

import msgspec

from engine.commands.quoting_comparison import Pair, Paired, Totals, paired, per_variance, totals
from engine.commands.quoting_run import QuotingRun, RunError, run_quotes
from engine.config import stored_config
from engine.core.errors import UsageError
from engine.exchange.coinbase.products import catalogue

PRODUCT: Final = "BTC-USD"
SHOWN_S: Final = (1.0, 10.0, 60.0)
"""Horizons of the table; JSON has all."""

FIXED: Final[Mapping[str, str]] = {
    "engine.strategy": "basic",
    "strategy.volume_weight_factor": "0",
    "strategy.volatility_threshold": "1000",
}
"""`basic` as it is by default, 10 bp wide, with nothing that widens it."""
MODEL: Final[Mapping[str, str]] = {"engine.strategy": "glft"}
"""`glft` as it is by default."""


class Comparison(msgspec.Struct, frozen=True):
    """Everything that was found."""

    minutes: int
    maker_bps: str
    pairs: list[Pair]
    fixed: Totals
    model: Totals
    paired: Paired


def run(
    *,
    as_json: bool,
    seeds: str,
    minutes: int,
    maker_bps: str,
    processes: int,
    stdout: TextIO,
    stderr: TextIO,
) -> int:
    """Trade both set-ups on every seed and print what they came to. Raises as `seeds_of` and `compare`."""
    chosen = seeds_of(seeds)
    stored_config({"fees.maker_bps": maker_bps}, "--maker-bps")
    stderr.write(f"{2 * len(chosen)} runs of {minutes} simulated minutes\n")
    found = compare(chosen, minutes, maker_bps, processes)
    stdout.write(_json(found) if as_json else _text(found))
    return 0


def seeds_of(text: str) -> list[int]:
    """Seeds as `1-20` or `3,5,8-10`. Raises `UsageError` for anything else, and for one named twice."""
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)):
            raise UsageError(f"--seeds {text}: must be numbers and ranges, for example 1-20 or 3,5,8-10")
        seeds += range(int(first), int(last or first) + 1)
    if not seeds or len(set(seeds)) < len(seeds):
        raise UsageError(f"--seeds {text}: must name at least one seed, and none twice")
    return seeds


def compare(seeds: Sequence[int], minutes: int, maker_bps: str, processes: int) -> Comparison:
    """Both set-ups on every seed, in so many processes.

    Raises `RunError` where a run failed, or where the fixed quote never traded.
    """
    work = [
        (seed, minutes, {**chosen, "fees.maker_bps": maker_bps})
        for seed in seeds
        for chosen in (FIXED, MODEL)
    ]
    if processes == 1:
        runs = [run_quotes(*each) for each in work]
    else:
        # Started afresh, so that nothing of this process is in what they do.
        with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
            runs = list(pool.map(run_quotes, *zip(*work, strict=True)))
    pairs = [Pair(*each) for each in zip(runs[::2], runs[1::2], strict=True)]
    if silent := [pair.fixed.seed for pair in pairs if not pair.fixed.fills]:
        raise RunError(f"the fixed quote was never filled with seeds {silent}: {minutes} min are too few")
    together = partial(totals, instrument=catalogue()[PRODUCT])
    fixed, model = zip(*pairs, strict=True)
    return Comparison(minutes, maker_bps, pairs, together(fixed), together(model), paired(pairs))


def _json(found: Comparison) -> str:
    answer: dict[str, Any] = {
        "v": 1,
        "minutes": found.minutes,
        "maker_bps": found.maker_bps,
        "settings": {"fixed": FIXED, "model": MODEL},
        "seeds": [
            {"seed": pair.fixed.seed, "fixed": _row(pair.fixed), "model": _row(pair.model)}
            for pair in found.pairs
        ],
        "totals": {"fixed": found.fixed, "model": found.model},
        "paired": found.paired,
    }
    return msgspec.json.encode(answer).decode() + "\n"


def _row(run: QuotingRun) -> dict[str, Any]:
    return {
        "profit": run.profit,
        "variance": run.variance,
        "profit_per_variance": per_variance(run.profit, run.variance),
        "fees": run.fees,
        "fills": run.fills,
        "volume": run.volume,
    }


def _text(found: Comparison) -> str:
    names = (f"fixed 10 bp ({FIXED['engine.strategy']})", f"{MODEL['engine.strategy']}, as it ships")
    lines = [
        f"{PRODUCT}, {found.minutes} simulated minutes a seed, maker fee {found.maker_bps} bp, informed flow",
        "profit after fees in USD; variance of the inventory over time, every change seen, in BTC²",
        "",
        f"{'':>6}" + "".join(f"{name:>46}" for name in names),
        f"{'seed':>6}" + 2 * f"{'profit':>14}{'variance':>12}{'profit/var.':>12}{'fills':>8}",
    ]
    lines += [
        f"{pair.fixed.seed:>6}" + "".join(_figures(run.profit, run.variance, run.fills) for run in pair)
        for pair in found.pairs
    ]
    both = (found.fixed, found.model)
    lines += [
        f"{'mean':>6}" + "".join(_figures(each.profit, each.variance, each.fills) for each in both),
        "",
    ]
    for name, each in zip(names, both, strict=True):
        told = "; ".join(
            f"{mark.horizon_s:g} s {_number(mark.bps, '+.2f')} ± {_number(mark.error_bps, '.2f')}"
            for mark in each.markouts
            if mark.horizon_s in SHOWN_S
        )
        lines.append(
            f"{name}: a run pays {each.fees:.2f} USD of fees on {each.volume:.3f} BTC; "
            f"markout in bp before fees: {told}"
        )
    verdict = found.paired
    lines.append(
        f"profit per unit of variance: {MODEL['engine.strategy']} is better with {verdict.better} seeds, "
        f"worse with {verdict.worse}, {verdict.undecided} undecided; sign test p = {verdict.p_value:.2g}"
    )
    lines.append(
        f"profit alone: higher with {verdict.richer} of {len(found.pairs)} seeds, "
        f"median of the differences {verdict.median_difference:+.2f} USD"
    )
    return "\n".join(lines) + "\n"


def _figures(profit: float, variance: float, fills: float) -> str:
    ratio = _number(per_variance(profit, variance), ",.0f")
    return f"{profit:>14.2f}{variance:>12.6f}{ratio:>12}{fills:>8.0f}"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
