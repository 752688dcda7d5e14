"""The watchdog as a process: what it inherits is one socket, and everything it knows comes over that."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from engine.core.clock import Clock
from engine.core.kill_file import KillFile
from engine.exchange.coinbase.broker import Broker
from engine.watchdog.channel import Channel, ChannelError, watchdog_end
from engine.watchdog.duty import Duty
from engine.watchdog.log import WatchdogLog
from engine.watchdog.messages import Hello, ToEngine, ToWatchdog, Waiting
from engine.watchdog.posts import Posts
from engine.watchdog.uptime import Uptime

EXIT_WITHOUT_HELLO: Final = 2
EXIT_FAILED: Final = 70
_IGNORED: Final = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""What a terminal, a service manager or a person sends to the engine: a watchdog ends by farewell alone, or
after its work."""


def main(descriptor: int) -> int:
    """Watch over the engine at the other end of an inherited socket; the exit code of the process."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    from engine.credentials import hardening, log_filter
    from engine.watchdog.hands import broker_of

    hardening.harden()  # before the key comes
    log_filter.install()
    return asyncio.run(watch_over(socket.socket(fileno=descriptor), broker_of, Uptime()))


async def watch_over(end: socket.socket, make_broker: Callable[[Hello, Clock], Broker], clock: Clock) -> int:
    """Wait for the hello, then do what it says. Zero when nothing is left to be done."""
    line = watchdog_end(end)
    try:
        hello = await _hello(line)
        if hello is None:
            return EXIT_WITHOUT_HELLO
        log = WatchdogLog(hello.log)
        try:
            posts = Posts(hello.data_dir, hello.api, hello.products)
            broker, kill_file = make_broker(hello, clock), KillFile(Path(hello.data_dir))
            await Duty(hello, line, broker, clock, log, posts, kill_file).run()
        except Exception as error:
            text = f"it failed: {type(error).__name__}: {error}"
            log.write(clock.wall_ns(), "trouble", text)
            line.send(Waiting(0, text))
            return EXIT_FAILED
        finally:
            log.close()
        return 0
    finally:
        line.close()


async def _hello(line: Channel[ToEngine, ToWatchdog]) -> Hello | None:
    """The first message; None when the engine is gone before it has said anything that makes sense."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(line.fileno(), readable.set)
    try:
        while not line.is_ended:
            await readable.wait()
            readable.clear()
            try:
                hello = line.receive_one()
            except ChannelError:
                return None
            if hello is not None:
                return hello if isinstance(hello, Hello) else None
        return None
    finally:
        loop.remove_reader(line.fileno())
