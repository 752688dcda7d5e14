"""The past as it was: what is shown of a moment is what was shown then, however it is come to."""

from __future__ import annotations

import asyncio
import io
import json
import random
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from link_kit import hello_of
from playback_kit import Talk, read
from session_kit import altered, record_session, rewritten

import pinnacle_tui.cli as command_line
import pinnacle_tui.cli_replay as cli_replay
from engine.commands import headless
from engine.commands import replay as past
from engine.commands.replay import state_at, verify
from engine.config import load_config
from engine.core.clock import ManualClock, SystemClock
from engine.core.errors import UsageError
from engine.core.events import Alert, Timer
from engine.link.event_log import EventLog
from engine.link.events import AnyEngineEvent
from engine.link.messages import Bye, Command, CommandName, Role, Verdict
from engine.link.view import MOST_BUCKETS, View
from engine.link.view import Portfolio as PortfolioView
from engine.persistence.records import Entry, SessionStarted, encode
from engine.risk.portfolio import Portfolio
from engine.runtime import playback_index
from engine.runtime.builder import build_engine
from engine.runtime.desk import Desk
from engine.runtime.observers import Observers, WakeUp
from engine.runtime.playback import Playback
from engine.runtime.playback_service import PlaybackService
from engine.runtime.recorded_session import RecordedSession, open_recorded
from engine.runtime.replayer import Parts, take_apart
from engine.runtime.session import open_session
from engine.runtime.session_store import StoredSession, sessions
from engine.runtime.view import Audience, ViewBuilder
from engine.runtime.view_events import EventTeller
from engine.telemetry.histogram import Histogram

S = 1_000_000_000
BUSY = ("strategy.base_spread_bps=2", "strategy.min_spread_bps=1", "simulator.taker_rate_per_min=240")
OF_THE_MACHINE = ("stages", "bins")
"""What a view says of the process that made it."""
OF_THE_RUN = {"type", "v", "seq", "time_ns", "latency_ns", "rss_bytes", "feed", "dropped_lines"}
"""What a status line says beside the state of its product."""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> StoredSession:
    return record_session(tmp_path_factory.mktemp("s") / "sessions", *BUSY)


def opened(session: StoredSession) -> Playback:
    playback = Playback(open_recorded(session), EventLog())
    read(playback)
    return playback


@pytest.fixture
def dense(monkeypatch: pytest.MonkeyPatch) -> None:
    """States are saved often and thinned often, as in a session of days."""
    monkeypatch.setattr(playback_index, "_KEYFRAME_EVERY", 60)
    monkeypatch.setattr(playback_index, "_MOST_KEYFRAMES", 9)


# -- what was shown then ---------------------------------------------------------------------------


def builder_of(desks: Sequence[Desk], clock: ManualClock, portfolio: Portfolio | None = None) -> ViewBuilder:
    return ViewBuilder(
        desks, clock, SystemClock(), lateness=Histogram, audience=Audience, portfolio=portfolio
    )


def shown(view: View) -> list[dict[str, Any]]:
    """What a view says of the products, but for what the past cannot know: the machine, and queues."""
    products: list[dict[str, Any]] = msgspec.to_builtins(view.products)
    for product in products:
        for key in OF_THE_MACHINE:
            del product[key]
        del product["analytics"]  # read once a second of real time
        for order in product["orders"]:
            del order["ahead"]
    return products


