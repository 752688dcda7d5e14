"""Why a quote was not sent: every risk control that it failed."""

from __future__ import annotations

from textwrap import wrap

from rich.cells import cell_len

from engine.link.view import Quote
from pinnacle_tui.widgets.rows import Row, left


def failure_rows(quote: Quote, width: int) -> list[Row]:
    """The control that decided, then all others that would have kept it back as well, to their last word."""
    made: list[Row] = []
    for number, failure in enumerate(quote.failures):
        word, style = ("also    ", "warning") if number else ("NOT SENT", "warning bold")
        head = f"{word}  {failure.code}"
        lines = wrap(failure.reason, max(1, width - cell_len(head) - 2)) or [""]
        made.append(((left(head, min(width, cell_len(head))), style), (f"  {lines[0]}", "text")))
        made += [((left(" " * (cell_len(head) + 2) + line, width), "text"),) for line in lines[1:]]
    return made
