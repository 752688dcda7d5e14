"""Why a connection could not be made or has ended: in words, and whether trying again can help."""

from __future__ import annotations

import errno
import socket
import ssl
from dataclasses import dataclass
from typing import Final

from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    PayloadTooBig,
    ProtocolError,
)

from engine.core.errors import PinnacleError
from engine.core.foreign_text import harmless

NORMAL_CLOSES: Final = frozenset({1000, 1001})
_TRY_LATER: Final = 1013
_FIRST_PRIVATE_CLOSE: Final = 4000
_LONGEST_RETRY_AFTER_S: Final = 600.0
_NO_COMMON_TLS: Final = ("VERSION", "PROTOCOL", "HANDSHAKE_FAILURE", "CIPHER")
"""What OpenSSL calls it when two sides have no way to speak with each other."""


class ConnectionRefusedForGood(PinnacleError):
    """The venue, or TLS, refuses a connection in a way that trying again does not change."""

    exit_code = 5

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        """One upper-case word: HTTP_401, HTTP_403, TLS."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Why an attempt failed or a connection ended."""

    code: str
    """One upper-case word: DNS, REFUSED, TIMEOUT, TLS, HTTP_503, CLOSED_1001, LOST, ..."""
    words: str
    is_fatal: bool = False
    """Trying again cannot help: a person must act."""
    is_busy: bool = False
    """The venue asks for more patience than usual."""
    retry_after_s: float = 0.0
    close_code: int | None = None


def ending_of(error: BaseException, address: str) -> Ending:
    """What an exception of connecting, reading or sending means."""
    if isinstance(error, InvalidStatus):
        return _refused(error, address)
    if isinstance(error, ConnectionClosed):
        return _closed(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        why = harmless(error.verify_message)
        return Ending(
            "TLS",
            f"the certificate of {address} is not trusted ({why}); somebody may be in between. Name "
            "the authority of a venue of your own with network.ca_file",
            is_fatal=True,
        )
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return Ending("LOST", f"{address} cut the connection in the middle of TLS")
    if isinstance(error, ssl.SSLError):
        why = harmless(getattr(error, "reason", None) or str(error))
        if not any(word in why.upper() for word in _NO_COMMON_TLS):
            # Bytes that were damaged on the way: the network's doing, and over with a new connection.
            return Ending("LOST", f"the secure connection with {address} was damaged ({why})")
        return Ending(
            "TLS",
            f"no secure connection with {address} can be made ({why}); does it speak TLS 1.2 or newer there?",
            is_fatal=True,
        )
    if isinstance(error, socket.gaierror):
        return Ending(
            "DNS",
            f"the name in {address} cannot be resolved (DNS: {harmless(error.strerror or str(error))}); "
            "is this machine on the network?",
        )
    if isinstance(error, TimeoutError):
        return Ending("TIMEOUT", f"{address} did not answer in time")
    if isinstance(error, ConnectionRefusedError):
        return Ending("REFUSED", f"nothing listens at {address} (connection refused)")
    if isinstance(error, OSError):
        if error.errno in (errno.EMFILE, errno.ENFILE):
            return Ending(
                "DESCRIPTORS", "no file descriptor is left for a connection; raise the limit (ulimit -n)"
            )
        words = harmless(error.strerror or str(error)) or "the connection was cut"
        return Ending("NETWORK", f"{address} cannot be reached: {words}")
    if isinstance(error, PayloadTooBig | ProtocolError | InvalidHandshake):
        return Ending(
            "PROTOCOL", f"{address} does not keep to the WebSocket protocol: {harmless(str(error))}"
        )
    return Ending(
        "LOST", f"the connection to {address} failed: {harmless(str(error)) or type(error).__name__}"
    )


def _refused(error: InvalidStatus, address: str) -> Ending:
    status = error.response.status_code
    code = f"HTTP_{status}"
    if status in (401, 403):
        return Ending(
            code,
            f"{address} refuses this connection (HTTP {status}); look at the key, its rights and its list of "
            "addresses, then start again",
            is_fatal=True,
        )
    if status == 429:
        text = error.response.headers.get("Retry-After", "")
        wait_s = min(float(text), _LONGEST_RETRY_AFTER_S) if text.isascii() and text.isdigit() else 0.0
        asked = f" and asks to be left alone for {wait_s:g} s" if wait_s else ""
        return Ending(
            code, f"{address} limits our connections (HTTP 429){asked}", is_busy=True, retry_after_s=wait_s
        )
    return Ending(code, f"{address} does not open a WebSocket (HTTP {status})", is_busy=status >= 500)


def _closed(error: ConnectionClosed) -> Ending:
    received = error.rcvd
    if received is None:
        sent = error.sent
        if sent is None:
            return Ending("LOST", "the connection was cut without a word", close_code=1006)
        return Ending(
            f"CLOSED_{sent.code}",
            f"we closed the connection: {harmless(sent.reason) or f'code {sent.code}'}",
            close_code=int(sent.code),
        )
    reason = f": {harmless(received.reason)}" if received.reason else ""
    return Ending(
        f"CLOSED_{received.code}",
        f"the venue closed the connection (code {received.code}{reason})",
        is_busy=received.code == _TRY_LATER or received.code >= _FIRST_PRIVATE_CLOSE,
        close_code=int(received.code),
    )
