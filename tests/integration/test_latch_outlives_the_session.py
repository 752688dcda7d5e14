"""A latch is a file beside the sessions: a new session does not step around it (trading states)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.config import load_config
from engine.core.clock import ManualClock
from engine.core.events import OperatorAction, Restraint
from engine.persistence.latch_file import NAME, LatchFile
from engine.risk.state import TradingState
from engine.runtime.builder import build_engine, build_market
from engine.runtime.engine import Engine
from engine.runtime.latch_keeper import LatchKeeper
from engine.runtime.observers import Observers


async def started(folder: Path, *, symbols: str = "BTC-USD") -> tuple[Engine, LatchKeeper]:
    config = load_config(env={}, flags={"engine.symbols": symbols}).config
    observers = Observers()
    engine = build_engine(config, build_market(config), ManualClock(), observers, status_interval_ns=10**9)
    keeper = LatchKeeper(engine, LatchFile(folder), "sim-btc-usd-0001")
    observers.add(keeper)
    await keeper.start()
    return engine, keeper


def states(engine: Engine) -> set[TradingState]:
    return {desk.trader.risk.effective for desk in engine.desks.values()}


async def test_a_kill_is_there_at_the_next_start_and_gone_after_a_rearm(tmp_path: Path) -> None:
    engine, keeper = await started(tmp_path)
    assert states(engine) == {TradingState.ACTIVE}
    engine.tell(None, OperatorAction.KILL, "a test")
    await keeper.stop()
    held = LatchFile(tmp_path).read()
    assert held is not None
    assert (held.state, held.session) == ("KILLED", "sim-btc-usd-0001")

    engine, keeper = await started(tmp_path, symbols="BTC-USD,ETH-USD")
    assert states(engine) == {TradingState.KILLED}
    engine.tell("BTC-USD", OperatorAction.REARM, "a test")
    await asyncio.sleep(0)
    assert (tmp_path / NAME).exists()  # the other product is latched still
    engine.tell("ETH-USD", OperatorAction.REARM, "a test")
    await keeper.stop()
    assert not (tmp_path / NAME).exists()

    engine, keeper = await started(tmp_path)
    assert states(engine) == {TradingState.ACTIVE}
    await keeper.stop()


async def test_a_halt_comes_back_as_a_halt(tmp_path: Path) -> None:
    engine, keeper = await started(tmp_path)
    engine.restrain("RECONCILE", Restraint.LATCHED, "two fills are missing")
    await keeper.stop()
    engine, keeper = await started(tmp_path)
    [latch] = engine.desks["BTC-USD"].trader.risk.restrictions()
    assert (latch.code, latch.state) == ("RECONCILE", TradingState.HALTED)
    assert "two fills are missing" in latch.reason
    await keeper.stop()


async def test_a_halt_that_becomes_a_kill_is_kept_as_a_kill(tmp_path: Path) -> None:
    engine, keeper = await started(tmp_path)
    engine.restrain("RECONCILE", Restraint.LATCHED, "a test")
    engine.tell(None, OperatorAction.KILL, "a test")
    await keeper.stop()
    held = LatchFile(tmp_path).read()
    assert held is not None
    assert held.state == "KILLED"


@pytest.mark.parametrize("content", [b"", b"{", b'{"state": "ACTIVE"}'])
async def test_a_damaged_file_counts_as_a_kill(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    engine, keeper = await started(tmp_path)
    assert states(engine) == {TradingState.KILLED}
    engine.tell(None, OperatorAction.REARM, "a person looked")
    await keeper.stop()
    assert not (tmp_path / NAME).exists()
