"""A console's session with its engine: connects again, asks to stop, insists, and knows how it ended."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from link_kit import Desk, in_virtual_time, settle, virtual_loop
from served_engine import LoopClock

from engine.link.messages import Bye, Command, CommandName, Role, Verdict
from engine.link.mirror import LinkState
from engine.link.peer import Peer
from pinnacle_tui.engine_host import EXIT_WITHOUT_PROOF, Ending
from pinnacle_tui.session import EngineSession

N = CommandName


@dataclass
class FakeHost:
    """The host of an engine without trading: a `Desk` that is there while `is_there`."""

    desk: Desk
    is_owned: bool = True
    is_there: bool = True
    can_terminate: bool = True
    signals: list[str] = field(default_factory=list)
    known_at: list[Path] = field(default_factory=list)
    connects: int = 0
    on_end: Callable[[Ending], None] = lambda _: None

    def connect(self) -> socket.socket:
        self.connects += 1
        if not self.is_there:
            raise ConnectionRefusedError(111, "Connection refused")
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        loop, is_inherited = asyncio.get_running_loop(), self.is_owned and self.connects == 1
        self._accepting = loop.create_task(
            loop.connect_accepted_socket(
                lambda: Peer(self.desk.server, loop, is_inherited=is_inherited), sock=theirs
            )
        )
        return ours

    def is_known_at(self, path: Path) -> None:
        self.known_at.append(path)

    def watch(self, on_end: Callable[[Ending], None]) -> None:
        self.on_end = on_end

    def insist(self, number: signal.Signals) -> None:
        self.signals.append(number.name)

    def terminate(self) -> bool:
        if self.can_terminate:
            self.signals.append("SIGTERM")
        return self.can_terminate

    def last_words(self) -> list[str]:
        return []


class Bench:
    """A session, its host, the commands that reached the engine, and what the session told."""

    def __init__(self, *, role: Role = Role.OWNER, desk: dict[str, Any] | None = None, **host: Any) -> None:
        self.commands: list[str] = []
        self.answers: dict[str, Verdict] = {}
        self.desk = Desk(options={"on_command": self._command} | (desk or {}))
        self.host = FakeHost(self.desk, **host)
        self.session = EngineSession(self.host, role=role, build="0", clock=LoopClock())
        self.changes = 0
        self.endings: list[Ending] = []
        self.session.on_change = self._changed
        self.session.on_end = self.endings.append
        virtual_loop().at_end.append(self.session.detach)

    def _command(self, peer: Peer, command: Command) -> None:
        self.commands.append(command.name)
        verdict = self.answers.get(command.name)
        if verdict is not None:
            self.desk.server.answer(command.id, verdict, "said the test")

    def _changed(self) -> None:
        self.changes += 1

    async def start(self) -> Bench:
        await self.session.start()
        await settle()
        return self

    @property
    def peer(self) -> Peer:
        (peer,) = self.desk.server._peers
        return peer


# -- connecting ------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_session_that_starts_knows_its_engine_and_where_to_find_it_again():
    bench = Bench()
    assert bench.session.link_state is LinkState.CONNECTING
    await bench.start()
    assert (bench.session.link_state, bench.session.trouble) == (LinkState.UP, "")
    assert bench.session.mirror.is_controller
    assert [path.name for path in bench.host.known_at] == ["sim.sock"]
    assert bench.changes >= 1


@in_virtual_time
async def test_an_engine_that_is_not_there_yet_is_tried_every_second_and_the_reason_told():
    bench = await Bench(is_there=False).start()
    assert (bench.session.link_state, bench.session.trouble) == (LinkState.CONNECTING, "Connection refused")
    await asyncio.sleep(3.5)
    assert bench.host.connects == 4
    bench.host.is_there = True
    await asyncio.sleep(1)
    assert (bench.session.link_state, bench.session.trouble) == (LinkState.UP, "")


@in_virtual_time
async def test_after_a_loss_what_is_known_stays_and_what_was_missed_comes_once():
    bench = await Bench().start()
    seen: list[int] = []
    bench.session.mirror.on_event = lambda event: seen.append(event.eseq)
    bench.desk.publish(3)
    await asyncio.sleep(0.45)
    view = bench.session.mirror.view
    assert view is not None
    bench.peer.drop()
    await settle()
    assert (bench.session.link_state, bench.session.mirror.view) == (LinkState.DOWN, view)
    assert "closed the connection" in bench.session.trouble
    bench.desk.publish(2)
    await asyncio.sleep(1.5)
    assert bench.session.link_state is LinkState.UP
    assert seen == [1, 2, 3, 4, 5]
    assert bench.desk.owner[-2:] == ["lost", "back"]


@in_virtual_time
async def test_a_console_that_was_refused_or_sent_away_comes_again():
    bench = await Bench(is_owned=False, role=Role.CONTROL).start()
    bench.peer.end(Bye("nothing was heard of this client for 60 s; the engine goes on"))
    await settle()
    assert (bench.session.ending, bench.session.trouble[:17]) == (None, "nothing was heard")
    await asyncio.sleep(1.5)
    assert (bench.session.link_state, bench.session.trouble) == (LinkState.UP, "")


@in_virtual_time
async def test_without_a_connection_nothing_is_sent_and_that_is_said():
    bench = await Bench(is_there=False).start()
    with pytest.raises(ConnectionError, match="Connection refused"):
        bench.session.command(N.PAUSE)
    assert bench.session.mirror.pending == {}


# -- stopping --------------------------------------------------------------------------------------


@in_virtual_time
async def test_stop_asks_over_the_link_and_nothing_is_forced_on_an_engine_that_ends():
    bench = await Bench().start()
    bench.session.stop()
    await settle()
    assert (bench.commands, bench.session.is_stopping) == (["shutdown"], True)
    await asyncio.sleep(5)
    await bench.desk.server.close(Bye("stopped by console", 0, (), {"X": "d"}))
    bench.host.on_end(Ending(0, "the engine has ended"))
    await asyncio.sleep(60)
    assert bench.endings == [Ending(0, "the engine has ended: stopped by console")]
    assert (bench.session.link_state, bench.host.signals) == (LinkState.ENDED, [])
    assert (bench.host.connects, await bench.session.until_ended()) == (1, bench.endings[0])
    bench.session.stop()
    assert bench.host.signals == []


@in_virtual_time
async def test_an_engine_that_does_not_end_is_told_by_a_signal_and_then_killed():
    bench = await Bench().start()
    bench.session.stop()
    await asyncio.sleep(19.5)
    assert bench.host.signals == []
    await asyncio.sleep(1)
    assert bench.host.signals == ["SIGTERM"]
    assert bench.session.trouble == "the engine has not ended within 20 s: sent SIGTERM"
    await asyncio.sleep(8)
    assert bench.host.signals == ["SIGTERM", "SIGKILL"]
    bench.host.on_end(Ending(EXIT_WITHOUT_PROOF, "killed"))
    await asyncio.sleep(60)
    assert (bench.endings, bench.host.signals) == ([(75, "killed")], ["SIGTERM", "SIGKILL"])


@in_virtual_time
async def test_asked_twice_it_is_killed_at_once():
    bench = await Bench().start()
    bench.session.stop()
    await asyncio.sleep(1)
    bench.session.stop()
    assert (bench.commands, bench.host.signals) == (["shutdown"], ["SIGKILL"])


@in_virtual_time
async def test_without_a_link_stop_is_a_signal():
    bench = await Bench(is_there=False).start()
    bench.session.stop()
    assert bench.host.signals == ["SIGTERM"]
    await asyncio.sleep(28.5)
    assert bench.host.signals == ["SIGTERM", "SIGTERM", "SIGKILL"]


@in_virtual_time
async def test_the_owner_ends_its_engine_although_somebody_else_has_control():
    bench = await Bench().start()
    other, _ = await bench.desk.client(Role.CONTROL)
    await other.ask(N.TAKE_CONTROL)
    await settle()
    assert not bench.session.mirror.is_controller
    bench.session.stop()
    await settle()
    assert bench.commands == ["shutdown"]


@in_virtual_time
async def test_a_signal_handler_stops_without_the_loop_and_close_sees_it_through():
    bench = await Bench().start()
    bench.session.stop_at_once()
    assert (bench.host.signals, bench.session.is_stopping) == (["SIGTERM"], True)
    bench.session.stop_at_once()
    assert bench.host.signals == ["SIGTERM"]
    closing = asyncio.create_task(bench.session.close())
    await asyncio.sleep(28.5)
    assert not closing.done()
    assert bench.host.signals == ["SIGTERM", "SIGTERM", "SIGKILL"]
    assert bench.commands == [], "it was told already"
    bench.host.on_end(Ending(EXIT_WITHOUT_PROOF, "killed"))
    await closing


@in_virtual_time
async def test_where_no_signal_reaches_the_engine_the_loop_has_to_ask_it():
    bench = await Bench(can_terminate=False).start()
    bench.session.stop_at_once()
    assert not bench.session.is_stopping
    bench.session.follow_stop()
    await settle()
    assert bench.commands == ["shutdown"]


def test_stop_at_once_needs_no_loop():
    sessions: list[Bench] = []

    @in_virtual_time
    async def start() -> None:
        sessions.append(await Bench().start())

    start()
    bench = sessions[0]
    bench.session.stop_at_once()
    assert (bench.host.signals, bench.session.is_stopping) == (["SIGTERM"], True)


# -- how it ended ----------------------------------------------------------------------------------


@in_virtual_time
async def test_an_engine_that_dies_is_told_and_the_mirror_keeps_its_last_view():
    bench = await Bench().start()
    await asyncio.sleep(0.45)
    view = bench.session.mirror.view
    bench.peer.drop()
    bench.host.on_end(Ending(EXIT_WITHOUT_PROOF, "the engine was killed by SIGKILL"))
    await asyncio.sleep(10)
    assert view is not None
    assert bench.session.mirror.view is view
    assert bench.endings == [(EXIT_WITHOUT_PROOF, "the engine was killed by SIGKILL")]
    assert bench.session.link_state is LinkState.ENDED
    assert bench.host.connects == 1, "another engine may have taken the name"
    with pytest.raises(ConnectionError):
        bench.session.command(N.PAUSE)


@in_virtual_time
async def test_last_words_that_are_still_to_be_read_are_waited_for():
    bench = await Bench().start()
    bench.peer.end(Bye("the duration has passed", 0, (), {"X": "d"}))
    bench.host.on_end(Ending(0, "the engine has ended"))
    assert bench.endings == []
    await settle()
    assert bench.endings == [(0, "the engine has ended: the duration has passed")]
    bye = bench.session.mirror.bye
    assert bye is not None
    assert bye.digests == {"X": "d"}


@in_virtual_time
async def test_an_end_without_last_words_is_told_although_somebody_holds_the_link_open():
    bench = await Bench().start()
    bench.host.on_end(Ending(EXIT_WITHOUT_PROOF, "killed"))
    await asyncio.sleep(1.5)
    assert bench.endings == [(EXIT_WITHOUT_PROOF, "killed")]


@in_virtual_time
async def test_an_end_that_is_not_the_one_announced_is_told_as_it_was_seen():
    bench = await Bench().start()
    await bench.desk.server.close(Bye("the duration has passed", 0))
    bench.host.on_end(Ending(74, "the engine ended with exit code 74: disk"))
    assert bench.endings == [(74, "the engine ended with exit code 74: disk")]


@in_virtual_time
async def test_an_engine_elsewhere_tells_its_own_end_and_is_not_looked_for_again():
    bench = await Bench(is_owned=False, role=Role.CONTROL).start()
    bench.session.stop()
    await settle()
    assert (bench.commands, bench.session.is_stopping) == ([], False)
    await bench.desk.server.close(Bye("stopped by SIGTERM", 0))
    await asyncio.sleep(10)
    assert bench.endings == [(0, "the engine has ended: stopped by SIGTERM")]
    assert bench.host.connects == 1


# -- leaving ---------------------------------------------------------------------------------------


@in_virtual_time
async def test_closing_waits_for_the_proven_end_of_our_engine():
    bench = await Bench().start()
    closing = asyncio.create_task(bench.session.close())
    await asyncio.sleep(3)
    assert (bench.commands, closing.done()) == (["shutdown"], False)
    bench.host.on_end(Ending(0, "the engine has ended"))
    await closing
    await settle()
    assert bench.desk.server.viewers == 0


@pytest.mark.parametrize("is_owned", [False, True])
def test_an_engine_that_is_let_run_or_is_not_ours_only_loses_a_viewer(is_owned: bool):
    @in_virtual_time
    async def run() -> None:
        bench = await Bench(is_owned=is_owned).start()
        if is_owned:
            bench.session.let_run()
        await bench.session.close()
        await asyncio.sleep(60)
        assert (bench.commands, bench.host.signals, bench.endings) == ([], [], [])
        assert (bench.desk.server.viewers, bench.host.connects) == (0, 1)
        assert bench.session.ending is None

    run()


@in_virtual_time
async def test_a_screen_that_starts_anew_over_the_same_session_connects_again():
    bench = await Bench().start()
    bench.session.stop()
    await bench.session.detach()
    await asyncio.sleep(60)
    assert (bench.host.connects, bench.host.signals) == (1, [])
    await bench.start()
    assert bench.session.link_state is LinkState.UP
    closing = asyncio.create_task(bench.session.close())
    await asyncio.sleep(28.5)
    assert bench.host.signals == ["SIGTERM", "SIGKILL"], "the new screen goes on waiting for the end"
    bench.host.on_end(Ending(0, "the engine has ended"))
    await closing


@in_virtual_time
async def test_leaving_while_a_connection_is_being_made_leaves_it_at_that():
    bench = Bench(is_there=False)
    await bench.start()
    await bench.session.detach()
    bench.host.is_there = True
    await asyncio.sleep(10)
    assert bench.host.connects == 1
