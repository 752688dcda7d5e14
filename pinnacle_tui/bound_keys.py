"""Every key of the product as data: for the keymap file, the key table of the documents, and tests.

Nothing is written down twice: the list is read off the bindings of the app, its screens, panels and
dialogs.
"""

from __future__ import annotations

import enum
import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from textual.actions import parse
from textual.app import App
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.keys import REPLACED_KEYS, Keys, format_key, key_to_character
from textual.screen import Screen

_MODIFIERS: Final = ("ctrl", "alt", "shift", "super", "hyper", "meta")
_NAMES: Final = frozenset(key.value for key in Keys if key.value.isalnum())
_TWINS: Final = {"ctrl+i": "tab", "ctrl+m": "enter", "ctrl+left_square_bracket": "escape"}
"""Keys that a terminal sends as another one."""


class Place(enum.Enum):
    """What a binding belongs to; the keys of a place are valid while it is on top or has the focus."""

    APP = "everywhere"
    PLAYBACK = "playback"
    """Everywhere while a recorded session is played back, and before the keys of panels."""
    SCREEN = "screen"
    PANEL = "panel"
    DIALOG = "dialog"


class BoundKey(NamedTuple):
    """One binding. `keys` are the names that Textual gives keys: `question_mark`, `ctrl+k`."""

    id: str
    keys: tuple[str, ...]
    action: str
    words: str
    tooltip: str
    place: Place
    owner: str
    """The class that it belongs to."""
    is_priority: bool
    """Valid also under a dialog, and before whatever has the focus."""
    beside: frozenset[str] | None = None
    """Of a screen: the classes of the panels that stand on it; None: it may be any."""

    def meets(self, other: BoundKey) -> bool:
        """True when both can be active at the same time, as far as their places tell."""
        places = {self.place, other.place}
        if places == {Place.PLAYBACK, Place.DIALOG}:
            return False
        if places == {Place.APP, Place.DIALOG}:
            return self.is_priority or other.is_priority
        if places == {Place.SCREEN, Place.PANEL}:
            screen, panel = (self, other) if self.place is Place.SCREEN else (other, self)
            return screen.beside is None or panel.owner in screen.beside
        if self.place is not other.place:
            return Place.DIALOG not in places
        return self.owner == other.owner


def all_bindings() -> tuple[BoundKey, ...]:
    """Every binding there is, the app's first, then by class. Imports all screens and panels."""
    from pinnacle_tui import screens, widgets
    from pinnacle_tui.bindings import APP_BINDINGS, PLAYBACK_BINDINGS
    from pinnacle_tui.screens.base import ConsoleScreen, Dialog
    from pinnacle_tui.widgets.panel import Panel

    for package in (widgets, screens):
        for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            importlib.import_module(module.name)
    found = list(_bound(APP_BINDINGS, Place.APP, "ConsoleApp"))
    found += _bound(PLAYBACK_BINDINGS, Place.PLAYBACK, "ConsoleApp")
    for base, place in ((ConsoleScreen, Place.SCREEN), (Panel, Place.PANEL), (Dialog, Place.DIALOG)):
        for made in _with_subclasses(base):
            found += _bound(_declared(made), place, made.__name__, _beside(made))
    return tuple(found)


def playback_bindings() -> tuple[BoundKey, ...]:
    """Those of the app that are for playing a recorded session, keys as they are without a keymap."""
    from pinnacle_tui.bindings import PLAYBACK_BINDINGS

    return tuple(_bound(PLAYBACK_BINDINGS, Place.PLAYBACK, "ConsoleApp"))


def bindings_of(node: DOMNode) -> tuple[BoundKey, ...]:
    """The bindings that we have given to the class of a node, keys as they are without a keymap.

    Those of playing are not among the app's: see `playback_bindings`.
    """
    from pinnacle_tui.screens.base import Dialog
    from pinnacle_tui.widgets.panel import Panel

    place = Place.APP
    for base, kind in ((Dialog, Place.DIALOG), (Screen, Place.SCREEN), (Panel, Place.PANEL)):
        if isinstance(node, base):
            place = kind
            break
    playing = {bound.id for bound in playback_bindings()}
    found = _bound(_declared(type(node)), place, type(node).__name__, _beside(type(node)))
    return tuple(bound for bound in found if bound.id not in playing)


def _beside(made: type[DOMNode]) -> frozenset[str] | None:
    panels: tuple[type[DOMNode], ...] | None = getattr(made, "PANELS", None)
    return None if panels is None else frozenset(panel.__name__ for panel in panels)


