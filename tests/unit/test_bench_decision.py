"""The benchmark of a decision does the work it reports. No timing is asserted."""

from __future__ import annotations

from engine.commands.bench_decision import bench_decision
from engine.commands.bench_timing import quantiles
from engine.strategies import BUILT_IN


def test_there_is_one_line_for_the_gate_and_one_for_each_model() -> None:
    results = bench_decision(rounds=2, steps=20, warm_up=5)
    assert [result.name for result in results] == [
        "risk check, all controls, p50",
        *(f"strategy step, {name}, p50" for name in BUILT_IN),
    ]
    assert all(result.count == 40 and 0 < result.low <= result.median <= result.high for result in results)
    assert results[0].note == "50 approved"


def test_quantiles_are_of_the_nearest_rank_and_then_their_median_over_the_rounds() -> None:
    rounds = [[4, 1, 3, 2], [10, 20, 30, 40], [100, 200, 300, 400]]
    half, nine = quantiles("x", rounds, "a note", (("p50", 500), ("p90", 900)))
    assert (half.name, half.median, half.low, half.high, half.count) == ("x, p50", 20, 2, 200, 12)
    assert (nine.name, nine.median, nine.low, nine.high, nine.note) == ("x, p90", 40, 4, 400, "a note")
