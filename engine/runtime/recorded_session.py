"""A session on disk as something that can be replayed: where its records begin, and its Traders then."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.core.errors import UsageError
from engine.persistence.errors import DamageError
from engine.persistence.reader import JournalReader
from engine.persistence.records import Entry
from engine.persistence.segments import Segment
from engine.runtime.replayer import Replayer, traders_of
from engine.runtime.session_state import SessionState, decode
from engine.runtime.session_store import StoredSession


@dataclass(slots=True)
class RecordedSession:
    """A session to be replayed from its first record, or from the oldest state with all records behind it."""

    session: StoredSession
    reader: JournalReader
    from_seq: int
    """The first record that is replayed."""
    last_seq: int
    """The last record of a whole batch."""
    begin: SessionState | None
    """The state before it; None where the session is replayed from its beginning."""

    def replayer(self) -> Replayer:
        """Fresh Traders at the beginning."""
        traders = traders_of(self.session)
        if self.begin is not None:
            for product, trader in traders.items():
                trader.load(self.begin.desks[product].trader)
        return Replayer(traders)

    def batches(self, from_seq: int | None = None, to_seq: int | None = None) -> Iterator[list[Entry]]:
        """The batches from there on. `DamageError` behind the last sound one."""
        return self.reader.batches(self.from_seq if from_seq is None else from_seq, to_seq)


def open_recorded(session: StoredSession) -> RecordedSession:
    """Find where a session's replay can begin. Raises `DamageError` where nothing can be replayed."""
    reader = JournalReader(str(session.path))
    segments = reader.segments()
    if not segments:
        raise UsageError(f"session {session.name} holds no record yet")
    first = _first_whole(segments)
    last = reader.last_seq()
    if segments[first].header.first_seq == 1:
        return RecordedSession(session, reader, 1, last, None)
    least = segments[first].header.first_seq - 1
    for snapshot in reader.snapshots():
        if snapshot.seq >= least:
            return RecordedSession(session, reader, snapshot.seq + 1, last, decode(snapshot.body))
    raise DamageError(
        f"session {session.name} cannot be replayed: its records begin with {least + 1}, and no state before "
        "that is kept. Nothing was changed"
    )


def _first_whole(segments: list[Segment]) -> int:
    """The index of the first segment from which on nothing is missing."""
    first = len(segments) - 1
    while first > 0:
        before = segments[first - 1]
        if before.is_thinned or before.header.index != segments[first].header.index - 1:
            break
        first -= 1
    if segments[first].is_thinned and first + 1 < len(segments):
        first += 1
    return first
