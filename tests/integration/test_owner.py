"""Engines with an owner, as processes: it leaves, is killed or stopped, comes back; or the engine dies."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest
from engine_process import Engine, Machine, eventually, machine

from engine.link.client import LinkClient
from engine.link.events import AnyEngineEvent
from engine.link.frames import to_engine
from engine.link.messages import ClientHello, CommandName, Role, Verdict
from engine.link.mirror import EngineMirror
from pinnacle_tui.engine_host import EXIT_WITHOUT_PROOF, ChildEngine, Ending
from pinnacle_tui.session import EngineSession

NAME = "sim-btc-usd"
QUICK = ("--set", "console.owner_grace_s=0.3")
GONE = "the console that owned this engine is gone"


@pytest.fixture
def here() -> Iterator[Machine]:
    with machine() as made:
        yield made


def owned(here: Machine, *arguments: str) -> tuple[Engine, socket.socket]:
    """An engine that has inherited the other end of a socket, and our end."""
    ours, theirs = socket.socketpair()
    with theirs:
        engine = here.engine("--owner-fd", str(theirs.fileno()), *arguments, inherits=theirs.fileno())
    return engine, ours


def say_hello(ours: socket.socket) -> None:
    ours.sendall(to_engine(ClientHello(1, "0", Role.OWNER, "the owner", hz=0.0)))


# -- the owner goes --------------------------------------------------------------------------------


@pytest.mark.parametrize("is_greeted", [False, True])
def test_when_the_owners_end_closes_all_orders_are_cancelled_and_the_log_says_why(
    here: Machine, is_greeted: bool
):
    engine, ours = owned(here, *QUICK)
    if is_greeted:
        say_hello(ours)
    ours.close()
    code, last = engine.end()
    assert (code, last["reason"], last["possibly_open"]) == (0, GONE, [])
    assert last["open_orders"] == 0
    (told,) = [alert for alert in engine.of("alert") if alert["code"] == "OWNER"]
    assert "in 0.3 s the engine cancels all orders and ends" in told["text"]
    ended = [report for report in engine.of("order") if report["event"] == "cancelled"]
    assert ended, "nothing was open: the test shows nothing"


OWNER = """
import sys, time
from pathlib import Path
from pinnacle_tui.engine_host import ChildEngine
command = [sys.executable, "-m", "pinnacle_tui", "--no-ui", "--json", "--seed", "7", *sys.argv[2:]]
child = ChildEngine(command, Path(sys.argv[1]))
print(child.pid, flush=True)
time.sleep(600)
"""


def test_an_owner_killed_with_open_orders_leaves_none(here: Machine):
    log = here.folder / "engine.log"
    owner = here.python("-c", OWNER, str(log), *QUICK)
    assert owner.stdout is not None
    engine = os.pidfd_open(int(owner.stdout.readline()))
    eventually(lambda: log.exists() and '"accepted"' in log.read_text(), "no order was ever open")
    owner.kill()
    eventually(lambda: '"summary"' in log.read_text(), "the engine outlived its owner")
    os.close(engine)
    written = log.read_text()
    assert f'"reason":"{GONE}"' in written
    assert '"possibly_open":[]' in written.splitlines()[-1]
    eventually(lambda: not (here.runtime / f"{NAME}.sock").exists(), "its socket stays")


async def test_a_new_owner_within_the_grace_time_keeps_it_alive_and_misses_nothing(here: Machine):
    # Twenty times real time, for many events; the grace time is real.
    engine, ours = await asyncio.to_thread(
        owned, here, "--set", "console.owner_grace_s=10", "--speed", "20", "--set", "strategy.levels=1"
    )
    mirror, seen, wanted, enough = EngineMirror(), list[int](), 50, asyncio.Event()

    def note(event: AnyEngineEvent) -> None:
        seen.append(event.eseq)
        if len(seen) >= wanted:
            enough.set()

    mirror.on_event = note
    with closing(LinkClient(mirror, build="0", name="first", role=Role.OWNER)) as first:
        await first.adopt(ours)
        async with asyncio.timeout(20):
            await enough.wait()
    enough.clear()
    await asyncio.to_thread(engine.alert, "OWNER")
    with closing(LinkClient(mirror, build="0", name="again", role=Role.OWNER)) as again:
        before = len(seen)
        hello = await again.connect(here.runtime / f"{NAME}.sock")
        assert hello.role is Role.OWNER
        assert hello.last_event > before, "nothing was missed: the test shows nothing"
        wanted = hello.last_event + 50
        async with asyncio.timeout(20):
            await enough.wait()
        assert seen == list(range(1, len(seen) + 1))
        assert mirror.missed_events == 0
        told = [event.text for event in mirror.log if getattr(event, "code", "") == "OWNER"]
        assert told[-1] == "the owner's console is back"
        assert (await again.ask(CommandName.SHUTDOWN)).verdict is Verdict.DONE
    assert (await asyncio.to_thread(engine.end))[0] == 0


@pytest.mark.parametrize("is_set_live", [False, True])
def test_an_engine_that_is_to_keep_running_does_and_can_be_steered(here: Machine, is_set_live: bool):
    given = () if is_set_live else ("--set", "console.on_owner_lost=keep-running")
    engine, ours = owned(here, *QUICK, *given)
    say_hello(ours)
    eventually(lambda: here.ctl("status")[1]["controller"] == "the owner", "the owner was never greeted")
    if is_set_live:
        assert here.ctl("set", "console.on_owner_lost=keep-running")[0] == 1, "the owner has control"
        assert here.ctl("set", "console.on_owner_lost=keep-running", "--take")[0] == 0
    ours.close()
    assert "goes on without one" in engine.alert("OWNER")["text"]
    for _ in range(2):
        engine.read_until(lambda report: report["type"] == "status")
    assert engine.is_running
    assert here.ctl("status")[1]["products"][0]["state"] == "ACTIVE"
    assert here.ctl("shutdown")[0] == 0
    assert engine.end()[0] == 0


CLIENT = """
import asyncio, socket, sys
from engine.link.client import LinkClient
from engine.link.events import AnyEngineEvent
from engine.link.messages import Role
from engine.link.mirror import EngineMirror

