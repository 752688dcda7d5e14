"""Who is asking: signatures of the Exchange API, in headers of requests and in messages of the feed."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final

from engine.core.clock import Clock
from engine.core.errors import PinnacleError
from engine.local_venue.keys import ExchangeKey, Rights

WINDOW_S: Final = 30
"""How far a request's time may be off the venue's."""
_FEED_PATH: Final = "/users/self/verify"
_HEADERS: Final = ("CB-ACCESS-KEY", "CB-ACCESS-SIGN", "CB-ACCESS-TIMESTAMP", "CB-ACCESS-PASSPHRASE")
_FIELDS: Final = ("key", "signature", "timestamp", "passphrase")


class Unauthorised(PinnacleError):
    """The venue does not believe a signature; the text is what it answers."""


class ExchangeAuthority:
    """Knows the account's keys."""

    def __init__(self, keys: tuple[ExchangeKey, ...], clock: Clock) -> None:
        self._keys = {key.key: key for key in keys}
        self._clock = clock

    def check_request(self, headers: Mapping[str, str], method: str, path_qs: str, body: bytes) -> Rights:
        """What the sender of a request may do. `Unauthorised` for a signature that does not fit."""
        for name in _HEADERS:
            if not headers.get(name):
                raise Unauthorised(f"{name} header is required")
        signed = f"{method}{path_qs}".encode() + body
        return self._check([headers[name] for name in _HEADERS], signed)

    def check_message(self, message: Mapping[str, Any]) -> Rights:
        """What the sender of a feed message may see. `Unauthorised` for a signature that does not fit."""
        given = [message.get(name) for name in _FIELDS]
        if not all(isinstance(value, str) and value for value in given):
            raise Unauthorised("Invalid API Key")
        return self._check([str(value) for value in given], f"GET{_FEED_PATH}".encode())

    def _check(self, given: list[str], signed: bytes) -> Rights:
        name, signature, timestamp, passphrase = given
        key = self._keys.get(name)
        if key is None:
            raise Unauthorised("Invalid API Key")
        if not self._is_fresh(timestamp):
            raise Unauthorised("request timestamp expired")
        if not hmac.compare_digest(passphrase.encode(), key.passphrase.encode()):
            raise Unauthorised("Invalid Passphrase")
        wanted = hmac.digest(base64.b64decode(key.secret), timestamp.encode() + signed, hashlib.sha256)
        if not hmac.compare_digest(base64.b64encode(wanted), signature.encode()):
            raise Unauthorised("invalid signature")
        return key.rights

    def _is_fresh(self, timestamp: str) -> bool:
        seconds, _, fraction = timestamp.partition(".")
        if not (seconds.isascii() and seconds.isdigit() and len(seconds) < 12) or (
            fraction and not (fraction.isascii() and fraction.isdigit())
        ):
            return False
        # The fraction is less than the window can tell.
        return abs(self._clock.wall_ns() // 1_000_000_000 - int(seconds)) <= WINDOW_S
