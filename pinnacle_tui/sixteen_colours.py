"""What the names of meanings become on a terminal of sixteen colours.

Bringing a theme's colours to the nearest of sixteen makes muted text vanish and warnings look like prices.
So such a terminal gets one fixed choice for dark themes and one for light ones. The values are those that
Rich takes the sixteen colours for, so each comes out as exactly that colour of the terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from pinnacle_tui.theme_file import ThemeFile, all_meanings

_BLACK, _RED, _YELLOW, _BLUE = "#000000", "#aa0000", "#aa5500", "#0000aa"
_MAGENTA, _CYAN, _WHITE = "#aa00aa", "#00aaaa", "#aaaaaa"
_BRIGHT_BLACK, _BRIGHT_RED, _BRIGHT_GREEN, _BRIGHT_YELLOW = "#555555", "#ff5555", "#55ff55", "#ffff55"
_BRIGHT_MAGENTA, _BRIGHT_CYAN, _BRIGHT_WHITE = "#ff55ff", "#55ffff", "#ffffff"

_DARK_DESIGN: Final[Mapping[str, str]] = {
    "primary": _CYAN,
    "secondary": _WHITE,
    "accent": _BRIGHT_CYAN,
    "foreground": _BRIGHT_WHITE,
    "background": _BLACK,
    "surface": _BLACK,
    "panel": _BLUE,
    "success": _BRIGHT_GREEN,
    "warning": _BRIGHT_MAGENTA,
    "error": _BRIGHT_RED,
}
_DARK_OWN: Final[Mapping[str, str]] = {
    # Yellow belongs to the asks, because yellow and cyan are the two that can also be read on blue;
    # a warning is magenta.
    # Bright black would be the grey of muted text, but in several palettes nobody can see it.
    "muted": _WHITE,
    "title": _BRIGHT_WHITE,
    "bid": _BRIGHT_CYAN,
    "ask": _BRIGHT_YELLOW,
    "up": _BRIGHT_CYAN,
    "down": _BRIGHT_YELLOW,
    "own": _BRIGHT_GREEN,
    "stale": _WHITE,
    "sim": _BRIGHT_GREEN,
    "paper": _BRIGHT_CYAN,
    "live": _BRIGHT_RED,
    "replay": _BRIGHT_MAGENTA,
    "depth-bid": _CYAN,
    "depth-ask": _YELLOW,
    "rule": _BRIGHT_BLACK,
    "chart": _CYAN,
    "selected": _BLUE,
    "changed": _BLUE,
    "focus": _BLUE,
}
_LIGHT_DESIGN: Final[Mapping[str, str]] = {
    "primary": _BLUE,
    "secondary": _BRIGHT_BLACK,
    "accent": _BLUE,
    "foreground": _BLACK,
    "background": _BRIGHT_WHITE,
    "surface": _BRIGHT_WHITE,
    "panel": _WHITE,
    "success": _BLUE,
    "warning": _MAGENTA,
    "error": _RED,
}
_LIGHT_OWN: Final[Mapping[str, str]] = {
    # Green, cyan and yellow are too pale to be read on white.
    "muted": _BRIGHT_BLACK,
    "title": _BLACK,
    "bid": _BLUE,
    "ask": _RED,
    "up": _BLUE,
    "down": _RED,
    "own": _MAGENTA,
    "stale": _BRIGHT_BLACK,
    "sim": _BLUE,
    "paper": _MAGENTA,
    "live": _RED,
    "replay": _BRIGHT_BLACK,
    "depth-bid": _CYAN,
    "depth-ask": _BRIGHT_RED,
    "rule": _WHITE,
    "chart": _BLUE,
    "selected": _WHITE,
    "changed": _WHITE,
    "focus": _WHITE,
}


def in_sixteen_colours(theme: ThemeFile) -> ThemeFile:
    """The theme for a terminal of sixteen colours; only whether it is dark or light remains of it."""
    design, own = (_DARK_DESIGN, _DARK_OWN) if theme.is_dark else (_LIGHT_DESIGN, _LIGHT_OWN)
    return replace(theme, design=design, meanings=all_meanings(design, own))
