"""What the commands print about keys, sessions and settings while secrets are planted."""

from __future__ import annotations

from pathlib import Path

import click
from click.testing import CliRunner
from engine_process import PATIENCE_S, Machine
from hygiene.canary_kit import Marked, VenueBeside
from hygiene.canary_runs import Surfaces, password_file, where

from engine.credentials.desk import EXCHANGE
from pinnacle_tui.cli import cli


def locked(here: Machine, marked: Marked, *arguments: str) -> bytes:
    """Exit code, output and errors of a command that opens the vault."""
    descriptor = password_file(marked)
    process = here.start(*arguments, "--password-fd", str(descriptor), inherits=descriptor)
    out, err = process.communicate(timeout=PATIENCE_S)
    return f"{process.returncode}\n{out}\n{err}".encode()


def printed(here: Machine, *arguments: str) -> bytes:
    """Output and errors of a command, in this process; it has to end well."""
    done = CliRunner(env=here.environment).invoke(cli, list(arguments), obj=list(arguments))
    assert done.exit_code == 0 or done.return_value == 0, done.output
    return done.output.encode()


def refused_run(here: Machine, marked: Marked, venue: VenueBeside) -> Surfaces:
    """A run with a key whose other half the venue does not know, as text."""
    here.environment.pop("PYTHONASYNCIODEBUG", None)
    armed = (
        "--set",
        "engine.live=true",
        "--set",
        "strategy.allow_negative_edge=true",
        "--symbol",
        "BTC-USD",
        "--arm",
        "BTC-USD",
        "--key",
        "stranger",
    )
    told = locked(here, marked, "--no-ui", "--mode", "live", *armed, "--endpoint", venue.url)
    assert told.startswith((b"4", b"5")), told
    return {"refused key, text": told}


def about_keys(here: Machine, marked: Marked, venue: VenueBeside) -> Surfaces:
    """The check of every key, their list, and the look at everything that a run needs."""
    doctor = locked(here, marked, "doctor", "--mode", "live", "--symbol", "BTC-USD", *where(venue, EXCHANGE))
    check = locked(here, marked, "credentials", "test", "--endpoint", venue.url, "--json")
    listed = locked(here, marked, "credentials", "list")
    assert b"stranger" in listed
    return {"doctor": doctor, "list and test of keys": check + listed}


def about_sessions(here: Machine) -> Surfaces:
    """What is printed of the sessions on the disk."""
    folder = here.folder / "state" / "pinnacle-tui" / "sessions"
    names = ("journal dump, JSON", "journal dump, words", "journal statistics and sessions")
    found: Surfaces = dict.fromkeys(names, b"")
    place = ("--data-dir", str(folder))
    for session in (path.parent.name for path in folder.glob("*/session.json")):
        found["journal dump, JSON"] += printed(here, "journal", "dump", session, "--json", *place)
        found["journal dump, words"] += printed(here, "journal", "dump", session, *place)
        found["journal statistics and sessions"] += printed(here, "journal", "stats", session, *place)
    found["journal statistics and sessions"] += printed(here, "sessions", "--json", *place)
    return found


def about_settings(here: Machine, venue: VenueBeside) -> Surfaces:
    """Settings as they are shown and written, and every help text."""
    place = here.folder / "written.toml"
    shown = printed(here, "config", "show", "--json", "--endpoint", venue.url, "--key", "advanced")
    printed(here, "config", "init", "--config", str(place))
    recorded = here.folder / "recorded.jsonl"
    printed(here, "record", str(recorded), "--symbol", "BTC-USD", "--endpoint", venue.url, "--duration", "1")
    return {
        "settings, shown and written": shown + place.read_bytes(),
        "help texts": "\n".join(helps(cli, click.Context(cli, info_name="pinnacle-tui"))).encode(),
        "recorded frames": Path(recorded).read_bytes(),
    }


def helps(command: click.Command, context: click.Context) -> list[str]:
    """The help of a command and of all below it."""
    texts = [command.get_help(context)]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            texts += helps(below, click.Context(below, info_name=name, parent=context))
    return texts
