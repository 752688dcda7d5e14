"""How benchmarks are timed: warmed up, interleaved chunk by chunk, reported as medians.

Candidates run the same chunks one after another, in an order that rotates, so that a noisy neighbour or
a change of clock speed meets all of them alike. The garbage collector rests meanwhile, as it does in
the engine.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Chunk = TypeVar("Chunk")


@dataclass(frozen=True, slots=True)
class BenchResult:
    """One figure: `median`, `low` and `high` of thread CPU time per operation in `unit`.

    `wall_median` is the same by the wall clock, `count` the number of operations behind the figure,
    `note` what was verified or why there is no figure (then `count` is 0).
    """

    name: str
    unit: str
    median: float
    low: float
    high: float
    count: int
    note: str = ""
    wall_median: float = 0.0


@dataclass(frozen=True, slots=True)
class Candidate(Generic[Chunk]):
    """Something to be timed: `run` works through one chunk."""

    name: str
    run: Callable[[Chunk], object]


@dataclass(frozen=True, slots=True)
class Timing:
    """Nanoseconds per operation, one entry per timed chunk."""

    cpu_ns: list[float]
    wall_ns: list[float]
    operations: int

    def result(self, name: str, note: str = "") -> BenchResult:
        """The medians of this timing."""
        return BenchResult(
            name=name,
            unit="ns/op",
            median=statistics.median(self.cpu_ns),
            low=min(self.cpu_ns),
            high=max(self.cpu_ns),
            count=self.operations,
            note=note,
            wall_median=statistics.median(self.wall_ns),
        )


def skipped(name: str, why: str) -> BenchResult:
    """The result of a candidate that could not run."""
    return BenchResult(name, "ns/op", 0.0, 0.0, 0.0, 0, f"skipped: {why}")


def time_interleaved(
    candidates: Sequence[Candidate[Chunk]],
    chunks: Sequence[Chunk],
    operations: Callable[[Chunk], int],
    warm_up: int = 1,
) -> list[Timing]:
    """Run every candidate over all chunks; the first `warm_up` chunks are run but not counted.

    `operations` tells how many operations a chunk holds. One `Timing` per candidate, in their order.
    """
    timings = [Timing([], [], sum(map(operations, chunks[warm_up:]))) for _ in candidates]
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for number, chunk in enumerate(chunks):
            count = operations(chunk)
            for turn in range(len(candidates)):
                index = (number + turn) % len(candidates)
                run = candidates[index].run
                wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
                run(chunk)
                cpu, wall = time.thread_time_ns() - cpu, time.perf_counter_ns() - wall
                if number >= warm_up:
                    timings[index].cpu_ns.append(cpu / count)
                    timings[index].wall_ns.append(wall / count)
    finally:
        if was_enabled:
            gc.enable()
    return timings


def quantiles(
    name: str,
    rounds: Sequence[Sequence[int]],
    note: str,
    wanted: Sequence[tuple[str, int]] = (("p50", 500), ("p90", 900), ("p99", 990), ("p999", 999)),
) -> list[BenchResult]:
    """For each quantile (nearest rank) of nanoseconds: its median, least and greatest over the rounds.

    `wanted` names each quantile and gives it in parts of a thousand. Below a thousand samples a round, p999
    is the slowest of them.
    """
    ordered = [sorted(samples) for samples in rounds]
    count = sum(map(len, ordered))
    results = []
    for label, per_mille in wanted:
        values = [samples[-(-per_mille * len(samples) // 1000) - 1] for samples in ordered]
        middle = statistics.median(values)
        results.append(
            BenchResult(f"{name}, {label}", "ns", middle, min(values), max(values), count, note, middle)
        )
    return results
