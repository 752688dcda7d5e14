"""The venue's clock beside ours: measured over REST, applied to every token and signature."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from engine.core.clock import Clock
from engine.exchange.coinbase.broker import BrokerError

WARN_NS: Final = 250_000_000
"""A clock that is off by more deserves a word to the operator; what more it costs is the caller's matter."""
_SAMPLES: Final = 3


class ServerClock:
    """What the venue's clock says, by the best sample of the last measurement."""

    __slots__ = ("_clock", "_measured_at_ns", "_offset_ns", "_uncertainty_ns")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset_ns: int | None = None
        self._uncertainty_ns = 0
        self._measured_at_ns = 0

    @property
    def offset_ns(self) -> int | None:
        """Server time minus ours; None before the first measurement."""
        return self._offset_ns

    @property
    def uncertainty_ns(self) -> int:
        """By how much the offset may be wrong: half the round trip of the sample that was taken."""
        return self._uncertainty_ns

    @property
    def age_ns(self) -> int | None:
        """How long ago it was measured, by the monotonic clock; None before the first measurement."""
        if self._offset_ns is None:
            return None
        return self._clock.monotonic_ns() - self._measured_at_ns

    @property
    def warning(self) -> str | None:
        """What to tell the operator about our clock; None while it is good enough or not known."""
        offset_ns = self._offset_ns
        if offset_ns is None or abs(offset_ns) <= WARN_NS + self._uncertainty_ns:
            return None
        direction = "behind" if offset_ns > 0 else "ahead of"
        return (
            f"this machine's clock is {abs(offset_ns) / 1e9:.2f} s {direction} the venue's; "
            "orders are signed with the venue's time. Set the clock (timedatectl set-ntp true)"
        )

    def wall_ns(self) -> int:
        """Our wall time as the venue sees it; uncorrected before the first measurement."""
        return self._clock.wall_ns() + (self._offset_ns or 0)

    async def measure(self, ask: Callable[[], Awaitable[int]]) -> int:
        """Ask the venue for its time (nanoseconds since 1970) a few times; the offset by the quickest answer.

        What `ask` raises goes through when no sample succeeded; the last measurement then stands.
        """
        best: tuple[int, int] | None = None
        failure: BrokerError | None = None
        for _ in range(_SAMPLES):
            wall_ns, sent_ns = self._clock.wall_ns(), self._clock.monotonic_ns()
            try:
                server_ns = await ask()
            except BrokerError as error:
                failure = error
                continue
            # The monotonic clock bridges the wait: the wall clock may be set during it.
            trip_ns = self._clock.monotonic_ns() - sent_ns
            sample = (trip_ns, server_ns - (wall_ns + trip_ns // 2))
            if best is None or sample < best:
                best = sample
        if best is None:
            assert failure is not None
            raise failure
        self._measured_at_ns = self._clock.monotonic_ns()
        self._uncertainty_ns, self._offset_ns = best[0] // 2, best[1]
        return best[1]
