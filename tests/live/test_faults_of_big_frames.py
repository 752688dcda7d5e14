"""Fault 29: frames that are too big cost no memory to speak of; the largest real one is taken."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from coinbase_frames import INSTRUMENTS
from ws_kit import FeedReader

from engine.exchange.coinbase.network import Endpoints, NetworkSettings

MIB = 1 << 20
SERVER = Path(__file__).with_name("big_frame_server.py")


class At:
    """Stands for a venue at this port, for `FeedReader.make`."""

    def __init__(self, port: int) -> None:
        address = f"ws://127.0.0.1:{port}/advanced"
        self.endpoints = Endpoints("http://127.0.0.1:1", address, address)


@contextmanager
def serving(what: str) -> Iterator[int]:
    """A server in a process of its own, whose memory is not ours; its port."""
    with subprocess.Popen([sys.executable, SERVER, what], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.terminate()


def resident_bytes() -> int:
    """Memory of this process now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def growth(reader: FeedReader, done: asyncio.Event) -> int:
    """The most that memory has grown until the event."""
    before = most = resident_bytes()
    while not done.is_set():
        most = max(most, resident_bytes())
        reader.take()
        await asyncio.sleep(0.001)
    return most - before


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("what", "is_deflated", "code", "most_mib"),
    [
        ("huge", False, 1009, 16),
        ("fragments", False, 1009, 48),
        ("bomb", False, 1002, 16),
        ("bomb", True, 1009, 96),
    ],
)
async def test_29_what_is_too_big_is_refused_cheaply(
    what: str, is_deflated: bool, code: int, most_mib: int
) -> None:
    reader, done = FeedReader(), asyncio.Event()
    with serving(what) as port:
        feed = reader.make(
            At(port),  # type: ignore[arg-type]
            {"BTC-USD": INSTRUMENTS["BTC-USD"]},
            settings=NetworkSettings(deflate=is_deflated),
        )
        await feed.start()
        try:
            measuring = asyncio.create_task(growth(reader, done))
            await reader.until(lambda: feed.figures()[0].last_close_code == code, 20)
            done.set()
            assert await measuring < most_mib * MIB
        finally:
            done.set()
            await feed.stop()


@pytest.mark.nightly
async def test_29_the_first_book_of_five_megabytes_is_taken() -> None:
    reader = FeedReader()
    with serving("snapshot") as port:
        feed = reader.make(At(port), {"BTC-USD": INSTRUMENTS["BTC-USD"]})  # type: ignore[arg-type]
        await feed.start()
        try:
            await reader.until(lambda: reader.is_live("BTC-USD"), 20)
            assert len(reader.books["BTC-USD"].bids()) == 46_000
            assert feed.counters.malformed == 0
        finally:
            await feed.stop()
