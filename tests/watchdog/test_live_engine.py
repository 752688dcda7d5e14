"""The whole product trading live at the local venue, killed and stopped from outside."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from served_engine import short_folder
from waiting import until

from engine.core.clock import SystemClock
from engine.exchange.coinbase.keys import read_key_file
from engine.exchange.coinbase.network import ADVANCED, EXCHANGE, NetworkSettings
from engine.exchange.coinbase.rest.brokers import broker_for
from engine.local_venue.keys import write_key
from engine.local_venue.server import LocalVenue
from engine.local_venue.settings import VenueSettings
from engine.persistence.installation import FILE
from engine.watchdog.log import Line, read_log

PATIENCE_S = 30.0


@asynccontextmanager
async def _live(
    venue: LocalVenue, api: str, key_file: Path, folder: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A live engine that has orders at the venue."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PINNACLE_")}
    given = (
        f"--no-ui --json --mode live --exchange {api} --symbol BTC-USD --arm BTC-USD --set engine.live=true "
        "--set strategy.allow_negative_edge=true"
    )
    places = f"--arm BTC-USD --endpoint {venue.url} --key-file {key_file} --data-dir {folder}/data"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pinnacle_tui", *given.split(), *places.split()),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 22,
        env=clean | {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)},
    )
    assert process.stdout is not None
    reading: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(PATIENCE_S):
            while json.loads(await process.stdout.readline()).get("event") != "accepted":
                pass
        reading = asyncio.create_task(_drain(process.stdout))
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        if reading is not None:
            await reading
        for pid in {line.pid for line in read_log(folder / "data")}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(1 << 16):
        pass


def _log(folder: Path, event: str) -> list[Line]:
    return [line for line in read_log(folder / "data") if line.event == event]


@pytest.mark.parametrize(("api", "number"), [(ADVANCED, signal.SIGSTOP), (EXCHANGE, signal.SIGKILL)])
async def test_no_order_outlives_a_live_engine(api, number):
    with short_folder() as folder:
        async with LocalVenue(VenueSettings()) as venue:
            key_file = write_key(
                folder / "keys", (venue.cdp_keys if api == ADVANCED else venue.exchange_keys)[0]
            )
            endpoints = NetworkSettings(endpoint=venue.url).endpoints(api)
            broker = broker_for(api, endpoints, read_key_file(key_file, api), clock=SystemClock())
            await broker.open()
            try:
                async with _live(venue, api, key_file, folder) as engine:
                    engine.send_signal(number)
                    struck = time.monotonic()
                    ours = (folder / "data" / FILE).read_text().strip()
                    assert any(order.client_order_id.startswith(ours) for order in await broker.live_orders())
                    await until(lambda: _log(folder, "proof"), within_s=8)
                    took = time.monotonic() - struck
                    assert took < (3 if number == signal.SIGKILL else 6)
                    assert [order.client_order_id for order in await broker.live_orders()] == []
                    (proof,) = _log(folder, "proof")
                    assert proof.is_proven
            finally:
                await broker.close()