def keys_in(app: App[Any], bound: BoundKey) -> tuple[str, ...]:
    """The keys that a binding has in `app`: those of the keymap file where that moves it."""
    moved = app._keymap.get(bound.id)
    return tuple(moved.split(",")) if moved else bound.keys


def key_of(node: DOMNode, binding_id: str, *, now: bool = True) -> str:
    """The first key of a binding of `node`, for a sentence; `now`: empty where it would do nothing now.

    Raises `KeyError` for an id that `node` does not bind.
    """
    bound = {bound.id: bound for bound in bindings_of(node)}[binding_id]
    _, action, parameters = parse(bound.action)
    if now and not node.check_action(action, parameters):
        return ""
    return written_key(keys_in(node.app, bound)[0])


def _bound(
    bindings: Iterable[BindingType], place: Place, owner: str, beside: frozenset[str] | None = None
) -> Iterator[BoundKey]:
    for binding in bindings:
        expanded = list(Binding.make_bindings([binding]))
        first = expanded[0]
        yield BoundKey(
            first.id or "",
            tuple(one.key for one in expanded),
            first.action,
            first.description,
            first.tooltip,
            place,
            owner,
            first.priority,
            beside,
        )


def _declared(made: type[DOMNode]) -> list[BindingType]:
    """The bindings of a class and of those of our bases whose keys it does not bind anew."""
    own: list[BindingType] = list(made.__dict__.get("BINDINGS", ()))
    taken = {binding.key for binding in Binding.make_bindings(own)}
    for base in made.__mro__[1:]:
        if base.__module__.startswith("pinnacle_tui."):
            for binding in base.__dict__.get("BINDINGS", ()):
                kept = [one for one in Binding.make_bindings([binding]) if one.key not in taken]
                if kept:
                    own.append(kept[0].with_key(",".join(one.key for one in kept), kept[0].key_display))
                taken.update(one.key for one in kept)
    return own


def _with_subclasses(base: type[DOMNode]) -> Iterator[type[DOMNode]]:
    seen: list[type[DOMNode]] = [base]
    for made in seen:
        seen += [below for below in made.__subclasses__() if below not in seen]
    # Classes of tests are no part of the product.
    ours = [made for made in seen if made.__module__.startswith("pinnacle_tui.")]
    return iter(sorted(ours, key=lambda made: made.__name__))


def parse_key(text: str) -> str:
    """A key as people write it (`K`, `?`, `ctrl+k`, `+`) as Textual names it. `ValueError` says why not."""
    written = text.strip() or text
    front, plus, name = written.rpartition("+")
    if plus and not name:
        front, name = front.removesuffix("+"), "plus"
    modifiers = front.split("+") if front else []
    modifiers = sorted({modifier.strip().lower() for modifier in modifiers}, key=_rank)
    for modifier in modifiers:
        if modifier not in _MODIFIERS:
            raise ValueError(
                f"{text!r} is no key: {modifier!r} is no modifier; there are {', '.join(_MODIFIERS)}"
            )
    name = _named(name, text)
    if modifiers and len(name) == 1:
        name = name.lower()
    if modifiers == ["shift"] and is_character(name):
        raise ValueError(f"{text!r} is no key: write the character that shift gives, such as K or ?")
    key = "+".join([*modifiers, name])
    if key in _TWINS:
        raise ValueError(f"{text!r} cannot be told from {_TWINS[key]}: a terminal sends the same for both")
    return key


def written_key(key: str) -> str:
    """A key as people write it, the way back from `parse_key`: `K`, `?`, `ctrl+k`, `enter`."""
    return format_key(key) if is_character(key) else key


def _rank(modifier: str) -> int:
    return _MODIFIERS.index(modifier) if modifier in _MODIFIERS else len(_MODIFIERS)


def _named(name: str, text: str) -> str:
    if name == " ":
        return "space"
    name = name.strip()
    if name == ",":
        return "comma"
    if len(name) == 1 and name.isprintable():
        return next(iter(Binding.make_bindings([Binding(name, "")]))).key
    known = name.lower()
    if known in _NAMES or (len(known) > 1 and _is_name_of_character(known)):
        return known
    raise ValueError(f"{text!r} is no key; keys are written such as K, ?, ctrl+k, f1, space, pageup")


def _is_name_of_character(name: str) -> bool:
    character = key_to_character(REPLACED_KEYS.get(name, name))
    return character is not None and character.isprintable()


def is_character(key: str) -> bool:
    """True for a key, as Textual names it, that is text where text is typed."""
    return "+" not in key and (key == "space" or key not in _NAMES)
