"""How long each stage took, and how late periodic work came."""

from __future__ import annotations

from engine.telemetry.histogram import Histogram


class LatencyRecorder:
    """One histogram per named stage (decode, book, decide, risk, submit, tick_to_quote, ...).

    The hot path asks for its stage's histogram once and calls `record` on that.
    """

    __slots__ = ("_stages",)

    def __init__(self) -> None:
        self._stages: dict[str, Histogram] = {}

    def stage(self, name: str) -> Histogram:
        """The histogram of a stage, made when first asked for."""
        histogram = self._stages.get(name)
        if histogram is None:
            histogram = self._stages[name] = Histogram()
        return histogram

    def summary(self) -> dict[str, dict[str, int]]:
        """p50, p90, p99, p999, max (ns) and count of every stage that recorded something."""
        return {name: histogram.summary() for name, histogram in self._stages.items() if histogram.count}

    def merge(self, other: LatencyRecorder) -> None:
        """Add another recorder's counts, stage by stage."""
        for name, histogram in other._stages.items():
            self.stage(name).merge(histogram)


class Lateness:
    """Records how late periodic work runs against the times it was meant to run at.

    A stall that swallows several periods is recorded once for each, as each of them was late: measuring
    from the last run instead would leave the stall almost out (coordinated omission).
    """

    __slots__ = ("_due_ns", "_histogram", "_interval_ns")

    def __init__(self, histogram: Histogram, interval_ns: int, first_due_ns: int) -> None:
        if interval_ns <= 0:
            raise ValueError(f"interval_ns = {interval_ns}: must be above 0")
        self._histogram = histogram
        self._interval_ns = interval_ns
        self._due_ns = first_due_ns

    def ran(self, now_ns: int) -> int:
        """The work runs now. Returns when it is due next (monotonic ns), always after now."""
        while self._due_ns <= now_ns:
            self._histogram.record(now_ns - self._due_ns)
            self._due_ns += self._interval_ns
        return self._due_ns
