"""How well one colour can be read on another (WCAG 2.2, relative luminance)."""

from __future__ import annotations

from typing import Final

READABLE: Final = 4.5
"""The least contrast of text on its background."""


def contrast(one: str, other: str) -> float:
    """From 1 (the same brightness) to 21 (black and white); colours as `#rrggbb`."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)
