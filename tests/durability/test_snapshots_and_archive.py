"""P7: a snapshot is there whole or not at all, and what is retired is never missed."""

from __future__ import annotations

import hashlib
import itertools
import struct
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest
from durability.crash_disk import CrashDisk, PowerCut
from durability.journal_kit import WALL_NS
from durability.recovery_kit import FOLDER, Files, files_of, found_in, recovered, recovered_on, stop_at
from durability.snapshot_kit import Session, events, is_market_data, saved_session

from engine.persistence import archive, snapshots
from engine.persistence.directory import JournalDirectory
from engine.persistence.errors import DamageError
from engine.persistence.reader import CLEAN, JournalReader
from engine.persistence.records import Recorded
from engine.persistence.segments import ARCHIVE
from engine.persistence.settings import MarketDataClass
from engine.persistence.snapshots import newest_first, snapshot_name, snapshot_names

LAYOUT = struct.Struct("<8sHHIQQ16sIIQII")
FIELDS = (
    "magic", "major", "minor", "length", "seq", "ts_ns", "uuid", "record_crc", "crc_kind", "body", "encoding",
    "flags",
)  # fmt: skip
DAY_NS = 86_400 * 10**9


def session_files(batches: int = 700, saves: int = 5) -> tuple[Session, Files]:
    session = saved_session(Random(1), batches, saves=saves)
    files = files_of(session.disk)
    session.end()
    return session, files


def sound(disk: CrashDisk, uuid: bytes) -> dict[int, bytes]:
    """Snapshots that load, by number."""
    return {each.seq: each.body for each in newest_first(FOLDER, disk, uuid, [])}


def cut_anywhere(
    start: CrashDisk, action: Callable[[JournalDirectory], object], draws: int
) -> list[CrashDisk]:
    """The disks that may be left when the power, or the process, is gone at any call of an action."""
    left: list[CrashDisk] = []
    rng = Random(1)
    for number in itertools.count(1):
        disk = start.after_kill()
        directory = JournalDirectory.open(FOLDER, disk)
        stop_at(disk, number, PowerCut)
        try:
            action(directory)
        except PowerCut:
            left += [disk.after_kill(), *(disk.after_cut(rng) for _ in range(draws))]
        else:
            left += [disk.after_cut(rng) for _ in range(draws)]
            break
    return left


# -- snapshots --------------------------------------------------------------------------------------


def check_snapshot_cut() -> Counter[str]:
    """A snapshot cut off at every call: what was there stays, and the new one is there whole or not."""
    session, files = session_files()
    seq, body = session.journal.last_seq, b"new" * 3_000

    def write(directory: JournalDirectory) -> None:
        snapshots.write(
            directory, seq=seq, ts_ns=0, body=body, record_crc=session.journal.last_crc, crc_kind=2
        )

    counts = Counter[str]()
    disks = cut_anywhere(CrashDisk.holding(FOLDER, files), write, 40)
    for number, disk in enumerate(disks):
        found = sound(disk, session.directory.uuid)
        is_new = found.pop(seq, None)
        assert is_new in (None, body)
        assert found == session.bodies
        assert len(snapshot_names(FOLDER, disk)) == len(found) + (is_new is not None), "garbage under a name"
        if number >= len(disks) - 40:  # it had returned
            assert is_new == body, "a snapshot that was written is gone"
        assert recovered_on(disk).snapshot is not None
        counts["states"] += 1
        counts["new" if is_new else "old"] += 1
    return counts


def test_a_snapshot_that_is_cut_off_anywhere_is_there_whole_or_not_at_all() -> None:
    counts = check_snapshot_cut()
    assert counts["states"] >= 300
    assert min(counts["new"], counts["old"]) > 50, counts


def one_snapshot() -> tuple[bytes, str, bytes]:
    session, files = session_files()
    name = snapshot_name(min(session.bodies))
    return files[name], name, session.directory.uuid


