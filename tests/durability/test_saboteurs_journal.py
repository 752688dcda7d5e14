"""Tests of the tests: each seeded mistake in the journal makes a named check fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from durability import test_journal_bytes, test_journal_failures, test_recovery_damage
from durability.cut_campaign import campaign
from durability.damage_campaign import flip_campaign

from engine.persistence import recovery, scanner
from engine.persistence.format import record_bytes
from engine.persistence.segment import MappedWriter, SegmentFile
from engine.persistence.syncing import Syncer


def flips_are_judged(folder: Path) -> None:
    flip_campaign(1, 300, each_journal=75)


def cuts_are_judged(folder: Path) -> None:
    campaign(range(6), actions=60)


def unfinished_batches_are_cut(folder: Path) -> None:
    test_recovery_damage.check_unfinished_batch()


def missing_seals_are_refused(folder: Path) -> None:
    test_recovery_damage.check_missing_seal()


def a_healed_disk_is_not_believed(folder: Path) -> None:
    test_journal_failures.test_after_a_failed_sync_a_disk_that_has_healed_is_not_believed(folder)


def the_commit_word_is_last(folder: Path) -> None:
    test_journal_bytes.test_the_commit_word_is_stored_last()


Patch = pytest.MonkeyPatch


class _Anything(int):
    """A checksum that fits."""

    def __ne__(self, other: object) -> bool:
        return False

    __eq__ = int.__eq__
    __hash__ = int.__hash__


class _EveryFlag:
    """A mask that any flags have."""

    def __rand__(self, flags: int) -> int:
        return 1


def crc_is_not_checked(patch: Patch) -> None:
    patch.setattr(scanner, "CHECKSUMS", dict.fromkeys((1, 2), lambda data, value=0: _Anything()))


def directory_is_not_synced(patch: Patch) -> None:
    real = SegmentFile.publish

    def publish(self: Any, folder: str, name: str) -> None:
        self._disk.sync_folder = lambda path: None
        try:
            real(self, folder, name)
        finally:
            del self._disk.sync_folder

    patch.setattr(SegmentFile, "publish", publish)


def outgoing_segment_is_not_synced(patch: Patch) -> None:
    place, sync = Syncer._place, SegmentFile.sync
    rotating: list[bool] = []

    def placed(self: Any, memory: Any) -> None:
        rotating.append(True)
        try:
            place(self, memory)
        finally:
            rotating.pop()

    patch.setattr(Syncer, "_place", placed)
    patch.setattr(SegmentFile, "sync", lambda self: None if rotating else sync(self))


def commit_is_ignored(patch: Patch) -> None:
    patch.setattr(scanner, "COMMIT", _EveryFlag())


def failed_sync_is_retried(patch: Patch) -> None:
    real = SegmentFile.sync

    def sync(self: SegmentFile) -> None:
        try:
            real(self)
        except OSError:
            real(self)

    patch.setattr(SegmentFile, "sync", sync)


def commit_word_is_stored_first(patch: Patch) -> None:
    def write(self: Any, seq: int, ts_ns: int, kind: int, flags: int, lag: int, payload: bytes) -> int:
        header, at = self.header, self.end
        record = record_bytes(header.salt, header.crc_kind, seq, ts_ns, kind, flags, lag, payload)
        self._words[at >> 3] = int.from_bytes(record[:8], "little")
        self._bytes[at + 8 : at + len(record)] = record[8:]
        self.end = at + len(record)
        return int.from_bytes(record[4:8], "little")

    patch.setattr(MappedWriter, "write", write)


def lag_is_zero(patch: Patch) -> None:
    real = MappedWriter.write

    def write(self: Any, seq: int, ts_ns: int, kind: int, flags: int, lag: int, payload: bytes) -> int:
        return real(self, seq, ts_ns, kind, flags, 0, payload)

    patch.setattr(MappedWriter, "write", write)


def missing_seal_is_accepted(patch: Patch) -> None:
    real = recovery.check_seal

    def check_seal(segment: Any, found: Any, after: Any) -> None:
        if found.is_sealed:
            real(segment, found, after)

    patch.setattr(recovery, "check_seal", check_seal)


SABOTEURS: list[tuple[Callable[[Patch], None], Callable[[Path], None], str]] = [
    (crc_is_not_checked, flips_are_judged, "ended with"),
    (directory_is_not_synced, cuts_are_judged, "were promised"),
    (outgoing_segment_is_not_synced, cuts_are_judged, "were promised"),
    (commit_is_ignored, unfinished_batches_are_cut, "more"),
    (commit_is_ignored, cuts_are_judged, "half a batch"),
    (failed_sync_is_retried, a_healed_disk_is_not_believed, "DID NOT RAISE"),
    (commit_word_is_stored_first, the_commit_word_is_last, "=="),
    (lag_is_zero, flips_are_judged, "ended with None"),
    (lag_is_zero, cuts_are_judged, "is taken for damage"),
    (missing_seal_is_accepted, missing_seals_are_refused, "DID NOT RAISE"),
]


@pytest.mark.parametrize(
    ("sabotage", "check", "text"), SABOTEURS, ids=[f"{s.__name__}-{c.__name__}" for s, c, _ in SABOTEURS]
)
def test_the_check_notices(
    monkeypatch: Patch,
    tmp_path: Path,
    sabotage: Callable[[Patch], None],
    check: Callable[[Path], None],
    text: str,
) -> None:
    with monkeypatch.context() as patch:
        sabotage(patch)
        with pytest.raises((AssertionError, pytest.fail.Exception), match=text):
            check(tmp_path)


@pytest.mark.parametrize(
    "check", sorted({check for _, check, _ in SABOTEURS}, key=lambda check: check.__name__)
)
def test_without_a_saboteur_there_is_nothing_to_notice(tmp_path: Path, check: Callable[[Path], None]) -> None:
    check(tmp_path)
