"""Text from and for the venue: figures of any spelling as exact decimals, and times."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import msgspec

from engine.core.instrument import parse_decimal

_NS: Final = 10**9
_NO_TEXT: Final = msgspec.Raw(b"null")


def figure(raw: msgspec.Raw, what: str) -> Decimal | None:
    """A figure that the venue wrote as text or as a JSON number, exactly; None for null and for no text.

    Raises `ValueError` (`InstrumentError`) for anything that is no plain finite number.
    """
    text = bytes(raw or _NO_TEXT).decode("ascii", "replace").strip()
    if text.startswith('"'):
        text = text[1:-1]
        if not text:
            return None
    elif text == "null":
        return None
    return parse_decimal(text, what)


def amount(raw: msgspec.Raw, what: str) -> Decimal:
    """A figure that counts as 0 where the venue leaves it out."""
    return figure(raw, what) or Decimal(0)


def required(raw: msgspec.Raw, what: str) -> Decimal:
    """A figure without which nothing can be said; `ValueError` where the venue leaves it out."""
    value = figure(raw, what)
    if value is None:
        raise ValueError(f"{what} is missing")
    return value


def plain(value: Decimal) -> str:
    """A decimal as the venue takes it: no exponent, no zeros at the end. Exact."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def rfc3339(wall_ns: int) -> str:
    """A time as the venue takes it, in whole microseconds, rounded down."""
    seconds, rest = divmod(wall_ns, _NS)
    head = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    micros = rest // 1_000
    return f"{head}.{micros:06d}Z" if micros else f"{head}Z"
