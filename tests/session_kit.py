"""Recorded sessions for tests: a real run of the simulator, and copies of it that lie."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from engine.commands import headless
from engine.config import load_config
from engine.persistence.continuation import Continuation
from engine.persistence.directory import JournalDirectory
from engine.persistence.format import HEADER_BYTES, RecordType, record_bytes
from engine.persistence.journal import Journal
from engine.persistence.reader import JournalReader
from engine.persistence.records import TYPES, Recorded, encode
from engine.persistence.scanner import Record
from engine.persistence.settings import Durability
from engine.runtime.session_store import StoredSession, load, sessions


def record_session(data_dir: Path, *overrides: str, symbols: str = "BTC-USD") -> StoredSession:
    """A session of thirty seconds that ended in order."""
    given = (
        "engine.speed=max", "engine.duration_s=30", "simulator.seed=7", f"engine.symbols={symbols}",
        "persistence.digest_every=300", f"persistence.data_dir={data_dir}", *overrides,
    )  # fmt: skip
    resolved = load_config(None, {}, given)
    assert headless.run(resolved, as_json=True, stdout=io.StringIO(), stderr=io.StringIO()) == 0
    return sessions(data_dir)[-1]


Change = Callable[[Record], bytes | None]
"""The payload that a record is to have; None drops it."""


def altered(session: StoredSession, to: Path, change: Change) -> StoredSession:
    """A copy of a session of one file in which records say something else, every checksum right."""
    shutil.copytree(session.path, to)
    to.chmod(0o700)
    reader = JournalReader(str(to))
    [segment] = reader.segments()
    header = segment.header
    body = bytearray()
    seq = 0
    for record in reader.records():
        payload = record.payload if record.kind == RecordType.SEAL else change(record)
        if payload is None:
            continue
        seq += 1
        body += record_bytes(
            header.salt, header.crc_kind, seq, record.ts_ns, record.kind, record.flags, record.lag, payload
        )
    size = -(-(HEADER_BYTES + len(body)) // 4096) * 4096
    page = type(header)(
        size, header.index, header.first_seq, header.created_ns, header.uuid, header.salt, flags=header.flags
    ).pack()
    (to / segment.name).write_bytes((page + bytes(body)).ljust(size, b"\0"))
    return load(to)


def rewritten(
    session: StoredSession, to: Path, batches: Iterable[Iterable[Recorded]], *, segment_bytes: int
) -> StoredSession:
    """A session whose journal holds these batches, in files of that size."""
    directory = JournalDirectory.create(str(to), created_ns=1)
    failures: list[Exception] = []
    journal = Journal(
        directory,
        Continuation(),
        durability=Durability.NONE,
        segment_bytes=segment_bytes,
        on_acked=lambda seq: None,
        on_failed=failures.append,
    )
    for values in batches:
        journal.append_batch([(TYPES[type(value)], encode(value)) for value in values])
        journal.step()
    journal.finish()
    directory.close()
    assert not failures
    shutil.copy(session.path / "session.json", to)
    return load(to)