class Looking:
    """A console beside the live engine: what it is shown after every so many wake-ups, and told in all."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._count = 0
        self.builder: ViewBuilder | None = None
        self.log = EventLog(100_000)
        self.seen: list[tuple[int, list[dict[str, Any]], tuple[PortfolioView, ...], int]] = []

    def on_wake_up(self, desk: Desk, wake: WakeUp) -> None:
        self._count += 1

    def on_alerts(self, desk: Desk, alerts: Sequence[Alert]) -> None: ...

    def on_status(self, now_ns: int) -> None: ...

    def look(self) -> None:
        if self._count >= 29:
            self._count = 0
            assert self.builder is not None
            view = self.builder.view()
            self.seen.append((self._clock.monotonic_ns(), shown(view), view.portfolio, self.log.last))


async def live(data_dir: Path, *overrides: str) -> Looking:
    """Trade for half a minute under somebody's eyes."""
    given = (
        "engine.speed=max",
        "engine.duration_s=30",
        f"persistence.data_dir={data_dir}",
        *BUSY,
        *overrides,
    )
    kept, observers = open_session(load_config(None, {}, given), SystemClock(), is_new=True), Observers()
    looking = Looking(kept.clock)
    observers.add(EventTeller(looking.log.publish))
    observers.add(looking)
    engine = build_engine(
        kept.resolved.config, kept.market, SystemClock(), observers,
        status_interval_ns=S, recorder=kept.recorder, clock=kept.clock,
    )  # fmt: skip
    kept.attach(engine)
    looking.builder = builder_of(kept.market.desks, kept.clock, engine.portfolio)
    then = engine.after_step

    def after_step() -> None:
        if then is not None:
            then()
        looking.look()

    engine.after_step = after_step
    outcome = await engine.run()
    assert (await kept.end(outcome)).exit_code == 0
    return looking


@pytest.mark.parametrize("symbols", ["BTC-USD", "BTC-USD,ETH-USD"])
async def test_the_past_looks_as_the_present_did(tmp_path: Path, dense: None, symbols: str) -> None:
    looking = await live(tmp_path, f"engine.symbols={symbols}")
    playback = opened(sessions(tmp_path)[-1])
    assert len(looking.seen) > 40
    fills, drops = 0, set()
    for time_ns, products, together, told in random.Random(5).sample(looking.seen, 40):
        playback.go_to(playback.index.position_at(time_ns))
        assert playback.clock.monotonic_ns() == time_ns
        view = builder_of(playback.desks, playback.clock, playback.portfolio).view()
        assert shown(view) == products
        assert view.portfolio == together
        drops.update(gauge.used for each in together for gauge in each.gauges if gauge.code == "DRAWDOWN")
        assert playback.log.last == told
        assert list(playback.log.after(0, 10_000)) == told_up_to(looking, told)
        fills += products[0]["pnl"]["fills"]
    assert fills > 100, "there was nothing to see"
    assert (len(drops) > 10) is ("," in symbols), "the peak of all products has not moved"


def told_up_to(looking: Looking, last: int) -> list[AnyEngineEvent]:
    return list(looking.log.after(max(0, last - 1_000), min(last, 1_000)))


def test_a_moment_is_what_its_status_line_said(tmp_path: Path) -> None:
    given = (
        "engine.speed=max", "engine.duration_s=20", "simulator.seed=8",
        f"persistence.data_dir={tmp_path}", *BUSY,
    )  # fmt: skip
    out = io.StringIO()
    assert headless.run(load_config(None, {}, given), as_json=True, stdout=out, stderr=io.StringIO()) == 0
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    told = [line for line in lines if line["type"] == "status"]
    assert len(told) > 3
    for line in told:
        seconds, part = divmod(line["time_ns"], S)
        [product] = state_at(str(tmp_path), tmp_path, f"{seconds}.{part:09}s")["products"]
        for key in set(line) - OF_THE_RUN:
            assert product[key] == line[key], key


# -- one moment ------------------------------------------------------------------------------------


def test_a_wake_up_has_happened_or_not(session: StoredSession) -> None:
    """At a record in the middle of it, it has not: as in the console."""
    recorded = open_recorded(session)
    first, second = [batch for batch in recorded.batches() if len(batch) > 3][3:5]
    before = state_at(session.name, session.path.parent, str(first[0].seq - 1))
    for seq in range(first[0].seq, first[-1].seq):
        assert state_at(session.name, session.path.parent, str(seq)) == before
    after = state_at(session.name, session.path.parent, str(first[-1].seq))
    assert (after["seq"], after == before) == (first[-1].seq, False)
    assert state_at(session.name, session.path.parent, str(second[-1].seq))["seq"] == second[-1].seq


