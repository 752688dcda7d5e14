"""The file that stops everything: whoever can write into the data folder can pull the plug."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

NAME: Final = "KILL"
POLL_EVERY_S: Final = 0.2


class KillFile:
    """Tells every appearance of a file named KILL once; touching it anew counts as one.

    It need not be a file: anything of that name will do, a folder or a link that leads nowhere too.
    """

    __slots__ = ("_last", "path")

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._last: tuple[int, int, int] | None = None
        """What was there at the last look."""

    def has_appeared(self) -> bool:
        """Look: True when it is there and was not, or was another one, at the last look."""
        last, self._last = self._last, self._look()
        return self._last is not None and self._last != last

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = os.lstat(self.path)
        except OSError:  # not there, or a folder that cannot be read: then there is nothing to be seen
            return None
        return found.st_dev, found.st_ino, found.st_mtime_ns
