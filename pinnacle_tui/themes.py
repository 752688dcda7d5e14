"""Colour themes: TOML files that name Textual's design colours and the market's own."""

from __future__ import annotations

import tomllib
from pathlib import Path

from textual.theme import Theme

from engine.core.errors import UsageError

DEFAULT = "pinnacle"
MARKET_COLOURS = ("bid", "ask", "danger")
"""What every theme must say besides the colours of Textual."""
_REQUIRED = ("primary", "foreground", "background", "surface", "panel")
_OPTIONAL = ("secondary", "accent", "success", "warning", "error")


def themes_folder() -> Path:
    """Where the shipped themes are: inside the installed package, or beside it in a checkout."""
    here = Path(__file__).resolve().parent
    installed = here / "themes"
    return installed if installed.is_dir() else here.parent / "themes"


def load_theme(path: Path) -> Theme:
    """A theme file as a Textual theme. Raises `UsageError` naming file and key."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: {error}") from None
    colors, variables = data.get("colors", {}), data.get("variables", {})
    for section, names, given in (("colors", _REQUIRED, colors), ("variables", MARKET_COLOURS, variables)):
        for name in names:
            if not isinstance(given.get(name), str):
                raise UsageError(f"{path}: {section}.{name} is missing; give a colour such as #7aa2f7")
    for name in colors:
        if name not in _REQUIRED + _OPTIONAL:
            raise UsageError(f"{path}: colors.{name} is no colour of a theme")
    name, dark = str(data.get("name", path.stem)), bool(data.get("dark", True))
    return Theme(name=name, dark=dark, variables=variables, **colors)
