"""The whole way: a key, over a socket, to an engine that plays a session, and back as another moment."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import msgspec
from console import playback_views, views
from console.fakes import console_app, until
from textual.pilot import Pilot

from engine.link.event_log import EventLog
from engine.link.events import Notice
from engine.link.messages import Bye, Command, CommandName, EngineHello, Role, Verdict
from engine.link.peer import Peer
from engine.link.server import LinkServer
from engine.link.view import View
from pinnacle_tui.app import ConsoleApp
from pinnacle_tui.engine_host import Ending, InlineEngine
from pinnacle_tui.session import EngineSession
from pinnacle_tui.widgets.panel import Panel
from pinnacle_tui.widgets.rows import row_text

RECORDS = 2_000


class ScriptedPlayback:
    """A session of `RECORDS` wake-ups, a second and a notice each. Its book tells the position."""

    def __init__(self) -> None:
        self.at = 0
        self.epoch = 0
        self.taken: list[str] = []
        self.over = asyncio.Event()
        self.log = EventLog()
        self.server: LinkServer

    async def serve(self, owner: socket.socket) -> Ending:
        """Until it is told to end."""
        self.server = LinkServer(
            events=self.log,
            identity=self.identity,
            make_view=self.view,
            on_command=self.take,
            on_error=self.fail,
            on_owner_lost=self.over.set,
            on_owner_back=lambda: None,
        )
        await self.server.adopt(owner)
        await self.over.wait()
        await self.server.close(Bye("closed by its console", 0))
        return Ending(0, "the playback has ended")

    def fail(self, error: Exception) -> None:
        raise error

    def identity(self, role: Role) -> EngineHello:
        return playback_views.hello(engine_id=f"abc.{self.epoch}", role=role, history={})

    def view(self) -> View:
        book = views.product_view(events=self.at, orders=(), quotes=(), note=f"position {self.at}")
        return playback_views.view(
            at={"position_seq": self.at, "last_seq": RECORDS, "last_ns": RECORDS * views.S},
            products=(book,),
            seq=self.log.last + self.epoch * 10_000 + self.at,
            time_ns=self.at * views.S,
        )

    def notice(self, number: int) -> Notice:
        return msgspec.structs.replace(views.notice(number), text=f"wake-up {number}")

    def take(self, peer: Peer, command: Command) -> None:
        self.taken.append(command.name)
        match CommandName(command.name):
            case CommandName.STEP:
                self.go(self.at + int(command.arguments.get("wakeups", "0")), command)
            case CommandName.SEEK:
                self.go(int(command.arguments["seq"]), command)
            case CommandName.SHUTDOWN:
                self.server.answer(command.id, Verdict.DONE)
                self.over.set()
            case name:
                self.server.answer(command.id, Verdict.REJECTED, f"nothing was done: {name} in the past")

    def go(self, to: int, command: Command) -> None:
        """Onward it tells what happens; anywhere else it begins anew."""
        to = max(0, min(to, RECORDS))
        if 0 <= to - self.at <= 10:
            for number in range(self.at + 1, to + 1):
                self.log.publish(lambda eseq, number=number: self.notice(number))
            self.at = to
        else:
            self.at, self.epoch = to, self.epoch + 1
            self.log.begin_anew(to, [self.notice(n) for n in range(max(1, to - 999), to + 1)])
            self.server.moved()
        self.server.answer(command.id, Verdict.DONE)


def log_of(app: Any) -> str:
    return "\n".join(row_text(row) for row in app.screen.query_one("#log", Panel).shown_rows)


def stands(pilot: Pilot[Any], played: ScriptedPlayback, at: int) -> Callable[[], bool]:
    """True when everything on the screen is of one position."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)

    def met() -> bool:
        scene = app.scene()
        if scene is None or scene.view.playback is None or not scene.mirror.log:
            return scene is not None and scene.view.playback is not None and at == 0 == played.at
        newest = scene.mirror.log[-1]
        return (
            played.at == at == scene.view.playback.position_seq == scene.book.events == newest.eseq
            and f"wake-up {at}" in log_of(app)
            and f"record {at:,} of 2,000" in row_text(app.screen.scrub.shown_rows[0])  # type: ignore[attr-defined]
        )

    return met


async def test_keys_move_the_session_and_everything_on_the_screen_with_it():
    played = ScriptedPlayback()
    session = EngineSession(InlineEngine(played.serve), role=Role.OWNER, build="0")
    app = console_app(session)  # type: ignore[arg-type]
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.is_playback and app.scene() is not None)
        for key, at in (
            ("right", 1), ("right", 2), ("end", RECORDS), ("left", RECORDS - 1), ("left", RECORDS - 2),
            ("home", 0), ("right", 1), ("end", RECORDS), ("home", 0), ("right", 1),
        ):  # fmt: skip
            await pilot.press(key)
            await until(pilot, stands(pilot, played, at))
            if at > 1:
                assert len(session.mirror.log) == min(at, 1_000)
            assert session.mirror.missed_events == 0
        await pilot.press("K")
        await pilot.pause()
        assert set(played.taken) == {"step", "seek"}
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
    assert played.taken[-1] == "shutdown"
    assert app.return_code == 0


async def test_a_key_that_is_held_leads_as_far_as_it_was_pressed():
    played = ScriptedPlayback()
    session = EngineSession(InlineEngine(played.serve), role=Role.OWNER, build="0")
    app = console_app(session)  # type: ignore[arg-type]
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.is_playback and app.scene() is not None)
        for _ in range(60):
            await pilot.press("right")
        await until(pilot, stands(pilot, played, 60))
        for _ in range(25):
            await pilot.press("left")
        await until(pilot, stands(pilot, played, 35))
        assert not app._notifications
        assert len(played.taken) <= 85  # merged while one is under way, never more than were pressed
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)
