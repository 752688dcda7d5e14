"""A playback that goes elsewhere: what consoles were told of another moment is gone, at once and whole."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from console import views
from hypothesis import given
from hypothesis import strategies as st
from link_kit import Desk, RawPeer, hello_of, in_virtual_time, settle, small_view

from engine.link.client import LinkChange
from engine.link.event_log import EventLog
from engine.link.events import Notice
from engine.link.frames import of_engine, to_console
from engine.link.messages import (
    Ack,
    CommandName,
    EngineHello,
    EventMessage,
    Moved,
    Point,
    Resync,
    Role,
    ToConsole,
    Verdict,
)
from engine.link.mirror import EngineMirror
from engine.link.view import FILLS, Playback, Track, View


def notices(first: int, last: int, text: str = "") -> tuple[Notice, ...]:
    return tuple(Notice(number, 0, 0, "", "info", "N", text) for number in range(first, last + 1))


def numbers(events: tuple[Any, ...]) -> list[int]:
    return [event.eseq for event in events]


class Player(Desk):
    """An engine that can go to another moment. Built on `Desk`, whose server it has."""

    def go(self, last: int, events: tuple[Notice, ...]) -> None:
        self.engine_id = f"{self.engine_id.split('.')[0]}.{self.views}.{last}"
        self.events.begin_anew(last, events)
        self.server.moved()

    def identity(self, role: Role) -> EngineHello:
        return msgspec.structs.replace(super().identity(role), plays="sim-btc-usd-0001")


# -- the log ---------------------------------------------------------------------------------------


def test_a_log_that_begins_anew_has_what_it_is_given_and_counts_on_from_there() -> None:
    log = EventLog(capacity=5)
    for _ in range(7):
        log.publish(Notice, 0, 0, "", "info", "N", "before")
    log.begin_anew(43, notices(41, 43, "given"))
    assert (log.last, log.lost, log.before) == (43, 40, 40)
    made = log.publish(Notice, 0, 0, "", "info", "N", "after")
    assert made.eseq == 44
    assert numbers(log.after(0, 100)) == [41, 42, 43, 44]
    assert numbers(log.after(42, 1)) == [43]
    for _ in range(3):
        log.publish(Notice, 0, 0, "", "info", "N", "after")
    assert (log.lost, log.before) == (42, 40)
    assert numbers(log.after(0, 100)) == [43, 44, 45, 46, 47]


def test_a_log_may_begin_anew_with_nothing() -> None:
    log = EventLog()
    log.begin_anew(12)
    assert (log.last, log.lost) == (12, 12)
    assert log.after(0, 10) == ()
    assert log.publish(Notice, 0, 0, "", "info", "N", "").eseq == 13


@pytest.mark.parametrize(("last", "first", "newest"), [(5, 2, 4), (5, 5, 6), (0, 1, 1)])
def test_numbers_with_a_hole_are_refused(last: int, first: int, newest: int) -> None:
    with pytest.raises(ValueError, match="not the events up to number"):
        EventLog().begin_anew(last, notices(first, newest))


@given(
    st.integers(1, 9),
    st.lists(st.one_of(st.integers(1, 4), st.tuples(st.integers(0, 50), st.integers(0, 12)))),
)
def test_a_log_keeps_the_last_of_its_present_life(capacity: int, deeds: list[Any]) -> None:
    log, life, last = EventLog(capacity), list[int](), 0
    for deed in deeds:
        if isinstance(deed, int):
            for _ in range(deed):
                last += 1
                life.append(last)
                assert log.publish(Notice, 0, 0, "", "info", "N", "").eseq == last
        else:
            last, known = deed[0], min(deed)
            life = list(range(last - known + 1, last + 1))
            log.begin_anew(last, notices(last - known + 1, last))
        assert numbers(log.after(0, 1_000)) == life[-capacity:]
        assert log.last == last


# -- what the consoles are told --------------------------------------------------------------------


@in_virtual_time
async def test_everything_is_told_anew_in_one_message_and_then_goes_on() -> None:
    player = Player()
    player.publish(3)
    peer = await player.raw(hello_of())
    peer.read()
    player.go(41, notices(40, 41))
    await settle()
    (moved,) = peer.read()
    assert isinstance(moved, Moved)
    assert moved.hello.is_playback
    assert (moved.hello.engine_id, moved.hello.last_event) == (player.engine_id, 41)
    assert numbers(moved.events) == [40, 41]
    player.publish(1)
    await passes(0.2)
    told = peer.read()
    assert [numbers(each.events) for each in told if isinstance(each, EventMessage)] == [[42]]
    assert not any(isinstance(each, Resync) for each in told)


async def passes(seconds: float) -> None:
    await asyncio.sleep(seconds)
    await settle()


async def everything(peer: RawPeer) -> list[ToConsole]:
    """What comes until nothing more does, also in messages larger than a socket takes at once."""
    found: list[ToConsole] = []
    for _ in range(100):
        found += peer.read()
        await settle()
    return found


@in_virtual_time
async def test_a_slow_console_is_told_of_the_newest_place_only_and_of_nothing_before_it() -> None:
    player = Player(padding=100_000)
    peer = await player.raw(hello_of())
    await passes(0.3)  # its views fill the connection
    for last in range(10, 60):
        player.go(last, notices(last, last))
        player.publish(1)
        await passes(0.05)
    told = await everything(peer)
    places = [each.hello.last_event for each in told if isinstance(each, Moved)]
    assert places[-1] == 60
    assert len(places) < 10
    known = EngineMirror(is_connected=True)
    for each in told:
        known.apply(each, 0)
    assert known.hello is not None
    assert known.hello.engine_id == player.engine_id
    assert numbers(tuple(known.log)) == [59, 60]


@in_virtual_time
async def test_who_wants_no_events_gets_none_and_who_wants_nothing_is_left_alone() -> None:
    player = Player()
    viewer = await player.raw(hello_of(seen=-1))
    asker = await player.raw(hello_of(hz=0.0, seen=-1))
    viewer.read(), asker.read()
    player.go(9, notices(8, 9))
    await settle()
    assert viewer.only(Moved).events == ()
    assert asker.read() == []


@in_virtual_time
async def test_the_role_that_changes_meanwhile_is_told_with_the_place() -> None:
    player = Player(padding=100_000)
    owner = await player.raw(hello_of(Role.OWNER), is_inherited=True)
    await passes(0.3)
    player.go(9, notices(9, 9))
    other, _ = await player.client(Role.CONTROL)
    taken: list[Verdict] = []

    def note(pending: Any) -> None:
        taken.append(pending.ack.verdict)

    other.command(CommandName.TAKE_CONTROL, on_change=note)
    await settle()
    assert taken == [Verdict.DONE]
    told = await everything(owner)
    (place,) = [each for each in told if isinstance(each, Moved)]
    assert place.hello.role is Role.VIEW


@in_virtual_time
async def test_what_does_not_fit_into_a_message_is_left_out_from_the_oldest_on() -> None:
    player = Player()
    peer = await player.raw(hello_of())
    peer.read()
    player.go(1_000, notices(1, 1_000, "x" * 500))
    told = [each for each in await everything(peer) if isinstance(each, Moved)]
    (moved,) = told
    assert numbers(moved.events) == list(range(1_000 - len(moved.events) + 1, 1_001))
    assert len(moved.events) == 125


@in_virtual_time
async def test_a_place_that_cannot_be_told_costs_the_connection_and_says_why() -> None:
    player = Player()
    peer = await player.raw(hello_of())
    peer.read()

    def fail() -> View:
        raise ArithmeticError("no view today")

    player.server._make_view = fail
    player.go(9, ())
    await settle()
    assert "could not tell where it stands (no view today)" in peer.read()[-1].reason
    assert len(player.errors) == 1


@in_virtual_time
async def test_a_console_that_was_away_meanwhile_is_told_everything_anew() -> None:
    player = Player()
    player.publish(5)
    client, changes = await player.client()
    await settle()
    assert client.mirror.last_event == 5
    client.close()
    player.go(3, notices(2, 3))
    await client.adopt(await player.connect())
    await settle()
    assert numbers(tuple(client.mirror.log)) == [2, 3]
    assert client.mirror.last_event == 3
    assert client.mirror.missed_events == 0
    assert changes[-1] is LinkChange.HELLO


@in_virtual_time
async def test_a_client_is_told_of_a_change_and_its_commands_stay_its_own() -> None:
    player = Player()
    client, changes = await player.client()
    answers: list[Ack] = []

    def note(pending: Any) -> None:
        answers.append(pending.ack)

    client.command(CommandName.STEP, {"wakeups": "-1"}, on_change=note)
    await settle()
    ((_, asked),) = player.commands
    changes.clear()
    player.go(2, notices(1, 2))
    player.server.answer(asked.id, Verdict.DONE)
    await settle()
    assert changes == [LinkChange.HELLO]
    assert [answer.verdict for answer in answers] == [Verdict.DONE]
    assert client.mirror.pending == {}


# -- what a mirror knows then ----------------------------------------------------------------------


def moved(last: int, **changes: Any) -> Moved:
    greeting = views.hello(engine_id=f"4f2c.{last}", plays="sim-btc-usd-0001", last_event=last, **changes)
    events = tuple(event for event in views.happened() if event.eseq <= last)
    return Moved(greeting, events, views.view(seq=8_000))


def test_a_mirror_forgets_what_was_told_of_another_moment_and_knows_this_one() -> None:
    known = views.mirror()
    assert (len(known.fills), known.last_event) == (8, 40)
    settings = dict(known.settings) | {"strategy.levels": "7"}
    known.apply(moved(11, settings=settings, history={"BTC-USD": (Point(0, 1), Point(600 * views.S, 5))}), 9)
    assert [fill.eseq for fill in known.fills] == [4, 8]
    assert [event.eseq for event in known.log] == [4, 8, 10]
    assert known.last_event == 11
    assert known.settings["strategy.levels"] == "7"
    assert known.view is not None
    assert known.view.seq == 8_000
    # The history as it was told, and the view's own point behind it.
    assert [time_ns for time_ns, _ in known.profits["BTC-USD"]] == [0, 600 * views.S, views.TIME]
    assert known.heard_ns == 9


def test_a_mirror_has_a_view_at_every_moment() -> None:
    """No frame in between may find nothing to draw: the move and its view are one message."""
    known, seen = views.mirror(), list[bool]()
    known.on_view = lambda: seen.append(known.view is not None and bool(known.fills))
    known.apply(moved(11), 0)
    assert seen == [True]


def test_the_tape_begins_anew_even_where_the_count_of_prints_is_higher() -> None:
    known = views.mirror()
    before = known.tapes["BTC-USD"]
    known.apply(moved(11), 0)
    assert known.tapes["BTC-USD"] is not before
    assert len(known.tapes["BTC-USD"].newest_first) == 21  # the last twenty, and how many there were before


# -- on the wire -----------------------------------------------------------------------------------


def test_a_playback_comes_as_it_went() -> None:
    told = Playback(7, 0, 9, 1, 2, 3, 4, None, True, 0.5, (Track(FILLS, b"\x00\x01\xff", 1, 2, 3),), "x")
    view = msgspec.structs.replace(small_view(1), playback=told)
    assert list(of_engine().feed(to_console(view))) == [view]


def test_a_view_without_a_playback_is_that_of_an_engine_that_trades() -> None:
    """An engine of before, which does not know the field, is understood."""
    body = msgspec.msgpack.decode(to_console(small_view(1))[4:])
    del body["playback"]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(body), type=View).playback is None


@pytest.mark.parametrize(("position", "is_at_end"), [(8, False), (9, True), (10, True)])
def test_the_end_is_where_nothing_more_is_to_be_played(position: int, is_at_end: bool) -> None:
    assert Playback(position, 0, 9, 0, 0, 0, 0, 1.0, False).is_at_end is is_at_end


def test_an_engine_plays_something_or_trades() -> None:
    assert views.hello(plays="sim-btc-usd-0001").is_playback
    assert not views.hello().is_playback
