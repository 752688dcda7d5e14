"""Histograms against exact sorting and against hdrhistogram; recorders, process figures."""

from __future__ import annotations

import gc
import random
import subprocess
import sys

import pytest

from engine.telemetry.histogram import Histogram
from engine.telemetry.latency import LatencyRecorder
from engine.telemetry.process import QuietCollector

PER_MILLE = (1, 10, 250, 500, 900, 990, 999, 1_000)


def samples(seed: int) -> list[int]:
    """Latencies of every order of magnitude: a bulk, a tail, and stalls."""
    source = random.Random(seed)
    bulk = [int(source.lognormvariate(10, 1.5)) for _ in range(5_000)]
    tail = [source.randrange(1 << source.randrange(1, 41)) for _ in range(500)]
    return bulk + tail + [0, 1, 63, 64, 65, (1 << 42) - 1]


def exact(ordered: list[int], per_mille: int) -> int:
    return ordered[max(1, -(-per_mille * len(ordered) // 1000)) - 1]


def histogram_of(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


@pytest.mark.parametrize("seed", range(5))
def test_quantiles_are_never_below_and_at_most_one_32nd_above_exact_sorting(seed: int) -> None:
    values = samples(seed)
    histogram, ordered = histogram_of(values), sorted(values)
    for per_mille in PER_MILLE:
        truth = exact(ordered, per_mille)
        assert truth <= histogram.value_at(per_mille) <= truth + truth / 32
    assert histogram.value_at(1_000) == histogram.max == ordered[-1]
    assert histogram.count == len(values)


@pytest.mark.parametrize("seed", range(5))
def test_quantiles_agree_with_hdrhistogram(seed: int) -> None:
    hdrh = pytest.importorskip("hdrh.histogram", reason="hdrhistogram, the oracle, is not installed")
    oracle = hdrh.HdrHistogram(1, 1 << 42, 3)
    values = [max(1, value) for value in samples(seed)]
    histogram = histogram_of(values)
    for value in values:
        assert oracle.record_value(value)
    for per_mille in PER_MILLE:
        # Its own error is 0.1 %, and it rounds the rank half up where we round it up.
        low, high = (
            oracle.get_value_at_percentile(rank / 10) for rank in (per_mille, min(1_000, per_mille + 0.5))
        )
        ours = histogram.value_at(per_mille)
        assert low * 0.998 <= ours <= high * 1.034
    assert histogram.count == oracle.get_total_count()


def test_small_values_are_exact() -> None:
    histogram = histogram_of(list(range(64)))
    assert [histogram.value_at(1_000 * (value + 1) // 64) for value in range(64)] == list(range(64))


def test_every_value_lies_in_its_bucket() -> None:
    for bits in range(6, 42):
        for value in ((1 << bits) - 1, 1 << bits, (1 << bits) + 1, 3 << (bits - 1)):
            top = histogram_of([value, 1 << 50]).value_at(500)
            assert value <= top < value + value / 32


def test_values_outside_the_range_are_counted_and_the_maximum_stays_exact() -> None:
    histogram = histogram_of([-5, 1 << 50, 7])
    assert (histogram.count, histogram.max) == (3, 1 << 50)
    assert histogram.value_at(1) == 0
    assert histogram.value_at(1_000) == 1 << 50


def test_an_empty_histogram_says_zero() -> None:
    assert Histogram().summary() == {"p50": 0, "p90": 0, "p99": 0, "p999": 0, "max": 0, "count": 0}


def test_a_summary_by_hand() -> None:
    histogram = histogram_of([10] * 90 + [20] * 9 + [60])
    assert histogram.summary() == {"p50": 10, "p90": 10, "p99": 20, "p999": 60, "max": 60, "count": 100}


def test_merging_equals_recording_everything_in_one() -> None:
    first, second = samples(1), samples(2)
    merged = histogram_of(first)
    merged.merge(histogram_of(second))
    whole = histogram_of(first + second)
    ranks = range(1, 1_001)
    assert [merged.value_at(rank) for rank in ranks] == [whole.value_at(rank) for rank in ranks]
    assert (merged.bins(), merged.count) == (whole.bins(), whole.count)
    assert merged.summary() == whole.summary()


def test_a_recorder_keeps_stages_apart() -> None:
    recorder = LatencyRecorder()
    book = recorder.stage("book")
    assert recorder.stage("book") is book
    recorder.stage("risk")
    book.record(40)
    assert recorder.summary() == {
        "book": {"p50": 40, "p90": 40, "p99": 40, "p999": 40, "max": 40, "count": 1}
    }
    other = LatencyRecorder()
    other.stage("book").record(50)
    other.stage("send").record(9)
    recorder.merge(other)
    assert recorder.summary()["book"]["count"] == 2
    assert recorder.summary()["send"]["max"] == 9


def test_resident_memory_is_of_this_process_and_moves_with_it() -> None:
    """In a process of its own: one that has been larger before takes new blocks from what it has."""
    program = (
        "from engine.telemetry.process import resident_bytes\n"
        "before = resident_bytes()\n"
        "block = bytearray(b'\\1') * (64 << 20)\n"
        "print(before, resident_bytes() - before, len(block))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    before, grown, size = map(int, run.stdout.split())
    assert before > 4 << 20
    assert 32 << 20 < grown < 2 * size


def test_the_collector_is_quiet_inside_and_as_before_outside() -> None:
    pauses = Histogram()
    was_enabled = gc.isenabled()
    frozen = gc.get_freeze_count()
    with QuietCollector(pauses) as collector:
        assert not gc.isenabled()
        assert gc.get_freeze_count() > frozen
        cycle: list[object] = []
        cycle.append(cycle)
        del cycle
        assert collector.collect() >= 1
    assert gc.isenabled() is was_enabled
    assert gc.get_freeze_count() == 0
    assert pauses.count == 2


def test_the_collector_is_restored_after_an_error_and_stays_off_where_it_was() -> None:
    gc.disable()
    try:
        with pytest.raises(RuntimeError), QuietCollector(Histogram()):
            raise RuntimeError
        assert not gc.isenabled()
    finally:
        gc.enable()
