"""The systemd unit in `docs` starts what the command line has, and ends it as engine and watchdog need it."""

from __future__ import annotations

import configparser
import re
import shlex
import signal
from pathlib import Path

import pytest

from engine.config import load_config
from engine.core.errors import CredentialError, RecordingError, UsageError
from engine.credentials.settings import CredentialSettings
from engine.credentials.sources import SYSTEMD_NAME
from engine.exchange.coinbase.broker import BrokerError
from engine.link.runtime_folder import default_folder
from engine.persistence.errors import LockedError
from engine.runtime.engine import PROOF_WITHIN_NS
from engine.runtime.outcome import EXIT_WITHOUT_PROOF
from engine.runtime.session_store import default_data_dir
from engine.watchdog.process import _IGNORED
from pinnacle_tui.cli import cli

PATH = Path(__file__).resolve().parents[2] / "docs" / "pinnacle-tui.service"
TEXT = PATH.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(
        interpolation=None, delimiters=("=",), comment_prefixes=("#", ";"), strict=True
    )
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(TEXT)
    return parser


def test_it_has_the_three_sections(unit: configparser.ConfigParser) -> None:
    assert unit.sections() == ["Unit", "Service", "Install"]
    assert unit["Install"]["WantedBy"] == "multi-user.target"


def test_the_command_line_takes_what_it_starts(unit: configparser.ConfigParser) -> None:
    program, *arguments = shlex.split(unit["Service"]["ExecStart"])
    assert Path(program).is_absolute()
    assert Path(program).name == "pinnacle-tui"
    context = cli.make_context("pinnacle-tui", list(arguments), obj=arguments)
    given = context.params
    assert (given["headless"], given["mode"]) == (True, "live")
    assert given["armed"] == given["symbols"] != ()
    flags = {f"engine.{key}": given[key] for key in ("mode", "symbols", "strategy")}
    config = load_config(env={}, overrides=["engine.live=true"], flags=flags).config
    config.require_runnable(given["armed"])
    assert config.uses_vault


def test_the_password_comes_from_systemd_and_is_nowhere_in_the_unit(unit: configparser.ConfigParser) -> None:
    name, _, source = unit["Service"]["LoadCredential"].partition(":")
    assert name == SYSTEMD_NAME
    assert f"install -m 0600 /dev/stdin {source}" in TEXT
    assert "PASSWORD" not in unit["Service"]["Environment"]
    assert "password" not in unit["Service"]["ExecStart"]


def test_everything_it_writes_is_in_its_own_two_folders(
    unit: configparser.ConfigParser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service = unit["Service"]
    places = {"%S": tmp_path / "lib", "%t": tmp_path / "run"}  # where systemd keeps state and sockets
    state, runtime = places["%S"] / service["StateDirectory"], places["%t"] / service["RuntimeDirectory"]
    for folder, mode in ((state, "StateDirectoryMode"), (runtime, "RuntimeDirectoryMode")):
        folder.mkdir(parents=True, mode=int(service[mode], 8))
        assert service[mode] == "0700"
    for assignment in service["Environment"].split():
        name, _, value = assignment.partition("=")
        monkeypatch.setenv(name, re.sub("%.", lambda found: str(places[found[0]]), value))
    assert CredentialSettings().path.parent == state
    assert default_data_dir().parent == state
    assert default_folder().parent == runtime
    assert service["ProtectSystem"] == "strict"


def test_an_end_leaves_the_engine_its_proof_and_the_watchdog_its_work(
    unit: configparser.ConfigParser,
) -> None:
    service = unit["Service"]
    assert service["KillSignal"] == "SIGTERM"
    assert signal.SIGTERM in _IGNORED, "the group is signalled, and the watchdog must not end with it"
    assert service["KillMode"] == "control-group"
    assert int(service["TimeoutStopSec"]) * 10**9 >= 4 * PROOF_WITHIN_NS


def test_what_a_person_has_to_mend_is_not_tried_again(unit: configparser.ConfigParser) -> None:
    service = unit["Service"]
    kept = {int(code) for code in service["RestartPreventExitStatus"].split()}
    errors = (UsageError, LockedError, CredentialError, BrokerError, RecordingError)
    assert kept == {error.exit_code for error in errors}
    assert service["Restart"] == "on-failure"
    assert EXIT_WITHOUT_PROOF not in kept


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("Type", "exec"),
        ("UMask", "0077"),
        ("LimitCORE", "0"),
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("PrivateTmp", "yes"),
        ("ProtectHome", "yes"),
    ],
)
def test_it_runs_with_as_little_as_it_needs(
    unit: configparser.ConfigParser, setting: str, value: str
) -> None:
    assert unit["Service"][setting] == value
    assert unit["Service"]["User"] != "root"


@pytest.mark.parametrize("command", re.findall(r"bin/pinnacle-tui ([a-z ]+)$", TEXT, re.MULTILINE))
def test_the_commands_it_tells_of_exist(command: str) -> None:
    found = cli
    for word in command.split():
        found = found.commands[word]  # type: ignore[assignment]
    assert found is not cli
