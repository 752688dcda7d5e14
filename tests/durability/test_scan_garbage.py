"""Any bytes at all in the place of a segment or a snapshot: an error that says so, or a beginning of what was
recorded; never anything else, and never for ever."""

from __future__ import annotations

import struct
import time
from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from durability.crash_disk import CrashDisk
from durability.journal_kit import SMALL
from durability.recovery_kit import FOLDER, Files, History, found_in, recovered_on, written_journal
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import PinnacleError
from engine.persistence import snapshots
from engine.persistence.errors import DamageError
from engine.persistence.format import HEADER_BYTES, MOST_PAYLOAD, SegmentHeader, record_bytes
from engine.persistence.reader import CLEAN, CORRUPT, TORN, JournalReader
from engine.persistence.scanner import look_on, records_of, scan

PAGE = 4096
CASES = 900
HISTORY = written_journal(Random(11), 60, "interval", sync_share=0.1)
[NAME] = [segment.name for segment in HISTORY.segments]
IMAGE = HISTORY.files[NAME]
HEADER = SegmentHeader.unpack(IMAGE[:PAGE], NAME)
USED = HISTORY.segments[0].records[-1].end


def judged(files: Files, history: History | None = HISTORY) -> str:
    """What recovery and reader make of the files, and that they agree; `history` is what may be found."""
    disk = CrashDisk.holding(FOLDER, files)
    outcomes = []
    try:
        outcomes.append([tuple(record) for record in JournalReader(FOLDER, disk).records()])
    except PinnacleError:
        outcomes.append(None)
    report = JournalReader(FOLDER, disk).verify(is_deep=True)
    assert report.status in (CLEAN, TORN, CORRUPT)
    assert {**disk.files(FOLDER)} == files
    try:
        result = recovered_on(disk)
    except PinnacleError:
        assert report.status == CORRUPT
        return "refused"
    seqs = [record.seq for record in result.records()]
    assert seqs == list(range(1, len(seqs) + 1))
    if history is not None:
        end = result.last_seq - (result.continuation.cut is not None)
        assert found_in(result) == history.upto(end)
        assert [record[0] for record in outcomes[0] or ()] == list(range(1, end + 1))
    assert found_in(recovered_on(disk)) == found_in(result)
    return "cut" if result.continuation.cut is not None else "whole"


def mangled(rng: Random) -> bytes:
    """The segment with its body spoilt in one to three ways, its length as it was."""
    body = bytearray(IMAGE[PAGE:])
    used = USED - PAGE
    for _ in range(rng.choice((1, 1, 2, 3))):
        at, upto = sorted(rng.sample(range(0, used, 8), 2))
        match rng.randrange(8):
            case 0:
                body[at:upto] = rng.randbytes(upto - at)
            case 1:
                struct.pack_into(
                    "<I", body, at, rng.choice((0, 1, 7, MOST_PAYLOAD, 1 << 31, rng.getrandbits(32)))
                )
            case 2:
                del body[at:upto]
            case 3:
                body[at:at] = rng.randbytes(rng.randrange(1, 200))
            case 4:
                body[upto:upto] = body[at:upto]  # what was recorded, once more
            case 5:
                body[at:upto] = bytes(upto - at)
            case 6:
                body[at:] = rng.randbytes(len(body) - at)
            case _:
                body[at : at + 8] = body[upto : upto + 8]
    return IMAGE[:PAGE] + bytes(body[: SMALL - PAGE].ljust(SMALL - PAGE, b"\0"))


def test_spoilt_segments_give_a_prefix_or_are_refused() -> None:
    rng, counts = Random(5), Counter[str]()
    for _ in range(CASES):
        counts[judged(HISTORY.files | {NAME: mangled(rng)})] += 1
    assert counts["cut"] > CASES // 5, counts
    assert counts["refused"] > CASES // 10, counts


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(5))
def test_spoilt_segments_at_length(seed: int) -> None:
    rng = Random(f"garbage {seed}")
    counts = Counter(judged(HISTORY.files | {NAME: mangled(rng)}) for _ in range(10 * CASES))
    assert min(counts["cut"], counts["refused"]) > CASES


