"""Engines as processes on a machine of their own: folders below a short path, and everything ended after."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from served_engine import short_folder

Reports = list[dict[str, Any]]
PATIENCE_S = 30.0


class Machine:
    """A user's folders, and the processes that were started over them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runtime = folder / "pinnacle-tui"
        """Where the engines' sockets are."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PINNACLE_")}
        self.environment = clean | {
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_STATE_HOME": str(folder / "state"),
        }
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str, inherits: int | None = None) -> subprocess.Popen[str]:
        """Start the product with these arguments."""
        return self.python("-m", "pinnacle_tui", *arguments, inherits=inherits)

    def python(self, *arguments: str, inherits: int | None = None) -> subprocess.Popen[str]:
        """Start the interpreter with these arguments."""
        process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            pass_fds=() if inherits is None else (inherits,),
        )
        self._started.append(process)
        return process

    def engine(self, *arguments: str, name: str = "sim-btc-usd", inherits: int | None = None) -> Engine:
        """A headless engine that quotes and can be attached to under `name`."""
        process = self.start("--no-ui", "--json", "--seed", "7", *arguments, inherits=inherits)
        engine = Engine(process)
        engine.read_until(lambda report: report.get("event") == "accepted")
        assert (self.runtime / f"{name}.sock").exists()
        return engine

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, output and errors of a command."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=PATIENCE_S)
        assert "Traceback" not in err
        return process.returncode, out, err

    def ctl(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Exit code and answer of a `ctl` command."""
        code, out, err = self.run("ctl", *arguments, "--json")
        assert err == ""
        answer: dict[str, Any] = json.loads(out)
        assert answer["exit_code"] == code
        return code, answer

    def close(self) -> None:
        """End what still runs."""
        for process in self._started:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.communicate(timeout=PATIENCE_S)
        self._end_watchdogs()

    def _end_watchdogs(self) -> None:
        """A watchdog goes on for as long as it has no proof, and its venue may have been ended here."""
        for log in self.folder.glob("state/pinnacle-tui/**/watchdog.jsonl"):
            for pid in {json.loads(line)["pid"] for line in log.read_text().splitlines()}:
                try:
                    words = Path(f"/proc/{pid}/cmdline").read_bytes()
                    if b"engine.watchdog" in words:
                        os.kill(pid, signal.SIGKILL)
                except OSError:
                    continue  # it has ended


class Engine:
    """A headless engine and the reports that it writes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.reports: Reports = []

    def read_until(self, is_found: Any) -> dict[str, Any]:
        """Read reports until one satisfies `is_found`."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.reports.append(json.loads(line))
            if is_found(self.reports[-1]):
                return self.reports[-1]
        raise AssertionError(f"the engine ended: {self.process.stderr and self.process.stderr.read()}")

    def alert(self, code: str) -> dict[str, Any]:
        """Read until an alert with that code."""
        return self.read_until(lambda report: report.get("code") == code)

    def end(self) -> tuple[int, dict[str, Any]]:
        """Wait for the end: exit code and last report."""
        out, err = self.process.communicate(timeout=PATIENCE_S)
        assert "Traceback" not in err
        self.reports += [json.loads(line) for line in out.splitlines()]
        return self.process.returncode, self.reports[-1]

    def of(self, kind: str) -> Reports:
        """The reports of a kind."""
        return [report for report in self.reports if report["type"] == kind]

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None


@contextmanager
def machine() -> Iterator[Machine]:
    """A machine; its processes are ended at the end, each by its own id."""
    with short_folder() as folder:
        made = Machine(folder)
        try:
            yield made
        finally:
            made.close()


def eventually(is_so: Any, what: str) -> None:
    """Wait until something that another process does is so."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)
