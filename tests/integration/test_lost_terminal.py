"""The console whose terminal goes away: it ends within a bounded time, and with it the engine."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_process import Machine, machine


@pytest.fixture
def here() -> Iterator[Machine]:
    with machine() as made:
        yield made


def take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the terminals of Linux")
def test_a_terminal_that_goes_away_ends_the_console_and_its_engine(here: Machine) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("4H", 40, 120, 0, 0))
    with subprocess.Popen(
        [sys.executable, "-m", "pinnacle_tui", "--seed", "7"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=take_terminal,  # noqa: PLW1509 (nothing else runs in this process then)
        env=here.environment | {"TERM": "xterm-256color"},
    ) as process:
        os.close(theirs)
        shown = b""
        while b"ACTIVE" not in shown:
            shown = shown[-20:] + os.read(ours, 4096)
        (engine,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        engine_end = os.pidfd_open(int(engine))
        os.close(ours)
        code = process.wait(timeout=20)
    assert select.select([engine_end], [], [], 30)[0], "the engine outlived its console"
    os.close(engine_end)
    # Either the console saw the engine's end, or it left without having seen it.
    assert code in (128 + signal.SIGHUP, 75)
