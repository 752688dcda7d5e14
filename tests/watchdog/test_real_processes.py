"""A real engine process, the watchdog it spawned, and a venue over HTTP: killed, stopped, and failing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from waiting import until
from watchdog_kit import MS, TAG, ours, stranger
from watchdog_venue import RestVenue

from engine.watchdog.log import Line, read_log
from engine.watchdog.uptime import Uptime

sys.path.insert(0, str(Path(__file__).parent))


_PROGRAM = Path(__file__).with_name("beating_engine.py")
_NAME = "organizations/0000/apiKeys/1111"
PATIENCE_S = 30.0
"""For processes to begin, on a machine that has other things to do."""


class RunningEngine:
    """The process, what it says, and the watchdogs that it started."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path, key: str) -> None:
        self.process = process
        self.folder = folder
        self.key = key
        self.watchdogs: dict[int, int] = {}
        """A descriptor that tells the end of each process."""
        self.lines: list[dict[str, Any]] = []

    @property
    def watchdog(self) -> int:
        """The latest."""
        return list(self.watchdogs)[-1]

    async def read_until(self, **wanted: Any) -> dict[str, Any]:
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            while line := await self.process.stdout.readline():
                said = json.loads(line)
                self.lines.append(said)
                pid = said.get("watchdog")
                if pid is not None and pid not in self.watchdogs:
                    self.watchdogs[pid] = os.pidfd_open(pid)
                if wanted.items() <= said.items():
                    return dict(said)
        raise AssertionError(f"the engine ended before it said {wanted}: {self.lines}")

    async def say(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n".encode())
        await self.process.stdin.drain()

    async def watchdog_ended(self, pid: int, within_s: float = PATIENCE_S) -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self.watchdogs[pid], ended.set)
        try:
            await asyncio.wait_for(ended.wait(), within_s)
        finally:
            loop.remove_reader(self.watchdogs[pid])

    def log(self, event: str) -> list[Line]:
        return [line for line in read_log(self.folder) if line.event == event]

    async def close(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        for pid, descriptor in self.watchdogs.items():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.close(descriptor)


def _read(path: str) -> bytes:
    return Path(path).read_bytes()


def _descriptors(pid: int) -> dict[str, str]:
    return {each.name: os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()}


@asynccontextmanager
async def _engine(venue: RestVenue, folder: Path) -> AsyncIterator[RunningEngine]:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(_PROGRAM),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "SOME_SECRET": "of-the-engine-alone"},
    )
    engine = RunningEngine(process, folder, pem)
    try:
        key = json.dumps({"name": _NAME, "privateKey": pem})
        await engine.say(json.dumps({"endpoint": venue.url, "key": key, "folder": str(folder), "tag": TAG}))
        await engine.read_until(lease=True)
        yield engine
    finally:
        await engine.close()


@pytest.fixture
async def venue() -> AsyncIterator[RestVenue]:
    async with RestVenue().serving() as made:
        yield made


async def test_secrets_stay_in_memory_and_a_farewell_leaves_orders_alone(venue, tmp_path):
    async with _engine(venue, tmp_path) as engine:
        venue.rest(ours(1), stranger(2))
        pid = engine.watchdog
        command, surroundings = _read(f"/proc/{pid}/cmdline"), b""
        assert b"engine.watchdog" in command
        assert os.getsid(pid) == pid, "a terminal's signals do not reach it"
        if os.geteuid() == 0:
            surroundings = _read(f"/proc/{pid}/environ")
            descriptors = _descriptors(pid)
            assert descriptors["2"] == "/dev/null"
            assert "pipe" not in str(descriptors), "the engine's own pipes are not inherited"
        else:
            with pytest.raises(PermissionError):  # closed to all but root
                _read(f"/proc/{pid}/environ")
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1):
            os.kill(pid, number)
        await engine.say("farewell")
        await engine.read_until(ended=True)
        await engine.watchdog_ended(pid)
        log = _read(f"{tmp_path}/watchdog.jsonl")
        secrets = [_NAME, "of-the-engine-alone", *engine.key.splitlines()]
        for secret in secrets:
            for place in (command, surroundings, log):
                assert secret.encode() not in place
        assert {token.split(" ")[0] for token in venue.tokens} == {"Bearer", ""}
    assert [line.event for line in read_log(tmp_path)] == ["watching", "ready", "end"]
    assert venue.cancelled == {}


async def test_a_watchdog_that_is_killed_holds_trading_until_there_is_another(venue, tmp_path):
    async with _engine(venue, tmp_path) as engine:
        first = engine.watchdog
        venue.rest(ours(1))
        os.kill(first, signal.SIGKILL)
        await engine.read_until(told="halted", reason="the watchdog is gone; no order leaves")
        await engine.read_until(told="none")
        await engine.read_until(lease=True)
        second = engine.watchdog
        assert second != first
        assert venue.cancelled == {}
        # And the second one does the work.
        engine.process.kill()
        killed = time.monotonic()
        assert await venue.until_cancelled(ours(1), within_s=5) - killed < 1


async def test_an_engine_that_is_killed_leaves_nothing_behind(venue, tmp_path):
    async with _engine(venue, tmp_path) as engine:
        venue.rest(*map(ours, range(7)), stranger(1))
        venue.fault = "error"
        engine.process.kill()
        killed = time.monotonic()
        await engine.process.wait()
        await until(lambda: engine.log("listed"))
        assert time.monotonic() - killed < 2
        venue.fault = None
        healed = time.monotonic()
        await venue.until_cancelled(*map(ours, range(7)), within_s=3)
        await until(lambda: engine.log("proof"))
        assert time.monotonic() - healed < 3
        (proof,) = engine.log("proof")
        assert proof.is_proven
        assert set(proof.orders) == set(map(ours, range(7)))
        assert list(venue.orders.values()) == [stranger(1)]
        (fired,) = engine.log("fired")
        assert fired.text == "the engine is gone without a farewell"


async def test_an_engine_that_is_stopped_cannot_send_when_it_goes_on(venue, tmp_path):
    async with _engine(venue, tmp_path) as engine:
        venue.rest(ours(1))
        first = engine.watchdog
        engine.process.send_signal(signal.SIGSTOP)
        stopped, stopped_ns = time.monotonic(), Uptime().monotonic_ns()
        took = await venue.until_cancelled(ours(1), within_s=10) - stopped
        assert 2.4 < took < 4.5
        await until(lambda: engine.log("proof"))
        engine.process.send_signal(signal.SIGCONT)
        woken = await engine.read_until(lease=False)
        assert woken["last_held_ns"] <= stopped_ns + 100 * MS, "it never saw the lease as held after that"
        await engine.read_until(told="none")
        await engine.read_until(lease=True)
        assert engine.watchdog != first
        assert any("was silent for 3." in line.text for line in engine.log("fired"))
