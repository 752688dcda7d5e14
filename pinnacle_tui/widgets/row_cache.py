"""Rows that cost more than a glance is worth: made anew at most once a second."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final

from pinnacle_tui.widgets.rows import Row

_KEPT_NS: Final = 1_000_000_000


class RowCache:
    """Keeps rows for as long as their shape stays and the console's clock shows the same second."""

    __slots__ = ("_key", "_rows")

    def __init__(self) -> None:
        self._key: Hashable = None
        self._rows: list[Row] = []

    def rows(self, shape: Hashable, now_ns: int, make: Callable[[], list[Row]]) -> list[Row]:
        """What `make` gave for this shape and second. `now_ns` is the console's monotonic clock."""
        key = (shape, now_ns // _KEPT_NS)
        if key != self._key:
            self._key, self._rows = key, make()
        return self._rows
