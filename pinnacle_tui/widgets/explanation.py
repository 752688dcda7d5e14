"""Why a quote stands where it stands: its terms as a waterfall, and the same in one line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from rich.cells import cell_len

from engine.link.view import Quote, Term
from pinnacle_tui.numbers import grouped, signed
from pinnacle_tui.widgets.rows import Row, Span, left, right, row_width
from pinnacle_tui.widgets.scene import Scene

_EXTRA_PLACES: Final = 2
"""Decimals of a price's terms beyond those of the price."""
_LEAST_BARS: Final = 16
_MOST_BARS: Final = 40
_MOST_NAME: Final = 16
_MOST_INPUTS: Final = 36
_SHORT: Final = {"half spread": "half"}


@dataclass(frozen=True, slots=True)
class _Sum:
    """Terms and what they must add up to, both in the units that `write` writes without a sign."""

    title: str
    name: str
    style: str
    terms: tuple[Term, ...]
    expected: int
    write: Callable[[int], str]
    result: str
    """The expected sum as it is written elsewhere."""

    @property
    def total(self) -> int:
        return sum(term.value for term in self.terms)


def explanation_rows(scene: Scene, quote: Quote, width: int, height: int) -> list[Row]:
    """The price's terms and then the size's, in at most `height` rows.

    Where room is short, terms of 0 go first, then the size, then the middle of the price's terms.
    """
    if height <= 0:
        return []
    price = _price_sum(scene, quote)
    if price is None:
        return [((left(f"{quote.slot}: nothing is wanted here and nothing works here", width), "muted"),)]
    size = _size_sum(scene, quote)
    rows: list[Row] = []
    for has_zeros, has_size in ((True, True), (False, True), (False, False)):
        rows = _sum_rows(price, width, has_zeros=has_zeros)
        if has_size and size is not None:
            rows += _sum_rows(size, width, has_zeros=has_zeros)
        if len(rows) <= height:
            return rows
    return [*rows[: height - 1], rows[-1]]


def why_rows(scene: Scene, quotes: Sequence[Quote], width: int) -> list[Row]:
    """One line for each quote: its price and the terms that are not 0."""
    return [_why(scene, quote, width) for quote in quotes]


def _price_sum(scene: Scene, quote: Quote) -> _Sum | None:
    """The price of the working order, else of the wanted quote; None where there is neither."""
    price = quote.wanted_price if quote.working_price is None else quote.working_price
    if price is None:
        return None
    product, side = scene.product, "BID" if quote.side > 0 else "ASK"
    result = scene.numbers.price(price)
    what = "wanted" if quote.working_price is None else "working"
    return _Sum(
        f"WHY {side} {result}  {quote.slot}, {what}",
        "price",
        "bid bold" if quote.side > 0 else "ask bold",
        quote.price_terms,
        price * product.tick_steps * 10 ** (product.model_places - product.price_places),
        lambda units: _units_text(scene, units, _EXTRA_PLACES),
        result,
    )


def _size_sum(scene: Scene, quote: Quote) -> _Sum | None:
    if not quote.size_terms:
        return None
    product, result = scene.product, scene.numbers.size(quote.wanted_size)
    places = max(scene.numbers.size_places, *(_places(scene, term.value) for term in quote.size_terms))
    return _Sum(
        f"WHY SIZE {result} {product.base}",
        "size",
        "text bold",
        quote.size_terms,
        quote.wanted_size,
        lambda lots: grouped(lots * product.lot_steps, product.size_places, places),
        result,
    )


def _places(scene: Scene, lots: int) -> int:
    """Decimals that this size needs to be exact."""
    digits = f"{abs(lots * scene.product.lot_steps):0{scene.product.size_places + 1}}"
    fraction = digits[len(digits) - scene.product.size_places :].rstrip("0")
    return len(fraction)


def _units_text(scene: Scene, units: int, extra_places: int) -> str:
    product = scene.product
    shown = min(product.price_places + extra_places, product.model_places)
    return grouped(units, product.model_places, shown)


