"""A moment of a recorded session as a person writes it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from engine.core.errors import UsageError

_S: Final = 1_000_000_000
_SPAN: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d{1,9})?)s)?", re.ASCII)
_TIME: Final = re.compile(r"(?:(\d{4}-\d\d-\d\d)[T ])?(\d\d:\d\d(?::\d\d)?)(\.\d{1,9})?Z?", re.ASCII)
_FORMS: Final = (
    "a record's number (24360), a time of day of the market (09:13:38.4, with its date where that is not "
    "clear: 2026-01-05T09:13:38), or a time since the start (90s, 12m31s)"
)


class Moment(NamedTuple):
    """One of the two is set."""

    seq: int | None = None
    time_ns: int | None = None
    """Engine time."""


def parse(text: str, start_wall_ns: int, last_wall_ns: int) -> Moment:
    """What a person means. `start_wall_ns` is the market's wall time at engine time 0.

    A time of day without a date is the first one at or after the start. Raises `UsageError` for what is
    none of the forms, and for a time of day that the session does not reach.
    """
    wanted = text.strip()
    if wanted.isascii() and wanted.isdigit():
        return Moment(seq=int(wanted))
    span = _SPAN.fullmatch(wanted)
    if span is not None and any(span.groups()):
        hours, minutes, seconds = span.groups()
        total = int(hours or 0) * 3_600 + int(minutes or 0) * 60 + Decimal(seconds or 0)
        return Moment(time_ns=int(total * _S))
    found = _TIME.fullmatch(wanted)
    if found is None:
        raise UsageError(f"{text!r} is no moment of a session: {_FORMS}")
    return Moment(time_ns=_wall_ns(found, text, start_wall_ns, last_wall_ns) - start_wall_ns)


def _wall_ns(found: re.Match[str], text: str, start_wall_ns: int, last_wall_ns: int) -> int:
    day, clock, fraction = found.groups()
    start = datetime.fromtimestamp(start_wall_ns // _S, UTC)
    try:
        date = start.date() if day is None else datetime.fromisoformat(day).date()
        at = datetime.combine(date, time.fromisoformat(clock), UTC)
    except ValueError:
        raise UsageError(f"{text!r} is no moment of a session: {_FORMS}") from None
    part = int(Decimal(fraction or 0) * _S)
    wall_ns = int(at.timestamp()) * _S + part
    if day is None and wall_ns < start_wall_ns:
        wall_ns = int((at + timedelta(days=1)).timestamp()) * _S + part
    if not start_wall_ns <= wall_ns <= last_wall_ns:
        last = datetime.fromtimestamp(last_wall_ns // _S, UTC)
        raise UsageError(
            f"{text}: the session runs from {start:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC"
        )
    return wall_ns
