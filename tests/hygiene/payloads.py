"""What hostile or broken text can hold (security.md, section 11), and what must never be seen of it."""

from __future__ import annotations

import unicodedata
from typing import Final

PAYLOADS: Final = {
    "clipboard": "\x1b]52;c;ZXZpbA==\x07",
    "clipboard without an end": "\x1b]52;c;ZXZpbA==",
    "title": "\x1b]0;owned\x07",
    "title by ST": "\x1b]2;owned\x1b\\",
    "link": "\x1b]8;;http://evil.example\x1b\\x\x1b]8;;\x1b\\",
    "clear": "\x1b[2J\x1b[H",
    "reset": "\x1bc",
    "one-byte CSI": "\x9b31m",
    "one-byte OSC": "\x9d0;owned\x9c",
    "DCS": "\x1bP1;1|17/41\x1b\\",
    "APC": "\x1b_Ga=T;QUFB\x1b\\",
    "bold": "[bold]fat[/bold]",
    "unbalanced markup": "[/nothing][bold",
    "link markup": "[link=http://evil.example]here[/link]",
    "action markup": "[@click=app.quit]press[/]",
    "overwrite": "all is well\rerror",
    "lines": "one\nALERT two\r\nthree\x0b\x0c\x85four\u2028five\u2029six",
    "controls": "\x00\x07\x08\x7f\x80\x9a",
    "bidi": "\u202egnp.exe\u202c\u2066x\u2069",
    "zero width": "a\u200bb\u200cc\u200dd\u2060e\ufefff",
    "blank letters": "a\u3164b\uffa0c\ufe0fd\u034fe",
    "mebibyte": "A" * (1 << 20),
    "surrogates": "\ud800x\udfff",
    "undecodable file name": "\udc9bx",
    "html": "<html>\n<head><title>502 Bad Gateway</title></head>\n<body>\x1b[31m</body></html>",
}
WIRED: Final = {
    name: text for name, text in PAYLOADS.items() if name not in ("surrogates", "undecodable file name")
}
"""What can be in a frame: JSON and UTF-8 have no lone surrogates, the decoder refuses them."""
ARGUMENTS: Final = {name: text for name, text in PAYLOADS.items() if name != "surrogates"}
"""What can be a file's name or an argument: bytes that are no UTF-8 become surrogates of one kind alone."""
WORDLESS: Final = ("ZXZpbA==", "owned", "[2J", "31m", "17/41", "QUFB")
"""What would be seen of the sequences if only their first characters were taken out."""


def steers(text: str) -> list[str]:
    """The characters of `text` that a terminal would obey, or that hide or turn what stands beside them."""
    return [
        repr(character)
        for character in text
        if not character.isprintable() and (unicodedata.category(character) != "Zs")
    ]
