"""The P&L panel: what was earned, from what, whether it adds up, and how it went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, NamedTuple

from rich.cells import cell_len

from engine.link.view import Product
from pinnacle_tui.numbers import NOTHING, grouped, signed
from pinnacle_tui.palette import Palette
from pinnacle_tui.widgets.big_digits import big
from pinnacle_tui.widgets.line_chart import line_chart
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.row_cache import RowCache
from pinnacle_tui.widgets.rows import Row, centred, left, right, row_width
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.words import INCOMPLETE, profit_style

LEAST_FOR_CHART: Final = 8
"""Rows below the heading from which on the chart is shown."""
_LEAST_CHART: Final = 4
_LEAST_FOR_BIG: Final = 18
_PER_FILL_PLACES: Final = 4
_BETWEEN: Final = "   "
_TOTAL: Final = "total"


class _Line(NamedTuple):
    """A figure: its name, shorter where there is no room, its number, and a remark behind it."""

    label: str
    short: str
    text: str
    style: str
    note: str = ""

    def name(self, is_long: bool) -> str:
        return self.label if is_long else self.short


def per_fill_text(product: Product, total: int, fills: int) -> str:
    """What a sum is per fill, in quote currency, with more decimals than money has elsewhere."""
    places = product.money_places
    average = (2 * total + fills) // (2 * fills)
    return signed(grouped(average, places, min(_PER_FILL_PLACES, places)))


class PnlPanel(Panel):
    """Profit and loss of one product since the engine's start, and its line over engine time."""

    TITLE: ClassVar[str] = "P&L"
    HELP: ClassVar[str] = (
        "What was earned since the start, in quote currency, after fees.\n"
        "The total is taken apart twice: into realised + unrealised − fees, and into spread captured\n"
        "(our fills against the mid of their moment) + inventory revaluation (the position against the\n"
        "moving mid) − fees. Adverse selection is the part of the revaluation within 1 s after fills.\n"
        "Both sums are exact in the engine; what is left over is the residual, and it must be 0. Figures\n"
        "are rounded to what is shown, each by itself. The line is the total over engine time (h:m:s)."
    )

    def __init__(self, palette: Palette, *, id: str, number: int | None = None) -> None:
        super().__init__(palette, id=id, number=number)
        self._chart = RowCache()

    def remark(self, scene: Scene) -> str:
        """The currency, and why the last digits of a sum may not add up."""
        return f"{scene.product.quote}, rounded"

    def rows(self, scene: Scene, width: int, height: int) -> list[Row]:
        """The figures, and below them the line where there is room."""
        if height < LEAST_FOR_CHART:
            return _figures(scene, width, height)
        room = height - max(_LEAST_CHART, height // 3)
        rows = _figures(scene, width, room, is_big=height >= _LEAST_FOR_BIG)
        if height - len(rows) > 2 * _LEAST_CHART:
            rows.append(())
        size = (width, height - len(rows))
        return rows + self._chart.rows((scene.book.symbol, size), scene.now_ns, lambda: _chart(scene, *size))


def _figures(scene: Scene, width: int, height: int, *, is_big: bool = False) -> list[Row]:
    """The figures that fit into at most `height` rows, in two columns where they fit; sums are not cut."""
    total, residual = _total(scene), _residual(scene)
    accounts = [
        _profit(scene, "= realised", scene.book.pnl.realised),
        _profit(scene, "+ unrealised", scene.book.pnl.unrealised),
        _fees(scene),
    ]
    origins = [
        _profit(scene, "= spread captured", scene.book.pnl.captured, "= captured"),
        _profit(scene, "+ inventory revaluation", scene.book.pnl.revaluation, "+ revaluation"),
        _fees(scene),
    ]
    per_fill, adverse = _per_fill(scene), _adverse(scene)
    number = max(cell_len(line.text) for line in (total, residual, *accounts, *origins, per_fill, adverse))
    figure = _big_total(scene, width) if is_big else []
    loud = _loud(scene, width)
    pairs: list[tuple[_Line, _Line | None]] = [
        (total, residual),
        *zip((*accounts, per_fill), (*origins, adverse), strict=True),
    ]
    if figure:
        pairs = [*pairs[1:], (residual, None)]
    table = _side_by_side(pairs, number, width)
    if not table:
        lines = [total, *accounts, *origins, adverse, per_fill, residual]
        label = max(cell_len(line.short) for line in lines)
        table = [_cells(line, line.short, label, number, width) for line in lines[bool(figure) :]]
        ends = [end - bool(figure) for end in (1, 4, 7, 8, 9, 10)]
        room = height - len(figure) - len(loud)
        table = table[: max((end for end in ends if end <= room), default=1)]
    if figure:
        return [*figure, *loud, *table][:height]
    return [table[0], *loud, *table[1:]][:height]


def _side_by_side(pairs: Sequence[tuple[_Line, _Line | None]], number: int, width: int) -> list[Row]:
    """Two lines in each row, with their long names if these fit; none where not even the short ones do."""
    rights = [line for _, line in pairs if line is not None]
    notes = max(cell_len(line.note) for line in rights) + 1
    for is_long in (True, False):
        one = max(cell_len(line.name(is_long)) for line, _ in pairs)
        other = max(cell_len(line.name(is_long)) for line in rights)
        used = one + 1 + number
        if used + len(_BETWEEN) + other + 1 + number + notes > width:
            continue
        made: list[Row] = []
        for line, beside in pairs:
            row = _cells(line, line.name(is_long), one, number, used)
            if beside is not None:
                gap = (_BETWEEN, "text")
                row = (*row, gap, *_cells(beside, beside.name(is_long), other, number, width - used - 3))
            made.append(row)
        return made
    return []


def _cells(line: _Line, name: str, label: int, number: int, width: int) -> Row:
    """A figure in at most `width` cells: its name gives way to its number, its remark to both."""
    number = min(number, width)
    label = max(0, min(label, width - number - 1))
    name = left(name, label) + " " if label else ""
    made = ((name, "text bold" if line.label == _TOTAL else "muted"), (right(line.text, number), line.style))
    if line.note and row_width(made) + 1 + cell_len(line.note) <= width:
        return (*made, (f" {line.note}", "muted"))
    return made


def _big_total(scene: Scene, width: int) -> list[Row]:
    total = scene.book.pnl.total
    rows = big(scene.numbers.money(total))
    if total is None or cell_len(rows[0]) > width:
        return []
    return [((row, f"{profit_style(total)} bold"),) for row in rows]


def _total(scene: Scene) -> _Line:
    total = scene.book.pnl.total
    text = scene.numbers.money(total)
    return _Line(_TOTAL, _TOTAL, text, f"{profit_style(total)} bold")


def _profit(scene: Scene, name: str, value: int | None, short: str = "") -> _Line:
    return _Line(name, short or name, scene.numbers.money(value), profit_style(value))


def _fees(scene: Scene) -> _Line:
    return _Line("− fees", "− fees", scene.numbers.amount(scene.book.pnl.fees), "text")


def _adverse(scene: Scene) -> _Line:
    pnl = scene.book.pnl
    value = pnl.adverse_1s if pnl.adverse_fills else None
    return _Line(
        "adverse within 1 s",
        "adverse 1 s",
        scene.numbers.money(value),
        profit_style(value),
        _fills(pnl.adverse_fills),
    )


def _per_fill(scene: Scene) -> _Line:
    pnl = scene.book.pnl
    name = f"average of {_fills(pnl.fills)}"
    if not pnl.fills or pnl.total is None:
        return _Line(name, "per fill", NOTHING, "muted")
    return _Line(
        name, "per fill", per_fill_text(scene.product, pnl.total, pnl.fills), profit_style(pnl.total)
    )


def _residual(scene: Scene) -> _Line:
    residual = scene.book.pnl.residual
    if residual:
        return _Line("residual", "residual", signed(_exact(scene, residual)), "danger reverse")
    return _Line("residual", "residual", scene.numbers.money(0), "text")


def _exact(scene: Scene, atoms: int) -> str:
    """An amount to its last digit: a difference that is rounded away would look like none."""
    places = scene.product.money_places
    return grouped(atoms, places, places).rstrip("0").rstrip(".")


def _fills(count: int) -> str:
    return f"{count:,} fill" if count == 1 else f"{count:,} fills"


def _loud(scene: Scene, width: int) -> list[Row]:
    """What must be known before a figure is believed."""
    pnl, said = scene.book.pnl, list[Row]()
    off = pnl.residual
    if not off and pnl.total is not None and pnl.unrealised is not None:
        net = pnl.total + pnl.fees
        off = net - pnl.realised - pnl.unrealised or net - pnl.captured - pnl.revaluation
    if off:
        text = f"DOES NOT ADD UP: off by {_exact(scene, abs(off))}"
        said.append(((left(text, width), "danger bold reverse"),))
    if not pnl.is_complete:
        said.append(((left(INCOMPLETE, width), "warning"),))
    if pnl.mark is None:
        states = {"live": "the book has no mid", "stale": "the book is stale", "subscribed": "no book yet"}
        reason = states.get(scene.book.connection, f"feed is {scene.book.connection}")
        said.append(((left(f"no mark: {reason}", width), "warning"),))
    return said


def _chart(scene: Scene, width: int, height: int) -> list[Row]:
    product, shown = scene.product, scene.numbers.money_places
    whole = 10**product.money_places

    def label(value: int, step: int) -> str:
        return signed(grouped(value, product.money_places, 0 if not step % whole else shown))

    series = scene.mirror.profits.get(scene.book.symbol)
    points = list(series) if series is not None else []
    unit = 10 ** (product.money_places - shown)
    rows = line_chart(points, width, height, label=label, unit=unit)
    if rows or points:
        return rows
    return [(), ((centred("the line begins with the first mark", width), "muted"),)]
