"""What it takes to read a journal back: checksums alone, records taken out, and recovery as a whole."""

from __future__ import annotations

import tempfile
from random import Random
from typing import Final, NamedTuple

from engine.commands.bench_timing import BenchResult, Candidate, Timing, time_interleaved
from engine.persistence.continuation import Continuation
from engine.persistence.directory import JournalDirectory
from engine.persistence.disk import DISK
from engine.persistence.format import RecordType, SegmentHeader
from engine.persistence.journal import Journal
from engine.persistence.reader import JournalReader
from engine.persistence.recovery import recover
from engine.persistence.scanner import records_of, scan
from engine.persistence.segments import Segment, scan_segment
from engine.persistence.settings import Durability

_SIZES: Final = (24, 24, 40, 40, 64, 90, 130, 200, 400, 1_500)
"""Bytes of payload: timers and prints, orders and fills, updates of a book."""
_KIND: Final = int(RecordType.MARKET_EVENT)
_SEGMENT_BYTES: Final = 4 << 20


class _Chunk(NamedTuple):
    """A segment's bytes."""

    image: bytes
    header: SegmentHeader
    records: int
    """That stand in it."""
    end: int
    """Offset behind the last one."""


def bench_scan(count: int = 240_000) -> list[BenchResult]:
    """Time for a record of a journal of mixed sizes; each way is asserted to find every one of them."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/journal"
        last = _written(path, count)
        chunks = [_chunk(segment) for segment in JournalReader(path).segments()]
        assert sum(chunk.records for chunk in chunks) == last, "records are missing"

        def read_in(expected: int) -> None:
            directory = JournalDirectory.open(path)
            found = sum(1 for _ in recover(directory).records())
            directory.close()
            assert found == expected, "recovery lost records"

        scanned, taken = time_interleaved(
            [Candidate("scan", _scan), Candidate("records", _take_out)],
            chunks * 3,
            lambda chunk: chunk.records,
        )
        [recovered] = time_interleaved([Candidate("recover", read_in)], [last] * 4, int)
    return [
        _result("journal scan, checksums, mixed sizes", scanned),
        _result("journal records taken out", taken),
        _result("journal recovery without a Trader", recovered),
    ]


def _written(path: str, count: int) -> int:
    """A journal of that many records; the number of the last one, end marks counted."""
    rng = Random(7)
    noise = rng.randbytes(1 << 16)
    directory = JournalDirectory.create(path, created_ns=0)
    journal = Journal(
        directory,
        Continuation(),
        durability=Durability.INTERVAL,
        segment_bytes=_SEGMENT_BYTES,
        on_acked=lambda seq: None,
        on_failed=lambda error: None,
    )
    journal.start()
    for _ in range(count // 4):
        sizes = rng.choices(_SIZES, k=4)
        journal.append_batch([(_KIND, noise[size : 2 * size]) for size in sizes])
    last = journal.last_seq
    journal.close()
    directory.close()
    assert journal.failed is None, journal.failed
    return last


def _chunk(segment: Segment) -> _Chunk:
    image, found = scan_segment(segment, DISK)
    return _Chunk(image, segment.header, found.committed_records, found.committed_end)


def _scan(chunk: _Chunk) -> None:
    assert scan(chunk.image, chunk.header).committed_records == chunk.records


def _take_out(chunk: _Chunk) -> None:
    found = sum(1 for _ in records_of(chunk.image, chunk.header, "", chunk.end))
    assert found == chunk.records


def _result(name: str, timing: Timing) -> BenchResult:
    result = timing.result(name)
    rate = 1e3 / result.median
    return timing.result(name, f"{rate:.2f} M records/s, {result.count:,} records read, all found")
