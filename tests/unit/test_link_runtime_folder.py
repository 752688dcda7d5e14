"""The runtime folder: names, locks, sockets, and what is refused for whose sake."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from engine.core.errors import UsageError
from engine.link.runtime_folder import claim, default_folder, resolve, running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path / "pinnacle-tui"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_a_claim_binds_a_socket_for_this_user_alone(folder):
    before = os.umask(0)
    try:
        with claim(folder, "sim-btc-usd") as mine:
            assert mine.name == "sim-btc-usd"
            assert mine.path == folder / "sim-btc-usd.sock"
            assert mine.socket.getsockname() == str(mine.path)
            assert not mine.socket.getblocking()
            assert [mode(path) for path in (folder, mine.path, folder / "sim-btc-usd.lock")] == [
                0o700,
                0o600,
                0o600,
            ]
            assert not os.get_inheritable(mine.socket.fileno())
    finally:
        os.umask(before)
    assert not mine.path.exists()
    mine.release()


def test_the_second_claim_of_a_name_gets_the_next_one(folder):
    with claim(folder, "sim") as first, claim(folder, "sim") as second, claim(folder, "sim") as third:
        assert [c.name for c in (first, second, third)] == ["sim", "sim-2", "sim-3"]
        second.release()
        with claim(folder, "sim") as again:
            assert again.name == "sim-2"
        assert running(folder) == ["sim", "sim-3"]
    assert running(folder) == []


def test_a_socket_that_a_killed_engine_left_is_replaced(folder):
    folder.mkdir(0o700)
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(folder / "sim.sock"))
    stale.close()
    (folder / "sim.lock").touch(0o600)
    assert running(folder) == []
    with claim(folder, "sim") as mine:
        assert mine.name == "sim"
        mine.socket.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(mine.path))


def test_a_socket_in_use_is_left_alone_by_the_next_claim(folder):
    with claim(folder, "sim") as mine:
        mine.socket.listen()
        inode = mine.path.lstat().st_ino
        with claim(folder, "sim"):
            assert mine.path.lstat().st_ino == inode


def test_a_failed_claim_holds_nothing(folder):
    folder.mkdir(0o700)
    (folder / "sim.sock").write_text("precious")
    with pytest.raises(UsageError, match=r"sim\.sock is no socket; it was left as it is"):
        claim(folder, "sim")
    assert (folder / "sim.sock").read_text() == "precious"
    (folder / "sim.sock").unlink()
    with claim(folder, "sim") as mine:
        assert mine.name == "sim"


@pytest.mark.parametrize("name", ["sim.sock", "sim.lock"])
def test_symbolic_links_are_refused(folder, name, tmp_path):
    folder.mkdir(0o700)
    target = tmp_path / "target"
    (folder / name).symlink_to(target)
    with pytest.raises(
        UsageError, match=r"it was left as it is\. If nothing of yours needs it: rm .*" + name
    ):
        claim(folder, "sim")
    assert not target.exists()
    assert (folder / name).is_symlink()


def test_a_lock_that_is_a_pipe_is_refused_without_waiting(folder):
    folder.mkdir(0o700)
    os.mkfifo(folder / "sim.lock")
    with pytest.raises(UsageError, match="no lock file of this user"):
        claim(folder, "sim")


def test_a_folder_that_is_open_to_others_is_refused_with_the_way_to_mend_it(folder):
    folder.mkdir()
    folder.chmod(0o750)
    for refused in (lambda: claim(folder, "sim"), lambda: running(folder), lambda: resolve(folder, None)):
        with pytest.raises(UsageError, match=rf"mode 0750.*Mend it with: chmod 700 {folder}$"):
            refused()
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_a_symbolic_link_is_refused(folder, tmp_path):
    (tmp_path / "real").mkdir(0o700)
    folder.symlink_to(tmp_path / "real")
    with pytest.raises(UsageError, match="symbolic link will not do"):
        claim(folder, "sim")


def test_a_folder_of_somebody_else_is_refused(folder, monkeypatch):
    folder.mkdir(0o700)
    ours = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: ours + 1)
    with pytest.raises(UsageError, match=rf"belongs to uid {ours}.*sudo chown {ours + 1} {folder}"):
        claim(folder, "sim")


def test_a_parent_in_which_others_can_rename_is_refused_unless_it_is_sticky(folder, tmp_path):
    tmp_path.chmod(0o777)
    with pytest.raises(UsageError, match=r"can be replaced by other users.*mode 0777"):
        claim(folder, "sim")
    tmp_path.chmod(0o1777)
    claim(folder, "sim").release()


def test_a_folder_that_cannot_be_made_is_said(folder, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be made: Not a directory"):
        claim(tmp_path / "file" / "deep" / "folder", "sim")


def test_a_path_longer_than_a_socket_takes_is_refused_with_its_length(folder):
    room = 107 - len(f"{folder}/.sock")
    if room < 1 or room > 62:
        folder = folder / ("x" * (room - 21))
        folder.parent.mkdir(0o700)
        room = 20
    with claim(folder, "x" * room) as longest:
        assert len(str(longest.path)) == 107
    with pytest.raises(UsageError, match="has 108 bytes, a Unix socket takes 107"):
        claim(folder, "x" * (room + 1))


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "Sim", "a b", "x" * 65, "a\n"])
def test_a_name_that_is_none_is_refused(folder, name):
    with pytest.raises(UsageError, match="cannot name a session"):
        claim(folder, name)
    assert not folder.exists()


def test_the_session_that_was_meant_is_found_or_asked_for(folder):
    with pytest.raises(UsageError, match=rf"no engine runs \(looked in {folder}\); start one with"):
        resolve(folder, None)
    with pytest.raises(UsageError, match="no engine named sim runs"):
        resolve(folder, "sim")
    with claim(folder, "sim-btc-usd") as btc:
        assert resolve(folder, None) == btc.path
        assert resolve(folder, "sim-btc-usd") == btc.path
        with claim(folder, "paper-eth-usd") as eth:
            assert resolve(folder, "paper-eth-usd") == eth.path
            with pytest.raises(
                UsageError, match="2 engines run; name the one you mean: paper-eth-usd, sim-btc-usd"
            ):
                resolve(folder, None)
            with pytest.raises(
                UsageError, match=r"sim-btc-us runs; did you mean sim-btc-usd\? Running: paper"
            ):
                resolve(folder, "sim-btc-us")
            with pytest.raises(UsageError, match=r"zzz runs; name one that runs"):
                resolve(folder, "zzz")


def test_looking_for_engines_makes_nothing(folder):
    assert running(folder) == []
    assert not folder.exists()


def test_the_usual_folder_is_that_of_the_platform(monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/4711")
    assert default_folder() == Path("/run/user/4711/pinnacle-tui")
