"""Journals for tests: small segments, clocks that stand still, and what the journal said."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from engine.persistence.continuation import Continuation
from engine.persistence.directory import JournalDirectory
from engine.persistence.disk import DISK, Disk
from engine.persistence.errors import JournalError
from engine.persistence.journal import Journal
from engine.persistence.settings import Durability

SMALL: Final = 64 << 10
"""The smallest segment."""
LARGE_PAYLOAD: Final = SMALL // 4 - 1
"""The largest payload of one record in it."""
DEADLINE_S: Final = 20.0
WALL_NS: Final = 1_700_000_000_000_000_000


class Clock:
    """Stands still until it is set."""

    def __init__(self, now_ns: int = 1_000) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns


@dataclass
class Heard:
    """What a journal told."""

    acked: list[int] = field(default_factory=list)
    failures: list[JournalError] = field(default_factory=list)
    news: threading.Event = field(default_factory=threading.Event)
    threads: set[str] = field(default_factory=set)

    def on_acked(self, seq: int) -> None:
        self.threads.add(threading.current_thread().name)
        self.acked.append(seq)
        self.news.set()

    def on_failed(self, error: JournalError) -> None:
        self.threads.add(threading.current_thread().name)
        self.failures.append(error)
        self.news.set()


@contextmanager
def directory_at(path: str, disk: Disk = DISK) -> Iterator[JournalDirectory]:
    """A new journal's folder, freed at the end."""
    directory = JournalDirectory.create(path, disk, created_ns=WALL_NS)
    try:
        yield directory
    finally:
        directory.close()


@contextmanager
def journal_at(
    path: str,
    durability: Durability | str,
    heard: Heard | None = None,
    *,
    disk: Disk = DISK,
    segment_bytes: int = SMALL,
    clock: Clock | None = None,
    interval_ns: int = 5_000_000,
    is_threaded: bool = False,
) -> Iterator[Journal]:
    """A new journal, closed at the end. Without its thread it does nothing but in `step`."""
    heard = heard or Heard()
    clock = clock or Clock()
    with directory_at(path, disk) as directory:
        journal = Journal(
            directory,
            Continuation(),
            durability=Durability(durability),
            segment_bytes=segment_bytes,
            sync_interval_ns=interval_ns,
            wall_ns=lambda: WALL_NS,
            monotonic_ns=clock,
            on_acked=heard.on_acked,
            on_failed=heard.on_failed,
        )
        try:
            if is_threaded:
                journal.start()
            yield journal
        finally:
            journal.close()
