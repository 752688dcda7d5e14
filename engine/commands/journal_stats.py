"""`journal stats`: how much a journal holds of what, how fast it grew, and how late the disk was."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from engine.commands.journal_items import kind_name
from engine.commands.journal_source import source
from engine.commands.journal_words import clock
from engine.persistence.archive import archive_size
from engine.persistence.disk import DISK
from engine.persistence.errors import DamageError
from engine.persistence.format import RecordType, padded
from engine.persistence.reader import JournalReader
from engine.persistence.records import LogCut, decode

_EXIT_DAMAGED: Final = 6
_BLOCK: Final = 512
"""What `st_blocks` counts."""


def stats(wanted: str, data_dir: Path) -> dict[str, Any]:
    """What was counted. Where a journal is damaged, what is before that, and the damage."""
    folder = source(wanted, data_dir).folder
    reader = JournalReader(str(folder))
    counted = _Counted()
    damage = None
    segments: list[Any] = []
    try:
        segments = reader.segments()
        counted.count(reader)
    except DamageError as error:
        damage = str(error)
    archive = archive_size(str(folder), DISK, reader.uuid)
    seconds = (counted.last_ns - counted.first_ns) / 1e9
    return {
        "v": 1,
        "journal": str(folder),
        "records": counted.records,
        "first_seq": counted.first_seq,
        "last_seq": counted.last_seq,
        "record_bytes": counted.bytes,
        "types": counted.types(),
        "segments": len(segments),
        "archived": archive.files,
        "archive_bytes": archive.bytes,
        "archive_oldest_ns": archive.oldest_ns,
        "thinned": sum(segment.is_thinned for segment in segments),
        "bytes": size_of(folder),
        "disk_bytes": size_of(folder, of_blocks=True),
        "snapshots": [
            {"seq": each.seq, "ts_ns": each.ts_ns, "bytes": len(each.body)} for each in reader.snapshots()
        ],
        "first_ns": counted.first_ns,
        "last_ns": counted.last_ns,
        "records_per_s": round(counted.records / seconds) if seconds > 0 else None,
        "lag_mean": round(counted.lag_sum / counted.records, 1) if counted.records else 0,
        "lag_max": counted.lag_max,
        "cuts": counted.cuts,
        "kept_aside": sorted(path.name for path in folder.glob("*.broken")),
        "damage": damage,
        "exit_code": 0 if damage is None else _EXIT_DAMAGED,
    }


class _Counted:
    """The records of a journal, added up."""

    def __init__(self) -> None:
        self.records = self.bytes = self.first_seq = self.last_seq = 0
        self.first_ns = self.last_ns = self.lag_sum = self.lag_max = 0
        self.cuts: list[dict[str, Any]] = []
        self._by_kind: dict[int, list[int]] = {}

    def count(self, reader: JournalReader) -> None:
        """Raises as `JournalReader.records`; what was read before that counts."""
        for record in reader.records():
            kind, length = record.kind, len(record.payload)
            of_kind = self._by_kind.setdefault(kind, [0, 0])
            of_kind[0] += 1
            of_kind[1] += length
            if not self.records:
                self.first_seq, self.first_ns = record.seq, record.ts_ns
            self.records += 1
            self.bytes += padded(length)
            self.last_seq, self.last_ns = record.seq, record.ts_ns
            self.lag_sum += record.lag
            self.lag_max = max(self.lag_max, record.lag)
            if kind == RecordType.RECOVERED:
                self._note_cut(decode(record.payload, record.seq), record.seq, record.ts_ns)

    def _note_cut(self, value: object, seq: int, ts_ns: int) -> None:
        if isinstance(value, LogCut):
            told = {"bytes": value.bytes_dropped, "records": value.records_dropped, "kept_as": value.kept_as}
            self.cuts.append({"seq": seq, "ts_ns": ts_ns} | told)

    def types(self) -> dict[str, dict[str, int]]:
        """By type, in the order of their numbers."""
        return {
            kind_name(kind): {"records": count, "payload_bytes": size}
            for kind, (count, size) in sorted(self._by_kind.items())
        }


def size_of(folder: Path | str, *, of_blocks: bool = False) -> int:
    """Bytes of the files in a folder and the folders in it; `of_blocks` what they take on the disk.

    Files that go meanwhile do not count.
    """
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    total += size_of(entry.path, of_blocks=of_blocks)
                    continue
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                total += status.st_blocks * _BLOCK if of_blocks else status.st_size
    except FileNotFoundError:
        pass
    return total


def stats_text(answer: Mapping[str, Any]) -> str:
    """The same for people."""
    lines = [
        answer["journal"],
        f"  {answer['records']:,} records, {answer['first_seq']:,} to {answer['last_seq']:,}, of "
        f"{answer['record_bytes']:,} bytes",
        f"  {answer['segments']} files, {answer['archived']} of them archived ({answer['archive_bytes']:,} "
        f"bytes){_thinned(answer['thinned'])}; {answer['disk_bytes']:,} bytes of the disk in all",
    ]
    if answer["records"]:
        rate = "" if answer["records_per_s"] is None else f", {answer['records_per_s']:,} records a second"
        lines += [
            f"  written {clock(answer['first_ns'])} to {clock(answer['last_ns'])}{rate}",
            f"  when a record was written, the disk was {answer['lag_mean']:,} records behind on average, "
            f"{answer['lag_max']:,} at most",
            "",
            *_table(answer["types"]),
        ]
    notes = [
        f"  state after record {each['seq']:,}: {each['bytes']:,} bytes, {clock(each['ts_ns'])}"
        for each in answer["snapshots"]
    ]
    notes += [
        f"  cut off before record {each['seq']:,}, {clock(each['ts_ns'])}: {each['bytes']:,} bytes, "
        f"{each['records']:,} whole records, kept in {each['kept_as']}"
        for each in answer["cuts"]
    ]
    if answer["kept_aside"]:
        notes.append(f"  kept aside, never read again: {', '.join(answer['kept_aside'])}")
    if notes:
        lines += ["", *notes]
    if answer["damage"] is not None:
        lines += ["", f"counted up to the damage: {answer['damage']}"]
    return "\n".join(lines)


def _thinned(count: int) -> str:
    return f", {count} without most of their market data" if count else ""


def _table(types: Mapping[str, Mapping[str, int]]) -> list[str]:
    width = max(len(name) for name in types)
    lines = [f"  {'':<{width}} {'records':>12} {'bytes':>14}"]
    return lines + [
        f"  {name:<{width}} {each['records']:>12,} {each['payload_bytes']:>14,}"
        for name, each in types.items()
    ]
