"""Proof of who asks: tokens of Advanced Trade and signatures of Coinbase Exchange.

Everything is made at the moment of sending, with the venue's own time as far as it is known.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import jwt

from engine.exchange.coinbase.keys import AdvancedKey, ApiKey, ExchangeKey

WallTime = Callable[[], int]
"""Nanoseconds since 1970, corrected by the venue's clock."""

_HOST: Final = "api.coinbase.com"
"""What a token names whatever address the request goes to."""
_ISSUER: Final = "cdp"
_LIFETIME_S: Final = 120
_NONCE_BYTES: Final = 16
_SOCKET_PATH: Final = "/users/self/verify"
_NS: Final = 10**9


class RequestSigner(Protocol):
    """Signs requests of REST and subscriptions of WebSockets for one key."""

    def rest_headers(self, method: str, target: str, body: bytes = b"") -> dict[str, str]:
        """Headers for one request, good for this one only. `target` is path and query as they are sent."""
        ...

    def ws_fields(self, channel: str, products: Sequence[str]) -> dict[str, Any]:
        """The fields to be added to one subscription message, fresh each time."""
        ...


def signer_for(key: ApiKey, wall_ns: WallTime) -> RequestSigner:
    """The signer that a key needs."""
    if isinstance(key, AdvancedKey):
        return AdvancedSigner(key, wall_ns)
    return ExchangeSigner(key, wall_ns)


class AdvancedSigner:
    """JSON Web Tokens (ES256 or EdDSA) with a nonce each, good for 120 s."""

    __slots__ = ("_key", "_wall_ns")

    def __init__(self, key: AdvancedKey, wall_ns: WallTime) -> None:
        self._key = key
        self._wall_ns = wall_ns

    def rest_headers(self, method: str, target: str, body: bytes = b"") -> dict[str, str]:
        """See `RequestSigner`. The claim leaves out the query; the body is not signed."""
        path = target.partition("?")[0]
        return {"Authorization": f"Bearer {self._token({'uri': f'{method.upper()} {_HOST}{path}'})}"}

    def ws_fields(self, channel: str, products: Sequence[str]) -> dict[str, Any]:
        """See `RequestSigner`."""
        return {"jwt": self._token({})}

    def _token(self, claims: dict[str, Any]) -> str:
        key, now_s = self._key, self._wall_ns() // _NS
        payload = {"sub": key.name, "iss": _ISSUER, "nbf": now_s, "exp": now_s + _LIFETIME_S, **claims}
        headers = {"kid": key.name, "nonce": secrets.token_hex(_NONCE_BYTES)}
        return jwt.encode(payload, key.private_key, algorithm=key.algorithm, headers=headers)


class ExchangeSigner:
    """HMAC-SHA256 over time, method, path with query, and body; good for 30 s."""

    __slots__ = ("_key", "_wall_ns")

    def __init__(self, key: ExchangeKey, wall_ns: WallTime) -> None:
        self._key = key
        self._wall_ns = wall_ns

    def rest_headers(self, method: str, target: str, body: bytes = b"") -> dict[str, str]:
        """See `RequestSigner`."""
        timestamp = self._timestamp()
        return {
            "CB-ACCESS-KEY": self._key.key,
            "CB-ACCESS-SIGN": self._signature(timestamp, method, target, body),
            "CB-ACCESS-TIMESTAMP": timestamp,
            "CB-ACCESS-PASSPHRASE": self._key.passphrase.text(),
        }

    def ws_fields(self, channel: str, products: Sequence[str]) -> dict[str, Any]:
        """See `RequestSigner`."""
        timestamp = self._timestamp()
        return {
            "key": self._key.key,
            "signature": self._signature(timestamp, "GET", _SOCKET_PATH, b""),
            "timestamp": timestamp,
            "passphrase": self._key.passphrase.text(),
        }

    def _timestamp(self) -> str:
        seconds, rest = divmod(self._wall_ns(), _NS)
        return f"{seconds}.{rest // 10**6:03d}"

    def _signature(self, timestamp: str, method: str, target: str, body: bytes) -> str:
        message = f"{timestamp}{method.upper()}{target}".encode() + body
        return base64.b64encode(hmac.digest(self._key.secret.reveal(), message, hashlib.sha256)).decode()
