"""The account holder's own program is handed alerts, and can do the engine no harm."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from waiting import until

from engine.core.errors import UsageError
from engine.core.events import Alert, Severity
from engine.runtime.alert_command import ALERT_COMMAND, AlertCommand
from engine.runtime.alert_settings import AlertSettings

COPY = (
    "import os, sys; open(sys.argv[1], 'ab').write(sys.stdin.buffer.read() + repr(dict(os.environ)).encode())"
)


class Warned:
    """As much of an engine as is told that the program failed."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def warn(self, code: str, text: str) -> None:
        self.said.append((code, text))


def alert(code: str = "LOSS", severity: Severity = Severity.ERROR, text: str = "too much; $(id)\n") -> Alert:
    return Alert("X-USD", 1, 2, severity, code, text)


async def handed(*alerts: Alert, command: str, **settings: Any) -> Warned:
    engine = Warned()
    runner = AlertCommand(engine, AlertSettings(command=command, **settings))  # type: ignore[arg-type]
    await runner.start()
    runner.on_alerts(None, alerts)  # type: ignore[arg-type]
    await runner.stop()
    return engine


def is_gone(pid: int) -> bool:
    """Ended, whether or not anybody has asked for its exit code."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state in "ZX"


def copying(path: Path) -> str:
    return f'{sys.executable} -c "{COPY}" {path}'


async def test_the_program_gets_the_alert_as_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PINNACLE_SOMETHING", "not for others")
    engine = await handed(alert(), command=copying(tmp_path / "got"))
    assert engine.said == []
    line, _, environment = (tmp_path / "got").read_bytes().partition(b"\n")
    assert json.loads(line) == {
        "v": 1,
        "severity": "error",
        "code": "LOSS",
        "product": "X-USD",
        "text": "too much; $(id)\n",
        "wall_ns": 2,
    }
    assert b"not for others" not in environment


async def test_severity_is_the_least_that_is_handed_over(tmp_path: Path) -> None:
    told = [alert(severity.name, severity) for severity in Severity]
    await handed(*told, command=copying(tmp_path / "got"), severity="error")
    got = (tmp_path / "got").read_bytes()
    assert [severity.name.encode() in got for severity in Severity] == [False, False, True, True]


async def test_no_more_than_max_per_minute(tmp_path: Path) -> None:
    told = [alert(f"CODE_{number}") for number in range(10)]
    await handed(*told, command=copying(tmp_path / "got"), max_per_minute=2)
    assert (tmp_path / "got").read_bytes().count(b'"v":1') == 2


async def test_a_flood_of_lesser_alerts_does_not_keep_a_critical_one_back(tmp_path: Path) -> None:
    told = [alert(f"CODE_{number}") for number in range(10)]
    told += [alert(f"KILL_{number}", Severity.CRITICAL) for number in range(10)]
    await handed(*told, command=copying(tmp_path / "got"), max_per_minute=2)
    got = (tmp_path / "got").read_bytes()
    assert (got.count(b"CODE_"), got.count(b"KILL_")) == (2, 2)


async def test_the_same_alert_is_handed_over_once_a_minute(tmp_path: Path) -> None:
    graver = alert(severity=Severity.CRITICAL)
    await handed(alert(), alert(), graver, graver, command=copying(tmp_path / "got"))
    assert (tmp_path / "got").read_bytes().count(b'"v":1') == 2


async def test_a_program_that_hangs_is_killed_and_so_is_what_it_has_started(tmp_path: Path) -> None:
    hanging = tmp_path / "hanging"
    hanging.write_text(f"sleep 60 & echo $! > {tmp_path}/child; wait")
    engine = await handed(alert(), command=f"sh {hanging}", timeout_s=1)
    assert engine.said == [(ALERT_COMMAND, "alerts.command took more than 1 s")]
    child = int((tmp_path / "child").read_text())
    await until(lambda: is_gone(child))


@pytest.mark.parametrize(("content", "why"), [("", "cannot be run"), ("#!/bin/sh\nexit 1\n", "ended with 1")])
async def test_a_program_that_fails_is_told_of_and_not_asked_about_that(
    content: str, why: str, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.write_text(content)
    program.chmod(0o700)
    engine = await handed(alert(), alert(ALERT_COMMAND), command=str(program))
    ((code, text),) = engine.said
    assert code == ALERT_COMMAND
    assert why in text


@pytest.mark.parametrize("command", ["", "  ", "mail 'to", "/no/such/program now"])
def test_a_command_that_is_none_is_refused(command: str) -> None:
    with pytest.raises(UsageError, match=r"alerts\.command"):
        AlertCommand(Warned(), AlertSettings(command=command))  # type: ignore[arg-type]


async def test_nothing_runs_before_the_first_alert() -> None:
    assert (await handed(command="false")).said == []
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "alert command"]
