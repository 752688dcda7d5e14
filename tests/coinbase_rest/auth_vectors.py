"""Keys that open nothing, in every spelling in which people paste them, and what was signed with them.

The ECDSA key is that of RFC 6979 A.2.5, the Ed25519 key the first one of RFC 8032 7.1. They are derived here,
so that no private key lies in a file; signatures and public halves are literal, made by another program.
"""

from __future__ import annotations

import base64
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

SCALAR = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
HMAC_SECRET = base64.b64encode(bytes(range(64))).decode()
NAME = "organizations/org-1/apiKeys/key-1"
NONCE = "00112233445566778899aabbccddeeff"
NOW_S = 1_790_000_000
HOST = "api.coinbase.com"

ES256_PUBLIC = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7
Yfps5mliLmDyn7Z5A/4QCLi8maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ==
-----END PUBLIC KEY-----
"""
ED25519_PUBLIC = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
"""

ORDER = (
    '{"type":"limit","side":"buy","product_id":"BTC-USD","price":"60000.10","size":"0.001","post_only":true,'
    '"client_oid":"d50ec974-76a2-454b-66f1-35b1ea8c0000"}'
)
HMAC_CASES = [
    ("1790000000", "GET", "/accounts", "", "yCCDf+TFZrYKuhSIMbXLQvTsjamwyIRX5FHF5AqOLZM="),
    ("1790000000", "GET", "/users/self/verify", "", "LwCcQoYddtSILYVPajiTZ3Gr04eDRMpyJFIbQey8zcw="),
    ("1790000000.123", "POST", "/orders", ORDER, "ftxq7+Tldj2f1G4pkwK1RjMc/6KG4VV9iK3mA9olXP0="),
    (
        "1790000000",
        "GET",
        "/fills?product_id=BTC-USD&limit=100",
        "",
        "+LQJoGNLJHooHkToV6x1YyUhB2bN6R/yrXm/D/nlKvU=",
    ),
    (
        "1790000000",
        "DELETE",
        "/orders/client:d50ec974-76a2-454b-66f1-35b1ea8c0000",
        "",
        "sFbfpdFGnhyVPrTxFhE4x5hv+694mfvb99wFYOQkBTM=",
    ),
]
TOKEN_CASES = [
    (None, "qd07RorGCOu8TJ35VBtOw_mniNCrMpopknf_Z2HV6cFt2Z1NsvwptoYDGMgpNXAUg4mpgILqxUFnWrAr0bJODg"),
    (
        "GET /api/v3/brokerage/accounts",
        "4iV5_uxXFM2v12bn2JREBH2dK8b7f68uIE2pcpfZytjrzc03dGERVK1M-Q_mG_nujV0Fo_F1YoKFYz72jK9-Aw",
    ),
    (
        "POST /api/v3/brokerage/orders",
        "bdLQpKrsrK7EV-8GnJ7e0R-hPED-9D5-uZMefal81cIFqYQfPFc208wZufKEbD1O30_FAS15rvtyyGoZoAhcDQ",
    ),
    (
        "GET /api/v3/brokerage/orders/historical/batch",
        "_Q-odp78wL0hYLqXXTptYsRMWTU5rpz2_e1JkePDIaHQfTPaKtMJZNP9pcRSfV8hGTEp0bNWOaU0xZ00jCrdDQ",
    ),
]
"""What a token is for, None for a WebSocket, and the signature (EdDSA) of the reference's token."""


def vectors() -> dict[str, Any]:
    """All of it, by what it is for."""
    ecdsa, edwards = derive_private_key(SCALAR, SECP256R1()), Ed25519PrivateKey.from_private_bytes(SEED)
    sec1 = ecdsa.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    pair = SEED + edwards.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {
        "exchange_hmac": [
            {
                "secret_base64": HMAC_SECRET,
                "timestamp": timestamp,
                "method": method,
                "request_path": path,
                "body": body,
                "signature_base64": signature,
            }
            for timestamp, method, path, body, signature in HMAC_CASES
        ],
        "es256": {
            "private_key_sec1_pem": sec1,
            "private_key_pkcs8_pem": _pkcs8(ecdsa),
            "private_key_as_one_line_env": sec1.replace("\n", "\\n"),
            "public_key_pem": ES256_PUBLIC,
        },
        "ed25519": {
            "private_key_base64_64_bytes_seed_and_public": base64.b64encode(pair).decode(),
            "private_key_base64_32_bytes_seed": base64.b64encode(SEED).decode(),
            "private_key_pkcs8_pem": _pkcs8(edwards),
            "public_key_pem": ED25519_PUBLIC,
        },
        "jwt_cases": [_token_case(use, signature) for use, signature in TOKEN_CASES],
    }


def _pkcs8(key: Any) -> str:
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


def _token_case(use: str | None, signature: str) -> dict[str, Any]:
    header = {"alg": "EdDSA", "kid": NAME, "nonce": NONCE, "typ": "JWT"}
    claims: dict[str, Any] = {"sub": NAME, "iss": "cdp", "nbf": NOW_S, "exp": NOW_S + 120}
    if use is not None:
        claims["uri"] = use.replace(" ", f" {HOST}")
    return {
        "key_name": NAME,
        "now": NOW_S,
        "nonce": NONCE,
        "header_es256": {**header, "alg": "ES256"},
        "header_eddsa": header,
        "payload": claims,
        "eddsa_signature": signature,
    }
