"""Analytics of whole runs: they agree with the ledger, look the same in the past, and are saved whole."""

from __future__ import annotations

import random

import msgspec
import pytest
from console.analytics_views import analytics, view_with
from session_kit import record_session

from engine.link.analytics import Analytics
from engine.link.event_log import EventLog
from engine.runtime.analytics_view import analytics_of
from engine.runtime.desk import Desk
from engine.runtime.playback import Playback
from engine.runtime.playback_index import Stage
from engine.runtime.recorded_session import RecordedSession, open_recorded
from engine.runtime.replayer import take_apart
from engine.runtime.view_events import EventTeller
from engine.runtime.watcher import DeskWatcher, WatcherState

BUSY = ("strategy.base_spread_bps=2", "strategy.min_spread_bps=1", "simulator.taker_rate_per_min=240")
PRODUCTS = ("BTC-USD", "ETH-USD")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> RecordedSession:
    folder = tmp_path_factory.mktemp("s") / "sessions"
    return open_recorded(record_session(folder, *BUSY, symbols=",".join(PRODUCTS)))


def told(desk: Desk) -> Analytics:
    return analytics_of(desk.watcher.analytics, desk.trader.instrument)


def test_they_agree_with_the_accounts_after_every_wake_up(recorded: RecordedSession) -> None:
    stage = Stage(recorded, EventTeller(EventLog().publish))
    fills = 0
    for batch in recorded.batches():
        parts = take_apart(batch)
        stage.show(parts)
        if not parts.events:
            continue
        desk = stage.desks[parts.product]
        totals, ledger = desk.watcher.analytics.totals(), desk.trader.ledger
        assert (totals.fills, totals.captured, totals.revaluation, totals.fees) == (
            ledger.fill_count,
            ledger.captured,
            ledger.revaluation,
            ledger.fees,
        )
        fills = max(fills, totals.fills)
    assert fills > 20


def test_the_past_has_the_analytics_of_its_moment(recorded: RecordedSession) -> None:
    stage = Stage(recorded, EventTeller(EventLog().publish))
    seen: list[tuple[int, str, Analytics]] = []
    for number, batch in enumerate(recorded.batches()):
        parts = take_apart(batch)
        stage.show(parts)
        if parts.events and number % 40 == 0:
            seen.append((parts.seq, parts.product, told(stage.desks[parts.product])))
    playback = Playback(recorded, EventLog())
    while not playback.index.is_read:
        playback.index.read(1_000)
    for seq, product, then in random.Random(3).sample(seen, 15):
        playback.go_to(playback.index.position_of_seq(seq))
        desk = next(desk for desk in playback.desks if desk.product == product)
        assert told(desk) == then
    groups = seen[-1][2].groups
    assert {group.kind for group in groups} == {"total", "side", "level", "age"}


def test_what_a_watcher_saves_is_all_of_it(recorded: RecordedSession) -> None:
    stage = Stage(recorded, EventTeller(EventLog().publish))
    for batch in recorded.batches():
        stage.show(take_apart(batch))
    for desk in stage.desks.values():
        state = desk.watcher.save()
        body = msgspec.msgpack.encode(state)
        fresh = DeskWatcher(desk.trader, desk.venue)
        fresh.load(msgspec.msgpack.decode(body, type=WatcherState))
        assert fresh.save() == state
        assert analytics_of(fresh.analytics, desk.trader.instrument) == told(desk)


def test_older_consoles_and_engines_understand_a_view_without_them() -> None:
    class Old(msgspec.Struct, frozen=True):
        symbol: str

    (product,) = view_with(analytics=analytics()).products
    body = msgspec.msgpack.encode(product)
    assert msgspec.msgpack.decode(body, type=Old).symbol == "BTC-USD"
    plain = msgspec.msgpack.decode(body)
    del plain["analytics"]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(plain), type=type(product)).analytics is None
