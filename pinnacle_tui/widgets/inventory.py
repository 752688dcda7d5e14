"""The inventory panel: where the position stands between its caps, and what it is worth."""

from __future__ import annotations

from typing import ClassVar, Final

from rich.cells import cell_len

from pinnacle_tui.numbers import NOTHING, signed
from pinnacle_tui.widgets.gauges import gauge_label, gauge_percent, gauge_share, gauge_style, gauge_word
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.rows import Row, left, right, row_width
from pinnacle_tui.widgets.scene import Scene

_LEAST_TRACK: Final = 7


class InventoryPanel(Panel):
    """Position, cap, value, cost, and the limit that is nearest."""

    TITLE: ClassVar[str] = "INVENTORY"
    HELP: ClassVar[str] = (
        "The position between its caps (max_position, or the risk limit where that is less): short to the\n"
        "left, long to the right of the middle. Its value is at the mark, the mid of the book; the average\n"
        "cost is that of the open position. The last line is the risk limit of which most is used."
    )

    def remark(self, scene: Scene) -> str:
        """The words for the position's side."""
        position = scene.book.pnl.position
        return "long" if position > 0 else "short" if position < 0 else "flat"

    def rows(self, scene: Scene, width: int, height: int) -> list[Row]:
        """The most important first."""
        made = [_track(scene, width), _position(scene, width), _limit(scene, width), _cost(scene, width)]
        return made[:height] if height < len(made) else [*made[:2], made[3], made[2]]


def _track(scene: Scene, width: int) -> Row:
    """A track from cap to cap with the position on it."""
    position, cap = scene.book.pnl.position, scene.book.max_position
    low, high = _lots(scene, -cap), _lots(scene, cap)
    room = width - cell_len(low) - cell_len(high) - 2
    has_ends = room >= _LEAST_TRACK
    cells = room if has_ends else width
    half = max(0, cells - 1) // 2
    cells = 2 * half + 1
    is_over = abs(position) > cap
    away = (2 * abs(position) * half + cap) // (2 * cap) if cap else half * bool(position)
    away = min(half, max(away, 1 if position else 0))
    marker = ("▶" if position > 0 else "◀") if is_over else "●"
    style = "danger bold" if is_over else "own bold"
    if not half:
        return ((marker, style),)
    idle, used = ("─" * half, "rule"), ("━" * (away - 1), style)
    rest = ("─" * (half - away), "rule")
    if position > 0:
        track: Row = (idle, ("┼", "text"), used, (marker, style), rest)
    elif position < 0:
        track = (rest, (marker, style), used, ("┼", "text"), idle)
    else:
        track = (idle, (marker, style), idle)
    track = tuple(span for span in track if span[0])
    return ((f"{low} ", "muted"), *track, (f" {high}", "muted")) if has_ends else track


def _lots(scene: Scene, lots: int) -> str:
    """A size with its sign; exact where the cap itself is too small for the decimals of sizes."""
    numbers = scene.numbers
    is_small = 0 < scene.book.max_position * scene.product.lot_steps < numbers.smallest
    return signed(numbers.whole_size(lots)) if is_small else numbers.position(lots)


def _position(scene: Scene, width: int) -> Row:
    """Base, and quote at the mark; the currencies give way before a number does."""
    pnl, product, numbers = scene.book.pnl, scene.product, scene.numbers
    position = _lots(scene, pnl.position)
    if pnl.mark is None and pnl.position:
        value, has_value = f"{NOTHING} no mark", False
    else:
        value = numbers.money(pnl.position * (pnl.mark or 0) * product.atoms_per_half_tick_lot)
        has_value = True
    style = "danger bold" if abs(pnl.position) > scene.book.max_position else "text bold"
    for has_currencies in (True, False):
        base = f" {product.base}" if has_currencies else ""
        quote = f" {product.quote}" if has_currencies and has_value else ""
        row = ((position + base, style), ("  ", "text"), (value + quote, "text" if has_value else "warning"))
        if row_width(row) <= width:
            return _end(row, "over the cap", style, width) if style.startswith("danger") else row
    return ((position, style),) if cell_len(position) <= width else (("#" * width, style),)


def _end(row: Row, words: str, style: str, width: int) -> Row:
    return (*row, (f"  {words}", style)) if row_width(row) + 2 + len(words) <= width else row


def _cost(scene: Scene, width: int) -> Row:
    pnl, numbers = scene.book.pnl, scene.numbers
    if pnl.average_cost is None:
        return ((left("flat: no open cost", width), "muted"),)
    cost, mark = numbers.mid(pnl.average_cost), numbers.mid(pnl.mark)
    for name, other in (("average cost ", "  mark "), ("cost ", "  mark "), ("cost ", "")):
        row: Row = ((name, "muted"), (cost, "text"))
        if other:
            row = (*row, (other, "muted"), (mark, "text"))
        if row_width(row) <= width:
            return row
    return ((left("cost", width), "muted"),)


def _limit(scene: Scene, width: int) -> Row:
    """The gauge of which most is used, in one line."""
    known = [gauge for gauge in scene.book.gauges if gauge.used is not None]
    if not known:
        return ((left("no limit can be told", width), "warning"),)
    nearest = max(known, key=lambda gauge: gauge_share(gauge) or 0.0)
    style, word, percent = gauge_style(nearest), gauge_word(nearest), gauge_percent(nearest)
    label = gauge_label(nearest)
    name = left(label, min(cell_len(label), max(0, width - cell_len(percent) - 1)))
    row: Row = ((f"{name} ", style if word else "muted"), (percent, style)) if name else ()
    for words in (f" of the limit, {word}" if word else " of the limit", f" {word}", ""):
        if row and row_width(row) + cell_len(words) <= width:
            return (*row, (words, style if word else "muted"))
    return ((right(percent, min(width, cell_len(percent))), style),)
