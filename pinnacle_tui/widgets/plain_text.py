"""Text of others as harmless data: venues and operators may write anything, the terminal obeys bytes."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_ESCAPES: Final = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor, modes
    "|(?:\x1b[\\]PX^_]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\\\|\x9c|$)"  # titles, clipboard
    "|\x1b[ -/]*[0-~]?"
)
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
"""Controls, marks that turn the direction of writing, lone surrogates and what no font knows."""


def plain(text: str) -> str:
    """`text` on one line without escape sequences and characters that cannot be seen."""
    if text.isprintable():
        return text
    kept = []
    for character in _ESCAPES.sub("", text):
        if character.isspace():
            kept.append(" ")
        elif unicodedata.category(character) not in _UNSEEN:
            kept.append(character)
    return "".join(kept)
