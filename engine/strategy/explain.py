"""Explanations of quotes as rows for programs and as a waterfall of text lines for people."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from engine.core.events import Term
from engine.core.instrument import Instrument, scaled_text

Row = tuple[str, str, str]
"""(name, value as a plain decimal, inputs)."""


def number_text(value: Decimal) -> str:
    """A setting as people write it: no exponent, no trailing zeros."""
    return f"{value.normalize():f}"


def price_rows(instrument: Instrument, terms: Iterable[Term]) -> list[Row]:
    """The terms of a price in quote units, and a last row `price`: their sum."""
    terms = tuple(terms)
    total = Term("price", sum(term.value for term in terms))
    return [
        (term.name, scaled_text(term.value, instrument.model_places), term.inputs) for term in (*terms, total)
    ]


def size_rows(instrument: Instrument, terms: Iterable[Term]) -> list[Row]:
    """The terms of a size in base units, and a last row `size`: their sum."""
    terms = tuple(terms)
    total = Term("size", sum(term.value for term in terms))
    return [(term.name, instrument.size_text(term.value), term.inputs) for term in (*terms, total)]


def objects(rows: list[Row]) -> list[dict[str, str]]:
    """The terms for machines; without the last row, which follows from them."""
    return [{"name": name, "value": value, "inputs": inputs} for name, value, inputs in rows[:-1]]


def waterfall(rows: list[Row]) -> list[str]:
    """One line per row: name, value aligned on the decimal point, inputs.

    Values between the first and the last row are steps, so they always carry a sign (zero has none).
    """
    cells: list[tuple[str, str, str, str]] = []
    for index, (name, value, inputs) in enumerate(rows):
        is_step = 0 < index < len(rows) - 1
        sign = "−" if value.startswith("-") else "+" if is_step and value != "0" else ""
        whole, point, fraction = value.removeprefix("-").partition(".")
        cells.append((name, sign + whole, point + fraction, inputs))
    names, wholes, fractions = (max(len(cell[column]) for cell in cells) for column in range(3))
    return [
        f"{name:<{names}}  {whole:>{wholes}}{fraction:<{fractions}}  {inputs}".rstrip()
        for name, whole, fraction, inputs in cells
    ]
