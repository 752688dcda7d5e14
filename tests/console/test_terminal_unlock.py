"""The real program in a real terminal: a vault is opened on the screen, the engine trades, nothing leaks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from console.terminal import Home, Terminal, children
from credentials.run_kit import PASSWORD, store
from engine_process import machine
from local_venue_process import VenueProcess

OpenTerminal = Callable[..., Terminal]


@pytest.fixture
def venue() -> Iterator[VenueProcess]:
    with machine() as here:
        yield VenueProcess(here)


def told_to_others(pid: int) -> bytes:
    """What anybody of this user can read of a process and of those that it started."""
    told = b""
    for name in ("cmdline", "environ"):
        try:
            told += Path(f"/proc/{pid}/{name}").read_bytes()
        except PermissionError:
            continue  # the system shows it to nobody
    return told + b"".join(map(told_to_others, children(pid)))


def test_a_wrong_password_then_the_right_one_and_no_secret_anywhere(
    home: Home, open_terminal: OpenTerminal, venue: VenueProcess
) -> None:
    document = Path(venue.key_file).read_text()
    store(home.config / "credentials.vault", {"main": document})
    wrong = PASSWORD.replace("quartz", "marble")
    terminal = open_terminal()
    armed = "--symbol BTC-USD --arm BTC-USD"
    live = f"--mode live --set engine.live=true --set strategy.allow_negative_edge=true {armed}"
    terminal.run(f"pinnacle-tui {live} --endpoint {venue.url}")
    shown = terminal.wait_for("The vault is locked")
    lines = [line.strip(" ▌") for line in shown.split("\n")]
    assert str(home.config / "credentials.vault") in "".join(lines)
    assert f"live trading of BTC-USD at {venue.url} begins" in " ".join(lines)
    terminal.type(wrong)
    terminal.send("Enter")
    terminal.wait_for("wrong password")
    terminal.type(PASSWORD)
    terminal.wait_for("try again")
    assert not venue.open_orders()
    terminal.send("Enter")
    terminal.wait_for(" ACTIVE ")
    terminal.wait_for("6 working")

    pem = json.loads(document)["privateKey"].splitlines()
    secrets = [PASSWORD.encode(), wrong.encode(), *(line.encode() for line in pem[1:-1])]
    console = terminal.console()
    written = [path for path in home.folder.rglob("*") if path.is_file() and path.name != "credentials.vault"]
    surfaces = {
        "picture": terminal.raw,
        "processes": told_to_others(console.pid),
        **{path.name: path.read_bytes() for path in written},
    }
    assert b"--key-fd" in surfaces["processes"]
    assert {name for name in surfaces if name.startswith("engine-")}
    leaks = [name for name, text in surfaces.items() for secret in secrets if secret in text]
    assert not leaks

    terminal.send("q")
    terminal.answer("y", "Quit while")
    assert terminal.prompt() == 0
    assert not venue.open_orders()


def test_leaving_the_locked_vault_sends_nothing(
    home: Home, open_terminal: OpenTerminal, venue: VenueProcess
) -> None:
    store(home.config / "credentials.vault", {"main": Path(venue.key_file).read_text()})
    terminal = open_terminal()
    terminal.run(f"pinnacle-tui --mode paper --key main --symbol BTC-USD --endpoint {venue.url}")
    terminal.wait_for("The vault is locked")
    terminal.send("Escape")
    assert terminal.prompt() == 4
    assert "no key was given to the engine: it has ended, and nothing was sent" in terminal.screen()


@pytest.mark.nightly
def test_a_password_that_was_left_asks_nobody(
    home: Home, open_terminal: OpenTerminal, venue: VenueProcess
) -> None:
    store(home.config / "credentials.vault", {"main": Path(venue.key_file).read_text()})
    password = home.folder / "password"
    password.write_text(PASSWORD)
    terminal = open_terminal()
    live = f"--mode live --set engine.live=true --symbol BTC-USD --arm BTC-USD --endpoint {venue.url}"
    terminal.run(f"pinnacle-tui {live} --password-fd 3 3<{password}")
    terminal.wait_for("6 working")
    engine = Path(f"/proc/{terminal.engine().pid}/cmdline").read_bytes()
    assert b"--key-fd" in engine
    assert b"--password-fd" not in engine
    terminal.send("q")
    terminal.answer("y", "Quit while")
    assert terminal.prompt() == 0
    assert "the master password comes from --password-fd 3" in terminal.screen()
    assert b"The vault is locked" not in terminal.raw
