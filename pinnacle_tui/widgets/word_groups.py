"""A row of word groups that gives way where it is short: the least important first, never a part of one."""

from __future__ import annotations

from typing import Final, NamedTuple

from rich.cells import cell_len

from engine.core.foreign_text import visible
from pinnacle_tui.widgets.rows import Row, Span, left, row_width

_GAP: Final = "  "
_LEAST_NOTE: Final = 12
"""Cells below which a sentence that is cut says nothing."""


class Item(NamedTuple):
    """A word group. Under pressure it takes the next of its forms; the last is nothing at all."""

    rank: int
    """The highest gives way first."""
    is_right: bool
    forms: tuple[Row, ...]


def item(rank: int, *spans: Span, is_right: bool = False) -> Item:
    """A word group that is there whole or not at all."""
    return Item(rank, is_right, (spans, ()))


def fitted(items: list[Item], width: int, note: Span = ("", "text")) -> Row:
    """As much as fits, the right part at the right end; never a part of a word group.

    `note` is cut to the room that is left between both parts.
    """
    forms = [0] * len(items)

    def chosen(is_right: bool) -> Row:
        spans: Row = ()
        for item, form in zip(items, forms, strict=True):
            if item.is_right is is_right and item.forms[form]:
                spans = (*spans, (_GAP, "text"), *item.forms[form]) if spans else item.forms[form]
        return spans

    while True:
        before, after = chosen(False), chosen(True)
        used = row_width(before) + row_width(after) + len(_GAP) * bool(before and after)
        if used <= width:
            break
        able = [at for at, item in enumerate(items) if forms[at] < len(item.forms) - 1]
        forms[max(able, key=lambda at: items[at].rank)] += 1
    room = width - row_width(before) - row_width(after) - len(_GAP) * (1 + bool(after))
    text = visible(note[0])
    if text and before and room >= min(_LEAST_NOTE, cell_len(text)):
        before = (*before, (_GAP, "text"), (left(text, min(room, cell_len(text))), note[1]))
    rest = width - row_width(before) - row_width(after)
    return (*before, (" " * rest, "text"), *after) if after else before
