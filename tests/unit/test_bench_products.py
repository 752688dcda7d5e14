"""The figures for several products in one engine are of real work: quotes that left, the same in each run."""

from __future__ import annotations

import pytest

from engine.commands import bench_products as products
from engine.commands.bench_products import bench_products


def test_each_count_of_products_is_measured_against_the_first() -> None:
    one, three = bench_products(counts=(1, 3), seconds=1, rounds=1)
    assert (one.name, three.name) == (
        "tick to quote, 1 product, p50",
        "tick to quote, 3 products, p50",
    )
    assert one.note.startswith("1.00 of the first")
    assert three.note.startswith(f"{three.median / one.median:.2f} of the first")
    assert one.count == three.count > 5


def test_a_product_that_trades_otherwise_beside_others_is_no_measurement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    summary = {"p50": 1, "p99": 1, "count": 1}
    monkeypatch.setattr(products, "_run", lambda symbols, seconds: (summary, 100 * len(symbols)))
    with pytest.raises(AssertionError, match="BTC-USD trades depends on the others"):
        bench_products(counts=(1, 2), seconds=1, rounds=1)