def test_sound_records_with_fields_that_make_no_sense() -> None:
    """Their checksums fit, so they are what somebody wrote: numbers alone decide what is read of them."""
    rng, counts = Random(6), Counter[str]()
    for _ in range(CASES // 3):
        body = bytearray()
        for seq in range(1, rng.randrange(2, 12)):
            given = rng.choice((seq, seq, seq, seq, rng.getrandbits(64)))
            kind, flags = rng.choice((1, 14, 0xFFFE, rng.getrandbits(16))), rng.choice((0, 1, 1, 3, 0xFFFF))
            lag = rng.choice((1, seq, 0, rng.getrandbits(32)))
            payload = rng.randbytes(rng.randrange(1, 60))
            body += record_bytes(HEADER.salt, HEADER.crc_kind, given, 0, kind, flags, lag, payload)
        image = (IMAGE[:PAGE] + body).ljust(SMALL, b"\0")
        counts[judged(HISTORY.files | {NAME: image}, None)] += 1
    assert min(counts[outcome] for outcome in ("whole", "cut", "refused")) > 10, counts


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=2 * PAGE), st.booleans())
def test_arbitrary_bytes_as_a_segment(data: bytes, has_header: bool) -> None:
    image = IMAGE[:PAGE] + data if has_header else data
    outcome = judged(HISTORY.files | {NAME: image})
    assert has_header or outcome == "refused" or not any(data[PAGE:])


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_arbitrary_bytes_as_a_snapshot(data: bytes, has_magic: bool) -> None:
    content = (snapshots.MAGIC if has_magic else b"") + data
    name = snapshots.snapshot_name(3)
    disk = CrashDisk.holding(FOLDER, {name: content})
    with pytest.raises(DamageError):
        snapshots.load(FOLDER, name, disk, HEADER.uuid)
    files = HISTORY.files | {name: content}
    assert judged(files) == "whole"
    [warning] = recovered_on(CrashDisk.holding(FOLDER, files)).warnings
    assert name in warning


def test_a_payload_larger_than_any_is_none() -> None:
    header = replace(HEADER, size=8 << 20)
    for length, whole in ((MOST_PAYLOAD, 1), (MOST_PAYLOAD + 1, 0)):
        record = record_bytes(header.salt, header.crc_kind, 1, 0, 14, 1, 1, b"x" * length)
        image = (header.pack() + record).ljust(header.size, b"\0")
        assert scan(image, header).committed_records == whole
        assert len(list(look_on(image, header, PAGE, 1))) == whole


@pytest.mark.parametrize("word", [20_000, 200_000, (1 << 20) - 8])
def test_what_looks_like_a_frame_at_every_step_is_judged_in_time(word: int) -> None:
    """Judged one by one, 16 MiB of it are some hundred gigabytes of checksums."""
    header = replace(HEADER, size=16 << 20)
    image = header.pack() + word.to_bytes(8, "little") * ((header.size - PAGE) // 8)
    began = time.process_time()
    assert scan(image, header).records == 0
    count = sum(1 for _ in look_on(image, header, PAGE, 1))
    assert time.process_time() - began < 15
    assert count <= header.size // word + 1


def test_behind_a_false_start_every_later_record_is_found() -> None:
    whole = scan(IMAGE, HEADER)
    wanted = [
        (record.seq, record.offset, record.payload) for record in records_of(IMAGE, HEADER, NAME, whole.end)
    ]
    for skipped in (0, 1, 17, len(wanted) - 1):
        seq, offset, _ = wanted[skipped]
        found = [(each.seq, each.offset, each.payload) for each in look_on(IMAGE, HEADER, offset, seq)]
        assert found == wanted[skipped:]
        assert found == [
            (each.seq, each.offset, each.payload) for each in look_on(IMAGE, HEADER, HEADER_BYTES, seq)
        ]
