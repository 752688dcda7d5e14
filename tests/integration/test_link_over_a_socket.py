"""The link between processes: a claimed name, a real socket, and an engine that is killed."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.link.client import LinkClient
from engine.link.errors import LinkError
from engine.link.messages import CommandName, Role, Verdict
from engine.link.mirror import EngineMirror
from engine.link.runtime_folder import claim, resolve, running

ENGINE = """
import asyncio, socket, sys
from pathlib import Path
from engine.link.event_log import EventLog
from engine.link.events import Notice
from engine.link.messages import Bye, CommandName, EngineHello, Verdict
from engine.link.runtime_folder import claim
from engine.link.server import LinkServer
from engine.link.view import Health, View

async def main() -> None:
    done, events, count = asyncio.Event(), EventLog(), 0

    def identity(role):
        return EngineHello(
            1, "0.1.0", "e1", mine.name, 1, "sim", "simulator", role, (), {}, 0, None, "keep-running", 0
        )

    def make_view():
        nonlocal count
        count += 1
        health = Health(0, 0, 0, 0, server.viewers, server.views_dropped, server.controller)
        return View(count, 0, 0, 0, (), health)

    def on_command(peer, command):
        server.answer(command.id, Verdict.DONE, command.name)
        if command.name == CommandName.SHUTDOWN:
            done.set()

    server = LinkServer(
        events=events, identity=identity, make_view=make_view, on_command=on_command, on_error=print,
        on_owner_lost=done.set, on_owner_back=lambda: None,
    )
    for n in range(100):
        events.publish(Notice, 0, 0, "", "info", "N", str(n))
    with claim(Path(sys.argv[1]), "sim") as mine:
        await server.start(mine.socket)
        await server.adopt(socket.socket(fileno=int(sys.argv[2])))
        await done.wait()
        await server.close(Bye("shut down", 0, (), {"BTC-USD": "abc"}))

asyncio.run(main())
"""


def client_of(role: Role, name: str) -> LinkClient:
    return LinkClient(EngineMirror(), build="0.1.0", name=name, role=role, hz=30.0)


def start(folder: Path) -> tuple[subprocess.Popen[str], socket.socket]:
    ours, theirs = socket.socketpair()
    with theirs:
        arguments = [sys.executable, "-c", ENGINE, str(folder), str(theirs.fileno())]
        process = subprocess.Popen(
            arguments, pass_fds=[theirs.fileno()], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    return process, ours


async def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = await asyncio.to_thread(process.communicate, timeout=20)
    return process.returncode, output


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the other side is a process, which sets no event here
        await asyncio.sleep(0.002)


async def test_owner_and_viewer_over_real_sockets_until_the_owner_shuts_down(tmp_path):
    tmp_path.chmod(0o700)
    folder = tmp_path / "run"
    process, inherited = start(folder)
    try:
        async with asyncio.timeout(30):
            owner, viewer = client_of(Role.OWNER, "owner"), client_of(Role.CONTROL, "viewer")
            hello = await owner.adopt(inherited, hello_s=20)
            assert (hello.role, hello.session, hello.last_event) == (Role.OWNER, "sim", 100)
            assert running(folder) == ["sim"]
            assert (await viewer.connect(resolve(folder, None))).role is Role.VIEW
            await until(lambda: viewer.mirror.views >= 5 and owner.mirror.views >= 5)
            assert [event.eseq for event in viewer.mirror.log] == list(range(1, 101))
            assert viewer.mirror.view.health.controller == "owner"
            assert (await viewer.ask(CommandName.PAUSE)).verdict is Verdict.REJECTED
            assert (await viewer.ask(CommandName.KILL)).verdict is Verdict.DONE
            assert (await owner.ask(CommandName.SHUTDOWN)).verdict is Verdict.DONE
            assert await ended(process) == (0, "")
            await until(lambda: not viewer.is_connected)
            assert viewer.mirror.bye.digests == {"BTC-USD": "abc"}
            assert running(folder) == []
            assert not (folder / "sim.sock").exists()
            owner.close()
            viewer.close()
    finally:
        process.kill()
        process.communicate()


async def test_a_killed_engine_leaves_a_name_that_the_next_one_takes(tmp_path):
    tmp_path.chmod(0o700)
    folder = tmp_path / "run"
    process, inherited = start(folder)
    try:
        async with asyncio.timeout(30):
            owner = client_of(Role.OWNER, "owner")
            await owner.adopt(inherited, hello_s=20)
            process.kill()
            await ended(process)
            await until(lambda: not owner.is_connected)
        assert "closed the connection" in owner.reason
        assert owner.mirror.bye is None
        assert (folder / "sim.sock").exists()
        assert running(folder) == []
        with pytest.raises(LinkError, match="Connection refused"):
            await owner.connect(folder / "sim.sock")
        with claim(folder, "sim") as mine:
            assert mine.name == "sim"
    finally:
        process.kill()
        process.communicate()


async def test_an_engine_ends_with_the_console_that_started_it(tmp_path):
    tmp_path.chmod(0o700)
    process, inherited = start(tmp_path / "run")
    try:
        inherited.close()
        assert await ended(process) == (0, "")
    finally:
        process.kill()
        process.communicate()
