"""The prompt for the master password on a terminal: what is typed, what is not, and what nobody sees."""

from __future__ import annotations

import getpass
import io
import os
import pty
import subprocess
import sys
import warnings
from collections.abc import Callable

import pytest
from credentials.source_kit import PASSWORD, refusal

from engine.credentials.sources import FILE_VARIABLE, NOTHING_TO_UNLOCK_WITH, prompt


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], str]]:
    """How the terminal answers."""
    answers: list[Callable[[], str]] = []
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(getpass, "getpass", lambda question: answers.pop(0)())
    return answers


def test_what_is_typed_is_the_password(asked: list[Callable[[], str]]) -> None:
    asked.append(lambda: PASSWORD)
    assert prompt("Master password: ").text() == PASSWORD


def test_an_input_that_is_no_terminal_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    for stdin in (None, io.StringIO(f"{PASSWORD}\n"), closed):
        monkeypatch.setattr(sys, "stdin", stdin)
        assert refusal(lambda: prompt("Master password: ")) == NOTHING_TO_UNLOCK_WITH
    for way in ("--password-fd N", FILE_VARIABLE, "LoadCredential=pinnacle-master", "credentials.keyring"):
        assert way in NOTHING_TO_UNLOCK_WITH


def test_nothing_typed_is_no_password(asked: list[Callable[[], str]]) -> None:
    def ended() -> str:
        raise EOFError

    asked += [lambda: "", ended]
    assert "the master password is empty (what was typed)" in refusal(lambda: prompt("?"))
    assert "no password was typed" in refusal(lambda: prompt("?"))


def test_bytes_that_are_no_text_are_told_without_them(asked: list[Callable[[], str]]) -> None:
    asked.append(b"tidal \xe9".decode)
    said = refusal(lambda: prompt("?"))
    assert "no text in the terminal's encoding" in said
    assert "0xe9" not in said


def test_a_terminal_that_would_show_it_is_not_asked(asked: list[Callable[[], str]]) -> None:
    def shown() -> str:
        warnings.warn("Can not control echo on the terminal.", getpass.GetPassWarning, stacklevel=2)
        return PASSWORD

    asked.append(shown)
    assert "this terminal would show the password: nothing was asked" in refusal(lambda: prompt("?"))


def test_an_interrupt_stays_one(asked: list[Callable[[], str]]) -> None:
    def interrupted() -> str:
        raise KeyboardInterrupt

    asked.append(interrupted)
    with pytest.raises(KeyboardInterrupt):
        prompt("?")


@pytest.mark.parametrize("is_owned", [False, True], ids=["a terminal", "the process's own terminal"])
def test_nothing_typed_appears_on_a_real_terminal(is_owned: bool) -> None:
    ours, theirs = pty.openpty()
    code = "from engine.credentials.sources import prompt; print(prompt('Password of a\x1b]0;b\x07: ').size)"
    if is_owned:
        code = f"import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); {code}"
    # Who keeps the errors of a run in a file must see what is asked nevertheless.
    errors = subprocess.DEVNULL if is_owned else theirs
    command = [sys.executable, "-c", code]
    shown = b""
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=errors, start_new_session=True):
        os.close(theirs)
        while not shown.endswith(b"Password of a: "):
            shown += os.read(ours, 1_000)
        os.write(ours, f"{PASSWORD}\n".encode())
        while not shown.endswith(b"\n24\r\n"):
            shown += os.read(ours, 1_000)
    os.close(ours)
    assert b"tidal" not in shown
    assert b"\x1b" not in shown
