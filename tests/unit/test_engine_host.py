"""Where an engine lives: a child that ends well, badly or never; one on our own loop; one elsewhere."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from served_engine import short_folder

from pinnacle_tui.engine_host import (
    EXIT_WITHOUT_PROOF,
    AttachedEngine,
    ChildEngine,
    Ending,
    InlineEngine,
    connected,
    tail,
)

# A child that has inherited the socket named by its last argument, as the engine does.
INHERIT = "import os, signal, socket, sys, time; link = socket.socket(fileno=int(sys.argv[-1])); "
ECHO = INHERIT + "link.sendall(b'ready ' + link.recv(100)); link.recv(1)"
DEAF = (
    INHERIT + "[signal.signal(n, signal.SIG_IGN) for n in (15, 1, 2)]; link.sendall(b'deaf'); time.sleep(60)"
)

Start = Callable[[str], ChildEngine]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    made: list[ChildEngine] = []

    def run(program: str) -> ChildEngine:
        made.append(ChildEngine([sys.executable, "-c", program], tmp_path / "logs" / "engine.log"))
        return made[-1]

    yield run
    for child in made:
        child.insist(signal.SIGKILL)
        assert child.wait(10)
        with suppress(OSError):  # a test has taken it
            child.connect().close()


async def ending_of(host: ChildEngine | InlineEngine, deed: Callable[[], object] = lambda: None) -> Ending:
    told: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
    host.watch(told.set_result)
    deed()
    async with asyncio.timeout(10):
        return await told


# -- a child ---------------------------------------------------------------------------------------


def test_a_child_has_our_other_end_a_session_of_its_own_and_a_private_log(start: Start, tmp_path: Path):
    child = start(ECHO + "; print('its log', flush=True)")
    with child.connect() as link:
        link.sendall(b"to you")
        assert link.recv(100) == b"ready to you"
        assert os.getsid(child.pid) == child.pid, "no ctrl+c of our terminal reaches it"
        assert stat.S_IMODE(child.log.stat().st_mode) == 0o600
        assert stat.S_IMODE(child.log.parent.stat().st_mode) == 0o700
    assert child.wait(10)
    assert child.last_words() == ["its log"]


def test_the_child_sees_our_end_close_although_other_children_were_started_since(start: Start):
    first = start(INHERIT + "sys.exit(len(link.recv(1)))")
    start(DEAF)
    first.connect().close()
    assert first.wait(10)


@pytest.mark.parametrize(
    ("program", "code", "sentence"),
    [
        ("pass", 0, "the engine has ended"),
        (
            "print('cause', flush=True); print('last line', flush=True); print(); sys.exit(6)",
            6,
            "the engine ended with exit code 6: last line",
        ),
        ("sys.exit(2)", 2, "the engine ended with exit code 2"),
        (
            "os.kill(os.getpid(), 9)",
            EXIT_WITHOUT_PROOF,
            "the engine was killed by SIGKILL; nobody proved that no order is open",
        ),
    ],
)
async def test_the_end_of_a_child_is_told_with_code_and_sentence(
    start: Start, program: str, code: int, sentence: str
):
    child = start("import os, sys; " + program)
    assert await ending_of(child) == Ending(code, sentence)


async def test_an_end_that_comes_before_anybody_watches_is_told_too(start: Start):
    child = start("pass")
    assert child.wait(10)
    assert (await ending_of(child)).code == 0


async def test_only_a_kill_ends_a_child_that_ignores_signals(start: Start):
    child = start(DEAF)
    with child.connect() as link:
        assert await asyncio.to_thread(link.recv, 10) == b"deaf"
        assert child.terminate()
        assert child.insist(signal.SIGTERM)
        assert not child.wait(0.2)
        ending = await ending_of(child, lambda: child.insist(signal.SIGKILL))
    assert ending.code == EXIT_WITHOUT_PROOF
    assert not child.insist(signal.SIGTERM)  # there is nothing left to signal: no error


def test_a_program_that_is_not_there_is_an_error_that_leaves_nothing_behind(tmp_path: Path):
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        ChildEngine([str(tmp_path / "no such program")], tmp_path / "engine.log")
    assert set(os.listdir("/proc/self/fd")) == before


def test_after_a_loss_a_child_is_reached_by_its_name_once_that_is_known(start: Start):
    child = start(ECHO)
    child.connect().close()
    with pytest.raises(ConnectionResetError):
        child.connect()
    with short_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "engine.sock"))
        listener.listen()
        child.is_known_at(folder / "engine.sock")
        with child.connect() as link, listener.accept()[0] as accepted:
            accepted.sendall(b"by name")
            assert link.recv(10) == b"by name"


def test_a_loop_that_has_ended_is_not_told(start: Start):
    child = start(ECHO)
    told: list[Ending] = []
    asyncio.run(_watch(child, told))
    child.connect().close()
    assert child.wait(10)
    for thread in threading.enumerate():
        if thread.name == "engine's end":
            thread.join(10)
    assert told == []


async def _watch(child: ChildEngine, told: list[Ending]) -> None:
    child.watch(told.append)


# -- on our own loop -------------------------------------------------------------------------------


async def serve_until_closed(owner: socket.socket) -> Ending:
    reader, writer = await asyncio.open_connection(sock=owner)
    await reader.read()
    writer.close()
    await writer.wait_closed()
    return Ending(0, "served")


async def test_an_inline_engine_starts_with_its_first_connection_and_has_one():
    host = InlineEngine(serve_until_closed)
    link: list[socket.socket] = []
    ending = await ending_of(host, lambda: [link.append(host.connect()), link[0].close()])
    assert ending == Ending(0, "served")
    with pytest.raises(ConnectionResetError):
        host.connect()
    assert (host.terminate(), host.last_words()) == (False, [])


async def test_an_inline_engine_that_is_killed_has_proven_nothing():
    host = InlineEngine(serve_until_closed)
    assert not host.insist(signal.SIGKILL)  # before it was started: nothing
    with host.connect():
        await asyncio.sleep(0)
        assert not host.insist(signal.SIGTERM)
        assert not host.insist(signal.SIGUSR1)
        await asyncio.sleep(0)
        ending = await ending_of(host, lambda: host.insist(signal.SIGKILL))
    assert ending == Ending(EXIT_WITHOUT_PROOF, "the engine was stopped before it could prove its end")


async def test_an_inline_engine_that_fails_ends_with_the_errors_code():
    class Refused(Exception):
        exit_code = 2

    async def fail(owner: socket.socket) -> Ending:
        owner.close()
        raise Refused("no such product")

    host = InlineEngine(fail)
    assert await ending_of(host, lambda: host.connect().close()) == Ending(2, "no such product")


# -- elsewhere -------------------------------------------------------------------------------------


def test_an_engine_elsewhere_is_connected_to_and_never_signalled():
    with short_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = folder / "engine.sock"
        listener.bind(str(path))
        listener.listen()
        host = AttachedEngine(path)
        for _ in range(2):
            host.connect().close()
        assert not host.insist(signal.SIGKILL)
        assert (host.is_owned, host.terminate(), host.last_words()) == (False, False, [])


def test_nobody_listening_is_an_error_that_leaves_nothing_behind(tmp_path: Path):
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        connected(tmp_path / "x.sock")
    assert set(os.listdir("/proc/self/fd")) == before


# -- its log ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"", []),
        (b"one\ntwo\n", ["one", "two"]),
        (b"no newline", ["no newline"]),
        (b"\xff\xfe\n", ["\ufffd\ufffd"]),
        (b"".join(b"%d\n" % n for n in range(5_000)), [str(n) for n in range(4_988, 5_000)]),
    ],
)
def test_the_last_lines_of_a_log(tmp_path: Path, written: bytes, shown: Sequence[str]):
    log = tmp_path / "engine.log"
    log.write_bytes(written)
    assert tail(log) == shown


def test_a_log_that_is_not_there_says_nothing(tmp_path: Path):
    assert tail(tmp_path / "engine.log") == []
