"""How the engine starts a watchdog: a new program in a session of its own, with one inherited socket."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

import engine

_KEPT: Final = frozenset({"PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "VIRTUAL_ENV"})
"""What the interpreter, clocks and certificates may need; nothing else of our environment is passed on."""


class Spawned(Protocol):
    """A watchdog that was started."""

    pid: int
    ended: asyncio.Event
    """Set when the process is gone and its remains are taken away."""

    def kill(self) -> None:
        """End it by force: for one that does not answer."""
        ...


Spawn = Callable[[socket.socket], Spawned]
"""Starts a watchdog that has this end of the line. Raises `OSError`."""


class WatchdogProcess:
    """A process that outlives us where it must: nobody waits for it at our end."""

    def __init__(self, theirs: socket.socket) -> None:
        """Start it. `OSError` when it cannot be."""
        descriptor = theirs.fileno()
        root = str(Path(engine.__file__).parents[1])
        kept = {name: value for name, value in os.environ.items() if name in _KEPT}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "engine.watchdog", str(descriptor)],
            pass_fds=(descriptor,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
            env=kept | {"PYTHONPATH": root},
        )
        self.pid = self._process.pid
        self.ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._wait, name=f"watchdog {self.pid}", daemon=True).start()

    def kill(self) -> None:
        """See `Spawned`."""
        self._process.kill()

    def _wait(self) -> None:
        self._process.wait()
        with suppress(RuntimeError):  # our loop has ended before it
            self._loop.call_soon_threadsafe(self.ended.set)
