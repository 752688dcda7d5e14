"""What the configuration may hold: each key with type, unit, bounds, default; how text becomes a value.

The schema is read off the section dataclasses (see `engine.core.settings.setting`); it knows nothing
of files, environments or flags. Errors are `ValueError`s that say what is wrong with a value; the
loader adds where it came from.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from engine.core.settings import SettingMeta, value_violation

Value = bool | int | float | Decimal | str | tuple[str, ...] | None
"""What a key can hold. None means: not set."""

NOT_SET = "-"
"""How an unset value is shown; to unset one, empty text is given."""

_KIND_WORDS: dict[type, str] = {
    bool: "true or false",
    int: "integer",
    float: "number",
    Decimal: "number",
    str: "text",
    tuple: "list of text",
}
_INTEGER = re.compile(r"[+-]?[0-9]+(?:_[0-9]+)*", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[+-]?s?(?:nan|inf|infinity)", re.ASCII | re.IGNORECASE)

# Far beyond any price, size or rate, and small enough that exact arithmetic stays cheap.
_LARGEST_INTEGER = 2**63 - 1
_MOST_DIGITS = 28


@dataclass(frozen=True, slots=True)
class Key:
    """One setting of the configuration, named `section.field` everywhere."""

    name: str
    kinds: tuple[type, ...]
    """The types a value may have: bool, int, float, Decimal, str, tuple (of text)."""
    optional: bool
    """True when the key may be left unset; its value is then None."""
    default: Value
    meta: SettingMeta
    mode_defaults: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    """The default of each mode, where modes differ; `default` is then that of the default mode."""

    @property
    def section(self) -> str:
        """The part before the point."""
        return self.name.partition(".")[0]

    @property
    def field(self) -> str:
        """The part after the point."""
        return self.name.partition(".")[2]

    @property
    def type_text(self) -> str:
        """The type in words."""
        if self.meta.choices and str in self.kinds:
            words = [" | ".join(self.meta.choices)]
        else:
            words = [_KIND_WORDS[str]] if str in self.kinds else []
        words += [_KIND_WORDS[kind] for kind in self.kinds if kind is not str]
        return " or ".join(words)

    @property
    def bounds_text(self) -> str:
        """The bounds in words, without the unit; empty when there are none."""
        meta = self.meta
        parts = [
            f"{sign} {value_text(bound)}"
            for sign, bound in (
                (">=", meta.at_least),
                (">", meta.above),
                ("<=", meta.at_most),
                ("<", meta.below),
            )
            if bound is not None
        ]
        return ", ".join(parts)

    def default_for(self, mode: str) -> Value:
        """The value when nobody sets the key."""
        return self.mode_defaults.get(mode, self.default)

    def from_text(self, text: str) -> Value:
        """A value from a flag, an environment variable or `--set`. Empty text unsets an optional key."""
        text = text.strip()
        if self.optional and not text:
            return None
        for kind in self.kinds:
            value = self._parsed(kind, text)
            if value is not None:
                return self._checked(value)
        if _NOT_FINITE.fullmatch(text) and self._is_number:
            raise ValueError(f"{self.name} = {text}: must be a finite number")
        raise ValueError(f"{self.name} = {text!r}: expected {self._expected}")

    def from_toml(self, raw: Any) -> Value:
        """A value as the TOML reader gave it (numbers with a point arrive as `Decimal`); `""` unsets."""
        if self.optional and raw == "":
            return None
        for kind in self.kinds:
            value = self._converted(kind, raw)
            if value is not None:
                return self._checked(value)
        quoted = ""
        if isinstance(raw, str) and str not in self.kinds:
            quoted = " (write it in brackets)" if tuple in self.kinds else " (write it without quotes)"
        raise ValueError(f"{self.name} = {toml_text(raw)}: expected {self._expected}{quoted}")

    @property
    def _is_number(self) -> bool:
        return any(kind in self.kinds for kind in (int, float, Decimal))

    @property
    def _expected(self) -> str:
        unit = f" in {self.meta.unit}" if self.meta.unit and self._is_number else ""
        return self.type_text + unit

    def _parsed(self, kind: type, text: str) -> Value:
        """The text as one kind, or None when it is not of that kind."""
        if kind is bool:
            return {"true": True, "false": False}.get(text.lower())
        if kind is int:
            # Longer texts than this cannot be in range, and int() refuses very long ones.
            return int(text) if _INTEGER.fullmatch(text) and len(text) < 100 else None
        if kind in (float, Decimal):
            return self._converted(kind, Decimal(text)) if _NUMBER.fullmatch(text) else None
        if kind is tuple:
            return tuple(part.strip() for part in text.split(",") if part.strip())
        return text if self._accepts_text(text) else None

    def _converted(self, kind: type, raw: Any) -> Value:
        """A TOML value as one kind, or None when it is not of that kind."""
        if kind is bool:
            return raw if isinstance(raw, bool) else None
        if isinstance(raw, bool):
            return None
        if kind is int:
            return raw if isinstance(raw, int) else None
        if kind in (float, Decimal):
            if not isinstance(raw, int | Decimal):
                return None
            number = Decimal(raw)
            self._require_plain(number)
            return float(number) if kind is float else number
        if kind is tuple:
            texts = isinstance(raw, list) and all(isinstance(item, str) for item in raw)
            return tuple(raw) if texts else None
        return raw if isinstance(raw, str) and self._accepts_text(raw) else None

    def _accepts_text(self, text: str) -> bool:
        # Where a key takes a word or a number, only the words it knows are words.
        return len(self.kinds) == 1 or text in self.meta.choices

    def _require_plain(self, number: Decimal) -> None:
        if not number.is_finite():
            raise ValueError(f"{self.name} = {number}: must be a finite number")
        digits = len(number.as_tuple().digits)
        if digits > _MOST_DIGITS or (number and abs(number.adjusted()) > _MOST_DIGITS):
            raise ValueError(
                f"{self.name} = {str(number)[:40]}: more than {_MOST_DIGITS} digits; that cannot be meant"
            )

    def _checked(self, value: Value) -> Value:
        if type(value) is int and abs(value) > _LARGEST_INTEGER:
            raise ValueError(f"{self.name} = {str(value)[:40]}: must be within 64 bits")
        reason = value_violation(self.name, value, self.meta)
        if reason is not None:
            raise ValueError(reason)
        return value


class Schema:
    """Every key of a tree of sections, in the order of their declaration."""

    def __init__(self, sections: Mapping[str, type], modes: Iterable[str]) -> None:
        """`sections` maps names to dataclasses; one with a classmethod `for_mode` has defaults per mode.

        The first of `modes` is the one that holds when nobody names a mode.
        """
        self.sections = dict(sections)
        self.keys: dict[str, Key] = {}
        modes = tuple(modes)
        for section, declared in self.sections.items():
            for key in _keys_of(section, declared, modes):
                self.keys[key.name] = key

    def find(self, name: str) -> Key:
        """The key of that name. `ValueError` names the nearest one when there is none."""
        key = self.keys.get(name)
        if key is not None:
            return key
        section, point, _ = name.partition(".")
        if name in self.sections:
            raise ValueError(f"{name} is a section; name a key in it, as in {self._first_key(name)}")
        if point:
            self.find_section(section)
        raise ValueError(f"unknown key {name}{self.did_you_mean(name)}")

    def find_section(self, name: str) -> type:
        """The dataclass of a section. `ValueError` names the nearest one when there is none."""
        if name in self.sections:
            return self.sections[name]
        near = nearest(name, self.sections)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(self.sections)}"
        raise ValueError(f"unknown section {name}; {hint}")

    def did_you_mean(self, name: str) -> str:
        """`; did you mean section.key?`, looked for in the same section first, or nothing."""
        section, point, field = name.partition(".")
        field = field if point else name
        everywhere = {key.field: key.name for key in self.keys.values()}
        there = {key.field: key.name for key in self.keys.values() if key.section == section}
        for known in (there, everywhere):
            near = nearest(field, known)
            if near:
                return f"; did you mean {known[near]}?"
        return ""

    def _first_key(self, section: str) -> str:
        return next(name for name, key in self.keys.items() if key.section == section)


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name most like this one, or None when nothing is like it (`cutoff` 0..1)."""
    import difflib  # costs several ms and is needed for errors only

    close = difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)
    return close[0] if close else None