async def main() -> None:
    client = LinkClient(EngineMirror(), build="0", name="the owner", role=Role.OWNER, hz=30.0)
    await client.adopt(socket.socket(fileno=int(sys.argv[1])))
    print("connected", flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest.mark.nightly
def test_a_stopped_owner_is_not_lost_before_its_time_and_is_welcome_back(here: Machine):
    engine, ours = owned(here, *QUICK, "--set", "console.owner_silent_s=8")
    owner = here.python("-c", CLIENT, str(ours.fileno()), inherits=ours.fileno())
    ours.close()
    assert owner.stdout is not None
    assert owner.stdout.readline() == "connected\n"
    owner.send_signal(signal.SIGSTOP)
    for _ in range(6):
        engine.read_until(lambda report: report["type"] == "status")
    owner.send_signal(signal.SIGCONT)
    for _ in range(4):
        engine.read_until(lambda report: report["type"] == "status")
    assert [alert for alert in engine.of("alert") if alert["code"] == "OWNER"] == []
    owner.send_signal(signal.SIGSTOP)
    code, last = engine.end()
    assert (code, last["reason"], last["possibly_open"]) == (0, GONE, [])


# -- the engine goes -------------------------------------------------------------------------------


def session_with(here: Machine, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> EngineSession:
    """A console's session over a child of its own."""
    for name, value in here.environment.items():
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-m", "pinnacle_tui", "--no-ui", *arguments]
    child = ChildEngine(command, here.folder / "logs" / "engine.log")
    return EngineSession(child, role=Role.OWNER, build="0")


async def has_view(session: EngineSession) -> None:
    came = asyncio.Event()
    session.mirror.on_view = came.set
    await session.start()
    async with asyncio.timeout(20):
        await came.wait()


async def test_an_engine_killed_under_its_session_is_told_and_the_mirror_stays(
    here: Machine, monkeypatch: pytest.MonkeyPatch
):
    session = session_with(here, monkeypatch, "--seed", "7")
    await has_view(session)
    session.host.insist(signal.SIGKILL)
    async with asyncio.timeout(10):
        ending = await session.until_ended()
    assert ending == Ending(
        EXIT_WITHOUT_PROOF, "the engine was killed by SIGKILL; nobody proved that no order is open"
    )
    assert session.mirror.view is not None
    assert session.mirror.view.products[0].symbol == "BTC-USD"
    await session.close()


async def test_stop_ends_in_proof_and_the_digest(here: Machine, monkeypatch: pytest.MonkeyPatch):
    session = session_with(here, monkeypatch, "--seed", "7")
    await has_view(session)
    session.stop()
    async with asyncio.timeout(20):
        ending = await session.until_ended()
    assert ending.code == 0
    assert ending.sentence.startswith("the engine has ended: stopped by console pid ")
    bye = session.mirror.bye
    assert bye is not None
    assert (bye.exit_code, bye.open_orders, len(bye.digests["BTC-USD"])) == (0, (), 64)
    assert f"digest {bye.digests['BTC-USD'][:16]}" in session.host.last_words()[-1]
    await session.close()


async def test_stop_at_once_from_a_signal_handler_ends_it_in_proof(
    here: Machine, monkeypatch: pytest.MonkeyPatch
):
    session = session_with(here, monkeypatch, "--seed", "7")
    await has_view(session)
    before = signal.signal(signal.SIGUSR2, lambda *_: session.stop_at_once())
    try:
        os.kill(os.getpid(), signal.SIGUSR2)
    finally:
        signal.signal(signal.SIGUSR2, before)
    async with asyncio.timeout(20):
        await session.close()
    assert session.ending == Ending(0, "the engine has ended: stopped by SIGTERM")


async def test_a_second_stop_kills(here: Machine, monkeypatch: pytest.MonkeyPatch):
    session = session_with(here, monkeypatch, "--seed", "7")
    await has_view(session)
    child = session.host
    assert isinstance(child, ChildEngine)
    os.kill(child.pid, signal.SIGSTOP)  # it hears nothing any more
    session.stop()
    session.stop()
    async with asyncio.timeout(10):
        assert (await session.until_ended()).code == EXIT_WITHOUT_PROOF
    await session.close()


async def test_an_engine_that_cannot_trade_what_it_is_asked_to_says_so_in_one_sentence(
    here: Machine, monkeypatch: pytest.MonkeyPatch
):
    session = session_with(here, monkeypatch, "--symbol", "NOPE-USD")
    await session.start()
    async with asyncio.timeout(20):
        ending = await session.until_ended()
    assert ending.code == 2
    assert "the simulator does not know the increments of NOPE-USD" in ending.sentence
    assert "\n" not in ending.sentence
    await session.close()


def test_an_owner_that_is_no_socket_is_wrong_usage(here: Machine):
    code, out, err = here.run("--no-ui", "--owner-fd", "99")
    assert (code, out) == (2, "")
    assert "--owner-fd 99: Bad file descriptor" in err
    assert not (here.runtime / f"{NAME}.sock").exists()
