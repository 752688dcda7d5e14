"""Sessions of paper and live trading on the disk: killed, gone on with, verified, travelled through."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from decimal import Decimal
from typing import Any

import pytest
from engine_process import Engine, Machine, machine
from local_venue_process import VenueProcess, live_engine
from trader_bench import X, configured
from virtual_time import run_virtual

from engine.commands import journal_verify, replay
from engine.core.events import FeedState, FeedStatus, Recovered
from engine.exchange.coinbase.broker import Balance
from engine.exchange.live.balances import AccountCheck
from engine.exchange.live.upkeep import Upkeep
from engine.persistence.latch_file import ON_PAPER, Latch, LatchFile
from engine.persistence.reader import JournalReader
from engine.persistence.records import TYPES, decode
from engine.runtime.session_store import StoredSession, sessions

OFTEN = (
    *("--set", "persistence.snapshot_every=100", "--set", "persistence.snapshot_interval_s=1"),
    *("--set", "network.balance_interval_s=1", "--set", "persistence.digest_every=100"),
    *("--set", "strategy.base_spread_bps=5"),
)


@pytest.fixture
def here() -> Iterator[Machine]:
    with machine() as made:
        yield made


def engine_of(here: Machine, venue: VenueProcess, mode: str, *options: str) -> Engine:
    if mode == "live":
        return live_engine(here, venue, *options)
    asked = ("--mode", "paper", "--symbol", "BTC-USD", "--endpoint", venue.url)
    return Engine(here.start("--no-ui", "--json", *asked, *options))


def money_comes_and_is_accepted(here: Machine, venue: VenueProcess, engine: Engine) -> None:
    """Somebody deposits money: HALTED, until a person says that it is right."""
    venue.ask("deposits", {"currency": "USD", "amount": "500"})
    engine.read_until(
        lambda report: report.get("code") == "RECONCILE" and "the account holds" in report["text"]
    )
    engine.read_until(lambda report: report["type"] == "status" and not report["open_orders"])
    code, answer = here.ctl("rearm", "--confirm", "BTC-USD")
    assert code == 0, answer
    engine.read_until(lambda report: report.get("event") == "accepted")


def assert_the_book_of_before_is_not_believed(session: StoredSession) -> None:
    kinds = {TYPES[Recovered], TYPES[FeedStatus]}
    records = [each for each in JournalReader(str(session.path)).records() if each.kind in kinds]
    events = [decode(each.payload, each.seq) for each in records]
    number = next(number for number, event in enumerate(events) if isinstance(event, Recovered))
    told = events[number + 1]
    assert isinstance(told, FeedStatus)
    assert told.state is FeedState.STALE


@pytest.mark.parametrize("mode", ["live", pytest.param("paper", marks=pytest.mark.nightly)])
def test_a_killed_session_goes_on_and_every_state_of_it_is_computed_anew(here: Machine, mode: str) -> None:
    venue = VenueProcess(here, "--fees", "1,2")
    folder = here.folder / "state" / "pinnacle-tui" / "sessions"
    engine = engine_of(here, venue, mode, *OFTEN)
    engine.read_until(lambda report: report.get("event") == "accepted")
    code, answer = here.ctl("set", "strategy.levels=2")
    assert code == 0, answer
    if mode == "live":
        money_comes_and_is_accepted(here, venue, engine)
    [first] = sessions(folder)
    while not list(first.path.glob("snap-*")):
        engine.read_until(lambda report: report["type"] == "status")
    engine.process.kill()
    engine.process.wait()
    engine = engine_of(here, venue, mode, *OFTEN)
    engine.read_until(lambda report: report.get("code") == "RECOVERED")
    engine.read_until(lambda report: report.get("event") == "accepted")
    code, answer = here.ctl("set", "strategy.levels=2")
    assert answer["text"] == "strategy.levels is 2 already", "what is shown is what is in force"
    if mode == "live":
        for _ in range(4):  # balances have been compared, twice
            engine.read_until(lambda report: report["type"] == "status")
        assert "HALTED" not in {report["state"] for report in engine.of("status")}
    engine.process.send_signal(signal.SIGTERM)
    code, last = engine.end()
    assert code == 0, last
    assert not venue.open_orders()
    [session] = sessions(folder)
    assert session.name == first.name
    assert_the_book_of_before_is_not_believed(session)
    assert session.info.ended is not None
    anew = replay.verify(session.name, folder)
    assert anew["exit_code"] == 0, anew
    deep = journal_verify.verify(session.name, folder, is_deep=True)
    assert deep["exit_code"] == 0, deep
    assert deep["status"] == "clean"
    journal_verify.compute_anew(deep, session.name, folder)
    assert deep["exit_code"] == 0, deep
    assert deep["replay"]["first_divergence"] is None
    assert deep["replay"]["states"] > 0, deep["replay"]
    then = replay.state_at(session.name, folder, "1s")
    assert then["session"] == session.name


def test_a_rearm_on_paper_does_not_take_a_live_latch_back(here: Machine) -> None:
    venue = VenueProcess(here)
    folder = here.folder / "state" / "pinnacle-tui" / "sessions"
    folder.mkdir(parents=True, mode=0o700)
    LatchFile(folder).write(Latch("HALTED", "RECONCILE", "two fills are missing", 1, "live-btc-usd-0001"))
    engine = engine_of(here, venue, "paper")
    engine.read_until(lambda report: report.get("event") == "accepted")
    assert here.ctl("kill")[0] == 0
    assert here.ctl("rearm", "--confirm", "BTC-USD")[0] == 0
    engine.process.send_signal(signal.SIGTERM)
    assert engine.end()[0] == 0
    held = LatchFile(folder).read()
    assert held is not None
    assert held.state == "HALTED"
    assert LatchFile(folder, name=ON_PAPER).read() is None


# -- balances that products share ----------------------------------------------------------------------


class Shared:
    """An account whose quote currency another product trades in, too: its fills reach both sides late."""

    def __init__(self, steps: list[tuple[int, int]]) -> None:
        """By look, what the other product has earned by the venue's word and by the record: whole units."""
        self.steps = steps
        self.looks = 0
        self.halted: list[str] = []
        self.baseline = Decimal(1_000)

    @property
    def _now(self) -> tuple[int, int]:
        return self.steps[min(self.looks - 1, len(self.steps) - 1)]

    async def balances(self) -> dict[str, Balance]:
        self.looks += 1
        quote = self.baseline + self._now[0]
        return {X.quote: Balance(X.quote, quote, Decimal(0)), X.base: Balance(X.base, Decimal(0), Decimal(0))}

    @property
    def base_balance(self) -> int:
        return 0

    @property
    def quote_balance(self) -> int:
        return X.atoms_rounded(self.baseline + self._now[1])[0]

    def halt(self, what: str, reason: str) -> None:
        self.halted.append(reason)

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        if name == "balances":
            self.task = asyncio.create_task(work)
        else:
            work.close()

    async def watch(self) -> None:
        this: Any = self
        locked: Any = type("Never", (), {"is_locked": False})
        settings = configured(network__balance_interval_s=Decimal(1)).network
        drop_copy: Any = None
        upkeep = Upkeep(
            X,
            this,
            settings,
            AccountCheck(X, this),
            locked,
            drop_copy,
            this,
            lambda: Decimal(0),
            lambda: False,
        )
        upkeep.start(this)
        await asyncio.sleep(6)
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def test_fills_of_another_product_that_are_under_way_at_both_looks_are_no_difference() -> None:
    shared = Shared([(-5, 0), (-8, -5), (-8, -8)])
    run_virtual(shared.watch())
    assert shared.looks > 3
    assert not shared.halted


def test_money_that_is_missing_at_both_looks_is_one() -> None:
    shared = Shared([(0, 0), (-5, 0)])
    run_virtual(shared.watch())
    assert "the account holds 995" in shared.halted[0]
