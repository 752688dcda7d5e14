"""The fill ids a book of accounts has already seen, kept for good in little memory."""

from __future__ import annotations

from typing import Final
from zlib import crc32

import msgspec

_TAIL: Final = 3
_PAGE_BYTES: Final = 125


class FillIdsState(msgspec.Struct, frozen=True):
    """The ids as `FillIds` keeps them: bitmaps of a thousand bits by head, all others as they are."""

    pages: dict[str, bytes]
    rest: set[str]
    checksum: int


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

    def __contains__(self, fill_id: str) -> bool:
        """True for an id that was added."""
        tail = fill_id[-_TAIL:]
        if len(tail) == _TAIL and tail.isascii() and tail.isdigit():
            return bool(self._pages.get(fill_id[:-_TAIL], 0) & 1 << int(tail))
        return fill_id in self._rest

    def save(self) -> FillIdsState:
        """All of it, copied."""
        pages = {page: seen.to_bytes(_PAGE_BYTES, "little") for page, seen in self._pages.items()}
        return FillIdsState(pages, set(self._rest), self._checksum)

    def load(self, state: FillIdsState) -> None:
        """Know what was known then, and nothing else."""
        self._pages = {page: int.from_bytes(seen, "little") for page, seen in state.pages.items()}
        self._rest = set(state.rest)
        self._checksum = state.checksum

    @property
    def checksum(self) -> int:
        """A number that follows from the ids alone, in whatever order they came; for digests."""
        return self._checksum
