"""What is damaged goes to the archive as it is: every byte that is left of it is evidence."""

from __future__ import annotations

from random import Random

import pytest
from durability.crash_disk import CrashDisk
from durability.naive_journal import segment_of
from durability.recovery_kit import FOLDER, files_of
from durability.snapshot_kit import saved_session

from engine.persistence.archive import retire
from engine.persistence.directory import JournalDirectory
from engine.persistence.format import THINNED, SegmentHeader
from engine.persistence.reader import CORRUPT, JournalReader
from engine.persistence.segments import ARCHIVE
from engine.persistence.settings import MarketDataClass

THIN = pytest.mark.parametrize("kind", [MarketDataClass.THINNED, MarketDataClass.OFF])


@THIN
@pytest.mark.parametrize("place", ["header", "record", "end mark", "behind the end mark"])
def test_a_segment_that_cannot_be_read_to_its_end_is_moved_and_not_thinned(
    kind: MarketDataClass, place: str
) -> None:
    session = saved_session(Random(1))
    files = files_of(session.disk)
    session.end()
    first, second = sorted(name for name in files if name.endswith(".pjl"))[:2]
    records = segment_of(first, files[first]).records
    at = {
        "header": 50,
        "record": records[40].end - 1,
        "end mark": records[-1].end - 1,
        "behind the end mark": len(files[first]) - 1,
    }[place]
    image = bytearray(files[first])
    image[at] ^= 1
    disk = CrashDisk.holding(FOLDER, files | {first: bytes(image)})
    directory = JournalDirectory.open(FOLDER, disk)
    moved = retire(directory, 2, kind)
    directory.close()
    archived = disk.files(f"{FOLDER}/{ARCHIVE}")
    assert moved[:2] == [first, second]
    assert archived[first] == bytes(image)
    assert SegmentHeader.unpack(archived[second][:4096], second).flags & THINNED
    assert first not in disk.files(FOLDER)
    report = JournalReader(FOLDER, disk).verify()
    assert report.status == CORRUPT
    assert report.problems[0].file == f"{FOLDER}/{ARCHIVE}/{first}"
