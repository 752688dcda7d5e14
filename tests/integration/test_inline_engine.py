"""The engine on the console's own loop: same session, frames and trading; and what starts which engine."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from engine_process import Machine, machine

from engine.commands.headless import serve
from engine.config import FLAGS, Resolved, load_config
from engine.core.errors import UsageError
from engine.link.messages import CommandName, Role, Verdict
from engine.link.mirror import Pending
from pinnacle_tui import cli, cli_engines, launch
from pinnacle_tui.engine_host import EXIT_WITHOUT_PROOF, AttachedEngine, Ending
from pinnacle_tui.session import EngineSession


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    with machine() as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


def resolved(**flags: Any) -> Resolved:
    given = {"simulator.seed": "7", **{name.replace("__", "."): value for name, value in flags.items()}}
    overrides = [f"{key}={value}" for key, value in given.items() if key not in FLAGS]
    return load_config(None, {}, overrides, {key: given[key] for key in given if key in FLAGS})


def session(**flags: Any) -> EngineSession:
    return launch.inline_session(partial(serve, resolved(**flags)))


async def start(made: EngineSession) -> None:
    """Start, and wait for a view."""
    came = asyncio.Event()
    made.mirror.on_view = came.set
    await made.start()
    async with asyncio.timeout(20):
        await came.wait()


async def ask(made: EngineSession, name: CommandName) -> Pending:
    answered: asyncio.Future[Pending] = asyncio.get_running_loop().create_future()

    def note(pending: Pending) -> None:
        if pending.is_final:
            answered.set_result(pending)

    made.command(name, on_change=note)
    return await answered


async def test_a_whole_session_trades_what_a_headless_run_trades(here: Machine):
    flags = {
        "engine__duration_s": "30",
        "engine__speed": "max",
        "simulator__taker_rate_per_min": "600",
    }
    made, seen = session(**flags), list[int]()
    made.mirror.on_event = lambda event: seen.append(event.eseq)
    await made.start()
    async with asyncio.timeout(60):
        ending = await made.until_ended()
    assert ending == Ending(0, "the engine has ended: the duration has passed")
    assert seen == list(range(1, len(seen) + 1))
    assert len(made.mirror.fills) > 0
    bye = made.mirror.bye
    assert bye is not None
    await made.close()
    arguments = ["--no-ui", "--json", "--seed", "7", "--duration", "30", "--speed", "max"]
    arguments += ["--set", "simulator.taker_rate_per_min=600"]
    code, out, _ = await asyncio.to_thread(here.run, *arguments)
    summary = json.loads(out.splitlines()[-1])
    assert (code, bye.digests) == (0, {"BTC-USD": summary["digest"]})
    assert summary["fills"] == len(made.mirror.fills)


async def test_it_is_steered_and_stopped_over_the_same_link(here: Machine):
    made = session()
    await start(made)
    killed = await ask(made, CommandName.KILL)
    assert killed.ack is not None
    assert killed.ack.verdict is Verdict.DONE
    assert (await asyncio.to_thread(here.ctl, "status"))[1]["products"][0]["state"] == "KILLED"
    async with asyncio.timeout(20):
        await made.close()
    assert made.ending is not None
    assert made.ending.code == 0
    listed = (await asyncio.to_thread(here.run, "sessions"))[1].splitlines()
    assert listed[0] == "no engine runs"


async def test_ended_by_force_it_has_proven_nothing_and_lists_what_may_be_open(here: Machine):
    made = session()
    await start(made)
    made.host.insist(signal.SIGKILL)
    async with asyncio.timeout(20):
        ending = await made.until_ended()
    assert ending.code == EXIT_WITHOUT_PROOF
    bye = made.mirror.bye
    assert bye is not None
    assert (bye.exit_code, len(bye.open_orders)) == (EXIT_WITHOUT_PROOF, 6)
    await made.close()


async def test_an_engine_that_cannot_be_built_ends_with_one_sentence(here: Machine):
    made = session(engine__symbols=("NOPE-USD",))
    await made.start()
    async with asyncio.timeout(20):
        ending = await made.until_ended()
    assert (ending.code, "NOPE-USD" in ending.sentence) == (UsageError.exit_code, True)
    await made.close()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--inline", "--mode", "live"], "live trading does not run inside the screen's process"),
        (["--inline", "--no-ui"], "--inline is about the screen"),
        (["--owner-fd", "3"], "--owner-fd goes with --no-ui"),
        (["--json"], "--json goes with --no-ui"),
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    here: Machine,
    arguments: list[str],
    why: str,
):
    def started(*_: Any, **__: Any) -> int:
        raise AssertionError("it was started")

    refuse: Callable[..., int] = started
    monkeypatch.setattr(cli, "require_terminal", lambda: None)
    for name in ("run_inline", "run_console"):
        monkeypatch.setattr(launch, name, refuse)
    assert cli.main(arguments) == 2
    assert why in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_an_engine_that_cannot_be_started_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], here: Machine
):
    monkeypatch.setattr(cli, "require_terminal", lambda: None)
    monkeypatch.setattr("sys.executable", str(here.folder / "no python"))
    assert cli.main([]) == 1
    said = "pinnacle-tui: the engine cannot be started: No such file or directory; nothing was traded\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("arguments", "role", "may_kill"),
    [([], Role.CONTROL, True), (["--read-only"], Role.VIEW, False)],
)
def test_attach_asks_for_what_it_may(
    monkeypatch: pytest.MonkeyPatch, here: Machine, arguments: list[str], role: Role, may_kill: bool
):
    asked: list[tuple[object, ...]] = []

    def run(host: AttachedEngine, resolved: Resolved, role: Role, *, may_kill: bool) -> int:
        asked.append((host.path.name, role, may_kill))
        return 0

    monkeypatch.setattr(cli_engines, "require_terminal", lambda: None)
    monkeypatch.setattr(launch, "_run", run)
    here.engine()
    assert cli.main(["attach", "sim-btc-usd", *arguments]) == 0
    assert asked == [("sim-btc-usd.sock", role, may_kill)]


def test_attach_without_such_an_engine_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], here: Machine
):
    monkeypatch.setattr(cli_engines, "require_terminal", lambda: None)
    assert cli.main(["attach", "sim-btc-usd"]) == 2
    assert "no engine named sim-btc-usd runs" in capsys.readouterr().err
