"""The console whose terminal goes away: it ends within a bounded time, and with it the engine."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios
from pathlib import Path

import pytest


def take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the terminals of Linux")
def test_a_terminal_that_goes_away_ends_the_console_and_its_engine(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PINNACLE_")}
    environment |= {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "TERM": "xterm-256color"}
    with subprocess.Popen(
        [sys.executable, "-m", "pinnacle_tui", "--seed", "7"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=take_terminal,  # noqa: PLW1509 (nothing else runs in this process then)
        env=environment,
    ) as process:
        os.close(theirs)
        shown = b""
        while b"ACTIVE" not in shown:
            shown = shown[-20:] + os.read(ours, 4096)
        (engine,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        engine_end = os.pidfd_open(int(engine))
        os.close(ours)
        code = process.wait(timeout=30)
    assert select.select([engine_end], [], [], 30)[0], "the engine outlived its console"
    os.close(engine_end)
    # Either the console saw the engine's end, or it left without having seen it.
    assert code in (0, 75)
