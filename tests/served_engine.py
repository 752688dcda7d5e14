"""A whole engine with its consoles on one loop, in virtual time: seconds of trading cost no waiting."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from link_kit import RawPeer, hello_of, virtual_loop
from trader_bench import D, configured

from engine.config import Config, Resolved
from engine.core.events import Alert
from engine.link.client import LinkChange, LinkClient
from engine.link.events import AnyEngineEvent
from engine.link.messages import Bye, Role
from engine.link.mirror import EngineMirror
from engine.link.runtime_folder import default_folder
from engine.runtime.builder import Market, build_engine, build_market
from engine.runtime.console_service import ConsoleService
from engine.runtime.desk import Desk
from engine.runtime.engine import Engine
from engine.runtime.observers import Observers, WakeUp
from engine.runtime.outcome import Outcome

S = 1_000_000_000


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name."""
    folder = Path(tempfile.mkdtemp(prefix="pt", dir="/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


class LoopClock:
    """The running loop's time, which is no time at all."""

    def monotonic_ns(self) -> int:
        return int(asyncio.get_running_loop().time() * S)

    def wall_ns(self) -> int:
        return 1_700_000_000 * S + self.monotonic_ns()


class Output:
    """What the engine's own output is told."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None: ...

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None:
        self.alerts += alerts

    def on_status(self, now_ns: int) -> None: ...

    def texts(self, code: str) -> list[str]:
        return [alert.text for alert in self.alerts if alert.code == code]


class ServedEngine:
    """An engine at real speed of a virtual clock. To be made on a `VirtualLoop`; see `run`."""

    def __init__(self, *, is_owned: bool = False, **changes: Any) -> None:
        self.config: Config = configured(**{"engine__speed": D(1)} | changes)
        self.market: Market = build_market(self.config)
        self.output, real = Output(), LoopClock()
        observers = Observers(self.output)
        self.engine: Engine = build_engine(
            self.config, self.market, real, observers, status_interval_ns=60 * S
        )
        self.service = ConsoleService(
            self.engine, self.market, Resolved(self.config, {}, None), observers, real
        )
        self.owner: RawPeer | None = None
        self.outcome: Outcome | None = None
        """How it ended; None while it runs."""
        self._is_owned = is_owned
        self._task: asyncio.Task[None] | None = None

    @property
    def desk(self) -> Desk:
        return self.market.desks[0]

    async def start(self, *, is_greeted: bool = True) -> ServedEngine:
        """Start to trade, and let the first quotes be made; the owner says hello, if there is one."""
        theirs = None
        if self._is_owned:
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            self.owner = RawPeer(ours)
        await self.service.start(theirs)
        self._task = asyncio.create_task(self._run())
        virtual_loop().at_end.append(self.stop)
        if self.owner is not None and is_greeted:
            self.owner.say(hello_of(Role.OWNER, name="the owner", hz=0.0))
        await asyncio.sleep(0.5)
        return self

    async def _run(self) -> None:
        outcome = await self.engine.run()
        await self.service.close(outcome)
        self.outcome = outcome

    async def stop(self) -> None:
        """End it, if it has not ended."""
        assert self._task is not None
        if not self._task.done():
            self.engine.interrupt("the test is over", 0)
        await self._task

    async def client(self, role: Role = Role.CONTROL, **options: Any) -> Watching:
        """A client that attached by name."""
        watching = Watching(role, **options)
        await watching.client.connect(default_folder() / "sim-btc-usd.sock")
        return watching

    async def stranger(self) -> RawPeer:
        """A connection by name that has said nothing yet."""
        sock = socket.socket(socket.AF_UNIX)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, str(default_folder() / "sim-btc-usd.sock"))
        return RawPeer(sock)


class Watching:
    """A client and everything it was told."""

    def __init__(self, role: Role, **options: Any) -> None:
        self.mirror = EngineMirror()
        self.events: list[AnyEngineEvent] = []
        self.changes: list[LinkChange] = []
        self.mirror.on_event = self.events.append
        given = {"name": f"a {role} client", "build": "0", "hz": 10.0, **options}
        self.client = LinkClient(
            self.mirror,
            role=role,
            now_ns=LoopClock().monotonic_ns,
            on_change=self.changes.append,
            **given,
        )
        virtual_loop().at_end.append(self.client.close)

    @property
    def bye(self) -> Bye:
        assert self.mirror.bye is not None
        return self.mirror.bye

    def texts(self, code: str) -> list[str]:
        """Of the notices with that code."""
        return [event.text for event in self.events if getattr(event, "code", "") == code]


def use_folder(monkeypatch: Any, folder: Path) -> None:
    """Make `folder` the user's runtime folder."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", os.fspath(folder))
