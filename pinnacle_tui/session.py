"""A console's connection to its engine: connects, follows, asks to stop, insists, and knows how it ended.

Knows nothing of screens: whoever wants to be told gives callables.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Final

from engine.core.clock import Clock, SystemClock
from engine.link.client import LinkChange, LinkClient
from engine.link.errors import LinkError
from engine.link.messages import CommandName, Role
from engine.link.mirror import EngineMirror, LinkState, Pending
from engine.link.runtime_folder import default_folder
from pinnacle_tui.engine_host import Ending, EngineHost

STOP_WITHIN_S: Final = 20.0
"""After being asked to stop, an engine has this long before it is told by a signal, then killed."""
_TERMINATE_FOR_S: Final = 8.0
_RECONNECT_S: Final = 1.0
_LAST_WORDS_S: Final = 1.0
_HELLO_S: Final = 30.0
"""An engine that is being started says hello late on a busy machine."""


class EngineSession:
    """One engine, from the first connection to its proven end.

    `on_change` is called when link, role or ending changed; `on_end` once, when the engine has ended.
    """

    def __init__(
        self,
        host: EngineHost,
        *,
        role: Role,
        build: str,
        may_kill: bool = True,
        hz: float = 10.0,
        clock: Clock | None = None,
    ) -> None:
        self.host = host
        self.name = f"console pid {os.getpid()}"
        """Who this console is, as the engine tells in what people did."""
        self.may_kill = may_kill
        """False where this console was opened only to watch."""
        self.clock: Clock = clock or SystemClock()
        self.mirror = EngineMirror()
        self.ending: Ending | None = None
        self._seen_ending: Ending | None = None
        """Of the engine's process, while its last words may still be waiting to be read."""
        self.trouble = ""
        """Why there is no connection, while there is none."""
        self.is_stopping = False
        self._is_kept = False
        self._is_detached = False
        self._is_watching = False
        """True while the end of the engine's process will be told."""
        self.on_change: Callable[[], None] = lambda: None
        self.on_end: Callable[[Ending], None] = lambda _: None
        self._client = LinkClient(
            self.mirror,
            build=build,
            name=self.name,
            role=role,
            hz=hz,
            may_kill=may_kill,
            now_ns=self.clock.monotonic_ns,
            on_change=self._heard,
        )
        self._retry: asyncio.Task[None] | None = None
        self._escalation: asyncio.Task[None] | None = None
        self._ended = asyncio.Event()

    @property
    def link_state(self) -> LinkState:
        """How far what the mirror shows may be taken for the present."""
        if self.ending is not None:
            return LinkState.ENDED
        return self.mirror.state(self.clock.monotonic_ns())

    async def start(self) -> None:
        """Connect; a failure is kept as `trouble` and tried again while the engine may be there."""
        self.watch()
        await self._connect()

    def watch(self) -> None:
        """Learn of the end of the engine's process from now on, also while nothing connects to it yet."""
        self._is_detached = False
        if not self._is_watching:
            self._is_watching = True
            self.host.watch(self._host_ended)

    async def _connect_soon(self) -> None:
        await asyncio.sleep(_RECONNECT_S)
        self._retry = None
        await self._connect()

    async def _connect(self) -> None:
        try:
            await self._client.adopt(self.host.connect(), hello_s=_HELLO_S)
        except OSError as error:
            self._lost(error.strerror or str(error))
        except LinkError as error:
            self._lost(str(error))

    # -- steering --------------------------------------------------------------------------------

    def command(
        self,
        name: CommandName,
        arguments: dict[str, str] | None = None,
        *,
        deadline_s: float = 5.0,
        on_change: Callable[[Pending], None] | None = None,
    ) -> Pending:
        """Ask the engine for something; `on_change` is told of every answer, also that none came in time.

        Raises `ConnectionError` while there is no connection: nothing was sent then.
        """
        if not self._client.is_connected:
            raise ConnectionError(self.trouble or "there is no connection to the engine")
        return self._client.command(name, arguments, deadline_s=deadline_s, on_change=on_change)

    def pace(self, hz: float) -> None:
        """Want so many views a second from now on."""
        self._client.pace(hz)

    # -- ending ----------------------------------------------------------------------------------

    def stop(self) -> None:
        """Ask an engine of ours to cancel its orders and end; asked again, kill it. Others are left alone."""
        if not self.host.is_owned or self.ending is not None:
            return
        if self.is_stopping and self._escalation is not None:
            self.host.insist(signal.SIGKILL)
            return
        self.is_stopping = True
        try:
            if not self.mirror.is_controller:
                self.command(CommandName.TAKE_CONTROL)
            self.command(CommandName.SHUTDOWN, deadline_s=STOP_WITHIN_S)
        except ConnectionError:
            self.host.insist(signal.SIGTERM)
        self._escalation = asyncio.create_task(self._escalate(), name="stopping the engine")
        self.on_change()

    def stop_at_once(self) -> None:
        """The same for a signal handler: no loop is needed, which may be blocked in a write."""
        if not self.is_stopping and self.ending is None and self.host.terminate():
            self.is_stopping = True

    def follow_stop(self) -> None:
        """The engine was or is to be told to stop: see that it ends; asking twice kills nothing."""
        if self.is_stopping and self._escalation is None and self.ending is None:
            self._escalation = asyncio.create_task(self._escalate(), name="stopping the engine")
            self.on_change()
        elif not self.is_stopping:
            self.stop()

    def let_run(self) -> None:
        """An engine of ours goes on without us: `close` will only take leave."""
        self._is_kept = True

    async def close(self) -> None:
        """Leave: an engine of ours is stopped and waited for; one elsewhere only loses a viewer."""
        if self.host.is_owned and self.ending is None and not self._is_kept:
            self.follow_stop()
            await self._ended.wait()
        await self.detach()

    async def until_ended(self) -> Ending:
        """How the engine ended, once it has."""
        await self._ended.wait()
        assert self.ending is not None
        return self.ending

    async def detach(self) -> None:
        """Give the connection up and leave the engine as it is; `start` connects again."""
        self._is_detached, self._is_watching = True, False
        self._leave_off()
        if self._escalation is not None:
            self._escalation.cancel()
            self._escalation = None
        self._client.close("the console leaves")

    def _leave_off(self) -> None:
        """Connect no more."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    async def _escalate(self) -> None:
        for number, wait_s in ((signal.SIGTERM, STOP_WITHIN_S), (signal.SIGKILL, _TERMINATE_FOR_S)):
            await asyncio.sleep(wait_s)
            self.trouble = f"the engine has not ended within {wait_s:.0f} s: sent {number.name}"
            self.host.insist(number)
            self.on_change()

    # -- what comes back -------------------------------------------------------------------------

    def _heard(self, change: LinkChange) -> None:
        bye, hello = self.mirror.bye, self.mirror.hello
        if change is LinkChange.LOST:
            self._lost(self._client.reason)
            return
        if change is LinkChange.HELLO and hello is not None:
            self.trouble = ""
            if hello.session:
                self.host.is_known_at(default_folder() / f"{hello.session}.sock")
        elif bye is not None and bye.exit_code is not None and not self.host.is_owned:
            self._end(Ending(bye.exit_code, f"the engine has ended: {bye.reason}"))
            return
        self.on_change()

    def _lost(self, reason: str) -> None:
        self.mirror.is_connected = False
        if self._seen_ending is not None:
            self._end(self._seen_ending)
        elif self.ending is None:
            self.trouble = reason
            bye = self.mirror.bye
            is_over = self._is_detached or (bye is not None and bye.exit_code is not None)
            if not is_over and self._retry is None:
                self._retry = asyncio.create_task(self._connect_soon(), name="connecting again")
        self.on_change()

    def _host_ended(self, ending: Ending) -> None:
        if self._client.is_connected:
            self._seen_ending = ending
            asyncio.get_running_loop().call_later(_LAST_WORDS_S, self._end, ending)
        else:
            self._end(ending)

    def _end(self, ending: Ending) -> None:
        if self.ending is not None:
            return
        bye = self.mirror.bye
        if bye is not None and bye.exit_code == ending.code:
            hello = self.mirror.hello
            what = "playback" if hello is not None and hello.is_playback else "engine"
            ending = Ending(ending.code, f"the {what} has ended: {bye.reason}")
        self.ending = ending
        self.mirror.is_connected = False
        self._leave_off()  # another engine may have taken the name by now
        if self._escalation is not None:
            self._escalation.cancel()
        self._ended.set()
        self.on_change()
        self.on_end(ending)
