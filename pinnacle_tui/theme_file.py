"""A theme as a file: what it must say, and every way in which it can be wrong. Knows nothing of Textual."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from engine.config_schema import nearest
from engine.core.errors import UsageError
from pinnacle_tui.palette import COLOURS, GROUNDS, SHADES

DESIGN: Final = (
    "primary",
    "secondary",
    "accent",
    "foreground",
    "background",
    "surface",
    "panel",
    "success",
    "warning",
    "error",
)
"""The keys of `[colors]`: Textual's design colours."""
SHARED: Final[Mapping[str, str]] = {
    "text": "foreground",
    "background": "background",
    "accent": "accent",
    "warning": "warning",
    "danger": "error",
    "ok": "success",
}
"""Names of meanings that are a design colour, so that a panel and a toast agree."""
OWN: Final = tuple(name for name in (*COLOURS, *SHADES, *GROUNDS) if name not in SHARED)
"""The keys of `[variables]`."""
_KEYS: Final = ("name", "description", "dark")
_SECTIONS: Final[Mapping[str, Sequence[str]]] = {"colors": DESIGN, "variables": OWN}
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]*")
_COLOUR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_HOW: Final = "write a colour as #rrggbb, such as #5fb3d9"


@dataclass(frozen=True, slots=True)
class ThemeFile:
    """A theme as written. `design` holds a colour for each name of `DESIGN`, `meanings` one for each name
    that the palette knows; all are `#rrggbb`."""

    path: Path
    name: str
    description: str
    is_dark: bool
    design: Mapping[str, str]
    meanings: Mapping[str, str]


def themes_folder() -> Path:
    """Where the shipped themes are: inside the installed package, or beside it in a checkout."""
    here = Path(__file__).resolve().parent
    installed = here / "themes"
    return installed if installed.is_dir() else here.parent / "themes"


def theme_paths(folder: Path) -> list[Path]:
    """The theme files of a folder in the order of their names; none when there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if _is_theme(entry.name))
    except OSError:
        return []


def _is_theme(name: str) -> bool:
    # Editors leave their own hidden files beside the one that is edited.
    return name.endswith(".toml") and not name.startswith(".")


def read_themes(
    paths: Iterable[Path], last_good: Mapping[Path, ThemeFile] | None = None
) -> tuple[dict[str, ThemeFile], list[str]]:
    """Themes by name, and a sentence for each file that is none. A broken file spoils nothing but itself.

    A broken file counts as what it was in `last_good`, if it was there.
    """
    themes: dict[str, ThemeFile] = {}
    problems = []
    for path in paths:
        theme: ThemeFile | None
        try:
            theme = read_theme(path)
        except UsageError as error:
            problems.append(str(error))
            theme = (last_good or {}).get(path)
        if theme is None:
            continue
        if theme.name in themes:
            first = themes[theme.name].path.name
            problems.append(f"{path}: the name {theme.name} is taken by {first}; write another name")
        else:
            themes[theme.name] = theme
    return themes, problems


def read_theme(path: Path) -> ThemeFile:
    """The theme of a file. `UsageError` names the file and everything that is wrong in it."""
    data = _toml(path)
    problems = list(_problems(data))
    if problems:
        raise UsageError(f"{path}: {'; '.join(problems)}")
    design: dict[str, str] = data["colors"]
    meanings = all_meanings(design, data["variables"])
    return ThemeFile(path, data["name"], data["description"], data["dark"], design, meanings)


def all_meanings(design: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """The colour of every name: those that are a design colour, and the theme's own."""
    return {**{name: design[same] for name, same in SHARED.items()}, **own}


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path}: cannot read the theme: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from None


def _problems(data: Mapping[str, Any]) -> Iterable[str]:
    for key in data:
        if key not in _KEYS and key not in _SECTIONS:
            yield f"unknown key {key}{_meant(key, (*_KEYS, *_SECTIONS))}"
    yield from _head_problems(data)
    for section, names in _SECTIONS.items():
        table = data.get(section)
        if isinstance(table, Mapping):
            yield from _section_problems(section, names, table)
        elif table is None:
            yield f"the section [{section}] is missing; it holds {', '.join(names)}"
        else:
            yield f"{section} is no section; write [{section}] and its keys below"


def _head_problems(data: Mapping[str, Any]) -> Iterable[str]:
    name, description, dark = (data.get(key) for key in _KEYS)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        said = "missing" if name is None else repr(name)
        yield f'name is {said}; write small letters, digits and hyphens, such as name = "my-theme"'
    if not isinstance(description, str) or not description.strip() or "\n" in description:
        yield 'description is missing or not one line; write one, such as description = "calm and dark"'
    if not isinstance(dark, bool):
        said = "missing" if dark is None else repr(dark)
        yield f"dark is {said}; write dark = true, or dark = false when the background is light"


def _section_problems(section: str, names: Sequence[str], table: Mapping[str, Any]) -> Iterable[str]:
    for key, value in table.items():
        if key in SHARED and key not in names:
            yield f"{section}.{key} is the same as colors.{SHARED[key]}; write it there and only there"
        elif key not in names:
            yield f"unknown key {section}.{key}{_meant(key, names)}"
        elif not isinstance(value, str) or not _COLOUR.fullmatch(value):
            yield f"{section}.{key} is {value!r}; {_HOW}"
    for name in names:
        if name not in table:
            yield f"{section}.{name} is missing; {_HOW}"


def _meant(key: str, known: Sequence[str]) -> str:
    near = nearest(key, known)
    return f"; did you mean {near}" if near else f"; known are {', '.join(known)}"
