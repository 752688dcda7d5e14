"""`bench papers`: what the papers print beside what our formulas give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple, TextIO

import msgspec

from engine.commands.avellaneda_stoikov_table import TABLE, Statistics, average_spread, deviations, simulated
from engine.exchange.queue_model import ahead_after_change, queue_model
from engine.strategy.avellaneda_stoikov_model import intensity_per_s, reservation_offset_ticks, spread_ticks
from engine.strategy.glft_model import ClosedForm, ExactSolution
from engine.strategy.micro_price import adjustments
from engine.strategy.optimal_quoting import OptimalQuotingParameters
from engine.strategy.order_flow import Touch, order_flow

MOST_DEVIATIONS: Final = 4.0
"""A statistic of 1000 paths may be so many deviations of such batches from their mean."""
_AS: Final = "Avellaneda-Stoikov 2008"
_GLFT: Final = "Guéant-Lehalle-Fernandez-Tapia 2013"
_STATISTICS: Final = ("profit", "sd of profit", "final inventory", "sd of inventory")


class Comparison(NamedTuple):
    """One figure: as printed, as computed here, and whether they agree."""

    paper: str
    what: str
    printed: str
    ours: str
    agrees: bool
    bound: str
    """How close they have to be, in words."""


def run(*, as_json: bool, seed: int, stdout: TextIO) -> int:
    """Compute and print everything; 1 where anything disagrees."""
    found = list(comparisons(seed))
    code = 0 if all(each.agrees for each in found) else 1
    if as_json:
        answer: dict[str, Any] = {
            "v": 1,
            "seed": seed,
            "comparisons": [each._asdict() for each in found],
            "exit_code": code,
        }
        stdout.write(msgspec.json.encode(answer).decode() + "\n")
    else:
        stdout.write(_text(found))
    return code


def comparisons(seed: int) -> Iterator[Comparison]:
    """Every figure. `seed` is that of the simulated table."""
    yield from _table(seed)
    yield from _points()
    yield from _glft()
    yield from _signals()
    yield from _queues()


def _table(seed: int) -> Iterator[Comparison]:
    for row in TABLE:
        found = simulated(row, seed)
        off = deviations(row, found)
        name = f"gamma {row.gamma:g}, {row.strategy}, spread {average_spread(row.gamma):.2f}"
        for field, what in zip(Statistics._fields, _STATISTICS, strict=True):
            distance = getattr(off, field)
            yield Comparison(
                _AS,
                f"{name}: {what}",
                f"{getattr(row.printed, field):g}",
                f"{getattr(found, field):.2f}",
                distance <= MOST_DEVIATIONS,
                f"{distance:.1f} of {MOST_DEVIATIONS:g} batch deviations from {getattr(row.mean, field):g}",
            )


def _points() -> Iterator[Comparison]:
    parameters = OptimalQuotingParameters(0.1, 2.0, 140.0, 1.5)
    for left_s, spread, intensity in (
        (1.0, "1.690770", "39.392"),
        (0.5, "1.490770", "45.767"),
        (0.0, "1.290770", "53.174"),
    ):
        ours = spread_ticks(parameters, left_s)
        yield _digits(_AS, f"spread at t = {1 - left_s:g}", spread, ours)
        yield _digits(
            _AS,
            f"fills per s at half of it, t = {1 - left_s:g}",
            intensity,
            intensity_per_s(parameters, ours / 2),
        )
    yield _digits(
        _AS,
        "reservation price, q = 3, mid 100, t = 0",
        "98.8",
        100 + reservation_offset_ticks(parameters, 3, 1.0),
    )


def _glft() -> Iterator[Comparison]:
    closed = ClosedForm(OptimalQuotingParameters(0.05, 10.69, 2.986162360812285, 0.04235741115084049))
    yield _digits(_GLFT, "half-spread, closed form", "20.47208533844371", closed.half_spread_ticks)
    yield _digits(_GLFT, "skew per unit, closed form", "9.76326865029227", closed.skew_ticks)
    yield _digits(_GLFT, "c1", "15.590451013", closed.c1_ticks)
    yield _digits(_GLFT, "c2", "0.913308573", closed.c2)
    for parameters, name, rows in _GLFT_ROWS:
        exact, closed = ExactSolution(parameters, 30), ClosedForm(parameters)
        for side, inventory, printed_exact, printed_closed in rows:
            depth = exact.bid_depth(inventory) if side == "bid" else exact.ask_depth(inventory)
            assert depth is not None
            where = f"{name}, q = {inventory}, {side}"
            yield _digits(_GLFT, f"{where}, exact", printed_exact, depth)
            yield _digits(
                _GLFT, f"{where}, closed form", printed_closed, getattr(closed.depths(inventory), side)
            )


_GLFT_ROWS: Final = (
    (
        OptimalQuotingParameters(0.01, 0.3, 0.9, 0.3),
        "gamma 0.01",
        (
            ("bid", 0, "3.313045", "3.312915"),
            ("bid", 5, "3.653480", "3.652244"),
            ("bid", 20, "4.665542", "4.670232"),
        ),
    ),
    (
        OptimalQuotingParameters(0.1, 0.3, 0.9, 0.3),
        "gamma 0.1",
        (
            ("bid", 0, "2.993084", "2.991576"),
            ("bid", 10, "5.265363", "5.286677"),
            ("bid", 20, "7.301644", "7.581778"),
        ),
    ),
    (
        OptimalQuotingParameters(0.1, 2.0, 140.0, 1.5),
        "sigma 2",
        (
            ("bid", 0, "0.671628", "0.671244"),
            ("bid", 5, "0.931780", "0.929830"),
            ("ask", 10, "0.158073", "0.154072"),
        ),
    ),
)


def _signals() -> Iterator[Comparison]:
    paper = "Stoikov 2018"
    states = (
        [[0.6, 0.2], [0.2, 0.6]],
        [[0.05, 0.15], [0.15, 0.05]],
        [-0.01, 0.01],
        [[0.05, 0.15], [0.15, 0.05]],
    )
    yield _digits(paper, "micro-price, first term", "0.00166667", adjustments(*states, terms=1)[0])
    yield _digits(paper, "micro-price, six terms", "0.00142854", adjustments(*states)[0])
    yield _digits(paper, "micro-price, limit", "0.00142857", adjustments(*states, terms=30)[0])
    paper = "Cont-Kukanov-Stoikov 2014"
    for what, before, now, flow in (
        ("bid grows 10 to 14", Touch(1000, 10, 1100, 1), Touch(1000, 14, 1100, 1), "4"),
        ("bid rises, 5 there", Touch(1000, 14, 1100, 1), Touch(1010, 5, 1100, 1), "5"),
        ("ask shrinks 8 to 3", Touch(900, 1, 1020, 8), Touch(900, 1, 1020, 3), "5"),
        ("ask falls, 6 there", Touch(900, 1, 1020, 3), Touch(900, 1, 1019, 6), "-6"),
    ):
        yield _digits(paper, f"order flow, {what}", flow, order_flow(before, now))


def _queues() -> Iterator[Comparison]:
    for model, n, printed in (
        ("risk_averse", 1.0, "30"),
        ("power", 1.0, "27"),
        ("power", 2.0, "28.448"),
        ("power2", 2.0, "24.9"),
        ("power3", 2.0, "29.1"),
        ("log", 1.0, "25.538"),
        ("log2", 1.0, "29.236"),
    ):
        ours = ahead_after_change(queue_model(model, n), 30.0, 100, 90)
        yield _digits("queue models", f"{model} n={n:g}: 30 ahead, level 100 to 90", printed, ours)


def _digits(paper: str, what: str, printed: str, ours: float) -> Comparison:
    """Agreement to the last printed digit."""
    places = len(printed.partition(".")[2])
    shown = f"{ours:.{places}f}"
    return Comparison(paper, what, printed, shown, shown == printed, "every printed digit")


def _text(found: list[Comparison]) -> str:
    lines, paper = [], ""
    width = max(len(each.what) for each in found)
    for each in found:
        if each.paper != paper:
            paper = each.paper
            lines += ["", f"{paper:<{width + 2}}{'printed':>20}{'ours':>20}"]
        verdict = "ok" if each.agrees else "DISAGREES"
        note = "" if each.bound == "every printed digit" else f"  {each.bound}"
        lines.append(f"  {each.what:<{width}}{each.printed:>20}{each.ours:>20}  {verdict}{note}")
    wrong = sum(not each.agrees for each in found)
    told = f"all {len(found)} agree" if not wrong else f"{wrong} of {len(found)} DISAGREE"
    return "\n".join([*lines[1:], "", told]) + "\n"
