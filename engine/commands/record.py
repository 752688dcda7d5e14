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
from engine.core.clock import Clock, LiveClock, SystemClock
from engine.core.errors import PinnacleError, UsageError
from engine.core.foreign_text import harmless
from engine.exchange.coinbase.feed.connection import Connection, Patience
from engine.exchange.coinbase.feed.refusals import ConnectionRefusedForGood, Ending
from engine.exchange.coinbase.feed.subscriptions import PUBLIC_CHANNELS, channel_requests
from engine.exchange.coinbase.network import NetworkSettings
from engine.exchange.coinbase.tls import tls_context
from engine.exchange.coinbase.wire.sessions import Api

MOST_PRODUCTS: Final = 16
"""A recording is of one connection, and one connection takes no more books."""
_SILENT_NS: Final = 10 * 10**9
_LOOK_S: Final = 0.5
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_ERROR: Final = '{"type":"error"'


class NothingRecordedError(PinnacleError):
    """The venue was not reached, or said nothing."""

    exit_code = 5


class Recorded(TypedDict):
    """What a recording holds, version 1."""

    v: int
    path: str
    lines: int
    frames: int
    connects: int
    bytes: int
    seconds: float


def _require_recordable(api: Api, products: Sequence[str], channels: Sequence[str]) -> None:
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
    exchange: str | None,
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

    `exchange` is as the settings name it, None for Advanced Trade. Without `channels`: books and trades.
    Raises `UsageError` before anything is sent, `ConnectionRefusedForGood` for a venue that refuses,
    `NothingRecordedError` where no frame came, and `RecordingWriteError` (exit code 74) for a disk that is
    full: what came before is whole.
    """
    api = Api(exchange or Api.ADVANCED)
    channels = channels or PUBLIC_CHANNELS[api][:2]
    _require_recordable(api, products, channels)
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
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    file = RecordingFile(path, end.set)
    recorder = _Recorder(file, address, channel_requests(api, products, channels), clock, stderr, end)
    connection = Connection(
        "recording", address, recorder, clock, Random(), tls=tls, deflate=network.deflate, patience=patience
    )
    for number in _SIGNALS:
        loop.add_signal_handler(number, end.set)
    watching = asyncio.create_task(recorder.watch(connection))
    try:
        await connection.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(duration_s):
                await end.wait()
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await connection.stop()
        await file.close()
    if recorder.refused is not None:
        raise ConnectionRefusedForGood(recorder.refused.code, recorder.refused.words)
    if not connection.figures.frames:
        raise NothingRecordedError(
            f"nothing came from {address}, and {path} holds no frame: look at the network, or ask the doctor "
            "(pinnacle-tui doctor)"
        )
    return Recorded(
        v=1,
        path=str(path),
        lines=file.lines,
        frames=connection.figures.frames,
        connects=connection.figures.connects,
        bytes=file.bytes_written,
        seconds=round(clock.monotonic_ns() / 1e9, 3),
    )


def recorded_text(answer: Recorded) -> str:
    """The same for people."""
    return (
        f"{answer['path']}: {answer['frames']:,} frames over {answer['connects']} connections in "
        f"{answer['seconds']:,.1f} s, {answer['bytes']:,} bytes.\n"
        f"Look at it: pinnacle-tui inspect {answer['path']}"
    )


class _Recorder:
    """The listener that writes down what it hears."""

    def __init__(
        self,
        file: RecordingFile,
        address: str,
        requests: Sequence[str],
        clock: Clock,
        stderr: TextIO,
        end: asyncio.Event,
    ) -> None:
        self.refused: Ending | None = None
        """Why the venue will never take us."""
        self._file = file
        self._address = address
        self._requests = requests
        self._clock = clock
        self._stderr = stderr
        self._end = end
        self._heard_ns = 0
        self._bytes = 0

    def requests(self) -> Sequence[str]:
        """See `Listener`."""
        return self._requests

    def on_open(self) -> None:
        """See `Listener`."""
        self._heard_ns = self._clock.monotonic_ns()
        self._file.add("connect", self._address, self._clock.wall_ns())

    def on_sent(self, raw: str) -> None:
        """See `Listener`."""
        self._file.add("send", raw, self._clock.wall_ns())

    async def on_frame(self, raw: str | bytes) -> None:
        """See `Listener`."""
        self._heard_ns = self._clock.monotonic_ns()
        text = raw if isinstance(raw, str) else raw.decode("utf-8", "replace")
        self._file.add("recv", text, self._clock.wall_ns())
        if text.startswith(_ERROR):
            self._stderr.write(f"the venue says: {harmless(text)}\n")
        await self._file.room()

    def on_down(self, ending: Ending) -> None:
        """See `Listener`."""
        if ending.is_fatal:
            self.refused = ending
            self._end.set()
        else:
            self._stderr.write(f"{ending.words}; connecting again\n")

    async def watch(self, connection: Connection) -> None:
        """Heartbeats come every second; a line that brings nothing for long is dead."""
        while True:
            await asyncio.sleep(_LOOK_S)
            if not connection.is_open:
                continue
            now_ns = self._clock.monotonic_ns()
            if connection.bytes_received != self._bytes:
                self._bytes, self._heard_ns = connection.bytes_received, now_ns
            if now_ns - self._heard_ns > _SILENT_NS:
                connection.drop(f"silent for {(now_ns - self._heard_ns) / 1e9:.0f} s")
