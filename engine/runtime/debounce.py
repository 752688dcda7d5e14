"""Conditions that come and go: bad at once, good again only when they have been good for a while."""

from __future__ import annotations

from typing import Final

GOOD_NS: Final = 10_000_000_000
"""What a machine must keep up before it counts as well again (R27)."""


class Debounce:
    """One condition. Without the wait, a disk or a loop at its limit would pull and place quotes by turns."""

    __slots__ = ("_bad_ns",)

    def __init__(self) -> None:
        self._bad_ns: int | None = None
        """When it was bad last; None while it counts as good."""

    def judge(self, is_bad: bool, now_ns: int) -> bool | None:
        """Take in a look: True when it has become bad, False when it counts as good again, None else."""
        if is_bad:
            has_begun = self._bad_ns is None
            self._bad_ns = now_ns
            return True if has_begun else None
        if self._bad_ns is not None and now_ns - self._bad_ns >= GOOD_NS:
            self._bad_ns = None
            return False
        return None
