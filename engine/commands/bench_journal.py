"""What the journal costs: one append, one record of a batch, a scan, a recovery through the Trader, and what
it adds from tick to quote in the whole simulated engine, with and without it in one run."""

from __future__ import annotations

import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.commands.bench_timing import BenchResult, Candidate, time_interleaved
from engine.config import load_config
from engine.core.clock import SystemClock
from engine.core.events import Alert
from engine.persistence.continuation import Continuation
from engine.persistence.directory import JournalDirectory
from engine.persistence.format import RecordType
from engine.persistence.journal import Journal
from engine.persistence.reader import JournalReader
from engine.persistence.segments import scan_segment
from engine.persistence.settings import Durability
from engine.runtime.builder import build_engine
from engine.runtime.desk import Desk
from engine.runtime.observers import WakeUp
from engine.runtime.recorded_session import open_recorded
from engine.runtime.replayer import take_apart
from engine.runtime.session import open_session
from engine.runtime.session_store import sessions
from engine.telemetry.histogram import Histogram

_PAYLOAD = bytes(range(64))
"""With its frame a record of 96 bytes."""
_KIND = int(RecordType.MARKET_EVENT)


def bench_append(count: int = 200_000) -> list[BenchResult]:
    """Appending 96-byte records in `interval`, one at a time and in batches, the disk working meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        directory = JournalDirectory.create(f"{folder}/journal", created_ns=time.time_ns())
        journal = Journal(
            directory,
            Continuation(),
            durability=Durability.INTERVAL,
            on_acked=lambda seq: None,
            on_failed=lambda error: None,
        )
        journal.start()
        single = _single(journal, count)
        batched = _batched(journal, count // 10)
        last = journal.last_seq
        journal.close()
        directory.close()
        records = list(JournalReader(f"{folder}/journal").records())
        assert [record.seq for record in records] == list(range(1, last + 1)), "records are missing"
        written = sum(record.payload == _PAYLOAD for record in records)
        assert written == count + count // 10 * 10, "records do not read back as they were written"
    return [single, batched]


def _single(journal: Journal, count: int) -> BenchResult:
    append, clock = journal.append, time.perf_counter_ns
    taken = []
    gc.disable()
    try:
        for _ in range(count):
            began = clock()
            append(_KIND, _PAYLOAD)
            taken.append(clock() - began)
    finally:
        gc.enable()
    taken.sort()
    p99, p999 = taken[count * 99 // 100], taken[count * 999 // 1000]
    note = f"p99 {p99 / 1e3:.1f} us, p99.9 {p999 / 1e3:.1f} us, max {taken[-1] / 1e3:.0f} us; all read back"
    return BenchResult(
        "journal append, 96 bytes, interval", "ns", taken[count // 2], taken[0], p99, count, note
    )


def _batched(journal: Journal, count: int) -> BenchResult:
    batch = [(_KIND, _PAYLOAD)] * 10

    def run(times: int) -> None:
        for _ in range(times):
            journal.append_batch(batch)

    (timing,) = time_interleaved([Candidate("batch", run)], [count // 20] * 20, lambda times: times * 10, 0)
    return timing.result("journal append, in batches of ten", "per record")


def bench_scan_and_recovery(duration_s: int = 600) -> list[BenchResult]:
    """Reading a session of the simulator: checksums alone, and everything through the Trader."""
    with tempfile.TemporaryDirectory() as folder:
        _run(folder, f"engine.duration_s={duration_s}", "persistence.snapshot_every=10000000")
        [session] = sessions(Path(folder))
        reader = JournalReader(str(session.path))
        segments = reader.segments()

        def scan() -> int:
            return sum(scan_segment(segment, reader._disk)[1].records for segment in segments)

        records, scans = _timed(scan, 5)
        recorded = open_recorded(session)

        def recover() -> int:
            replayer = recorded.replayer()
            for batch in recorded.batches():
                replayer.take(take_apart(batch))
            assert replayer.divergence is None, "the replay is not the session"
            ended = session.info.ended
            assert ended is not None
            found = {product: trader.digest() for product, trader in replayer.traders.items()}
            assert found == ended.digests, "the replay ends in another state"
            return replayer.events

        events, recoveries = _timed(recover, 5)
    return [
        _rate("journal scan with checksums", records, scans, "records a second"),
        _rate("recovery through the Trader", events, recoveries, "events a second, decoding included"),
        _rate("the same counted in records", records, recoveries, "records a second"),
    ]


def _timed(work: Callable[[], int], times: int) -> tuple[int, list[float]]:
    gc.collect()
    gc.disable()
    try:
        done, seconds = 0, []
        for _ in range(times):
            began = time.perf_counter()
            done = work()
            seconds.append(time.perf_counter() - began)
    finally:
        gc.enable()
    return done, seconds


def _rate(name: str, count: int, seconds: Sequence[float], note: str) -> BenchResult:
    rates = sorted(count / each for each in seconds)
    return BenchResult(name, "per s", statistics.median(rates), rates[0], rates[-1], count, note)


class _Watching:
    """Counts what the engine tells."""

    def __init__(self) -> None:
        self.quotes = 0

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        self.quotes += len(wake.commands)

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None: ...

    def on_status(self, now_ns: int) -> None: ...


def _run(folder: str, *overrides: str) -> tuple[Histogram, int, str]:
    """A simulated run at full speed: its tick to quote, how many orders and cancels left, and its digest."""
    given = ("engine.speed=max", "simulator.seed=7", f"persistence.data_dir={folder}", *overrides)
    resolved = load_config(None, {}, given)
    session, watching = open_session(resolved, SystemClock(), is_new=True), _Watching()
    [desk] = session.market.desks

    async def drive() -> None:
        engine = build_engine(
            session.resolved.config,
            session.market,
            SystemClock(),
            watching,
            status_interval_ns=60_000_000_000,
            recorder=session.recorder,
            clock=session.clock,
        )
        session.attach(engine)
        outcome = await engine.run()
        assert outcome.exit_code == 0, outcome.reason
        await session.end(outcome)

    gc.disable()
    try:
        asyncio.run(drive())
    finally:
        gc.enable()
    return desk.latency.stage("tick_to_quote"), watching.quotes, desk.trader.digest()


def bench_journal_cost(rounds: int = 5, duration_s: int = 60) -> list[BenchResult]:
    """Tick to quote of the simulated engine without a journal and with one, turn by turn."""
    names = {"false": "tick to quote, simulator, no journal", "true": "tick to quote, simulator, journalled"}
    medians: dict[str, list[float]] = {journal: [] for journal in names}
    highs: dict[str, list[float]] = {journal: [] for journal in names}
    digests, sent = set(), 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            for journal in sorted(names, reverse=bool(number % 2)):
                histogram, sent, digest = _run(
                    folder, f"engine.duration_s={duration_s}", f"persistence.journal={journal}"
                )
                summary = histogram.summary()
                medians[journal].append(summary["p50"])
                highs[journal].append(summary["p99"])
                digests.add(digest)
        kept = sessions(Path(folder))
    assert len(digests) == 1, "the journal changed what is traded"
    assert len(kept) == rounds, "sessions were not kept"
    assert sent > 100, "nothing was quoted"
    return [
        BenchResult(
            name,
            "ns",
            statistics.median(medians[journal]),
            min(medians[journal]),
            max(medians[journal]),
            sent * rounds,
            f"p99 {statistics.median(highs[journal]) / 1e3:.0f} us; medians of {rounds} runs",
        )
        for journal, name in names.items()
    ]


def bench_journal() -> list[BenchResult]:
    """Everything of this module."""
    return [*bench_append(), *bench_scan_and_recovery(), *bench_journal_cost()]
