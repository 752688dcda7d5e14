"""Judging the tokens (JWT) that clients of Advanced Trade bring."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

import jwt

from engine.core.clock import Clock
from engine.core.errors import PinnacleError
from engine.local_venue.keys import CdpKey

HOST: Final = "api.coinbase.com"
"""The host that tokens are made for, wherever the venue listens."""

_ISSUER: Final = "cdp"
_LONGEST_S: Final = 121
"""Two minutes, and the second that may begin meanwhile: the official client looks at its clock twice."""
_S: Final = 1_000_000_000
_SIGNATURE_ONLY: Final[Any] = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}
"""Times are judged by the venue's clock, the rest by its own rules."""


class TokenRefused(PinnacleError):
    """A token that opens nothing; the message says why, for the venue's log alone."""


class TokenJudge:
    """Knows the account's keys. A nonce is good once."""

    def __init__(self, keys: Iterable[CdpKey], clock: Clock, leeway_s: int) -> None:
        self._keys = {key.name: key for key in keys}
        self._clock = clock
        self._leeway_s = leeway_s
        self._nonces: dict[str, int] = {}
        """With the second from which on their tokens are refused for their age."""

    def add(self, key: CdpKey) -> None:
        """Take one more key."""
        self._keys[key.name] = key

    def remove(self, name: str) -> None:
        """Take a key back: its tokens are refused from now on."""
        self._keys.pop(name, None)

    def judge(self, token: str, uris: Collection[str] = ()) -> CdpKey:
        """The key of a token that is right in every part; raises `TokenRefused`.

        `uris` are what a token of REST may be for (`GET api.coinbase.com/…`); on a WebSocket it names none.
        """
        try:
            header = jwt.get_unverified_header(token)
            key = self._keys.get(header.get("kid", ""))
            if key is None:
                raise TokenRefused(f"no key has the name {header.get('kid')!r}")
            claims = jwt.decode(
                token,
                key.public_key,
                algorithms=[key.algorithm.value],
                options=_SIGNATURE_ONLY,
            )
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise TokenRefused(f"the token cannot be read or its signature is wrong: {error}") from error
        self._check_claims(claims, key, uris)
        self._use_nonce(header.get("nonce"), claims["exp"])
        return key

    def _check_claims(self, claims: dict[str, Any], key: CdpKey, uris: Collection[str]) -> None:
        if claims.get("sub") != key.name:
            raise TokenRefused(f"sub is {claims.get('sub')!r}, not the key's name")
        if claims.get("iss") != _ISSUER:
            raise TokenRefused(f"iss is {claims.get('iss')!r}, must be {_ISSUER!r}")
        uri = claims.get("uri")
        if uri not in uris if uris else uri is not None:
            raise TokenRefused(f"uri is {uri!r}, must be {' or '.join(uris) or 'absent'}")
        begin, end = claims.get("nbf"), claims.get("exp")
        if type(begin) is not int or type(end) is not int or not 0 < end - begin <= _LONGEST_S:
            raise TokenRefused(f"nbf {begin!r} and exp {end!r} must be at most {_LONGEST_S} s apart")
        now = self._clock.wall_ns() // _S
        if not begin - self._leeway_s <= now < end + self._leeway_s:
            raise TokenRefused(f"it is {now}: the token is good from {begin} to {end}")

    def _use_nonce(self, nonce: object, end: int) -> None:
        if not isinstance(nonce, str) or not nonce:
            raise TokenRefused("the header holds no nonce")
        if nonce in self._nonces:
            raise TokenRefused("the nonce was used before")
        now = self._clock.wall_ns() // _S
        for old in [old for old, last in self._nonces.items() if last <= now]:
            del self._nonces[old]
        self._nonces[nonce] = end + self._leeway_s
