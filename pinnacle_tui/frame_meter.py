"""What a frame costs, whether that is too much, and whether the screen stood still."""

from __future__ import annotations

from typing import Final

from engine.link.settings import RATES

_WINDOW_NS: Final = 1_000_000_000
_MOST_SHARE: Final = 0.35
"""Of one core, the whole process. Drawing is to take 10 ms a frame, 10 % at ten frames a second; so much
more is left that a busy machine, a burst of views or thirty frames a second on a large screen are no reason
to draw less often. Beyond it the person's machine has something better to do."""
_PATIENCE: Final = 5
"""Windows over budget in a row before the rate is halved."""
_STALL_NS: Final = 1_500_000_000
"""A gap between two frames that a person notices as a frozen display."""


def lower_rate(hz: int) -> int:
    """The rate of the list that is at most half of `hz`; the lowest where there is none."""
    return max((rate for rate in RATES if rate <= hz / 2), default=RATES[0])


def known_rate(hz: int) -> int:
    """The rate of the list that is nearest below `hz`."""
    return max((rate for rate in RATES if rate <= hz), default=RATES[0])


class FrameMeter:
    """Counts frames and the processor time they cost, over windows of a second.

    Times are nanoseconds of a monotonic clock and of the process's processor time.
    """

    def __init__(self) -> None:
        self.frame_ns = 0
        """Processor time of a frame, everything that drawing causes included; of the last window."""
        self.fps = 0.0
        self.share = 0.0
        """Of one core."""
        self.worst_gap_ns = 0
        """Between two frames, of the last window."""
        self._frames = 0
        self._gap_ns = 0
        self._began: tuple[int, int] | None = None
        self._last_ns: int | None = None
        self._over = 0

    def tick(self, now_ns: int, cpu_ns: int) -> None:
        """A frame begins."""
        if self._last_ns is not None:
            self._gap_ns = max(self._gap_ns, now_ns - self._last_ns)
        self._last_ns = now_ns
        self._frames += 1
        if self._began is None:
            self._began = (now_ns, cpu_ns)
            self._frames = 0
            return
        span = now_ns - self._began[0]
        if span < _WINDOW_NS or not self._frames:
            return
        used = cpu_ns - self._began[1]
        self.frame_ns = used // self._frames
        self.fps = self._frames * 1e9 / span
        self.share = used / span
        self.worst_gap_ns = self._gap_ns
        self._over = self._over + 1 if self.share > _MOST_SHARE else 0
        self._began, self._frames, self._gap_ns = (now_ns, cpu_ns), 0, 0

    def stalled_ns(self, now_ns: int) -> int:
        """How long nothing was drawn before this frame, where a person would notice; else 0."""
        gap = 0 if self._last_ns is None else now_ns - self._last_ns
        return gap if gap >= _STALL_NS else 0

    def is_over_budget(self) -> bool:
        """True once when drawing was too dear for five seconds; counting starts anew then."""
        if self._over < _PATIENCE:
            return False
        self._over = 0
        return True
