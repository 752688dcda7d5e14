"""Themes for Textual out of theme files: the shipped ones, the user's own, and their changes while we run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from textual import constants
from textual.theme import Theme

from pinnacle_tui.contrast import contrast
from pinnacle_tui.paths import user_themes_folder
from pinnacle_tui.sixteen_colours import in_sixteen_colours
from pinnacle_tui.theme_file import ThemeFile, read_theme, read_themes, theme_paths, themes_folder

DEFAULT: Final = "pinnacle"
_CHROME: Final[Mapping[str, str]] = {
    "block-cursor-foreground": "text",
    "block-cursor-background": "selected",
    "block-cursor-blurred-background": "changed",
    "border": "accent",
    "border-blurred": "rule",
    "scrollbar": "rule",
    "scrollbar-hover": "muted",
    "scrollbar-active": "accent",
    "scrollbar-background": "background",
    "input-selection-background": "selected",
    "link-color-hover": "text",
    "link-background-hover": "selected",
    "footer-key-foreground": "accent",
    "footer-description-foreground": "muted",
    "footer-background": "background",
}
"""Textual's own variables that follow one of our meanings, so that lists and inputs look like panels."""

Stamps = dict[Path, tuple[int, int, int]]


def textual_theme(file: ThemeFile) -> Theme:
    """The theme of a file, with a variable for every name of a meaning."""
    chrome = {name: file.meanings[meaning] for name, meaning in _CHROME.items()}
    chrome["button-color-foreground"] = _label_colour(file.design)
    colours: dict[str, Any] = dict(file.design)
    return Theme(name=file.name, dark=file.is_dark, variables={**chrome, **file.meanings}, **colours)


def _label_colour(design: Mapping[str, str]) -> str:
    """Of background and text, the one that can be read on coloured buttons."""
    buttons = [design[name] for name in ("primary", "success", "warning", "error")]
    return max(
        (design["background"], design["foreground"]),
        key=lambda colour: min(contrast(colour, button) for button in buttons),
    )


def load_theme(path: Path) -> Theme:
    """The theme of a file. `UsageError` names file and key and what to write."""
    return textual_theme(read_theme(path))


@cache
def _default_variables() -> Mapping[str, str]:
    return read_theme(themes_folder() / f"{DEFAULT}.toml").meanings


def default_variables() -> dict[str, str]:
    """A colour for every name of a meaning, for themes that are not ours and lack them."""
    return dict(_default_variables())


def palette_variables(theme: Theme) -> dict[str, str]:
    """What a `Palette` needs of a theme, complete even for a theme that is not ours."""
    return {**_default_variables(), **theme.variables}


def has_sixteen_colours() -> bool:
    """Whether the terminal has sixteen colours only, as the app itself finds it out."""
    console = Console(color_system=constants.COLOR_SYSTEM, force_terminal=True)  # type: ignore[arg-type]
    return console.color_system in ("standard", "windows")


class ThemeLibrary:
    """The themes there are. Later folders shadow earlier ones; a broken file spoils nothing but itself.

    `is_sixteen` says that the terminal has sixteen colours only: then every dark theme looks alike, and
    every light one.
    """

    def __init__(self, folders: Sequence[Path] | None = None, *, is_sixteen: bool = False) -> None:
        """`folders` are the shipped one and the user's, unless given. Nothing is read yet."""
        self.themes: dict[str, Theme] = {}
        self.descriptions: dict[str, str] = {}
        """Of each theme, in a few words."""
        self.problems: list[str] = []
        """One sentence for each broken file."""
        self._folders = tuple(folders) if folders is not None else (themes_folder(), user_themes_folder())
        self._is_sixteen = is_sixteen
        self._stamps: Stamps = {}
        self._good: dict[Path, ThemeFile] = {}

    def load(self) -> None:
        """Read every file. Of a file that broke since the last time, what it said then stays."""
        # Taken before reading: a file that is written meanwhile counts as changed the next time.
        self._stamps = self._look()
        self.problems = []
        good: dict[Path, ThemeFile] = {}
        chosen: dict[str, ThemeFile] = {}
        for folder in self._folders:
            paths = (path for path in self._stamps if path.parent == folder)
            files, problems = read_themes(paths, self._good)
            self.problems += problems
            good |= {file.path: file for file in files.values()}
            chosen |= files
        self._good = good
        shown = map(in_sixteen_colours, chosen.values()) if self._is_sixteen else chosen.values()
        self.themes = {file.name: textual_theme(file) for file in sorted(shown, key=lambda file: file.name)}
        self.descriptions = {file.name: file.description for file in chosen.values()}

    def changed(self) -> bool:
        """Whether a file was edited, added or removed since `load`. Costs a look at each file, no reading."""
        return self._look() != self._stamps

    def problem_text(self) -> str:
        """All that is wrong, for one notice; empty when nothing is."""
        return "\n".join(self.problems)

    def _look(self) -> Stamps:
        stamps: Stamps = {}
        for folder in self._folders:
            for path in theme_paths(folder):
                try:
                    status = os.stat(path)
                except OSError:
                    # Gone between the two calls, or a link to nothing, which reading will name.
                    stamps[path] = (0, 0, 0)
                else:
                    stamps[path] = (status.st_mtime_ns, status.st_size, status.st_ino)
        return stamps
