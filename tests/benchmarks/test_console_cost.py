"""What the console costs: first paint, processor share, the engine's lateness with it and without it, memory.

Run by hand, alone on the machine: `pytest -m bench tests/benchmarks/test_console_cost.py -s`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from benchmarks.console_pty import Place, Terminal, cpu_s, place, rss_mb

pytestmark = pytest.mark.bench

WARM_UP_S = 4.0
SPAN_S = 15.0


def until(met: Callable[[], bool], within_s: float = 30.0) -> float:
    """Seconds until a condition is met; fails when it is not in time."""
    began = time.perf_counter()
    while not met():
        assert time.perf_counter() - began < within_s, "not in time"
        time.sleep(0.002)
    return time.perf_counter() - began


def told(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with capsys.disabled():
        sys.stdout.write(text + "\n")


def settled(where: Place, terminal: Terminal) -> int:
    until(where.runs)
    until(lambda: b"DEPTH" in terminal.tail)
    time.sleep(WARM_UP_S)
    return where.engine_pid()


def test_first_paint_and_first_market(capsys: pytest.CaptureFixture[str]) -> None:
    paints, markets = [], []
    for _ in range(8):
        with place() as where:
            began = time.perf_counter()
            terminal = Terminal(where, "--seed", "7")
            until(lambda t=terminal: b"pinnacle" in t.tail)
            paints.append(time.perf_counter() - began)
            until(lambda t=terminal: b"quoting" in t.tail)
            markets.append(time.perf_counter() - began)
            assert terminal.end() == 143
    told(
        capsys,
        f"first paint {statistics.median(paints[1:]):.2f} s, market {statistics.median(markets[1:]):.2f} s",
    )
    assert statistics.median(paints[1:]) < 2 * 0.7


@pytest.mark.parametrize(("size", "hz"), [((120, 40), 10), ((120, 40), 30), ((80, 24), 10), ((200, 60), 10)])
def test_the_screen_costs_a_small_part_of_a_core(
    capsys: pytest.CaptureFixture[str], size: tuple[int, int], hz: int
) -> None:
    with place() as where:
        terminal = Terminal(where, "--seed", "7", "--set", f"console.refresh_hz={hz}", size=size)
        engine = settled(where, terminal)
        before, engine_before, sent = cpu_s(terminal.process.pid), cpu_s(engine), terminal.bytes
        time.sleep(SPAN_S)
        share = (cpu_s(terminal.process.pid) - before) / SPAN_S
        engine_share = (cpu_s(engine) - engine_before) / SPAN_S
        drawn = terminal.bytes - sent
        rss, engine_rss = rss_mb(terminal.process.pid), rss_mb(engine)
        assert terminal.end() == 143
    told(
        capsys,
        f"{size[0]}x{size[1]} at {hz} Hz: console {share:.1%} of a core ({share / hz * 1e3:.1f} ms a frame), "
        f"engine {engine_share:.1%}, {drawn / SPAN_S / hz / 1e3:.1f} kB a frame, "
        f"{rss:.0f} and {engine_rss:.0f} MB",
    )
    assert drawn > SPAN_S * hz * 200, "nothing was drawn"
    assert share / hz < 2 * 0.012, "a frame costs more than twice its budget"


def lateness(where: Place) -> tuple[float, float, float]:
    health = where.look().health
    return health.late_p50_ns / 1e6, health.late_p99_ns / 1e6, health.late_max_ns / 1e6


def test_the_engine_is_not_later_for_being_watched(capsys: pytest.CaptureFixture[str]) -> None:
    alone, watched = [], []
    for _ in range(4):
        with place() as where:
            with subprocess.Popen(
                [sys.executable, "-m", "pinnacle_tui", "--no-ui", "--seed", "7"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=where.environment,
            ) as process:
                until(where.runs)
                time.sleep(SPAN_S)
                alone.append(lateness(where))
                process.terminate()
            assert process.returncode == 0
        with place() as where:
            terminal = Terminal(where, "--seed", "7")
            until(where.runs)
            time.sleep(SPAN_S)
            watched.append(lateness(where))
            assert terminal.bytes > 10_000
            assert terminal.end() == 143
    told(
        capsys,
        "wake-ups late by ms (p50, p99, max): "
        + "; ".join(
            f"{name} " + " ".join(f"({p50:.2f}, {p99:.2f}, {most:.1f})" for p50, p99, most in runs)
            for name, runs in (("alone", alone), ("with the screen", watched))
        ),
    )
    ratio = statistics.median(run[1] for run in watched) / statistics.median(run[1] for run in alone)
    told(capsys, f"p99 with the screen / alone: {ratio:.2f}")
    assert ratio < 2 * 2


def test_a_terminal_that_stops_reading_does_not_stop_the_engine(capsys: pytest.CaptureFixture[str]) -> None:
    with place() as where:
        terminal = Terminal(where, "--seed", "7", "--set", "console.refresh_hz=30")
        settled(where, terminal)
        before, events = lateness(where), where.look().products[0].events
        terminal.is_reading = False
        time.sleep(8)
        during = where.look()
        terminal.is_reading = True
        late = during.health.late_max_ns / 1e6
        assert during.products[0].events > events + 500, "the engine stood still"
        woke = until(lambda at=terminal.bytes, t=terminal: t.bytes > at + 2_000)
        told(
            capsys,
            f"latest wake-up before {before[2]:.1f} ms, within 8 s of a frozen terminal {late:.1f} ms; "
            f"drawn again after {woke:.2f} s",
        )
        assert terminal.end() == 143
    assert late < 100


def test_an_hour_of_market_leaves_both_processes_as_large_as_they_were(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with place() as where:
        terminal = Terminal(where, "--seed", "7", "--speed", "12", "--set", "console.refresh_hz=30")
        engine = settled(where, terminal)
        sizes = []
        while (minutes := where.look().time_ns / 60e9) < 60:
            sizes.append((minutes, rss_mb(terminal.process.pid), rss_mb(engine)))
            terminal.type("12345678ol")
            time.sleep(10)
            terminal.type("\x1b\x1b")
        assert terminal.end() == 143
    told(
        capsys, "\n".join(f"{m:5.1f} min  console {c:6.1f} MB  engine {e:6.1f} MB" for m, c, e in sizes[::3])
    )
    half = [size for size in sizes if size[0] > 30]
    for kind in (1, 2):
        assert half[-1][kind] - half[0][kind] < 3, "memory grows"
