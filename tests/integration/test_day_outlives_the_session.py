"""The loss of a day is counted on by the next session of that day (R9)."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from engine.config import load_config
from engine.core.clock import ManualClock
from engine.core.ledger import DAY_NS
from engine.persistence.day_file import NAME, Day, DayFile
from engine.persistence.disk import Disk
from engine.persistence.errors import JournalError
from engine.risk.state import TradingState
from engine.runtime.builder import build_engine, build_market
from engine.runtime.day_keeper import DayKeeper
from engine.runtime.engine import Engine
from engine.runtime.observers import Observers


async def started(folder: Path, session: str, **options: Any) -> tuple[Engine, DayKeeper]:
    overrides = [f"{key}={value}" for key, value in options.items()]
    config = load_config(env={}, overrides=["engine.duration_s=20", "engine.speed=max", *overrides]).config
    observers = Observers()
    engine = build_engine(config, build_market(config), ManualClock(), observers, status_interval_ns=10**9)
    keeper = DayKeeper(engine, DayFile(folder), session)
    observers.add(keeper)
    await keeper.start()
    return engine, keeper


def today(engine: Engine) -> int:
    return engine.clock.wall_ns() // DAY_NS


async def test_what_a_session_has_earned_is_kept_and_carried_into_the_next_of_the_day(tmp_path: Path) -> None:
    engine, keeper = await started(tmp_path, "one")
    await engine.run()
    trader = engine.desks["BTC-USD"].trader
    profit = trader.ledger.profit
    await keeper.stop()
    assert profit is not None
    assert trader.ledger.fill_count > 0
    kept = DayFile(tmp_path).read()
    assert kept == Day(today(engine), {"one": {"BTC-USD": trader.instrument.money_text(profit)}})

    engine, keeper = await started(tmp_path, "two")
    guard = engine.desks["BTC-USD"].trader.guard
    assert guard.day_profit(trader.instrument.atoms(1_000_000)) == profit
    await keeper.stop()

    engine, keeper = await started(tmp_path, "one")  # the session itself goes on: its own accounts know
    assert engine.desks["BTC-USD"].trader.guard.day_profit(trader.instrument.atoms(1_000_000)) == 0
    await keeper.stop()


@pytest.mark.parametrize(("lost", "state"), [("249.9", TradingState.ACTIVE), ("250", TradingState.HALTED)])
async def test_a_new_session_halts_at_once_where_the_day_has_lost_enough(
    tmp_path: Path, lost: str, state: TradingState
) -> None:
    options: dict[str, Any] = {"risk.max_daily_loss": 250, "engine.duration_s": 0.2}
    engine, _ = await started(tmp_path, "probe")
    DayFile(tmp_path).write(
        Day(today(engine), {"one": {"BTC-USD": "-200"}, "two": {"BTC-USD": f"-{float(lost) - 200}"}})
    )
    engine, keeper = await started(tmp_path, "three", **options)
    await engine.run()
    assert engine.desks["BTC-USD"].trader.risk.effective is state
    await keeper.stop()


@pytest.mark.parametrize(("lost", "quotes"), [("-99.9", True), ("-100", False)])
async def test_a_loss_of_products_that_are_not_traded_now_halts_all_before_the_first_order(
    tmp_path: Path, lost: str, quotes: bool
) -> None:
    options: dict[str, Any] = {
        "engine.symbols": "BTC-USD,ETH-USD",
        "portfolio.max_daily_loss": 100,
        "engine.duration_s": 2,
    }
    engine, _ = await started(tmp_path, "probe", **options)
    kept = {"one": {"SOL-USD": "-60", "BTC-EUR": "-500"}, "two": {"LTC-USD": str(float(lost) + 60)}}
    DayFile(tmp_path).write(Day(today(engine), kept))
    engine, keeper = await started(tmp_path, "three", **options)
    await engine.run()
    traders = [desk.trader for desk in engine.desks.values()]
    assert [trader.risk.effective.name for trader in traders] == ["ACTIVE" if quotes else "HALTED"] * 2
    assert [trader.quote_count > 0 for trader in traders] == [quotes] * 2
    await keeper.stop()


async def test_another_days_loss_is_not_carried(tmp_path: Path) -> None:
    engine, keeper = await started(tmp_path, "probe")
    await keeper.stop()
    DayFile(tmp_path).write(Day(today(engine) - 1, {"one": {"BTC-USD": "-1000"}}))
    engine, keeper = await started(tmp_path, "two")
    assert engine.desks["BTC-USD"].trader.guard.day is None
    await keeper.stop()


async def test_engines_that_share_a_folder_keep_each_others_losses(tmp_path: Path) -> None:
    engine, keeper = await started(tmp_path, "one")
    _, other = await started(tmp_path, "two")
    await engine.run()
    await keeper.stop()
    DayFile(tmp_path).keep("three", today(engine), {"ETH-USD": "-70"})
    keeper._kept = None  # whatever it had kept: it writes once more
    await keeper.stop()
    await other.stop()
    kept = DayFile(tmp_path).read()
    assert kept is not None
    assert kept.profits["three"] == {"ETH-USD": "-70"}
    assert "BTC-USD" in kept.profits["one"]


async def test_a_product_that_has_not_begun_the_day_adds_nothing_of_yesterday_to_it(tmp_path: Path) -> None:
    engine, keeper = await started(tmp_path, "one", **{"engine.symbols": "BTC-USD,ETH-USD"})
    await engine.run()
    guards = [desk.trader.guard for desk in engine.desks.values()]
    guards[0].carry(today(engine) + 1, 0)
    guards[0].check(
        equity=None, last_equity=0, position=0, open_cost=0, unrealised=None, day_volume=0,
        day=today(engine) + 1, now_ns=0,
    )  # fmt: skip
    await keeper.stop()
    kept = DayFile(tmp_path).read()
    assert kept is not None
    assert (kept.day, list(kept.profits["one"])) == (today(engine) + 1, ["BTC-USD"])


async def test_a_day_to_come_halts_until_a_person_has_looked(tmp_path: Path) -> None:
    """The clock was set back: what was lost then may well be today's."""
    engine, keeper = await started(tmp_path, "probe")
    await keeper.stop()
    DayFile(tmp_path).write(Day(today(engine) + 1, {"one": {"BTC-USD": "-1000"}}))
    engine, keeper = await started(tmp_path, "two")
    restriction = engine.desks["BTC-USD"].trader.risk.latched
    assert restriction is not None
    assert restriction.code == "DAY_FILE"
    await engine.run()
    await keeper.stop()
    kept = DayFile(tmp_path).read()
    assert kept is not None
    assert kept.day == today(engine) + 1


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"\xff", b'{"day": 1, "profits": 3}', b'{"day": 1, "profits": {"a": {"BTC-USD": "NaN"}}}'],
)
async def test_a_damaged_file_halts_until_a_person_has_looked(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    engine, keeper = await started(tmp_path, "one")
    restriction = engine.desks["BTC-USD"].trader.risk.latched
    assert restriction is not None
    assert (restriction.state, restriction.code) == (TradingState.HALTED, "DAY_FILE")
    await engine.run()
    await keeper.stop()
    assert (tmp_path / f"{NAME}.damaged").read_bytes() == content
    assert DayFile(tmp_path).read() is not None


class _Locked(Disk):
    """A disk on which a lock cannot be had, for a reason."""

    def __init__(self, error: OSError) -> None:
        self.error = error
        self.asked = 0

    def lock(self, descriptor: int) -> None:
        self.asked += 1
        raise self.error


def test_a_lock_that_fails_is_told_at_once(tmp_path: Path) -> None:
    disk = _Locked(OSError(errno.EIO, "I/O error"))
    with pytest.raises(JournalError, match="cannot be written: I/O error"):
        DayFile(tmp_path, disk).keep("one", 1, {"BTC-USD": "-5"})
    assert disk.asked == 1, "only a lock that another engine holds is worth waiting for"
