"""Control R13: what was sent against what was meant to be sent.

An order loop is a program that goes on sending what it has sent already. Each order of it may be small and
well priced; only the comparison with what the decisions asked for shows it.
"""

from __future__ import annotations

from typing import Final

import msgspec

WINDOW_S: Final = 10
_S: Final = 1_000_000_000


class RunawayState(msgspec.Struct, frozen=True):
    """The lots of each second of the window as (second, meant, sent), and what is meant to be working."""

    seconds: tuple[tuple[int, int, int], ...]
    newest: int
    standing: dict[str, tuple[int, int]]


class Runaway:
    """Counts lots over the last ten seconds.

    Meant is what a decision asks for beyond what it asked for last: another price or size in a slot, or a
    slot again after the grounds have changed, as a fill changes them. It is never less than all that is
    wanted now, because old quotes are renewed. Sent is what left, less what the venue has proven to be gone
    unfilled. So quoting that does what it is told stays below 2, however fast it is.
    """

    __slots__ = ("_meant", "_newest", "_seconds", "_sent", "_standing", "_standing_lots")

    def __init__(self) -> None:
        self._seconds: dict[int, list[int]] = {}
        """Lots meant and lots sent, by second."""
        self._newest = -1
        """The last second that anything was asked in."""
        self._meant = self._sent = 0
        """Of all those seconds."""
        self._standing: dict[str, tuple[int, int]] = {}
        """By slot, the price and size that was asked for last."""
        self._standing_lots = 0

    def mean(self, slot: str, price: int, size: int, now_ns: int) -> None:
        """A decision asks for an order."""
        old = self._standing.get(slot)
        if old == (price, size):
            return
        self._standing[slot] = (price, size)
        self._standing_lots += size - (0 if old is None else old[1])
        self._at(now_ns)[0] += size
        self._meant += size

    def forget(self) -> None:
        """The grounds have changed: what is asked for next is meant anew."""
        self._standing.clear()
        self._standing_lots = 0

    def is_beyond(self, size: int, ratio: int, now_ns: int) -> bool:
        """True when `size` lots more would be more than `ratio` times what was meant."""
        if now_ns // _S != self._newest:
            self._at(now_ns)
        return self._sent + size > ratio * max(self._meant, self._standing_lots)

    def send(self, size: int, now_ns: int) -> None:
        """An order leaves."""
        self._at(now_ns)[1] += size
        self._sent += size

    def come_back(self, size: int, sent_ns: int) -> None:
        """The venue has proven that so many lots of an order sent at that time will never fill."""
        counted = self._seconds.get(sent_ns // _S)
        if counted is not None:
            counted[1] -= size
            self._sent -= size

    def totals(self, now_ns: int) -> tuple[int, int]:
        """Lots meant and lots sent within the window."""
        self._at(now_ns)
        return max(self._meant, self._standing_lots), self._sent

    def _at(self, now_ns: int) -> list[int]:
        """What is counted in a second; those that have left the window are dropped."""
        second = now_ns // _S
        if second != self._newest:
            self._newest = second
            for old in [each for each in self._seconds if each <= second - WINDOW_S]:
                meant, sent = self._seconds.pop(old)
                self._meant -= meant
                self._sent -= sent
            self._seconds.setdefault(second, [0, 0])
        return self._seconds[second]

    def save(self) -> RunawayState:
        """All of it, copied."""
        seconds = tuple((second, meant, sent) for second, (meant, sent) in self._seconds.items())
        return RunawayState(seconds, self._newest, self._standing.copy())

    def load(self, state: RunawayState) -> None:
        """Go on from there."""
        self._seconds = {second: [meant, sent] for second, meant, sent in state.seconds}
        self._newest = state.newest
        self._meant = sum(meant for _, meant, _ in state.seconds)
        self._sent = sum(sent for _, _, sent in state.seconds)
        self._standing = dict(state.standing)
        self._standing_lots = sum(size for _, size in self._standing.values())
