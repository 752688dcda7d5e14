"""Every attribute of an object and of all its parts, flat: for tests of what is saved and loaded."""

from __future__ import annotations

import dataclasses
import enum
from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any

import msgspec

from engine.core.order_book_levels import PLAIN, BookOrder, OrderTerms

Path = tuple[str | int, ...]

_PLAIN = (int, float, str, bytes, bytearray, bool, type(None), enum.Enum, Decimal)
ANY_ORDER = frozenset(
    {
        "Agenda._entries",
        "BookSide.levels",
        "ChangeLog._bids",
        "ChangeLog._asks",
        "PriceLevels._bid_sizes",
        "PriceLevels._ask_sizes",
        "OwnOrders.displayed_bids",
        "OwnOrders.displayed_asks",
        "OrderManager._known",
    }
)
"""What is read by its keys alone, or in an order of its own."""


class Walk:
    """`values` maps the way to a plain value to the value, `owners` that way to its `Class.attribute`.

    An object met again counts as the way on which it was met first, so what is shared must be shared
    alike. Structs and dataclasses that cannot change are values. So is an order that has ended: for
    those who hold on to it, one is as good as another.
    """

    def __init__(self, root: object) -> None:
        self.values: dict[Path, object] = {}
        self.owners: dict[Path, str] = {}
        self._met: dict[int, Path] = {}
        self._enter(root, (), type(root).__name__)

    def attributes(self) -> set[str]:
        """`Class.attribute` of every one that has a plain value somewhere."""
        return set(self.owners.values())

    def differing(self, other: Walk) -> set[str]:
        """`Class.attribute` of every value that the other has not, or has otherwise, and of its own."""
        return {
            walk.owners[path]
            for walk in (self, other)
            for path in walk.values
            if path not in self.values or path not in other.values or self.values[path] != other.values[path]
        }

    def _leaf(self, path: Path, owner: str, value: object) -> None:
        self.values[path] = value
        self.owners[path] = owner

    def _enter(self, value: Any, path: Path, owner: str) -> None:
        if isinstance(value, _PLAIN):
            self._leaf(path, owner, value)
        elif isinstance(value, Random):
            self._share(value, path, owner, value.getstate())
        elif isinstance(value, BookOrder) and value.state.is_terminal:
            self._leaf(path, owner, "ended")
        elif isinstance(value, OrderTerms):
            self._leaf(path, owner, (value, value is PLAIN))
        elif _is_value(value):
            self._leaf(path, owner, value)
        elif isinstance(value, list | tuple | deque):
            is_heap = isinstance(value, list) and owner in ANY_ORDER
            self._leaf((*path, "length"), owner, len(value))
            self._leaf((*path, "most"), owner, getattr(value, "maxlen", None))
            for place, item in enumerate(sorted(value) if is_heap else value):
                self._enter(item, (*path, place), owner)
        elif isinstance(value, set):
            self._leaf(path, owner, frozenset(value))
        elif isinstance(value, dict):
            keys = sorted(value) if owner in ANY_ORDER else list(value)
            self._leaf((*path, "keys"), owner, keys)
            for key in keys:
                self._enter(value[key], (*path, key), owner)
        elif callable(value) and not isinstance(value, type) and not hasattr(value, "__slots__"):
            self._leaf(path, owner, "something to call")
        elif type(value).__module__.startswith("engine."):
            if self._share(value, path, owner, None):
                for name in _names(value):
                    self._enter(getattr(value, name), (*path, name), f"{type(value).__name__}.{name}")
        else:
            raise TypeError(f"{path}: no rule for a {type(value).__name__}")

    def _share(self, value: object, path: Path, owner: str, state: object) -> bool:
        """Note an object; True when it was met for the first time."""
        first = self._met.setdefault(id(value), path)
        if first is not path:
            self._leaf(path, owner, first)
        elif state is not None:
            self._leaf(path, owner, state)
        return first is path


def _names(value: object) -> Iterator[str]:
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        yield from (slots,) if isinstance(slots, str) else slots
    yield from getattr(value, "__dict__", ())


def _is_value(value: Any) -> bool:
    """Structs and dataclasses that cannot change."""
    if isinstance(value, msgspec.Struct):
        return bool(value.__struct_config__.frozen)
    return dataclasses.is_dataclass(value) and bool(value.__dataclass_params__.frozen)  # type: ignore[attr-defined]
