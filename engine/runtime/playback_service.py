"""Serves a recorded session to the console that started it: the past, over the link that the present uses."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from importlib.metadata import version
from typing import Final, NamedTuple

import msgspec

from engine.config import Config
from engine.core.clock import Clock
from engine.core.errors import PinnacleError, UsageError
from engine.link.event_log import EventLog
from engine.link.messages import PROTOCOL, Bye, Command, CommandName, EngineHello, Role, Verdict
from engine.link.peer import Peer
from engine.link.server import LinkServer
from engine.link.view import View
from engine.runtime.moments import parse
from engine.runtime.playback import Playback
from engine.runtime.playback_index import KINDS
from engine.runtime.recorded_session import RecordedSession
from engine.runtime.view import Audience, ViewBuilder, settings_of
from engine.telemetry.histogram import Histogram

_S: Final = 1_000_000_000
_SLICE_NS: Final = 8_000_000
"""Reading and playing hand the loop back after so long."""
_READ_AT_ONCE: Final = 100
_PLAY_AT_ONCE: Final = 50
_LOOK_EVERY_S: Final = 0.02
_SLOWEST, _FASTEST = Decimal("0.1"), Decimal(1_000)
_MOST: Final = 1 << 63
"""No number that a command names is larger."""
_PAST: Final = "nothing was done: this is the past, nothing can be traded or changed here"


class PlaybackEnd(NamedTuple):
    """How a playback ended."""

    reason: str
    exit_code: int


class PlaybackService:
    """Answers the playing commands of one console and shows it the position. Ends with that console."""

    def __init__(self, recorded: RecordedSession, config: Config, real: Clock) -> None:
        """To be made inside the running event loop."""
        self.log = EventLog()
        self.playback = Playback(recorded, self.log)
        self._config = config
        self._real = real
        self._id = secrets.token_hex(8)
        self._started_wall_ns = real.wall_ns()
        self._over = asyncio.Event()
        self._ending = PlaybackEnd("the console that plays it is gone", 0)
        self._origin = (0, 0)
        """Real and engine time from which playing counts."""
        self._lateness = Histogram()
        self._views = self._builder()
        self._server = LinkServer(
            events=self.log,
            identity=self._identity,
            make_view=self._view,
            on_command=self._take,
            on_error=self._failed,
            on_owner_lost=self._over.set,
            on_owner_back=lambda: None,
        )
        self._commands: Mapping[str, Callable[[Mapping[str, str]], str]] = {
            CommandName.PLAY: self._play,
            CommandName.HOLD: self._hold,
            CommandName.STEP: self._step,
            CommandName.SEEK: self._seek,
            CommandName.JUMP: self._jump,
            CommandName.SPEED: self._speed,
        }

    async def run(self, owner: socket.socket) -> PlaybackEnd:
        """Serve until the console asks for the end or is gone: the reason and the exit code."""
        await self._server.adopt(owner)
        work = asyncio.create_task(self._work())
        try:
            over = asyncio.create_task(self._over.wait())
            await asyncio.wait((work, over), return_when=asyncio.FIRST_COMPLETED)
            over.cancel()
            if work.done():
                work.result()
        except PinnacleError as error:
            self._ending = PlaybackEnd(str(error), error.exit_code)
        finally:
            work.cancel()
            reason, code = self._ending
            await self._server.close(Bye(reason, code))
        return self._ending

    # -- what is shown ---------------------------------------------------------------------------

    def _builder(self) -> ViewBuilder:
        playback = self.playback
        return ViewBuilder(
            playback.desks,
            playback.clock,
            self._real,
            lateness=lambda: self._lateness,
            audience=lambda: Audience(1, 0, ""),
            portfolio=playback.portfolio,
        )

    def _view(self) -> View:
        return msgspec.structs.replace(self._views.view(), playback=self.playback.view())

    def _identity(self, role: Role) -> EngineHello:
        info = self.playback.recorded.session.info
        return EngineHello(
            protocol=PROTOCOL,
            build=version("pinnacle-tui"),
            engine_id=f"{self._id}.{self.playback.epoch}",
            session="",
            pid=os.getpid(),
            mode=info.mode,
            venue=info.venue,
            role=role,
            products=self._views.products(),
            settings=settings_of(self._config),
            started_wall_ns=self._started_wall_ns,
            speed=None if self.playback.speed is None else float(self.playback.speed),
            on_owner_lost=self._config.console.on_owner_lost,
            last_event=0,
            history=self._views.history(),
            plays=self.playback.recorded.session.name,
        )

    def _failed(self, error: Exception) -> None:
        self._ending = PlaybackEnd(f"the playback failed: {type(error).__name__}: {error}", 1)
        self._over.set()

    # -- the work --------------------------------------------------------------------------------

    async def _work(self) -> None:
        """Read the session to its end, and play while it plays, in slices."""
        playback = self.playback
        while True:
            began = self._real.monotonic_ns()
            while not playback.index.is_read and self._real.monotonic_ns() - began < _SLICE_NS:
                playback.index.read(_READ_AT_ONCE)
            if playback.is_playing:
                self._play_on()
            is_busy = not playback.index.is_read or (playback.is_playing and playback.speed is None)
            await asyncio.sleep(0 if is_busy else _LOOK_EVERY_S)

    def _play_on(self) -> None:
        playback = self.playback
        began = self._real.monotonic_ns()
        until_ns: int | None = None
        if playback.speed is not None:
            real_ns, engine_ns = self._origin
            until_ns = engine_ns + int((began - real_ns) * playback.speed)
        while playback.advance(_PLAY_AT_ONCE, until_ns) == _PLAY_AT_ONCE:
            if self._real.monotonic_ns() - began > _SLICE_NS:
                break
        if playback.is_at_end and playback.index.is_read:
            playback.is_playing = False

    def _count_from_here(self) -> None:
        self._origin = self._real.monotonic_ns(), self.playback.time_ns

    def _go_to(self, position: int) -> None:
        epoch = self.playback.epoch
        self.playback.go_to(position)
        self._count_from_here()
        if self.playback.epoch != epoch:
            self._views = self._builder()
            self._server.moved()

    # -- commands --------------------------------------------------------------------------------

    def _take(self, peer: Peer, command: Command) -> None:
        name = command.name
        if name == CommandName.SHUTDOWN:
            self._ending = PlaybackEnd("closed by its console", 0)
            self._server.answer(command.id, Verdict.DONE, "the playback ends")
            self._over.set()
            return
        do = self._commands.get(name)
        if do is None:
            self._server.answer(command.id, Verdict.REJECTED, _PAST)
            return
        try:
            self._server.answer(command.id, Verdict.DONE, do(command.arguments))
        except UsageError as error:
            self._server.answer(command.id, Verdict.REJECTED, str(error))

    def _play(self, _: Mapping[str, str]) -> str:
        playback = self.playback
        if playback.is_at_end and playback.index.is_read:
            raise UsageError("the session ends here: go back to play on")
        playback.is_playing = True
        self._count_from_here()
        return "it plays"

    def _hold(self, _: Mapping[str, str]) -> str:
        self.playback.is_playing = False
        return "it stands still"

    def _step(self, arguments: Mapping[str, str]) -> str:
        playback = self.playback
        if "seconds" in arguments:
            seconds = _number(arguments["seconds"])
            self._go_to(playback.index.position_at(playback.time_ns + int(seconds * _S)))
            return "done"
        self._hold({})
        self._go_to(playback.position + _integer(arguments.get("wakeups", "")))
        return "done"

    def _seek(self, arguments: Mapping[str, str]) -> str:
        index, recorded = self.playback.index, self.playback.recorded
        seq = _integer(arguments["seq"]) if "seq" in arguments else None
        time_ns = _integer(arguments["time_ns"]) if "time_ns" in arguments else None
        if "at" in arguments:
            start_wall_ns = recorded.session.info.start_wall_ns
            last_wall_ns = start_wall_ns + index.times[-1] if index.is_read else _MOST // 2
            seq, time_ns = parse(arguments["at"], start_wall_ns, last_wall_ns)
        if seq is not None:
            # Behind the last wake-up there are still records: of the session's end, of checks.
            is_whole = index.is_read and not index.divergence
            wanted, first, last = seq, index.seqs[0], recorded.last_seq if is_whole else index.seqs[-1]
        elif time_ns is not None:
            wanted, first, last = time_ns, index.times[0], index.times[-1]
        else:
            raise UsageError("say where to: seq, time_ns or at")
        if wanted > last and not index.is_read:
            raise UsageError("that part of the session has not been read yet; try again in a moment")
        if "at" in arguments and not first <= wanted <= last:
            raise UsageError(f"{arguments['at']}: the session does not reach there")
        self._go_to(index.position_at(wanted) if seq is None else index.position_of_seq(wanted))
        return "done"

    def _jump(self, arguments: Mapping[str, str]) -> str:
        index, position = self.playback.index, self.playback.position
        kind = arguments.get("kind", "")
        if kind not in KINDS:
            raise UsageError(f"{kind!r}: there are {', '.join(KINDS)}")
        is_next = arguments.get("to") != "previous"
        found = index.next_mark(kind, position) if is_next else index.previous_mark(kind, position)
        if found is None:
            more = "" if index.is_read or not is_next else ", as far as it has been read"
            raise UsageError(f"no {kind} {'comes after' if is_next else 'was before'} this moment{more}")
        self._hold({})
        self._go_to(found)
        return "done"

    def _speed(self, arguments: Mapping[str, str]) -> str:
        text = arguments.get("factor", "")
        factor = None if text == "max" else _number(text)
        if factor is not None and not _SLOWEST <= factor <= _FASTEST:
            raise UsageError(f"a speed of {text}: it must be {_SLOWEST} to {_FASTEST}, or max")
        self.playback.speed = None if factor is None else float(factor)
        self._count_from_here()
        return "done"


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    # Copied, as arithmetic overflows where the exponent is large enough.
    if not number.is_finite() or number.copy_abs() > _MOST:
        raise UsageError(f"{text!r} is no number that can be used here")
    return number


def _integer(text: str) -> int:
    number = _number(text)
    if number != int(number):
        raise UsageError(f"{text!r} is no whole number")
    return int(number)
