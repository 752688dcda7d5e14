"""`themes list` and `themes check`: what themes there are, and what is wrong with a file. Without Textual."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.core.errors import UsageError
from pinnacle_tui.contrast import READABLE, contrast
from pinnacle_tui.palette import COLOURS, GROUNDS
from pinnacle_tui.paths import user_themes_folder
from pinnacle_tui.theme_file import ThemeFile, read_themes, theme_paths, themes_folder


def theme_list(shipped: Path | None = None, own: Path | None = None) -> dict[str, Any]:
    """Every theme with where it comes from, and the problems of the files that are none.

    The folders are the shipped one and the user's, unless given.
    """
    folder = own or user_themes_folder()
    shipped_themes, problems = read_themes(theme_paths(shipped or themes_folder()))
    own_themes, own_problems = read_themes(theme_paths(folder))
    themes = shipped_themes | own_themes
    return {
        "v": 1,
        "folder": str(folder),
        "themes": [_entry(themes[name], is_own=name in own_themes) for name in sorted(themes)],
        "problems": problems + own_problems,
    }


def _entry(theme: ThemeFile, *, is_own: bool) -> dict[str, Any]:
    return {
        "name": theme.name,
        "description": theme.description,
        "dark": theme.is_dark,
        "from": "yours" if is_own else "shipped",
        "path": str(theme.path),
    }


def theme_list_text(answer: Mapping[str, Any]) -> str:
    """The list for people."""
    themes = answer["themes"]
    width = max((len(theme["name"]) for theme in themes), default=0)
    lines = [
        f"{theme['name']:<{width}}  {'dark' if theme['dark'] else 'light':<5}  {theme['from']:<7}  "
        f"{theme['description']}"
        for theme in themes
    ]
    lines += ["", f"Your own themes: one .toml file each, in {answer['folder']}"]
    lines += [f"not usable: {problem}" for problem in answer["problems"]]
    return "\n".join(lines)


def theme_check(file: Path | None = None, *, folders: tuple[Path, ...] | None = None) -> dict[str, Any]:
    """Check one file, or every theme of `folders`: the shipped one and the user's, unless given.

    `UsageError` with a line for each file that cannot be used. `hints` name colours that are hard to read;
    such a theme can be used.
    """
    checked: list[ThemeFile] = []
    problems: list[str] = []
    batches = [[file]] if file else map(theme_paths, folders or (themes_folder(), user_themes_folder()))
    for paths in batches:
        themes, wrong = read_themes(paths)
        checked += themes.values()
        problems += wrong
    if problems:
        raise UsageError("\n".join(problems))
    return {
        "v": 1,
        "checked": [str(theme.path) for theme in checked],
        "hints": [hint for theme in checked for hint in _hints(theme)],
    }


def theme_check_text(answer: Mapping[str, Any]) -> str:
    """The check for people."""
    lines = [f"{path}: can be used" for path in answer["checked"]]
    return "\n".join(lines + [f"hint: {hint}" for hint in answer["hints"]])


def _hints(theme: ThemeFile) -> list[str]:
    meanings = theme.meanings
    pairs = [(name, "background") for name in COLOURS]
    pairs += [("text", ground) for ground in GROUNDS if ground != "background"]
    return [
        f"{theme.path}: {name} on {ground} has a contrast of {ratio:.1f}; from {READABLE} on it can be read"
        for name, ground in pairs
        if (ratio := contrast(meanings[name], meanings[ground])) < READABLE
    ]
