"""Keys of the local venue's account: made here, written as the files that Coinbase lets people download.

They open nothing but the venue that made them.
"""

from __future__ import annotations

import base64
import enum
import json
import secrets
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from engine.local_venue.files import private_folder, write_private

CDP_FILE: Final = "cdp_api_key.json"
EXCHANGE_FILE: Final = "exchange_api_key.json"

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


class Algorithm(enum.StrEnum):
    """How a key signs; the value is what a token's header says."""

    ES256 = "ES256"
    EDDSA = "EdDSA"


@dataclass(frozen=True, slots=True)
class Rights:
    """What a key may do."""

    view: bool = True
    trade: bool = True
    transfer: bool = False


@dataclass(frozen=True, slots=True)
class CdpKey:
    """A key of the Advanced API. The private half is never shown by `repr`."""

    name: str
    """`organizations/…/apiKeys/…`"""
    algorithm: Algorithm
    public_key: PublicKey = field(repr=False)
    private_text: str = field(repr=False)
    """As the file has it: PEM (SEC1), or for Ed25519 one line of base64, seed and public half."""
    rights: Rights = Rights()

    def file_content(self) -> str:
        """The JSON file that holds it."""
        return json.dumps({"name": self.name, "privateKey": self.private_text}, indent=3) + "\n"


@dataclass(frozen=True, slots=True)
class ExchangeKey:
    """A key of the Exchange API. Secret and passphrase are never shown by `repr`."""

    key: str
    secret: str = field(repr=False)
    """Base64 of the bytes that sign."""
    passphrase: str = field(repr=False)
    rights: Rights = Rights()

    def file_content(self) -> str:
        """The JSON file that holds it."""
        parts = {"key": self.key, "secret": self.secret, "passphrase": self.passphrase}
        return json.dumps(parts, indent=3) + "\n"


def make_cdp_key(algorithm: Algorithm = Algorithm.ES256, rights: Rights | None = None) -> CdpKey:
    """A new key with a name of its own."""
    name = f"organizations/{uuid.uuid4()}/apiKeys/{uuid.uuid4()}"
    public: PublicKey
    if algorithm is Algorithm.ES256:
        ecdsa = ec.generate_private_key(ec.SECP256R1())
        public = ecdsa.public_key()
        pem = ecdsa.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        text = pem.decode()
    else:
        edwards = ed25519.Ed25519PrivateKey.generate()
        public = edwards.public_key()
        seed = edwards.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        text = base64.b64encode(seed + public.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
    return CdpKey(name, algorithm, public, text, rights or Rights())


def make_exchange_key(rights: Rights | None = None) -> ExchangeKey:
    """A new key."""
    secret = base64.b64encode(secrets.token_bytes(64)).decode()
    return ExchangeKey(secrets.token_hex(16), secret, secrets.token_urlsafe(8), rights or Rights())


def write_key(folder: Path, key: CdpKey | ExchangeKey) -> Path:
    """Write a key's file (mode 0600) into a folder that is made where it is missing. Raises `UsageError`."""
    private_folder(folder)
    path = folder / (CDP_FILE if isinstance(key, CdpKey) else EXCHANGE_FILE)
    write_private(path, key.file_content().encode())
    return path
