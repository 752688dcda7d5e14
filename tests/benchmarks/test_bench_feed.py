"""The feed benchmarks do the work they time. No timing is asserted here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from coinbase_frames import advanced, l2, l2_event, l2_snapshot

from engine.commands.bench_feed import (
    bench_decode_apply,
    bench_feed,
    bench_l2_update,
    bench_recorded_frames,
    bench_top_of_book,
    read_books,
    updates,
)
from engine.core.errors import RecordingError

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
    assert "top-10 read each 10 updates" in ours.name
    assert bench_top_of_book(chunks=2, size=10).count == 10
    assert bench_decode_apply(chunks=3, size=20).count == 20


def test_recorded_frames() -> None:
    result = bench_recorded_frames(read_books(FIXTURES / "coinbase_advanced.jsonl"), rounds=3)
    assert result.count == 2 * 5
    assert "1.8 changes a frame" in result.note
    other = bench_recorded_frames(read_books(FIXTURES / "coinbase_exchange.jsonl"))
    assert other.count == 0
    assert "holds no level2 book of Advanced Trade" in other.note


def recording(path: Path, *frames: str) -> Path:
    lines = [
        json.dumps({"ts": second, "dir": "recv", "raw": raw}) for second, raw in enumerate(frames, start=1)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_recorded_frames_of_any_product_and_of_two_in_one_frame(tmp_path: Path) -> None:
    both = advanced(
        "l2_data",
        2,
        l2_event("update", "AAA-USD", [("99.995", "3")]),
        l2_event("update", "BBB-USD", [("99.9", "3")]),
    )
    path = recording(tmp_path / "a.jsonl", l2_snapshot(0, "AAA-USD"), l2_snapshot(1, "BBB-USD"), both, both)
    assert bench_recorded_frames(read_books(path), rounds=3).count == 2 * 2


@pytest.mark.parametrize(
    ("update", "why"),
    [
        (l2(1, "update", bids=[("9e9", "3")]), "skipped: a.jsonl: 1 frames or events were refused"),
        (l2(1, "delete", bids=[("99", "3")]), "skipped: a.jsonl holds no level2 book of Advanced Trade"),
        (l2(1, "update", "ETH-USD", bids=[("99", "3")]), "skipped: a.jsonl: 0 of 1 updates were applied"),
        (l2(1, "update", bids=[("99.99", "0"), ("99.98", "0")]), "skipped: a.jsonl: a book has no bids"),
    ],
)
def test_recorded_frames_that_do_not_make_a_book_are_skipped_with_a_word(
    tmp_path: Path, update: str, why: str
) -> None:
    result = bench_recorded_frames(read_books(recording(tmp_path / "a.jsonl", l2_snapshot(0), update)))
    assert result.count == 0
    assert result.note.startswith(why)


def test_a_damaged_recording_is_told_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.commands.bench_feed.bench_l2_update", lambda: pytest.fail("measured"))
    path = tmp_path / "a.jsonl"
    path.write_text("damaged\n")
    with pytest.raises(RecordingError, match="line 1"):
        bench_feed(path)
