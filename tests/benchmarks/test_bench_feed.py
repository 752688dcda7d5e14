"""The feed benchmarks do the work they time. No timing is asserted here."""

from __future__ import annotations

from pathlib import Path

from engine.commands.bench_feed import (
    bench_decode_apply,
    bench_l2_update,
    bench_recorded_frames,
    bench_top_of_book,
    updates,
)

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


def test_the_workload_is_fixed_by_its_seed() -> None:
    assert updates(1, 50) == updates(1, 50) != updates(2, 50)
    changes = [len(bids) + len(asks) for bids, asks in updates(3, 4_000)]
    assert min(changes) == 1
    assert 4.5 < sum(changes) / len(changes) < 5.5
    assert all(len(bids) + len(asks) == 1 for bids, asks in updates(3, 100, mean_changes=1.0))


def test_each_benchmark_reports_its_work() -> None:
    ours, bare = bench_l2_update(chunks=3, size=50)
    assert ours.count == bare.count > 50
    assert "x the bare loop" in ours.note
    assert bench_top_of_book(chunks=2, size=10).count == 10
    assert bench_decode_apply(chunks=3, size=20).count == 20


def test_recorded_frames() -> None:
    result = bench_recorded_frames(FIXTURES / "coinbase_advanced.jsonl", rounds=3)
    assert result.count == 2 * 5
    assert "1.8 changes a frame" in result.note
    assert bench_recorded_frames(FIXTURES / "coinbase_exchange.jsonl").count == 0
