"""Rungs of the ladder as rows of text: columns that fit the width, and a cache of what was written before."""

from __future__ import annotations

from typing import Final, NamedTuple

from rich.cells import cell_len

from pinnacle_tui.numbers import NOTHING, Numbers
from pinnacle_tui.widgets.ladder_levels import BID, OwnOrders, Rung
from pinnacle_tui.widgets.rows import Row, Span, bar, right

UP: Final = "▲"
DOWN: Final = "▼"
ORDER_MARKS: Final = {
    "new": ("●", "own"),
    "partially_filled": ("◐", "own"),
    "pending": ("○", "own italic"),
    "pending_cancel": ("×", "own strike"),
    "uncertain": ("?", "warning bold"),
}
"""State of an order: its mark, and the style of its size."""
_UNKNOWN_STATE: Final = ORDER_MARKS["uncertain"]

_BAR_LEAST: Final = 4
_BAR_MOST: Final = 40
_COUNT_WIDTH: Final = 4
_ALONE: Final = "alone"
"""In place of what is ahead, where nobody but us stands."""
_FIRST: Final = "first"
"""In place of what is ahead, where nothing is."""
_AHEAD_WIDTH: Final = 7
"""Room for its name, for words and for a number that keeps its decimals; others give up some."""
_BEYOND: Final = "▸"
"""At the end of a bar that is too short for its size."""
_REMEMBERED: Final = 8_192
"""Numbers whose text is kept."""


def order_mark(state: str) -> tuple[str, str]:
    """Mark and style of an order's state."""
    return ORDER_MARKS.get(state, _UNKNOWN_STATE)


class Widths(NamedTuple):
    """The widest text of each column, in cells."""

    price: int = 5
    size: int = 4
    own: int = 3
    ahead: int = _AHEAD_WIDTH

    @classmethod
    def least(cls, numbers: Numbers) -> Widths:
        """Room for usual sizes from the start, so that the first of them moves nothing."""
        usual = cell_len(numbers.size(0))
        return cls(size=max(4, usual + 1), own=max(3, usual))

    def widened(self, other: Widths) -> Widths:
        """Room for both."""
        return Widths(*map(max, self, other))


class Columns(NamedTuple):
    """Cells that each column takes, the blanks before it not counted; 0 for one that is not shown."""

    width: int
    price: int
    size: int
    own: int
    bar: int
    own_count: int
    ahead: int


def columns(width: int, widths: Widths) -> Columns:
    """The columns that fit: price, size and the mark of our orders always; then our size, the bar, the count
    of our orders, and the queue ahead of them."""
    # The mark of our orders, the price, the mark of the last trade, the sign of an incomplete size, the size.
    room = width - (1 + widths.price + 1 + 1 + widths.size)
    # Where not even price and size fit, the size becomes `#`, never a part of its digits.
    size = max(0, widths.size + min(0, room))
    own = bar_width = count = ahead = 0
    if room >= widths.own + 2:
        own, room = widths.own, room - widths.own - 2
    if room >= _BAR_LEAST + 2:
        bar_width, room = _BAR_LEAST, room - _BAR_LEAST - 2
    if own and room >= _COUNT_WIDTH:
        count, room = _COUNT_WIDTH, room - _COUNT_WIDTH
    if own and room >= widths.ahead + 2:
        ahead, room = widths.ahead, room - widths.ahead - 2
    if bar_width:
        bar_width = min(_BAR_MOST, bar_width + room)
    return Columns(width, widths.price, size, own, bar_width, count, ahead)


class Marks(NamedTuple):
    """What is special about a rung besides its sizes."""

    is_touch: bool = False
    traded: int = 0
    """1 where the last trade was a buy at this price, -1 where it was a sale, else 0."""
    is_changed: bool = False
    is_selected: bool = False


PLAIN: Final = Marks()


