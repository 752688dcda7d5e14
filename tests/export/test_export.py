"""A session as tables: they agree with its accounts to the last digit, in every format."""

from __future__ import annotations

import csv
import errno
import json
import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from session_kit import altered, record_session
from skip_reasons import NO_PARQUET

import pinnacle_tui.cli as command_line
from engine.commands.export import export
from engine.commands.export_files import FORMATS, ExportWriteError
from engine.commands.export_schema import ATTRIBUTION, FILLS, HORIZONS, ORDERS, POSITIONS, TABLES, Row, Table
from engine.core.errors import UsageError
from engine.core.events import OrderFilled, SubmitOrder
from engine.persistence.errors import DamageError
from engine.persistence.records import decode, encode
from engine.persistence.scanner import Record
from engine.runtime.recorded_session import open_recorded
from engine.runtime.replayer import take_apart
from engine.runtime.session_store import StoredSession

BUSY = ("strategy.base_spread_bps=2", "strategy.min_spread_bps=1", "simulator.taker_rate_per_min=240")
ROOT = Path(__file__).parents[2]
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> StoredSession:
    return record_session(tmp_path_factory.mktemp("s") / "sessions", *BUSY, symbols="BTC-USD,ETH-USD")


@pytest.fixture(scope="module")
def rows(session: StoredSession, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The tables, read back from JSON lines."""
    folder = tmp_path_factory.mktemp("tables") / "made" / "anew"
    answer = export(session.name, session.path.parent, folder, "jsonl")
    assert answer["pnl_residual"] == {"BTC-USD": "0", "ETH-USD": "0"}
    assert answer["pnl_is_complete"] == {"BTC-USD": True, "ETH-USD": True}
    made = {
        name: [json.loads(line) for line in Path(path).read_text().splitlines()]
        for name, path in answer["files"].items()
    }
    assert {name: len(table) for name, table in made.items()} == answer["rows"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{table.name}.jsonl" for table in TABLES)
    return made


def of(rows: Rows, table: str, product: str) -> list[dict[str, Any]]:
    return [row for row in rows[table] if row["product"] == product]


def total(values: Iterator[str | None]) -> Decimal:
    return sum((Decimal(value) for value in values if value is not None), Decimal(0))


def test_every_fill_and_every_order_on_record_is_there(session: StoredSession, rows: Rows) -> None:
    fills, orders = list[str](), set[str]()
    for batch in open_recorded(session).batches():
        parts = take_apart(batch)
        fills += [event.fill_id for event in parts.events if isinstance(event, OrderFilled)]
        orders |= {each.client_id for each in parts.commands if isinstance(each, SubmitOrder)}
    assert len(fills) > 20
    assert sorted(row["fill_id"] for row in rows["fills"]) == sorted(fills)
    told = [row["client_id"] for row in rows["orders"]]
    assert len(told) == len(set(told))
    assert set(told) == orders


@pytest.mark.parametrize("product", ["BTC-USD", "ETH-USD"])
def test_the_tables_agree_with_each_other_to_the_last_digit(rows: Rows, product: str) -> None:
    fills, positions = of(rows, "fills", product), of(rows, "positions", product)
    attribution = of(rows, "attribution", product)
    last = positions[-1]
    assert Decimal(last["position"]) == Decimal(fills[-1]["position"])
    assert Decimal(last["captured"]) == total(row["captured"] for row in fills)
    assert Decimal(last["fees"]) == total(row["fee"] for row in fills)
    for kind in ("total", "side", "level", "age", "hour"):
        groups = [row for row in attribution if row["kind"] == kind]
        assert sum(row["fills"] for row in groups) == len(fills), kind
        for name in ("captured", "revaluation", "fees", "profit"):
            assert total(row[name] for row in groups) == Decimal(last[name]), (kind, name)
    for row in positions:
        if row["profit"] is not None:
            by_cost = Decimal(row["realised"]) + Decimal(row["unrealised"]) - Decimal(row["fees"])
            assert by_cost == Decimal(row["profit"])


@pytest.mark.parametrize("product", ["BTC-USD", "ETH-USD"])
@pytest.mark.parametrize("horizon", HORIZONS)
def test_markouts_are_captured_and_adverse_selection(rows: Rows, product: str, horizon: str) -> None:
    followed = [row for row in of(rows, "fills", product) if row[f"markout_{horizon}"] is not None]
    whole = next(row for row in of(rows, "attribution", product) if row["kind"] == "total")
    assert whole[f"followed_{horizon}"] == len(followed)
    passive = sum(row["is_maker"] for row in of(rows, "fills", product))
    assert whole[f"censored_{horizon}"] == passive - len(followed)
    markout = total(row[f"markout_{horizon}"] for row in followed)
    assert markout == total(row["captured"] for row in followed) + Decimal(whole[f"adverse_{horizon}"] or 0)
    # Thirty seconds are too short for a minute: what was not reached is not known, and never 0.
    assert bool(followed) is (whole[f"adverse_{horizon}"] is not None) is (horizon in ("100ms", "1s", "10s"))


def test_times_rise_and_rows_of_positions_come_every_second(rows: Rows) -> None:
    for product in ("BTC-USD", "ETH-USD"):
        times = [row["time_ns"] for row in of(rows, "positions", product)]
        assert times == sorted(times)
        assert {time_ns // 10**9 for time_ns in times} >= set(range(30))
        fills = [row["time_ns"] for row in of(rows, "fills", product)]
        assert fills == sorted(fills)
        assert all(row["quote_age_ns"] > 0 for row in of(rows, "fills", product))


def test_csv_says_the_same(session: StoredSession, rows: Rows, tmp_path: Path) -> None:
    def as_csv(value: object) -> str:
        return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

    answer = export(str(session.path), tmp_path, tmp_path / "csv", "csv")
    for table in TABLES:
        with Path(answer["files"][table.name]).open(newline="") as file:
            read = list(csv.DictReader(file))
        assert read == [{name: as_csv(value) for name, value in row.items()} for row in rows[table.name]]


def test_parquet_says_the_same(session: StoredSession, rows: Rows, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason=NO_PARQUET)
    answer = export(session.name, session.path.parent, tmp_path, "parquet")
    for table in TABLES:
        read = parquet.read_table(answer["files"][table.name])
        assert read.to_pylist() == rows[table.name]
        kinds = {"text": "string", "int": "int64", "bool": "bool"}
        assert [str(field.type) for field in read.schema] == [kinds[column.kind] for column in table.columns]


def test_without_its_library_parquet_names_the_extra(
    session: StoredSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"pinnacle-tui\[parquet\].*Nothing was written"):
        export(session.name, session.path.parent, tmp_path / "new", "parquet")
    assert not (tmp_path / "new").exists()


def test_a_file_that_is_there_is_not_written_over(session: StoredSession, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("mine")
    with pytest.raises(UsageError, match=r"orders\.csv is there already"):
        export(session.name, session.path.parent, tmp_path, "csv")
    assert [path.name for path in tmp_path.iterdir()] == ["orders.csv"]


def test_a_folder_that_cannot_be_made_is_said(session: StoredSession, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="nothing was written"):
        export(session.name, session.path.parent, tmp_path / "file" / "below", "csv")


def test_a_full_disk_ends_it_and_nothing_stays(
    session: StoredSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        """Takes a few rows, and fails once more when it is closed."""

        def __init__(self, path: Path, table: Table) -> None:
            path.touch()
            self.rows = 0

        def write(self, row: Row) -> None:
            self.rows += 1
            if self.rows > 5:
                raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(FORMATS, "csv", Full)
    with pytest.raises(
        ExportWriteError, match="No space left on device; none of the files was kept"
    ) as failed:
        export(session.name, session.path.parent, tmp_path, "csv")
    assert failed.value.exit_code == 74
    assert list(tmp_path.iterdir()) == []


def test_after_a_difference_nothing_stays(session: StoredSession, tmp_path: Path) -> None:
    changed: list[int] = []

    def change(record: Record) -> bytes | None:
        value = decode(record.payload, record.seq)
        if isinstance(value, SubmitOrder) and value.price is not None and record.seq > 900 and not changed:
            changed.append(record.seq)
            return encode(msgspec.structs.replace(value, price=value.price - 1))
        return record.payload

    lying = altered(session, tmp_path / "sim-0001", change)
    with pytest.raises(UsageError, match=f"record {changed[0]}.*nothing was written"):
        export(str(lying.path), tmp_path, tmp_path / "tables", "csv")
    assert list((tmp_path / "tables").iterdir()) == []


def test_after_damage_nothing_stays(session: StoredSession, tmp_path: Path) -> None:
    damaged = altered(session, tmp_path / "sim-0001", lambda record: record.payload)
    [segment] = open_recorded(damaged).reader.segments()
    path = damaged.path / segment.name
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(body)
    with pytest.raises(DamageError):
        export(str(damaged.path), tmp_path, tmp_path / "tables", "jsonl")
    assert not list((tmp_path / "tables").glob("*"))


def test_every_column_is_in_the_documentation() -> None:
    text = (ROOT / "docs" / "export.md").read_text()
    for table in TABLES:
        _, _, section = text.partition(f"\n## {table.name}\n")
        lines = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("| `")]
        told = [
            (name, line.split("|")[2].strip())
            for line in lines
            for name in re.findall("`([a-z_0-9]+)`", line.split("|")[1])
        ]
        assert told == [(column.name, column.kind) for column in table.columns]


def test_rows_have_a_value_for_each_column(rows: Rows) -> None:
    for table in (FILLS, ORDERS, POSITIONS, ATTRIBUTION):
        for row in rows[table.name]:
            assert list(row) == [column.name for column in table.columns]
            kinds = {"text": str, "int": int, "bool": bool}
            for column in table.columns:
                value = row[column.name]
                assert value is None or type(value) is kinds[column.kind], (table.name, column, value)


def test_the_command_line(session: StoredSession, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["export", session.name, "--data-dir", str(session.path.parent), "--out"]
    assert command_line.main([*given, str(tmp_path / "a")]) == 0
    said = capsys.readouterr().out
    assert session.name in said
    assert str(tmp_path / "a" / "fills.csv") in said
    assert command_line.main([*given, str(tmp_path / "b"), "--format", "jsonl", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["rows"]["fills"] > 0
    assert command_line.main([*given, str(tmp_path / "a")]) == 2
    assert "is there already" in capsys.readouterr().err
    assert command_line.main(["export", "--help"]) == 0
    assert "pinnacle-tui export sim-btc-usd-0001 --out tables" in capsys.readouterr().out
