"""Private keys of Advanced Trade in every spelling in which people paste them."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)

from engine.core.errors import CredentialError

PrivateKey = EllipticCurvePrivateKey | Ed25519PrivateKey

_SEED_BYTES: Final = 32
_BLOCK: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,40})-----(.*?)-----END \1-----", re.DOTALL)
_QUOTES: Final = "\"'`"
_ADVICE: Final = "make an ECDSA key in the Coinbase Developer Platform and use the file it lets you download"
_READ_AS_KEYS: Final = frozenset({"EC PRIVATE KEY", "PRIVATE KEY"})


def parse_private_key(text: str) -> PrivateKey:
    """An ECDSA P-256 or Ed25519 private key.

    Read are PEM (SEC1 and PKCS#8) with real, literal (`\\n`), Windows or lost line ends, and base64 of a
    32-byte seed, of 64 bytes (seed and public key, which must fit) or of PKCS#8. Blanks and quotes round it
    are nobody's. Raises `CredentialError`, which says what the text is instead and never shows it.
    """
    plain = _unwrapped(text)
    if not plain:
        raise CredentialError(f"the private key is empty; {_ADVICE}")
    if "-----BEGIN" in plain:
        return _from_pem(plain)
    return _from_base64(plain)


def _unwrapped(text: str) -> str:
    plain = text.strip().strip("\ufeff").strip()
    while len(plain) >= 2 and plain[0] == plain[-1] and plain[0] in _QUOTES:
        plain = plain[1:-1].strip()
    return plain.replace("\\r", "").replace("\\n", "\n").replace("\r", "\n").strip()


def _from_pem(text: str) -> PrivateKey:
    blocks = _BLOCK.findall(text)
    if not blocks:
        raise CredentialError(
            "the private key has a BEGIN line and no END line that fits: copy it again, whole"
        )
    kind, body = next(((kind, body) for kind, body in blocks if "PRIVATE KEY" in kind), blocks[0])
    if kind.startswith("ENCRYPTED") or "ENCRYPTED" in body:
        raise CredentialError(
            f"the private key is encrypted with a password, which cannot be asked for; {_ADVICE}"
        )
    if kind not in _READ_AS_KEYS:
        raise CredentialError(f"this is a PEM block of the kind {kind}, and no key for Coinbase; {_ADVICE}")
    lines = "".join(body.split())
    if not lines:
        raise CredentialError(
            "there is nothing between the BEGIN and the END line of the private key; copy it again"
        )
    folded = "\n".join(lines[start : start + 64] for start in range(0, len(lines), 64))
    try:
        key = load_pem_private_key(
            f"-----BEGIN {kind}-----\n{folded}\n-----END {kind}-----\n".encode(), password=None
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The library's words may quote the key.
        raise CredentialError("the private key is damaged (PEM that cannot be read); copy it again") from None
    return _usable(key)


def _from_base64(text: str) -> PrivateKey:
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise CredentialError(
            f"the private key is neither PEM nor base64; copy it again, whole and unchanged, or {_ADVICE}"
        ) from None
    if len(data) == _SEED_BYTES:
        return Ed25519PrivateKey.from_private_bytes(data)
    if len(data) == 2 * _SEED_BYTES:
        key = Ed25519PrivateKey.from_private_bytes(data[:_SEED_BYTES])
        if key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) != data[_SEED_BYTES:]:
            raise CredentialError(
                "the private key has 64 bytes whose halves do not belong together: it is damaged, "
                "or it is the secret of a Coinbase Exchange key, which Advanced Trade does not know"
            )
        return key
    try:
        return _usable(load_der_private_key(data, password=None))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise CredentialError(
            f"the private key is base64 of {len(data)} bytes, which is no key (32 or 64 are); copy it again, "
            f"or {_ADVICE}"
        ) from None


def _usable(key: object) -> PrivateKey:
    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, EllipticCurvePrivateKey):
        if isinstance(key.curve, SECP256R1):
            return key
        raise CredentialError(
            f"the private key is on the curve {key.curve.name}; Coinbase takes P-256 only: {_ADVICE}"
        )
    kind = type(key).__name__.strip("_").removesuffix("PrivateKey")
    raise CredentialError(
        f"this is a private key of the kind {kind}; Coinbase takes ECDSA P-256 or Ed25519: {_ADVICE}"
    )
