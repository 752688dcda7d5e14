"""`record` against a scripted venue: what it writes replays to the same books, whatever ended it."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from coinbase_frames import INSTRUMENTS, heartbeat, l2, l2_snapshot, trades
from ws_kit import QUICK, Peer, Script, ScriptedVenue, http_answer, playing, read_capture

from engine.commands import record, recording_file
from engine.commands.inspect import inspect
from engine.commands.record import NothingRecordedError
from engine.commands.recording_file import RecordingFile, RecordingWriteError
from engine.core.errors import UsageError
from engine.core.events import FeedState
from engine.exchange.coinbase.feed.refusals import ConnectionRefusedForGood
from engine.exchange.coinbase.network import NetworkSettings
from engine.exchange.recording import RecordingFeed, read_recording
from pinnacle_tui.cli_record import record as command


@contextmanager
def venue_in_a_thread(script: Script, **given: Any) -> Iterator[ScriptedVenue]:
    """A venue beside a command that has a loop of its own."""
    ready, done = threading.Event(), threading.Event()
    venue = ScriptedVenue(script, **given)

    async def serve() -> None:
        async with venue:
            ready.set()
            await asyncio.get_running_loop().run_in_executor(None, done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(5)
        yield venue
    finally:
        done.set()
        thread.join(5)


def record_now(venue: ScriptedVenue, path: Path, seconds: float = 0.5, **given: Any) -> Any:
    """Record from a venue for a moment; what was said on standard error comes second."""
    stderr = io.StringIO()
    answer = record.run(
        given.pop("exchange", None),
        NetworkSettings(endpoint=f"http://127.0.0.1:{venue.port}"),
        given.pop("products", ["BTC-USD"]),
        given.pop("channels", ()),
        path,
        duration_s=seconds,
        stderr=stderr,
        patience=QUICK,
    )
    return answer, stderr.getvalue()


def small_script(peer_frames: Callable[[int], list[str]]) -> Script:
    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "market_trades")
        await peer.send(*peer_frames(peer.number))
        if not peer.number:
            await peer.socket.close(1001)

    return script


SCRIPT = small_script(
    lambda number: [
        heartbeat(0, 1),
        l2_snapshot(1),
        trades(2, "update", (number + 1, "100.01", "0.1", "SELL")),
        l2(3, "update", "BTC-USD", [("99.99", f"{number + 3}")]),
        '{"type":"error","message":"rate\\u001b limit"}',
    ]
)


@pytest.mark.parametrize("name", ["one.jsonl.gz", "one.jsonl"])
def test_every_line_is_there_and_replays(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with venue_in_a_thread(SCRIPT) as venue:
        answer, said = record_now(venue, path, 0.6)
    lines = list(read_recording(path))
    assert [line.direction for line in lines] == (["connect"] + ["send"] * 3 + ["recv"] * 5) * 2
    assert lines[0].raw == f"ws://127.0.0.1:{venue.port}/advanced"
    assert json.loads(lines[1].raw) == {"type": "subscribe", "channel": "heartbeats"}
    assert all(a.wall_ns <= b.wall_ns for a, b in pairwise(lines))
    assert (answer["frames"], answer["connects"], answer["lines"]) == (10, 2, 18)
    assert answer["bytes"] == path.stat().st_size
    assert "connecting again" in said
    assert "\x1b" not in said
    report = inspect(path)
    assert (report["frames"], report["gaps"], report["reconnects"], report["errors"]) == (10, 0, 1, 2)
    feed = RecordingFeed(path, {"BTC-USD": INSTRUMENTS["BTC-USD"]})
    events = feed.poll(10**18)
    states = [event.state for event in events if hasattr(event, "state")]
    assert states == [FeedState.SUBSCRIBED, FeedState.LIVE, FeedState.STALE, FeedState.LIVE]
    assert feed.session.unique_trades("BTC-USD") == 2


def test_a_real_capture_comes_back_byte_for_byte(tmp_path: Path, shared_data: Path) -> None:
    source = shared_data / "coinbase" / "advanced_ws_btc_eth_20260809_first10s.jsonl.gz"
    frames = read_capture(source)
    path = tmp_path / "again.jsonl.gz"
    with venue_in_a_thread(playing(frames, None)) as venue:
        record_now(venue, path, 1.5, products=["BTC-USD", "ETH-USD"])
    assert [line.raw for line in read_recording(path) if line.direction == "recv"] == [
        raw for _, raw in frames
    ]
    expected = json.loads((shared_data / "coinbase" / "expected.json").read_text())[source.name]["books"]
    report = inspect(path)
    assert {name: product["book_sha256"] for name, product in report["products"].items()} == {
        name: book["book_sha256"] for name, book in expected.items()
    }


def test_exchange_is_asked_in_its_own_words(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.asked("subscribe", "ticker")
        await peer.send('{"type":"heartbeat"}')

    path = tmp_path / "one.jsonl"
    with venue_in_a_thread(script) as venue:
        record_now(venue, path, exchange="coinbase-exchange", channels=("ticker", "matches"))
    sent = [json.loads(line.raw)["channels"] for line in read_recording(path) if line.direction == "send"]
    assert sent == [["heartbeat"], ["ticker", "matches"]]


def test_what_cannot_be_recorded_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    there = tmp_path / "there.jsonl"
    there.write_text("")
    settings = NetworkSettings(endpoint="http://127.0.0.1:9")

    def attempt(path: Path, products: list[str], channels: list[str]) -> None:
        record.run(None, settings, products, channels, path, duration_s=1, stderr=io.StringIO())

    with pytest.raises(UsageError, match="never recorded"):
        attempt(tmp_path / "a.jsonl", ["BTC-USD"], ["user"])
    with pytest.raises(UsageError, match="17 products"):
        attempt(tmp_path / "a.jsonl", [f"A{number}-USD" for number in range(17)], [])
    with pytest.raises(UsageError, match="there already"):
        attempt(there, ["BTC-USD"], [])
    with pytest.raises(UsageError, match="cannot be made"):
        attempt(tmp_path / "no" / "a.jsonl", ["BTC-USD"], [])
    assert list(tmp_path.iterdir()) == [there]


def test_a_recording_without_a_frame_is_a_failure(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.gone()

    with (
        venue_in_a_thread(script) as venue,
        pytest.raises(NothingRecordedError, match="holds no frame") as told,
    ):
        record_now(venue, tmp_path / "a.jsonl")
    assert told.value.exit_code == 5


def test_a_venue_that_refuses_ends_it(tmp_path: Path) -> None:
    with (
        venue_in_a_thread(SCRIPT, refuse=lambda number: http_answer(HTTPStatus.FORBIDDEN)) as venue,
        pytest.raises(ConnectionRefusedForGood, match="HTTP 403"),
    ):
        record_now(venue, tmp_path / "a.jsonl")


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl"])
async def test_a_full_disk_leaves_all_that_came_before(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording_file, "BLOCK_BYTES", 1)
    room = 2_000
    real_write = os.write

    def write(fd: int, data: Any) -> int:
        nonlocal room
        if room <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = min(len(data), room)
        room -= taken
        return real_write(fd, bytes(data[:taken]))

    failed = asyncio.Event()
    path = tmp_path / name
    file = RecordingFile(path, failed.set)
    monkeypatch.setattr(recording_file.os, "write", write)
    number = 0
    async with asyncio.timeout(10):
        while not failed.is_set():
            file.add("recv", heartbeat(number, number), 10**18 + number)
            number += 1
            await asyncio.sleep(0.001)
    with pytest.raises(RecordingWriteError, match="No space left on device") as caught:
        await file.close()
    assert caught.value.exit_code == 74
    kept = [line.raw for line in read_recording(path)]
    assert 2 < len(kept) < number
    assert kept == [heartbeat(index, index) for index in range(len(kept))]
    assert path.stat().st_size == file.bytes_written


async def test_a_slow_disk_makes_the_venue_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording_file, "MOST_WAITING_BYTES", 100)
    monkeypatch.setattr(recording_file, "_FLUSH_S", 0.05)
    file = RecordingFile(tmp_path / "a.jsonl", lambda: None)
    file.add("recv", "x" * 200, 1)
    waiting = asyncio.create_task(file.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    async with asyncio.timeout(5):
        await waiting
    await file.close()


def test_an_interrupt_ends_it_cleanly(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    with venue_in_a_thread(SCRIPT) as venue:
        code = "from pinnacle_tui.cli_record import record; record()"
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path), "--endpoint", f"http://127.0.0.1:{venue.port}", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = threading.Event()
        while process.poll() is None and len(venue.peers) < 2:
            deadline.wait(0.02)
        deadline.wait(0.3)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=10)
    answer = json.loads(out)
    assert answer["connects"] == 2
    assert sum(1 for _ in read_recording(path)) == answer["lines"]


def test_the_command_tells_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with venue_in_a_thread(SCRIPT) as venue:
        result = CliRunner().invoke(
            command,
            [str(path), "--endpoint", f"http://127.0.0.1:{venue.port}", "--duration", "0.5"],
            standalone_mode=False,
        )
    assert result.exception is None
    assert f"{path}: " in result.stdout
    assert "pinnacle-tui inspect" in result.stdout
