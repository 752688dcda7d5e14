"""Tables of sessions that did not end in order: killed, running, cut short, without a record."""

from __future__ import annotations

import csv
import io
import json
import shutil
from contextlib import redirect_stderr, redirect_stdout
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from session_kit import altered, record_session

import pinnacle_tui.cli as command_line
from engine.commands.export import export, export_text
from engine.core.errors import UsageError
from engine.core.events import OrderFilled
from engine.persistence.directory import JournalDirectory
from engine.persistence.errors import DamageError
from engine.persistence.format import COMMIT
from engine.persistence.records import SessionEnded, decode, encode
from engine.persistence.scanner import Record
from engine.runtime.recorded_session import open_recorded
from engine.runtime.session_store import StoredSession, write

BUSY = (
    "strategy.base_spread_bps=2", "strategy.min_spread_bps=1", "simulator.taker_rate_per_min=240",
    "persistence.digest_every=1000000",
)  # fmt: skip


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> StoredSession:
    return record_session(tmp_path_factory.mktemp("s") / "sessions", *BUSY)


def without_end(session: StoredSession) -> StoredSession:
    """It never said that it had ended."""
    return write(session.path, msgspec.structs.replace(session.info, ended=None))


def killed(session: StoredSession, folder: Path) -> StoredSession:
    """A copy with all records but the last word."""

    def change(record: Record) -> bytes | None:
        return None if isinstance(decode(record.payload, record.seq), SessionEnded) else record.payload

    folder.mkdir(mode=0o700)
    return without_end(altered(session, folder / session.name, change))


def cut(session: StoredSession, folder: Path) -> StoredSession:
    """A copy whose file breaks off within a batch that is about half-way."""
    folder.mkdir(mode=0o700)
    made = altered(session, folder / session.name, lambda record: record.payload)
    reader = open_recorded(made).reader
    records = list(reader.records())
    middle = next(
        n
        for n in range(len(records) // 2, len(records))
        if not records[n].flags & COMMIT and not records[n - 1].flags & COMMIT
    )
    [segment] = reader.segments()
    path = made.path / segment.name
    body = path.read_bytes()
    at = body.index(records[middle].payload)
    path.write_bytes(body[:at])
    return made


def exported(session: StoredSession, folder: Path, *more: str) -> tuple[int, str, str]:
    """The command's exit code, what it said, and what it complained of."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        given = ("export", session.name, "--data-dir", str(session.path.parent), "--out", str(folder))
        code = command_line.main([*given, *more])
    return code, out.getvalue(), err.getvalue()


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_killed_session_has_the_tables_of_all_that_is_on_record(
    session: StoredSession, tmp_path: Path
) -> None:
    dead = killed(session, tmp_path / "sessions")
    assert exported(session, tmp_path / "whole")[0] == 0
    code, _, complaints = exported(dead, tmp_path / "tables")
    assert (code, complaints) == (0, "")
    assert len(table(tmp_path / "tables", "fills")) > 10
    for name in ("fills", "orders", "positions", "attribution"):
        assert table(tmp_path / "tables", name) == table(tmp_path / "whole", name)


def test_a_session_that_runs_is_read_beside_its_engine(session: StoredSession, tmp_path: Path) -> None:
    alive = killed(session, tmp_path / "sessions")
    held = JournalDirectory.open(str(alive.path))
    try:
        code, said, complaints = exported(alive, tmp_path / "tables", "--json")
    finally:
        held.close()
    assert (code, complaints) == (0, "")
    assert json.loads(said)["rows"]["fills"] == len(table(tmp_path / "tables", "fills")) > 10


def test_a_session_that_was_killed_within_a_batch_ends_with_the_batch_before(
    session: StoredSession, tmp_path: Path
) -> None:
    torn = without_end(cut(session, tmp_path / "sessions"))
    code, _, complaints = exported(torn, tmp_path / "tables")
    assert (code, complaints) == (0, "")
    assert exported(session, tmp_path / "whole")[0] == 0
    part, whole = (table(tmp_path / name, "fills") for name in ("tables", "whole"))
    assert 0 < len(part) < len(whole)
    assert [row["fill_id"] for row in part] == [row["fill_id"] for row in whole[: len(part)]]
    assert all(row["markout_300s"] == "" for row in part)
    (total,) = [row for row in table(tmp_path / "tables", "attribution") if row["kind"] == "total"]
    assert Decimal(total["profit"]) == Decimal(table(tmp_path / "tables", "positions")[-1]["profit"])


def test_a_session_that_ended_and_has_lost_its_last_records_is_damaged(
    session: StoredSession, tmp_path: Path
) -> None:
    code, _, complaints = exported(cut(session, tmp_path / "sessions"), tmp_path / "tables")
    assert code == DamageError.exit_code == 6
    assert "its records stop before that" in complaints
    assert "Nothing was written" in complaints
    assert list((tmp_path / "tables").iterdir()) == []


def test_a_session_without_a_record_has_no_tables(session: StoredSession, tmp_path: Path) -> None:
    folder = tmp_path / "sessions" / session.name
    shutil.copytree(session.path, folder)
    for path in folder.glob("*.pjl"):
        path.unlink()
    code, _, complaints = exported(StoredSession(folder, session.info), tmp_path / "tables")
    assert code == UsageError.exit_code == 2
    assert "holds no record yet" in complaints
    assert not (tmp_path / "tables").exists()


def test_a_session_without_a_fill_has_tables_without_one(tmp_path: Path) -> None:
    quiet = record_session(tmp_path / "sessions", "simulator.taker_rate_per_min=0", "engine.duration_s=3")
    assert exported(quiet, tmp_path / "tables")[0] == 0
    assert table(tmp_path / "tables", "fills") == []
    totals = [row for row in table(tmp_path / "tables", "attribution") if row["kind"] == "total"]
    assert [(row["fills"], row["profit"]) for row in totals] == [("0", "0")]


def test_a_fee_without_a_price_makes_the_profit_incomplete_and_is_told(
    session: StoredSession, tmp_path: Path
) -> None:
    changed: list[str] = []

    def change(record: Record) -> bytes | None:
        value = decode(record.payload, record.seq)
        if isinstance(value, SessionEnded):
            return None
        if isinstance(value, OrderFilled) and not changed:
            changed.append(value.fill_id)
            return encode(msgspec.structs.replace(value, fee=7, fee_asset="XYZ", fee_value=None))
        return record.payload

    (tmp_path / "sessions").mkdir(mode=0o700)
    odd = without_end(altered(session, tmp_path / "sessions" / session.name, change))
    answer: dict[str, Any] = export(odd.name, odd.path.parent, tmp_path / "tables", "csv")
    assert answer["pnl_is_complete"] == {"BTC-USD": False}
    assert "BTC-USD: incomplete" in export_text(answer)
    (fill,) = [row for row in table(tmp_path / "tables", "fills") if row["fill_id"] == changed[0]]
    assert (fill["fee"], fill["fee_asset"]) == ("7", "XYZ")
