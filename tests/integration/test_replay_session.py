"""A recorded session computed anew: verified, looked at, played."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from link_kit import hello_of
from playback_kit import Talk, read
from session_kit import altered, record_session

import pinnacle_tui.cli as command_line
from engine.commands.replay import play, state_at, verify
from engine.core.clock import ManualClock
from engine.core.errors import UsageError
from engine.core.events import OrderFilled, SubmitOrder, Timer
from engine.link.event_log import EventLog
from engine.link.messages import Command, CommandName, EngineHello, Moved, Role, Verdict
from engine.link.view import ALERTS, CANCELS, FILLS, View
from engine.persistence.format import COMMIT
from engine.persistence.records import StateDigest, decode, encode
from engine.persistence.scanner import Record
from engine.runtime.moments import Moment, parse
from engine.runtime.playback import Playback
from engine.runtime.recorded_session import open_recorded
from engine.runtime.replayer import take_apart
from engine.runtime.session_store import StoredSession

S = 1_000_000_000


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> StoredSession:
    return record_session(tmp_path_factory.mktemp("s") / "sessions")


# -- verify ----------------------------------------------------------------------------------------


def test_an_untouched_session_is_what_it_says(session: StoredSession) -> None:
    answer = verify(session.name, session.path.parent)
    assert session.info.ended is not None
    assert answer["first_divergence"] is None
    assert answer["digest_live"] == answer["digest_replayed"] == session.info.ended.digests
    assert answer["events"] == session.info.ended.events > 2_000
    assert answer["digests"] > 5
    assert answer["commands"] > 100
    assert answer["exit_code"] == 0


def test_a_session_of_two_products_and_rotations(tmp_path: Path) -> None:
    both = record_session(tmp_path, "persistence.segment_kib=64", symbols="BTC-USD,ETH-USD")
    answer = verify(str(both.path), tmp_path)
    assert answer["first_divergence"] is None
    assert set(answer["digest_replayed"]) == {"BTC-USD", "ETH-USD"}


@pytest.mark.parametrize("what", ["price", "missing command", "digest", "time"])
def test_the_first_difference_is_named(session: StoredSession, tmp_path: Path, what: str) -> None:
    changed: list[int] = []

    def change(record: Record) -> bytes | None:
        value = decode(record.payload, record.seq)
        if changed or record.seq < 500:
            return record.payload
        match what, value:
            case "price", OrderFilled():
                value = msgspec.structs.replace(value, price=value.price + 1)
            case "missing command", SubmitOrder():
                if record.flags & COMMIT:
                    return record.payload
                changed.append(record.seq)
                return None
            case "digest", StateDigest():
                value = msgspec.structs.replace(value, digest="0" * 64)
            case "time", Timer():
                value = msgspec.structs.replace(value, recv_ns=value.recv_ns + 200_000_000)
            case _:
                return record.payload
        changed.append(record.seq)
        return encode(value)

    lying = altered(session, tmp_path / "sim-btc-usd-0009", change)
    answer = verify(str(lying.path), tmp_path)
    found = answer["first_divergence"]
    assert answer["exit_code"] == 1
    assert found["product"] == "BTC-USD"
    if what in ("digest", "missing command"):
        assert abs(found["seq"] - changed[0]) <= 12
    else:
        assert found["seq"] >= changed[0]


def test_the_command_line(session: StoredSession, capsys: pytest.CaptureFixture[str]) -> None:
    name, folder = session.name, str(session.path.parent)
    assert command_line.main(["replay", name, "--verify", "--json", "--data-dir", folder]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {"events", "digest_live", "digest_replayed", "first_divergence"} <= set(answer)
    assert command_line.main(["replay", name, "--verify", "--data-dir", folder]) == 0
    assert "no difference" in capsys.readouterr().out
    assert command_line.main(["replay", name, "--at", "12s", "--data-dir", folder]) == 0
    assert "BTC-USD  ACTIVE" in capsys.readouterr().out
    assert command_line.main(["replay", "sim-btc-usd-9", "--verify", "--data-dir", folder]) == 2
    assert "did you mean sim-btc-usd-0001" in capsys.readouterr().err
    assert command_line.main(["replay", name, "--verify", "--at", "3", "--data-dir", folder]) == 2


# -- one moment ------------------------------------------------------------------------------------


def test_a_moment_tells_the_state_then(session: StoredSession) -> None:
    state = state_at(session.name, session.path.parent, "12s")
    assert 11 * S < state["time_ns"] <= 12 * S
    [product] = state["products"]
    assert product["pnl_residual"] == "0"
    assert len(product["orders"]) == product["open_orders"]
    by_seq = state_at(session.name, session.path.parent, str(state["seq"]))
    assert by_seq == state


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("24360", Moment(seq=24_360)),
        ("90s", Moment(time_ns=90 * S)),
        ("12m31s", Moment(time_ns=751 * S)),
        ("1h", Moment(time_ns=3_600 * S)),
        ("0.5s", Moment(time_ns=S // 2)),
        ("23:59:59.5", Moment(time_ns=3_599_500_000_000)),
        ("00:00:01", Moment(time_ns=3_601 * S)),
        ("2026-01-06T00:00:00", Moment(time_ns=3_600 * S)),
    ],
)
def test_moments(text: str, moment: Moment) -> None:
    start = 1_767_654_000 * S  # 2026-01-05 23:00:00
    assert parse(text, start, start + 7_200 * S) == moment


@pytest.mark.parametrize(
    "text", ["", "s", "-3s", "12", "now", "25:00:00", "22:00:00", "2026-13-01T00:00:00", "1m2h"]
)
def test_what_is_no_moment(text: str) -> None:
    start = 1_767_654_000 * S
    if text == "12":
        assert parse(text, start, start) == Moment(seq=12)
        return
    with pytest.raises(UsageError):
        parse(text, start, start + 7_200 * S)


# -- playing ---------------------------------------------------------------------------------------


def digests_at(playback: Playback, position: int) -> dict[str, str]:
    """By a replay of its own from the first record on."""
    replayer = playback.recorded.replayer()
    for batch in playback.recorded.batches(to_seq=playback.index.seqs[position]):
        replayer.take(take_apart(batch))
    return {product: trader.digest() for product, trader in replayer.traders.items()}


@pytest.fixture
def playback(session: StoredSession) -> Playback:
    made = Playback(open_recorded(session), EventLog())
    read(made)
    return made


def test_every_way_to_a_position_leads_to_the_same_state(playback: Playback) -> None:
    last = playback.index.last
    for position in (last, last // 3, last // 2, 1, 0, last // 2 + 1, last // 2):
        playback.go_to(position)
        assert playback.position == position
        found = {desk.product: desk.trader.digest() for desk in playback.desks}
        assert found == digests_at(playback, position)
        told = playback.index.told[position]
        assert playback.log.last == told
        assert list(playback.log.after(0, 10_000)) == playback.index.events[max(0, told - 1_000) : told]


def test_the_index_knows_what_happened(playback: Playback, session: StoredSession) -> None:
    records = [entry.value for batch in playback.recorded.batches() for entry in batch]
    fills = sum(isinstance(value, OrderFilled) for value in records)
    assert len(playback.index.marks[FILLS]) == fills > 3
    assert len(playback.index.marks[CANCELS]) > 20
    first = playback.index.next_mark(FILLS, 0)
    assert first is not None
    assert playback.index.previous_mark(FILLS, first) is None
    assert playback.index.previous_mark(FILLS, playback.index.last) == playback.index.marks[FILLS][-1]
    view = playback.view()
    assert (view.read, view.divergence, view.position_seq) == (1.0, "", 0)
    assert {track.kind: track.total for track in view.tracks}[FILLS] == fills
    assert {track.kind for track in view.tracks} == {FILLS, CANCELS, ALERTS}


def test_a_lie_ends_the_session_there(session: StoredSession, tmp_path: Path) -> None:
    def change(record: Record) -> bytes:
        value = decode(record.payload, record.seq)
        if isinstance(value, StateDigest) and record.seq > 800:
            return encode(msgspec.structs.replace(value, digest="0" * 64))
        return record.payload

    made = Playback(open_recorded(altered(session, tmp_path / "sim-btc-usd-0009", change)), EventLog())
    read(made)
    assert "on record is the digest 000" in made.view().divergence
    assert made.index.last > 100


@asynccontextmanager
async def played(session: StoredSession) -> AsyncIterator[Talk]:
    """A playback in this process, and its console."""
    ours, theirs = socket.socketpair()
    task = asyncio.create_task(play(session.name, session.path.parent, theirs))
    talk = Talk(ours)
    talk.say(hello_of(Role.OWNER, name="the test", hz=30.0))
    try:
        async with asyncio.timeout(20):
            yield talk
            talk.say(Command("end", CommandName.SHUTDOWN))
            assert await task == ("closed by its console", 0)
    finally:
        task.cancel()
        ours.close()


async def test_a_console_travels(session: StoredSession) -> None:
    async with played(session) as talk:
        hello = await talk.heard(EngineHello)
        assert hello.plays == session.name
        while (view := await talk.heard(View)).playback.read < 1:
            pass
        assert view.playback.position_seq == 0
        assert (await talk.asked("step", wakeups="3")).verdict is Verdict.DONE
        assert (await talk.asked("seek", seq="999999")).verdict is Verdict.DONE
        assert (await talk.asked("jump", kind="fill", to="previous")).verdict is Verdict.DONE
        while (moved := await talk.heard(Moved)).view.playback.is_at_end:
            pass
        assert moved.hello.engine_id != hello.engine_id
        assert moved.view.time_ns <= 30 * S
        assert type(moved.events[-1]).__name__ in ("Filled", "OrderEnded")
        assert (await talk.asked("speed", factor="1000")).verdict is Verdict.DONE
        assert (await talk.asked("play")).verdict is Verdict.DONE
        while not (view := await talk.heard(View)).playback.is_at_end:
            pass
        assert session.info.ended is not None
        assert (await talk.asked("play")).verdict is Verdict.REJECTED


@pytest.mark.parametrize("name", ["kill", "pause", "flatten", "cancel_all", "set", "rearm"])
async def test_nothing_can_be_traded_in_the_past(session: StoredSession, name: str) -> None:
    async with played(session) as talk:
        await talk.heard(EngineHello)
        ack = await talk.asked(name, key="strategy.levels", value="1")
        assert ack.verdict is Verdict.REJECTED
        assert "this is the past" in ack.text


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("seek", {"at": "99h"}),
        ("seek", {"at": "nonsense"}),
        ("seek", {}),
        ("step", {"wakeups": "x"}),
        ("jump", {"kind": "fill", "to": "previous"}),
        ("jump", {"kind": "what", "to": "next"}),
        ("speed", {"factor": "0"}),
        ("speed", {"factor": "nan"}),
    ],
)
async def test_what_cannot_be_done_is_refused_in_words(
    session: StoredSession, name: str, arguments: dict[str, str]
) -> None:
    async with played(session) as talk:
        await talk.heard(EngineHello)
        ack = await talk.asked(name, **arguments)
        assert ack.verdict is Verdict.REJECTED
        assert ack.text


def test_the_clock_is_that_of_the_position(playback: Playback) -> None:
    playback.go_to(playback.index.last // 2)
    assert isinstance(playback.clock, ManualClock)
    assert playback.clock.monotonic_ns() == playback.time_ns
    playback.advance(5)
    assert playback.clock.monotonic_ns() == playback.time_ns
    assert playback.clock.wall_ns() == playback.index.walls[playback.position]
