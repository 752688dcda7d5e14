"""P1: `kill -9` at any moment; every record that was acknowledged is there, and it opens without help."""

from __future__ import annotations

import os
import random
import select
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from durability import journal_writer
from durability.journal_writer import batch_of

from engine.persistence.directory import JournalDirectory
from engine.persistence.format import RecordType
from engine.persistence.reader import CLEAN, JournalReader
from engine.persistence.recovery import recover

MODES = ("none", "interval", "group")
KILLS = 102
KILLS_A_FOLDER = 6
PATIENCE_S = 60.0


def killed(path: str, mode: str, rng: random.Random) -> int:
    """Kill a writer while it starts, or after some of what it says; the last record it told of."""
    with subprocess.Popen(
        [sys.executable, journal_writer.__file__, path, mode],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        bufsize=0,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as process:
        assert process.stdout is not None
        pipe = process.stdout.fileno()
        output = b""
        most = 600 if mode == "group" else 6_000  # there it speaks once for many records
        wanted = rng.choice((0, 1, rng.randrange(most), rng.randrange(most)))
        while len(output) < wanted:
            ready, _, _ = select.select([pipe], [], [], PATIENCE_S)
            assert ready, "it says nothing"
            chunk = os.read(pipe, 4_096)
            assert chunk, "it ended by itself"
            output += chunk
        if not wanted or rng.random() < 0.5:  # any moment, not only one at which it has just spoken
            select.select([], [], [], rng.uniform(0.0, 0.15 if not wanted else 0.01))
        process.kill()
        while chunk := os.read(pipe, 65_536):
            output += chunk
        assert process.wait(PATIENCE_S) == -9
    whole = output[: output.rfind(b"\n") + 1].split()
    return int(whole[-1]) if whole else 0


def check(path: str, told: int, counts: Counter[str]) -> None:
    """It opens; all batches are whole and in order, up to the last record that was told of at least."""
    status = JournalReader(path).verify(is_deep=True).status
    directory = JournalDirectory.open(path)
    try:
        result = recover(directory)
        assert result.warnings == []
        assert result.last_seq >= told, f"{told} was acknowledged, {result.last_seq} is left"
        records = [record for record in result.records() if record.kind == 14]
        kinds = {record.kind for record in result.records()}
    finally:
        directory.close()
    assert kinds <= {14, RecordType.SEAL, RecordType.RECOVERED}
    batches = int(records[-1].payload.split()[0]) if records else 0
    wanted = [payload for number in range(1, batches + 1) for _, payload in batch_of(number)]
    assert [record.payload for record in records] == wanted
    counts["torn"] += status != CLEAN
    counts["files"] = len(JournalReader(path).segments())
    counts["records"] = len(records)


def campaign(folder: Path, mode: str, kills: int, seed: int) -> Counter[str]:
    """Several journals, each killed several times."""
    rng, total = random.Random(f"{mode} {seed}"), Counter[str]()
    for number in range(kills // KILLS_A_FOLDER):
        path = f"{folder}/{mode}-{number}"
        JournalDirectory.create(path, created_ns=0).close()
        counts, told = Counter[str](), 0
        for _ in range(KILLS_A_FOLDER):
            told = max(told, killed(path, mode, rng))
            check(path, told, counts)
            total["kills"] += 1
        total += counts
        total["told"] += told
    return total


@pytest.mark.parametrize(
    "mode", [pytest.param(mode, marks=() if mode == "group" else pytest.mark.nightly) for mode in MODES]
)
def test_every_acknowledged_record_is_there_after_a_hundred_kills(tmp_path: Path, mode: str) -> None:
    counts = campaign(tmp_path, mode, KILLS // len(MODES) // KILLS_A_FOLDER * KILLS_A_FOLDER + 6, 1)
    assert counts["kills"] >= KILLS / len(MODES), counts
    assert counts["told"] >= 5_000, counts
    assert counts["records"] >= 5_000, counts
    assert counts["files"] >= 20, counts


@pytest.mark.nightly
@pytest.mark.parametrize("mode", MODES)
def test_a_thousand_kills_and_a_million_records(tmp_path: Path, mode: str) -> None:
    counts = campaign(tmp_path, mode, 336, random.SystemRandom().randrange(1 << 30))
    assert counts["kills"] >= 334
    assert counts["told"] >= 334_000, counts