def _keys_of(section: str, declared: type, modes: tuple[str, ...]) -> Iterable[Key]:
    hints = typing.get_type_hints(declared)
    for_mode = getattr(declared, "for_mode", None)
    per_mode = {mode: for_mode(mode) for mode in modes} if for_mode is not None else {}
    plain = per_mode[modes[0]] if per_mode else declared()
    for entry in dataclasses.fields(declared):
        kinds, optional = _kinds(hints[entry.name])
        defaults = {mode: getattr(settings, entry.name) for mode, settings in per_mode.items()}
        yield Key(
            name=f"{section}.{entry.name}",
            kinds=kinds,
            optional=optional,
            default=getattr(plain, entry.name),
            meta=entry.metadata["setting"],
            mode_defaults=defaults if len(set(defaults.values())) > 1 else {},
        )


def _kinds(hint: Any) -> tuple[tuple[type, ...], bool]:
    """The plain types of a field's annotation and whether it may be None."""
    union = typing.get_origin(hint) in (types.UnionType, typing.Union)
    members = typing.get_args(hint) if union else (hint,)
    plain = tuple(typing.get_origin(member) or member for member in members)
    kinds = tuple(kind for kind in plain if kind is not types.NoneType)
    unknown = [kind for kind in kinds if kind not in _KIND_WORDS]
    if unknown:
        raise TypeError(f"a setting cannot be of type {hint}")
    return kinds, len(kinds) < len(plain)


def value_text(value: Value) -> str:
    """A value for people: plain decimals without trailing zeros, lists with commas, `-` when unset."""
    if value is None:
        return NOT_SET
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, Decimal | float):
        text = f"{Decimal(str(value)):f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)


def toml_text(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, str):
        import json  # a JSON string is a TOML basic string

        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, tuple | list):
        return "[" + ", ".join(toml_text(item) for item in value) + "]"
    if isinstance(value, bool | int | float | Decimal):
        return value_text(value)
    return "a table" if isinstance(value, dict) else str(value)