def loaded(name: str, content: bytes, uuid: bytes) -> snapshots.Snapshot:
    return snapshots.load(FOLDER, name, CrashDisk.holding(FOLDER, {name: content}), uuid)


def test_a_snapshot_cut_off_at_any_byte_does_not_load() -> None:
    content, name, uuid = one_snapshot()
    for length in range(len(content)):
        with pytest.raises(DamageError):
            loaded(name, content[:length], uuid)
    assert loaded(name, content, uuid).body


def test_a_snapshot_with_any_bit_flipped_or_with_more_behind_it_does_not_load() -> None:
    content, name, uuid = one_snapshot()
    for at in range(len(content)):
        image = bytearray(content)
        image[at] ^= 1 << at % 8
        with pytest.raises(DamageError):
            loaded(name, bytes(image), uuid)
    with pytest.raises(DamageError):
        loaded(name, content + b"\0", uuid)


def test_the_file_is_laid_out_as_the_format_says() -> None:
    content, name, uuid = one_snapshot()
    fields = LAYOUT.unpack_from(content)
    magic, major, minor, length, seq, ts_ns, owner, _, kind, body, encoding, flags = fields
    assert (magic, major, minor, length) == (b"PNCLSNP1", 1, 0, 72)
    assert (seq, ts_ns, owner, kind) == (int(name[5:25]), WALL_NS, uuid, 2)
    assert (body, encoding, flags) == (len(content) - 72 - 32, 2, 0)


def damaged(content: bytes) -> bytes:
    return content[:80] + bytes([content[80] ^ 1]) + content[81:]


def test_the_newest_is_damaged_so_the_one_before_is_taken_with_a_warning_and_more_is_replayed() -> None:
    session, files = session_files()
    whole = recovered(files)
    assert whole.snapshot is not None
    *_, before, newest = sorted(session.bodies)
    assert (whole.snapshot.seq, whole.warnings) == (newest, [])
    name = snapshot_name(newest)
    result = recovered(files | {name: damaged(files[name])})
    assert result.snapshot is not None
    assert result.snapshot.body == session.bodies[before]
    [warning] = result.warnings
    assert name in warning
    assert "an older state was taken" in warning
    found = [each.seq for each in result.records()]
    assert found == list(range(before + 1, session.journal.last_seq + 1))
    assert found[-len(list(whole.records())) :] == [each.seq for each in whole.records()]


def test_with_none_that_is_sound_everything_is_replayed_and_where_it_is_gone_nothing_is() -> None:
    session, files = session_files()
    broken = {name: damaged(image) for name, image in files.items() if name.startswith("snap-")}
    result = recovered(files | broken)
    assert result.snapshot is None
    assert len(result.warnings) == len(broken)
    assert next(result.records()).seq == 1
    assert result.last_seq == session.journal.last_seq
    first = min(name for name in files if name.endswith(".pjl"))
    without = {name: image for name, image in files.items() if name != first}
    assert recovered(without).snapshot is not None
    with pytest.raises(DamageError, match="nothing to go on from"):
        recovered(without | broken)


def rewritten(content: bytes, **changed: object) -> bytes:
    """A snapshot with another field in its header, and a digest that fits."""
    fields = dict(zip(FIELDS, LAYOUT.unpack_from(content), strict=True)) | changed
    data = LAYOUT.pack(*fields.values()) + content[72:-32]
    return data + hashlib.sha256(data).digest()


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"uuid": bytes(16)}, "another journal"),
        ({"record_crc": 1}, "does not fit record"),
        ({"major": 2}, "newer version"),
        ({"encoding": 3}, "newer version"),
    ],
)
def test_a_snapshot_that_is_not_of_this_journal_is_passed_over(changed: dict[str, object], text: str) -> None:
    session, files = session_files()
    *_, before, newest = sorted(session.bodies)
    name = snapshot_name(newest)
    result = recovered(files | {name: rewritten(files[name], **changed)})
    assert result.snapshot is not None
    assert result.snapshot.seq == before
    [warning] = result.warnings
    assert text in warning


