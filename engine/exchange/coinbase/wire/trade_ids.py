"""Which trades have been seen: ids of one product as ranges, because they come almost without holes."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

_MOST_RANGES: Final = 1_024


class TradeIds:
    """The ids of one product's trades. Memory grows with the holes, and the oldest holes are forgotten."""

    __slots__ = ("_ends", "_starts", "count")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.count: int = 0
        """Distinct ids seen."""

    def last(self) -> int | None:
        """The highest id seen, None before the first."""
        return self._ends[-1] if self._ends else None

    def add(self, trade_id: int) -> bool:
        """Note an id; False when it was known."""
        ends = self._ends
        if ends and trade_id == ends[-1] + 1:
            ends[-1] = trade_id
            self.count += 1
            return True
        starts = self._starts
        place = bisect_left(ends, trade_id)
        if place < len(ends) and starts[place] <= trade_id:
            return False
        joins_left = place > 0 and ends[place - 1] == trade_id - 1
        joins_right = place < len(ends) and starts[place] == trade_id + 1
        if joins_left and joins_right:
            ends[place - 1] = ends[place]
            del starts[place], ends[place]
        elif joins_left:
            ends[place - 1] = trade_id
        elif joins_right:
            starts[place] = trade_id
        else:
            starts.insert(place, trade_id)
            ends.insert(place, trade_id)
            if len(ends) > _MOST_RANGES:
                ends[0] = ends[1]
                del starts[1], ends[1]
        self.count += 1
        return True
