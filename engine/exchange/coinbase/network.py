"""Section `network`: where the venue is reached, with which key, and how patiently."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from engine.core.errors import UsageError
from engine.core.settings import setting

ADVANCED: Final = "coinbase"
EXCHANGE: Final = "coinbase-exchange"
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Endpoints(NamedTuple):
    """The addresses of one API; no trailing slash."""

    rest: str
    """Scheme and host; paths such as `/api/v3/brokerage/orders` or `/orders` come behind it."""
    market: str
    """WebSocket of market data."""
    user: str
    """WebSocket of our own orders."""


_LIVE: Final = {
    ADVANCED: Endpoints(
        "https://api.coinbase.com",
        "wss://advanced-trade-ws.coinbase.com",
        "wss://advanced-trade-ws-user.coinbase.com",
    ),
    EXCHANGE: Endpoints(
        "https://api.exchange.coinbase.com",
        "wss://ws-feed.exchange.coinbase.com",
        "wss://ws-feed.exchange.coinbase.com",
    ),
}


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """How the venue is reached. Secrets are never in it: `key_file` names where they are."""

    endpoint: str | None = setting(
        None,
        "Another place of the venue's APIs, as http://127.0.0.1:8080 of the local venue; unset is Coinbase.",
    )
    ca_file: str | None = setting(
        None, "A certificate (PEM) to be trusted beside the system's, as the local venue writes one."
    )
    key_file: str | None = setting(
        None, "The API key: the JSON file that Coinbase lets you download; readable by you alone."
    )
    deflate: bool = setting(False, "Ask for compressed market data; off refuses every compressed frame.")
    products_per_connection: int = setting(
        8, "How many products share one market-data connection.", at_least=1, at_most=16
    )
    stale_soft_ms: int = setting(
        2_000,
        "Market data of a product older than this pulls its quotes.",
        unit="ms",
        at_least=100,
        at_most=60_000,
    )
    stale_hard_ms: int = setting(
        5_000,
        "A connection silent for this long is given up and made anew.",
        unit="ms",
        at_least=500,
        at_most=60_000,
    )
    audit_interval_s: int = setting(
        60, "How often the book is compared with REST; 0 never.", unit="s", at_least=0, at_most=3_600
    )
    reconcile_interval_s: Decimal = setting(
        Decimal(10), "How often open orders are compared with the venue.", unit="s", at_least=1, at_most=60
    )
    balance_interval_s: Decimal = setting(
        Decimal(30), "How often balances are compared with the venue.", unit="s", at_least=1, at_most=300
    )
    fills_interval_s: Decimal = setting(
        Decimal(30), "How often fills are compared with the venue's list.", unit="s", at_least=1, at_most=300
    )
    answer_timeout_ms: int = setting(
        2_000, "A request unanswered for longer is given up.", unit="ms", at_least=100, at_most=30_000
    )

    def violation(self) -> str | None:
        """The first rule between fields that is broken."""
        if self.stale_hard_ms < self.stale_soft_ms:
            return "network.stale_hard_ms is below network.stale_soft_ms"
        try:
            self.endpoints(ADVANCED)
        except UsageError as error:
            return str(error)
        return None

    def endpoints(self, api: str) -> Endpoints:
        """The addresses of an API (`exchange.name`). `UsageError` for an endpoint that must not be used."""
        if self.endpoint is None:
            return _LIVE[api]
        parts = urlsplit(self.endpoint)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or parts.query:
            raise UsageError(
                f"network.endpoint = {self.endpoint}: must be http://HOST:PORT or https://HOST:PORT, "
                "and no more"
            )
        if parts.username is not None or parts.password is not None:
            raise UsageError("network.endpoint must not contain a user or a password")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise UsageError(
                f"network.endpoint = {self.endpoint}: without TLS only this machine is spoken to; use https"
            )
        socket = f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}"
        if api == ADVANCED:
            return Endpoints(
                f"{parts.scheme}://{parts.netloc}", f"{socket}/advanced", f"{socket}/advanced-user"
            )
        return Endpoints(f"{parts.scheme}://{parts.netloc}", f"{socket}/exchange", f"{socket}/exchange")
