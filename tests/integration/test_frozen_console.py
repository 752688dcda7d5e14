"""A console that is frozen delays nothing: with real processes, a peer that does not read costs views only.

The short run asserts on counts; timings are for the nightly one.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from engine_process import Engine, Machine, machine

from engine.link.client import LinkClient
from engine.link.frames import of_engine, to_engine
from engine.link.messages import ClientHello, EventMessage, Resync, Role
from engine.link.mirror import EngineMirror
from engine.link.view import View

NAME = "sim-btc-usd"
BUSY = ("--set", "simulator.taker_rate_per_min=600")
CLIENT = """
import asyncio, sys
from pathlib import Path
from engine.link.client import LinkClient
from engine.link.messages import Role
from engine.link.mirror import EngineMirror

async def main() -> None:
    mirror = EngineMirror()
    client = LinkClient(mirror, build="0", name="frozen", role=Role.VIEW, hz=30.0)
    await client.connect(Path(sys.argv[1]))
    print("connected", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.fixture
def here() -> Iterator[Machine]:
    with machine() as made:
        yield made


def statuses(engine: Engine, count: int) -> list[dict[str, Any]]:
    """The next so many status reports."""
    return [engine.read_until(lambda report: report["type"] == "status") for _ in range(count)]


def frozen(here: Machine) -> subprocess.Popen[str]:
    """A console at 30 Hz that is stopped as soon as it is connected."""
    client = here.python("-c", CLIENT, str(here.runtime / f"{NAME}.sock"))
    assert client.stdout is not None
    assert client.stdout.readline() == "connected\n"
    client.send_signal(signal.SIGSTOP)
    return client


async def health(here: Machine) -> View:
    """A view of the engine now."""
    mirror, came = EngineMirror(), asyncio.Event()
    mirror.on_view = came.set
    with closing(LinkClient(mirror, build="0", name="a look", role=Role.VIEW, hz=30.0)) as client:
        await client.connect(here.runtime / f"{NAME}.sock")
        async with asyncio.timeout(10):
            await came.wait()
    assert mirror.view is not None
    return mirror.view


def test_a_peer_that_never_reads_costs_views_and_no_status_is_missing(here: Machine):
    engine = here.engine(*BUSY)
    with never_reading(here) as silent:
        times = [status["time_ns"] // 10**9 for status in statuses(engine, 4)]
        assert times == list(range(times[0], times[0] + 4))
        view = asyncio.run(health(here))
        assert view.health.views_dropped > 20
        # What was sent before it froze, then whole messages only: the newest view, every event, in order.
        decoder, views, seen, missed = of_engine(), list[int](), list[int](), 0
        silent.settimeout(5)
        while not views or views[-1] < view.seq:
            for message in decoder.feed(silent.recv(1 << 16)):
                match message:
                    case View():
                        views.append(message.seq)
                    case EventMessage():
                        seen += [event.eseq for event in message.events]
                    case Resync():
                        missed += message.missed
        assert views == sorted(views)
        assert len(views) < 40, "old views were kept for it"
        assert (seen, missed) == (list(range(1, len(seen) + 1)), 0)


def never_reading(here: Machine) -> socket.socket:
    """A console at 30 Hz that says hello and reads nothing."""
    silent = socket.socket(socket.AF_UNIX)
    silent.connect(str(here.runtime / f"{NAME}.sock"))
    silent.sendall(to_engine(ClientHello(1, "0", Role.VIEW, "never reads", hz=30.0)))
    return silent


def digest_with(here: Machine, consoles: int) -> str:
    """Of a run of two seconds that so many consoles which never read are connected to."""
    engine = here.engine("--duration", "12", "--speed", "6", *BUSY)
    frozen = [never_reading(here) for _ in range(consoles)]
    code, last = engine.end()
    for console in frozen:
        console.close()
    assert code == 0
    digest: str = last["digest"]
    return digest


def test_frozen_consoles_change_nothing_of_what_is_traded(here: Machine):
    assert digest_with(here, 0) == digest_with(here, 2)


@pytest.mark.nightly
def test_a_console_stopped_for_eight_seconds_delays_no_message(
    here: Machine, record_property: Callable[[str, object], None]
):
    """The lateness of the engine's wake-ups with a stopped console, beside that without one."""
    late_ms: list[float] = []
    for is_watched in (False, True):
        engine = here.engine(*BUSY)
        client = frozen(here) if is_watched else None
        before = statuses(engine, 9)
        view = asyncio.run(health(here))
        late_ms.append(view.health.late_p99_ns / 1e6)
        gaps = [b["time_ns"] - a["time_ns"] for a, b in pairwise(before)]
        assert max(gaps) < 1.5e9
        assert {Decimal(status["pnl_residual"]) for status in before} == {Decimal(0)}
        if client is not None:
            assert view.health.views_dropped > 150
            client.send_signal(signal.SIGCONT)
            client.kill()
        here.ctl("shutdown")
        assert engine.end()[0] == 0
    record_property("late_p99_ms", late_ms)
    assert late_ms[1] < 100
    assert late_ms[1] < late_ms[0] + 20
