"""What the README says of keys, pictures and commands is what the program has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from textual.binding import Binding, BindingType

from pinnacle_tui.bindings import APP_BINDINGS, PLAYBACK_BINDINGS
from pinnacle_tui.cli import cli

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("heading", "bindings"), [("| key |", APP_BINDINGS), ("| key in the past |", PLAYBACK_BINDINGS)]
)
def test_the_key_tables_are_those_of_the_bindings(heading: str, bindings: list[BindingType]) -> None:
    told = re.findall(r"^\| `([^`]+)` \| (.+) \|$", README.partition(heading)[2].partition("\n\n")[0], re.M)
    bound = [
        (binding.key_display or binding.key, binding.tooltip)
        for binding in bindings
        if isinstance(binding, Binding) and binding.id != "app.interrupt"
    ]
    assert told == bound


def test_the_pictures_are_there_and_show_the_program() -> None:
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README)
    assert pictures
    for picture in pictures:
        assert "BTC-USD" in (ROOT / picture).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "command", sorted(set(re.findall(r"pinnacle-tui ([a-z]+(?: [a-z]+)?)", README)) - {"ctl kill"})
)
def test_every_command_exists(command: str) -> None:
    words = command.split()
    found: object = cli
    for word in words:
        commands = getattr(found, "commands", {})
        if word not in commands:
            break
        found = commands[word]
    assert found is not cli, command
    assert CliRunner().invoke(cli, [words[0], "--help"]).exit_code == 0
