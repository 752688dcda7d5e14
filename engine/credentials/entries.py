"""What a vault holds: keys by name, as canonical JSON `{"entries":{NAME:{"kind":...}},"v":1}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from engine.core.errors import CredentialError
from engine.core.foreign_text import harmless
from engine.core.secret import Secret
from engine.credentials.desk import FIELDS
from engine.credentials.vault_format import MOST_BYTES, VaultFormatError

LONGEST_NAME: Final = 32
_NAME: Final = re.compile(rf"[a-z0-9][a-z0-9._-]{{0,{LONGEST_NAME - 1}}}")
_VERSION: Final = 1
_SHOWN: Final = 64
"""Characters of a foreign word that messages show."""
_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_WRITTEN_BY: Final = "use the version of this program that wrote it"


@dataclass(frozen=True, slots=True)
class Entry:
    """One key as the vault keeps it."""

    kind: str
    """One of `desk.KINDS`."""
    fields: Mapping[str, Secret]
    """Exactly the `desk.FIELDS` of its kind; none is empty."""
    others: Mapping[str, Secret] = field(default_factory=dict)
    """What a later version keeps beside them, each as JSON: not understood here, and not lost either."""

    def __post_init__(self) -> None:
        wanted = FIELDS.get(self.kind)
        if wanted is None:
            raise CredentialError(f"there is no kind of key called {harmless(self.kind, _SHOWN)}")
        for name in wanted:
            if not self.fields.get(name):
                raise CredentialError(f"the key is not whole: {name} is missing or empty")
        if surplus := self.fields.keys() - set(wanted):
            raise CredentialError(f"the key has no part called {harmless(min(surplus), _SHOWN)}")

    def wipe(self) -> None:
        """Overwrite every part. Best effort, see `Secret.wipe`."""
        for part in (*self.fields.values(), *self.others.values()):
            part.wipe()


def require_name(name: str) -> str:
    """`name`, where a key may be called so. Raises `CredentialError`, which says how keys are called."""
    if not _NAME.fullmatch(name):
        raise CredentialError(
            f"a key cannot be called {harmless(name, _SHOWN)!r}: a name has 1 to {LONGEST_NAME} characters "
            "of a-z, 0-9, dot, underscore and hyphen, and begins with a letter or a digit"
        )
    return name


def encode_entries(entries: Mapping[str, Entry]) -> bytearray:
    """The plaintext of a vault; the caller wipes it. Raises `CredentialError` for a part that is no text."""
    plaintext = bytearray(MOST_BYTES)  # one that grows leaves what it held behind
    try:
        _ENCODER.encode_into(
            {"v": _VERSION, "entries": {name: _document(entry) for name, entry in entries.items()}}, plaintext
        )
    except UnicodeError:
        raise CredentialError("a part of the key is no text (UTF-8), so it is not saved") from None
    return plaintext


def decode_entries(plaintext: bytes | bytearray) -> dict[str, Entry]:
    """The keys of an opened vault. Raises `VaultFormatError` for what this version does not know."""
    document = _decoded(plaintext)
    version = document.get("v")
    if version != _VERSION or isinstance(version, bool):
        known = version if isinstance(version, int) else "none"
        raise VaultFormatError(
            f"what the vault holds has version {known}, this program knows version {_VERSION}: {_WRITTEN_BY}"
        )
    entries = document.get("entries")
    if not isinstance(entries, dict) or document.keys() != {"v", "entries"}:
        raise VaultFormatError(f"the vault opens, but holds something else than keys: {_WRITTEN_BY}")
    return {name: _entry(name, held) for name, held in entries.items()}


def _decoded(plaintext: bytes | bytearray) -> dict[str, Any]:
    try:
        return msgspec.json.decode(plaintext, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # The library's words may quote what is secret.
        raise VaultFormatError(f"the vault opens, but holds no JSON: {_WRITTEN_BY}") from None


def _entry(name: str, held: Any) -> Entry:
    try:
        require_name(name)
        if not isinstance(held, dict):
            raise CredentialError("it is no JSON object")
        kind = held.get("kind")
        if not isinstance(kind, str):
            raise CredentialError("its kind is missing")
        fields, others = {}, {}
        for part, value in held.items():
            if part in FIELDS.get(kind, ()):
                if not isinstance(value, str):
                    raise CredentialError(f"{part} is no text")
                fields[part] = Secret(value)
            elif part != "kind":
                others[part] = Secret(_ENCODER.encode(value))
        return Entry(kind, fields, others)
    except CredentialError as error:
        raise VaultFormatError(
            f"the vault opens, but its key {harmless(name, _SHOWN)} cannot be used: {error}. Perhaps a newer "
            f"version keeps it so: {_WRITTEN_BY}"
        ) from None


def _document(entry: Entry) -> dict[str, Any]:
    document: dict[str, Any] = {
        name: msgspec.json.decode(other.reveal()) for name, other in entry.others.items()
    }
    return document | {name: part.text() for name, part in entry.fields.items()} | {"kind": entry.kind}
