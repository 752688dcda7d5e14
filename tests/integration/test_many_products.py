"""Several products in one engine: none of them depends on another, but for the limits over all of them."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from trader_bench import D, configured

from engine.commands import headless
from engine.commands.replay import verify
from engine.config import load_config
from engine.core.clock import ManualClock, SystemClock
from engine.core.events import (
    Alert,
    AnyCommand,
    BookUpdate,
    CancelOrder,
    EdgeStatus,
    FeedState,
    FeedStatus,
    MarketEvent,
    OperatorAction,
    OrderEvent,
    SubmitOrder,
    Timer,
)
from engine.core.order import BUY
from engine.exchange.protocol import Feed, Venue
from engine.persistence.reader import JournalReader
from engine.runtime.builder import Market, build_engine, build_market
from engine.runtime.desk import Desk
from engine.runtime.engine import Engine
from engine.runtime.observers import WakeUp
from engine.runtime.session_snapshots import SessionSnapshots
from engine.runtime.session_store import sessions
from engine.strategy.plugin import GuardedStrategy
from engine.strategy.protocol import MarketView, Strategy

S = 1_000_000_000
BTC, ETH = "BTC-USD", "ETH-USD"
BUSY: dict[str, Any] = {
    "strategy__base_spread_bps": D(2),
    "strategy__min_spread_bps": D(1),
    "simulator__taker_rate_per_min": 240.0,
    "engine__duration_s": D(12),
    "engine__speed": "max",
    "engine__symbols": (BTC, ETH),
}
Meddle = Callable[[Engine, Market], None]


class Watcher:
    """By product, what was sent and how often it was woken; `meddle` is called at every wake-up."""

    def __init__(self) -> None:
        self.commands: dict[str, list[AnyCommand]] = {BTC: [], ETH: []}
        self.wake_ups = {BTC: 0, ETH: 0}
        self.order: list[tuple[int, str]] = []
        self.meddle: Callable[[str, int], None] = lambda product, now_ns: None

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        self.commands[desk.product] += wake.commands
        # At the end all wait until the last of them has the proof that nothing is open.
        self.wake_ups[desk.product] += wake.events[-1].recv_ns < 12 * S
        self.order.append((wake.events[-1].recv_ns, desk.product))

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None:
        pass

    def on_status(self, now_ns: int) -> None:
        pass


async def traded(meddle: Meddle = lambda engine, market: None, **changes: Any) -> tuple[Market, Watcher]:
    config = configured(**BUSY | changes)
    market, watcher = build_market(config), Watcher()
    engine = build_engine(config, market, SystemClock(), watcher, status_interval_ns=S)
    meddle(engine, market)
    outcome = await engine.run()
    assert outcome.exit_code == 0, outcome
    return market, watcher


def the_other(market: Market) -> Desk:
    return next(desk for desk in market.desks if desk.product == ETH)


def at(moment_ns: int, do: Callable[[Engine], object]) -> Meddle:
    """Do something once, as soon as that much engine time has passed."""

    def meddle(engine: Engine, market: Market) -> None:
        is_done = False

        def after_step() -> None:
            nonlocal is_done
            if not is_done and engine.clock.monotonic_ns() >= moment_ns:
                is_done = True
                do(engine)

        engine.after_step = after_step

    return meddle


class Changed:
    """A feed whose events are others than they were."""

    def __init__(self, feed: Feed, change: Callable[[list[MarketEvent]], list[MarketEvent]]) -> None:
        self._feed = feed
        self._change = change

    def __getattr__(self, name: str) -> Any:
        return getattr(self._feed, name)

    def poll(self, now_ns: int) -> list[MarketEvent]:
        return self._change(self._feed.poll(now_ns))


def changed(change: Callable[[list[MarketEvent]], list[MarketEvent]]) -> Meddle:
    def meddle(engine: Engine, market: Market) -> None:
        desk = the_other(market)
        feed: Any = Changed(desk.feed, change)  # type: ignore[arg-type]
        engine._market_data._feeds = [feed if each is desk.feed else each for each in market.feeds]
        desk.feed = feed

    return meddle


def flooded(events: list[MarketEvent]) -> list[MarketEvent]:
    """Every change of the book 200 times."""
    return [event for each in events for event in [each] * (200 if isinstance(each, BookUpdate) else 1)]


def stale(events: list[MarketEvent]) -> list[MarketEvent]:
    """A book that is never believed."""
    return [
        FeedStatus(each.product, each.recv_ns, each.wall_ns, FeedState.STALE, "a gap")
        if isinstance(each, FeedStatus)
        else each
        for each in events
    ]


def silent(events: list[MarketEvent]) -> list[MarketEvent]:
    return []


class Raising:
    """A strategy of others that fails whenever it is asked."""

    def __init__(self, inner: Strategy) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def decide(self, view: MarketView) -> None:
        raise ZeroDivisionError("a plugin of somebody")


def raising(engine: Engine, market: Market) -> None:
    trader = the_other(market).trader
    trader.strategy = GuardedStrategy("somebodys", Raising(trader.strategy))  # type: ignore[arg-type]


class Late:
    """A venue that answers so much later."""

    def __init__(self, venue: Venue, late_ns: int) -> None:
        self._venue = venue
        self._late_ns = late_ns
        self._waiting: list[tuple[int, OrderEvent]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._venue, name)

    def poll(self, now_ns: int) -> list[OrderEvent]:
        self._waiting += [(now_ns + self._late_ns, answer) for answer in self._venue.poll(now_ns)]
        come = [answer for due, answer in self._waiting if due <= now_ns]
        self._waiting = [each for each in self._waiting if each[0] > now_ns]
        return [msgspec.structs.replace(answer, recv_ns=now_ns) for answer in come]

    def next_due_ns(self) -> int | None:
        due = [each[0] for each in self._waiting]
        inner = self._venue.next_due_ns()
        return min(due if inner is None else [*due, inner], default=None)


def late(engine: Engine, market: Market) -> None:
    desk = the_other(market)
    desk.venue = Late(desk.venue, 800_000_000)  # type: ignore[assignment]


MEDDLING: dict[str, Meddle] = {
    "killed": at(5 * S, lambda engine: engine.tell(ETH, OperatorAction.KILL, "test")),
    "paused": at(5 * S, lambda engine: engine.tell(ETH, OperatorAction.PAUSE, "test")),
    "flattened": at(5 * S, lambda engine: engine.tell(ETH, OperatorAction.FLATTEN, "test")),
    "flooded": changed(flooded),
    "stale": changed(stale),
    "silent": changed(silent),
    "its strategy raises": raising,
    "its venue is slow": late,
}


@cache
def _kept() -> dict[str, Any]:
    return {}


async def plain() -> tuple[Market, Watcher]:
    if "run" not in _kept():
        _kept()["run"] = await traded()
    run: tuple[Market, Watcher] = _kept()["run"]
    return run


@pytest.mark.parametrize("what", MEDDLING)
async def test_what_befalls_one_product_changes_nothing_of_another(what: str) -> None:
    _, undisturbed = await plain()
    _, watcher = await traded(MEDDLING[what])
    assert watcher.commands[BTC] == undisturbed.commands[BTC]
    assert len(watcher.commands[BTC]) > 100
    assert watcher.commands[ETH] != undisturbed.commands[ETH] or what == "flooded"


async def test_a_product_alone_trades_as_it_does_beside_another() -> None:
    _, beside = await plain()
    market, alone = await traded(engine__symbols=(BTC,))
    assert alone.commands[BTC] == beside.commands[BTC]
    assert alone.wake_ups[BTC] == beside.wake_ups[BTC], "it is asked at its own ticks alone"
    assert market.desks[0].trader.ledger.fill_count > 3


class Slow(Raising):
    """A strategy that thinks for so long that everybody else waits."""

    def __init__(self, inner: Strategy, clock: ManualClock, thinks_ns: int) -> None:
        super().__init__(inner)
        self._clock = clock
        self._thinks_ns = thinks_ns

    def decide(self, view: MarketView) -> Any:
        self._clock.advance(self._thinks_ns)
        return self._inner.decide(view)


def slow_engine(thinks_ns: int, *symbols: str) -> tuple[Engine, Market, Watcher]:
    """An engine in a market that waits for nobody, on a clock that moves by thinking alone."""
    real = ManualClock()
    config = configured(**BUSY | {"engine__symbols": symbols})
    market, watcher = build_market(config), Watcher()
    engine = Engine(
        market.desks, market.feeds, ManualClock(), real, watcher,
        speed=None, timer_interval_ns=100_000_000, status_interval_ns=S, is_live=True,
    )  # fmt: skip
    desk = next(desk for desk in market.desks if desk.product == ETH)
    desk.trader.strategy = Slow(desk.trader.strategy, real, thinks_ns)  # type: ignore[assignment]
    return engine, market, watcher


def held(market: Market) -> dict[str, str]:
    """By product, what holds it, and what of."""
    return {
        desk.product: ",".join(each.code for each in desk.trader.risk.restrictions()) for desk in market.desks
    }


@pytest.mark.parametrize(("thinks_ms", "is_held"), [(99, False), (100, True)])
def test_a_product_that_keeps_the_others_waiting_is_paused(thinks_ms: int, is_held: bool) -> None:
    engine, market, watcher = slow_engine(thinks_ms * 1_000_000, BTC, ETH)
    begun = None
    for number in range(30):
        engine._step(number * 100_000_000)
        begun = begun or (number if held(market)[ETH] else None)
    assert held(market) == {BTC: "", ETH: "SLOW" if is_held else ""}
    if not is_held:
        return
    [hold] = the_other(market).trader.risk.restrictions()
    assert hold.reason == (
        "ETH-USD took 100 ms to decide, 100 ms or more for the 3rd time within 10 s: the other products wait "
        "for it"
    )
    assert begun is not None
    sent = [command for command in watcher.commands[ETH] if isinstance(command, SubmitOrder)]
    assert all(command.created_ns <= begun * 100_000_000 for command in sent)
    assert engine.tell(ETH, OperatorAction.RESUME, "test")[ETH].is_taken
    assert held(market)[ETH] == ""


def test_alone_it_keeps_nobody_waiting() -> None:
    engine, market, _ = slow_engine(S, ETH)
    for number in range(30):
        engine._step(number * 100_000_000)
    assert held(market) == {ETH: ""}


async def test_the_desk_with_the_least_to_do_works_first() -> None:
    config = configured(**BUSY)
    market, watcher = build_market(config), Watcher()
    engine = build_engine(config, market, SystemClock(), watcher, status_interval_ns=S)
    eth, btc = the_other(market), market.desks[0]
    for desk, count in ((btc, 50), (eth, 1)):
        for _ in range(count):
            desk.market_events.push(BookUpdate(desk.product, 0, 0, [], []))
    engine._step(0)
    assert [product for _, product in watcher.order] == [ETH, BTC]


# -- limits over all products --------------------------------------------------------------------


def run(
    data_dir: Path, *overrides: str, seconds: int = 30, told: io.StringIO | None = None
) -> tuple[int, str]:
    given = (
        "engine.speed=max", f"engine.duration_s={seconds}", "simulator.seed=7",
        f"engine.symbols={BTC},{ETH}", "strategy.base_spread_bps=2", "strategy.min_spread_bps=1",
        "simulator.taker_rate_per_min=240", f"persistence.data_dir={data_dir}", *overrides,
    )  # fmt: skip
    errors, out = io.StringIO(), told or io.StringIO()
    resolved = load_config(None, {}, given)
    return headless.run(resolved, as_json=True, stdout=out, stderr=errors), errors.getvalue()


def test_a_loss_of_all_halts_all_and_the_record_says_why(tmp_path: Path) -> None:
    assert run(tmp_path, "portfolio.max_daily_loss=0.5")[0] == 0
    [session] = sessions(tmp_path)
    events = [entry.value for batch in JournalReader(str(session.path)).batches() for entry in batch]
    halted = [event for event in events if isinstance(event, EdgeStatus)]
    assert [(event.product, event.code) for event in halted] == [
        (BTC, "PORTFOLIO_LOSS"),
        (ETH, "PORTFOLIO_LOSS"),
    ]
    behind = events[events.index(halted[0]) :]
    assert not any(isinstance(event, SubmitOrder) for event in behind)
    assert any(isinstance(event, CancelOrder) for event in behind)
    assert any(isinstance(event, Timer) for event in behind), "it was halted in the middle of the run"
    answer = verify(session.name, tmp_path)
    assert answer["first_divergence"] is None, "what was told to the Traders is all that a replay needs"
    assert answer["digest_replayed"] == session.info.ended.digests  # type: ignore[union-attr]


def test_a_latch_of_all_outlives_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = io.StringIO()
    _crashed(tmp_path, monkeypatch, 900, "portfolio.max_daily_loss=0.5")
    code, errors = run(tmp_path / "image", "portfolio.max_daily_loss=0.5", seconds=1, told=told)
    assert code == 0, errors
    reports = [json.loads(line) for line in told.getvalue().splitlines()]
    states = {report["product"]: report["state"] for report in reports if report["type"] == "summary"}
    assert states == {BTC: "HALTED", ETH: "HALTED"}


@pytest.mark.parametrize("steps", [40, 500])
def test_a_session_of_two_products_goes_on_after_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    _crashed(tmp_path, monkeypatch, steps, "persistence.snapshot_every=400", "persistence.digest_every=100")
    code, errors = run(tmp_path / "image", seconds=3)
    assert code == 0, errors
    assert "goes on" in errors
    [session] = sessions(tmp_path / "image")
    answer = verify(session.name, tmp_path / "image")
    assert answer["first_divergence"] is None


def _crashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int, *overrides: str) -> None:
    """What kill -9 leaves after so many steps, under `image`."""
    count, after_step = 0, SessionSnapshots.after_step

    def copied(saver: SessionSnapshots) -> None:
        nonlocal count
        after_step(saver)
        count += 1
        if count == steps:
            [session] = sessions(tmp_path / "sessions")
            _copied(session.path, tmp_path / "image" / session.name)

    with monkeypatch.context() as patched:
        patched.setattr(SessionSnapshots, "after_step", copied)
        code, errors = run(tmp_path / "sessions", *overrides)
        assert code == 0, errors
    assert (tmp_path / "image").exists()


def _copied(folder: Path, to: Path) -> None:
    """A copy of a folder; where a file went away meanwhile, another one."""
    while True:
        try:
            shutil.copytree(folder, to)
        except shutil.Error:
            shutil.rmtree(to)
        else:
            return


def test_the_totals_are_told_with_every_status(tmp_path: Path) -> None:
    told = io.StringIO()
    assert run(tmp_path, "persistence.journal=false", seconds=10, told=told)[0] == 0
    reports = [json.loads(line) for line in told.getvalue().splitlines()]
    totals = [report for report in reports if report["type"] == "portfolio"]
    statuses = [report for report in reports if report["type"] == "status"]
    assert 2 * len(totals) == len(statuses) > 10
    last = totals[-1]
    own = [report for report in statuses if report["time_ns"] == last["time_ns"]]
    assert D(last["equity_change"]) == sum(D(report["equity_change"]) for report in own)
    assert last["open_orders"] == sum(report["open_orders"] for report in own) > 0
    assert last["products"] == [BTC, ETH]
    assert 0 < D(last["gross_notional"]) < D(last["max_gross_notional"])


def test_one_product_tells_no_totals(tmp_path: Path) -> None:
    told = io.StringIO()
    assert run(tmp_path, "persistence.journal=false", f"engine.symbols={BTC}", seconds=2, told=told)[0] == 0
    assert '"type":"status"' in told.getvalue()
    assert '"type":"portfolio"' not in told.getvalue()


def test_what_is_bought_for_one_product_never_takes_the_money_of_another(tmp_path: Path) -> None:
    """Both together may spend what the account has, each its own half, exactly."""
    told = io.StringIO()
    keys = ("persistence.journal=false", "engine.opening_quote_balance=2000", "risk.risk_capital=1000")
    assert run(tmp_path, *keys, seconds=10, told=told)[0] == 0
    reports = [json.loads(line) for line in told.getvalue().splitlines()]
    sent = [each for each in reports if each.get("event") == "submitted" and each["side"] == BUY.word]
    assert {each["product"] for each in sent} == {BTC, ETH}
    assert all(D(each["price"]) * D(each["size"]) <= 1_000 for each in sent)
    denied = {each["product"]: each["denied"] for each in reports if each["type"] == "summary"}
    assert denied[BTC]["EXPOSURE"] > 0, "half of the money is enough for one of its three bids"
