"""The watchdog's own way to the venue: none of the engine's connections, budgets and clocks are in it."""

from __future__ import annotations

from engine.core.clock import Clock
from engine.exchange.coinbase.broker import Broker
from engine.exchange.coinbase.keys import parse_key_document
from engine.exchange.coinbase.rest.brokers import broker_for
from engine.watchdog.messages import Hello


def broker_of(hello: Hello, clock: Clock) -> Broker:
    """A broker, not yet open. Raises a `PinnacleError` for a key or a certificate that cannot be used."""
    return broker_for(
        hello.api,
        hello.endpoints,
        parse_key_document(hello.key, hello.api) if hello.key else None,
        clock=clock,
        ca_file=hello.ca_file,
        answer_timeout_s=hello.answer_timeout_ms / 1_000,
    )
