"""Whose directory it is, what may stand in it, and what it says when it cannot be used."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from durability.faulty_disk import FaultyDisk
from durability.journal_kit import WALL_NS

from engine.core.errors import UsageError
from engine.persistence.directory import JournalDirectory, read_meta
from engine.persistence.errors import DamageError, JournalError


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A journal that nobody uses."""
    JournalDirectory.create(f"{tmp_path}/j", created_ns=WALL_NS).close()
    return f"{tmp_path}/j"


def opened(path: str) -> None:
    JournalDirectory.open(path).close()


def read(path: str) -> None:
    read_meta(path)


each_way_in = pytest.mark.parametrize("enter", [opened, read])
Enter = Callable[[str], None]


def test_a_new_directory_is_ours_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        directory = JournalDirectory.create(f"{tmp_path}/j/", created_ns=WALL_NS)
    finally:
        os.umask(before)
    assert directory.path == f"{tmp_path}/j"
    assert stat.S_IMODE(os.stat(directory.path).st_mode) == 0o700
    assert {
        name: stat.S_IMODE(os.stat(f"{directory.path}/{name}").st_mode) for name in os.listdir(directory.path)
    } == {
        "LOCK": 0o600,
        "META.json": 0o600,
    }
    meta = json.loads(Path(directory.path, "META.json").read_bytes())
    assert meta == {"format": 1, "uuid": directory.uuid.hex(), "created_ns": WALL_NS}
    assert len(directory.uuid) == 16
    assert directory.warnings == []
    directory.close()
    again = JournalDirectory.open(directory.path)
    assert again.uuid == directory.uuid == bytes.fromhex(read_meta(directory.path).uuid)
    again.close()


def test_a_folder_that_is_there_may_become_a_journal(tmp_path: Path) -> None:
    path = f"{tmp_path}/j"
    os.mkdir(path, 0o700)
    Path(path, "session.json").write_text("{}")
    JournalDirectory.create(path, created_ns=WALL_NS).close()
    opened(path)


def test_a_journal_is_not_begun_twice(path: str) -> None:
    before = Path(path, "META.json").read_bytes()
    with pytest.raises(UsageError, match="holds a journal already"):
        JournalDirectory.create(path, created_ns=1)
    assert Path(path, "META.json").read_bytes() == before
    opened(path)


def test_opening_deletes_what_is_unfinished_and_nothing_else(path: str) -> None:
    for name in (".tmp-next", ".tmp-snap-1", "x.broken", "session.json", f"{1:020}.pjl", ".hidden"):
        Path(path, name).touch(0o600)
    read(path)
    assert ".tmp-next" in os.listdir(path), "reading deletes nothing"
    opened(path)
    assert sorted(os.listdir(path)) == [
        ".hidden", f"{1:020}.pjl", "LOCK", "META.json", "session.json", "x.broken",
    ]  # fmt: skip


@each_way_in
@pytest.mark.parametrize("mode", [0o755, 0o750, 0o770, 0o701, 0o500, 0o711])
def test_another_mode_is_refused_with_what_mends_it(path: str, mode: int, enter: Enter) -> None:
    os.chmod(path, mode)
    with pytest.raises(UsageError) as caught:
        enter(path)
    assert f"has mode {mode:04o}" in str(caught.value)
    assert f"`chmod 700 {path}`" in str(caught.value)
    assert caught.value.exit_code == 2
    os.chmod(path, 0o700)
    enter(path)


