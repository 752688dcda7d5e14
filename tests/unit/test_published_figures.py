"""Our formulas against what the papers print. `pinnacle-tui bench papers` shows the same."""

from __future__ import annotations

import io
import json
import math

import pytest

from engine.commands import bench_papers
from engine.commands.avellaneda_stoikov_table import TABLE, Row, Statistics, deviations, simulated
from engine.commands.bench_papers import MOST_DEVIATIONS, Comparison, comparisons
from engine.strategy.avellaneda_stoikov_model import liquidity_half_spread_ticks
from engine.strategy.glft_model import ClosedForm, ExactSolution
from engine.strategy.micro_price import adjustments, weighted_mid
from engine.strategy.optimal_quoting import OptimalQuotingParameters
from engine.strategy.order_flow import Touch, order_flow


@pytest.fixture(scope="module")
def figures() -> list[Comparison]:
    return list(comparisons(seed=1))


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"gamma {row.gamma:g} {row.strategy}")
def test_the_journal_table_of_avellaneda_and_stoikov(row: Row) -> None:
    found = simulated(row, seed=20081)
    assert max(deviations(row, found)) <= MOST_DEVIATIONS, found


def test_the_table_tells_strategies_apart() -> None:
    inventory, symmetric = (simulated(row, seed=3) for row in TABLE[:2])
    assert max(deviations(TABLE[0], symmetric)) > 10
    assert max(deviations(TABLE[1], inventory)) > 10


@pytest.mark.parametrize(
    ("paper", "count"),
    [
        ("Avellaneda-Stoikov 2008", 6 * 4 + 7),
        ("Guéant-Lehalle-Fernandez-Tapia 2013", 4 + 2 * 9),
        ("Stoikov 2018", 3),
        ("Cont-Kukanov-Stoikov 2014", 4),
        ("queue models", 7),
    ],
)
def test_every_printed_figure(figures: list[Comparison], paper: str, count: int) -> None:
    of_paper = [each for each in figures if each.paper == paper]
    assert len(of_paper) == count
    assert [each for each in of_paper if not each.agrees] == []


def test_glft_to_nine_digits() -> None:
    closed = ClosedForm(OptimalQuotingParameters(0.05, 10.69, 2.986162360812285, 0.04235741115084049))
    assert closed.half_spread_ticks == pytest.approx(20.47208533844371, rel=1e-14)
    assert closed.skew_ticks == pytest.approx(9.76326865029227, rel=1e-14)
    assert closed.c1_ticks == pytest.approx(15.590451013, abs=5e-10)
    assert closed.c2 == pytest.approx(0.913308573, abs=5e-10)


def test_glft_with_hardly_any_aversion_is_not_lost_in_rounding() -> None:
    gamma, k = 1e-19, 1e-3
    tiny = OptimalQuotingParameters(gamma, 1.0, 1.0, k)
    # The limit of (1 + gamma/k)^(k/gamma + 1) is e.
    assert ClosedForm(tiny).c2 == pytest.approx((gamma * math.e / (2 * k)) ** 0.5, rel=1e-12)
    small = OptimalQuotingParameters(1e-10, 1.0, 1.0, k)
    first, last = ExactSolution(tiny, 30), ExactSolution(small, 30)
    assert first.bid_depth(29) == pytest.approx(last.bid_depth(29), rel=1e-4)


@pytest.mark.parametrize("most", [1, 2, 7, 30])
def test_the_exact_solution_is_the_eigenvector(most: int) -> None:
    parameters = OptimalQuotingParameters(0.1, 2.0, 140.0, 1.5)
    exact = ExactSolution(parameters, most)
    k, gamma = 1.5, 0.1
    alpha, eta = k * gamma * 4 / 2, 140 * (1 + gamma / k) ** -(1 + k / gamma)
    logs = [0.0]
    for inventory in range(-most, most):
        depth = exact.bid_depth(inventory)
        assert depth is not None
        logs.append(
            logs[-1]
            - k * (depth - liquidity_half_spread_ticks(OptimalQuotingParameters(0.1, 2.0, 140.0, 1.5)))
        )
    from math import exp

    f = [exp(value) for value in logs]
    values = []
    for at, inventory in enumerate(range(-most, most + 1)):
        beside = (f[at - 1] if at else 0.0) + (f[at + 1] if at + 1 < len(f) else 0.0)
        values.append((alpha * inventory**2 * f[at] - eta * beside) / f[at])
    assert min(f) > 0  # the eigenvector of the smallest eigenvalue is the one without a change of sign
    assert values == pytest.approx([values[0]] * len(values), rel=1e-9)


def test_the_exact_solution_ends_at_its_bounds() -> None:
    exact = ExactSolution(OptimalQuotingParameters(0.01, 0.3, 0.9, 0.3), 3)
    assert exact.bid_depth(3) is None
    assert exact.ask_depth(-3) is None
    assert exact.bid_depth(-3) is not None
    assert exact.bid_depth(4) is None
    for inventory in range(-3, 3):
        assert exact.bid_depth(inventory) == exact.ask_depth(-inventory)


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("place", range(4))
def test_parameters_must_be_numbers_above_zero(place: int, wrong: float) -> None:
    values = [0.1, 2.0, 140.0, 1.5]
    values[place] = wrong
    with pytest.raises(ValueError, match="must be a number above 0"):
        OptimalQuotingParameters(*values)


def test_the_weighted_mid_leans_to_the_side_that_gives_way() -> None:
    assert weighted_mid(100.0, 30.0, 101.0, 10.0) == 100.75
    assert weighted_mid(100.0, 10.0, 101.0, 10.0) == 100.5


def test_a_state_from_which_the_mid_never_moves() -> None:
    with pytest.raises(ValueError, match="never moves"):
        adjustments([[1.0]], [[0.0, 0.0]], [-1.0, 1.0], [[0.0]])


def test_order_flow_adds_up_over_a_withdrawal_and_its_return() -> None:
    there, gone = Touch(100, 7, 102, 5), Touch(99, 4, 102, 5)
    assert order_flow(there, gone) == -7
    assert order_flow(gone, there) == 7


def test_the_command_says_what_disagrees(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    assert bench_papers.run(as_json=True, seed=2, stdout=written) == 0
    answer = json.loads(written.getvalue())
    assert (answer["exit_code"], answer["seed"]) == (0, 2)
    assert all(each["agrees"] for each in answer["comparisons"])
    monkeypatch.setattr(bench_papers, "simulated", lambda row, seed: Statistics(0.0, 0.0, 0.0, 0.0))
    written = io.StringIO()
    assert bench_papers.run(as_json=False, seed=2, stdout=written) == 1
    assert "DISAGREES" in written.getvalue()
