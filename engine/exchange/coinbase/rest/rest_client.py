"""Requests to one API: budgeted, signed at the moment of sending, and their answers judged the same way.

Questions and commands are different things here. A question raises when it was not answered, and is asked
once more with a fresh signature where the venue did not take the first one. A command is sent once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from engine.core.clock import Clock
from engine.core.foreign_text import harmless
from engine.exchange.coinbase.broker import AuthenticationError, BrokerError, Gate, Outcome, open_gate
from engine.exchange.coinbase.keys import AdvancedKey, ApiKey
from engine.exchange.coinbase.rest.http import HttpAnswer, HttpTransport, TransportError
from engine.exchange.coinbase.rest.rate_budget import Limits, Purpose, RateBudget
from engine.exchange.coinbase.rest.reasons import DUPLICATE, Reason, body_reason
from engine.exchange.coinbase.rest.server_clock import ServerClock
from engine.exchange.coinbase.signing import RequestSigner, signer_for

Query = Sequence[tuple[str, str]]
T = TypeVar("T")

_LONG_TIMEOUT_S: Final = 15.0
"""For answers of a megabyte."""
_MOST_PATIENCE_S: Final = 10.0
"""How long a question waits for its turn in the rate budget."""
_ORDER_PATIENCE_S: Final = 0.25
"""An order that would leave later was decided on a market that is gone."""
_OVERSLEPT_NS: Final = 500_000_000
"""An order that took so long to get its turn was let pass by a gate that may have been shut since."""
_URGENT: Final = frozenset({Purpose.ORDER, Purpose.CANCEL})
_REFUSING: Final = frozenset({400, 401, 403})
_CANCEL_PAUSES_S: Final = (0.1, 0.3)
_PASSING: Final = frozenset({"EOF", "RESET"})
"""A kept connection that the venue had closed meanwhile."""
_PASSING_STATUSES: Final = frozenset({401, 502, 503})
_ED25519_ADVICE: Final = (
    ". This key is Ed25519; if it is right otherwise, make an ECDSA key, which is always taken"
)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A command without a usable answer: what is known of it (never ACCEPTED)."""

    outcome: Outcome
    code: str
    reason: str
    retry_after_s: float | None = None
    is_passing: bool = False
    """The same request may well succeed in a moment."""


