"""The simulated disk is as cruel as a real one, and not more."""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest
from durability.crash_disk import PAGE, SECTOR, CrashDisk

CREATE = os.O_RDWR | os.O_CREAT
DRAWS = 300


def content(disk: CrashDisk, path: str) -> bytes | None:
    if os.path.basename(path) not in disk.listdir(os.path.dirname(path)):
        return None
    descriptor = disk.open(path, os.O_RDONLY)
    read = disk.pread(descriptor, disk.fstat(descriptor).st_size, 0)
    disk.close(descriptor)
    return read


def seen(disk: CrashDisk, path: str) -> Counter[bytes | None]:
    rng = random.Random(1)
    return Counter(content(disk.after_cut(rng), path) for _ in range(DRAWS))


def made(disk: CrashDisk, path: str, data: bytes, *, is_synced: bool = False) -> int:
    descriptor = disk.open(path, CREATE)
    disk.pwrite(descriptor, data, 0)
    if is_synced:
        disk.fsync(descriptor)
    return descriptor


def test_what_was_synced_with_its_name_is_there_in_every_state() -> None:
    disk = CrashDisk()
    made(disk, "/a", b"kept", is_synced=True)
    disk.sync_folder("/")
    assert seen(disk, "/a") == {b"kept": DRAWS}


def test_a_name_is_lost_without_the_folders_sync_and_content_without_the_files() -> None:
    disk = CrashDisk()
    made(disk, "/named", b"x" * 10)
    disk.sync_folder("/")
    made(disk, "/synced", b"y" * 10, is_synced=True)
    named, synced = seen(disk, "/named"), seen(disk, "/synced")
    assert named.keys() == {b"", b"x" * 10, bytes(10)}
    assert synced.keys() == {None, b"y" * 10}
    assert min(*named.values(), *synced.values()) > DRAWS // 20


def test_pages_are_old_new_or_between_and_torn_at_sectors() -> None:
    disk = CrashDisk()
    descriptor = made(disk, "/a", bytes(2 * PAGE), is_synced=True)
    disk.sync_folder("/")
    mapping = disk.map(descriptor, 2 * PAGE)
    for version in (b"1", b"2"):
        mapping[:] = version * 2 * PAGE
        disk.note()
    states = seen(disk, "/a")
    whole = {(left, right) for left in (0, 49, 50) for right in (0, 49, 50)}
    pages = {(s[0], s[PAGE]) for s in states if s == bytes([s[0]]) * PAGE + bytes([s[PAGE]]) * PAGE}
    assert pages == whole
    torn = [s for s in states if len(set(s[:PAGE])) > 1]
    assert len(torn) > 20
    for state in torn:
        assert all(len(set(state[at : at + SECTOR])) == 1 for at in range(0, 2 * PAGE, SECTOR))


def test_a_rename_without_fsync_may_leave_an_empty_file_and_never_half_a_name() -> None:
    disk = CrashDisk()
    made(disk, "/a", b"old", is_synced=True)
    disk.sync_folder("/")
    made(disk, "/b", b"new")
    disk.rename("/b", "/a")
    states = seen(disk, "/a")
    assert states.keys() == {b"old", b"new", b"", bytes(3)}
    disk.sync_folder("/")
    assert b"old" not in seen(disk, "/a")


def test_an_unlink_comes_back_until_the_folder_is_synced() -> None:
    disk = CrashDisk()
    made(disk, "/a", b"old", is_synced=True)
    disk.sync_folder("/")
    disk.unlink("/a")
    assert seen(disk, "/a").keys() == {None, b"old"}
    disk.sync_folder("/")
    assert seen(disk, "/a").keys() == {None}


def test_a_new_folder_is_lost_with_all_it_holds_until_its_own_name_is_durable() -> None:
    disk = CrashDisk()
    disk.mkdir("/d")
    made(disk, "/d/a", b"x", is_synced=True)
    disk.sync_folder("/d")
    rng = random.Random(1)
    states = {tuple(disk.after_cut(rng).listdir("/")) for _ in range(DRAWS)}
    assert states == {(), ("d",)}
    disk.sync_folder("/")
    assert seen(disk, "/d/a") == {b"x": DRAWS}


def test_a_sync_covers_what_stood_at_its_start_and_only_once_it_ended() -> None:
    disk = CrashDisk()
    descriptor = made(disk, "/a", b"1", is_synced=True)
    disk.sync_folder("/")
    disk.pwrite(descriptor, b"2", 0)
    during: list[set[bytes | None]] = []

    def write_too(call: str, path: str) -> None:
        if call == "syncing":
            disk.watch = lambda call, path: None
            during.append(set(seen(disk, "/a")))
            disk.pwrite(descriptor, b"3", 0)

    disk.watch = write_too
    disk.fdatasync(descriptor)
    assert during == [{b"1", b"2"}]
    assert seen(disk, "/a").keys() == {b"2", b"3"}


def test_a_mapping_is_given_back_without_views_alone() -> None:
    disk = CrashDisk()
    descriptor = disk.open("/a", CREATE)
    disk.allocate(descriptor, PAGE)
    mapping = disk.map(descriptor, PAGE)
    words = memoryview(mapping).cast("Q")
    with pytest.raises(BufferError):
        disk.unmap(mapping)
    words[1] = 7
    words.release()
    disk.unmap(mapping)
    assert disk.pread(descriptor, 16, 0) == bytes(8) + b"\7" + bytes(7)


def test_a_killed_process_loses_nothing_that_was_stored() -> None:
    disk = CrashDisk()
    descriptor = disk.open("/a", CREATE)
    disk.allocate(descriptor, PAGE)
    disk.map(descriptor, PAGE)[:4] = b"here"
    assert content(disk.after_kill(), "/a") == b"here".ljust(PAGE, b"\0")
