"""The lease: an order may leave only while a watchdog is known to watch."""

from __future__ import annotations

from typing import Final

from engine.core.clock import Clock

LEASE_NS: Final = 2_500_000_000
"""Shorter than the watchdog's patience: it has run out before the watchdog acts."""


class Lease:
    """Held while the last confirmed beat was *sent* less than 2.5 s ago. Tested at the last gate.

    It counts from the sending, so an engine that wakes from a stop holds none, whatever answers wait for it.
    """

    __slots__ = ("_clock", "_sent_ns")

    def __init__(self, clock: Clock) -> None:
        """`clock` is the one that beats are stamped with."""
        self._clock = clock
        self._sent_ns: int | None = None

    def is_held(self) -> bool:
        """Whether an order may leave now."""
        return self._sent_ns is not None and self._clock.monotonic_ns() - self._sent_ns < LEASE_NS

    @property
    def age_ns(self) -> int | None:
        """How long ago the last confirmed beat was sent; None without one."""
        return None if self._sent_ns is None else self._clock.monotonic_ns() - self._sent_ns

    def confirm(self, sent_ns: int) -> None:
        """A beat that was sent then is confirmed; an older one than the last changes nothing."""
        if self._sent_ns is None or sent_ns > self._sent_ns:
            self._sent_ns = sent_ns

    def revoke(self) -> None:
        """It ends now: the watchdog is gone, or has begun to cancel."""
        self._sent_ns = None
