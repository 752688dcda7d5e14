"""Where the master password comes from without a person: the order, the environment, files, and one line."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from credentials.run_kit import piped
from credentials.source_kit import PASSWORD, refusal, written

from engine.config import load_config
from engine.core.secret import Secret
from engine.credentials.settings import CredentialSettings
from engine.credentials.sources import (
    FILE_VARIABLE,
    PLAIN_VARIABLE,
    SYSTEMD_VARIABLE,
    PasswordSources,
    read_descriptor,
)


def read(environ: dict[str, str], descriptor: int | None = None) -> tuple[str, str] | None:
    """The password in clear, and the source's name."""
    found = PasswordSources(environ, descriptor, None).read()
    return None if found is None else (found[0].text(), found[1])


# -- the order -----------------------------------------------------------------------------------------


def test_without_any_source_there_is_no_password() -> None:
    assert read({}) is None
    assert read({FILE_VARIABLE: "", SYSTEMD_VARIABLE: "", "PATH": "/bin"}) is None


def test_the_first_source_there_is_counts(tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    written(folder / "pinnacle-master", "of systemd", 0o400)
    file = written(tmp_path / "password", "of the file")
    environ = {FILE_VARIABLE: str(file), SYSTEMD_VARIABLE: str(folder), PLAIN_VARIABLE: "plain"}
    asked: list[str] = []

    def ask() -> Secret:
        asked.append("keyring")
        return Secret("of the keyring")

    def found(descriptor: int | None = None) -> tuple[str, str]:
        answer = PasswordSources(dict(environ), descriptor, ask).read()
        assert answer is not None
        return answer[0].text(), answer[1]

    descriptor = piped("of the descriptor")
    assert found(descriptor) == ("of the descriptor", f"--password-fd {descriptor}")
    assert found() == ("of the file", "PINNACLE_MASTER_PASSWORD_FILE")
    del environ[FILE_VARIABLE]
    assert found() == ("of systemd", "systemd (pinnacle-master)")
    assert not asked
    del environ[SYSTEMD_VARIABLE]
    assert found() == ("of the keyring", "the system's keyring")
    assert asked == ["keyring"]


def test_where_the_first_source_fails_no_other_one_is_tried(tmp_path: Path) -> None:
    environ = {FILE_VARIABLE: str(tmp_path / "none"), PLAIN_VARIABLE: PASSWORD}
    said = refusal(lambda: read(environ))
    assert said == f"there is no password file {tmp_path / 'none'}"


def test_the_settings_say_whether_the_keyring_is_asked_and_for_which_vault(tmp_path: Path) -> None:
    vault = str(tmp_path / "v")
    assert PasswordSources.of(CredentialSettings(vault=vault), {}, None).keyring is None
    asked = PasswordSources.of(CredentialSettings(vault=vault, keyring=True), {}, 7)
    assert asked.descriptor == 7
    assert asked.keyring is not None


@pytest.mark.parametrize("name", [PLAIN_VARIABLE, FILE_VARIABLE])
def test_the_configuration_leaves_the_variables_alone(name: str) -> None:
    assert load_config(env={name: PASSWORD}).texts() == load_config(env={}).texts()


# -- the environment -----------------------------------------------------------------------------------


def test_a_password_in_the_environment_is_taken_out_of_it_with_a_warning() -> None:
    environ = {PLAIN_VARIABLE: PASSWORD, "HOME": "/"}
    found = read(environ)
    assert found is not None
    assert found[0] == PASSWORD
    assert "WARNING" in found[1]
    assert FILE_VARIABLE in found[1]
    assert PASSWORD not in found[1]
    assert environ == {"HOME": "/"}


def test_it_is_taken_out_where_another_source_is_better(tmp_path: Path) -> None:
    environ = {PLAIN_VARIABLE: PASSWORD, FILE_VARIABLE: str(written(tmp_path / "p", "of the file"))}
    assert read(environ) == ("of the file", FILE_VARIABLE)
    assert PLAIN_VARIABLE not in environ


def test_children_do_not_inherit_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PLAIN_VARIABLE, PASSWORD)
    monkeypatch.delenv(FILE_VARIABLE, raising=False)
    monkeypatch.delenv(SYSTEMD_VARIABLE, raising=False)
    found = PasswordSources.of(CredentialSettings(), os.environ, None).read()
    assert found is not None
    assert found[0] == Secret(PASSWORD)
    assert os.getenvb(PLAIN_VARIABLE.encode()) is None


