"""A history of bounded size: when it is full, every second point goes and the next come half as often."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class Series:
    """(time in ns, value) pairs with rising times, at most `capacity` of them, over any span of time.

    A point that comes sooner than the spacing of the others replaces the last one, so that the newest
    value is always the last point.
    """

    __slots__ = ("_capacity", "_points", "_spacing_ns")

    def __init__(self, capacity: int, spacing_ns: int, points: Iterable[tuple[int, int]] = ()) -> None:
        if capacity < 2:
            raise ValueError(f"a series of {capacity} points has no history")
        self._capacity = capacity
        self._spacing_ns = spacing_ns
        self._points: list[tuple[int, int]] = []
        for time_ns, value in points:
            self.add(time_ns, value)

    def add(self, time_ns: int, value: int) -> None:
        """Take a point; one from before the last point's time is left out."""
        points = self._points
        if points and time_ns < points[-1][0]:
            return
        if len(points) > 1 and time_ns - points[-2][0] < self._spacing_ns:
            points[-1] = (time_ns, value)
            return
        points.append((time_ns, value))
        if len(points) > self._capacity:
            self._points = points[:-1:2] + points[-1:]
            self._spacing_ns *= 2

    @property
    def spacing_ns(self) -> int:
        """How far apart points are at least."""
        return self._spacing_ns

    def restore(self, spacing_ns: int, points: Iterable[tuple[int, int]]) -> None:
        """Be the series that had these points at that spacing."""
        self._spacing_ns = spacing_ns
        self._points = [(time_ns, value) for time_ns, value in points]

    def __len__(self) -> int:
        return len(self._points)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._points)

    @property
    def last(self) -> tuple[int, int] | None:
        """The newest point; None while there is none."""
        return self._points[-1] if self._points else None
