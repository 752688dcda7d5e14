"""What a frame of live market data costs, from a TLS socket to event and quote, next to the bare client.

The bare client of the WebSocket library receives the very same frames and throws them away: the least
that this road can cost. Both run in turns against a venue in a process of its own.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from websockets.asyncio.client import connect

from engine.commands.bench_live_server import PRODUCT
from engine.commands.bench_timing import BenchResult
from engine.commands.bench_trader import Answers, bench_config
from engine.core.clock import SystemClock
from engine.core.events import BookUpdate, Timer
from engine.exchange.coinbase.feed.live_feed import LiveFeed
from engine.exchange.coinbase.network import Endpoints, NetworkSettings
from engine.exchange.coinbase.products import catalogue
from engine.exchange.coinbase.tls import tls_context
from engine.exchange.coinbase.wire.sessions import Api
from engine.exchange.coinbase.wire.timestamps import TimeParser
from engine.runtime.builder import build_trader

_TIME: Final = re.compile(r'"event_time":"([^"]+)"')
_PATIENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class _Run:
    """One client's reception of everything: CPU and wall time a message, and the age of each on arrival."""

    cpu_ns: float
    wall_ns: float
    ages_ns: Sequence[int]
    quotes_ns: Sequence[int] = ()
    """How old the newest frame was when it had led to an order or a cancel."""


def bench_live_feed(flood: int = 20_000, paced: int = 4_000, rounds: int = 5) -> list[BenchResult]:
    """CPU a message while flooded, ours and bare, then the way from the venue's send to the event."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        with _venue(Path(folder), flood, 0) as address:
            ours, bare = _in_turns(address, Path(folder), flood, rounds)
        for name, runs in (
            ("live feed, TLS socket to event", ours),
            ("bare WebSocket client, the same", bare),
        ):
            results.append(_cost(name, runs, flood))
        ratio = results[0].median / results[1].median
        results[0] = replace(results[0], note=f"{results[0].note}, {ratio:.2f} x the bare client")
        with _venue(Path(folder), paced, 2_000) as address:
            ours, bare = _in_turns(address, Path(folder), paced, 1, is_quoting=True)
        for name, runs in (
            ("venue's send to event, 2,000/s", ours),
            ("venue's send to bare recv(), 2,000/s", bare),
        ):
            results.append(_way(name, runs[0].ages_ns))
        results.append(_way("venue's send to quote, 2,000/s", ours[0].quotes_ns))
    return results


@contextmanager
def _venue(folder: Path, count: int, per_second: int) -> Iterator[str]:
    """The address of a venue that runs meanwhile."""
    command = [
        sys.executable,
        "-m",
        "engine.commands.bench_live_server",
        str(folder),
        str(count),
        str(per_second),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"wss://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _in_turns(
    address: str, folder: Path, count: int, rounds: int, *, is_quoting: bool = False
) -> tuple[list[_Run], list[_Run]]:
    ours: list[_Run] = []
    bare: list[_Run] = []
    ca_file = str(folder / "ca.pem")
    # The first round warms both up and is not counted.
    for number in range(rounds + 1):
        turn = [
            asyncio.run(_ours(address, ca_file, count, is_quoting=is_quoting)),
            asyncio.run(_bare(address, ca_file, count)),
        ]
        if number:
            ours.append(turn[0])
            bare.append(turn[1])
    return ours, bare


async def _ours(address: str, ca_file: str, count: int, *, is_quoting: bool) -> _Run:
    """Receive everything through the live feed, polled as the engine polls it, and quote on it."""
    trader = build_trader(bench_config(), catalogue()[PRODUCT], 0, displays_own=False)
    trader.strategy.start()
    answers = Answers(trader)
    quotes: list[int] = []
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    ages: list[int] = []
    is_woken = False
    begun: tuple[int, int] = (0, 0)

    def wake() -> None:
        nonlocal is_woken
        if not is_woken:
            is_woken = True
            loop.call_soon(take)

    def take() -> None:
        nonlocal is_woken, begun
        is_woken = False
        wall, now, newest_ns = time.time_ns(), time.monotonic_ns(), 0
        for event in feed.poll(now):
            if is_quoting:
                trader.on_event(event)
            if isinstance(event, BookUpdate):
                if not ages:
                    begun = (time.thread_time_ns(), time.monotonic_ns())
                newest_ns = event.exchange_ns
                ages.append(wall - newest_ns)
        if is_quoting and newest_ns:
            commands = trader.on_event(Timer(PRODUCT, now, wall))
            if commands:
                quotes.append(time.time_ns() - newest_ns)
                answers.answer(commands, now)
        if len(ages) >= count:
            done.set()

    # No heartbeats come; a run is over before they are missed.
    settings = NetworkSettings(ca_file=ca_file, stale_soft_ms=60_000, stale_hard_ms=60_000)
    feed = LiveFeed(
        Api.ADVANCED,
        Endpoints(address, address, address),
        {PRODUCT: catalogue()[PRODUCT]},
        settings,
        SystemClock(),
        wake,
    )
    await feed.start()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await done.wait()
        cpu, wall_ns = time.thread_time_ns() - begun[0], time.monotonic_ns() - begun[1]
    finally:
        await feed.stop()
    assert len(ages) == count, f"{len(ages)} of {count} updates came"
    counters = feed.counters
    refused = counters.gaps + counters.malformed + counters.duplicates + counters.unknown + feed.overflows
    assert not refused, f"{refused} frames were refused"
    assert not is_quoting or quotes, "the frames did not make the Trader quote"
    return _Run(cpu / count, wall_ns / count, ages, quotes)


async def _bare(address: str, ca_file: str, count: int) -> _Run:
    """Receive everything with the library alone."""
    tls: ssl.SSLContext = tls_context(ca_file)
    received: list[tuple[int, str]] = []
    async with connect(address, ssl=tls, compression=None, max_size=None, max_queue=64, proxy=None) as socket:
        await socket.send("{}")
        async with asyncio.timeout(_PATIENCE_S):
            await socket.recv()
            first = await socket.recv()
            cpu, wall = time.thread_time_ns(), time.monotonic_ns()
            received.append((time.time_ns(), str(first)))
            for _ in range(count - 1):
                raw = await socket.recv()
                received.append((time.time_ns(), str(raw)))
            cpu, wall = time.thread_time_ns() - cpu, time.monotonic_ns() - wall
    times = TimeParser()
    ages = []
    for at_ns, text in received:
        found = _TIME.search(text)
        assert found is not None
        ages.append(at_ns - times.ns(found[1]))
    return _Run(cpu / count, wall / count, ages)


def _cost(name: str, runs: Sequence[_Run], count: int) -> BenchResult:
    cpu = [run.cpu_ns for run in runs]
    median = statistics.median(cpu)
    return BenchResult(
        name=name,
        unit="ns/op",
        median=median,
        low=min(cpu),
        high=max(cpu),
        count=count * len(runs),
        note=f"{1e9 / statistics.median(run.wall_ns for run in runs):,.0f} messages a second",
        wall_median=statistics.median(run.wall_ns for run in runs),
    )


def _way(name: str, ages_ns: Sequence[int]) -> BenchResult:
    ages = sorted(ages_ns)
    return BenchResult(
        name=name,
        unit="ns",
        median=statistics.median(ages),
        low=ages[0],
        high=ages[-1],
        count=len(ages),
        note=f"p99 {ages[len(ages) * 99 // 100]:,} ns; the way through the kernel is in it",
        wall_median=statistics.median(ages),
    )
