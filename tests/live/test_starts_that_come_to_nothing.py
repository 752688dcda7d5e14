"""A start that is refused or broken off: what is told, what is left open, and which session goes on next."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import socket
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_process import Machine, eventually, machine
from live.venue_kit import configured, running_venue
from local_venue_process import VenueProcess, live_engine
from trader_bench import configured as simulated

from engine.commands import headless
from engine.config import Resolved
from engine.core.clock import SystemClock
from engine.core.errors import PinnacleError, UsageError
from engine.exchange.coinbase.broker import BrokerError
from engine.local_venue.faults.interference import FaultInterference
from engine.local_venue.faults.plan import FaultPlan, parse_fault
from engine.runtime.builder import build_engine, build_market
from engine.runtime.edges import Edges
from engine.runtime.network import connect
from engine.runtime.observers import Observers
from engine.runtime.outcome import Outcome
from engine.runtime.session import Session, open_session
from engine.runtime.session_store import sessions
from engine.watchdog.log import read_log

PATIENCE_S = 15.0


@pytest.fixture
def here() -> Iterator[Machine]:
    with machine() as made:
        yield made


def folder_of(here: Machine) -> Path:
    return here.folder / "state" / "pinnacle-tui" / "sessions"


async def opened(resolved: Resolved, *, is_new: bool = False) -> Session:
    network = await connect(resolved, SystemClock())
    try:
        return open_session(network.resolved, SystemClock(), is_new=is_new, making=network)
    finally:
        await network.close()


async def left_unfinished(resolved: Resolved) -> str:
    """A session whose engine is gone; its name."""
    session = await opened(resolved)
    await session.end(Outcome("killed", 75))
    return session.name


# -- a start that is refused ---------------------------------------------------------------------------


async def test_a_refused_connection_ends_the_session_in_order_and_is_told(tmp_path: Path) -> None:
    nobody: Any = None  # no fault of these needs a stranger
    refusing = FaultInterference(FaultPlan([parse_fault("upgrade-status:401,times=0")]), nobody)
    async with running_venue(tmp_path, interference=refusing) as (venue, key_file):
        resolved = configured(
            venue, "live", key_file, persistence__data_dir=str(tmp_path / "data"), engine__symbols="BTC-USD"
        )
        ours, theirs = socket.socketpair()
        before = asyncio.all_tasks()
        with ours:
            async with asyncio.timeout(PATIENCE_S):
                outcome = await headless.serve(resolved, theirs)
            said = ours.recv(1 << 20)
        assert outcome.exit_code == 5
        assert "refuses this connection (HTTP 401)" in outcome.reason
        assert b"refuses this connection (HTTP 401)" in said, "the console is told why"
        assert not {task.get_name() for task in asyncio.all_tasks() - before}
        [session] = sessions(tmp_path / "data")
        assert session.info.ended is not None
        assert session.info.ended.exit_code == 5
        assert not venue.core.orders()
        assert [line.event for line in read_log(tmp_path / "data")][-1] == "end"


def test_orders_of_before_are_cancelled_though_the_engine_cannot_start(here: Machine) -> None:
    """Engine and watchdog are both gone, as when the machine dies; then the user channel is refused."""
    venue = VenueProcess(here)
    # Two orders that stay where they are: none is on its way when the engine dies.
    one_level = ("--set", "strategy.levels=1", "--set", "strategy.reprice_tolerance_ticks=100000")
    engine = live_engine(here, venue, *one_level)
    for _ in range(2):
        engine.read_until(lambda report: report.get("event") == "accepted")
    engine.process.send_signal(signal.SIGSTOP)
    os.kill(read_log(folder_of(here))[-1].pid, signal.SIGKILL)
    engine.process.kill()
    engine.process.wait()
    assert venue.open_orders()
    venue.arm("upgrade-status:401,times=0")
    code, last = live_engine(here, venue).end()
    assert code == 5
    assert "HTTP 401" in last["reason"]
    assert not venue.open_orders()


# -- a start that is broken off ------------------------------------------------------------------------


def test_an_interrupt_does_not_wait_for_what_is_being_started(here: Machine) -> None:
    venue = VenueProcess(here)
    venue.arm("rest-status:503,path=*historical/batch*,times=0")  # no watchdog can be ready
    engine = live_engine(here, venue)
    eventually(lambda: any(line.event == "waiting" for line in read_log(folder_of(here))), "a watchdog waits")
    engine.process.send_signal(signal.SIGINT)
    killer = threading.Timer(5.0, engine.process.kill)  # it takes 20 s to give a watchdog up
    killer.start()
    code, _ = engine.end()
    killer.cancel()
    assert code == 130
    [session] = sessions(folder_of(here))
    assert session.info.ended is not None
    eventually(lambda: read_log(folder_of(here))[-1].event == "end", "the watchdog is dismissed")
    assert not any(line.event == "fired" for line in read_log(folder_of(here)))


# -- which session goes on -----------------------------------------------------------------------------


async def test_a_session_of_another_place_is_not_gone_on_with(tmp_path: Path) -> None:
    at = {"persistence__data_dir": str(tmp_path / "data"), "engine__symbols": "BTC-USD"}
    async with running_venue(tmp_path) as (venue, key_file):
        resolved = configured(venue, "live", key_file, **at)
        first = await left_unfinished(resolved)
        (tmp_path / "b").mkdir()
        async with running_venue(tmp_path / "b") as (another, other_key):
            beside = await opened(configured(another, "live", other_key, **at))
            assert beside.name != first
            assert beside.report is None
            await beside.end(Outcome("killed", 75))
        again = await opened(resolved)
        assert again.name == first
        assert again.report is not None
        await again.end(Outcome("killed", 75))


async def test_a_session_of_another_account_is_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = {"persistence__data_dir": str(tmp_path / "data"), "engine__symbols": "BTC-USD"}
    async with running_venue(tmp_path) as (venue, key_file):
        resolved = configured(venue, "live", key_file, **at)
        first = await left_unfinished(resolved)
        with monkeypatch.context() as patch:
            patch.setattr("engine.local_venue.advanced.account_rest.PORTFOLIO_ID", "7d3f0c1e")
            with pytest.raises(UsageError, match=f"session {first} .* another account: .* --new"):
                await opened(resolved)
            beside = await opened(resolved, is_new=True)
            assert beside.name != first
            await beside.end(Outcome("killed", 75))
        with pytest.raises(UsageError, match=f"session {beside.name} .* another account"):
            await opened(resolved)
        kept = (tmp_path / "data" / beside.name / "session.json").read_text()
        assert '"account": "' in kept
        assert "7d3f0c1e" not in kept


async def test_a_venue_that_is_gone_does_not_hide_a_session_left_open(tmp_path: Path) -> None:
    at = {"persistence__data_dir": str(tmp_path / "data"), "engine__symbols": "BTC-USD"}
    async with running_venue(tmp_path) as (venue, key_file):
        resolved = configured(venue, "live", key_file, **at)
        name = await left_unfinished(resolved)
    out = io.StringIO()
    with pytest.raises(BrokerError) as refused:
        await asyncio.to_thread(lambda: headless.run(resolved, as_json=True, stdout=out, stderr=out))
    (told,) = refused.value.__notes__
    assert f"session {name} was not ended in order: orders of it may be open" in told


# -- edges ---------------------------------------------------------------------------------------------


class _Ending:
    """As much of an engine as edges see."""

    def __init__(self) -> None:
        self.end_asked = asyncio.Event()
        self.asked: list[tuple[str, int]] = []

    def end(self, reason: str, code: int) -> None:
        self.asked.append((reason, code))
        self.end_asked.set()


class _Edge:
    def __init__(
        self,
        told: list[str],
        name: str,
        start: Coroutine[Any, Any, Any] | None = None,
        *,
        ends_badly: bool = False,
    ) -> None:
        self.told, self.name, self.work, self.ends_badly = told, name, start, ends_badly

    async def start(self) -> None:
        self.told.append(f"+{self.name}")
        if self.work is not None:
            await self.work

    async def stop(self) -> None:
        self.told.append(f"-{self.name}")
        if self.ends_badly:
            raise OSError(f"{self.name} cannot be stopped")


async def _refused() -> None:
    raise PinnacleError("it is refused")


async def test_edges_are_all_stopped_whatever_happens() -> None:
    ending, told = _Ending(), list[str]()
    engine: Any = ending
    a, b, c = _Edge(told, "a"), _Edge(told, "b", _refused(), ends_badly=True), _Edge(told, "c")
    edges = Edges([a, b, c], engine)
    await edges.start()
    assert ending.asked == [("it is refused", 1)]
    with pytest.raises(OSError, match="b cannot"):
        await edges.stop()
    assert told == ["+a", "+b", "-c", "-b", "-a"]


async def test_a_start_is_broken_off_when_the_end_is_asked_for_or_the_task_is_cancelled() -> None:
    for is_cancelled in (False, True):
        ending, told = _Ending(), list[str]()
        engine: Any = ending
        edges = Edges([_Edge(told, "slow", asyncio.Event().wait()), _Edge(told, "late")], engine)
        starting = asyncio.create_task(edges.start())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if is_cancelled:
            starting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await starting
        else:
            ending.end("stopped by somebody", 0)
            await starting
        assert told == ["+slow"]
        assert not [task for task in asyncio.all_tasks() if "edge" in task.get_name()]


def test_an_end_before_the_beginning_has_nothing_to_prove() -> None:
    async def play() -> Outcome:
        config = simulated()
        engine = build_engine(
            config, build_market(config), SystemClock(), Observers(), status_interval_ns=10**9
        )
        engine.end("the key is refused", 5)
        return await engine.run()

    assert asyncio.run(play()) == Outcome("the key is refused", 5)
