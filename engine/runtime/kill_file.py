"""The engine's look at the KILL file, five times a second on its own loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from engine.core.kill_file import POLL_EVERY_S, KillFile


class KillFileWatch:
    """An `Edge` that calls `on_kill(reason)` once for every appearance of KILL in the data folder.

    A file that is there from the start counts: nobody has taken it away, so nobody has changed their mind.
    """

    def __init__(self, data_dir: Path, on_kill: Callable[[str], None]) -> None:
        self._file = KillFile(data_dir)
        self._on_kill = on_kill
        self._timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """See `Edge`."""
        self._look()

    async def stop(self) -> None:
        """See `Edge`."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(POLL_EVERY_S, self._look)
        if self._file.has_appeared():
            self._on_kill(f"the file {self._file.path} appeared; remove it before trading is rearmed")
