"""One HTTP request at a time: verified TLS, no redirect, a bounded body, and every failure told apart.

What matters of a failure is whether a byte of the request can have reached the venue. The transport
repeats nothing that could create something; it has no opinion on what an answer means.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Final

import aiohttp
import msgspec
from yarl import URL

from engine.core.foreign_text import harmless
from engine.exchange.coinbase.broker import BrokerError
from engine.exchange.coinbase.tls import tls_context

MAX_BODY_BYTES: Final = 8 << 20
"""The largest answer that is read; the list of all products has about 1 MB."""
_USER_AGENT: Final = "pinnacle-tui"
_MOST_AT_ONCE: Final = 32
"""Requests under way that are not urgent. Urgent ones (orders, cancels) are bounded by whoever sends them
and by the rate budget: what a silent venue does not answer must keep no cancel here, and no order that would
leave later."""
_KEEPALIVE_S: Final = 30.0


class HttpAnswer(msgspec.Struct, frozen=True):
    """A complete answer, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    retry_after_s: float | None = None
    """For a refusal by the limiter: how long to leave the venue alone."""


class TransportError(BrokerError):
    """A request that was not answered. `is_sent` False: not one byte of it left this machine."""

    def __init__(self, code: str, message: str, *, is_sent: bool) -> None:
        super().__init__(code, message)
        self.is_sent = is_sent


class HttpTransport:
    """A pool of connections to one host.

    `base` is scheme and host. `UsageError` for a `ca_file` that cannot be read.
    """

    def __init__(self, base: str, *, ca_file: str | None) -> None:
        self._base = base
        # Without TLS this machine alone is spoken to.
        self._tls = tls_context(ca_file) if base.startswith("https:") or ca_file is not None else True
        self._session: aiohttp.ClientSession | None = None
        self._turns = asyncio.Semaphore(_MOST_AT_ONCE)

    async def open(self) -> None:
        """Make the pool; connections are made when they are needed."""
        if self._session is not None:
            return
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_end.append(_on_connected)
        trace.on_connection_reuseconn.append(_on_connected)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=self._tls,
                limit=0,
                keepalive_timeout=_KEEPALIVE_S,
                resolver=aiohttp.ThreadedResolver(),
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            # What is compressed could be larger than it looks.
            headers={"User-Agent": _USER_AGENT, "Accept": "application/json", "Accept-Encoding": "identity"},
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None),
            trace_configs=[trace],
            trust_env=False,
        )

    async def close(self) -> None:
        """Close every connection; requests under way fail."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str],
        body: bytes = b"",
        timeout_s: float,
        is_urgent: bool = False,
    ) -> HttpAnswer:
        """One request and its answer. `target` is path and query, sent as they are. One that `is_urgent`
        does not wait for others to be answered.

        Raises `TransportError`. (On a kept connection that the venue closes unanswered, the library asks
        anew for what is idempotent - GET, DELETE - and never for a POST.)
        """
        session = self._session
        if session is None:
            raise TransportError(
                "CLOSED", "the connection to the venue is not open; nothing was sent", is_sent=False
            )
        progress = SimpleNamespace(is_connected=False)
        try:
            async with (
                asyncio.timeout(timeout_s),
                nullcontext() if is_urgent else self._turns,
                session.request(
                    method,
                    URL(self._base + target, encoded=True),
                    headers={**headers, **({"Content-Type": "application/json"} if body else {})},
                    data=body or None,
                    allow_redirects=False,
                    trace_request_ctx=progress,
                ) as response,
            ):
                return HttpAnswer(response.status, response.headers, await _bounded(response))
        except TransportError:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._failure(error, is_sent=progress.is_connected) from None

    def _failure(self, error: Exception, *, is_sent: bool) -> TransportError:
        code, words = _reason(error, self._base)
        after = "whether the venue acted on the request is not known" if is_sent else "nothing was sent"
        return TransportError(code, f"{words}; {after}", is_sent=is_sent)


async def _on_connected(session: aiohttp.ClientSession, context: SimpleNamespace, params: object) -> None:
    """From here on bytes of the request may leave."""
    context.trace_request_ctx.is_connected = True


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise TransportError(
            "UNREADABLE", "the answer is compressed although plain text was asked for", is_sent=True
        )
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            response.close()
            raise TransportError(
                "TOO_LARGE",
                f"the answer is larger than {MAX_BODY_BYTES >> 20} MiB; what it says is not known",
                is_sent=True,
            )
    return bytes(body)


def _reason(error: Exception, base: str) -> tuple[str, str]:
    """Code and words for an exception of the library or the system."""
    if isinstance(error, aiohttp.ClientConnectorDNSError | socket.gaierror):
        return "DNS", f"the name in {base} cannot be resolved (DNS); is this machine on the network?"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
        cause = getattr(error, "certificate_error", error)
        why = harmless(getattr(cause, "verify_message", "") or str(cause))
        return "TLS", (
            f"the certificate of {base} is not trusted ({why}); somebody may be in between. "
            "Name the authority of a venue of your own with network.ca_file"
        )
    if isinstance(error, aiohttp.ClientConnectorSSLError | aiohttp.ClientSSLError | ssl.SSLError):
        return "TLS", f"no secure connection with {base} can be made ({harmless(str(error))})"
    if isinstance(error, TimeoutError):
        return "TIMEOUT", f"{base} did not answer in time"
    if isinstance(error, aiohttp.ClientConnectorError):
        return (
            "CONNECT",
            f"{base} cannot be reached ({harmless(error.os_error.strerror or str(error.os_error))})",
        )
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "EOF", f"{base} closed the connection without an answer"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "TRUNCATED", f"the answer of {base} broke off"
    if isinstance(error, aiohttp.ClientOSError | OSError):
        return "RESET", f"the connection to {base} broke ({harmless(str(error))})"
    return "PROTOCOL", f"the answer of {base} is not HTTP as it should be ({harmless(str(error))})"
