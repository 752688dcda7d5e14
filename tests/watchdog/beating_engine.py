"""An engine that does nothing but beat: run as a program, told what to do over standard input.

It writes JSON lines: the watchdog's process, every change of the lease, and what the guardian tells.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from engine.exchange.coinbase.keys import parse_key_document
from engine.exchange.coinbase.network import NetworkSettings
from engine.watchdog.guardian import Guardian
from engine.watchdog.hello import hello_of
from engine.watchdog.uptime import Uptime


def _write(**line: Any) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def _main() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    told = json.loads(await reader.readline())
    folder = Path(told["folder"])
    hello = hello_of(
        "coinbase",
        NetworkSettings(endpoint=told["endpoint"]),
        parse_key_document(told["key"].encode(), "coinbase"),
        ["BTC-USD"],
        tag=told["tag"],
        session_folder=folder,
        data_dir=folder,
    )
    guardian = Guardian(hello, lambda code, restraint, reason, release: _write(told=restraint, reason=reason))
    await guardian.start()
    _write(watchdog=guardian.pid)
    command = asyncio.create_task(reader.readline())
    uptime, last_held_ns, is_held = Uptime(), 0, False
    while not command.done():
        now_ns = uptime.monotonic_ns()
        if guardian.lease.is_held() is not is_held:
            is_held = not is_held
            _write(lease=is_held, watchdog=guardian.pid, last_held_ns=last_held_ns)
        if is_held:
            last_held_ns = now_ns
        await asyncio.sleep(0.01)
    await guardian.end(command.result() == b"farewell\n")
    await guardian.stop()
    _write(ended=True)


if __name__ == "__main__":
    asyncio.run(_main())
