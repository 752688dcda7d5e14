"""Control R20: every client order id that was ever used in this session, kept in little memory."""

from __future__ import annotations

from typing import Final

import msgspec

_TAIL: Final = 3
_BITS: Final = {f"{bit:0{_TAIL}x}": bit for bit in range(16**_TAIL)}
"""The place of each end of an id in its page. Looking it up costs less than working it out."""


class UsedIdsState(msgspec.Struct, frozen=True):
    """Bitmaps by the head of the ids, and the ids that do not end in hexadecimal digits."""

    pages: dict[str, bytes]
    rest: set[str]


class UsedIds:
    """A set of ids that never forgets.

    Our ids count up in hexadecimal digits: 4096 of them that follow each other share a bitmap of half a
    kilobyte. Any other id goes into a plain set.
    """

    __slots__ = ("_pages", "_rest")

    def __init__(self) -> None:
        self._pages: dict[str, bytearray] = {}
        self._rest: set[str] = set()

    def __contains__(self, client_id: str) -> bool:
        bit = _BITS.get(client_id[-_TAIL:])
        if bit is None:
            return client_id in self._rest
        page = self._pages.get(client_id[:-_TAIL])
        return page is not None and page[bit >> 3] >> (bit & 7) & 1 == 1

    def add(self, client_id: str) -> None:
        """It is used from now on."""
        bit = _BITS.get(client_id[-_TAIL:])
        if bit is None:
            self._rest.add(client_id)
            return
        head = client_id[:-_TAIL]
        page = self._pages.get(head)
        if page is None:
            page = self._pages[head] = bytearray(len(_BITS) // 8)
        page[bit >> 3] |= 1 << (bit & 7)

    def save(self) -> UsedIdsState:
        """All of it, copied."""
        return UsedIdsState({head: bytes(used) for head, used in self._pages.items()}, set(self._rest))

    def load(self, state: UsedIdsState) -> None:
        """Know what was known then, and nothing else."""
        self._pages = {head: bytearray(used) for head, used in state.pages.items()}
        self._rest = set(state.rest)