def _sum_rows(one: _Sum, width: int, *, has_zeros: bool) -> list[Row]:
    """A heading, a row for each term, and the sum with what its check says."""
    made: list[Row] = [((left(one.title, min(width, cell_len(one.title))), one.style),)]
    if not one.terms:
        return [*made, ((left("not explained", width), "warning"),)]
    sums = list(accumulate(term.value for term in one.terms))
    shown = [at for at, term in enumerate(one.terms) if term.value or has_zeros or not at]
    values = {at: _value(one, at) for at in shown}
    running = {at: one.write(sums[at]) for at in shown}
    last = f"= {one.name}"
    name = min(_MOST_NAME, max(cell_len(last), *(cell_len(one.terms[at].name) for at in shown)))
    value = max(cell_len(text) for text in values.values())
    total = max(cell_len(one.result), *(cell_len(text) for text in running.values()))
    has_running = name + value + total + 4 <= width
    if not has_running:
        value, total = max(value, cell_len(one.result)), 0
        name = max(0, min(name, width - value - 1))
    inputs = min(_MOST_INPUTS, max(cell_len(term.inputs) for term in one.terms))
    room = width - name - value - total - 4
    bars = min(_MOST_BARS, room - inputs - 4)
    has_bars = has_running and bars >= _LEAST_BARS and any(term.value for term in one.terms[1:])
    columns = _columns(sums, bars) if has_bars else []
    for at in shown:
        row: Row = ((left(one.terms[at].name, name), "muted"), ("  " if has_running else " ", "text"))
        row = (*row, (right(values[at], value), "text" if one.terms[at].value else "muted"))
        if has_running:
            row = (*row, ("  " + right(running[at], total), "muted"))
        if columns:
            row = (*row, ("  ", "text"), _bar(columns, at, bars))
        said = one.terms[at].inputs
        # Whole or not at all: there are numbers in it.
        if said and row_width(row) + 2 + cell_len(said) <= width:
            row = (*row, (f"  {said}", "muted"))
        made.append(row)
    cells = value + (total + 4 if has_running else 1)
    result: Row = ((left(last, name), "text"), (right(one.result, min(width - name, cells)), "text bold"))
    verdict, style = _check(one, len(one.terms) - len(shown))
    if row_width(result) + 2 + cell_len(verdict) <= width:
        return [*made, (*result, ("  " + verdict, style))]
    if one.total != one.expected:
        return [*made, result, ((left(verdict.partition(":")[0], width), style),)]
    return [*made, result]


def _value(one: _Sum, at: int) -> str:
    """The first term is a level, the others are steps and carry a sign."""
    text = one.write(one.terms[at].value)
    return signed(text) if at else text


def _check(one: _Sum, hidden: int) -> tuple[str, str]:
    if one.total != one.expected:
        return f"DOES NOT ADD UP: the terms give {one.write(one.total)}", "danger bold"
    return ("adds up" + (f"; {hidden} terms of 0 not shown" if hidden else ""), "ok")


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
        reason = f": {scene.book.note}" if scene.book.note else ""
        return ((left(f"no {side.lower()} in {quote.slot}{reason}", width), "warning"),)
    title = f"WHY {side} {price.result}"
    if cell_len(title) > width:
        return ((right(price.result, width), style),)
    head: Row = ((title, style),)
    if price.total != price.expected:
        return (*head, (left("  DOES NOT ADD UP", max(0, width - row_width(head))), "danger bold"))
    row = head
    for extra_places in (_EXTRA_PLACES, 0):
        parts = list(_parts(scene, price, extra_places))
        row = head + tuple(span for part in parts for span in part)
        if row_width(row) <= width:
            return row
    shown = 0
    row = head
    for part in parts:
        more = f"  +{len(parts) - shown - 1} more"
        if row_width((*row, *part)) + cell_len(more) > width:
            break
        row, shown = (*row, *part), shown + 1
    more = f"  +{len(parts) - shown} more"
    return (*row, (more, "muted")) if row_width(row) + cell_len(more) <= width else row


def _parts(scene: Scene, price: _Sum, extra_places: int) -> list[Row]:
    made: list[Row] = []
    for at, term in enumerate(price.terms):
        if not term.value and at:
            continue
        text = _units_text(scene, term.value, extra_places)
        number = signed(text).strip() if at else text
        made.append(((f"  {_SHORT.get(term.name, term.name)} ", "muted"), (number, "text")))
    return made
