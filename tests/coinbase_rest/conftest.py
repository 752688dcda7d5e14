"""Test keys in every spelling, and brokers that speak to a server of the test."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from engine.core.clock import SystemClock
from engine.exchange.coinbase.broker import Broker
from engine.exchange.coinbase.brokers import broker_for
from engine.exchange.coinbase.keys import AdvancedKey, ApiKey, ExchangeKey
from engine.exchange.coinbase.network import ADVANCED, EXCHANGE, Endpoints

KEYS: dict[str, ApiKey] = {
    ADVANCED: AdvancedKey("organizations/o/apiKeys/k", generate_private_key(SECP256R1())),
    EXCHANGE: ExchangeKey("exchange-key", b"exchange-secret", "exchange-passphrase"),
}
MakeBroker = Callable[..., Broker]


@pytest.fixture
async def broker_at() -> AsyncIterator[MakeBroker]:
    """Makes an API's broker for a server; it is not measured, so that the server's script stays the test's."""
    made: list[Any] = []

    async def at(url: str, api: str = ADVANCED, *, is_public: bool = False, timeout_s: float = 5.0) -> Any:
        broker: Any = broker_for(
            api,
            Endpoints(url, "", ""),
            None if is_public else KEYS[api],
            clock=SystemClock(),
            answer_timeout_s=timeout_s,
        )
        made.append(broker)
        await broker._client.open()
        return broker

    yield at
    for broker in made:
        await broker.close()


@pytest.fixture(scope="session")
def vectors(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Public test keys and reference signatures."""
    path = tmp_path_factory.mktemp("vectors") / "vectors.json"
    subprocess.run(
        [sys.executable, str(shared_data / "coinbase" / "make_auth_vectors.py"), str(path)], check=True
    )
    content: dict[str, Any] = json.loads(path.read_text())
    return content


@pytest.fixture(scope="session")
def fixture_body(shared_data: Path) -> Callable[[str], bytes]:
    """A recorded or documented payload, by its path in the folder of fixtures."""
    return lambda name: (shared_data / "coinbase" / "fixtures" / f"{name}.json").read_bytes()
