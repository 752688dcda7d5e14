"""The fill ids a book of accounts has already seen, kept for good in little memory."""

from __future__ import annotations

from zlib import crc32

_TAIL = 3


class FillIds:
    """A set of fill ids that never forgets, because a venue may repeat a fill hours later.

    Venues number their trades. Ids that end in three digits share one bitmap per thousand, so a busy
    hour costs a few kilobytes where a set of strings costs megabytes; every other id (a UUID) goes into
    a plain set. Splitting an id into head and tail is one to one, so two ids never meet.
    """

    __slots__ = ("_checksum", "_pages", "_rest")

    def __init__(self) -> None:
        self._pages: dict[str, int] = {}
        self._rest: set[str] = set()
        self._checksum = 0

    def add(self, fill_id: str) -> bool:
        """Remember an id; False when it was already known."""
        tail = fill_id[-_TAIL:]
        if len(tail) == _TAIL and tail.isascii() and tail.isdigit():
            page, bit = fill_id[:-_TAIL], 1 << int(tail)
            seen = self._pages.get(page, 0)
            if seen & bit:
                return False
            self._pages[page] = seen | bit
        else:
            if fill_id in self._rest:
                return False
            self._rest.add(fill_id)
        self._checksum += crc32(fill_id.encode())
        return True

    @property
    def checksum(self) -> int:
        """A number that follows from the ids alone, in whatever order they came; for digests."""
        return self._checksum
