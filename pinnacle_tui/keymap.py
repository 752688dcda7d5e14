"""Other keys for the same actions: the file `keymap.toml`, and what is wrong with it.

A table `[keys]` gives an action, by its id, another key or a list of keys; `preset = "tmux"` starts from
keys that terminal multiplexers leave alone. What cannot be is left out and named; the rest holds.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any, Final, NamedTuple

from engine.config_schema import nearest
from pinnacle_tui.bound_keys import BoundKey, Place, all_bindings, is_character, parse_key

Keys = tuple[str, ...]

PRESETS: Final[Mapping[str, Mapping[str, Keys]]] = {
    "tmux": {
        "app.palette": ("f2", "ctrl+p"),
        "app.quit": ("q",),
    },
}
"""Sets of keys with a name. tmux: nothing needs ctrl+a, ctrl+b (prefixes of multiplexers), ctrl+h, j, k, l
(moving between panes), ctrl+p or ctrl+q."""

_KILL: Final = ("app.kill", "app.kill_now")
_MOVING: Final = {"tab": "leads to the next panel", "shift+tab": "leads to the panel before"}
_BASIC: Final = frozenset(
    "enter escape up down left right home end pageup pagedown backspace delete space".split()  # noqa: SIM905
)
"""What lists, text fields and dialogs live on. A key that comes before them must be none of these."""


class Keymap(NamedTuple):
    """Keys by id of the binding, as Textual's `set_keymap` takes them, and what is wrong with the file."""

    keys: dict[str, str]
    """Empty while the defaults hold; else every binding there is, changed or not: Textual takes a key away
    from everything that shares it with a binding that moves."""
    problems: list[str]
    """A sentence for each, naming file and key."""

    @classmethod
    def load(cls, path: Path | None, bindings: Iterable[BoundKey] | None = None) -> Keymap:
        """Read a keymap file; no file is no change. `bindings` are all of the product unless given."""
        if path is None:
            return cls({}, [])
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return cls({}, [])
        except (OSError, ValueError, RecursionError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            return cls({}, [f"{path}: cannot be read: {reason}. The usual keys hold."])
        return _Reading(path, tuple(all_bindings() if bindings is None else bindings)).read(document)


class _Reading:
    """Takes one document apart."""

    def __init__(self, path: Path, bindings: tuple[BoundKey, ...]) -> None:
        self._path = path
        self._bindings = bindings
        self._by_id = {bound.id: bound for bound in bindings}
        self._problems: list[str] = []

    def read(self, document: Mapping[str, Any]) -> Keymap:
        for name in document:
            if name not in ("preset", "keys"):
                self._problem(f"{name} is not known{_near(name, ('preset', 'keys'))}")
        wanted = self._preset(document.get("preset")) | self._table(document.get("keys", {}))
        kept = self._without_clashes(wanted)
        if not kept:
            return Keymap({}, self._problems)
        keys = {bound.id: bound.keys for bound in self._bindings} | kept
        return Keymap({name: ",".join(given) for name, given in keys.items()}, self._problems)

    def _problem(self, text: str) -> None:
        self._problems.append(f"{self._path}: {text}")

    def _preset(self, name: object) -> dict[str, Keys]:
        if name is None:
            return {}
        if not isinstance(name, str) or name not in PRESETS:
            self._problem(f"preset = {name!r} is not known; there is {', '.join(PRESETS)}")
            return {}
        return {key: keys for key, keys in PRESETS[name].items() if key in self._by_id}

    def _table(self, table: object) -> dict[str, Keys]:
        if not isinstance(table, dict):
            self._problem('keys must be a table: a line [keys], below it lines such as "app.pause" = "p"')
            return {}
        wanted: dict[str, Keys] = {}
        for name, given in _flat(table):
            keys = self._keys_of(name, given)
            if keys:
                wanted[name] = keys
        return wanted

    def _keys_of(self, name: str, given: object) -> Keys:
        """The keys that a line gives, those that cannot be left out."""
        bound = self._by_id.get(name)
        if bound is None:
            self._problem(f"{name} is no action{_near(name, self._by_id)}")
            return ()
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            self._problem(
                f'{name} must be a key such as "p" or a list of keys; it stays {_words(bound.keys)}'
            )
            return ()
        keys: list[str] = []
        for text in texts:
            try:
                key = parse_key(text)
            except ValueError as error:
                self._problem(f"{name}: {error}")
                continue
            refusal = _refusal(bound, key)
            if refusal:
                self._problem(f"{name} = {text!r}: {refusal}")
            elif key not in keys:
                keys.append(key)
        if not keys:
            why = (
                "the kill switch cannot be without a key"
                if name in _KILL
                else "no action can be without a key"
            )
            self._problem(f"{name} has no key left: {why}; it stays {_words(bound.keys)}")
        return tuple(keys)

    def _without_clashes(self, wanted: dict[str, Keys]) -> dict[str, Keys]:
        """What is left of `wanted` when the lines that clash with others are left out, later ones first."""
        kept = dict(wanted)
        while True:
            clash = self._clash(kept)
            if clash is None:
                return kept
            one, other, key = clash
            lines = list(kept)
            if one.id not in kept or (other.id in kept and lines.index(other.id) > lines.index(one.id)):
                one, other = other, one
            del kept[one.id]
            self._problem(
                f"{one.id} = {key!r}: that is also the key of {other.id} ({other.words.lower()}), and both "
                f"can be valid at once; {one.id} stays {_words(one.keys)}"
            )

    def _clash(self, kept: Mapping[str, Keys]) -> tuple[BoundKey, BoundKey, str] | None:
        for one, other in combinations(self._bindings, 2):
            if one.id == other.id or not (one.id in kept or other.id in kept) or not one.meets(other):
                continue
            if set(one.keys) & set(other.keys):
                continue  # they share a key from the start: only one of them is valid at a time
            shared = set(kept.get(one.id, one.keys)) & set(kept.get(other.id, other.keys))
            if shared:
                return one, other, min(shared)
        return None


def _refusal(bound: BoundKey, key: str) -> str:
    """Why a binding cannot have a key, whatever else has it; empty when it can."""
    if key in _MOVING:
        return f"that key {_MOVING[key]}"
    if bound.is_priority and bound.place is not Place.PLAYBACK:
        if key in _BASIC:
            return "lists, text fields and dialogs need that key"
        if is_character(key) and not any(is_character(usual) for usual in bound.keys):
            return "a key that works while text is typed must be no letter; take one such as f9 or ctrl+x"
    return ""


def _flat(table: Mapping[str, Any], front: str = "") -> Iterable[tuple[str, object]]:
    """The lines of a table; TOML reads `app.pause = "p"` without quotes as a table in a table."""
    for name, given in table.items():
        if isinstance(given, dict):
            yield from _flat(given, f"{front}{name}.")
        else:
            yield front + name, given


def _near(name: str, known: Iterable[str]) -> str:
    near = nearest(name, known)
    return f"; did you mean {near}?" if near else ""


def _words(keys: Keys) -> str:
    return " or ".join(keys)