class RestClient:
    """One account, or the public, at one API."""

    def __init__(
        self,
        transport: HttpTransport,
        key: ApiKey | None,
        limits: Limits,
        *,
        clock: Clock,
        answer_timeout_s: float,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._timeout_s = answer_timeout_s
        self.server_clock = ServerClock(clock)
        self._signer: RequestSigner | None = (
            None if key is None else signer_for(key, self.server_clock.wall_ns)
        )
        self._is_ed25519 = isinstance(key, AdvancedKey) and key.algorithm == "EdDSA"
        self._random = Random()
        self._budget = RateBudget(limits, clock, self._random)

    @property
    def has_key(self) -> bool:
        """True where private calls are possible."""
        return self._signer is not None

    async def open(self) -> None:
        """Make the connection pool."""
        await self._transport.open()

    async def close(self) -> None:
        """Let go of every connection."""
        await self._transport.close()

    def require_key(self) -> None:
        """Raise `AuthenticationError` where there is no key."""
        if self._signer is None:
            raise AuthenticationError(
                "NO_KEY",
                "this needs an API key: name one in the vault with --key, or its file with --key-file. "
                "Nothing was sent",
            )

    async def ask(
        self,
        purpose: Purpose,
        path: str,
        query: Query,
        decode: Callable[[bytes], T],
        *,
        is_long: bool = False,
    ) -> T:
        """GET and decode. Raises `BrokerError` for anything but a complete answer.

        `decode` says with `ValueError` or msgspec's errors that it cannot read an answer.
        """
        return (await self.ask_page(purpose, path, query, decode, is_long=is_long))[0]

    async def ask_page(
        self,
        purpose: Purpose,
        path: str,
        query: Query,
        decode: Callable[[bytes], T],
        *,
        is_long: bool = False,
    ) -> tuple[T, Mapping[str, str]]:
        """The same, with the headers of the answer."""
        answer = await self._get(purpose, path, query, is_long=is_long)
        if answer.status == 401 and purpose is not Purpose.PUBLIC:
            # A token can be late or unlucky: a fresh one is tried once.
            answer = await self._get(purpose, path, query, is_long=is_long)
        if answer.status != 200:
            raise self._failure(path, answer)
        try:
            return decode(answer.body), answer.headers
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise BrokerError(
                "UNREADABLE",
                f"the venue's answer to GET {path} cannot be read ({harmless(str(error))}); "
                "nothing is known by it",
            ) from None

    async def command(
        self,
        purpose: Purpose,
        method: str,
        path: str,
        body: bytes = b"",
        query: Query = (),
        on_leave: Callable[[], None] = lambda: None,
        gate: Gate = open_gate,
    ) -> HttpAnswer | Doubt:
        """Send something that changes something: an answer with status 200, or what is known without one.

        When its turn has come, just before it is sent, `gate` is asked whether it may leave, then `on_leave`
        is called.

        A cancel, which does no harm twice, is repeated where the venue's edge failed or the signature was
        not taken; nothing else is ever repeated. Raises nothing for what network or venue do;
        `AuthenticationError` without a key.
        """
        self.require_key()
        answer = await self._command(purpose, method, path, body, query, on_leave, gate)
        if purpose is Purpose.CANCEL:
            for pause_s in _CANCEL_PAUSES_S:
                if not (isinstance(answer, Doubt) and answer.is_passing):
                    break
                await asyncio.sleep(self._random.uniform(pause_s / 2, pause_s))
                answer = await self._command(purpose, method, path, body, query, on_leave, gate)
        return answer

    async def _command(
        self,
        purpose: Purpose,
        method: str,
        path: str,
        body: bytes,
        query: Query,
        on_leave: Callable[[], None],
        gate: Gate,
    ) -> HttpAnswer | Doubt:
        is_order = purpose is Purpose.ORDER
        began_ns = self._clock.monotonic_ns()
        wait_s = await self._budget.try_take(purpose, _ORDER_PATIENCE_S if is_order else _MOST_PATIENCE_S)
        if wait_s is not None:
            return Doubt(
                Outcome.NOT_SENT,
                "RATE_BUDGET",
                f"our share of the venue's rate limit is used up for {wait_s:.1f} s; nothing was sent",
                wait_s,
            )
        waited_ns = self._clock.monotonic_ns() - began_ns
        if is_order and waited_ns > _OVERSLEPT_NS:
            return Doubt(
                Outcome.NOT_SENT,
                "OVERSLEPT",
                f"this process stood still for {waited_ns / 1e9:.1f} s before the order's turn came; "
                "nothing was sent",
            )
        if reason := gate():
            return Doubt(Outcome.NOT_SENT, "BARRED", reason)
        on_leave()
        try:
            answer = await self._send(purpose, method, _target(path, query), body, self._timeout_s)
        except TransportError as error:
            outcome = Outcome.UNKNOWN if error.is_sent else Outcome.NOT_SENT
            return Doubt(outcome, error.code, str(error), is_passing=error.code in _PASSING)
        return answer if answer.status == 200 else self._doubt(answer)

    async def _get(self, purpose: Purpose, path: str, query: Query, *, is_long: bool) -> HttpAnswer:
        if purpose is not Purpose.PUBLIC:
            self.require_key()
        wait_s = await self._budget.try_take(purpose, _MOST_PATIENCE_S)
        if wait_s is not None:
            raise BrokerError(
                "RATE_LIMIT",
                f"the venue's rate limit is used up for {wait_s:.1f} s; nothing was asked",
                retry_after_s=wait_s,
            )
        timeout_s = max(self._timeout_s, _LONG_TIMEOUT_S) if is_long else self._timeout_s
        return await self._send(purpose, "GET", _target(path, query), b"", timeout_s)

    async def _send(
        self, purpose: Purpose, method: str, target: str, body: bytes, timeout_s: float
    ) -> HttpAnswer:
        headers: dict[str, str] = {}
        if purpose is Purpose.PUBLIC:
            headers["Cache-Control"] = "no-cache"
        elif self._signer is not None:
            headers.update(self._signer.rest_headers(method, target, body))
        answer = await self._transport.send(
            method,
            target,
            headers=headers,
            body=body,
            timeout_s=timeout_s,
            is_urgent=purpose in _URGENT,
        )
        retry_after_s = self._budget.answered(purpose, answer.status, answer.headers)
        return msgspec.structs.replace(answer, retry_after_s=retry_after_s)

    def _doubt(self, answer: HttpAnswer) -> Doubt:
        """What a status other than 200 says of a command: exactly what is safe to believe, no more."""
        status, reason = answer.status, body_reason(answer.body)
        is_passing = status in _PASSING_STATUSES
        if status == 429:
            words = "the venue's rate limit is used up" if reason is None else reason.sentence
            return Doubt(Outcome.LIMITED, "RATE_LIMIT", words, answer.retry_after_s)
        if reason is not None and status in _REFUSING:
            if reason.code == DUPLICATE:
                return Doubt(Outcome.UNKNOWN, reason.code, reason.sentence)
            words = self._advised(status, reason)
            return Doubt(Outcome.REFUSED, reason.code, words, is_passing=is_passing)
        said = "without a reason of its own" if reason is None else f"({reason.sentence})"
        return Doubt(
            Outcome.UNKNOWN,
            reason.code if reason is not None and status == 404 else f"HTTP_{status}",
            f"the venue answered HTTP {status} {said}; whether it acted on the request is not known",
            is_passing=is_passing,
        )

    def _failure(self, path: str, answer: HttpAnswer) -> BrokerError:
        """Why a question was not answered."""
        status, reason = answer.status, body_reason(answer.body)
        said = f"GET {path}: HTTP {status}" + ("" if reason is None else f": {reason.sentence}")
        if status == 429:
            wait_s = answer.retry_after_s
            said += f"; ask again in {wait_s or 0:.1f} s"
            return BrokerError("RATE_LIMIT", said, retry_after_s=wait_s)
        if status == 401 or (reason is not None and reason.code == "CLOCK"):
            code = "CLOCK" if reason is not None and reason.code == "CLOCK" else "UNAUTHORISED"
            warning = self.server_clock.warning
            is_said = reason is not None and reason.code == "UNAUTHORIZED"
            return AuthenticationError(
                code,
                ("" if is_said else "the venue does not take the key. ")
                + said
                + (_ED25519_ADVICE if self._is_ed25519 else "")
                + (f". {warning}" if warning else ""),
                said="" if reason is None else reason.code,
            )
        if status == 403 and reason is not None:
            return AuthenticationError(
                "PERMISSION", f"the key may not do this (its rights, or its list of addresses). {said}"
            )
        if status == 404 and reason is not None:
            return BrokerError("NOT_FOUND", said)
        if reason is not None and reason.code == "MAINTENANCE":
            return BrokerError("MAINTENANCE", said)
        if 300 <= status < 400:
            return BrokerError("REDIRECT", f"{said}: the venue points elsewhere, which is never followed")
        if status == 400 and reason is not None:
            return BrokerError(reason.code, said)
        return BrokerError(f"HTTP_{status}", f"{said}; nothing is known by it: ask again later")

    def _advised(self, status: int, reason: Reason) -> str:
        if status == 401 and self._is_ed25519:
            return reason.sentence + _ED25519_ADVICE
        return reason.sentence


def segment(text: str) -> str:
    """A text as one segment of a path."""
    return quote(text, safe="")


def _target(path: str, query: Query) -> str:
    return f"{path}?{urlencode(query, quote_via=quote)}" if query else path
