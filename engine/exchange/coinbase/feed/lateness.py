"""How far behind the venue a connection is, by the times that the venue writes on its frames."""

from __future__ import annotations

from typing import Final

LATE_NS: Final = 500_000_000
"""Further behind than when the connection was at its best: what comes is a backlog."""
FAR_NS: Final = 1_000_000_000
"""Further behind by the measured clock: nobody should quote on it."""
_FORGIVEN_PER_S: Final = 100_000
"""Nanoseconds by which the best is allowed to get worse in a second: two clocks never run alike."""
RECORDED_NS: Final = 60 * 10**9
"""Beyond this the times are those of a recording, or our clock is wrong: they tell nothing about the line."""


class Lateness:
    """The lag of one connection: local wall time at which a frame came, minus the venue's time on it.

    The two clocks are not the same, so the lag may be negative and only its growth means anything.
    """

    __slots__ = ("_best_ns", "_seen_ns", "lag_ns")

    def __init__(self) -> None:
        self.lag_ns: int | None = None
        """The last lag, clock difference included; None before the first frame that carries a time."""
        self._best_ns: int | None = None
        self._seen_ns = 0

    def reset(self) -> None:
        """A new connection."""
        self.lag_ns = self._best_ns = None

    def note(self, recv_ns: int, wall_ns: int, sent_ns: int) -> None:
        """A frame that was sent at `sent_ns` by the venue's clock has come."""
        lag = wall_ns - sent_ns
        if abs(lag) > RECORDED_NS:
            self.reset()
            return
        best = self._best_ns
        if best is not None:
            best += (recv_ns - self._seen_ns) * _FORGIVEN_PER_S // 10**9
        self._seen_ns = recv_ns
        self._best_ns = lag if best is None else min(best, lag)
        self.lag_ns = lag

    @property
    def behind_ns(self) -> int:
        """How much later the last frame was than the promptest; 0 before the first."""
        return 0 if self.lag_ns is None or self._best_ns is None else self.lag_ns - self._best_ns

    def late_by_ns(self, clock_offset_ns: int | None) -> int | None:
        """The real delay, where the difference of the clocks (venue's minus ours) has been measured."""
        if self.lag_ns is None or clock_offset_ns is None:
            return None
        return self.lag_ns + clock_offset_ns
