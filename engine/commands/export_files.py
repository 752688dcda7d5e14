"""Files of tables: CSV, JSON lines, Parquet. A file has its name only once it is whole."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

from engine.commands.export_schema import BOOL, INT, TEXT, Row, Table
from engine.core.errors import PinnacleError, UsageError
from engine.core.foreign_text import visible

_PART: Final = ".part"
_ROWS_AT_ONCE: Final = 10_000


class ExportWriteError(PinnacleError):
    """The disk does not take the files. None of them stays."""

    exit_code = 74


class RowFile(Protocol):
    """Takes the rows of one table."""

    def write(self, row: Row) -> None:
        """One more."""
        ...

    def close(self) -> None:
        """No more."""
        ...


class _Csv:
    """With a line of names; what is not known is an empty field, truth is true or false."""

    def __init__(self, path: Path, table: Table) -> None:
        self._file = path.open("w", newline="", encoding="utf-8")
        self._write = csv.writer(self._file).writerow
        self._write([column.name for column in table.columns])

    def write(self, row: Row) -> None:
        self._write([str(value).lower() if isinstance(value, bool) else value for value in row])

    def close(self) -> None:
        self._file.close()


class _JsonLines:
    """An object a line; what is not known is null."""

    def __init__(self, path: Path, table: Table) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._names = [column.name for column in table.columns]

    def write(self, row: Row) -> None:
        self._file.write(json.dumps(dict(zip(self._names, row, strict=True))) + "\n")

    def close(self) -> None:
        self._file.close()


class _Parquet:
    """Written in row groups; columns are strings, 64-bit integers and booleans."""

    def __init__(self, path: Path, table: Table) -> None:
        self._arrow, parquet = _arrow()
        kinds = {TEXT: self._arrow.string(), INT: self._arrow.int64(), BOOL: self._arrow.bool_()}
        self._schema = self._arrow.schema([(column.name, kinds[column.kind]) for column in table.columns])
        self._writer = parquet.ParquetWriter(str(path), self._schema)
        self._rows: list[Row] = []

    def write(self, row: Row) -> None:
        self._rows.append(row)
        if len(self._rows) >= _ROWS_AT_ONCE:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            columns = [list(values) for values in zip(*self._rows, strict=True)]
            self._writer.write_table(self._arrow.table(columns, schema=self._schema))
            self._rows = []


FORMATS: Final[dict[str, Callable[[Path, Table], RowFile]]] = {
    "csv": _Csv,
    "jsonl": _JsonLines,
    "parquet": _Parquet,
}
"""By the name that is also the files' ending."""


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UsageError(
            'Parquet files need the extra "parquet": pip install "pinnacle-tui[parquet]"; csv and jsonl need '
            "nothing. Nothing was written"
        ) from None
    return pyarrow, pyarrow.parquet


class Export:
    """The files of one export, in a folder that is made where there is none.

    Raises `UsageError`, with nothing written, where a file of that name is there already, the folder cannot
    be written to, or the format's library is missing; `ExportWriteError` where the disk takes no more. Left
    by an exception, none of the files stays.
    """

    def __init__(self, folder: Path, form: str, tables: Sequence[Table]) -> None:
        self.paths = {table.name: folder / f"{table.name}.{form}" for table in tables}
        there = [path.name for path in self.paths.values() if path.exists()]
        if there:
            raise UsageError(
                f"{folder}: {there[0]} is there already; name another folder. Nothing was written"
            )
        if form == "parquet":
            _arrow()
        self._files: dict[str, RowFile] = {}
        self.counts = dict.fromkeys(self.paths, 0)
        """Rows written, by table."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for table in tables:
                self._files[table.name] = FORMATS[form](self._part(table.name), table)
        except OSError as error:
            self._discard()
            raise UsageError(f"{folder}: {error.strerror}; nothing was written") from None
        self._folder = folder

    def write(self, table: Table, row: Row) -> None:
        """One more row. What a venue said may hold anything: it is written as it can be seen."""
        self.counts[table.name] += 1
        shown = tuple([visible(value) if isinstance(value, str) else value for value in row])
        try:
            self._files[table.name].write(shown)
        except OSError as error:
            raise self._failure(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._discard()
            return
        try:
            for file in self._files.values():
                file.close()
            for name, path in self.paths.items():
                self._part(name).replace(path)
        except OSError as failure:
            self._discard()
            raise self._failure(failure) from None

    def _failure(self, error: OSError) -> ExportWriteError:
        return ExportWriteError(f"{self._folder}: {error.strerror}; none of the files was kept")

    def _part(self, name: str) -> Path:
        path = self.paths[name]
        return path.with_name(path.name + _PART)

    def _discard(self) -> None:
        for file in self._files.values():
            with suppress(OSError):
                file.close()
        for name in self._files:
            self._part(name).unlink(missing_ok=True)
