"""Keys as people bring them: pasted part by part, or as the file that Coinbase lets them download."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from engine.core.errors import CredentialError
from engine.core.secret import Secret
from engine.credentials.desk import ADVANCED, FIELDS, Draft
from engine.exchange.coinbase.keys import (
    AdvancedKey,
    ApiKey,
    ExchangeKey,
    api_of,
    parse_key_document,
    read_key_file,
    secret_document,
)

_TAIL: Final = 4
"""Characters of a key's id that may be seen."""
_MOST_BYTES: Final = 64 << 10
_ROUND_IT: Final = " \t\r\n\ufeff\"'`,"
"""What is copied along with a value out of a JSON file, and is never part of a key's id or of base64."""

_FILE_WORDS: Final = ('"name"', '"id"', '"privateKey"', '"key"', '"secret"', '"passphrase"')
"""What tells a key file from a passphrase that begins with a brace."""


def key_of_parts(kind: str, parts: Mapping[str, Secret]) -> ApiKey:
    """The key whose `FIELDS` were pasted; a whole key file in any of them counts for all.

    Raises `CredentialError`, which says what the text is instead and never shows it.
    """
    given = {name: _text(parts[name]) for name in FIELDS[kind] if name in parts}
    for text in given.values():
        if text.lstrip(_ROUND_IT).startswith("{") and any(word in text for word in _FILE_WORDS):
            document = text[text.index("{") : text.rfind("}") + 1]
            return parse_key_document(document.encode(), kind)
    if kind == ADVANCED:
        return _advanced(given.get("name", ""), given.get("privateKey", ""))
    key, secret, passphrase = (given.get(name, "") for name in FIELDS[kind])
    return ExchangeKey.create(key.strip(_ROUND_IT), secret.strip(_ROUND_IT), passphrase)


def key_of_file(kind: str, path: Path) -> ApiKey:
    """The key in a downloaded file, which must be readable by its owner alone. Raises `CredentialError`."""
    return read_key_file(path, kind)


def key_of_draft(draft: Draft) -> ApiKey:
    """The key that a draft holds."""
    return parse_key_document(draft.document.reveal(), draft.kind)


def draft_of(key: ApiKey, taken: Collection[str] = ()) -> Draft:
    """A key as it waits to be saved, with a name that is not `taken`."""
    kind = api_of(key)
    return Draft(
        kind,
        tail_of(key),
        key.algorithm,
        Secret(secret_document(key)),
        next(name for name in _names(kind) if name not in taken),
    )


def fields_of_draft(draft: Draft) -> dict[str, Secret]:
    """What a vault keeps of a draft: its parts."""
    held: dict[str, str] = msgspec.json.decode(draft.document.reveal(), type=dict[str, str])
    return {name: Secret(held[name]) for name in FIELDS[draft.kind]}


def tail_of(key: ApiKey) -> str:
    """The last characters of the id by which the venue knows a key."""
    return (key.name if isinstance(key, AdvancedKey) else key.key)[-_TAIL:]


def _advanced(name: str, private_key: str) -> AdvancedKey:
    if "-----BEGIN" in name:
        raise CredentialError(
            "what stands for the name is the private key; the name looks like organizations/.../apiKeys/..."
        )
    if private_key.strip(_ROUND_IT).startswith("organizations/"):
        raise CredentialError(
            "what stands for the private key is the name of the key; the private key begins with "
            "-----BEGIN, or is base64"
        )
    return AdvancedKey.create(name.strip(_ROUND_IT), private_key.strip().rstrip(","))


def _text(part: Secret) -> str:
    if part.size > _MOST_BYTES:
        raise CredentialError("what was pasted is larger than any key; copy the key alone")
    try:
        return part.text()
    except ValueError:
        raise CredentialError("what was pasted is no text (UTF-8); copy the key again") from None


def _names(kind: str) -> Iterator[str]:
    yield kind
    number = 2
    while True:
        yield f"{kind}-{number}"
        number += 1
