"""`bench`: what this machine does with the hot paths, as interleaved medians that assert their work."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import msgspec

from engine.commands.bench_decision import bench_decision
from engine.commands.bench_feed import bench_feed
from engine.commands.bench_journal import bench_journal
from engine.commands.bench_live_feed import bench_live_feed
from engine.commands.bench_matching import bench_matching
from engine.commands.bench_products import bench_products
from engine.commands.bench_timing import BenchResult
from engine.commands.bench_trader import bench_tick_to_quote


def run(*, as_json: bool, recording: Path | None, stdout: TextIO, stderr: TextIO) -> int:
    """Measure everything and print it; `recording` adds the real frames of an Advanced Trade capture."""
    stderr.write("measuring; this takes some seconds, and tells most on an idle machine\n")
    results = [
        *bench_feed(recording),
        *bench_matching(),
        *bench_decision(),
        *bench_tick_to_quote(),
        *bench_products(),
        *bench_journal(),
        *bench_live_feed(),
    ]
    machine = {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "optimised": not __debug__,
        "executable_bits": sys.maxsize.bit_length() + 1,
    }
    if as_json:
        stdout.write(msgspec.json.encode({"v": 1, "machine": machine, "results": results}).decode() + "\n")
    else:
        stdout.write(_text(machine, results))
    return 0


def _text(machine: Mapping[str, object], results: list[BenchResult]) -> str:
    lines = [
        f"{machine['implementation']} {machine['python']} on {machine['platform']}, {machine['cpus']} cpus",
        f"{'':<44}{'median':>12}{'min':>12}{'max':>12}  unit",
    ]
    for result in results:
        if not result.count:
            lines.append(f"{result.name:<44}{'':>36}  {result.note}")
            continue
        figures = "".join(f"{value:>12,.0f}" for value in (result.median, result.low, result.high))
        lines.append(f"{result.name:<44}{figures}  {result.unit}  {result.note}")
    return "\n".join(lines) + "\n"
