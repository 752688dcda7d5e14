"""Reads the `secure_config.json` of PinnacleMM, the C++ program before this one.

A JSON object of `timestamp`, `data` and `salt`. `data` is base64 of a 16-byte IV and AES-256-CBC (PKCS#7)
under PBKDF2-HMAC-SHA256 with 100,000 rounds; it holds JSON with keys `api.credentials.EXCHANGE.apiKey` and so
on. No code authenticates it: a wrong password cannot be told from damage, and what is read has to be looked
at.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.padding import PKCS7

from engine.core.errors import CredentialError
from engine.core.secret import Secret, wipe

_ROUNDS: Final = 100_000
_SALT_BYTES: Final = 32
_IV_BYTES: Final = 16
_KEY_BYTES: Final = 32
_MOST_BYTES: Final = 1 << 20
_PLACE: Final = ("api", "credentials")
_FIELDS: Final = ("apiKey", "apiSecret", "passphrase")


class OldKey(NamedTuple):
    """One exchange's key, as it was stored."""

    exchange: str
    """As the file calls it: foreign text."""
    key: Secret
    secret: Secret
    passphrase: Secret
    """Empty where there was none."""


def read(document: bytes, password: Secret) -> list[OldKey]:
    """Every key in the file, by exchange. Raises `CredentialError`, which shows nothing of it."""
    salt, sealed = _parts(document)
    plain = _opened(sealed, salt, password)
    try:
        stored = msgspec.json.decode(plain, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _unreadable() from None
    finally:
        wipe(plain)
    found: dict[str, dict[str, Secret]] = {}
    for exchange, name, value in _entries(stored):
        if name in _FIELDS and isinstance(value, str) and value:
            found.setdefault(exchange, {})[name] = Secret(value)
    keys = [
        OldKey(exchange, *(parts.get(name, Secret("")) for name in _FIELDS))
        for exchange, parts in sorted(found.items())
        if "apiKey" in parts and "apiSecret" in parts
    ]
    if not keys:
        raise CredentialError(
            "the file of PinnacleMM was opened and holds no key of any exchange; there is nothing to import"
        )
    return keys


def _parts(document: bytes) -> tuple[bytes, bytes]:
    if len(document) > _MOST_BYTES:
        raise CredentialError("this is larger than any file of PinnacleMM; name the right one")
    try:
        fields = msgspec.json.decode(document, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise CredentialError("this is no file of PinnacleMM: it is not the JSON that it writes") from None
    salt, sealed = (_decoded(fields.get(name), name) for name in ("salt", "data"))
    if len(salt) != _SALT_BYTES:
        raise CredentialError(f"the file of PinnacleMM has a salt of {len(salt)} bytes where 32 belong")
    if len(sealed) <= _IV_BYTES or len(sealed) % _IV_BYTES:
        raise CredentialError("the file of PinnacleMM is cut off: its data end within a block")
    return salt, sealed


def _decoded(text: Any, name: str) -> bytes:
    if not isinstance(text, str) or not text:
        raise CredentialError(f'the file of PinnacleMM has no "{name}": it cannot be opened')
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise CredentialError(f'"{name}" in the file of PinnacleMM is no base64: it is damaged') from None


def _opened(sealed: bytes, salt: bytes, password: Secret) -> bytearray:
    derived, padded = bytearray(_KEY_BYTES), bytearray()
    try:
        PBKDF2HMAC(SHA256(), _KEY_BYTES, salt, _ROUNDS).derive_into(password.reveal(), derived)
        decryptor = Cipher(algorithms.AES256(derived), modes.CBC(sealed[:_IV_BYTES])).decryptor()
        padded += decryptor.update(sealed[_IV_BYTES:]) + decryptor.finalize()
        unpadder = PKCS7(8 * _IV_BYTES).unpadder()
        return bytearray(unpadder.update(padded) + unpadder.finalize())
    except ValueError:
        raise _unreadable() from None
    finally:
        wipe(derived)
        wipe(padded)


def _entries(stored: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    """(exchange, field, value) of both ways in which the keys are written: flat with dots, and nested."""
    found = []
    prefix = ".".join(_PLACE) + "."
    for path, value in stored.items():
        if path.startswith(prefix):
            exchange, _, name = path.removeprefix(prefix).rpartition(".")
            found.append((exchange, name, value))
    nested: Any = stored
    for part in _PLACE:
        nested = nested.get(part) if isinstance(nested, dict) else None
    if isinstance(nested, dict):
        for exchange, fields in nested.items():
            if isinstance(fields, dict):
                found += [(exchange, name, value) for name, value in fields.items()]
    return found


def _unreadable() -> CredentialError:
    return CredentialError(
        "the file of PinnacleMM cannot be opened: the password is wrong, or the file is damaged. Files of "
        "that program carry nothing by which the two could be told apart"
    )
