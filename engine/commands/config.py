"""What the command line can ask about the configuration: where, show, check, schema, init.

Each answer is a dictionary for JSON; the `..._text` functions write the same for people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine import config_file
from engine.config import Resolved, load_config, schema, variable_name
from engine.config_schema import Value, value_text
from engine.core.errors import UsageError

Answer = dict[str, Any]


def where(path: Path | None, env: Mapping[str, str]) -> Answer:
    """Which configuration file is read, who named it, and whether it is there."""
    place = config_file.locate(path, env)
    return {"v": 1, "file": str(place.path), "said_by": place.said_by, "exists": place.path.is_file()}


def where_text(answer: Answer) -> str:
    """One line: the file, who named it, whether it exists."""
    state = "" if answer["exists"] else "; there is no file there, so defaults hold"
    return f"{answer['file']} ({answer['said_by']}{state})"


def show(resolved: Resolved) -> Answer:
    """Every key with its value, unit and source."""
    keys = [
        {
            "key": key.name,
            "value": _json_value(resolved.value(key.name)),
            "unit": key.meta.unit,
            "source": resolved.sources[key.name],
        }
        for key in schema().keys.values()
    ]
    return {"v": 1, "file": str(resolved.file) if resolved.file else None, "keys": keys}


def show_text(resolved: Resolved) -> str:
    """A table of key, value with unit, source."""
    rows = []
    for key in schema().keys.values():
        value = resolved.value(key.name)
        unit = f" {key.meta.unit}" if key.meta.unit and value is not None else ""
        rows.append((key.name, value_text(value) + unit, resolved.sources[key.name]))
    return _table(("key", "value", "source"), rows)


def check(path: Path | None, env: Mapping[str, str]) -> Answer:
    """Validate a configuration file with nothing else laid over it. Raises `UsageError` when it is wrong."""
    place = config_file.locate(path, env)
    if not place.path.is_file():
        raise UsageError(f"{place.path}: there is no configuration file to check; `config init` writes one")
    resolved = load_config(place.path)
    from_file = [name for name, source in resolved.sources.items() if source.startswith(f"{place.path}:")]
    return {"v": 1, "file": str(place.path), "valid": True, "keys_set": from_file}


def check_text(answer: Answer) -> str:
    """One line: the file is valid and how many keys it sets."""
    return f"{answer['file']}: valid, sets {len(answer['keys_set'])} of {len(schema().keys)} keys"


def describe() -> Answer:
    """Every key with type, unit, default, bounds, and whether it may change while the engine runs."""
    keys = [
        {
            "key": key.name,
            "type": key.type_text,
            "unit": key.meta.unit,
            "default": _json_value(key.default),
            "default_by_mode": {mode: _json_value(value) for mode, value in key.mode_defaults.items()},
            "at_least": _json_value(key.meta.at_least),
            "above": _json_value(key.meta.above),
            "at_most": _json_value(key.meta.at_most),
            "below": _json_value(key.meta.below),
            "choices": list(key.meta.choices),
            "applies": "live" if key.meta.live else "restart",
            "environment": variable_name(key),
            "help": key.meta.help,
        }
        for key in schema().keys.values()
    ]
    return {"v": 1, "keys": keys}


def describe_text() -> str:
    """A table of key, type with unit, bounds, default, when a change applies, meaning."""
    rows = []
    for key in schema().keys.values():
        unit = f", {key.meta.unit}" if key.meta.unit else ""
        if key.mode_defaults:
            default = " ".join(f"{mode}:{value_text(value)}" for mode, value in key.mode_defaults.items())
        else:
            default = value_text(key.default)
        applies = "live" if key.meta.live else "restart"
        rows.append((key.name, key.type_text + unit, key.bounds_text, default, applies, key.meta.help))
    return _table(("key", "type", "bounds", "default", "applies", "meaning"), rows)


def init(path: Path | None, env: Mapping[str, str]) -> Answer:
    """Write a commented file with every default. Refuses to overwrite one that exists."""
    place = config_file.locate(path, env)
    try:
        place.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)  # the vault lies there too
        with place.path.open("x", encoding="utf-8") as file:
            file.write(config_file.default_text(schema()))
    except FileExistsError:
        raise UsageError(
            f"{place.path} exists; nothing was written. Name another one with --config"
        ) from None
    except OSError as error:
        raise UsageError(f"{place.path}: cannot write the configuration: {error.strerror}") from None
    return {"v": 1, "file": str(place.path), "keys": len(schema().keys)}


def init_text(answer: Answer) -> str:
    """One line: what was written where."""
    return f"{answer['file']}: written with the defaults of {answer['keys']} keys, commented out"


def _json_value(value: Value) -> Any:
    """Decimals as plain text (product: no exponent, no trailing zeros); the rest as JSON has it."""
    if isinstance(value, Decimal | float):
        return value_text(value)
    return list(value) if isinstance(value, tuple) else value


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Left-aligned columns two spaces apart, no trailing blanks."""
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in (heads, *rows)
    )
    return "\n".join(line.rstrip() for line in lines)
