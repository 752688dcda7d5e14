"""From the names of meanings (`bid`, `danger`) to terminal styles, under one theme.

Drawn widgets speak of meanings only. A style is a name of a colour, then attributes, then maybe a
background: `bid`, `muted italic`, `text bold on selected`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rich.color import Color
from rich.style import Style

COLOURS: Final = (
    "text",
    "muted",
    "title",
    "accent",
    "bid",
    "ask",
    "up",
    "down",
    "own",
    "stale",
    "warning",
    "danger",
    "ok",
    "sim",
    "paper",
    "live",
    "replay",
)
"""Colours of writing. Each has at least 4.5:1 contrast on the background, in every shipped theme."""
SHADES: Final = ("depth-bid", "depth-ask", "rule", "chart")
"""Colours of bars and lines, which are read by their length and place."""
GROUNDS: Final = ("background", "selected", "changed", "focus")
"""Backgrounds on which `text` is read."""

_NAMES: Final = frozenset((*COLOURS, *SHADES, *GROUNDS))
_ATTRIBUTES: Final = frozenset({"bold", "dim", "italic", "underline", "reverse", "strike"})
_WITHOUT_COLOUR: Final[Mapping[str, str]] = {
    "muted": "dim",
    "title": "bold",
    "accent": "bold",
    "own": "bold",
    "stale": "dim",
    "warning": "bold",
    "danger": "bold reverse",
    "live": "bold reverse",
    "paper": "bold",
    "sim": "bold",
    "replay": "bold",
    "depth-bid": "dim",
    "depth-ask": "dim",
    "rule": "dim",
}
"""What carries a meaning where there are no colours."""
_GROUNDS_WITHOUT_COLOUR: Final[Mapping[str, str]] = {
    "selected": "reverse",
    "focus": "reverse",
    "changed": "underline",
}


class Palette:
    """The styles of one theme.

    `variables` hold a colour as `#rrggbb` for every name (`themes.palette_variables`). `is_colourless`
    (`NO_COLOR`) leaves both colours to the terminal and says everything by attributes; bid and ask, up and
    down then look the same, so panels tell them apart by side words, arrows and signs as well.
    """

    def __init__(self, variables: Mapping[str, str], *, is_colourless: bool = False) -> None:
        self.is_colourless = is_colourless
        self._variables = variables
        self._styles: dict[str, Style] = {}

    def style(self, words: str) -> Style:
        """The style that `words` mean. Raises `KeyError` for a name that no theme has."""
        style = self._styles.get(words)
        if style is None:
            style = self._styles[words] = self._resolve(words)
        return style

    def _resolve(self, words: str) -> Style:
        front, _, ground = words.partition(" on ")
        name, *attributes = front.split() or [""]
        for known in (name, ground or "background"):
            if known not in _NAMES:
                raise KeyError(f"no theme has a colour of the name {known}")
        if self.is_colourless:
            given = _WITHOUT_COLOUR.get(name, "").split() + _GROUNDS_WITHOUT_COLOUR.get(ground, "").split()
            return _attributed({*attributes, *given}, None, None)
        return _attributed(set(attributes), self._colour(name), self._colour(ground or "background"))

    def _colour(self, name: str) -> Color:
        return Color.parse(self._variables[name])


def _attributed(attributes: set[str], colour: Color | None, ground: Color | None) -> Style:
    unknown = attributes - _ATTRIBUTES
    if unknown:
        raise KeyError(f"no such attribute of a style: {', '.join(sorted(unknown))}")
    flags = dict.fromkeys(attributes, True)
    return Style(color=colour, bgcolor=ground, **flags)  # type: ignore[arg-type]
