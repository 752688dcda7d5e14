"""What stands there where the terminal is too small for the panels."""

from __future__ import annotations

from typing import Final

from textual.geometry import Size
from textual.widgets import Static

LEAST: Final = Size(60, 16)
"""The smallest terminal in which every number of the main screen can be read."""


class TooSmall(Static):
    """Says what size is needed, what size this is, and what can be seen all the same."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, markup=False)

    def measure(self, size: Size) -> bool:
        """Whether a terminal of this `size` is too small; then it is told."""
        is_too_small = size.width < LEAST.width or size.height < LEAST.height
        if is_too_small:
            self.update(
                f"{LEAST.width}x{LEAST.height} needed, {size.width}x{size.height} here\n1 to 9 show one panel"
            )
        return is_too_small