@pytest.mark.parametrize("moment", ["99h", "30m", "9999999", "2026-01-05T08:59:59", "24:00"])
def test_a_moment_that_is_not_there_is_refused(session: StoredSession, moment: str) -> None:
    with pytest.raises(UsageError, match=r"does not reach|runs from|no moment"):
        state_at(session.name, session.path.parent, moment)


def test_the_last_record_and_the_last_moment_are_there(session: StoredSession) -> None:
    recorded = open_recorded(session)
    last = max(
        entry.value.recv_ns for batch in recorded.batches() for entry in batch if type(entry.value) is Timer
    )
    at_end = state_at(session.name, session.path.parent, str(recorded.last_seq))
    by_time = state_at(session.name, session.path.parent, f"{last // S}.{last % S:09}s")
    assert by_time["products"] == at_end["products"]
    assert at_end["time_ns"] == last


def test_a_time_of_day_where_the_last_file_has_no_wake_up(session: StoredSession, tmp_path: Path) -> None:
    """A run that ends right after a new file was begun leaves only its last words there."""
    batches = [[entry.value for entry in batch] for batch in open_recorded(session).batches()]
    size = 4096 + sum(32 + -(-len(encode(value)) // 8) * 8 for batch in batches for value in batch)
    filler = SessionStarted("x" * 12_000, 1)
    batches.insert(-1, [filler])
    apart = rewritten(
        session, tmp_path / "sim-btc-usd-0009", batches, segment_bytes=-(-size // 4096) * 4096 + 4096
    )
    recorded = open_recorded(apart)
    last = recorded.reader.segments()[-1].header.first_seq
    assert not any(take_apart(batch).events for batch in recorded.batches(last))
    assert verify(str(apart.path), tmp_path)["first_divergence"] is None
    start = session.info.start_wall_ns // S
    moment = f"{datetime.fromtimestamp(start + 25, UTC):%H:%M:%S}"
    assert state_at(str(apart.path), tmp_path, moment) == state_at(
        session.name, session.path.parent, moment
    ) | {"session": apart.name}
    assert state_at(str(apart.path), tmp_path, moment)["time_ns"] > 24 * S


# -- what is kept of a long session ----------------------------------------------------------------


def test_a_session_whose_beginning_is_not_kept(tmp_path: Path) -> None:
    kept = record_session(
        tmp_path, *BUSY, "persistence.segment_kib=64", "persistence.snapshot_every=300",
        "persistence.market_data=off",
    )  # fmt: skip
    answer = verify(kept.name, tmp_path)
    assert answer["from_seq"] > 1
    assert answer["first_divergence"] is None
    assert answer["digest_live"] == answer["digest_replayed"]
    with pytest.raises(UsageError, match=f"begins with record {answer['from_seq']}"):
        state_at(kept.name, tmp_path, "5")
    playback = opened(kept)
    digests = fresh_digests(playback)
    for position in (playback.index.last, 0, playback.index.last // 2):
        playback.go_to(position)
        assert digests_of(playback) == digests[position]
    assert playback.view().first_seq == answer["from_seq"] - 1


@pytest.mark.parametrize("arguments", [("--verify",), ("--verify", "--json"), ("--at", "29s"), ()])
def test_a_damaged_session_is_refused(
    session: StoredSession,
    tmp_path: Path,
    arguments: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cli_replay, "require_terminal", lambda: None)
    damaged = altered(session, tmp_path / "sim-btc-usd-0009", lambda record: record.payload)
    [segment] = open_recorded(damaged).reader.segments()
    image = bytearray(Path(segment.path).read_bytes())
    image[len(image) // 2] ^= 1
    Path(segment.path).write_bytes(image)
    assert command_line.main(["replay", str(damaged.path), *arguments, "--data-dir", str(tmp_path)]) == 6
    heard = capsys.readouterr()
    assert heard.out == ""
    assert segment.path in heard.err
    assert "Traceback" not in heard.err
    assert Path(segment.path).read_bytes() == image


def test_an_interrupt_ends_the_verifying(
    session: StoredSession, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = 0

    def take(batch: Sequence[Entry]) -> Parts:
        nonlocal taken
        taken += 1
        if taken == 1_000:
            raise KeyboardInterrupt
        return take_apart(batch)

    monkeypatch.setattr(past, "take_apart", take)
    folder = str(session.path.parent)
    assert command_line.main(["replay", session.name, "--verify", "--data-dir", folder]) == 130
    assert taken == 1_000
    assert capsys.readouterr().out == ""


# -- positions -------------------------------------------------------------------------------------


def digests_of(playback: Playback) -> dict[str, str]:
    return {desk.product: desk.trader.digest() for desk in playback.desks}


def fresh_digests(playback: Playback) -> list[dict[str, str]]:
    """Of every position, by one replay from the beginning."""
    replayer = playback.recorded.replayer()
    found = [{product: trader.digest() for product, trader in replayer.traders.items()}]
    for batch in playback.recorded.batches():
        parts = take_apart(batch)
        replayer.take(parts)
        if parts.events:
            found.append(found[-1] | {parts.product: replayer.traders[parts.product].digest()})
    assert replayer.divergence is None
    return found


def test_no_way_through_a_session_leads_astray(tmp_path: Path, dense: None) -> None:
    playback = opened(record_session(tmp_path, *BUSY, symbols="BTC-USD,ETH-USD"))
    digests, last = fresh_digests(playback), playback.index.last
    assert len(digests) == last + 1 > 3_000
    assert 4 < len(playback.index.keyframes) <= 9
    random_way = random.Random(11)
    moves: dict[str, Callable[[int], int]] = {
        "step on": lambda at: at + 1,
        "step back": lambda at: at - 1,
        "on": lambda at: at + random_way.randrange(400),
        "anywhere": lambda at: random_way.randrange(last + 1),
        "beyond": lambda at: last + 7,
    }
    epochs = set()
    for _ in range(150):
        wanted = moves[random_way.choice(list(moves))](playback.position)
        playback.go_to(wanted)
        at = min(max(0, wanted), last)
        assert playback.position == at
        assert digests_of(playback) == digests[at]
        assert playback.log.last == playback.index.told[at]
        assert playback.clock.monotonic_ns() == playback.index.times[at]
        epochs.add(playback.epoch)
    assert len(epochs) > 50


def test_a_step_back_reads_nothing_from_the_disk(
    session: StoredSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    playback = opened(session)
    digests, middle = fresh_digests(playback), playback.index.last // 2
    reads = []
    of_disk = RecordedSession.batches

    def batches(self: RecordedSession, *args: Any) -> Iterator[list[Entry]]:
        reads.append(args)
        return of_disk(self, *args)

    monkeypatch.setattr(RecordedSession, "batches", batches)
    playback.go_to(middle)
    playback.go_to(middle - 1)
    assert len(reads) == 2  # the way there, and the wake-ups around it
    for position in (middle - 2, middle - 3, middle - 2, middle - 1, middle - 50):
        playback.go_to(position)
        assert digests_of(playback) == digests[position]
    playback.advance(5)
    assert digests_of(playback) == digests[middle - 45]
    assert len(reads) == 2


def test_it_can_be_gone_as_far_as_has_been_read(session: StoredSession, dense: None) -> None:
    digests = fresh_digests(opened(session))
    playback = Playback(open_recorded(session), EventLog())
    shares = []
    while not playback.index.is_read:
        playback.index.read(79)
        last = playback.index.last
        for position in (last, max(0, last - 3), last // 2, last + 1, last - 1):
            playback.go_to(position)
            assert digests_of(playback) == digests[playback.position]
        playback.advance(10)
        assert playback.position == last
        shares.append(playback.view().read)
    assert len(shares) > 20
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert playback.index.last == len(digests) - 1


def test_marks_are_counted_in_the_buckets_of_their_time(session: StoredSession) -> None:
    playback = Playback(open_recorded(session), EventLog())
    counted = 0
    while not playback.index.is_read:
        playback.index.read(211)
        index = playback.index
        first, span = index.times[0], max(1, index.times[-1] - index.times[0])
        for track in playback.view().tracks:
            expected = [0] * MOST_BUCKETS
            for at in index.marks[track.kind]:
                bucket = (index.times[at] - first) * MOST_BUCKETS // span
                expected[min(MOST_BUCKETS - 1, bucket)] += 1
            assert list(track.counts) == [min(255, each) for each in expected]
            counted += sum(track.counts)
    assert counted > 1_000


# -- playing ---------------------------------------------------------------------------------------


@asynccontextmanager
async def served(session: StoredSession, real: ManualClock) -> AsyncIterator[tuple[Talk, PlaybackService]]:
    """A playback whose real time stands still until it is moved."""
    ours, theirs = socket.socketpair()
    service = PlaybackService(open_recorded(session), session.config(), real)
    task = asyncio.create_task(service.run(theirs))
    talk = Talk(ours)
    talk.say(hello_of(Role.OWNER, name="the test", hz=30.0))
    try:
        async with asyncio.timeout(20):
            yield talk, service
            talk.say(Command("end", CommandName.SHUTDOWN))
            assert await task == ("closed by its console", 0)
    finally:
        task.cancel()
        ours.close()


async def shown_at(talk: Talk, time_ns: int) -> View:
    """The first view at or behind an engine time."""
    while (view := await talk.heard(View)).time_ns < time_ns:
        pass
    return view


async def test_it_plays_as_fast_as_it_is_told(session: StoredSession) -> None:
    real = ManualClock(5 * S, 0)
    async with served(session, real) as (talk, service):
        while (await talk.heard(View)).playback.read < 1:
            pass
        assert (await talk.asked("seek", at="4s")).verdict is Verdict.DONE
        start = service.playback.time_ns
        for speed, real_ns in (("1", 2 * S), ("0.5", S), ("10", S), ("0.1", S // 7)):
            assert (await talk.asked("speed", factor=speed)).verdict is Verdict.DONE
            assert (await talk.asked("play")).verdict is Verdict.DONE
            real.advance(real_ns)
            due = start + int(real_ns * float(speed))
            view = await shown_at(talk, due)
            assert view.time_ns == due
            playback = service.playback
            assert playback.position == playback.index.position_at(due)
            assert view.playback is not None
            assert view.playback.position_seq == playback.index.seqs[playback.position]
            assert (await talk.asked("hold")).verdict is Verdict.DONE
            real.advance(S)
            start = playback.time_ns
        assert start > 16 * S


async def test_it_plays_from_the_first_moment_on(session: StoredSession) -> None:
    """Before any of it has been read there is nothing to play yet; that is not its end."""
    service = PlaybackService(open_recorded(session), session.config(), ManualClock())
    assert service.playback.is_at_end
    assert service._play({}) == "it plays"
    await service._server.close(Bye("enough", 0))


async def test_its_last_record_can_be_named(session: StoredSession) -> None:
    async with served(session, ManualClock()) as (talk, service):
        while (await talk.heard(View)).playback.read < 1:
            pass
        last = service.playback.recorded.last_seq
        assert last > service.playback.index.seqs[-1]
        assert (await talk.asked("seek", at=str(last))).verdict is Verdict.DONE
        assert service.playback.is_at_end
        assert (await talk.asked("seek", at=str(last + 1))).verdict is Verdict.REJECTED


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("step", {"wakeups": "1e999999999"}),
        ("step", {"wakeups": "1.5"}),
        ("step", {"seconds": "-1e999999999"}),
        ("seek", {"seq": "9" * 30}),
        ("seek", {"time_ns": "0.5"}),
        ("seek", {"at": "99999999999999999999h"}),
    ],
)
async def test_numbers_that_nobody_means_are_refused(
    session: StoredSession, name: str, arguments: dict[str, str]
) -> None:
    async with served(session, ManualClock()) as (talk, service):
        ack = await talk.asked(name, **arguments)
        assert (ack.verdict, service.playback.position) == (Verdict.REJECTED, 0)
