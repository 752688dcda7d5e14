"""The real console on a terminal of its own whose output is read at once, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

from engine.commands.sessions import look
from engine.link.runtime_folder import resolve, running
from engine.link.view import View

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Place:
    """Folders of its own for a run, short enough for a socket's path."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runtime = root / "pinnacle-tui"
        self.environment = {
            n: v for n, v in os.environ.items() if not n.startswith(("PINNACLE_", "NO_COLOR"))
        } | {
            "HOME": str(root),
            "XDG_CONFIG_HOME": str(root / "c"),
            "XDG_STATE_HOME": str(root / "s"),
            "XDG_RUNTIME_DIR": str(root),
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
        }

    def look(self) -> View:
        """A view of the one engine that runs here."""
        return asyncio.run(look(resolve(self.runtime, None)))[1]

    def engine_pid(self) -> int:
        """Its process."""
        return asyncio.run(look(resolve(self.runtime, None)))[0].pid

    def runs(self) -> bool:
        """True while an engine answers here."""
        return bool(running(self.runtime))


@contextlib.contextmanager
def place() -> Iterator[Place]:
    """A place that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="pt") as folder:
        os.chmod(folder, 0o700)
        yield Place(Path(folder))


class Terminal:
    """A console in a pseudo terminal. `is_reading` says whether anybody takes what it draws."""

    def __init__(self, where: Place, *options: str, size: tuple[int, int] = (120, 40)) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.bytes = 0
        self.tail = b""
        self.is_reading = True
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pinnacle_tui", *options],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env=where.environment,
            cwd=where.root,
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            if not self.is_reading or not select.select([self._ours], [], [], 0.02)[0]:
                if self.process.poll() is not None:
                    return
                select.select([], [], [], 0.005)
                continue
            try:
                taken = os.read(self._ours, 65_536)
            except OSError:
                return
            self.bytes += len(taken)
            self.tail = (self.tail + taken)[-200_000:]

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._ours, keys.encode())

    def end(self) -> int:
        """Stop it and its engine; the exit code."""
        self.is_reading = True
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self._reader.join(5)
        os.close(self._ours)
        return code


def cpu_s(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def rss_mb(pid: int) -> float:
    """Memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 1e6