class Foreign(FaultyDisk):
    """Shows one path as another user's."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def lstat(self, path: str) -> os.stat_result:
        status = os.lstat(path)
        if path != self.path:
            return status
        fields = list(status)
        fields[stat.ST_UID] += 1
        return os.stat_result(fields)


@pytest.mark.parametrize("name", ["", "/META.json", "/LOCK"])
def test_another_users_files_are_refused(path: str, name: str) -> None:
    with pytest.raises(UsageError, match=f"belongs to user {os.geteuid() + 1}.*chown") as caught:
        JournalDirectory.open(path, Foreign(path + name))
    assert caught.value.exit_code == 2
    opened(path)


@each_way_in
def test_no_directory(tmp_path: Path, enter: Enter) -> None:
    with pytest.raises(UsageError, match="there is no journal in"):
        enter(f"{tmp_path}/absent")


@each_way_in
def test_a_directory_that_is_no_journals(tmp_path: Path, enter: Enter) -> None:
    os.mkdir(tmp_path / "j", 0o700)
    with pytest.raises(UsageError, match=r"there is no journal in .*META\.json is missing"):
        enter(f"{tmp_path}/j")


@each_way_in
def test_a_link_to_a_directory_is_not_followed(path: str, enter: Enter) -> None:
    os.symlink(path, f"{path}-link")
    for name in (f"{path}-link", f"{path}-link/"):
        with pytest.raises(UsageError, match="links are not followed"):
            enter(name)


@each_way_in
def test_a_file_instead_of_a_directory(tmp_path: Path, enter: Enter) -> None:
    Path(tmp_path, "j").touch(0o700)
    with pytest.raises(UsageError, match="is no folder"):
        enter(f"{tmp_path}/j")


@pytest.mark.parametrize("name", ["META.json", "LOCK"])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_something_else_under_a_files_name_is_refused_at_once(path: str, name: str, kind: str) -> None:
    place = f"{path}/{name}"
    os.rename(place, f"{path}-kept")
    if kind == "link":
        os.symlink(f"{path}-kept", place)
    elif kind == "pipe":
        os.mkfifo(place, 0o600)
    else:
        os.mkdir(place, 0o700)
    with pytest.raises(UsageError, match=f"{name} is no regular file"):
        JournalDirectory.open(path)


@each_way_in
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"format":1,"uuid":"00","created_ns":1}',
        b'{"format":1,"uuid":"zz000000000000000000000000000000","created_ns":1}',
        b'{"format":"1","uuid":"00000000000000000000000000000000","created_ns":1}',
        b"\xff\xfe\x00",
    ],
)
def test_a_damaged_description_is_damage(path: str, content: bytes, enter: Enter) -> None:
    Path(path, "META.json").write_bytes(content)
    with pytest.raises(DamageError, match=r"META\.json is damaged.*Nothing was changed") as caught:
        enter(path)
    assert caught.value.exit_code == 6
    assert Path(path, "META.json").read_bytes() == content


@each_way_in
def test_a_newer_journal_is_not_read(path: str, enter: Enter) -> None:
    Path(path, "META.json").write_text('{"format":2,"uuid":"' + "0" * 32 + '","created_ns":1}')
    with pytest.raises(DamageError, match="format 2: written by a newer version"):
        enter(path)


def test_a_file_system_that_locks_no_folders_is_warned_of(path: str) -> None:
    class Network(FaultyDisk):
        def lock(self, descriptor: int) -> None:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            super().lock(descriptor)

    directory = JournalDirectory.open(path, Network(kind="nfs4"))
    assert len(directory.warnings) == 2
    assert "network file system (nfs4)" in " ".join(directory.warnings)
    assert "never delete LOCK" in " ".join(directory.warnings)
    directory.close()


@pytest.mark.parametrize("error", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_every_failing_call_of_opening_is_said_and_leaves_nothing_open(path: str, error: int) -> None:
    counted = FaultyDisk()
    JournalDirectory.open(path, counted).close()
    calls = len(counted.calls) - counted.counts["close"]
    assert calls >= 7
    for number in range(1, len(counted.calls) - 1):  # the last two free the locks
        disk = FaultyDisk(number, error)
        with pytest.raises(JournalError) as caught:
            JournalDirectory.open(path, disk)
        assert caught.value.exit_code == 74
        assert errno.errorcode[error] in str(caught.value)
        assert "no order was sent" in str(caught.value)
        assert not disk.open_descriptors, disk.failed_call
    opened(path)


def test_every_failing_call_of_creating_is_said_and_leaves_nothing_open(tmp_path: Path) -> None:
    counted = FaultyDisk()
    JournalDirectory.create(f"{tmp_path}/counted", counted, created_ns=WALL_NS).close()
    for number in range(1, len(counted.calls) - 1):
        disk = FaultyDisk(number, errno.ENOSPC)
        with pytest.raises(JournalError) as caught:
            JournalDirectory.create(f"{tmp_path}/{number}", disk, created_ns=WALL_NS)
        assert "ENOSPC" in str(caught.value)
        assert not disk.open_descriptors, disk.failed_call
