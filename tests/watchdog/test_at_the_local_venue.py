"""The real process at a venue that checks every signature: both APIs, orders of ours and of others."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from rest_kit import APIS
from waiting import until
from watchdog_kit import TAG, ours

from engine.core.clock import SystemClock
from engine.core.events import Restraint
from engine.core.order import Side
from engine.exchange.coinbase.broker import Broker, NewOrder, Outcome
from engine.exchange.coinbase.keys import ApiKey, read_key_file
from engine.exchange.coinbase.network import ADVANCED, NetworkSettings
from engine.exchange.coinbase.rest.brokers import broker_for
from engine.local_venue.keys import write_key
from engine.local_venue.server import LocalVenue
from engine.local_venue.settings import VenueSettings
from engine.watchdog.guardian import Guardian
from engine.watchdog.hello import hello_of
from engine.watchdog.log import read_log
from engine.watchdog.messages import Report


class Place(NamedTuple):
    """A venue, our account at it, and where the watchdog writes."""

    api: str
    network: NetworkSettings
    key: ApiKey
    broker: Broker
    folder: Path


@pytest.fixture(params=APIS)
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    api = request.param
    async with LocalVenue(VenueSettings()) as venue:
        keys = venue.cdp_keys if api == ADVANCED else venue.exchange_keys
        key = read_key_file(write_key(tmp_path / "keys", keys[0]), api)
        network = NetworkSettings(endpoint=venue.url)
        broker = broker_for(api, network.endpoints(api), key, clock=SystemClock())
        await broker.open()
        yield Place(api, network, key, broker, tmp_path)
        await broker.close()


async def _rest(place: Place, client_id: str, product: str = "BTC-USD") -> None:
    """An order far below the market."""
    order = NewOrder(client_id, product, Side.BUY, Decimal("0.1"), Decimal(100), post_only=True)
    answer = await place.broker.submit(order)
    assert answer.outcome is Outcome.ACCEPTED, answer


async def _open(place: Place) -> set[str]:
    return {order.client_order_id for order in await place.broker.live_orders()}


async def test_everything_of_ours_is_cancelled_at_a_kill_and_nothing_else(place):
    told: list[tuple[str, Restraint, str, str]] = []
    reports: list[Report] = []
    hello = hello_of(
        place.api,
        place.network,
        place.key,
        ["BTC-USD"],
        tag=TAG,
        session_folder=place.folder,
        data_dir=place.folder,
    )
    hello = msgspec.structs.replace(hello, late_looks_s=())
    guardian = Guardian(hello, lambda *said: told.append(said), on_report=reports.append)
    await guardian.start()
    try:
        mine = [ours(number) for number in range(12)]
        others = {str(uuid.uuid4()), ours(99)}
        for client_id in mine:
            await _rest(place, client_id)
        somebody, elsewhere = sorted(others, key=lambda client_id: client_id.startswith(TAG))
        await _rest(place, somebody)
        await _rest(place, elsewhere, "ETH-USD")
        guardian.kill("a person wants it")
        await until(lambda: reports)
        assert sorted(reports[0].sweep.cancelled) == mine
        assert reports[0].sweep.took_ns < 3_000_000_000
        assert await _open(place) == others
        # The next one watches, and is left to its work: the engine ends without proof.
        await until(guardian.lease.is_held)
        await _rest(place, ours(50))
    finally:
        await guardian.end(False)
        await guardian.stop()
    await until(lambda: len(_proofs(place.folder)) == 2)
    assert await _open(place) == others


def _proofs(folder: Path) -> list[tuple[str, ...]]:
    return [line.orders for line in read_log(folder) if line.event == "proof"]


async def test_a_key_that_the_venue_does_not_take_begins_nothing(place):
    async with LocalVenue(VenueSettings()) as another:
        hello = hello_of(
            place.api,
            NetworkSettings(endpoint=another.url),
            place.key,
            ["BTC-USD"],
            tag=TAG,
            session_folder=place.folder,
            data_dir=place.folder,
        )
        guardian = Guardian(hello, lambda *said: None, start_within_s=4)
        starting = asyncio.create_task(guardian.start())
        await until(lambda: "cannot ask the venue" in (guardian.hold or ""))
        assert not guardian.lease.is_held()
        starting.cancel()
        process = guardian._process
        assert process is not None
        with pytest.raises(asyncio.CancelledError):
            await starting
        await asyncio.wait_for(process.ended.wait(), 10)
