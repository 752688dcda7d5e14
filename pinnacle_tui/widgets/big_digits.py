"""Numbers three rows high, for the one figure that is to be read from across the room."""

from __future__ import annotations

from typing import Final

HEIGHT: Final = 3
_GLYPHS: Final = {
    "0": ("┏━┓", "┃ ┃", "┗━┛"),
    "1": ("╺┓ ", " ┃ ", "╺┻╸"),
    "2": ("╺━┓", "┏━┛", "┗━╸"),
    "3": ("╺━┓", " ━┫", "╺━┛"),
    "4": ("╻ ╻", "┗━┫", "  ╹"),
    "5": ("┏━╸", "┗━┓", "╺━┛"),
    "6": ("┏━╸", "┣━┓", "┗━┛"),
    "7": ("╺━┓", "  ┃", "  ╹"),
    "8": ("┏━┓", "┣━┫", "┗━┛"),
    "9": ("┏━┓", "┗━┫", "╺━┛"),
    "+": ("   ", "╺╋╸", "   "),
    "−": ("   ", "╺━╸", "   "),
    "–": ("   ", " ╺╸", "   "),
    ",": (" ", " ", "╹"),
    ".": (" ", " ", "."),
    " ": ("   ", "   ", "   "),
}


def big(text: str) -> tuple[str, ...]:
    """The three rows of a number as `pinnacle_tui.numbers` writes it."""
    glyphs = [_GLYPHS[character] for character in text]
    return tuple("".join(glyph[row] for glyph in glyphs) for row in range(HEIGHT))
