"""Reading the file of a recording: one JSON object a line, `dir`, `raw`, and when it was (`ts`)."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from engine.core.errors import RecordingError

_SCANNED_LINES: Final = 500
_SCANNED_CHARACTERS: Final = 4_000
_ENVELOPE: Final = '"sequence_num":'
"""What every frame of Advanced Trade has near its beginning, and no frame of another API."""
_PRODUCT_ID: Final = re.compile(r'"product_id":"([A-Z0-9-]+)"')


class _Line(msgspec.Struct):
    dir: str
    raw: str
    ts: float | str | None = None


class FrameText(NamedTuple):
    """A frame that was received."""

    raw: str
    at_ns: int
    """When it was received, by the recorder's wall clock."""


def recorded_products(path: Path) -> tuple[str, ...]:
    """Products that the beginning of a recording speaks of. `RecordingError` where it cannot be read."""
    found: dict[str, None] = {}
    for line in islice(_lines(path), _SCANNED_LINES):
        if line.dir == "recv" and _ENVELOPE in line.raw[:_SCANNED_CHARACTERS]:
            found.update(dict.fromkeys(_PRODUCT_ID.findall(line.raw[:_SCANNED_CHARACTERS])))
    if not found:
        raise RecordingError(f"{path} holds no market data of Advanced Trade: nothing can be played")
    return tuple(found)


def _lines(path: Path) -> Iterator[_Line]:
    decoder = msgspec.json.Decoder(_Line)
    read = 0
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rb") as file:
            for line in file:
                yield decoder.decode(line)
                read += 1
    except (OSError, EOFError, msgspec.DecodeError) as error:
        raise RecordingError(f"{path}, line {read + 1}: cannot be played: {error}") from error


def frames(path: Path) -> Iterator[FrameText]:
    """Every frame that was received, in order. Raises `RecordingError` where the file is damaged."""
    at_ns = 0
    for line in _lines(path):
        if line.dir != "recv":
            continue
        if line.ts is not None:
            # Two frames never change places because a recorder's clock was set back.
            at_ns = max(at_ns, int(Decimal(str(line.ts)) * 1_000_000_000))
        yield FrameText(line.raw, at_ns)