def test_a_sound_snapshot_beyond_the_journals_end_says_that_records_are_missing() -> None:
    session, files = session_files()
    newest = max(session.bodies)
    seq = session.journal.last_seq + 1
    image = rewritten(files[snapshot_name(newest)], seq=seq)
    with pytest.raises(DamageError, match=f"records up to {seq} were on the disk once"):
        recovered(files | {snapshot_name(seq): image})


def test_the_newest_is_the_one_of_the_highest_record_whatever_the_clock_said() -> None:
    session = saved_session(Random(1), 60, saves=0)
    for ts_ns in (5_000, 9_000, 0, 7):
        session.record(events(Random(1), ts_ns))
        session.save(ts_ns)
    files = files_of(session.disk)
    session.end()
    found = recovered(files).snapshot
    assert found is not None
    assert (found.seq, found.ts_ns) == (max(session.bodies), 7)


# -- retention ---------------------------------------------------------------------------------------


def all_files(disk: CrashDisk) -> tuple[Files, Files]:
    """The folder's, and the archive's."""
    return files_of(disk), disk.files(f"{FOLDER}/{ARCHIVE}")


def segments_in(files: Files) -> list[str]:
    return sorted(name for name in files if name.endswith(".pjl"))


@pytest.mark.parametrize("kept", [2, 3])
def test_the_newest_are_kept_and_all_behind_the_oldest_of_them(kept: int) -> None:
    session, files = session_files()
    disk = CrashDisk.holding(FOLDER, files)
    directory = JournalDirectory.open(FOLDER, disk)
    moved = archive.retire(directory, kept, MarketDataClass.FULL)
    assert archive.retire(directory, kept, MarketDataClass.FULL) == []
    directory.close()
    left, archived = all_files(disk)
    saved = sorted(session.bodies)
    assert [name for name in sorted(left) if name.startswith("snap-")] == [
        snapshot_name(seq) for seq in saved[-kept:]
    ]
    assert moved == segments_in(archived)
    assert moved
    assert {name: files[name] for name in moved} == archived
    ends = [int(name[:20]) - 1 for name in segments_in(files)[1:]]
    assert len(moved) == sum(end <= saved[-kept] for end in ends)
    assert recovered(left).last_seq == session.journal.last_seq


def test_fewer_than_two_are_never_kept() -> None:
    session, files = session_files()
    disk = CrashDisk.holding(FOLDER, files)
    directory = JournalDirectory.open(FOLDER, disk)
    archive.retire(directory, 1, MarketDataClass.FULL)
    directory.close()
    assert len(snapshot_names(FOLDER, disk)) == 2
    only = {name for name in files if name.startswith("snap-")} - {snapshot_name(max(session.bodies))}
    disk = CrashDisk.holding(FOLDER, {name: image for name, image in files.items() if name not in only})
    directory = JournalDirectory.open(FOLDER, disk)
    assert archive.retire(directory, 1, MarketDataClass.FULL) == []
    directory.close()


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=() if kind is MarketDataClass.THINNED else pytest.mark.nightly)
        for kind in MarketDataClass
    ],
)
def test_retiring_that_is_cut_off_anywhere_loses_nothing_and_goes_on(kind: MarketDataClass) -> None:
    session, files = session_files(300, 5)
    saved = sorted(session.bodies)
    counts = Counter[str]()

    def retire(directory: JournalDirectory) -> None:
        archive.retire(directory, 2, kind)

    wanted = recovered(files)
    for disk in cut_anywhere(CrashDisk.holding(FOLDER, files), retire, 2):
        result = recovered_on(disk)
        assert (result.snapshot, found_in(result)) == (wanted.snapshot, found_in(wanted))
        directory = JournalDirectory.open(FOLDER, disk)
        retire(directory)
        directory.close()
        left, archived = all_files(disk)
        assert [name for name in sorted(left) if name.startswith("snap-")] == [
            snapshot_name(seq) for seq in saved[-2:]
        ]
        first, *_ = segments_in(left)
        assert int(first[:20]) <= saved[-2] + 1
        assert not set(segments_in(left)) & set(archived)
        assert sorted(segments_in(left) + segments_in(archived)) == segments_in(files)
        older = recovered({name: image for name, image in left.items() if name != snapshot_name(saved[-1])})
        assert older.snapshot is not None
        assert (older.snapshot.seq, older.last_seq) == (saved[-2], session.journal.last_seq)
        read_back(session, disk, kind)
        counts["states"] += 1
    assert counts["states"] >= 100, counts


