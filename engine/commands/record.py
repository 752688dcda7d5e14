"""`record`: a venue's frames as they come, with the time of each, into a recording that replays."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final, TextIO, TypedDict

from engine.commands.recording_file import RecordingFile
from engine.core.clock import LiveClock, SystemClock
from engine.core.errors import UsageError
from engine.exchange.coinbase.connection import Connection, Patience
from engine.exchange.coinbase.network import NetworkSettings
from engine.exchange.coinbase.refusals import Ending
from engine.exchange.coinbase.sessions import Api
from engine.exchange.coinbase.subscriptions import PUBLIC_CHANNELS, channel_requests
from engine.exchange.coinbase.tls import tls_context

MOST_PRODUCTS: Final = 16
"""A recording is of one connection, and one connection takes no more books."""
_SILENT_NS: Final = 10 * 10**9
_LOOK_S: Final = 0.5


class Recorded(TypedDict):
    """What a recording holds, version 1."""

    v: int
    path: str
    lines: int
    frames: int
    connects: int
    bytes: int
    seconds: float


def require_recordable(api: Api, products: Sequence[str], channels: Sequence[str]) -> None:
    """`UsageError` for what cannot be recorded: private or unknown channels, too many products."""
    known = PUBLIC_CHANNELS[api]
    for channel in channels:
        if channel not in known:
            raise UsageError(
                f"--channel {channel}: must be one of {', '.join(known)}. What is private is never recorded"
            )
    if len(products) > MOST_PRODUCTS:
        raise UsageError(
            f"{len(products)} products: a recording is of one connection, which takes {MOST_PRODUCTS}"
        )


def run(
    api: Api,
    network: NetworkSettings,
    products: Sequence[str],
    channels: Sequence[str],
    path: Path,
    *,
    duration_s: float | None,
    stderr: TextIO,
    patience: Patience | None = None,
) -> Recorded:
    """Record until `duration_s` has passed or a signal asks for the end; what was recorded.

    Raises `UsageError` before anything is sent, `ConnectionRefusedForGood` for a venue that refuses,
    and `RecordingWriteError` (exit code 74) for a disk that is full: what came before is whole.
    """
    require_recordable(api, products, channels)
    return asyncio.run(_run(api, network, products, channels, path, duration_s, stderr, patience))


async def _run(
    api: Api,
    network: NetworkSettings,
    products: Sequence[str],
    channels: Sequence[str],
    path: Path,
    duration_s: float | None,
    stderr: TextIO,
    patience: Patience | None,
) -> Recorded:
    address = network.endpoints(api).market
    tls = tls_context(network.ca_file) if address.startswith("wss:") else None
    clock = LiveClock(SystemClock())
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    file = RecordingFile(path)
    recorder = _Recorder(file, address, channel_requests(api, products, channels), clock, stderr)
    connection = Connection(
        "recording", address, recorder, clock, Random(), tls=tls, deflate=network.deflate, patience=patience
    )
    watching = asyncio.create_task(_watch(connection, recorder, clock))
    failing = asyncio.create_task(file.failed.wait())
    stopping = asyncio.create_task(stop.wait())
    try:
        await connection.start()
        await asyncio.wait(
            (failing, stopping, asyncio.ensure_future(recorder.parked.wait())),
            timeout=duration_s,
            return_when=asyncio.FIRST_COMPLETED,
        )
    finally:
        for task in (watching, failing, stopping):
            task.cancel()
        await asyncio.gather(watching, failing, stopping, return_exceptions=True)
        await connection.stop()
        await file.close()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    return Recorded(
        v=1,
        path=str(path),
        lines=file.lines,
        frames=connection.figures.frames,
        connects=connection.figures.connects,
        bytes=file.bytes_written,
        seconds=round(clock.monotonic_ns() / 1e9, 3),
    )
