"""The tape as a client can know it: prints as they came with the views, and how many came in between."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median_low
from typing import Final

from engine.link.view import Trade

KEPT: Final = 1_000
"""Prints that are remembered."""
_RECENT: Final = 100
"""Prints whose median size is what is usual."""
_BIG: Final = 5
"""A print of so many usual sizes is a big one."""
_FEWEST: Final = 10
"""Below so many prints nothing is usual."""


@dataclass(frozen=True, slots=True)
class Print:
    """A print, numbered from the start of the engine."""

    number: int
    trade: Trade
    is_big: bool
    """Against what was usual when it came."""


@dataclass(frozen=True, slots=True)
class Missed:
    """Prints that came faster than views told of them, up to print `number`."""

    number: int
    count: int


class Tape:
    """The last prints of one product. `take` what every view tells."""

    def __init__(self) -> None:
        self._entries: deque[Print | Missed] = deque(maxlen=KEPT)
        self._sizes: deque[int] = deque(maxlen=_RECENT)
        self._count = 0
        self._newest_first: list[Print | Missed] = []

    @property
    def newest_first(self) -> list[Print | Missed]:
        """All that is remembered: the same list until there is more."""
        return self._newest_first

    def copy(self) -> Tape:
        """The same, which hears nothing more."""
        made = Tape()
        made._entries, made._sizes = self._entries.copy(), self._sizes.copy()
        made._count, made._newest_first = self._count, self._newest_first
        return made

    def take(self, trades: tuple[Trade, ...], count: int) -> None:
        """The last prints, oldest first, when `count` had been made in all."""
        if count != self._count:
            self._add(trades, count)
        if self._mark_ours(trades, count):
            self._newest_first = list(reversed(self._entries))

    def _add(self, trades: tuple[Trade, ...], count: int) -> None:
        if count < self._count:
            # Another engine, which has begun to count anew.
            self._entries.clear()
            self._sizes.clear()
            self._count = 0
        told = trades[-(count - self._count) :]
        missed = count - self._count - len(told)
        if missed:
            self._entries.append(Missed(self._count + missed, missed))
        if not self._sizes:
            self._sizes.extend(trade.size for trade in told)
        usual = median_low(self._sizes) if len(self._sizes) >= _FEWEST else None
        for number, trade in enumerate(told, count - len(told) + 1):
            self._entries.append(Print(number, trade, usual is not None and trade.size >= _BIG * usual))
            self._sizes.append(trade.size)
        self._count = count
        self._newest_first = list(reversed(self._entries))

    def _mark_ours(self, trades: tuple[Trade, ...], count: int) -> bool:
        """A fill of ours may become known only after its print. True when that was so."""
        ours = {count - back: trade for back, trade in enumerate(reversed(trades)) if trade.is_ours}
        is_changed = False
        for index in range(len(self._entries) - 1, -1, -1) if ours else ():
            entry = self._entries[index]
            if entry.number < min(ours):
                break
            if isinstance(entry, Print) and entry.number in ours and not entry.trade.is_ours:
                self._entries[index] = Print(entry.number, ours[entry.number], entry.is_big)
                is_changed = True
        return is_changed
