"""What stands in the environment never decides where orders go."""

from __future__ import annotations

from pathlib import Path

import pytest
from coinbase_frames import INSTRUMENTS, heartbeat, l2_snapshot
from http_kit import Answer, HttpServer, script
from rest_kit import APIS, KEYS
from ws_kit import FeedReader, Peer, ScriptedVenue

from engine.core.clock import SystemClock
from engine.exchange.coinbase.network import Endpoints
from engine.exchange.coinbase.rest.brokers import broker_for

BTC = {"BTC-USD": INSTRUMENTS["BTC-USD"]}


@pytest.fixture(autouse=True)
def proxies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A proxy for everything, and somebody's passwords for the venue."""
    for name in ("http", "https", "ws", "wss", "socks", "all"):
        monkeypatch.setenv(f"{name}_proxy", "http://127.0.0.1:9")
        monkeypatch.setenv(f"{name.upper()}_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))


@pytest.mark.parametrize("api", APIS)
async def test_requests_go_to_the_venue_itself(api: str) -> None:
    times = {"iso": "", "epoch": 1_760_000_000.0, "epochMillis": "1760000000000"}
    async with HttpServer(script(Answer(200, times))) as server:
        broker = broker_for(api, Endpoints(server.url, "", ""), KEYS[api], clock=SystemClock())
        await broker.open()
        await broker.close()
        assert server.requests
        assert all(request.target.startswith("/") for request in server.requests)
        assert all("authorization" not in request.headers for request in server.requests)


async def test_market_data_comes_from_the_venue_itself() -> None:
    async def book(peer: Peer) -> None:
        await peer.asked("subscribe", "level2")
        await peer.send(heartbeat(0, 1), l2_snapshot(1))

    reader = FeedReader()
    async with ScriptedVenue(book) as venue:
        feed = reader.make(venue, BTC)
        await feed.start()
        await reader.until(lambda: reader.is_live("BTC-USD"))
        await feed.stop()
