"""Who else could touch it: modes, owners, links and kinds, each refused with the command that mends it."""

from __future__ import annotations

import os
import shlex
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from credentials import vault_kit as kit

from engine.core.errors import CredentialError
from engine.core.private_file import (
    PrivateFileError,
    PrivateFileMissing,
    make_private_folder,
    read_private,
    require_private_folder,
    write_private_atomic,
)
from engine.credentials.vault_file import read_vault, saving
from engine.credentials.vault_format import MOST_BYTES


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A vault in order; its name needs quotes in a shell."""
    path = tmp_path / "my keys" / "credentials.vault"
    kit.make(path).save()
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def refusal(path: Path) -> str:
    """What is said about the vault; the program itself mends nothing."""
    before = [(found.name, found.lstat()) for found in (path.parent, *path.parent.iterdir())]
    with pytest.raises(PrivateFileError) as refused:
        read_vault(path)
    with pytest.raises(PrivateFileError):
        kit.reopen(path)
    assert refused.value.exit_code == 4
    assert refused.value.__cause__ is None
    after = [(found.name, found.lstat()) for found in (path.parent, *path.parent.iterdir())]
    assert [(name, found.st_mode, found.st_mtime_ns) for name, found in before] == [
        (name, found.st_mode, found.st_mtime_ns) for name, found in after
    ]
    return str(refused.value)


def test_a_vault_in_order_is_read(path: Path) -> None:
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert read_vault(path).startswith(b"PNCLCRED")
    path.chmod(0o400)
    path.parent.chmod(0o500)
    assert read_vault(path).startswith(b"PNCLCRED")
    path.parent.chmod(0o700)


@pytest.mark.parametrize(
    "bits", [0o640, 0o604, 0o660, 0o606, 0o644, 0o666, 0o620, 0o602, 0o610, 0o601, 0o440, 0o777, 0o4640]
)
def test_a_file_that_others_may_touch_is_refused(path: Path, bits: int) -> None:
    path.chmod(bits)
    assert f"mode {bits:04o}); run: chmod 600 {shlex.quote(str(path))}" in refusal(path)


@pytest.mark.parametrize("bits", [0o700, 0o500, 0o4600, 0o2600, 0o1600])
def test_a_file_with_any_other_bit_is_refused(path: Path, bits: int) -> None:
    path.chmod(bits)
    assert f"has mode {bits:04o} where 0600 belongs; run: chmod 600 {shlex.quote(str(path))}" in refusal(path)


@pytest.mark.parametrize("bits", [0o750, 0o705, 0o770, 0o707, 0o755, 0o777, 0o710, 0o701, 0o1777, 0o2750])
def test_a_folder_that_is_open_to_others_is_refused(path: Path, bits: int) -> None:
    path.parent.chmod(bits)
    assert f"mode {bits:04o}); run: chmod 700 {shlex.quote(str(path.parent))}" in refusal(path)
    with pytest.raises(PrivateFileError, match="chmod 700"), saving(path):
        pass


@pytest.mark.parametrize(("whose", "named"), [("file", "the vault"), ("folder", "the folder")])
def test_what_belongs_to_another_user_is_refused(
    path: Path, whose: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = os.geteuid()
    foreign = path if whose == "file" else path.parent
    plain = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        found = plain(descriptor)
        if found.st_ino != foreign.lstat().st_ino:
            return found
        return os.stat_result([*found[:4], ours + 1, *found[5:10]])

    monkeypatch.setattr(os, "fstat", fstat)
    with pytest.raises(PrivateFileError) as refused:
        read_vault(path)
    assert str(refused.value).startswith(named)
    assert f"belongs to another user; run: sudo chown {ours} {shlex.quote(str(foreign))}" in str(
        refused.value
    )


@pytest.mark.parametrize("folder", ["/", "/tmp"])
def test_nobody_is_told_to_close_a_folder_of_the_system(folder: str) -> None:
    said = refusal(Path(folder) / "no.vault")
    assert "the system's: keep the vault in a folder of your own" in said
    assert "run:" not in said


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def _linked_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))
    path.parent.symlink_to("elsewhere")


def _file_for_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))
    path.parent.touch(0o600)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir(0o700)


KINDS: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "symbolic link": (_link, "is a symbolic link", "readlink -f {path}"),
    "dangling link": (_dangling, "is a symbolic link", "readlink -f {path}"),
    "pipe": (_pipe, "is not a regular file", "ls -ld {path}"),
    "folder": (_folder, "is not a regular file", "ls -ld {path}"),
}


@pytest.mark.parametrize(("make", "words", "command"), KINDS.values(), ids=KINDS.keys())
def test_what_is_no_regular_file_is_refused(
    path: Path, make: Callable[[Path], None], words: str, command: str
) -> None:
    make(path)
    said = refusal(path)
    assert words in said
    assert said.endswith(command.format(path=shlex.quote(str(path))))


@pytest.mark.parametrize("make", [_linked_folder, _file_for_folder])
def test_what_is_no_folder_is_refused(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    with pytest.raises(PrivateFileError, match="is no folder or a symbolic link to one") as refused:
        read_vault(path)
    assert str(refused.value).endswith(f"readlink -f {shlex.quote(str(path.parent))}")
    with pytest.raises(PrivateFileError), saving(path):
        pass


def test_a_socket_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.unlink()
    monkeypatch.chdir(path.parent)  # the name of a socket has little room
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(path.name)
        path.chmod(0o600)
        assert "is not a regular file" in refusal(path)


def test_a_device_is_refused() -> None:
    with pytest.raises(PrivateFileError, match="/dev/null is not a regular file"):
        read_private(Path("/dev/null"), "the vault", MOST_BYTES)


def test_a_missing_file_or_folder_is_told_apart_from_a_refused_one(path: Path) -> None:
    path.unlink()
    with pytest.raises(PrivateFileMissing, match=f"there is no vault {path}"):
        read_vault(path)
    with pytest.raises(PrivateFileMissing, match="there is no folder"):
        read_vault(path.parent / "none" / path.name)


def test_a_file_below_a_file_is_refused(path: Path) -> None:
    with pytest.raises(PrivateFileError, match="cannot be read: Not a directory"):
        read_private(path / "deeper", "the key file", 10)


def test_one_byte_too_many_is_refused_and_an_empty_file_is_read(path: Path) -> None:
    path.write_bytes(bytes(MOST_BYTES))
    assert read_vault(path) == bytes(MOST_BYTES)
    path.write_bytes(bytes(MOST_BYTES + 1))
    assert "is larger than any vault; name the right one" in refusal(path)
    path.write_bytes(b"")
    assert read_vault(path) == b""
    with pytest.raises(CredentialError, match="is no vault"):
        kit.reopen(path)


def test_a_file_that_grows_while_it_is_read_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = os.fstat
    monkeypatch.setattr(
        os, "fstat", lambda descriptor: os.stat_result([*(found := plain(descriptor))[:6], 3, *found[7:10]])
    )
    with pytest.raises(PrivateFileError, match="larger than any key file"):
        read_private(path, "the key file", 3)


def test_a_name_that_steers_a_terminal_does_not_reach_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(PrivateFileMissing) as refused:
        read_vault(tmp_path / "\x1b]0;owned\x07keys\u202e")
    assert str(refused.value) == f"there is no vault {tmp_path}/keys"


# -- making and writing ----------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [0, 0o022, 0o077])
def test_modes_are_given_at_creation_whatever_the_mask_is(tmp_path: Path, mask: int) -> None:
    path = tmp_path / "folder" / "credentials.vault"
    before = os.umask(mask)
    try:
        vault = kit.make(path)
        vault.save()
        vault.save()
    finally:
        os.umask(before)
    assert mode(path.parent) == 0o700
    assert {found.name: mode(found) for found in path.parent.iterdir()} == {
        "credentials.vault": 0o600,
        "credentials.vault.bak": 0o600,
        "credentials.vault.lock": 0o600,
    }


def test_a_folder_that_cannot_be_made_is_told(path: Path) -> None:
    with pytest.raises(PrivateFileError, match=r"cannot be made for the vault: Not a directory"):
        make_private_folder(path / "folder", "the vault")
    make_private_folder(path.parent, "the vault")
    require_private_folder(path.parent, "the vault")


def test_links_with_the_names_that_a_save_uses_lead_nowhere(path: Path, tmp_path: Path) -> None:
    bystander = tmp_path / "bystander"
    bystander.write_text("untouched")
    backup = path.with_name(path.name + ".bak")
    backup.symlink_to(bystander)
    kit.reopen(path).save()
    assert not backup.is_symlink()
    lock = path.with_name(path.name + ".lock")
    lock.unlink()
    lock.symlink_to(bystander)
    with pytest.raises(PrivateFileError, match=r"its lock .* cannot be taken"):
        kit.reopen(path).save()
    assert bystander.read_text() == "untouched"


def test_only_our_own_leftovers_are_removed(path: Path) -> None:
    ours = [f"{path.name}.tmp-{'0' * 16}", f"{path.name}.bak.tmp-{'f' * 16}"]
    others = [f"{path.name}.tmp-", f"{path.name}.tmp-{'0' * 15}", f"other.tmp-{'0' * 16}", "config.toml"]
    for name in (*ours, *others):
        path.with_name(name).touch()
    kit.reopen(path).save()
    assert {found.name for found in path.parent.iterdir()} == {
        path.name,
        f"{path.name}.bak",
        f"{path.name}.lock",
        *others,
    }


def test_a_verification_that_fails_replaces_nothing(path: Path) -> None:
    before = {found.name: found.read_bytes() for found in path.parent.iterdir()}
    read_back: list[bytes] = []

    def verify(data: bytearray) -> None:
        read_back.append(bytes(data))
        raise PrivateFileError("it is not what was written")

    with pytest.raises(PrivateFileError, match="it is not what was written"):
        write_private_atomic(path, b"new", "the vault", verify=verify)
    assert read_back == [b"new"]
    assert {found.name: found.read_bytes() for found in path.parent.iterdir()} == before


def test_a_second_program_that_saves_is_refused_at_once(path: Path) -> None:
    vault = kit.reopen(path)
    with saving(path), pytest.raises(PrivateFileError, match="saved by another program, nothing was changed"):
        vault.save()
    vault.save()


def test_every_folder_that_is_made_is_private_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_private_folder(tmp_path / "one" / "two" / "three", "the vault")
    finally:
        os.umask(before)
    made = [tmp_path / "one", tmp_path / "one" / "two", tmp_path / "one" / "two" / "three"]
    assert [folder.stat().st_mode & 0o777 for folder in made] == [0o700] * 3
