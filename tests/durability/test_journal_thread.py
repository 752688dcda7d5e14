"""The journal beside its own thread: nothing is lost between the two, and nobody waits for ever."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from durability.faulty_disk import FaultyDisk
from durability.journal_kit import DEADLINE_S, SMALL, Heard, journal_at
from durability.naive_journal import SEAL, read_batches, read_records, read_segments

MODES = ["none", "interval", "group", "every"]
HOUR_NS = 3_600_000_000_000


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless")
@pytest.mark.parametrize("mode", MODES)
def test_appending_beside_the_thread_loses_nothing(tmp_path: Path, mode: str) -> None:
    path = f"{tmp_path}/j"
    heard = Heard()
    given = [[(14, b"%d" % n * (n % 60 + 1)), (15, b"t")][: n % 2 + 1] for n in range(6_000)]
    with journal_at(path, mode, heard, is_threaded=True) as journal:
        waited = before = 0
        for batch in given:
            number = journal.append_batch(batch)
            acked, durable = journal.acked_seq, journal.durable_seq
            assert before <= acked <= number
            assert durable <= journal.acked_seq
            waited += acked < number
            before = acked
            if number % 100 < 2:  # the disk is not left behind for good
                journal.wait_durable(number - 50, DEADLINE_S)
        journal.finish()
    assert waited > 0
    assert list(read_batches(path)) == given
    assert heard.acked == sorted(set(heard.acked))
    assert not heard.failures
    assert heard.threads == {"journal-sync"}
    assert len(read_segments(path)) >= 10
    watermarks = [record.watermark for record in read_records(path)]
    assert watermarks == sorted(watermarks)
    assert len(set(watermarks)) >= 10


@pytest.mark.usefixtures("restless")
@pytest.mark.parametrize("mode", MODES)
def test_what_is_acknowledged_can_be_read_by_others_at_that_moment(tmp_path: Path, mode: str) -> None:
    """A file that is in place has it: what a killed process leaves."""
    path = f"{tmp_path}/j"
    looked = set()
    with journal_at(path, mode, is_threaded=True) as journal:
        for n in range(3_000):
            journal.append(14, b"%d" % n * 30)
            if n % 150 == 100:
                journal.wait_durable(journal.last_seq - 20, DEADLINE_S)
            if n % 50 == 0 and (acked := journal.acked_seq):
                looked.add(acked)
                assert acked in numbers_in(path)
    assert len(looked) >= 20
    assert len(read_segments(path)) >= 5


def numbers_in(path: str) -> set[int]:
    """The numbers of the records in the files that are in place, read while they grow."""
    found: set[int] = set()
    for name in os.listdir(path):
        if not name[0].isdigit():
            continue
        content = Path(path, name).read_bytes()
        at = 4096
        while length := int.from_bytes(content[at : at + 4], "little"):
            found.add(int.from_bytes(content[at + 8 : at + 16], "little"))
            at += -(-(32 + length) // 8) * 8
    return found


def test_interval_syncs_by_itself(tmp_path: Path) -> None:
    disk = FaultyDisk()
    synced = threading.Event()
    with journal_at(
        f"{tmp_path}/j", "interval", disk=disk, interval_ns=2_000_000, is_threaded=True
    ) as journal:
        journal.append(14, b"x")
        journal.wait_durable(1, DEADLINE_S)
        disk.before = lambda call: synced.set() if call == "fdatasync" else None
        journal.append(14, b"y")
        assert synced.wait(DEADLINE_S)


@pytest.mark.parametrize("mode", MODES)
def test_whoever_waits_is_served_whatever_the_mode(tmp_path: Path, mode: str) -> None:
    with journal_at(f"{tmp_path}/j", mode, interval_ns=HOUR_NS, is_threaded=True) as journal:
        for _ in range(5):
            last = [journal.append(14, b"x") for _ in range(3)][-1]
            journal.wait_durable(last - 1, DEADLINE_S)
            assert journal.durable_seq >= last - 1
            journal.wait_durable(last, DEADLINE_S)
            assert journal.durable_seq == journal.acked_seq == last


@pytest.mark.parametrize("mode", ["group", "every"])
def test_an_append_is_put_on_the_disk_without_being_asked_for(tmp_path: Path, mode: str) -> None:
    heard = Heard()
    with journal_at(f"{tmp_path}/j", mode, heard, is_threaded=True) as journal:
        for number in range(1, 6):
            journal.append(14, b"x")
            while journal.acked_seq < number:
                assert heard.news.wait(DEADLINE_S)
                heard.news.clear()
    assert heard.acked == [1, 2, 3, 4, 5]


def test_one_sync_serves_all_that_came_while_the_last_one_ran(tmp_path: Path) -> None:
    disk = FaultyDisk()
    heard = Heard()
    running, go = threading.Event(), threading.Event()
    with journal_at(f"{tmp_path}/j", "group", heard, disk=disk, is_threaded=True) as journal:
        journal.append(14, b"x")
        journal.wait_durable(1, DEADLINE_S)

        def hold(call: str) -> None:
            if call == "fdatasync":
                running.set()
                assert go.wait(DEADLINE_S)

        disk.before = hold
        journal.append(14, b"x")
        assert running.wait(DEADLINE_S)
        for _ in range(50):
            journal.append(14, b"x")
        assert journal.acked_seq == 1, "nothing is acknowledged while the disk works"
        go.set()
        journal.wait_durable(52, DEADLINE_S)
        assert disk.counts["fdatasync"] == 2
        assert heard.acked == [1, 2, 52]


def test_appending_goes_on_while_a_rotation_is_stuck(tmp_path: Path) -> None:
    """The loop never waits for the disk; what it appends is not acknowledged, and has its order."""
    path = f"{tmp_path}/j"
    disk = FaultyDisk()
    stuck, go = threading.Event(), threading.Event()
    with journal_at(path, "interval", disk=disk, is_threaded=True) as journal:
        journal.append(14, b"0")
        journal.wait_durable(1, DEADLINE_S)

        def hold(call: str) -> None:
            if call == "rename":
                stuck.set()
                assert go.wait(DEADLINE_S)

        disk.before = hold
        for count in range(1, SMALL // 100):  # more than a file has room for, and not without end
            journal.append(14, b"%d" % count * 100)
        count += 1
        assert stuck.wait(DEADLINE_S)
        acked = journal.acked_seq
        for _ in range(2_000):
            journal.append(14, b"%d" % count * 100)
            count += 1
        assert journal.acked_seq == acked < journal.last_seq - 2_000
        go.set()
        journal.wait_durable(journal.last_seq, DEADLINE_S)
        assert journal.acked_seq == journal.last_seq
    payloads = [record.payload for record in read_records(path) if record.kind != SEAL]
    assert payloads == [b"0", *(b"%d" % n * 100 for n in range(1, count))]


def test_the_thread_is_gone_after_the_end(tmp_path: Path) -> None:
    with journal_at(f"{tmp_path}/j", "interval", is_threaded=True) as journal:
        assert "journal-sync" in {thread.name for thread in threading.enumerate()}
        journal.append(14, b"x")
        journal.finish()
        assert "journal-sync" not in {thread.name for thread in threading.enumerate()}