# -- what all of them share: one line, of a bounded length ---------------------------------------------


def by_descriptor(data: bytes, folder: Path) -> Secret:
    read_end, write_end = os.pipe()
    os.write(write_end, data)
    os.close(write_end)
    return read_descriptor(read_end)


def by_file(data: bytes, folder: Path) -> Secret:
    found = PasswordSources({FILE_VARIABLE: str(written(folder / "p", data))}, None, None).read()
    assert found is not None
    return found[0]


def by_systemd(data: bytes, folder: Path) -> Secret:
    written(folder / "pinnacle-master", data, 0o400)
    found = PasswordSources({SYSTEMD_VARIABLE: str(folder)}, None, None).read()
    assert found is not None
    return found[0]


Reader = Callable[[bytes, Path], Secret]
each_source = pytest.mark.parametrize("source", [by_descriptor, by_file, by_systemd])


@each_source
@pytest.mark.parametrize(
    ("data", "password"),
    [
        (b"abc", b"abc"),
        (b"abc\n", b"abc"),
        (b"abc\r\n", b"abc"),
        (b"abc\n\n", b"abc\n"),
        (b"abc\r", b"abc\r"),
        (b" abc \n", b" abc "),
        (b"a\0\xff\n", b"a\0\xff"),
        (b"x" * 4_096, b"x" * 4_096),
    ],
    ids=lambda value: ascii(value)[:16],
)
def test_one_newline_at_the_end_is_no_part_of_it(
    source: Reader, data: bytes, password: bytes, tmp_path: Path
) -> None:
    assert source(data, tmp_path).reveal() == password


@each_source
@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n"])
def test_an_empty_password_is_refused(source: Reader, data: bytes, tmp_path: Path) -> None:
    assert "the master password is empty" in refusal(lambda: source(data, tmp_path))


@each_source
def test_what_is_too_long_is_refused(source: Reader, tmp_path: Path) -> None:
    said = refusal(lambda: source(b"x" * 4_097, tmp_path))
    assert "holds more than a password may have" in said or "is larger than any" in said
    assert "xx" not in said


def test_an_empty_variable_is_refused() -> None:
    assert "the master password is empty" in refusal(lambda: read({PLAIN_VARIABLE: ""}))


# -- a file that is named ------------------------------------------------------------------------------


def test_a_file_is_named_from_home_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    written(tmp_path / "password")
    assert read({FILE_VARIABLE: "~/password"}) == (PASSWORD, FILE_VARIABLE)
    assert "there is no password file" in refusal(lambda: read({FILE_VARIABLE: "~no-such-user/password"}))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o700])
def test_a_file_that_others_could_read_is_refused_with_what_mends_it(tmp_path: Path, mode: int) -> None:
    path = written(tmp_path / "password", mode=mode)
    assert f"run: chmod 600 {path}" in refusal(lambda: read({FILE_VARIABLE: str(path)}))
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_link_or_a_pipe_is_no_password_file(tmp_path: Path) -> None:
    link, fifo = tmp_path / "link", tmp_path / "fifo"
    link.symlink_to(written(tmp_path / "password"))
    os.mkfifo(fifo, 0o600)
    assert "is a symbolic link" in refusal(lambda: read({FILE_VARIABLE: str(link)}))
    assert "is not a regular file" in refusal(lambda: read({FILE_VARIABLE: str(fifo)}))
