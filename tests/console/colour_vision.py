"""Colours as the eye has them, for tests: contrast, and what a colour-blind person sees."""

from __future__ import annotations

Linear = tuple[float, float, float]

DEUTERANOPIA = (
    (0.367322, 0.860646, -0.227968),
    (0.280085, 0.672501, 0.047413),
    (-0.011820, 0.042940, 0.968881),
)
PROTANOPIA = (
    (0.152286, 1.052583, -0.204868),
    (0.114503, 0.786281, 0.099216),
    (-0.003882, -0.048116, 1.051998),
)
"""Machado, Oliveira and Fernandes 2009, "A Physiologically-based Model for Simulation of Color Vision
Deficiency", severity 1.0; over linear RGB."""

Matrix = tuple[Linear, Linear, Linear]


def linear(colour: str) -> Linear:
    """Linear sRGB of `#rrggbb`, each channel 0..1."""
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return red, green, blue


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2.2, from relative luminance."""
    low, high = sorted(
        sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear(x), strict=True)) for x in (one, other)
    )
    return (high + 0.05) / (low + 0.05)


def seen_difference(one: str, other: str, vision: Matrix) -> float:
    """How far apart two colours are for that vision (CIE 1976 colour difference; 2.3 is just noticeable)."""
    first, second = (_lab(_seen(linear(colour), vision)) for colour in (one, other))
    return sum((a - b) ** 2 for a, b in zip(first, second, strict=True)) ** 0.5


def _seen(colour: Linear, vision: Matrix) -> Linear:
    red, green, blue = (sum(m * c for m, c in zip(row, colour, strict=True)) for row in vision)
    return _clamped(red), _clamped(green), _clamped(blue)


def _clamped(channel: float) -> float:
    return min(1.0, max(0.0, channel))


def _lab(colour: Linear) -> Linear:
    red, green, blue = colour
    x = (0.4124564 * red + 0.3575761 * green + 0.1804375 * blue) / 0.95047
    y = 0.2126729 * red + 0.7151522 * green + 0.0721750 * blue
    z = (0.0193339 * red + 0.1191920 * green + 0.9503041 * blue) / 1.08883
    fx, fy, fz = (_cube_root(value) for value in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def _cube_root(value: float) -> float:
    return value ** (1 / 3) if value > 216 / 24389 else (24389 / 27 * value + 16) / 116
