"""A vault as text, for mail and notes: base64 between two lines that say what it is.

There is one spelling of every vault: whatever else stands in the text makes it refused.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final

from engine.credentials.vault_format import MOST_BYTES, VaultFormatError

BEGIN: Final = b"-----BEGIN PINNACLE CREDENTIALS-----"
END: Final = b"-----END PINNACLE CREDENTIALS-----"
_COLUMNS: Final = 64
_MOST_CHARACTERS: Final = 2 * MOST_BYTES


def encode(sealed: bytes | bytearray) -> bytes:
    """A sealed vault as lines of ASCII, the last one ended."""
    text = base64.b64encode(sealed)
    lines = [text[at : at + _COLUMNS] for at in range(0, len(text), _COLUMNS)]
    return b"\n".join((BEGIN, *lines, END, b""))


def decode(text: bytes | bytearray) -> bytes:
    """The sealed vault in an armour. Blanks around it and Windows' line ends do not count.

    Raises `VaultFormatError` for every other text.
    """
    if len(text) > _MOST_CHARACTERS:
        raise VaultFormatError("the armour is larger than any vault; name the right file")
    lines = bytes(text).strip().replace(b"\r\n", b"\n").split(b"\n")
    if lines[0] != BEGIN or lines[-1] != END:
        raise VaultFormatError(
            f"the armour is not whole: copy it again, from {BEGIN.decode()} to {END.decode()}"
        )
    try:
        sealed = base64.b64decode(b"".join(lines[1:-1]), validate=True)
    except binascii.Error:
        sealed = b""
    # Base64 has several spellings of the same bytes, and only one of them is ours.
    if not sealed or encode(sealed).split(b"\n")[:-1] != lines:
        raise VaultFormatError("the armour is damaged: copy it again, unchanged")
    return sealed
