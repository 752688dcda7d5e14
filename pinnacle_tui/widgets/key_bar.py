"""The last line: the keys that do something now, and what drawing costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len
from textual import events

from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.drawn import Drawn

_GAP: Final = "  "


class Key(NamedTuple):
    """A key that is offered: its name, as it is written, and what it does."""

    name: str
    key: str
    words: str
    rank: int
    """The highest is left out first where the line is short."""


class KeyBar(Drawn, can_focus=False):
    """Offers only what would do something now; a click on a key is the key."""

    def __init__(self, palette: Palette, *, id: str) -> None:
        super().__init__(palette, id=id)
        self._keys: Sequence[Key] = ()
        self._cost: Sequence[str] = ()
        self._places: list[tuple[int, int, str]] = []
        """From column, to column, name of the key."""

    def offer(self, keys: Sequence[Key]) -> None:
        """These keys from now on."""
        self._keys = keys
        self.redraw()

    def tell_cost(self, parts: Sequence[str]) -> None:
        """What drawing costs, at the right end; the last parts are left out where there is no room."""
        if parts != self._cost:
            self._cost = parts
            self.redraw()

    def redraw(self) -> None:
        """See `Drawn`."""
        width = self.size.width
        if not width:
            return
        cost = self._fitting_cost(width)
        keys = fitting(self._keys, width - cell_len(cost) - 1)
        row: list[tuple[str, str]] = [(" ", "text")]
        at, self._places = 1, []
        for key in keys:
            begin = at
            for text, words in ((key.key, "accent bold"), (f" {key.words}", "muted")):
                row.append((text, words))
                at += cell_len(text)
            self._places.append((begin, at, key.name))
            row.append((_GAP, "text"))
            at += len(_GAP)
        row.append((" " * (width - at - cell_len(cost)), "text"))
        row.append((cost, "muted"))
        self.put([tuple(row)])

    def _fitting_cost(self, width: int) -> str:
        least = sum(_width(key) for key in self._keys if not key.rank)
        for count in range(len(self._cost), 0, -1):
            words = _GAP.join(self._cost[:count]) + " "
            if cell_len(words) + least < width:
                return words
        return ""

    def on_click(self, event: events.Click) -> None:
        """A click on a key is the key."""
        for begin, end, name in self._places:
            if begin <= event.x < end:
                self.app.simulate_key(name)
                return


def fitting(keys: Sequence[Key], width: int) -> list[Key]:
    """Those that fit into `width` cells, in their order; the least important are left out."""
    kept = list(keys)

    def needed() -> int:
        return sum(_width(key) for key in kept)

    while len(kept) > 1 and needed() > width:
        kept.remove(max(reversed(kept), key=lambda key: key.rank))
    return kept


def _width(key: Key) -> int:
    return cell_len(key.key) + 1 + cell_len(key.words) + len(_GAP)
