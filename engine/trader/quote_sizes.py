"""Quotes made smaller than their strategy wants them, because of what restricts trading."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from engine.core.events import Term
from engine.risk.limits import Ratio
from engine.strategy.protocol import Quote


def reducing(quotes: Sequence[Quote], position: int, least: int) -> list[Quote]:
    """The quotes of the side that reduces, cut so that all of them together do not turn the position.

    `position` and `least`, the smallest size of an order, in lots.
    """
    left, kept = abs(position), []
    for quote in quotes:
        size = min(quote.size, left)
        if quote.side * position < 0 and size >= least:
            kept.append(_cut(quote, size, "reducing", "no more than the position"))
            left -= size
    return kept


def share_of(quotes: Sequence[Quote], share: Ratio, least: int) -> list[Quote]:
    """The quotes cut to a share of their size; one that would be below `least` lots is left out."""
    sizes = [(quote, quote.size * share.numerator // share.denominator) for quote in quotes]
    why = "the circuit breaker is half-open"
    return [_cut(quote, size, "on trial", why) for quote, size in sizes if size >= least]


def _cut(quote: Quote, size: int, name: str, why: str) -> Quote:
    """The quote with fewer lots, and its explanation with what is missing."""
    if size == quote.size:
        return quote

    def explain_size() -> tuple[Term, ...]:
        return (*quote.explain_size(), Term(name, size - quote.size, why))

    return msgspec.structs.replace(quote, size=size, explain_size=explain_size)
