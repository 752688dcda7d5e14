"""Sessions in memory that save their state as they go: journal, snapshots, archive."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Final

from durability.crash_disk import CrashDisk
from durability.journal_kit import WALL_NS
from durability.recovery_kit import FOLDER, journal_on

from engine.core.events import AnyCommand, AnyEvent, BookSnapshot, BookUpdate, SubmitOrder, Timer, TradePrint
from engine.core.order import Side
from engine.persistence import snapshots
from engine.persistence.continuation import Continuation
from engine.persistence.directory import JournalDirectory
from engine.persistence.format import RecordType
from engine.persistence.journal import Journal
from engine.persistence.records import TYPES, Recorded, SnapshotRef, encode

LARGE_BOOK: Final = 6_000
"""Levels of a book that no one record of a small segment holds."""


@dataclass
class Session:
    """A desk's life on a disk in memory."""

    disk: CrashDisk
    directory: JournalDirectory
    journal: Journal
    values: dict[int, Recorded] = field(default_factory=dict)
    """What was recorded, by the number of the (last) record that carries it."""
    bodies: dict[int, bytes] = field(default_factory=dict)
    """Of snapshots."""

    def record(self, values: list[AnyEvent | AnyCommand | SnapshotRef]) -> None:
        """One batch. Of several values none is so large that it takes more than one record."""
        last = self.journal.append_batch([(TYPES[type(value)], encode(value)) for value in values])
        self.values.update(zip(range(last - len(values) + 1, last + 1), values, strict=True))

    def save(self, ts_ns: int = WALL_NS) -> str:
        """A snapshot, in the order of steps that a crash demands; its name."""
        seq, crc = self.journal.last_seq, self.journal.last_crc
        body = self.bodies[seq] = b"state after %d;" % seq * 5
        self.journal.step()
        assert self.journal.durable_seq == seq
        kind = self.journal.crc_kind
        name = snapshots.write(self.directory, seq=seq, ts_ns=ts_ns, body=body, record_crc=crc, crc_kind=kind)
        self.record([SnapshotRef(seq, len(body))])
        self.journal.step()
        return name

    def end(self) -> None:
        self.journal.close()
        self.directory.close()


def events(rng: Random, number: int) -> list[AnyEvent | AnyCommand | SnapshotRef]:
    """What one wake-up records."""
    at = number * 1_000
    product = "BTC-USD"
    batch: list[AnyEvent | AnyCommand | SnapshotRef] = [
        BookUpdate(product, at, at, [(100 + level, level) for level in range(rng.randrange(1, 40))], []),
        TradePrint(product, at, at, number, 100, 1, Side.BUY),
        Timer(product, at, at),
    ]
    if number % 5 == 0:
        batch.append(SubmitOrder(product, at, f"order-{number}", Side.BUY, 1, 100))
    if number % 50 == 49:  # too large for one record
        large = BookSnapshot(product, at, at, [(level + 1_000, level) for level in range(LARGE_BOOK)], [])
        batch = [large]
    return batch


def saved_session(rng: Random, batches: int = 700, *, saves: int = 5) -> Session:
    """A session of several files that saved its state now and then, and some time before its end."""
    disk = CrashDisk()
    directory = JournalDirectory.create(FOLDER, disk, created_ns=WALL_NS)
    session = Session(disk, directory, journal_on(directory, Continuation(), "group"))
    every = batches // (saves + 1)
    for number in range(1, batches + 1):
        session.record(events(rng, number))
        if number % 7 == 0:
            session.journal.step()
        if number % every == 0 and len(session.bodies) < saves:
            session.save()
    session.journal.step()
    return session


def is_market_data(value: Recorded, *, trades_too: bool) -> bool:
    """What the archive may leave out, timers among it."""
    if isinstance(value, TradePrint):
        return trades_too
    return TYPES[type(value)] in (RecordType.MARKET_EVENT, RecordType.TIMER_EVENT)
