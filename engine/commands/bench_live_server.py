"""The venue of `bench_live_feed`, a process of its own: it floods, or speaks at a measured pace.

Started as `python -m engine.commands.bench_live_server FOLDER COUNT PER_SECOND`; the folder holds its
certificate. It prints its port, serves one client after the other, and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from engine.commands.bench_feed import level2_frame, updates
from engine.core.clock import SystemClock
from engine.exchange.coinbase.products import catalogue
from engine.local_venue.tls import server_context, tls_files

PRODUCT = "BTC-USD"
LEVELS = 500
_WRITTEN = b"2026-01-02T03:04:05.678901Z"
"""The time of a composed change; the time of its sending takes its place."""


def frames(count: int, seed: int = 11) -> list[bytes]:
    """A snapshot and `count` updates of five changes on average."""
    instrument = catalogue()[PRODUCT]
    bids = [(6_508_365 - 3 * step, 10_000_000) for step in range(LEVELS)]
    asks = [(6_508_367 + 3 * step, 10_000_000) for step in range(LEVELS)]
    found = [level2_frame(0, "snapshot", instrument, bids, asks)]
    for number, (bid, ask) in enumerate(updates(seed, count), start=1):
        found.append(level2_frame(number, "update", instrument, bid, ask))
    return found


def stamped(frame: bytes, wall_ns: int) -> str:
    """The frame with this time on each of its changes, to the nanosecond."""
    seconds, rest = divmod(wall_ns, 10**9)
    text = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"
    return frame.replace(_WRITTEN, text.encode()).decode()


async def _serve(folder: Path, count: int, per_second: int) -> None:
    prepared = frames(count)

    async def tell(socket: ServerConnection) -> None:
        try:
            await socket.recv()
            if per_second:
                began = time.monotonic()
                for number, frame in enumerate(prepared):
                    wait = began + number / per_second - time.monotonic()
                    if wait > 0:
                        await asyncio.sleep(wait)
                    await socket.send(stamped(frame, time.time_ns()))
            else:
                for frame in prepared:
                    await socket.send(frame, text=True)
            await socket.wait_closed()
        except ConnectionClosed:
            pass

    tls = server_context(tls_files(folder, SystemClock()))
    async with serve(tell, "127.0.0.1", 0, ssl=tls, compression=None, ping_interval=None) as server:
        sys.stdout.write(f"{next(iter(server.sockets)).getsockname()[1]}\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        server.close()


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
