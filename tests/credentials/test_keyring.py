"""The password out of the system's keyring, through the real package with a keyring of the test behind it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from credentials.source_kit import PASSWORD, refusal
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordSetError

from engine.credentials.settings import CredentialSettings
from engine.credentials.sources import PasswordSources, read_keyring


class Ring(KeyringBackend):
    """A keyring with what it is told to have."""

    priority = 1.0  # type: ignore[assignment]
    answer: str | Exception | None = PASSWORD

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str]] = []

    def get_password(self, service: str, username: str) -> str | None:
        self.asked.append((service, username))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def set_password(self, service: str, username: str, password: str) -> None:
        raise PasswordSetError("this one is only read")


@pytest.fixture
def ring() -> Iterator[Ring]:
    before = keyring.get_keyring()
    made = Ring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


def test_the_keyring_is_asked_for_the_vault_by_its_place(ring: Ring, tmp_path: Path) -> None:
    settings = CredentialSettings(vault=str(tmp_path / "v"), keyring=True)
    found = PasswordSources.of(settings, {}, None).read()
    assert found is not None
    assert (found[0].text(), found[1]) == (PASSWORD, "the system's keyring")
    assert ring.asked == [("pinnacle-tui", str(tmp_path / "v"))]


def test_a_keyring_without_the_password_says_how_to_store_it(ring: Ring) -> None:
    ring.answer = None
    said = refusal(lambda: read_keyring("/home/me/my keys/v"))
    assert "keyring set pinnacle-tui '/home/me/my keys/v', or switch credentials.keyring off" in said


def test_an_empty_entry_is_refused(ring: Ring) -> None:
    ring.answer = ""
    assert "the master password is empty" in refusal(lambda: read_keyring("v"))


@pytest.mark.parametrize("error", [KeyringLocked(PASSWORD), OSError(5, PASSWORD), RuntimeError(PASSWORD)])
def test_whatever_a_keyring_raises_is_told_without_its_words(ring: Ring, error: Exception) -> None:
    ring.answer = error
    said = refusal(lambda: read_keyring("v"))
    assert f"the system's keyring does not answer ({type(error).__name__})" in said


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert "pip install 'pinnacle-tui[keyring]'" in refusal(lambda: read_keyring("v"))
