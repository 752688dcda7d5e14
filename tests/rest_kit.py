"""Keys of a test for both APIs, and what a maker of brokers looks like."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from engine.core.secret import Secret
from engine.exchange.coinbase.broker import Broker
from engine.exchange.coinbase.keys import AdvancedKey, ApiKey, ExchangeKey
from engine.exchange.coinbase.network import ADVANCED, EXCHANGE

APIS = (ADVANCED, EXCHANGE)
KEYS: dict[str, ApiKey] = {
    ADVANCED: AdvancedKey("organizations/o/apiKeys/k", generate_private_key(SECP256R1())),
    EXCHANGE: ExchangeKey("exchange-key", Secret("exchange-secret"), Secret("exchange-passphrase")),
}


class MakeBroker(Protocol):
    """Opens a broker at an address; it is closed when the test is over."""

    def __call__(
        self,
        url: str,
        api: str = ADVANCED,
        *,
        is_public: bool = False,
        timeout_s: float = 5.0,
        ca_file: str | None = None,
    ) -> Awaitable[Broker]: ...
