"""Analytics of whole runs: they agree with the ledger, look the same in the past, and are saved whole."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest
from console.analytics_views import analytics, view_with
from session_kit import altered, record_session

from engine.config import load_config
from engine.core.clock import SystemClock
from engine.link.analytics import Analytics
from engine.link.event_log import EventLog
from engine.persistence.records import SessionEnded, decode
from engine.persistence.scanner import Record
from engine.runtime.analytics_view import analytics_of
from engine.runtime.desk import Desk
from engine.runtime.playback import Playback
from engine.runtime.playback_index import Stage
from engine.runtime.recorded_session import RecordedSession, open_recorded
from engine.runtime.replayer import take_apart
from engine.runtime.session import open_session
from engine.runtime.session_store import StoredSession, write
from engine.runtime.view_events import EventTeller
from engine.runtime.watcher import DeskWatcher, WatcherState

BUSY = ("strategy.base_spread_bps=2", "strategy.min_spread_bps=1", "simulator.taker_rate_per_min=240")
PRODUCTS = ("BTC-USD", "ETH-USD")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> RecordedSession:
    folder = tmp_path_factory.mktemp("s") / "sessions"
    given = (*BUSY, "persistence.snapshot_every=400")
    return open_recorded(record_session(folder, *given, symbols=",".join(PRODUCTS)))


def told(desk: Desk) -> Analytics:
    return analytics_of(desk.watcher.analytics, desk.trader.ledger)


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
        assert analytics_of(fresh.analytics, desk.trader.ledger) == told(desk)


def killed(recorded: RecordedSession, folder: Path) -> StoredSession:
    """A copy of a session whose engine never said that it had ended."""

    def change(record: Record) -> bytes | None:
        return None if isinstance(decode(record.payload, record.seq), SessionEnded) else record.payload

    folder.mkdir(mode=0o700)
    session = altered(recorded.session, folder / recorded.session.name, change)
    return write(session.path, msgspec.structs.replace(session.info, ended=None))


@pytest.mark.parametrize("is_saved", [True, False], ids=["from a saved state", "from its records"])
def test_an_engine_that_goes_on_after_a_crash_knows_what_it_knew(
    recorded: RecordedSession, tmp_path: Path, is_saved: bool
) -> None:
    session = killed(recorded, tmp_path / "sessions")
    for path in session.path.glob("snap-*.psn"):
        if not is_saved:
            path.unlink()
    stage = Stage(open_recorded(session), EventTeller(EventLog().publish))
    for batch in open_recorded(session).batches():
        stage.show(take_apart(batch))
    here = (f"persistence.data_dir={session.path.parent}", "simulator.seed=7")
    settings = {name: text for name, text in session.info.settings.items() if name != "persistence.data_dir"}
    resolved = load_config(None, {}, (*(f"{name}={text}" for name, text in settings.items()), *here))
    kept = open_session(resolved, SystemClock(), is_new=False)
    assert kept.report is not None
    assert (kept.report.snapshot_seq is not None) is is_saved
    assert kept.report.events > 20
    for desk in kept.market.desks:
        before = stage.desks[desk.product]
        assert told(desk).groups[0].fills > 10
        assert told(desk).residual == 0
        assert told(desk) == told(before)
        assert desk.watcher.save().analytics == before.watcher.save().analytics
        assert desk.watcher.save().markouts == before.watcher.save().markouts


def test_older_consoles_and_engines_understand_a_view_without_them() -> None:
    class Old(msgspec.Struct, frozen=True):
        symbol: str

    (product,) = view_with(analytics=analytics()).products
    body = msgspec.msgpack.encode(product)
    assert msgspec.msgpack.decode(body, type=Old).symbol == "BTC-USD"
    plain = msgspec.msgpack.decode(body)
    del plain["analytics"]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(plain), type=type(product)).analytics is None
