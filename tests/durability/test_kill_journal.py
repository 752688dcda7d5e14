"""P1 on the bare journal: `kill -9` at any moment loses no acknowledged record, and it opens without help."""

from __future__ import annotations

import signal
import struct
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from killed_writer import KIND, payload

from engine.persistence.directory import JournalDirectory
from engine.persistence.format import COMMIT, RecordType
from engine.persistence.reader import CLEAN, TORN, JournalReader
from engine.persistence.recovery import recover
from engine.persistence.scanner import Record

WRITER = Path(__file__).with_name("killed_writer.py")
ROOT = Path(__file__).resolve().parents[2]


def killed(path: Path, durability: str, seed: int, after_s: float) -> int:
    """Let a writer work for so long and kill it; the last record it told to be acknowledged."""
    process = subprocess.Popen(
        [sys.executable, str(WRITER), str(path), durability, str(seed)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )
    assert process.stdout is not None
    with process.stdout as output:
        told = output.read(8)
        assert told, "the writer failed"
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)
        told += output.read()
    assert process.wait(30) == -signal.SIGKILL
    return int(struct.unpack_from("<Q", told, len(told) // 8 * 8 - 8)[0])


def whole(records: list[Record]) -> Counter[str]:
    """The records are numbered without a gap, in whole batches, each saying what it was told to say."""
    counts: Counter[str] = Counter()
    assert records[0].seq == 1
    for record, after in pairwise(records):
        assert after.seq == record.seq + 1
    batch: list[Record] = []
    for record in records:
        if record.kind == RecordType.SEAL:
            counts["seals"] += 1
            assert not batch
            continue
        if record.kind == KIND:
            assert record.payload == payload(int.from_bytes(record.payload[:8], "little"))
        batch.append(record)
        if record.flags & COMMIT:
            assert len({each.payload for each in batch}) == 1
            batch.clear()
    assert not batch
    return counts


def campaign(folder: Path, durability: str, kills: int, seed: int) -> Counter[str]:
    random, counts = Random(seed), Counter[str]()
    path = folder / "journal"
    JournalDirectory.create(str(path), created_ns=1).close()
    for number in range(kills):
        acknowledged = killed(path, durability, seed * 1_000 + number, random.uniform(0.0, 0.05))
        status = JournalReader(str(path)).verify().status
        assert status in (CLEAN, TORN)
        counts[status] += 1
        directory = JournalDirectory.open(str(path))
        log = recover(directory)
        directory.close()
        assert log.last_seq >= acknowledged
        counts["kills"] += 1
        counts["acknowledged"] = acknowledged
    counts += whole(list(log.records()))
    return counts


@pytest.mark.parametrize(("durability", "kills"), [("none", 34), ("interval", 33), ("group", 33)])
def test_no_acknowledged_record_is_lost(
    tmp_path_factory: pytest.TempPathFactory, durability: str, kills: int
) -> None:
    counts = campaign(tmp_path_factory.mktemp("k"), durability, kills, seed=len(durability))
    assert counts["kills"] == kills
    assert counts["acknowledged"] > (50_000 if durability != "group" else 500), counts
    assert counts["seals"] > 2, counts


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(12))
def test_no_acknowledged_record_is_lost_in_a_thousand_kills(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    durability = ("none", "interval", "group")[seed % 3]
    assert campaign(tmp_path_factory.mktemp("k"), durability, 84, seed + 50)["kills"] == 84
