"""Files that hold keys: what Coinbase lets people download, vaults of ours, and the C++ program's store."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from engine.commands.pasted_keys import key_of_parts
from engine.core.errors import CredentialError
from engine.core.foreign_text import harmless
from engine.core.private_file import read_private
from engine.core.secret import Secret, wipe
from engine.credentials import armour, pinnaclemm_file
from engine.credentials.desk import ADVANCED, EXCHANGE, FIELDS
from engine.credentials.entries import decode_entries
from engine.credentials.vault_format import FLOOR, MAGIC, open_sealed
from engine.exchange.coinbase.keys import ApiKey, parse_key_document

_WHAT: Final = "the file with keys"
_MOST_BYTES: Final = 128 << 10
_BOM: Final = b"\xef\xbb\xbf"
_OLD_STORE: Final = frozenset({"timestamp", "data"})
"""What a store of the C++ program is known by."""


class Found(NamedTuple):
    """A key in a file, and what it is called there; empty where it has no name."""

    name: str
    key: ApiKey


class Contents(NamedTuple):
    """What a file holds."""

    keys: list[Found]
    left_out: list[str]
    """What cannot be used, one sentence each."""
    is_clear: bool = False
    """True where whoever has the file has the keys."""
    is_sure: bool = True
    """False where a wrong password could have come out as nonsense."""


def read_contents(
    path: Path, kind: str | None, ask_password: Callable[[], Secret], *, floor: int = FLOOR
) -> Contents:
    """The keys in a file that its owner alone can read. `ask_password` is called where it is encrypted.

    `kind` settles what a key is for where the file does not say; a vault with fewer iterations than `floor`
    is not opened. Takes as long as a derivation. Raises `CredentialError`.
    """
    data = read_private(Path(os.path.expanduser(path)), _WHAT, _MOST_BYTES)
    try:
        if data.startswith(MAGIC):
            return _vault(data, ask_password(), floor)
        if data.lstrip().startswith(armour.BEGIN):
            return _vault(armour.decode(data), ask_password(), floor)
        if _names(data) >= _OLD_STORE:
            return _old_store(data, kind, ask_password())
        is_advanced = "privateKey" in _names(data)
        key = parse_key_document(data, kind or (ADVANCED if is_advanced else EXCHANGE))
        return Contents([Found("", key)], [], is_clear=True)
    finally:
        wipe(data)


def _names(data: bytearray) -> frozenset[str]:
    """The names at the top of a JSON document; nothing of what is no such document."""
    try:
        return frozenset(msgspec.json.decode(data.removeprefix(_BOM), type=dict[str, Any]))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return frozenset()


def _vault(data: bytes | bytearray, password: Secret, floor: int) -> Contents:
    try:
        plain = open_sealed(data, password, floor=floor)
    finally:
        password.wipe()
    try:
        entries = decode_entries(plain)
    finally:
        wipe(plain)
    keys = [Found(name, key_of_parts(entry.kind, entry.fields)) for name, entry in entries.items()]
    return Contents(keys, [])


def _old_store(data: bytearray, kind: str | None, password: Secret) -> Contents:
    try:
        stored = pinnaclemm_file.read(bytes(data), password)
    finally:
        password.wipe()
    keys, left_out = [], []
    for old in stored:
        if not old.exchange.lower().startswith("coinbase"):
            left_out.append(f"{harmless(old.exchange, 40)}: this program trades at Coinbase alone")
            continue
        wanted = kind or (EXCHANGE if old.passphrase else ADVANCED)
        parts = dict(zip(FIELDS[wanted], (old.key, old.secret, old.passphrase), strict=False))
        try:
            keys.append(Found("", key_of_parts(wanted, parts)))
        except CredentialError as error:
            left_out.append(f"{harmless(old.exchange, 40)}: {error}")
    return Contents(keys, left_out, is_sure=False)
