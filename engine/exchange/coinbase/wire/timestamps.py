"""Venue times: RFC 3339 with six to nine fractional digits, as integer nanoseconds since 1970."""

from __future__ import annotations

from datetime import UTC, datetime


class TimeParser:
    """Reads the times of one connection. Whole seconds are remembered: most frames share theirs."""

    __slots__ = ("_head", "_head_ns")

    def __init__(self) -> None:
        self._head: str = ""
        self._head_ns: int = 0

    def ns(self, text: str) -> int:
        """Nanoseconds since 1970, or 0 for no usable time.

        The year-1 and 1970 sentinels, a missing zone and anything that is not a time are all "none": a
        venue's clock is information, never a reason to refuse market data.
        """
        head = text[:19]
        if head != self._head:
            seconds = _seconds(head)
            if seconds <= 0:
                return 0
            self._head, self._head_ns = head, seconds * 1_000_000_000
        tail = text[20:-1]
        if tail:
            if text[-1] != "Z" or text[19] != "." or len(tail) > 9 or not tail.isdecimal():
                return 0
            return self._head_ns + int(tail) * _SCALE[len(tail)]
        return self._head_ns if text[19:] == "Z" else 0


_SCALE: tuple[int, ...] = tuple(10 ** (9 - digits) for digits in range(10))


def _seconds(head: str) -> int:
    try:
        return int(datetime.strptime(head, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC).timestamp())
    except (ValueError, OverflowError):
        return 0
