"""P1 on the real program: `kill -9` at any moment; what it had told is on record, and it goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from engine.commands.replay import verify
from engine.core.events import OrderFilled, SubmitOrder
from engine.persistence.reader import CLEAN, JournalReader
from engine.runtime.session_store import sessions

KILLS = 10
PATIENCE_S = 60.0


class Run:
    """One process of the engine; every line that it finished was told to somebody."""

    def __init__(self, data_dir: Path, *arguments: str) -> None:
        self.lines: list[dict[str, Any]] = []
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "pinnacle_tui",
                "--no-ui",
                "--json",
                "--data-dir",
                str(data_dir),
                *arguments,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"XDG_RUNTIME_DIR": str(data_dir.parent)},
        )
        self.is_trading = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith(b"\n"):
                self.lines.append(json.loads(line))
                self.is_trading.set()
        self.is_trading.set()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def end(self) -> tuple[int, str]:
        assert self.process.stderr is not None
        with self.process.stderr as output:
            errors = output.read().decode()
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        assert "Traceback" not in errors
        return code, errors

    def told(self) -> Iterator[str]:
        """What of it must be on record: each fill by its id, each order by its own."""
        for line in self.lines:
            if line["type"] == "fill":
                yield f"fill {line['fill_id']}"
            elif line["type"] == "order" and line["event"] == "submitted":
                yield f"order {line['client_id']}"


def campaign(folder: Path, durability: str, kills: int, seed: int) -> Counter[str]:
    """Kill, restart, kill, ..., end in order; then compare what was told with what is on record."""
    random, counts = Random(seed), Counter[str]()
    data_dir = folder / "sessions"
    arguments = (
        "--seed", str(seed), "--speed", "400", "--set", f"persistence.durability={durability}",
        "--set", "persistence.segment_kib=256", "--set", "persistence.snapshot_every=1500",
        "--set", "persistence.digest_every=500",
    )  # fmt: skip
    told: set[str] = set()
    for _ in range(kills):
        run = Run(data_dir, *arguments)
        assert run.is_trading.wait(PATIENCE_S)
        time.sleep(random.uniform(0.0, 0.35))
        run.kill()
        counts["kills"] += 1
        told.update(run.told())
    last = Run(data_dir, *arguments, "--duration", "20")
    code, errors = last.end()
    assert code == 0
    assert "goes on" in errors
    told.update(last.told())
    [session] = sessions(data_dir)
    reader = JournalReader(str(session.path))
    assert reader.verify(is_deep=True).status == CLEAN
    recorded: set[str] = set()
    position = 0
    for batch in reader.batches():
        for entry in batch:
            match entry.value:
                case OrderFilled(fill_id=fill_id, side=side, size=size):
                    if f"fill {fill_id}" not in recorded:
                        position += side * size
                    recorded.add(f"fill {fill_id}")
                case SubmitOrder(client_id=client_id):
                    recorded.add(f"order {client_id}")
    assert told - recorded == set()
    counts["told"], counts["fills"] = len(told), sum(each.startswith("fill") for each in told)
    answer = verify(session.name, data_dir)
    assert answer["first_divergence"] is None
    assert answer["digest_replayed"] == session.info.ended.digests  # type: ignore[union-attr]
    counts["digests"] = answer["digests"]
    counts["events"] = answer["events"]
    summary = last.lines[-1]
    instrument = session.info.instruments[0]
    assert (summary["type"], summary["position"]) == ("summary", instrument.size_text(position))
    assert summary["pnl_residual"] == "0"
    return counts


@pytest.mark.parametrize(
    ("durability", "seed"),
    [
        pytest.param("none", 101, marks=pytest.mark.nightly),
        ("interval", 102),
        pytest.param("interval", 103, marks=pytest.mark.nightly),
        ("group", 104),
    ],
)
def test_what_was_told_is_on_record_and_the_session_goes_on(
    tmp_path_factory: pytest.TempPathFactory, durability: str, seed: int
) -> None:
    counts = campaign(tmp_path_factory.mktemp("k"), durability, KILLS, seed)
    assert counts["kills"] == KILLS
    assert counts["told"] > 200, counts
    assert counts["fills"] > 5, counts
    assert counts["digests"] > 5, counts


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(200, 210))
def test_a_thousand_kills(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    durability = ("none", "interval", "group")[seed % 3]
    assert campaign(tmp_path_factory.mktemp("k"), durability, 100, seed)["kills"] == 100