class RungWriter:
    """Writes rungs for one way of writing numbers and one set of columns.

    A rung that looks as it did in the frame before is the same row object, made once.
    """

    def __init__(self) -> None:
        self._numbers: Numbers | None = None
        self._sizes: dict[int, str] = {}
        self._prices: dict[int, str] = {}
        self._columns = columns(0, Widths())
        self._full = 0
        self._shows_own = True
        self._context: object = None
        self._before: dict[tuple[Rung, Marks], Row] = {}
        self._now: dict[tuple[Rung, Marks], Row] = {}
        self._widths = Widths()
        self._layout: object = None

    def begin(
        self, numbers: Numbers, rungs: list[Rung], width: int, *, full: int, shows_own: bool, grouping: object
    ) -> None:
        """A new frame of `rungs`. `full` is the size that fills a bar; `shows_own`: the market's sizes
        contain ours. Columns only grow while `width` and `grouping` stay, so that numbers do not dance."""
        if numbers is not self._numbers or len(self._sizes) + len(self._prices) > _REMEMBERED:
            self._numbers, self._sizes, self._prices = numbers, {}, {}
        needed = Widths(
            price=max((len(self._price(rung.price)) for rung in rungs), default=0),
            size=max((len(self._size(rung.size)) for rung in rungs), default=0),
            own=max((len(self._size(rung.own.lots)) for rung in rungs if rung.own), default=0),
            ahead=max((len(self._ahead(rung.own.ahead)) for rung in rungs if rung.own), default=0),
        )
        layout = (numbers, width, grouping)
        if layout != self._layout:
            self._layout, self._widths = layout, Widths.least(numbers)
        self._widths = self._widths.widened(needed)
        self._columns, self._full, self._shows_own = columns(width, self._widths), full, shows_own
        context = (numbers, self._columns, full, shows_own)
        self._before = self._now if context == self._context else {}
        self._now, self._context = {}, context

    def heading(self, base: str, quote: str, ahead: str) -> Row:
        """The names of the columns."""
        cells = self._columns
        lead = self._lead(ahead, "", "own", " ")
        price = f"price {quote}" if len(quote) + 6 <= cells.price else "price"
        # The marks between price and size have no name, so that a unit has room there.
        size = f"size {base}" if len(base) + 5 <= cells.size + 1 else "size"
        room = cells.size + 2
        return ((lead + right(price, cells.price) + right(size[:room], room), "muted"),)

    def row(self, rung: Rung, marks: Marks = PLAIN) -> Row:
        """One rung."""
        key = (rung, marks)
        row = self._before.get(key) or self._now.get(key)
        if row is None:
            row = self._write(rung, marks)
        self._now[key] = row
        return row

    # -- text ------------------------------------------------------------------------------------

    def _write(self, rung: Rung, marks: Marks) -> Row:
        cells = self._columns
        weight = " bold" if marks.is_touch else ""
        is_bid = rung.side == BID
        is_alone = self._is_alone(rung)
        spans = self._own_spans(rung.own, is_alone, marks.is_selected)
        spans.append((right(self._price(rung.price), cells.price), ("bid" if is_bid else "ask") + weight))
        if marks.traded:
            spans.append((UP, "up bold") if marks.traded > 0 else (DOWN, "down bold"))
        else:
            spans.append((" ", "text"))
        size_style = ("own" if is_alone and self._shows_own else "text") + weight
        is_least = not rung.is_complete and rung.size is not None
        spans.append(("≥" if is_least else " ", "muted"))
        if not rung.size:
            spans.append((right(NOTHING if rung.is_complete else "…", cells.size), "muted"))
        else:
            ground = " on changed" if marks.is_changed else ""
            spans.append((right(self._size(rung.size), cells.size), size_style + ground))
        if cells.bar and rung.size and self._full:
            spans.append(("  ", "text"))
            spans += self._bar(rung, rung.size, "depth-bid" if is_bid else "depth-ask")
        return tuple(spans)

    def _own_spans(self, own: OwnOrders | None, is_alone: bool, is_selected: bool) -> list[Span]:
        cells = self._columns
        if own is None:
            return [(self._lead("", "", "", " "), "text")]
        mark, style = order_mark(own.state)
        ground = " on selected" if is_selected else ""
        mark_style = style if own.state not in ORDER_MARKS or own.state == "uncertain" else "own"
        if not cells.own:
            return [(mark, mark_style + ground)]
        spans: list[Span] = []
        if cells.ahead:
            ahead = _ALONE if is_alone else _FIRST if own.ahead == 0 else self._ahead(own.ahead)
            spans.append((right(ahead, cells.ahead) + "  ", "muted"))
        if cells.own_count:
            count = "" if own.orders == 1 else f"{own.orders}×" if own.orders < 100 else "99+"
            spans.append((right(count, cells.own_count - 1) + " ", "own"))
        size = self._size(own.lots)
        spans += [
            (" " * (cells.own - len(size)), "text"),
            (size, style + ground),
            (" ", "text" + ground),
            (mark, mark_style + ground),
            (" ", "text"),
        ]
        return spans

    def _lead(self, ahead: str, count: str, own: str, mark: str) -> str:
        cells = self._columns
        if not cells.own:
            return mark
        text = right(ahead, cells.ahead) + "  " if cells.ahead else ""
        text += right(count, cells.own_count)
        return f"{text}{right(own, cells.own)} {mark} "

    def _bar(self, rung: Rung, size: int, style: str) -> list[Span]:
        """The bar of a size; the part that is ours comes first in it."""
        width, full = self._columns.bar, self._full
        text = bar(size / full, width) if size <= full else bar(1.0, width - 1) + _BEYOND
        resting = rung.own.resting if rung.own and self._shows_own else 0
        if not resting:
            return [(text, style)]
        if resting >= size:
            return [(text, "own")]
        ours = bar(resting / full, width).rstrip()
        whole, rest = text[: len(ours)], text[len(ours) :]
        if whole[-1] != "█":
            # Both end in the same cell, which has room for one colour.
            return [(whole[:-1], "own"), (whole[-1] + rest, "own" if resting * 2 >= size else style)]
        return [(ours[:-1], "own"), (ours[-1], f"own on {style}"), (rest, style)]

    def _is_alone(self, rung: Rung) -> bool:
        """True where nobody but us stands, as far as anybody knows."""
        if rung.own is None or not rung.is_complete:
            return False
        return not rung.size or (self._shows_own and rung.size <= rung.own.resting)

    def _price(self, ticks: int) -> str:
        text = self._prices.get(ticks)
        if text is None:
            assert self._numbers is not None
            text = self._prices[ticks] = self._numbers.price(ticks)
        return text

    def _ahead(self, lots: int | None) -> str:
        """A size in the cells that are kept for it, if it fits with fewer decimals."""
        text = self._size(lots)
        if lots is None or len(text) <= _AHEAD_WIDTH or "." not in text:
            return text
        assert self._numbers is not None
        return self._numbers.size_at(lots, max(0, _AHEAD_WIDTH - 1 - text.index(".")))

    def _size(self, lots: int | None) -> str:
        if lots is None:
            return NOTHING
        text = self._sizes.get(lots)
        if text is None:
            assert self._numbers is not None
            text = self._sizes[lots] = self._numbers.size(lots)
        return text
