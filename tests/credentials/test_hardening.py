"""What holds keys is closed: shown of real processes, which are asked what the system thinks of them."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from engine.credentials import hardening

MEMORY = "other programs of yours can read its memory"
NO_CORE = (0, 0)
UNLIMITED = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
_ASK = """
import ctypes, resource
from pathlib import Path
def told():
    [line] = [line for line in Path("/proc/self/limits").read_text().splitlines() if "core file" in line]
    print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), *line.split()[4:6])
_, most = resource.getrlimit(resource.RLIMIT_CORE)
resource.setrlimit(resource.RLIMIT_CORE, (most, most))
told()
"""
"""Prints whether the process can be dumped and its limits of a core file: once before anything is done."""


def asked(script: str) -> list[list[str]]:
    """What a new process printed, line by line."""
    done = subprocess.run(
        [sys.executable, "-c", _ASK + script], capture_output=True, text=True, timeout=60, check=True
    )
    return [line.split() for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    "script",
    [
        "from engine.credentials import hardening\nprint(hardening.harden())\ntold()",
        """
from pinnacle_tui import __main__ as program, cli
cli.main = told
program.main()
""",
        """
from engine.watchdog import process
async def watch_over(*given):
    told()
process.watch_over = watch_over
import socket
there, here = socket.socketpair()
process.main(here.detach())
there.close()
""",
    ],
    ids=["harden", "the program", "the watchdog"],
)
def test_a_process_cannot_be_read_and_leaves_no_core_file(script: str) -> None:
    before, *_, after = asked(script)
    assert before[0] == "1"
    assert after == ["0", "0", "0"]


def test_it_can_be_done_again_and_nothing_is_left_to_tell() -> None:
    script = "from engine.credentials import hardening\nprint(hardening.harden(), hardening.harden())\n"
    assert asked(script)[1:] == [["[]", "[]"]]


def test_a_program_that_was_not_closed_knows_it() -> None:
    script = "from engine.credentials import hardening\nprint(hardening.exposures()[0])\n"
    assert " ".join(asked(script)[1]) == MEMORY


def test_the_doctor_finds_the_program_closed(tmp_path: Path) -> None:
    words = ["doctor", "--json", "--endpoint", "http://127.0.0.1:9", "--data-dir", str(tmp_path)]
    program = [sys.executable, "-m", "pinnacle_tui", *words]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
    [check] = [each for each in json.loads(done.stdout)["checks"] if each["name"] == "hardening"]
    assert (check["group"], check["verdict"], check["advice"]) == ("program", "ok", "")


@pytest.mark.parametrize(
    ("dumpable", "core", "count"),
    [(0, NO_CORE, 0), (1, NO_CORE, 1), (-1, NO_CORE, 1), (0, UNLIMITED, 1), (1, (0, 1), 2)],
)
def test_what_was_refused_is_told_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, dumpable: int, core: tuple[int, int], count: int
) -> None:
    def refuse(kind: int, limits: tuple[int, int]) -> None:
        assert (kind, limits) == (resource.RLIMIT_CORE, NO_CORE)
        raise PermissionError

    monkeypatch.setattr(hardening, "_prctl", lambda option: dumpable)
    monkeypatch.setattr(resource, "setrlimit", refuse)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: core)
    assert len(hardening.harden()) == count


def test_a_system_without_the_call_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardening.ctypes, "CDLL", lambda name: object())
    monkeypatch.setattr(resource, "getrlimit", lambda kind: NO_CORE)
    assert hardening.exposures() == [MEMORY]
