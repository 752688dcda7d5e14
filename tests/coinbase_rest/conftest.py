"""Test vectors and payloads, and brokers that speak to a server of the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from coinbase_rest import auth_vectors
from rest_kit import KEYS, MakeBroker

from engine.core.clock import SystemClock
from engine.exchange.coinbase.broker import Broker
from engine.exchange.coinbase.network import ADVANCED, Endpoints
from engine.exchange.coinbase.rest.brokers import broker_for
from engine.exchange.coinbase.rest.server_clock import ServerClock


@pytest.fixture
async def broker_at(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MakeBroker]:
    """Makes an API's broker for a server. It asks for no time: the script is the test's."""
    made: list[Broker] = []

    async def measured(self: ServerClock, ask: object) -> int:
        return 0

    async def at(
        url: str,
        api: str = ADVANCED,
        *,
        is_public: bool = False,
        timeout_s: float = 5.0,
        ca_file: str | None = None,
    ) -> Broker:
        broker = broker_for(
            api,
            Endpoints(url, "", ""),
            None if is_public else KEYS[api],
            clock=SystemClock(),
            ca_file=ca_file,
            answer_timeout_s=timeout_s,
        )
        made.append(broker)
        with monkeypatch.context() as patched:
            patched.setattr(ServerClock, "measure", measured)
            await broker.open()
        return broker

    yield at
    for broker in made:
        await broker.close()


@pytest.fixture(scope="session")
def vectors() -> dict[str, Any]:
    """Public test keys and reference signatures."""
    return auth_vectors.vectors()


@pytest.fixture(scope="session")
def fixture_body(shared_data: Path) -> Callable[[str], bytes]:
    """A recorded or documented payload, by its path in the folder of fixtures."""
    return lambda name: (shared_data / "coinbase" / "fixtures" / f"{name}.json").read_bytes()
