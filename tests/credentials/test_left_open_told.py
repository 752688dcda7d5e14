"""Who leaves a locked vault, or cannot open it, is told of orders that the run before may have left."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from credentials.run_kit import PASSWORD, piped, store

from engine.local_venue.keys import make_cdp_key
from engine.runtime import session_opening
from pinnacle_tui import cli

LIVE = ("--mode", "live", "--set", "engine.live=true", "--symbol", "BTC-USD", "--arm", "BTC-USD")
LEFT = "session live-btc-usd-0001 was not ended in order: orders of it may be open at coinbase"


@pytest.fixture(autouse=True)
def orders_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PINNACLE_MASTER_PASSWORD", "PINNACLE_MASTER_PASSWORD_FILE", "CREDENTIALS_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(cli, "require_terminal", lambda: None)
    monkeypatch.setattr(session_opening, "left_open", lambda resolved, folder: LEFT)


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.splitlines()[-1]


def test_by_the_engine_of_a_console_that_gives_no_key(capsys: pytest.CaptureFixture[str]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        options = ("--owner-fd", str(theirs.fileno()), "--key-fd", str(piped("")))
        assert cli.main(["--no-ui", *LIVE, *options]) == 4
    told = last_line(capsys)  # which is what a console shows of its engine's log
    assert told.startswith("pinnacle-tui: no key was given to the engine")
    assert LEFT in told


def test_by_a_console_whose_password_does_not_open_the_vault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vault = store(tmp_path / "safe" / "v", {"main": make_cdp_key()})
    wrong = piped(PASSWORD.upper())
    assert cli.main([*LIVE, "--set", f"credentials.vault={vault}", "--password-fd", str(wrong)]) == 4
    told = last_line(capsys)
    assert "wrong password" in told
    assert LEFT in told


def test_by_a_console_that_finds_no_vault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*LIVE, "--set", f"credentials.vault={tmp_path / 'safe' / 'v'}"]) == 4
    assert LEFT in last_line(capsys)
