"""Finds the product that keeps the others waiting: all Traders of an engine share one thread."""

from __future__ import annotations

from collections import deque
from typing import Final

SLOW: Final = "SLOW"
"""The code of the hold."""
LONG_NS: Final = 100_000_000
"""A Trader that needs longer for one wake-up makes every other product late."""
OFTEN: Final = 3
WITHIN_NS: Final = 10_000_000_000


class SlowProducts:
    """Counts long wake-ups by product; real time in nanoseconds.

    One may befall anybody, for the machine has other things to do. Three within ten seconds of the same
    product are its own doing, mostly its strategy's.
    """

    def __init__(self) -> None:
        self._long: dict[str, deque[int]] = {}

    def note(self, product: str, took_ns: int, now_ns: int) -> str:
        """A wake-up has ended that took so long. Why the product is to be paused; empty where it need not."""
        if took_ns < LONG_NS:
            return ""
        times = self._long.setdefault(product, deque(maxlen=OFTEN))
        times.append(now_ns)
        if len(times) < OFTEN or now_ns - times[0] > WITHIN_NS:
            return ""
        times.clear()
        return (
            f"{product} took {took_ns // 1_000_000} ms to decide, {LONG_NS // 1_000_000} ms or more for the "
            f"{OFTEN}rd time within {WITHIN_NS // 1_000_000_000} s: the other products wait for it"
        )
