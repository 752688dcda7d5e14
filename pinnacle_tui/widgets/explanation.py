"""Why a quote stands where it stands: its terms as a waterfall, and the same in one line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Final, NamedTuple

from rich.cells import cell_len

from engine.link.view import Quote, Term
from pinnacle_tui.numbers import grouped, signed
from pinnacle_tui.widgets.rows import Row, Span, left, right, row_width
from pinnacle_tui.widgets.scene import Scene
from pinnacle_tui.widgets.words import NO_QUOTES

_EXTRA_PLACES: Final = 2
"""Decimals of a price's terms beyond those of the price."""
_LEAST_BARS: Final = 16
_MOST_BARS: Final = 40
_MOST_NAME: Final = 16
_MOST_INPUTS: Final = 36
_SHORT: Final = {"half spread": "half"}
_OTHERS: Final = "others"
_MOST_NAMED: Final = 3
"""Names of joined terms that are told one by one."""
_LESS_AND_LESS: Final = (
    (True, True, True),
    (False, True, True),
    (True, False, True),
    (False, False, True),
    (False, False, False),
)
"""Whether terms of 0, inputs in rows of their own, and the size are shown."""
_FEWEST_STEPS: Final = 2
"""The first and the sum of all others."""


@dataclass(frozen=True, slots=True)
class _Sum:
    """Terms and what they must add up to, both in the units that `write` writes without a sign."""

    title: str
    name: str
    short: str
    """What is explained, where the title has no room."""
    style: str
    terms: tuple[Term, ...]
    expected: int
    unit: int
    """The last digit that `write` shows."""
    write: Callable[[int], str]
    result: str
    """The expected sum as it is written elsewhere."""

    @property
    def total(self) -> int:
        return sum(term.value for term in self.terms)

    def steps(self) -> list[_Step]:
        """The terms as they are shown."""
        made, exact, before = list[_Step](), 0, 0
        for term in self.terms:
            exact += term.value
            total = (2 * abs(exact) + self.unit) // (2 * self.unit) * (self.unit if exact > 0 else -self.unit)
            made.append(_Step(term.name, total - before, total, term.inputs, not term.value))
            before = total
        return made


class _Step(NamedTuple):
    """A term, or several: what it adds to the rounded sum before it, so that what is seen adds up."""

    name: str
    value: int
    total: int
    """The rounded sum up to it."""
    inputs: str
    is_zero: bool
    """Exactly."""


def explanation_rows(scene: Scene, quote: Quote, width: int, height: int) -> list[Row]:
    """The price's terms and then the size's, in at most `height` rows.

    Where room is short, terms of 0 go first, then the inputs that need rows of their own, then the size, then
    the title; then terms share a row, and at last there is one line. Whatever is seen adds up.
    """
    if height <= 0:
        return []
    price = _price_sum(scene, quote)
    if price is None:
        return [((left(f"{quote.slot}: nothing is wanted here and nothing works here", width), "muted"),)]
    size = _size_sum(scene, quote)
    rows: list[Row] = []
    for has_zeros, has_notes, has_size in _LESS_AND_LESS:
        rows = _sum_rows(price, width, _shown(price, has_zeros=has_zeros), has_notes=has_notes)
        if has_size and size is not None:
            rows += _sum_rows(size, width, _shown(size, has_zeros=has_zeros), has_notes=has_notes)
        if len(rows) <= height:
            return rows
    shown = _shown(price, has_zeros=False)
    for most in range(height, _FEWEST_STEPS - 1, -1):
        rows = _sum_rows(price, width, _joined(shown, most), has_title=False)
        if len(rows) <= height:
            return rows
    return [_why(scene, quote, width)]


def why_rows(scene: Scene, quotes: Sequence[Quote], width: int) -> list[Row]:
    """One line for each quote: its price and the terms that are not 0."""
    return [_why(scene, quote, width) for quote in quotes]


