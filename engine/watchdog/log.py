"""The watchdog's log: JSON lines in the session's folder, which the next start reads.

Nothing secret is ever in it: lines are made of ids, codes, counts and sentences.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from engine.core.foreign_text import harmless

FILE: Final = "watchdog.jsonl"
"""Its name in the session's folder."""
_MOST_TEXT: Final = 2_000
_MOST_BYTES: Final = 16 << 20
"""Of the end of a log that is read."""


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line. `event` is one of `watching`, `waiting`, `ready`, `fired`, `listed`, `cancel`, `proof`,
    `late_look`, `trouble`, `end`."""

    wall_ns: int
    pid: int
    event: str
    text: str = ""
    orders: tuple[str, ...] = ()
    """Client ids, or the venue's where there is none."""
    is_proven: bool = False


class WatchdogLog:
    """Appends lines; a disk that fails stops no cancel.

    A line that would only repeat the last one of its event is left out, so that a venue that is down for a
    day does not fill the disk.
    """

    def __init__(self, path: str) -> None:
        """Open or begin the file, readable by its user alone."""
        self._pid = os.getpid()
        self._last: dict[str, tuple[str, tuple[str, ...]]] = {}
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.open(path, flags, 0o600)
        except OSError:
            self._file = -1

    def write(
        self,
        wall_ns: int,
        event: str,
        text: str = "",
        orders: tuple[str, ...] = (),
        *,
        is_proven: bool = False,
    ) -> None:
        """Append a line, unless it says what the last one of this event said."""
        said = harmless(text, _MOST_TEXT), orders
        if self._last.get(event) == said:
            return
        self._last[event] = said
        line = Line(wall_ns, self._pid, event, *said, is_proven=is_proven)
        try:
            os.write(self._file, msgspec.json.encode(line) + b"\n")
        except OSError:
            return

    def close(self) -> None:
        """Put it on the disk."""
        if self._file >= 0:
            try:
                os.fsync(self._file)
            except OSError:
                pass
            os.close(self._file)
            self._file = -1


def read_log(folder: Path) -> list[Line]:
    """The lines of a session's watchdogs, oldest first; none where there is no log. A line that a crash has
    cut off is left out. Raises `OSError` when the disk fails."""
    try:
        with open(folder / FILE, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(size - _MOST_BYTES, 0))
            raw = file.read()
    except FileNotFoundError:
        return []
    lines = []
    for text in raw.splitlines():
        try:
            lines.append(msgspec.json.decode(text, type=Line))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
    return lines
