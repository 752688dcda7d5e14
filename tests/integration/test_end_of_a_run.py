"""However a run ends, its consoles are told, its socket is gone, and what it did is in the output."""

from __future__ import annotations

import asyncio
import io
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from served_engine import short_folder, use_folder

from engine.commands import headless
from engine.config import Resolved, load_config
from engine.link.runtime_folder import claim, default_folder
from engine.runtime.engine import Engine
from engine.strategy.basic import BasicMarketMaker

SHORT = {"engine__speed": "max", "engine__duration_s": "2", "simulator__seed": "7"}


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with short_folder() as made:
        use_folder(monkeypatch, made)
        yield made


def resolved(**settings: str) -> Resolved:
    return load_config(
        None, {}, [f"{name.replace('__', '.')}={text}" for name, text in (SHORT | settings).items()]
    )


def run_headless(**settings: str) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, output and last words of a run in this process."""
    out, err = io.StringIO(), io.StringIO()
    code = headless.run(resolved(**settings), as_json=True, stdout=out, stderr=err)
    return code, [json.loads(line) for line in out.getvalue().splitlines()], err.getvalue()


def check_nothing_is_left() -> None:
    folder = default_folder()
    assert list(folder.glob("*.sock")) == []
    with claim(folder, "sim-btc-usd") as again:
        assert again.name == "sim-btc-usd", "its lock is still held"


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any) -> Any:
        raise error

    return fail


def test_a_run_that_raises_leaves_no_socket_behind(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(Engine, "run", raising(RuntimeError("a defect")))
    with pytest.raises(RuntimeError, match="a defect"):
        run_headless()
    check_nothing_is_left()


def test_a_summary_that_cannot_be_made_hides_neither_the_end_nor_its_code(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr(headless.status, "summary_report", raising(RuntimeError("a defect")))
    code, reports, err = run_headless()
    assert code == 1
    assert "summary" not in {report["type"] for report in reports}
    assert ("ended: the duration has passed; the summary could not be made (RuntimeError: a defect)\n") in err
    check_nothing_is_left()


def test_orders_that_may_be_open_are_listed_though_the_summary_cannot_be_made(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr(headless.status, "summary_report", raising(RuntimeError("a defect")))
    monkeypatch.setattr("engine.exchange.simulator.order_desk.OrderDesk.cancel", lambda *_: None)
    code, _, err = run_headless()
    assert code == 75
    assert err.count("possibly open: ") >= 6


async def test_a_console_is_told_of_an_inline_run_that_raises(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(Engine, "run", raising(RuntimeError("a defect")))
    with ours, pytest.raises(RuntimeError, match="a defect"):
        await headless.serve(resolved(), theirs)
    check_nothing_is_left()


async def test_a_service_that_cannot_start_leaves_no_socket_behind(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    ours, theirs = socket.socketpair()
    monkeypatch.setattr("engine.link.server.LinkServer.start", raising(OSError("no room")))
    with ours, pytest.raises(OSError, match="no room"):
        await headless.serve(resolved(), theirs)
    check_nothing_is_left()


async def test_an_inline_run_that_is_cancelled_leaves_no_socket_behind(folder: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await headless.serve(resolved(engine__speed="1"), theirs)
    check_nothing_is_left()


def test_fills_of_a_wake_up_that_fails_are_in_the_output(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """The strategy fails at the first decision after a fill, which is in the same wake-up."""
    decide = BasicMarketMaker.decide

    def fail_with_a_position(self: BasicMarketMaker, view: Any) -> Any:
        if view.position:
            raise RuntimeError("a defect")
        return decide(self, view)

    monkeypatch.setattr(BasicMarketMaker, "decide", fail_with_a_position)
    code, reports, _ = run_headless(
        engine__duration_s="60",
        strategy__base_spread_bps="2",
        strategy__min_spread_bps="1",
        simulator__taker_rate_per_min="240",
    )
    fills = [report for report in reports if report["type"] == "fill"]
    assert code == 1
    assert len(fills) == reports[-1]["fills"] > 0
    assert fills[-1]["position"] == reports[-1]["position"]


def test_an_end_asked_for_by_the_engine_itself_does_not_wait_for_a_reader_at_full_speed(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """The room for lines never comes, as with a reader that has stopped; then the owner's policy acts."""
    engines: list[Engine] = []
    build = headless.build_engine

    def keep(*arguments: Any, **options: Any) -> Engine:
        engines.append(build(*arguments, **options))
        return engines[-1]

    async def no_room(self: Any, stop: asyncio.Event) -> None:
        if engines[0].clock.monotonic_ns() >= 1_000_000_000:
            asyncio.get_running_loop().call_soon(engines[0].end, "the owner is gone", 0)
            await stop.wait()

    monkeypatch.setattr(headless, "build_engine", keep)
    monkeypatch.setattr(headless.LineWriter, "room", no_room)
    code, reports, _ = run_headless(engine__duration_s="60")
    assert code == 0
    assert reports[-1]["reason"] == "the owner is gone"