def _price_sum(scene: Scene, quote: Quote, extra_places: int = _EXTRA_PLACES) -> _Sum | None:
    """The price of the working order, else of the wanted quote; None where there is neither."""
    price = quote.wanted_price if quote.working_price is None else quote.working_price
    if price is None:
        return None
    product, side = scene.product, "BID" if quote.side > 0 else "ASK"
    result = scene.numbers.price(price)
    what = "wanted" if quote.working_price is None else "working"
    shown = min(product.price_places + extra_places, product.model_places)
    return _Sum(
        f"WHY {side} {result}  {quote.slot}, {what}",
        "price",
        f"{quote.slot} {what}",
        "bid bold" if quote.side > 0 else "ask bold",
        quote.price_terms,
        price * product.tick_steps * 10 ** (product.model_places - product.price_places),
        10 ** (product.model_places - shown),
        lambda units: grouped(units, product.model_places, shown),
        result,
    )


def _size_sum(scene: Scene, quote: Quote) -> _Sum | None:
    if not quote.size_terms:
        return None
    product, result = scene.product, scene.numbers.size(quote.wanted_size)
    places = max(scene.numbers.size_places, *(scene.numbers.places(term.value) for term in quote.size_terms))
    return _Sum(
        f"WHY SIZE {result} {product.base}",
        "size",
        "size",
        "text bold",
        quote.size_terms,
        quote.wanted_size,
        1,
        lambda lots: grouped(lots * product.lot_steps, product.size_places, places),
        result,
    )


def _shown(one: _Sum, *, has_zeros: bool) -> list[_Step]:
    """The steps with or without those of 0; the first is where the others start."""
    return [step for at, step in enumerate(one.steps()) if has_zeros or not at or not step.is_zero]


def _joined(steps: list[_Step], most: int) -> list[_Step]:
    """At most so many steps: what has no row of its own is summed in the last one."""
    if len(steps) <= most:
        return steps
    rest = steps[most - 1 :]
    value, names = sum(step.value for step in rest), [step.name for step in rest]
    told = ", ".join(names) if len(names) <= _MOST_NAMED else f"{names[0]} to {names[-1]}"
    return [*steps[: most - 1], _Step(_OTHERS, value, rest[-1].total, told, False)]


def _sum_rows(
    one: _Sum, width: int, steps: Sequence[_Step], *, has_title: bool = True, has_notes: bool = False
) -> list[Row]:
    """A title, a row for each step, and the sum with what its check says.

    Inputs for which their row has no room are left out, or stand below it where `has_notes`.
    """
    made: list[Row] = [((left(one.title, min(width, cell_len(one.title))), one.style),)] if has_title else []
    if not steps:
        return [*made, ((left("not explained", width), "warning"),)]
    values = [_value(one, step, at) for at, step in enumerate(steps)]
    running = [one.write(step.total) for step in steps]
    last = f"= {one.name if has_title else one.short}"
    name = min(_MOST_NAME, max(cell_len(last), *(cell_len(step.name) for step in steps)))
    value = max(cell_len(text) for text in values)
    total = max(cell_len(one.result), *(cell_len(text) for text in running))
    has_running = name + value + total + 4 <= width
    if not has_running:
        value, total = min(max(value, cell_len(one.result)), max(0, width - 1)), 0
        name = max(0, min(name, width - value - 1))
    inputs = min(_MOST_INPUTS, max(cell_len(step.inputs) for step in steps))
    room = width - name - value - total - 4
    bars = min(_MOST_BARS, room - inputs - 4)
    has_bars = has_running and bars >= _LEAST_BARS and any(step.value for step in steps[1:])
    columns = _columns([step.total for step in steps], bars) if has_bars else []
    for at, step in enumerate(steps):
        row: Row = ((left(step.name, name), "muted"), ("  " if has_running else " ", "text"))
        row = (*row, (right(values[at], value), "muted" if step.is_zero else "text"))
        if has_running:
            row = (*row, ("  " + right(running[at], total), "muted"))
        if columns:
            row = (*row, ("  ", "text"), _bar(columns, at, bars))
        # Whole or not at all: there are numbers in it.
        is_roomy = row_width(row) + 2 + cell_len(step.inputs) <= width
        if step.inputs and is_roomy:
            row = (*row, (f"  {step.inputs}", "muted"))
        made.append(row)
        if has_notes and not is_roomy:
            lines = wrap(step.inputs, max(1, width - 2))
            made += [((left(f"  {line}", width), "muted"),) for line in lines]
    cells = value + (total + 4 if has_running else 1)
    result: Row = ((left(last, name), "text"), (right(one.result, min(width - name, cells)), "text bold"))
    verdicts, style = _check(one, _zeros(one.steps()) - _zeros(steps))
    for verdict in verdicts:
        if row_width(result) + 2 + cell_len(verdict) <= width:
            return [*made, (*result, ("  " + verdict, style))]
    if one.total != one.expected:
        return [*made, result, ((left(verdicts[-1], width), style),)]
    return [*made, result]


