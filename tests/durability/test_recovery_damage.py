"""P3: damage is never silent before the last synced batch, and what is left is an exact prefix."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from durability.crash_disk import CrashDisk
from durability.damage_campaign import (
    HEADER_FIELDS,
    PAGE,
    REFUSED,
    check_flip,
    expected_end,
    flip_campaign,
    outcome,
)
from durability.naive_journal import SEAL
from durability.recovery_kit import (
    FOLDER,
    Files,
    History,
    found_in,
    journal_on,
    recovered,
    recovered_on,
    written_journal,
)

from engine.core.events import Timer
from engine.persistence.continuation import Continuation
from engine.persistence.directory import JournalDirectory
from engine.persistence.errors import DamageError
from engine.persistence.format import COMMIT, RecordType, SegmentHeader, record_bytes
from engine.persistence.records import encode

SECTOR = 512
FLIPS = 4_000


def small(seed: int = 1, mode: str = "group") -> History:
    """One file with a handful of records, some of them synced."""
    return written_journal(Random(seed), 8, mode, lengths=(1, 7, 40), sync_share=0.4)


def several(seed: int = 1) -> History:
    """Three files or more."""
    history = written_journal(Random(seed), 900)
    assert len(history.segments) >= 3
    return history


def synced_or_not() -> list[History]:
    """Several files where much was synced, and one of several pages where nothing was."""
    return [
        *(several(seed) for seed in range(4)),
        *(written_journal(Random(seed), 120, "interval", sync_share=0.0) for seed in range(3)),
    ]


def header_of(image: bytes) -> SegmentHeader:
    return SegmentHeader.unpack(image[:PAGE], "it")


def with_record(image: bytes, history: History, **changed: int) -> bytes:
    """The file with one more record behind its last one, sound but for what is `changed`."""
    segment, header = history.segments[-1], header_of(image)
    seq = history.last_seq + 1
    given = {"seq": seq, "kind": 14, "flags": COMMIT, "lag": 1} | changed
    record = record_bytes(
        header.salt, header.crc_kind, given["seq"], 0, given["kind"], given["flags"], given["lag"], b"more"
    )
    at = -(-segment.records[-1].end // 8) * 8
    return image[:at] + record + image[at + len(record) :]


# -- bits ------------------------------------------------------------------------------------------


def test_flips_lose_nothing_in_silence_that_an_earlier_sync_covered() -> None:
    counts = flip_campaign(4711, FLIPS)
    assert counts["flips"] >= FLIPS
    assert counts["refused"] > FLIPS // 5, counts
    assert counts["cut"] > FLIPS // 20, counts
    assert counts["whole"] > FLIPS // 50, counts
    assert counts["segments"] > FLIPS // 500


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(10))
def test_a_hundred_thousand_flips(seed: int) -> None:
    assert flip_campaign(seed, 100_000)["flips"] >= 100_000


def test_every_bit_of_a_small_file() -> None:
    history, counts = small(), Counter[str]()
    [segment] = history.segments
    used = segment.records[-1].end
    for at in (*range(HEADER_FIELDS), *range(PAGE - 8, used + 16), segment.size - 1):
        for bit in range(8):
            check_flip(history, segment.name, at, bit, counts)
    assert counts["flips"] > 8 * (used - PAGE)
    assert min(counts["refused"], counts["cut"], counts["whole"]) > 100, counts


def test_one_flipped_byte_leaves_what_is_before_it_with_numbers_from_one() -> None:
    """Nothing was synced, so nothing tells of what was behind it: all before it is read, no more."""
    history = written_journal(Random(3), 20, "interval", sync_share=0.0)
    [segment] = history.segments
    for record in segment.records:
        image = bytearray(history.files[segment.name])
        image[record.end - 1] ^= 0xFF
        result = recovered(history.files | {segment.name: bytes(image)})
        before = history.batch_before(record.seq)
        assert found_in(result) == history.upto(before)
        assert [found.seq for found in found_in(result)] == list(range(1, before + 1))
        assert result.bytes_dropped > 0
        assert result.kept_as.endswith(".broken")


# -- files that were cut off, pages that were exchanged --------------------------------------------


@pytest.mark.parametrize("mode", ["group", "interval"])
def test_a_file_cut_off_at_every_byte_gives_a_prefix_or_is_refused(mode: str) -> None:
    history = small(2, mode)
    [segment] = history.segments
    content = history.files[segment.name]
    used = segment.records[-1].end
    counts = Counter[str]()
    for length in (*range(used + 16), *range(used + 16, len(content), SECTOR)):
        cut = content[:length]
        got = outcome(history, history.files | {segment.name: cut})
        expected = (
            REFUSED if length < PAGE else expected_end(history, segment.name, cut.ljust(len(content), b"\0"))
        )
        assert got == expected, length
        counts["refused" if got is REFUSED else "whole" if got == history.last_seq else "prefix"] += 1
        if length >= PAGE:
            with pytest.raises(DamageError):
                recovered(history.files | {segment.name: cut}, is_cut_allowed=False)
    assert counts["refused"] == PAGE
    assert min(counts["prefix"], counts["whole"]) > 100, counts


def test_a_file_cut_off_is_told_of_and_the_refusal_names_the_repair() -> None:
    history = small()
    [segment] = history.segments
    files = history.files | {segment.name: history.files[segment.name][: segment.records[-1].end + 64]}
    [warning] = recovered(files).warnings
    assert "somebody cut it off" in warning
    with pytest.raises(DamageError, match=f"repair --truncate-at {history.last_seq + 1}"):
        recovered(files, is_cut_allowed=False)


def test_pages_that_were_exchanged_leave_a_prefix_or_are_refused() -> None:
    counts = Counter[str]()
    for history in synced_or_not():
        for segment in history.segments:
            content = history.files[segment.name]
            used = -(-segment.records[-1].end // PAGE)
            for page in range(1, used):
                image = bytearray(content)
                other = page % (used - 1) + 1
                image[page * PAGE : (page + 1) * PAGE] = content[other * PAGE : (other + 1) * PAGE]
                image[other * PAGE : (other + 1) * PAGE] = content[page * PAGE : (page + 1) * PAGE]
                expected = expected_end(history, segment.name, bytes(image))
                got = outcome(history, history.files | {segment.name: bytes(image)})
                assert got is REFUSED or got == expected, (segment.name, page)
                counts["refused" if got is REFUSED else "cut"] += 1
    assert counts["refused"] > 100, counts
    assert counts["cut"] > 8, counts


def test_sectors_that_read_zero() -> None:
    counts = Counter[str]()
    for history in synced_or_not():
        for segment in history.segments:
            for at in range(0, -(-segment.records[-1].end // SECTOR) * SECTOR, SECTOR):
                content = history.files[segment.name]
                image = content[:at] + bytes(SECTOR) + content[at + SECTOR :]
                expected = expected_end(history, segment.name, image)
                got = outcome(history, history.files | {segment.name: image})
                assert got == expected, (segment.name, at)
                counts["refused" if got is REFUSED else "whole" if got == history.last_seq else "cut"] += 1
    assert counts["refused"] > 500, counts
    assert min(counts["cut"], counts["whole"]) > 20, counts


# -- segments that are not what they should be -----------------------------------------------------


def refused(files: Files, text: str) -> None:
    """Recovery says so, and leaves every byte as it is."""
    disk = CrashDisk.holding(FOLDER, files)
    before = disk.files(FOLDER)
    with pytest.raises(DamageError, match=text) as raised:
        recovered_on(disk)
    after = disk.files(FOLDER)
    assert {**after, "LOCK": b""} == {**before, "LOCK": b""}
    assert raised.value.exit_code == 6


def test_two_segments_that_were_exchanged() -> None:
    history = several()
    first, second = (segment.name for segment in history.segments[:2])
    files = history.files
    refused(files | {first: files[second], second: files[first]}, "does not fit the file's name")


def test_a_segment_of_an_older_life_of_the_same_folder() -> None:
    """It has the right name, number and journal, and another salt."""
    history = several()
    second, third = history.segments[1:3]
    image = history.files[second.name]
    other = replace(header_of(image), salt=second.salt ^ 1)
    refused(history.files | {second.name: other.pack() + image[PAGE:]}, "cannot be read|does not follow")
    other = replace(header_of(history.files[third.name]), previous_crc=third.previous_crc ^ 1)
    refused(history.files | {third.name: other.pack() + history.files[third.name][PAGE:]}, "does not follow")


def test_a_segment_that_is_missing() -> None:
    history = several()
    first, second = (segment.name for segment in history.segments[:2])
    refused({name: image for name, image in history.files.items() if name != second}, "does not follow")
    refused({name: image for name, image in history.files.items() if name != first}, "begins with record")


def check_missing_seal() -> None:
    """A segment that is not the last one ended with its SEAL once, whatever else is lost of it."""
    history = several()
    for segment in history.segments[:-1]:
        seal = segment.records[-1]
        assert seal.kind == SEAL
        image = history.files[segment.name]
        refused(
            history.files | {segment.name: image[: seal.offset] + bytes(40) + image[seal.end :]},
            f"record {seal.seq} cannot be read",
        )


def test_a_missing_seal_in_a_segment_that_is_not_the_last() -> None:
    check_missing_seal()


def test_a_segment_of_another_journal() -> None:
    history, other = small(1), small(2)
    [segment] = history.segments
    refused(history.files | {segment.name: other.files[segment.name]}, "belongs to another journal")


@pytest.mark.parametrize("major", [0, 2, 7])
def test_another_major_is_a_newer_versions(major: int) -> None:
    history = small()
    [segment] = history.segments
    image = bytearray(history.files[segment.name])
    struct.pack_into("<H", image, 8, major)
    struct.pack_into("<I", image, 92, zlib.crc32(image[:92]))
    refused(history.files | {segment.name: bytes(image)}, "written by a newer version")


def test_a_greater_minor_is_read() -> None:
    history = small()
    [segment] = history.segments
    image = history.files[segment.name]
    newer = replace(header_of(image), minor=9).pack() + image[PAGE:]
    assert found_in(recovered(history.files | {segment.name: newer})) == history.written


@pytest.mark.parametrize("is_body_empty", [True, False])
@pytest.mark.parametrize("damage", ["zeros", "noise"])
def test_a_last_file_with_a_bad_header_is_removed_where_nothing_was_written_into_it(
    damage: str, is_body_empty: bool
) -> None:
    history = several()
    last = history.segments[-1]
    page = bytes(PAGE) if damage == "zeros" else Random(1).randbytes(PAGE)
    body = bytes(last.size - PAGE) if is_body_empty else history.files[last.name][PAGE:]
    files = history.files | {last.name: page + body}
    if not is_body_empty:
        refused(files, "no journal segment")
        return
    disk = CrashDisk.holding(FOLDER, files)
    result = recovered_on(disk)
    assert result.last_seq == last.first_seq - 1
    assert found_in(result) == history.upto(result.last_seq)
    assert last.name not in disk.files(FOLDER)


def test_a_bad_header_in_the_middle_is_never_removed() -> None:
    history = several()
    middle = history.segments[1]
    refused(history.files | {middle.name: bytes(middle.size)}, "no journal segment")


# -- single records ---------------------------------------------------------------------------------


def check_unfinished_batch() -> None:
    """What has no COMMIT is cut off, and counted."""
    history = small()
    [segment] = history.segments
    image = with_record(history.files[segment.name], history, flags=0)
    result = recovered(history.files | {segment.name: image})
    assert found_in(result) == history.written
    assert (result.records_dropped, result.bytes_dropped) == (1, 36)
    assert result.continuation.cut is not None
    assert result.continuation.segment is None


def test_a_batch_that_was_not_finished_is_cut_off() -> None:
    check_unfinished_batch()


def test_a_batch_that_was_finished_is_kept() -> None:
    history = small()
    [segment] = history.segments
    image = with_record(history.files[segment.name], history)
    assert len(found_in(recovered(history.files | {segment.name: image}))) == len(history.written) + 1


@pytest.mark.parametrize("is_synced", [True, False])
def test_a_hole_with_something_behind_it(is_synced: bool) -> None:
    """The record behind it says whether the one that is missing was on the disk."""
    history = small()
    [segment] = history.segments
    lag = 1 if is_synced else history.last_seq + 2
    image = bytearray(with_record(history.files[segment.name], history, lag=lag, seq=history.last_seq + 1))
    last = segment.records[-1]
    image[last.offset : last.offset + 8] = bytes(8)
    files = history.files | {segment.name: bytes(image)}
    if is_synced:
        refused(files, "a hole, with something behind it")
    else:
        result = recovered(files)
        assert found_in(result) == history.upto(history.batch_before(last.seq))
        assert result.records_dropped >= 1


@pytest.mark.parametrize("jump", [-1, 1, 5])
def test_a_number_that_is_not_the_next_ends_the_journal(jump: int) -> None:
    history = small()
    [segment] = history.segments
    image = with_record(history.files[segment.name], history, seq=history.last_seq + 1 + jump, lag=1 << 20)
    result = recovered(history.files | {segment.name: image})
    assert found_in(result) == history.written
    assert result.continuation.cut is not None


def journal_with_kind(kind: int) -> Files:
    """One event that is known, one record of another type, and one more event."""
    disk = CrashDisk()
    directory = JournalDirectory.create(FOLDER, disk, created_ns=0)
    journal = journal_on(directory, Continuation(), "group")
    event = encode(Timer("BTC-USD", 1, 1))
    journal.append(RecordType.TIMER_EVENT, event)
    journal.append(kind, b"what a later version knows")
    journal.append(RecordType.TIMER_EVENT, event)
    journal.step()
    journal.close()
    directory.close()
    return {name: image for name, image in disk.files(FOLDER).items() if not name.startswith(".tmp-")}


def test_an_unknown_type_stops_the_reading_unless_it_may_be_skipped() -> None:
    skipped = recovered(journal_with_kind(0x0142 | 0x80))
    assert [entry.seq for batch in skipped.batches() for entry in batch] == [1, 3]
    stopped = recovered(journal_with_kind(0x0142 & ~0x80)).batches()
    assert next(stopped)[0].seq == 1
    with pytest.raises(DamageError, match=r"record 2 .* written by a newer version"):
        next(stopped)
