"""The comparison of two ways to quote: its statistics, and its table."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from click.testing import CliRunner

from engine.commands import bench_quoting
from engine.commands.bench_quoting import compare, seeds_of
from engine.commands.quoting_comparison import Pair, paired, per_variance, sign_test, totals
from engine.commands.quoting_run import InventoryVariance, QuotingRun
from engine.core.errors import UsageError
from engine.core.instrument import Instrument
from engine.telemetry.markout_sums import MarkoutSums
from engine.telemetry.markouts import HORIZONS_NS
from pinnacle_tui.cli_bench import bench

X = Instrument.create("X-USD", tick="0.01", lot="0.001")
SECOND = 1_000_000_000


def ran(profit: float, variance: float, *, fills: int = 10, marks: MarkoutSums | None = None) -> QuotingRun:
    sums = tuple(marks or MarkoutSums() for _ in HORIZONS_NS)
    return QuotingRun(1, profit, variance, 2.0, fills, 0.5, sums, 10_000.0)


def test_the_variance_weighs_each_position_with_the_time_it_was_held() -> None:
    gauge = InventoryVariance()
    assert gauge.value == 0
    for seconds, lots in ((10, 0), (11, 8), (13, -4), (14, 0)):
        gauge.on_position(seconds * SECOND, lots)
    # 0 for a second, 8 for two, -4 for one: mean 3, mean square 36.
    assert gauge.value == 27


def test_a_position_that_is_held_all_the_time_does_not_vary() -> None:
    gauge = InventoryVariance()
    for seconds in (0, 1, 5):
        gauge.on_position(seconds * SECOND, 7)
    assert gauge.value == 0


@pytest.mark.parametrize(
    ("better", "worse", "p"),
    [(20, 0, 1.907e-6), (15, 5, 0.04139), (14, 6, 0.1153), (5, 15, 0.04139), (10, 10, 1.0), (0, 0, 1.0)],
)
def test_the_sign_test_as_in_its_tables(better: int, worse: int, p: float) -> None:
    assert sign_test(better, worse) == pytest.approx(p, rel=1e-3)


@pytest.mark.parametrize(
    ("fixed", "model", "counts"),
    [
        (ran(10, 2), ran(6, 1), (1, 0, 0)),
        (ran(10, 2), ran(6, 2), (0, 1, 0)),
        (ran(-1, 2), ran(0.1, 100), (1, 0, 0)),
        (ran(10, 2), ran(-0.1, 1), (0, 1, 0)),
        (ran(10, 2), ran(0, 0, fills=0), (0, 1, 0)),
        # A loss over more variance is the "better" ratio, and means nothing.
        (ran(-10, 1), ran(-10, 100), (0, 0, 1)),
        (ran(-10, 100), ran(-10, 1), (0, 0, 1)),
        (ran(4, 2), ran(2, 1), (0, 0, 1)),
    ],
)
def test_who_has_earned_more_per_variance(
    fixed: QuotingRun, model: QuotingRun, counts: tuple[int, int, int]
) -> None:
    found = paired([Pair(fixed, model)])
    assert (found.better, found.worse, found.undecided) == counts
    assert found.median_difference == model.profit - fixed.profit
    assert found.richer == (model.profit > fixed.profit)


def test_totals_are_means_and_the_ratio_is_one_of_means() -> None:
    found = totals([ran(10, 1, fills=10), ran(-4, 3, fills=30)], X)
    assert (found.profit, found.variance, found.fills, found.fees) == (3, 2, 20, 2)
    assert found.profit_per_variance == 1.5
    assert found.markouts[0].bps is None
    assert per_variance(1.0, 0.0) is None


def test_markouts_of_all_runs_together_in_basis_points() -> None:
    # One unit bought at 99.98 against a mid of 100: two ticks of a hundredth, two basis points; then none.
    first, second = MarkoutSums(), MarkoutSums()
    first.settle(1_000, X.value(4, 1_000), 0, 0)
    second.settle(1_000, X.value(4, 1_000), X.value(-4, 1_000), 0)
    found = totals([ran(1, 1, marks=first), ran(1, 1, marks=second)], X).markouts[2]
    assert (found.horizon_s, found.fills) == (10.0, 2)
    assert found.bps == pytest.approx(1)
    assert found.error_bps == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "seeds"), [("1-3", [1, 2, 3]), ("7", [7]), ("3, 8-9,1", [3, 8, 9, 1]), ("5-5", [5])]
)
def test_seeds_are_numbers_and_ranges(text: str, seeds: list[int]) -> None:
    assert seeds_of(text) == seeds


@pytest.mark.parametrize("text", ["", "x", "1-", "-3", "3-1", "1,1", "1-3,2", "1..3"])
def test_other_seeds_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--seeds"):
        seeds_of(text)


def written(**changes: Any) -> tuple[str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    given: dict[str, Any] = {"as_json": False, "seeds": "3,5", "minutes": 1, "maker_bps": "2"}
    given |= {"processes": 1} | changes
    assert bench_quoting.run(**given, stdout=stdout, stderr=stderr) == 0
    return stdout.getvalue(), stderr.getvalue()


def test_the_table_and_the_document_tell_the_same_however_many_processes_there_are() -> None:
    text, told = written()
    assert told == "4 runs of 1 simulated minutes\n"
    document = json.loads(written(as_json=True, processes=2)[0])
    assert (document["minutes"], document["maker_bps"]) == (1, "2")
    assert document["settings"]["model"] == {"engine.strategy": "glft"}
    lines = [line.split() for line in text.splitlines()]
    for seed, row in zip((3, 5), document["seeds"], strict=True):
        figures = [
            shown
            for name in ("fixed", "model")
            for shown in (
                f"{row[name]['profit']:.2f}",
                f"{row[name]['variance']:.6f}",
                f"{row[name]['profit_per_variance']:,.0f}",
                str(row[name]["fills"]),
            )
        ]
        assert [str(seed), *figures] in lines
        assert row["fixed"]["fills"] > 0
        assert row["model"]["fills"] > 0
        assert row["fixed"]["fees"] > 0
    mark = document["totals"]["model"]["markouts"][1]
    assert f"1 s {mark['bps']:+.2f} ± {mark['error_bps']:.2f}" in text
    assert f"better with {document['paired']['better']} seeds" in text
    assert f"higher with {document['paired']['richer']} of 2 seeds" in text


def test_a_wrong_fee_is_refused_before_anything_runs() -> None:
    with pytest.raises(UsageError, match="--maker-bps"):
        written(maker_bps="much")


@pytest.mark.nightly
def test_the_model_as_it_ships_earns_more_per_variance_than_the_fixed_quote() -> None:
    """The claim of the README: 20 seeds that nothing was tuned on, the simulator's fees, informed flow."""
    found = compare(range(1, 21), 15, "2", processes=2)
    assert found.model.profit > 0
    assert found.fixed.profit_per_variance is not None
    assert found.model.profit_per_variance is not None
    assert found.model.profit_per_variance > found.fixed.profit_per_variance
    assert found.paired.better > found.paired.worse
    assert found.paired.p_value < 0.01


def test_an_option_of_another_bench_is_refused() -> None:
    result = CliRunner().invoke(bench, ["papers", "--minutes", "3"])
    assert result.exit_code == 2
    assert "--minutes is for bench quoting, and this is bench papers" in result.output
