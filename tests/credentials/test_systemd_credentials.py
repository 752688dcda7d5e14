"""The password that systemd leaves for a service, in the folder and with the modes that it gives."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from credentials.source_kit import PASSWORD, refusal, written

from engine.credentials import sources
from engine.credentials.sources import SYSTEMD_VARIABLE, PasswordSources

NOBODY = 65_534


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[Path]:
    """The folder of a service's credentials, as systemd makes it."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    written(folder / "pinnacle-master", PASSWORD, 0o400)
    folder.chmod(0o500)
    yield folder
    folder.chmod(0o700)


def systemd(folder: Path) -> tuple[str, str] | None:
    """The password in clear, and the source's name."""
    found = PasswordSources({SYSTEMD_VARIABLE: str(folder)}, None, None).read()
    return None if found is None else (found[0].text(), found[1])


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o440])
def test_a_credential_of_the_service_is_read(unit: Path, mode: int) -> None:
    # 0440 is what an access list for the service's user looks like.
    (unit / "pinnacle-master").chmod(mode)
    assert systemd(unit) == (PASSWORD, "systemd (pinnacle-master)")


@pytest.mark.parametrize("mode", [0o404, 0o444, 0o460, 0o420, 0o402, 0o401, 0o777])
def test_a_credential_that_is_open_to_others_is_refused(unit: Path, mode: int) -> None:
    (unit / "pinnacle-master").chmod(mode)
    said = refusal(lambda: systemd(unit))
    assert f"is open to others (mode {mode:04o}); use LoadCredential= in the unit of the service" in said


def test_a_credential_belongs_to_this_user_or_to_root(unit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = (unit / "pinnacle-master").stat().st_uid

    class Status:
        st_mode = stat.S_IFREG | 0o400
        st_uid = owner

    monkeypatch.setattr(sources.os, "fstat", lambda descriptor: Status)
    monkeypatch.setattr(sources.os, "geteuid", lambda: 1_000)
    Status.st_uid = 1_000
    assert systemd(unit) is not None
    Status.st_uid = 0
    assert systemd(unit) is not None
    Status.st_uid = NOBODY
    assert "is no file of this service" in refusal(lambda: systemd(unit))


def test_what_systemd_left_for_something_else_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("of another program")
    assert systemd(tmp_path) is None
    assert systemd(tmp_path / "gone") is None
    assert systemd(tmp_path / "other") is None


def test_a_link_a_pipe_and_a_folder_are_no_credentials(tmp_path: Path) -> None:
    path = tmp_path / "pinnacle-master"
    path.symlink_to(written(tmp_path / "elsewhere"))
    assert "cannot be read: Too many levels of symbolic links" in refusal(lambda: systemd(tmp_path))
    path.unlink()
    os.mkfifo(path, 0o400)
    assert "is no file of this service" in refusal(lambda: systemd(tmp_path))
    path.unlink()
    path.mkdir()
    assert "is no file of this service" in refusal(lambda: systemd(tmp_path))


def test_a_credential_that_may_not_be_read_is_told(unit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, flags: int) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(sources.os, "open", refuse)
    assert "cannot be read: Permission denied; use LoadCredential=" in refusal(lambda: systemd(unit))
