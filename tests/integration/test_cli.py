"""The command line from outside: help, exit codes, plain refusals, and what a headless run never loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from engine.config import FLAGS, load_config
from engine.core.errors import PinnacleError, UsageError
from pinnacle_tui import cli as command_line


@pytest.fixture(autouse=True)
def own_configuration_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the configuration of whoever runs it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in [name for name in os.environ if name.startswith("PINNACLE_")]:
        monkeypatch.delenv(name)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "pinnacle_tui", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from commands(inner, (*path, name))


EVERY_COMMAND = list(commands(command_line.cli))


def test_all_commands_are_walked() -> None:
    assert {(), ("inspect",), ("bench",), ("config",), ("config", "init")} <= set(EVERY_COMMAND)


@pytest.mark.parametrize("path", EVERY_COMMAND, ids=" ".join)
def test_the_help_of_every_command_shows_an_example(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.main([*path, "--help"]) == 0
    shown = capsys.readouterr().out
    after = shown.partition("Example:")[2]
    assert f"pinnacle-tui {' '.join(path)}".strip() in after
    assert max(len(line) for line in shown.splitlines()) <= 110


@pytest.mark.parametrize("path", EVERY_COMMAND, ids=" ".join)
def test_every_option_says_what_it_does(path: tuple[str, ...]) -> None:
    command: click.Command = command_line.cli
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    assert command.help
    for option in command.params:
        assert not isinstance(option, click.Option) or option.help, f"{path} {option.name}"


# -- exit codes and refusals -----------------------------------------------------------------------

WRONG_USAGE = {
    "unknown option": (["--colour"], "No such option"),
    "unknown command": (["quote"], "No such command 'quote'"),
    "unknown mode": (["--no-ui", "--mode", "demo"], "--mode: engine.mode = 'demo': must be one of sim"),
    "paper at speed": (["--no-ui", "--mode", "paper", "--speed", "2"], "a market on the network has its own"),
    "live unarmed": (["--no-ui", "--mode", "live"], "live mode needs engine.live = true in the"),
    "plain http": (
        ["--no-ui", "--mode", "paper", "--endpoint", "http://example.com"],
        "without TLS only this machine is spoken to",
    ),
    "replay without input": (["--no-ui", "--mode", "replay"], "name it with --input FILE"),
    "input without replay": (["--no-ui", "--input", "x.gz"], "only replay mode reads a recording"),
    "other strategy": (["--no-ui", "--strategy", "glfd"], "engine.strategy = 'glfd': must be one of basic, "),
    "other exchange": (["--no-ui", "--exchange", "kraken"], "must be one of coinbase, coinbase-exchange"),
    "symbol": (["--no-ui", "--symbol", "btc usd"], "--symbol: engine.symbols = 'btc usd'"),
    "speed": (["--no-ui", "--speed", "fast"], "--speed: engine.speed = 'fast': expected max or number"),
    "negative speed": (["--no-ui", "--speed", "-1"], "--speed: engine.speed = -1: must be above 0"),
    "seed": (["--no-ui", "--seed", "x"], "--seed: simulator.seed = 'x': expected integer"),
    "duration": (["--no-ui", "--duration", "nan"], "engine.duration_s = nan: must be a finite number"),
    "override": (["--no-ui", "--set", "levels"], "--set levels: must be key=value"),
    "missing file": (["--no-ui", "--config", "none.toml"], "none.toml: there is no such configuration file"),
    "json on a screen": (["--json"], "--json goes with --no-ui"),
    "no terminal": ([], "the screen needs a terminal and this is none; add --no-ui"),
    "option before a command": (["--seed", "3", "config", "show"], "--seed stands before config"),
    "missing argument": (["inspect"], "Missing argument 'FILE'"),
    "depth": (["inspect", "x", "--depth", "-1"], "Invalid value for '--depth'"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_USAGE)
def test_wrong_usage_ends_with_code_2_and_a_sentence(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, said = WRONG_USAGE[case]
    assert command_line.main(arguments) == 2
    output = capsys.readouterr()
    assert said in output.err
    assert output.out == ""


def test_a_wrong_configuration_file_ends_with_code_2_and_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text("[strategy]\nlevls = 2\n")
    for arguments in (["--no-ui"], ["config", "show"]):
        done = run(*arguments, "--config", str(path))
        assert done.returncode == 2
        assert (
            done.stderr
            == f"pinnacle-tui: {path}:2: unknown key strategy.levls; did you mean strategy.levels?\n"
        )
        assert done.stdout == ""


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UsageError("no such product"), 2, "pinnacle-tui: no such product\n"),
        (PinnacleError("the venue went away"), 1, "pinnacle-tui: the venue went away\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors_become_the_exit_codes_of_the_product(
    error: BaseException,
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("engine.commands.config.where", fail)
    assert command_line.main(["config", "where"]) == code
    assert capsys.readouterr().err.strip() == said.strip()


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pinnacle_tui", "config", "schema"],
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)
    assert done.returncode == 1
    assert done.stderr == b""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs the device that is always full")
def test_a_full_disk_is_said_and_ends_with_code_74() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pinnacle_tui", "config", "schema"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 74
    assert done.stderr == "pinnacle-tui: output: No space left on device\n"


@pytest.mark.parametrize(
    "arguments",
    [["config", "where"], ["--no-ui", "--json", "--seed", "7", "--duration", "2", "--speed", "max"]],
)
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_disturb_nothing(arguments: list[str], closed: str) -> None:
    command = [sys.executable, "-m", "pinnacle_tui", *arguments]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert bool(done.stdout) == (closed == "2>&-")


def test_a_screen_without_streams_is_refused() -> None:
    command = ["sh", "-c", 'exec "$@" <&- >&-', "sh", sys.executable, "-m", "pinnacle_tui"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "the screen needs a terminal" in done.stderr


def test_an_interrupt_while_the_program_is_loaded_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise KeyboardInterrupt")
    done = subprocess.run(
        [sys.executable, "-m", "pinnacle_tui", "--no-ui"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("pinnacle-tui, version ")


# -- options reach the configuration ---------------------------------------------------------------


def test_every_flag_sets_its_key(capsys: pytest.CaptureFixture[str]) -> None:
    given = {
        "engine.mode": "replay",
        "engine.symbols": "ETH-USD",
        "engine.strategy": "basic",
        "engine.input": "capture.gz",
        "engine.speed": "max",
        "engine.duration_s": "60",
        "simulator.seed": "7",
        "persistence.data_dir": "sessions",
        "exchange.name": "coinbase-exchange",
        "network.endpoint": "https://127.0.0.1:8443",
        "network.ca_file": "ca.pem",
        "network.key_file": "key.json",
        "credentials.key": "main",
        "console.theme": "dark",
        "console.panel": "depth",
        "console.mouse": "",
    }
    assert set(given) == set(FLAGS)
    arguments = [part for key, value in given.items() for part in (FLAGS[key], value) if part]
    assert command_line.main(["config", "show", "--json", *arguments]) == 0
    shown = {entry["key"]: entry for entry in json.loads(capsys.readouterr().out)["keys"]}
    expected = {**given, "engine.symbols": ["ETH-USD"], "simulator.seed": 7, "console.mouse": False}
    assert {key: shown[key]["value"] for key in given} == expected
    assert {key: shown[key]["source"] for key in given} == dict(FLAGS)


def test_configuration_commands_work_together(tmp_path: Path) -> None:
    path = tmp_path / "config" / "pinnacle-tui" / "config.toml"
    where = json.loads(run("config", "where", "--json").stdout)
    assert where == {"v": 1, "file": str(path), "said_by": "the platform's default", "exists": False}
    assert run("config", "init").returncode == 0
    assert load_config(path).file == path
    path.write_text("[engine]\nspeed = 'max'\n")
    assert f"{path}:2" in run("config", "show").stdout
    assert json.loads(run("config", "check", "--json").stdout)["keys_set"] == ["engine.speed"]
    again = run("config", "init")
    assert again.returncode == 2
    assert "nothing was written" in again.stderr
    keys = json.loads(run("config", "schema", "--json").stdout)["keys"]
    assert {"key", "type", "unit", "default", "at_least", "applies", "help"} <= set(keys[0])


# -- what is never loaded --------------------------------------------------------------------------

HEAVY = ("textual", "rich", "numpy", "aiohttp", "cryptography")


def loaded_after(code: str) -> set[str]:
    probe = f"{code}\nimport sys\nprint('\\n'.join(name.partition('.')[0] for name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, timeout=60, check=True
    )
    return set(done.stdout.split())


def test_importing_the_command_line_loads_click_alone() -> None:
    loaded = loaded_after("import pinnacle_tui.cli")
    assert "click" in loaded
    assert loaded.isdisjoint({*HEAVY, "engine", "msgspec", "platformdirs", "tomllib", "asyncio"})


def test_a_headless_run_never_loads_a_screen() -> None:
    loaded = loaded_after(
        "from pinnacle_tui.cli import main\n"
        "assert main(['--no-ui', '--mode', 'sim', '--seed', '7', '--duration', '2', '--speed', 'max']) == 0"
    )
    assert "engine" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_the_configuration_never_loads_a_screen() -> None:
    loaded = loaded_after("from engine.config import load_config\nload_config()")
    assert "engine" in loaded
    assert loaded.isdisjoint(HEAVY)
