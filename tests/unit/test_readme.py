"""What the README says of keys, pictures and commands is what the program has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from textual.binding import Binding, BindingType

from engine.config import schema
from engine.credentials import sources
from engine.credentials.settings import FILE_NAME, CredentialSettings
from engine.credentials.vault_format import DEFAULT_ITERATIONS, FLOOR
from pinnacle_tui.bindings import APP_BINDINGS, PLAYBACK_BINDINGS
from pinnacle_tui.cli import cli
from pinnacle_tui.cli_credentials import credentials

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
KEYS = README.partition("## API keys\n")[2].partition("\n## ")[0]
KEYS_ON_ONE_LINE = " ".join(KEYS.split())


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


def test_what_is_said_of_keys_is_short() -> None:
    assert 0 < len(KEYS.strip().splitlines()) <= 25


def test_every_verb_of_the_vault_is_told_and_exists() -> None:
    told = re.findall(r"^ +pinnacle-tui credentials(?: ([a-z|-]+))?", KEYS, re.MULTILINE)
    assert sorted(verb for verbs in told for verb in verbs.split("|") if verb) == sorted(credentials.commands)


@pytest.mark.parametrize(
    "sentence",
    [
        "Secrets are wiped from memory on a best-effort basis. Copies made as Python strings (decoding, HTTP "
        "headers, TLS) cannot be wiped. We do not claim that memory is cleared.",
        "Not defended: root and whoever may ptrace the process, a key logger, a compromised Python "
        "environment, a password that is guessed, memory of `str` objects.",
    ],
)
def test_what_is_not_promised_of_secrets_stands_word_for_word(sentence: str) -> None:
    assert sentence in KEYS_ON_ONE_LINE


def test_the_numbers_of_the_vault_are_those_of_the_program() -> None:
    assert f"{DEFAULT_ITERATIONS:,} rounds of PBKDF2-HMAC-SHA256" in KEYS_ON_ONE_LINE
    assert f"Below {FLOOR:,} rounds" in KEYS_ON_ONE_LINE
    assert CredentialSettings().lock_after_s == 5 * 60
    assert CredentialSettings().path.name == FILE_NAME


def test_every_source_of_the_password_is_told_in_the_order_in_which_they_count() -> None:
    told = ("--password-fd N", sources.FILE_VARIABLE, f"LoadCredential={sources.SYSTEMD_NAME}:", "keyring")
    places = [KEYS.find(source) for source in told]
    assert -1 not in places
    assert places == sorted(places)


def test_every_setting_of_the_vault_that_is_told_exists() -> None:
    told = set(re.findall(r"`(credentials\.[a-z_]+)`", README))
    assert told == {"credentials.vault", "credentials.keyring", "credentials.lock_after_s"}
    assert told <= set(schema().keys)


def test_every_file_that_is_linked_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert "docs/pinnacle-tui.service" in links
    assert all((ROOT / link).is_file() for link in links)
