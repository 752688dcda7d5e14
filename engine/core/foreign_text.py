"""Text that others wrote as harmless data: venues and people may write anything, a terminal obeys bytes."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from engine.core.redaction import without_secrets

MOST: Final = 512
"""Characters of a reason; what is longer tells people nothing more."""
_WORD: Final = 40
"""Characters of the longest word of a venue's own, as `INSUFFICIENT_FUND`."""
_READ_PER_KEPT: Final = 8
"""Characters that are looked at for each one that may be kept: what is thrown away is not read for ever."""
_ESCAPES: Final = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]?"  # colours, cursor, modes
    "|(?:\x1b[\\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\\\|\x9c)?"  # titles, clipboard
    "|\x1b[!-/]*[0-~]?"
)
_BLANK_LETTERS: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
"""Letters and marks by Unicode's book that no font draws: two names that differ in them look the same."""
_LONGEST_ID: Final = 256
_ID_BEGINNING: Final = 32
_UNKNOWN: Final = "\N{REPLACEMENT CHARACTER}"


def harmless(text: str, most: int = MOST) -> str:
    """`text` as it may be kept, shown and logged: `visible`, without surplus blanks, and at most `most`
    characters, the last an ellipsis where something was cut. Strangers may repeat what they were sent: what
    looks like a secret of ours is left out."""
    if len(text) <= _WORD and text.isascii() and text.replace("_", "").isalnum():
        return text
    words = without_secrets(" ".join(visible(text[: _READ_PER_KEPT * most]).split()))
    return words if len(words) <= most else f"{words[: most - 1]}…"


def visible(text: str) -> str:
    """`text` on one line, without what steers a terminal or cannot be seen.

    Escape sequences go whole, and so do controls, zero-width characters and what turns the direction of
    writing. A line's end is a blank; a lone surrogate and what no font knows is a replacement character.
    """
    if text.isprintable():
        return text if text.isascii() else _BLANK_LETTERS.sub("", text)
    shown = "".join(map(_shown, _ESCAPES.sub("", text)))
    return _BLANK_LETTERS.sub("", shown)


def visible_lines(text: str) -> str:
    """The same for text of several lines: its line feeds stay."""
    return "\n".join(map(visible, text.split("\n")))


def identifier(text: str) -> str:
    """An id or a name that is compared: as it is where it can be seen whole, else spelt with escapes and, of
    one that is too long for any id, the beginning and a digest. No other one becomes equal to a clean one."""
    if len(text) <= _LONGEST_ID and text.isprintable() and not _BLANK_LETTERS.search(text):
        return text
    spelt = ascii(text)[1:-1]
    if len(spelt) <= _LONGEST_ID:
        return spelt
    import hashlib  # needed hardly ever, and loaded by every start of the program otherwise

    return f"{spelt[:_ID_BEGINNING]}…{hashlib.sha256(spelt.encode()).hexdigest()[:_ID_BEGINNING]}"


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) in ("Cc", "Cf") else _UNKNOWN
