"""`doctor`: this machine: the disk under the sessions, the terminal, the program and its limits."""

from __future__ import annotations

import codecs
import os
import platform
import resource
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from engine.commands.doctor_check import Check, Verdict
from engine.core.clock import Clock

_MIB: Final = 1 << 20
_LEAST_FREE: Final = 256 * _MIB
"""Below this the journal soon refuses new orders;"""
_LITTLE_FREE: Final = 2_048 * _MIB
"""below this a day of market data may fill the disk."""
_SYNCS: Final = 9
_BLOCK: Final = bytes(4_096)
_SLOW_NS: Final = 1_000_000_000
_LATE_NS: Final = 25_000_000
_USUAL_COLUMNS: Final = 80
_USUAL_ROWS: Final = 24
_LEAST_DESCRIPTORS: Final = 256
_LEAST_PYTHON: Final = (3, 11)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the command was started."""

    environ: Mapping[str, str]
    is_terminal: bool
    columns: int
    rows: int
    encoding: str
    """How text is written to the terminal."""
    least: tuple[int, int]
    """Columns and rows below which the screen cannot be read."""
    version: str
    """Of this program."""
    exposures: tuple[str, ...]
    """What its process is open to, as `engine.credentials.hardening` has it."""


def check_disk(
    folder: Path,
    clock: Clock,
    *,
    fsync: Callable[[int], None] = os.fsync,
    statvfs: Callable[[Path], os.statvfs_result] = os.statvfs,
) -> list[Check]:
    """Whether sessions can be written to `folder`, how much room there is, how long a sync takes.

    Where it does not exist yet, that is asked of the nearest folder above it that does.
    """
    place = next(path for path in [folder.absolute(), *folder.absolute().parents] if path.exists())
    named = str(folder) if place == folder.absolute() else f"{folder} (not made yet; looked at {place})"
    try:
        took = _sync_times(place, clock, fsync)
    except OSError as error:
        return [
            Check(
                "disk",
                "writable",
                Verdict.FAIL,
                f"{named} cannot be written: {error.strerror or error}",
                "make it writable, or name another folder with --data-dir",
            )
        ]
    status = statvfs(place)
    return [
        Check("disk", "writable", Verdict.OK, named),
        free_check(status.f_bavail * status.f_frsize),
        sync_check(took),
    ]


def _sync_times(place: Path, clock: Clock, fsync: Callable[[int], None]) -> list[int]:
    """Nanoseconds for each of a few small writes to reach the disk, in a file without a name."""
    took = []
    with tempfile.TemporaryFile(dir=place) as file:
        for _ in range(_SYNCS):
            began = clock.monotonic_ns()
            file.write(_BLOCK)
            file.flush()
            fsync(file.fileno())
            took.append(clock.monotonic_ns() - began)
    return took


def free_check(free: int) -> Check:
    """What so many free bytes mean."""
    words = f"{free // _MIB:,} MiB are free"
    if free < _LEAST_FREE:
        return Check("disk", "space", Verdict.FAIL, f"{words}: no order would be sent", "make room")
    if free < _LITTLE_FREE:
        return Check("disk", "space", Verdict.WARN, f"{words}: little for a day of market data", "make room")
    return Check("disk", "space", Verdict.OK, words)


def sync_check(took_ns: list[int]) -> Check:
    """What the times of a few syncs mean."""
    usual, most = int(median(took_ns)), max(took_ns)
    words = (
        f"a write is on the disk after {usual / 1e6:.1f} ms, {most / 1e6:.1f} ms at most of {len(took_ns)}"
    )
    if most > _SLOW_NS:
        return Check(
            "disk",
            "sync",
            Verdict.FAIL,
            f"{words}: quotes would be pulled",
            "use a local disk for --data-dir",
        )
    if usual > _LATE_NS:
        return Check(
            "disk",
            "sync",
            Verdict.WARN,
            f"{words}: in live mode every order waits for it",
            "use a local SSD for --data-dir",
        )
    return Check("disk", "sync", Verdict.OK, words)


def check_terminal(around: Surroundings) -> list[Check]:
    """Whether the screen can be drawn here, and how well."""
    if not around.is_terminal:
        return [Check("terminal", "terminal", Verdict.SKIPPED, "this is none; --no-ui needs none")]
    return [_size(around), _colours(around), _letters(around)]


def _size(around: Surroundings) -> Check:
    words = f"{around.columns}x{around.rows}"
    columns, rows = around.least
    if around.columns < columns or around.rows < rows:
        return Check(
            "terminal", "size", Verdict.WARN, f"{words}, {columns}x{rows} is the least", "make it larger"
        )
    if around.columns < _USUAL_COLUMNS or around.rows < _USUAL_ROWS:
        usual = f"{_USUAL_COLUMNS}x{_USUAL_ROWS}"
        return Check(
            "terminal",
            "size",
            Verdict.WARN,
            f"{words}: some panels are left out below {usual}",
            "make it larger",
        )
    return Check("terminal", "size", Verdict.OK, words)


def _colours(around: Surroundings) -> Check:
    term, colours = around.environ.get("TERM", ""), around.environ.get("COLORTERM", "")
    if term in ("", "dumb", "unknown"):
        return Check(
            "terminal",
            "colours",
            Verdict.FAIL,
            f"TERM={term}: this terminal cannot draw a screen",
            "set TERM to what it is, as xterm-256color, or run with --no-ui",
        )
    if "NO_COLOR" in around.environ:
        return Check("terminal", "colours", Verdict.OK, f"TERM={term}; NO_COLOR asks for none")
    if colours in ("truecolor", "24bit"):
        return Check("terminal", "colours", Verdict.OK, f"TERM={term}, 16 million")
    if "256color" in term:
        return Check("terminal", "colours", Verdict.OK, f"TERM={term}, 256")
    return Check(
        "terminal",
        "colours",
        Verdict.WARN,
        f"TERM={term}: perhaps 16 only",
        "where it can do more, set COLORTERM=truecolor",
    )


def _letters(around: Surroundings) -> Check:
    if _codec(around.encoding) == "utf-8":
        return Check("terminal", "letters", Verdict.OK, "UTF-8")
    return Check(
        "terminal",
        "letters",
        Verdict.WARN,
        f"{around.encoding}: lines and bars may look wrong",
        "set a UTF-8 locale, as LANG=C.UTF-8",
    )


def _codec(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:
        return name


def check_program(around: Surroundings) -> list[Check]:
    """Which program this is, on what, what the system lets it open, and who can look into it."""
    python = platform.python_version()
    words = f"pinnacle-tui {around.version}, Python {python}, {platform.system()} {platform.machine()}"
    is_old = sys.version_info[:2] < _LEAST_PYTHON
    return [
        Check("program", "version", Verdict.FAIL, words, "install Python 3.11 or newer")
        if is_old
        else Check("program", "version", Verdict.OK, words),
        descriptors_check(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        hardening_check(around.exposures),
    ]


def descriptors_check(most: int) -> Check:
    """What so many file descriptors mean."""
    if most == resource.RLIM_INFINITY:
        return Check("program", "files", Verdict.OK, "any number of open files")
    words = f"{most:,} open files"
    if most < _LEAST_DESCRIPTORS:
        return Check(
            "program",
            "files",
            Verdict.WARN,
            f"{words}: connections may fail",
            f"ulimit -n {16 * _LEAST_DESCRIPTORS}",
        )
    return Check("program", "files", Verdict.OK, words)


def hardening_check(exposures: Sequence[str]) -> Check:
    """What it means that this process is open to so much."""
    if exposures:
        return Check(
            "program",
            "hardening",
            Verdict.WARN,
            " and ".join(exposures),
            "let the container or the sandbox it runs in allow prctl and setrlimit",
        )
    return Check("program", "hardening", Verdict.OK, "closed to other programs of yours, no core file")
