"""The broker of either API, by the name that the configuration gives it."""

from __future__ import annotations

from engine.core.clock import Clock
from engine.core.errors import CredentialError
from engine.exchange.coinbase.broker import Broker
from engine.exchange.coinbase.keys import AdvancedKey, ApiKey, ExchangeKey
from engine.exchange.coinbase.network import ADVANCED, Endpoints
from engine.exchange.coinbase.rest.advanced_broker import AdvancedBroker
from engine.exchange.coinbase.rest.exchange_broker import ExchangeBroker


def broker_for(
    name: str,
    endpoints: Endpoints,
    key: ApiKey | None,
    *,
    clock: Clock,
    ca_file: str | None = None,
    answer_timeout_s: float = 2.0,
) -> Broker:
    """A broker, not yet open. Without a key the public calls work; the others raise `AuthenticationError`.

    `name` is `exchange.name`. Raises `CredentialError` for a key of the other API, `UsageError` for a
    certificate file that cannot be read.
    """
    if name == ADVANCED:
        if isinstance(key, ExchangeKey):
            raise CredentialError(f"{key!r} is a key of Coinbase Exchange; {name} is Advanced Trade")
        return AdvancedBroker(
            endpoints.rest, key, clock=clock, ca_file=ca_file, answer_timeout_s=answer_timeout_s
        )
    if isinstance(key, AdvancedKey):
        raise CredentialError(f"{key!r} is a key of Advanced Trade; {name} is Coinbase Exchange")
    return ExchangeBroker(
        endpoints.rest, key, clock=clock, ca_file=ca_file, answer_timeout_s=answer_timeout_s
    )