def _zeros(steps: Sequence[_Step]) -> int:
    """How many of them, the first left out, add exactly nothing."""
    return sum(step.is_zero for step in steps[1:])


def _value(one: _Sum, step: _Step, at: int) -> str:
    """The first step is a level, the others are differences and carry a sign."""
    text = one.write(step.value)
    return signed(text) if at else text


def _check(one: _Sum, hidden: int) -> tuple[tuple[str, ...], str]:
    """What the check says, in shorter and shorter words, and their style."""
    if one.total != one.expected:
        wrong = "DOES NOT ADD UP"
        return (f"{wrong}: the terms give {one.write(one.total)}", wrong), "danger bold"
    if not hidden:
        return ("adds up",), "ok"
    terms, are = ("1 term", "is") if hidden == 1 else (f"{hidden} terms", "are")
    return (f"adds up; {terms} of 0 not shown", f"adds up; {terms} {are} 0", "adds up"), "ok"


def _columns(sums: Sequence[int], width: int) -> list[int]:
    """The cell of each running sum between the lowest and the highest."""
    low, span = min(sums), max(sums) - min(sums)
    return [(total - low) * (width - 1) // span if span else 0 for total in sums]


def _bar(columns: Sequence[int], at: int, width: int) -> Span:
    """From the sum before to the sum after; the arrow says which way."""
    end = columns[at]
    start = columns[at - 1] if at else end
    if start == end:
        line = "│"
    elif end > start:
        line = "━" * (end - start) + "▶"
    else:
        line = "◀" + "━" * (start - end)
    return (" " * min(start, end) + line + " " * (width - max(start, end) - 1), "accent" if at else "text")


def _why(scene: Scene, quote: Quote, width: int) -> Row:
    side, style = ("BID", "bid bold") if quote.side > 0 else ("ASK", "ask bold")
    price = _price_sum(scene, quote)
    if price is None:
        reason = f": {scene.book.note.removeprefix(NO_QUOTES)}" if scene.book.note else ""
        return ((left(f"no {side.lower()} in {quote.slot}{reason}", width), "warning"),)
    title = f"WHY {side} {price.result}"
    if cell_len(title) > width:
        return ((right(price.result, width), style),)
    head: Row = ((title, style),)
    if price.total != price.expected:
        return (*head, (left("  DOES NOT ADD UP", max(0, width - row_width(head))), "danger bold"))
    for extra_places in (_EXTRA_PLACES, 0):
        price = _price_sum(scene, quote, extra_places) or price
        steps = _shown(price, has_zeros=False)
        row = (*head, *_parts(price, steps))
        if row_width(row) <= width:
            return row
    for most in range(len(steps) - 1, _FEWEST_STEPS - 1, -1):
        row = (*head, *_parts(price, _joined(steps, most)))
        if row_width(row) <= width:
            return row
    more = f"  +{len(steps)} more"
    return (*head, (more, "muted")) if row_width(head) + cell_len(more) <= width else head


def _parts(price: _Sum, steps: Sequence[_Step]) -> Row:
    made: Row = ()
    for at, step in enumerate(steps):
        name = _SHORT.get(step.name, step.name)
        made = (*made, (f"  {name} ", "muted"), (_value(price, step, at).strip(), "text"))
    return made
