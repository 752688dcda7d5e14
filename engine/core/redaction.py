"""What has the shape of a secret is taken out of a text: of logs, and of what strangers repeat to us."""

from __future__ import annotations

import re
from typing import Final

from engine.core.secret import SHOWN

_SHAPES: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]{1,40}-----.*?(?:-----END [A-Z0-9 ]{1,40}-----|\Z)"
    r"|\beyJ[\w-]{5,}(?:\.[\w-]*){0,2}",
    re.DOTALL,
)
"""Keys as PEM, tokens."""
_NAMED: Final = re.compile(
    r"""
    ((?: CB-ACCESS-(?:SIGN|PASSPHRASE|KEY) | (?:Proxy-)?Authorization
       | \b(?:privateKey|private_key|passphrase|password|secret|signature|jwt) )
     (?: ['"\\]{0,4} \s* [:=] \s* (?: b(?=['"]) )? | ['"] \s* , \s* b? (?=['"]) ) )
    (?: (['"]) (?:\\.|(?!\2).)* (?:\2|\Z) | (?:(?:Bearer|Basic)\s+)? [^\s,;)\]}'"]+ )
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""A name, what stands between, and a value: headers, fields of JSON, attributes, pairs of a list."""


def without_secrets(text: str) -> str:
    """`text` with `***` for keys as PEM, tokens, and values that follow the name of something secret."""
    return _NAMED.sub(rf"\g<1>{SHOWN}", _SHAPES.sub(SHOWN, text))
