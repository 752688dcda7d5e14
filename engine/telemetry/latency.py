"""How long each stage took."""

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
