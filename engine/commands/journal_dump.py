"""`journal dump`, `tail` and `stats`: what a journal holds."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from engine.commands.journal import journal_folder
from engine.commands.journal_words import Words, clock, type_name
from engine.core.errors import UsageError
from engine.persistence.archive import archive_size
from engine.persistence.disk import DISK
from engine.persistence.format import RecordType
from engine.persistence.reader import JournalReader
from engine.persistence.records import Entry, LogCut, SessionEnded
from engine.runtime.session_store import StoredSession

_KINDS: Final = {kind.name.lower(): kind for kind in RecordType if kind is not RecordType.SEAL}
_LOOK_EVERY_S: Final = 0.1
_MS: Final = 1_000_000


def kind_of(name: str) -> str:
    """A type's word, checked. Raises `UsageError` naming those there are."""
    if name not in _KINDS:
        raise UsageError(f"--type {name}: there are {', '.join(_KINDS)}")
    return name


class Dump:
    """The records of one journal, told in words or as JSON objects."""

    def __init__(self, wanted: str, data_dir: Path) -> None:
        self.folder, self.session = journal_folder(wanted, data_dir)
        self.words = Words(_instruments(self.session))
        self.reader = JournalReader(str(self.folder))

    def entries(
        self,
        from_seq: int = 1,
        to_seq: int | None = None,
        *,
        kind: str | None = None,
        product: str | None = None,
    ) -> Iterator[Entry]:
        """The records between two numbers, both included, of one type and one product where named."""
        for batch in self.reader.batches(from_seq, to_seq):
            for entry in batch:
                if to_seq is not None and entry.seq > to_seq:
                    return
                if kind is not None and type_name(entry) != kind:
                    continue
                if product is not None and getattr(entry.value, "product", None) != product:
                    continue
                yield entry

    def last(self, count: int) -> list[Entry]:
        """The last records."""
        kept: deque[Entry] = deque(maxlen=count)
        for segment in reversed(self.reader.segments()):
            found = list(self.entries(segment.header.first_seq))
            kept = deque(found, maxlen=count)
            if len(found) >= count:
                break
        return list(kept)

    def follow(self, seen: int, wait: Callable[[float], None] = time.sleep) -> Iterator[Entry]:
        """The records behind number `seen` as they come, until the session has ended in order."""
        while True:
            for entry in self.entries(seen + 1):
                seen = entry.seq
                yield entry
                if isinstance(entry.value, SessionEnded):
                    return
            wait(_LOOK_EVERY_S)


def _instruments(session: StoredSession | None) -> dict[str, Any]:
    return {} if session is None else {each.symbol: each for each in session.info.instruments}


def stats(wanted: str, data_dir: Path) -> dict[str, Any]:
    """How many records of which type, how large, how fast, how late the disk was, and what was cut off."""
    folder, _ = journal_folder(wanted, data_dir)
    reader = JournalReader(str(folder))
    counts: dict[int, list[int]] = {}
    records = lag_sum = lag_most = first_ns = last_ns = last_seq = 0
    for record in reader.records():
        count = counts.setdefault(record.kind, [0, 0])
        count[0] += 1
        count[1] += len(record.payload)
        records += 1
        lag_sum += record.lag
        lag_most = max(lag_most, record.lag)
        first_ns = first_ns or record.ts_ns
        last_ns, last_seq = record.ts_ns, record.seq
    cuts = [
        entry.value
        for batch in reader.batches()
        for entry in batch
        if RecordType.RECOVERED in counts and isinstance(entry.value, LogCut)
    ]
    archive = archive_size(str(folder), DISK, reader.uuid)
    seconds = (last_ns - first_ns) / 1e9
    return {
        "v": 1,
        "journal": str(folder),
        "records": records,
        "last_seq": last_seq,
        "types": {
            RecordType(kind).name.lower(): {"records": count, "payload_bytes": size}
            for kind, (count, size) in sorted(counts.items())
        },
        "segments": len(reader.segments()),
        "archived": archive.files,
        "archive_bytes": archive.bytes,
        "bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        "snapshots": [{"seq": each.seq, "bytes": len(each.body)} for each in reader.snapshots()],
        "first_ns": first_ns,
        "last_ns": last_ns,
        "records_per_s": round(records / seconds) if seconds > 0 else None,
        "lag_mean": round(lag_sum / records, 1) if records else 0,
        "lag_max": lag_most,
        "cuts": [{"bytes": each.bytes_dropped, "kept_as": each.kept_as} for each in cuts],
        "exit_code": 0,
    }


def stats_text(answer: Mapping[str, Any]) -> str:
    """The same for people."""
    width = max((len(name) for name in answer["types"]), default=0)
    lines = [
        f"{answer['journal']}: {answer['records']:,} records up to {answer['last_seq']}, "
        f"{answer['bytes']:,} bytes "
        f"on the disk in {answer['segments']} files, {answer['archived']} of them archived",
    ]
    if answer["records"]:
        rate = "" if answer["records_per_s"] is None else f", {answer['records_per_s']:,} a second"
        lines.append(f"written {clock(answer['first_ns'])} to {clock(answer['last_ns'])}{rate}")
        lines.append(
            f"not on the disk when a record was written: {answer['lag_mean']:,} on average, "
            f"{answer['lag_max']:,} at "
            "most"
        )
    lines += [
        f"  {name:<{width}} {each['records']:>12,} records {each['payload_bytes']:>14,} bytes"
        for name, each in answer["types"].items()
    ]
    lines += [f"  state after record {each['seq']}: {each['bytes']:,} bytes" for each in answer["snapshots"]]
    lines += [f"  cut off: {each['bytes']} bytes, kept in {each['kept_as']}" for each in answer["cuts"]]
    return "\n".join(lines)
