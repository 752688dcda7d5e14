"""`sessions`: what is said of the sessions on disk, honest about when, and quick however many there are."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from engine_process import Machine, machine
from session_kit import record_session

import pinnacle_tui.cli as command_line
from engine.commands.stored_sessions import stored
from engine.persistence.disk import Disk
from engine.persistence.reader import JournalReader
from engine.persistence.records import SnapshotRef
from engine.runtime.session_state import decode
from engine.runtime.session_store import StoredSession, load

Output = pytest.CaptureFixture[str]
MANY = 200


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> StoredSession:
    """Ended in order, with saved states and an archive."""
    return record_session(
        tmp_path_factory.mktemp("s") / "sessions",
        "persistence.segment_kib=64",
        "persistence.snapshot_every=500",
        symbols="BTC-USD,ETH-USD",
    )


@pytest.fixture
def here() -> Iterator[Machine]:
    with machine() as made:
        yield made


def copied(session: StoredSession, to: Path, **changed: Any) -> StoredSession:
    """The same session elsewhere, saying something else of itself."""
    to.mkdir(mode=0o700, parents=True)
    for path in session.path.iterdir():
        if path.is_file() and path.name != "session.json":
            os.link(path, to / path.name)
    shutil.copytree(session.path / "archive", to / "archive")
    told = json.loads((session.path / "session.json").read_text()) | changed
    (to / "session.json").write_text(json.dumps(told))
    return load(to)


def asked(data_dir: Path, capsys: Output, *arguments: str) -> str:
    assert command_line.main(["sessions", "--data-dir", str(data_dir), *arguments]) == 0
    return capsys.readouterr().out


def test_one_that_ended_in_order(recorded: StoredSession, capsys: Output) -> None:
    answer = json.loads(asked(recorded.path.parent, capsys, "--json"))
    assert isinstance(answer["sessions"], list)
    [told] = answer["stored"]
    ended = recorded.info.ended
    assert ended is not None
    assert (told["name"], told["state"], told["exit_code"]) == (recorded.name, "ended", 0)
    assert told["span_ns"] == ended.wall_ns - recorded.info.start_wall_ns > 30_000_000_000
    assert (told["events"], told["profit"]) == (ended.events, ended.profit)
    files = [path for path in recorded.path.rglob("*") if path.is_file()]
    assert any(path.parent.name == "archive" for path in files)
    assert told["bytes"] == sum(path.stat().st_size for path in files)
    dumped = command_line.main(["journal", "dump", str(recorded.path), "--type", "fill"])
    assert dumped == 0
    assert told["fills"] == len(capsys.readouterr().out.splitlines()) > 0
    said = asked(recorded.path.parent, capsys)
    for word in (recorded.name, "0:00:30", f"{ended.events:,}", "ended: the duration has passed"):
        assert word in said
    for product, profit in ended.profit.items():
        assert profit is not None
        sign = "" if Decimal(profit) <= 0 else "+"
        assert f"{product} {sign}{profit} USD" in said


def test_one_that_crashed_is_told_as_it_was_last_saved(
    recorded: StoredSession, tmp_path: Path, capsys: Output
) -> None:
    session = copied(recorded, tmp_path / recorded.name, ended=None)
    newest = JournalReader(str(session.path)).snapshots()[-1]
    state = decode(newest.body)
    [told] = json.loads(asked(tmp_path, capsys, "--json"))["stored"]
    assert (told["state"], told["is_continued"], told["reason"]) == ("unfinished", True, "")
    assert told["as_of_ns"] == state.wall_ns
    assert told["events"] == sum(desk.trader.event_count for desk in state.desks.values())
    assert told["fills"] == sum(desk.trader.ledger.fill_count for desk in state.desks.values())
    last = {product: desk.watcher.profit[-1][1] for product, desk in state.desks.items()}
    for instrument in session.info.instruments:
        off = Decimal(told["profit"][instrument.symbol]) - Decimal(
            instrument.money_text(last[instrument.symbol])
        )
        assert abs(off) < 2  # the history's last point is a little older
    said = asked(tmp_path, capsys)
    assert "not ended in order, the next start goes on with it; figures as last saved, at 2026-" in said


def test_a_newer_session_of_its_kind_takes_its_place(
    recorded: StoredSession, tmp_path: Path, capsys: Output
) -> None:
    copied(recorded, tmp_path / "sim-btc-usd-0001", ended=None)
    copied(recorded, tmp_path / "sim-btc-usd-0002", number=2)
    copied(recorded, tmp_path / "sim-eth-usd-0003", number=3, products=["ETH-USD"], ended=None)
    found = json.loads(asked(tmp_path, capsys, "--json"))["stored"]
    assert [(each["name"], each["is_continued"]) for each in found] == [
        ("sim-eth-usd-0003", True),
        ("sim-btc-usd-0002", False),
        ("sim-btc-usd-0001", False),
    ]
    assert "a newer session took its place" in asked(tmp_path, capsys)


def test_without_a_saved_state_there_are_no_figures(
    recorded: StoredSession, tmp_path: Path, capsys: Output
) -> None:
    session = copied(recorded, tmp_path / recorded.name, ended=None)
    newest = sorted(session.path.glob("*.psn"))
    for path in newest[:-1]:
        path.unlink()
    newest[-1].unlink()
    newest[-1].write_bytes(b"no state")
    [told] = json.loads(asked(tmp_path, capsys, "--json"))["stored"]
    assert (told["as_of_ns"], told["span_ns"], told["events"], told["profit"]) == (None, None, None, {})
    assert "no figures were saved yet" in asked(tmp_path, capsys)


def test_one_that_does_not_say_what_it_is_hides_no_other(
    recorded: StoredSession, tmp_path: Path, capsys: Output
) -> None:
    copied(recorded, tmp_path / "sim-btc-usd-0001")
    bad = copied(recorded, tmp_path / "sim-btc-usd-0002", number=2)
    (bad.path / "session.json").write_text("{")
    (tmp_path / "notes").mkdir()
    (tmp_path / "sim-btc-usd-0003").symlink_to(tmp_path / "sim-btc-usd-0001")
    first, second = json.loads(asked(tmp_path, capsys, "--json"))["stored"]
    assert (first["name"], first["state"]) == ("sim-btc-usd-0001", "ended")
    assert (second["name"], second["state"]) == ("sim-btc-usd-0002", "unreadable")
    assert "session.json is damaged" in second["trouble"]
    assert "sim-btc-usd-0002  " in asked(tmp_path, capsys)


def test_no_session_at_all(tmp_path: Path, capsys: Output) -> None:
    assert "no session is on the disk" in asked(tmp_path / "nothing", capsys)
    assert json.loads(asked(tmp_path, capsys, "--json"))["stored"] == []


@pytest.mark.parametrize("is_ended", [True, False])
def test_many_sessions_are_told_at_once(
    recorded: StoredSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_ended: bool
) -> None:
    changed = {} if is_ended else {"ended": None}
    for number in range(1, MANY + 1):
        copied(recorded, tmp_path / f"sim-btc-usd-{number:04}", number=number, **changed)
    opened: list[str] = []
    open_ = Disk.open

    def noted(self: Disk, path: str, flags: int, mode: int = 0o600) -> int:
        opened.append(path)
        return open_(self, path, flags, mode)

    monkeypatch.setattr(Disk, "open", noted)
    began = time.process_time()
    found = stored(tmp_path)
    assert time.process_time() - began < 1
    assert [each["name"] for each in found] == [f"sim-btc-usd-{n:04}" for n in range(MANY, 0, -1)]
    assert all(each["events"] for each in found)
    assert not any(path.endswith(".pjl") for path in opened)
    assert len(opened) <= (0 if is_ended else 2 * MANY)


def test_a_running_one_is_told_as_running(here: Machine) -> None:
    engine = here.engine("--speed", "20", "--set", "persistence.snapshot_every=300")
    data_dir = here.folder / "state" / "pinnacle-tui" / "sessions"
    engine.read_until(
        lambda report: any(
            isinstance(entry.value, SnapshotRef)
            for batch in JournalReader(str(data_dir / "sim-btc-usd-0001")).batches()
            for entry in batch
        )
    )
    code, out, _ = here.run("sessions", "--json")
    answer = json.loads(out)
    [told] = answer["stored"]
    assert code == 0
    assert [each["name"] for each in answer["sessions"]] == ["sim-btc-usd"]
    assert (told["state"], told["is_continued"]) == ("running", False)
    assert told["as_of_ns"] > told["start_wall_ns"]
    assert told["events"] > 0
    assert "runs; figures as last saved" in here.run("sessions")[1]
    engine.process.send_signal(signal.SIGTERM)
    assert engine.process.stdout is not None
    engine.process.stdout.read()
    engine.process.wait()
    [told] = json.loads(here.run("sessions", "--json")[1])["stored"]
    assert told["state"] == "ended"
