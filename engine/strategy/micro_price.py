"""Where the mid will be on average, given who waits at the touch: the micro-price of Stoikov.

Stoikov, The micro-price, 2018 (SSRN 2970694). A state is a bucket of imbalance and a spread; the table says
how far the mid is expected to move in the end from each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

Matrix = Sequence[Sequence[float]]
"""Row by row."""
TERMS: Final = 6
"""Of the series; the rest is below what any tick can show."""


def adjustments(
    stays: Matrix, moves: Matrix, move_sizes: Sequence[float], lands: Matrix, *, terms: int = TERMS
) -> list[float]:
    """How far the mid will have moved at last, for each state, in the unit of `move_sizes`.

    `stays` (Q) are the probabilities of another state without a move of the mid, `moves` (R1) of each move
    size, `lands` (R2) of each state that a move leads to; a row of Q and R1 sums to 1. g1 = (1-Q)^-1 R1 K and
    g(n+1) = (1-Q)^-1 R2 gn are summed; the data have to be symmetric, or the sum need not converge.
    Raises `ValueError` where the mid never moves from some state.
    """
    first = [sum(p * size for p, size in zip(row, move_sizes, strict=True)) for row in moves]
    total = term = _solve(stays, first)
    for _ in range(terms - 1):
        landed = [sum(p * value for p, value in zip(row, term, strict=True)) for row in lands]
        term = _solve(stays, landed)
        total = [a + b for a, b in zip(total, term, strict=True)]
    return total


def weighted_mid(bid: float, bid_size: float, ask: float, ask_size: float) -> float:
    """The mid pulled towards the side on which less waits: many bids mean that the ask gives way first."""
    imbalance = bid_size / (bid_size + ask_size)
    return bid * (1 - imbalance) + ask * imbalance


def _solve(stays: Matrix, values: Sequence[float]) -> list[float]:
    """x of (1 - Q) x = values, by elimination; the matrix is small and its diagonal dominates."""
    size = len(values)
    rows: list[list[float]] = [
        [*((1.0 if row == column else 0.0) - stays[row][column] for column in range(size)), values[row]]
        for row in range(size)
    ]
    for pivot in range(size):
        best = max(range(pivot, size), key=lambda row: abs(rows[row][pivot]))
        rows[pivot], rows[best] = rows[best], rows[pivot]
        head = rows[pivot]
        if abs(head[pivot]) < 1e-12:
            raise ValueError("there is a state from which the mid never moves")
        for row in rows[pivot + 1 :]:
            factor = row[pivot] / head[pivot]
            if factor:
                for column in range(pivot, size + 1):
                    row[column] -= factor * head[column]
    found = [0.0] * size
    for at in range(size - 1, -1, -1):
        rest = sum(rows[at][column] * found[column] for column in range(at + 1, size))
        found[at] = (rows[at][size] - rest) / rows[at][at]
    return found
