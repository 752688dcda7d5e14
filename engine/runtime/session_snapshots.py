"""When a session's state is saved, and what happens to the journal before it."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from engine.core.clock import Clock
from engine.persistence import archive, snapshots
from engine.persistence.directory import JournalDirectory
from engine.persistence.errors import JournalError
from engine.persistence.journal import Journal
from engine.persistence.records import ArchiveDeleted, SnapshotRef
from engine.persistence.settings import MarketDataClass, PersistenceSettings
from engine.runtime.recorder import JournalRecorder
from engine.runtime.session_state import SessionState, StateKeeper, encode

_S: Final = 1_000_000_000
_DISK_WITHIN_S: Final = 60.0
"""A disk that takes longer has failed."""


_MIB: Final = 1 << 20
_DAY_NS: Final = 86_400 * _S


class SavedEngine(Protocol):
    """What this needs of an engine."""

    def end(self, reason: str, exit_code: int) -> None:
        """See `Engine`."""
        ...

    def warn(self, code: str, text: str) -> None:
        """See `Engine`."""
        ...


class SessionSnapshots:
    """Copies the state between two wake-ups and has a thread write it; one at a time.

    After so many records or so much time, whichever comes first, and only if anything was recorded. What
    fails here is a failure of the journal: the engine ends, which cancels all orders.
    """

    def __init__(
        self,
        journal: Journal,
        directory: JournalDirectory,
        recorder: JournalRecorder,
        settings: PersistenceSettings,
        real: Clock,
        states: StateKeeper,
        engine: SavedEngine,
    ) -> None:
        self.saved_seq = journal.last_seq
        """The record that the last snapshot stands behind, or the first one of this run."""
        self._journal = journal
        self._directory = directory
        self._recorder = recorder
        self._settings = settings
        self._real = real
        self._states = states
        self._engine = engine
        self._interval_ns = settings.snapshot_interval_s * _S
        self._due_ns = real.monotonic_ns() + self._interval_ns
        self._task: asyncio.Task[None] | None = None
        self._is_warned = False

    def after_step(self) -> None:
        """Save the state if that is due; the copy is made at once, everything else later."""
        behind = self._journal.last_seq - self.saved_seq
        if not behind or (
            behind < self._settings.snapshot_every and self._real.monotonic_ns() < self._due_ns
        ):
            return
        if self._task is not None and not self._task.done():
            return
        if self._states.is_between:  # over after the next step
            return
        self._due_ns = self._real.monotonic_ns() + self._interval_ns
        self.saved_seq = self._journal.last_seq
        state = self._states.save()
        self._task = asyncio.create_task(self._save(state, self._journal.last_seq, self._journal.last_crc))

    async def settle(self) -> None:
        """Wait for the one that is being written."""
        if self._task is not None:
            await self._task

    async def _save(self, state: SessionState, seq: int, record_crc: int) -> None:
        try:
            body_bytes = await asyncio.to_thread(self._write, state, seq, record_crc)
            if self._recorder.is_failed:
                return
            number = self._recorder.note(SnapshotRef(seq, body_bytes))
            deleted, too_much = await asyncio.to_thread(self._retire, number)
            if deleted:
                self._recorder.note(ArchiveDeleted(tuple(deleted), too_much))
            elif too_much and not self._is_warned:
                self._is_warned = True
                self._engine.warn(
                    "ARCHIVE", f"{too_much}; nothing is deleted, persistence.archive_delete would"
                )
        except Exception as error:  # whatever it is, nobody would hear of it
            text = (
                f"the state could not be saved ({error}); all orders are being cancelled and the engine ends"
            )
            self._engine.end(text, JournalError.exit_code)

    def _write(self, state: SessionState, seq: int, record_crc: int) -> int:
        body = encode(state)
        self._journal.wait_durable(seq, _DISK_WITHIN_S)
        snapshots.write(
            self._directory,
            seq=seq,
            ts_ns=self._real.wall_ns(),
            body=body,
            record_crc=record_crc,
            crc_kind=self._journal.crc_kind,
        )
        return len(body)

    def _retire(self, number: int) -> tuple[list[str], str]:
        """Move what no kept snapshot needs into the archive, once the newest one is on record for good.

        The files that were deleted, and what of the archive was too old or too large; empty for neither.
        """
        settings, directory = self._settings, self._directory
        self._journal.wait_durable(number, _DISK_WITHIN_S)
        archive.retire(directory, settings.snapshots_kept, MarketDataClass(settings.market_data))
        held = archive.archive_size(directory.path, directory.disk, directory.uuid)
        now_ns, most = self._real.wall_ns(), settings.archive_mib * _MIB
        too_much = ""
        if held.bytes > most:
            too_much = f"the archive has {held.bytes // _MIB} MiB, more than {settings.archive_mib}"
        elif held.oldest_ns is not None and now_ns - held.oldest_ns > settings.archive_days * _DAY_NS:
            too_much = f"the archive holds files older than {settings.archive_days} days"
        if not (too_much and settings.archive_delete):
            return [], too_much
        return archive.delete_beyond(directory, settings.archive_days, most, now_ns), too_much
