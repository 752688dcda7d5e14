"""The configuration file: where it is, what it holds line by line, and the commented one to begin with."""

from __future__ import annotations

import re
import textwrap
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from engine.config_schema import Key, Schema, toml_text
from engine.core.errors import UsageError

CONFIG_VARIABLE = "PINNACLE_CONFIG"
_POSITION = re.compile(r"^(.*) \(at (?:line (\d+), column (\d+)|end of document)\)$", re.DOTALL)


class Place(NamedTuple):
    """Where the configuration file is (or would be) and who said so."""

    path: Path
    said_by: str
    is_required: bool
    """True when somebody named the file, so that its absence is an error."""


class Entry(NamedTuple):
    """One key of the file as written: dotted name, value, line (counted from 1). A header holds {}."""

    name: str
    value: Any
    line: int


def locate(path: Path | None, env: Mapping[str, str]) -> Place:
    """The file to read: `--config`, then `PINNACLE_CONFIG`, then the platform's configuration folder."""
    if path is not None:
        return Place(path, "--config", True)
    if env.get(CONFIG_VARIABLE):
        return Place(Path(env[CONFIG_VARIABLE]), f"environment {CONFIG_VARIABLE}", True)
    from platformdirs import user_config_dir  # only where nobody named a file

    return Place(Path(user_config_dir("pinnacle-tui")) / "config.toml", "the platform's default", False)


def read(place: Place) -> list[Entry] | None:
    """Every key of the file, in order; None when there is no file and nobody asked for one.

    `UsageError` for a file that cannot be read or is not TOML, with line and column.
    """
    try:
        text = place.path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if not place.is_required:
            return None
        raise UsageError(f"{place.path}: there is no such configuration file ({place.said_by})") from None
    except OSError as error:
        raise UsageError(f"{place.path}: cannot read the configuration: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{place.path}: not UTF-8 text (byte {error.start})") from None
    _require_toml(text, place.path)
    return _entries(text)


def _require_toml(text: str, path: Path) -> None:
    try:
        tomllib.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        match = _POSITION.match(str(error))
        what = match[1] if match else "too deeply nested" if isinstance(error, RecursionError) else str(error)
        lines = text.split("\n")
        last = len(lines), len(lines[-1]) + 1
        line, column = (int(match[2]), int(match[3])) if match and match[2] else last
        raise UsageError(f"{path}:{line}:{column}: not valid TOML: {what}") from None


def _entries(text: str) -> list[Entry]:
    """The keys of a valid document with their lines.

    The TOML reader gives no positions, so the document is cut into its statements: the shortest runs of
    lines that are TOML by themselves. In a valid document those are exactly its headers, assignments,
    comments and blank lines, because only an unfinished text or list can span lines.
    """
    found: list[Entry] = []
    header: tuple[str, ...] = ()
    statement, start = "", 1
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        if not statement:
            start = number
        statement = f"{statement}\n{line}" if statement else line
        try:
            parsed = tomllib.loads(statement, parse_float=Decimal)
        except ValueError:
            continue
        if statement.lstrip().startswith("["):
            header, opened = _header(parsed)
            found.append(Entry(".".join(header), opened, start))
        else:
            found += [Entry(".".join(header + path), value, start) for path, value in _leaves(parsed)]
        statement = ""
    return found


def _header(parsed: dict[str, Any]) -> tuple[tuple[str, ...], Any]:
    """The name a header opens and what it opens: {} for `[name]`, a list for `[[name]]`."""
    path: tuple[str, ...] = ()
    inner: Any = parsed
    while isinstance(inner, dict) and inner:
        (name,) = inner
        path += (name,)
        inner = inner[name]
    return path, inner


def _leaves(table: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    found = []
    for name, value in table.items():
        if isinstance(value, dict) and value:
            found += _leaves(value, (*path, name))
        else:
            found.append(((*path, name), value))
    return found


def default_text(schema: Schema) -> str:
    """A whole configuration file with every key at its default, commented out, explained."""
    lines = [
        "# Configuration of pinnacle-tui. Every key stands here at its default: remove the # to set it.",
        "# Flags beat --set, that beats the environment (PINNACLE_SECTION_KEY), that beats this file.",
    ]
    for section in schema.sections:
        lines += ["", f"[{section}]"]
        for key in schema.keys.values():
            if key.section == section:
                lines += _explained(key)
    return "\n".join(lines) + "\n"


def _explained(key: Key) -> list[str]:
    facts = [key.type_text, key.meta.unit, key.bounds_text]
    if key.mode_defaults:
        per_mode = ", ".join(
            f"{mode} {'unset' if value is None else toml_text(value)}"
            for mode, value in key.mode_defaults.items()
        )
        facts.append(f"default by mode: {per_mode}")
    comment = f"{key.meta.help} ({'; '.join(fact for fact in facts if fact)})"
    wrapped = textwrap.wrap(comment, 106, break_long_words=False, break_on_hyphens=False)
    shown = "          # not set by default" if key.default is None else " " + toml_text(key.default)
    return ["", *(f"# {line}" for line in wrapped), f"#{key.field} ={shown}"]
