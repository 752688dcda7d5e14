"""A histogram of durations with bounded relative error and bounded memory.

The layout of HDR histograms (G. Tene, hdrhistogram.org): 32 linear buckets per power of two, so a value
is known to 1/32 at worst; below 64 it is exact.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from math import isqrt
from typing import Final

_SUB_BITS: Final = 5
_SUB_BUCKETS: Final = 1 << _SUB_BITS
_VALUE_BITS: Final = 42
_TOP: Final = (1 << _VALUE_BITS) - 1
_BUCKETS: Final = (_VALUE_BITS - _SUB_BITS + 1) * _SUB_BUCKETS

_QUARTER_OCTAVES: Final = sorted({isqrt(isqrt(1 << quarter)) for quarter in range(4 * _VALUE_BITS + 1)})
"""2**(n / 4), rounded down: the upper ends of the bins for people. Near 1 some of them are the same."""


def _highest_of(index: int) -> int:
    """The largest value that falls into a bucket."""
    shift = max(0, (index >> _SUB_BITS) - 1)
    return ((index - (shift << _SUB_BITS) + 1) << shift) - 1


_BIN_OF: Final = [bisect_left(_QUARTER_OCTAVES, _highest_of(index)) for index in range(_BUCKETS)]
"""By bucket, the bin it belongs to."""


class Histogram:
    """Counts of whole numbers (nanoseconds) from 0 to 2**42 (73 minutes); larger ones share the last bucket.

    `record` is the hot path. A quantile is the highest value its bucket stands for, so it is never below
    the true one and at most 3.1 % above; the maximum is exact.
    """

    __slots__ = ("_counts", "max")

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self.max = 0

    def record(self, value: int) -> None:
        """Count a value; one below 0 (something early) counts as 0."""
        if value > self.max:
            self.max = value
        shift = value.bit_length() - _SUB_BITS - 1
        if shift <= 0:
            self._counts[value if value > 0 else 0] += 1
        elif value <= _TOP:
            self._counts[(shift << _SUB_BITS) + (value >> shift)] += 1
        else:
            self._counts[-1] += 1

    @property
    def count(self) -> int:
        """Values recorded."""
        return sum(self._counts)

    def value_at(self, per_mille: int) -> int:
        """The value that `per_mille` thousandths of all values do not exceed (nearest rank); 0 when empty."""
        return self._values_at((per_mille,))[0]

    def _values_at(self, ranks_per_mille: tuple[int, ...]) -> list[int]:
        """Quantiles of one moment."""
        seen = list(accumulate(self._counts))
        if not (total := seen[-1]):
            return [0] * len(ranks_per_mille)
        # The first bucket up to which as many values were seen as the rank says.
        indices = [bisect_left(seen, max(1, -(-rank * total // 1000))) for rank in ranks_per_mille]
        return [min(_highest_of(i), self.max) if i < _BUCKETS - 1 else self.max for i in indices]

    def summary(self) -> dict[str, int]:
        """p50, p90, p99, p999, max and count."""
        p50, p90, p99, p999 = self._values_at((500, 900, 990, 999))
        return {"p50": p50, "p90": p90, "p99": p99, "p999": p999, "max": self.max, "count": self.count}

    def merge(self, other: Histogram) -> None:
        """Add another histogram's counts to this one's."""
        self._counts = [mine + theirs for mine, theirs in zip(self._counts, other._counts, strict=True)]
        self.max = max(self.max, other.max)

    def bins(self, most: int = 80) -> list[tuple[int, int]]:
        """(upper end, count) of neighbouring bins of a quarter octave each, rising, for a picture.

        From the first to the last bin that is not empty, with the empty ones between. Where these are more
        than `most`, neighbours are put together: the picture always holds every value.
        """
        counts: dict[int, int] = {}
        for place, count in zip(_BIN_OF, self._counts, strict=True):
            if count:
                counts[place] = counts.get(place, 0) + count
        if not counts:
            return []
        first, last = min(counts), max(counts)
        width = -(-(last - first + 1) // most)
        return [
            (
                _QUARTER_OCTAVES[min(start + width, last + 1) - 1],
                sum(counts.get(place, 0) for place in range(start, start + width)),
            )
            for start in range(first, last + 1, width)
        ]
