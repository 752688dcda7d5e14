"""Damage to a stream of bytes: turned, lost, doubled, cut off."""

from __future__ import annotations

import enum
from random import Random
from typing import NamedTuple


class Kind(enum.Enum):
    """What happens to a few bytes."""

    FLIP = "flip"
    """One bit of each is turned."""
    DROP = "drop"
    """They vanish; the stream goes on behind them."""
    DUPLICATE = "duplicate"
    """They come twice."""
    TRUNCATE = "truncate"
    """The stream ends before them (FIN); `size` means nothing."""


class Damage(NamedTuple):
    """Damage to `size` bytes, `at` bytes from now."""

    kind: Kind
    at: int = 0
    size: int = 1


class Mangler:
    """Does the damage to one direction of one connection. Pure: bytes in, bytes out."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._offset = 0
        self._pending: list[tuple[int, Damage]] = []
        self._copy = b""
        self.is_ended = False

    def give(self, damage: Damage) -> None:
        self._pending.append((self._offset + damage.at, damage))
        self._pending.sort(key=lambda each: each[0])

    def pass_on(self, data: bytes) -> bytes:
        """What leaves instead of `data`. After a TRUNCATE nothing does, and `is_ended` is set."""
        out = bytearray()
        start, end = self._offset, self._offset + len(data)
        self._offset = end
        while data and self._pending and self._pending[0][0] < end:
            at, damage = self._pending.pop(0)
            intact = max(0, at - start)
            out += data[:intact]
            data, start = data[intact:], max(start, at)
            if damage.kind is Kind.TRUNCATE:
                self.is_ended = True
                return bytes(out)
            hit, data = data[: damage.size], data[damage.size :]
            start += len(hit)
            rest = damage.size - len(hit)
            out += self._damaged(damage.kind, hit, is_whole=not rest)
            if rest:  # it goes on in the next chunk
                self._pending.insert(0, (start, damage._replace(size=rest)))
        return bytes(out + data)

    def _damaged(self, kind: Kind, hit: bytes, *, is_whole: bool) -> bytes:
        if kind is Kind.FLIP:
            return bytes(byte ^ (1 << self._random.randrange(8)) for byte in hit)
        if kind is Kind.DROP:
            return b""
        self._copy += hit
        if not is_whole:
            return hit
        again, self._copy = self._copy, b""
        return hit + again