def read_back(session: Session, disk: CrashDisk, kind: MarketDataClass) -> list[Recorded]:
    """A reader finds in archive and folder together what was recorded, but for what was thinned out."""
    reader = JournalReader(FOLDER, disk)
    first = int(segments_in(files_of(disk))[0][:20])
    found = {entry.seq: entry.value for batch in reader.batches() for entry in batch}
    wanted = {
        seq: value
        for seq, value in session.values.items()
        if seq >= first
        or kind is MarketDataClass.FULL
        or not is_market_data(value, trades_too=kind is MarketDataClass.OFF)
    }
    assert found == wanted
    return list(found.values())


@pytest.mark.parametrize("kind", list(MarketDataClass))
def test_the_archive_has_what_its_class_says_and_is_read_with_the_rest(kind: MarketDataClass) -> None:
    session, files = session_files()
    disk = CrashDisk.holding(FOLDER, files)
    directory = JournalDirectory.open(FOLDER, disk)
    moved = archive.retire(directory, 2, kind)
    directory.close()
    assert len(moved) >= 2
    values = read_back(session, disk, kind)
    shares = Counter(type(value).__name__ for value in values)
    before = Counter(type(value).__name__ for value in session.values.values())
    assert shares["SubmitOrder"] == before["SubmitOrder"] > 50
    assert (shares["TradePrint"] == before["TradePrint"]) is (kind is not MarketDataClass.OFF)
    for name in ("Timer", "BookUpdate", "BookSnapshot"):
        assert (shares[name] == before[name]) is (kind is MarketDataClass.FULL), name
    report = JournalReader(FOLDER, disk).verify(is_deep=True)
    assert (report.status, report.problems) == (CLEAN, [])
    assert report.last_seq == session.journal.last_seq
    archived = disk.files(f"{FOLDER}/{ARCHIVE}")
    size = sum(map(len, archived.values()))
    assert (size < sum(len(files[name]) for name in moved)) is (kind is not MarketDataClass.FULL)
    if kind is not MarketDataClass.FULL:  # good for reading, never for recovery
        assert JournalReader(FOLDER, disk).segments()[0].is_thinned


def test_what_is_beyond_the_limits_is_deleted_oldest_first_and_nothing_else() -> None:
    session, files = session_files()
    disk = CrashDisk.holding(FOLDER, files)
    directory = JournalDirectory.open(FOLDER, disk)
    moved = archive.retire(directory, 2, MarketDataClass.FULL)
    sizes = [len(files[name]) for name in moved]
    size = archive.archive_size(FOLDER, disk, directory.uuid)
    assert (size.files, size.bytes, size.oldest_ns) == (len(moved), sum(sizes), WALL_NS)
    assert archive.delete_beyond(directory, 30, sum(sizes), WALL_NS + 30 * DAY_NS) == []
    assert archive.delete_beyond(directory, 30, sum(sizes) - 1, WALL_NS) == moved[:1]
    assert segments_in(disk.files(f"{FOLDER}/{ARCHIVE}")) == moved[1:]
    assert archive.delete_beyond(directory, 30, sum(sizes), WALL_NS + 30 * DAY_NS + 1) == moved[1:]
    assert archive.archive_size(FOLDER, disk, directory.uuid).oldest_ns is None
    directory.close()
    assert recovered_on(disk).last_seq == session.journal.last_seq
