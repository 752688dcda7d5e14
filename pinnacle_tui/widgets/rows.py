"""Rows of text as plain data, so that what a panel shows can be compared, cached and tested.

Widths are cells of the terminal, never characters.
"""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

Span = tuple[str, str]
"""(text, style words as the palette knows them)."""
Row = tuple[Span, ...]

_EIGHTHS = "▏▎▍▌▋▊▉█"


def left(text: str, width: int) -> str:
    """Text at the left of `width` cells; what is too long ends in an ellipsis."""
    length = cell_len(text)
    if length <= width:
        return text + " " * (width - length)
    return set_cell_size(text, width - 1) + "…" if width > 0 else ""


def right(text: str, width: int) -> str:
    """Text at the right of `width` cells. A number that does not fit must not lose digits: it is `#`."""
    length = cell_len(text)
    if length <= width:
        return " " * (width - length) + text
    return "#" * width


def centred(text: str, width: int) -> str:
    """Text in the middle of `width` cells."""
    length = cell_len(text)
    if length >= width:
        return left(text, width)
    before = (width - length) // 2
    return " " * before + text + " " * (width - length - before)


def bar(share: float, width: int) -> str:
    """A bar of `share` (0..1) of `width` cells, in eighths, padded with blanks; above 0 never empty."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    if share > 0 and not eighths:
        eighths = 1
    full, rest = divmod(eighths, 8)
    text = "█" * full + (_EIGHTHS[rest - 1] if rest else "")
    return text + " " * (width - cell_len(text))


def row_text(row: Row) -> str:
    """What a row says, without its styles."""
    return "".join(text for text, _ in row)


def row_width(row: Row) -> int:
    """Cells that a row takes."""
    return sum(cell_len(text) for text, _ in row)
