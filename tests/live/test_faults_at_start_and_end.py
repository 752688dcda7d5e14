"""Faults that meet the engine while it starts or ends, and those that need TLS."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from byte_damage import Kind
from coinbase_frames import INSTRUMENTS, heartbeat, l2, l2_snapshot
from fault_bench import START_WALL_NS, FaultBench
from fault_loop import FaultLoop
from fault_proxy import FaultProxy
from local_venue.certificates import bad_context
from tls_kit import tls_server
from waiting import until
from ws_kit import FeedReader, Peer, ScriptedVenue

from engine.config import load_config
from engine.core.clock import ManualClock, SystemClock
from engine.core.events import FeedState
from engine.exchange.coinbase.broker import BrokerError
from engine.exchange.coinbase.feed.refusals import ConnectionRefusedForGood
from engine.exchange.coinbase.network import ADVANCED, Endpoints, NetworkSettings
from engine.local_venue.tls import server_context, tls_files
from engine.runtime.network import connect

BTC = {"BTC-USD": INSTRUMENTS["BTC-USD"]}


class At:
    """Stands for a venue at these addresses, for `FeedReader.make`."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.endpoints = endpoints


# -- 46: the network is down at the end ----------------------------------------------------------------


async def all_refused(bench: FaultBench) -> None:
    for proxy in bench.proxies:
        await proxy.refuse()
        proxy.reset()


async def all_swallowed(bench: FaultBench) -> None:
    for proxy in bench.proxies:
        proxy.swallow()


async def rest_only(bench: FaultBench) -> None:
    await bench.rest.refuse()
    bench.rest.reset()


@pytest.mark.parametrize("fault", [all_refused, all_swallowed, rest_only], ids=lambda fault: fault.__name__)
def test_46_an_end_without_the_network_lists_what_may_be_open(
    fault: Callable[[FaultBench], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock(0, START_WALL_NS)

    async def play() -> None:
        async with FaultBench(clock, tmp_path, monkeypatch) as bench:
            await bench.until(lambda: bench.is_quoting, 30, "quoting")
            await fault(bench)  # type: ignore[misc]
            began = bench.now_s
            outcome = await bench.end()
            assert outcome.exit_code == 75, outcome
            assert set(outcome.open_orders) >= bench.venue_orders
            assert outcome.open_orders
            assert "no proof" in outcome.reason
            assert bench.now_s - began < 12.0

    with asyncio.Runner(loop_factory=lambda: FaultLoop(clock)) as runner:
        runner.run(play())


# -- 4: TLS that must be refused -----------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["self-signed", "expired", "wrong-host", "tls-1.0"])
async def test_4_a_feed_is_refused_for_good_after_one_try(tmp_path: Path, fault: str) -> None:
    context, ca = bad_context(tmp_path, fault)
    reader = FeedReader()
    with tls_server(context) as port:
        async with FaultProxy(port) as proxy:
            address = f"wss://localhost:{proxy.port}"
            feed = reader.make(
                At(Endpoints("https://x", address, address)),  # type: ignore[arg-type]
                BTC,
                settings=NetworkSettings(ca_file=str(ca)),
            )
            with pytest.raises(ConnectionRefusedForGood) as caught:
                await feed.start()
            assert caught.value.code == "TLS"
            assert proxy.accepted == 1
    assert reader.restraints[0][:2] == ("FEED", "halted")


@pytest.mark.parametrize("fault", ["self-signed", "expired", "wrong-host", "tls-1.0"])
async def test_4_nothing_is_asked_of_a_venue_that_cannot_prove_who_it_is(tmp_path: Path, fault: str) -> None:
    context, ca = bad_context(tmp_path, fault)
    with tls_server(context) as port:
        async with FaultProxy(port) as proxy:
            given = [f"network.endpoint=https://localhost:{proxy.port}", f"network.ca_file={ca}"]
            with pytest.raises(BrokerError) as caught:
                await connect(
                    load_config(None, {}, given, {"engine.mode": "paper", "exchange.name": ADVANCED}),
                    SystemClock(),
                )
            assert (caught.value.code, caught.value.exit_code) == ("TLS", 5)
            assert proxy.accepted <= 3


# -- 27: bytes that change on the way, under TLS ---------------------------------------------------------


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("at", [0, 7, 100])
async def test_27_damaged_bytes_never_become_a_wrong_book(tmp_path: Path, kind: Kind, at: int) -> None:
    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "level2")
        await peer.send(heartbeat(0, 1), l2_snapshot(1))
        number = 2
        while True:
            await peer.send(l2(number, "update", "BTC-USD", [("99.99", str(number))]))
            number += 1
            await asyncio.sleep(0.01)

    files = tls_files(tmp_path, SystemClock())
    reader = FeedReader()
    async with (
        ScriptedVenue(script, tls=server_context(files)) as venue,
        FaultProxy(venue.port, seed=at) as proxy,
    ):
        address = f"wss://localhost:{proxy.port}"
        feed = reader.make(
            At(Endpoints("https://x", address, address)),  # type: ignore[arg-type]
            BTC,
            settings=NetworkSettings(ca_file=str(files.ca)),
        )
        await feed.start()
        try:
            await reader.until(lambda: reader.is_live("BTC-USD"))
            proxy.damage(kind, at=at)
            await reader.until(lambda: reader.states["BTC-USD"] is FeedState.STALE)
            await reader.until(lambda: len(venue.peers) == 2 and reader.is_live("BTC-USD"))
            sizes = set(dict(reader.books["BTC-USD"].bids()).values())
            assert sizes <= {lots * 10**8 for lots in range(1, 2_000)}
        finally:
            await feed.stop()
        await until(lambda: not proxy.lines)
