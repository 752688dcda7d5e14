"""API keys of both Coinbase APIs: what they are, and how their documents and files are read.

Secrets are in no `repr`, no message and no log. Whoever must hand a key to another process of ours asks
for `secret_document` by that name.
"""

from __future__ import annotations

import base64
import binascii
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from engine.core.errors import CredentialError
from engine.core.private_file import PrivateFileMissing, read_private
from engine.core.secret import Secret, wipe
from engine.exchange.coinbase.network import ADVANCED, EXCHANGE
from engine.exchange.coinbase.private_keys import PrivateKey, parse_private_key

_MOST_BYTES: Final = 64 << 10
_VISIBLE: Final = 4


@dataclass(frozen=True, slots=True)
class AdvancedKey:
    """A key of Coinbase Advanced Trade (Coinbase Developer Platform)."""

    name: str
    """`organizations/.../apiKeys/...`, or a bare id."""
    private_key: PrivateKey = field(repr=False)

    @classmethod
    def create(cls, name: str, private_key: str) -> AdvancedKey:
        """Check and build; see `parse_private_key` for the spellings. Raises `CredentialError`."""
        return cls(_header_safe(name, "the name of the key"), parse_private_key(private_key))

    @property
    def algorithm(self) -> str:
        """The JWT algorithm: `ES256` or `EdDSA`."""
        return "ES256" if isinstance(self.private_key, EllipticCurvePrivateKey) else "EdDSA"

    def __repr__(self) -> str:
        return f"AdvancedKey(...{self.name[-_VISIBLE:]}, {self.algorithm})"


@dataclass(frozen=True, slots=True)
class ExchangeKey:
    """A key of Coinbase Exchange (institutions): three parts."""

    key: str
    secret: Secret
    """The bytes that requests are signed with."""
    passphrase: Secret

    @classmethod
    def create(cls, key: str, secret: str, passphrase: str) -> ExchangeKey:
        """Check and build; `secret` is the base64 text that Coinbase shows. Raises `CredentialError`."""
        if "-----BEGIN" in secret:
            raise CredentialError(
                "the secret is a private key (PEM), as keys of Advanced Trade have one; set exchange.name = "
                f"{ADVANCED}, or make a key of Coinbase Exchange"
            )
        try:
            decoded = base64.b64decode(secret.strip(), validate=True)
        except (binascii.Error, ValueError):
            raise CredentialError("the secret is not base64; copy it again, whole and unchanged") from None
        if not decoded:
            raise CredentialError("the secret is empty; copy it again")
        return cls(
            _header_safe(key, "the key"),
            Secret(decoded),
            Secret(_header_safe(passphrase, "the passphrase of the key")),
        )

    @property
    def algorithm(self) -> str:
        """How it signs."""
        return "HMAC-SHA256"

    def __repr__(self) -> str:
        return f"ExchangeKey(...{self.key[-_VISIBLE:]})"


ApiKey = AdvancedKey | ExchangeKey


def read_key_file(path: Path, api: str) -> ApiKey:
    """The key in a file, for the API named by `exchange.name`.

    The file must be a regular file of ours that nobody else can read. Raises `CredentialError` saying what
    is wrong and, for its mode, the command that puts it right.
    """
    document = _read_private(Path(os.path.expanduser(path)))
    try:
        return parse_key_document(document, api)
    finally:
        wipe(document)


def parse_key_document(document: bytes | bytearray, api: str) -> ApiKey:
    """The key in a JSON document: `name` (or `id`) and `privateKey`, or `key`, `secret` and `passphrase`."""
    try:
        entries = msgspec.json.decode(document.removeprefix(b"\xef\xbb\xbf"), type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # The library's words may quote the document.
        raise CredentialError(
            'the key file is not JSON of the form {"name": ..., "privateKey": ...}; '
            "use the file that Coinbase lets you download"
        ) from None
    is_advanced = "privateKey" in entries
    is_exchange = "secret" in entries or "passphrase" in entries
    if api == ADVANCED:
        if is_exchange and not is_advanced:
            raise CredentialError(
                "this is a key of Coinbase Exchange, which Advanced Trade does not know: set exchange.name = "
                f"{EXCHANGE}, or make a key in the Coinbase Developer Platform"
            )
        if not ("name" in entries or "id" in entries):
            raise CredentialError(
                'the name of the key is missing in the key file: Coinbase writes it as "name" or as "id"'
            )
        name = _text(entries, "name" if "name" in entries else "id", "the name of the key")
        return AdvancedKey.create(name, _text(entries, "privateKey", "the private key"))
    if is_advanced and not is_exchange:
        raise CredentialError(
            "this is a key of Advanced Trade, which Coinbase Exchange does not know: set exchange.name = "
            f"{ADVANCED}, or make a key in the settings of Coinbase Exchange"
        )
    if "passphrase" not in entries:
        raise CredentialError(
            "the passphrase is missing: a key of Coinbase Exchange has key, secret and passphrase. "
            f"A key that was made without one belongs to Advanced Trade (exchange.name = {ADVANCED})"
        )
    return ExchangeKey.create(
        _text(entries, "key", "the key"),
        _text(entries, "secret", "the secret"),
        _text(entries, "passphrase", "the passphrase"),
    )


def secret_document(key: ApiKey) -> bytes:
    """The key as the document that `parse_key_document` reads, secrets included."""
    if isinstance(key, AdvancedKey):
        pem = key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return msgspec.json.encode({"name": key.name, "privateKey": pem.decode()})
    secret = base64.b64encode(key.secret.reveal()).decode()
    return msgspec.json.encode({"key": key.key, "secret": secret, "passphrase": key.passphrase.text()})


def api_of(key: ApiKey) -> str:
    """The API a key belongs to, as `exchange.name` has it."""
    return ADVANCED if isinstance(key, AdvancedKey) else EXCHANGE


def _text(entries: dict[str, Any], name: str, what: str) -> str:
    value = entries.get(name)
    if not isinstance(value, str) or not value.strip():
        raise CredentialError(f'{what} ("{name}") is missing in the key file or is no text')
    return value


def _header_safe(text: str, what: str) -> str:
    """A text that may stand in a header of HTTP and in a token."""
    plain = text.strip()
    if not plain:
        raise CredentialError(f"{what} is empty; copy it again")
    if not (plain.isascii() and plain.isprintable()):
        raise CredentialError(f"{what} contains characters that no key of Coinbase has; copy it again")
    return plain


def _read_private(path: Path) -> bytearray:
    try:
        return read_private(path, "the key file", _MOST_BYTES)
    except PrivateFileMissing:
        raise CredentialError(
            f"there is no key file {path}; name it with --key-file or network.key_file"
        ) from None
