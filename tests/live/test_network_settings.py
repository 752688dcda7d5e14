"""What the keys of the section `network` do: how often the venue is asked, and how long it is waited for."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from edge_bench import EdgeBench, on_bench
from live.venue_kit import configured, running_venue
from waiting import until

from engine.config import load_config
from engine.core.clock import SystemClock
from engine.core.errors import PinnacleError
from engine.exchange.coinbase.broker import BrokerError
from engine.exchange.coinbase.network import NetworkSettings
from engine.runtime.network import connect

CALLS = {
    "reconcile_interval_s": "live_orders",
    "balance_interval_s": "balances",
    "fills_interval_s": "fills",
}


@pytest.mark.parametrize(("key", "call"), CALLS.items())
def test_how_often_the_venue_is_asked(key: str, call: str) -> None:
    def asked_with(seconds: int) -> int:
        counted: list[int] = []

        async def work(bench: EdgeBench) -> None:
            before = [name for _, name, _ in bench.broker.calls].count(call)
            await bench.after(120)
            counted.append([name for _, name, _ in bench.broker.calls].count(call) - before)

        on_bench(work, **{f"network__{key}": Decimal(seconds)})
        return counted[0]

    often, seldom = asked_with(5), asked_with(60)
    assert 20 <= often - seldom <= 26
    assert seldom >= 1


@pytest.mark.parametrize(("seconds", "most", "least"), [(0, 0, 0), (1, 4, 2)])
async def test_how_often_the_book_is_audited(seconds: int, most: int, least: int, tmp_path: Path) -> None:
    async with running_venue(tmp_path) as (venue, _):
        network = await connect(
            configured(venue, "paper", network__audit_interval_s=str(seconds)), SystemClock()
        )
        market = network.market(network.resolved.config, None)
        for edge in market.edges:
            await edge.start()
        [desk] = market.desks
        trader = desk.trader
        deadline = asyncio.get_running_loop().time() + 3.2
        while asyncio.get_running_loop().time() < deadline:
            for event in market.feeds[0].poll(1 << 62):
                trader.on_event(event)
            await asyncio.sleep(0.01)
        audits = market.edges[-1].audits  # type: ignore[attr-defined]
        for edge in reversed(market.edges):
            await edge.stop()
        assert least <= audits <= most


async def test_how_long_an_answer_is_waited_for() -> None:
    handling: set[asyncio.Task[None] | None] = set()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handling.add(asyncio.current_task())
        await reader.read()
        writer.close()
        await writer.wait_closed()
        handling.discard(asyncio.current_task())

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        flags = {"engine.mode": "paper", "network.endpoint": f"http://127.0.0.1:{port}"}
        resolved = load_config(env={}, overrides=["network.answer_timeout_ms=150"], flags=flags)
        began = asyncio.get_running_loop().time()
        with pytest.raises(BrokerError) as failed:
            await connect(resolved, SystemClock())
        assert failed.value.code == "TIMEOUT"
        assert 0.1 < asyncio.get_running_loop().time() - began < 1.5
        await until(lambda: not handling)


def test_where_the_venue_is() -> None:
    local = NetworkSettings(endpoint="https://127.0.0.1:8443").endpoints("coinbase")
    assert local == (
        "https://127.0.0.1:8443",
        "wss://127.0.0.1:8443/advanced",
        "wss://127.0.0.1:8443/advanced-user",
    )
    plain = NetworkSettings(endpoint="http://localhost:1").endpoints("coinbase-exchange")
    assert plain == ("http://localhost:1", "ws://localhost:1/exchange", "ws://localhost:1/exchange")
    assert NetworkSettings().endpoints("coinbase").rest == "https://api.coinbase.com"


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("http://example.com", "without TLS only this machine is spoken to"),
        ("ftp://127.0.0.1", "must be http://HOST:PORT"),
        ("https://127.0.0.1/path", "must be http://HOST:PORT"),
        ("https://me:secret@127.0.0.1", "must not contain a user or a password"),
    ],
)
def test_where_the_venue_cannot_be(endpoint: str, said: str) -> None:
    with pytest.raises(PinnacleError, match=said):
        NetworkSettings(endpoint=endpoint).endpoints("coinbase")
    assert said in str(NetworkSettings(endpoint=endpoint).violation())
