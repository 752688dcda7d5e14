"""The server: who is let in, what each peer hears, and who is the owner."""

from __future__ import annotations

import asyncio
import itertools
import struct

import pytest
from link_kit import Desk, hello_of, in_virtual_time, settle, small_view

from engine.link.messages import (
    Bye,
    Command,
    EngineHello,
    EventMessage,
    Heartbeat,
    Pace,
    Role,
)
from engine.link.view import View


def kinds(messages) -> list[str]:
    return [type(message).__name__ for message in messages]


@in_virtual_time
async def test_a_client_is_greeted_and_then_shown_the_engine():
    desk = Desk()
    desk.publish(3)
    peer = await desk.raw(hello_of(seen=1, hz=10))
    greeting, events = peer.read()
    assert isinstance(greeting, EngineHello)
    assert (greeting.role, greeting.last_event) == (Role.CONTROL, 3)
    assert [event.eseq for event in events.events] == [2, 3]
    await asyncio.sleep(1.01)
    assert kinds(peer.read()) == ["View"] * 10
    assert desk.server.viewers == 1
    assert desk.server.controller == "console pid 1"


@pytest.mark.parametrize("seen", [-1, 0, 2, 99])
@in_virtual_time
async def test_events_come_from_the_last_that_was_seen(seen):
    desk = Desk()
    desk.publish(3)
    peer = await desk.raw(hello_of(seen=seen))
    told = [event.eseq for m in peer.read() if isinstance(m, EventMessage) for event in m.events]
    # 99 is the number of an engine before this one.
    assert told == {-1: [], 0: [1, 2, 3], 2: [3], 99: [1, 2, 3]}[seen]


@in_virtual_time
async def test_numbers_of_another_engine_mean_nothing():
    desk = Desk()
    desk.publish(3)
    peer = await desk.raw(hello_of(seen=2, engine_id="engine 0"))
    assert len(peer.only(EventMessage).events) == 3


@in_virtual_time
async def test_a_client_of_another_protocol_is_refused_with_both_versions():
    desk = Desk()
    peer = await desk.raw(hello_of(protocol=7, build="9.9"))
    bye = peer.only(Bye)
    for part in ("protocol 1", "the client 7", "'9.9'", "start the console from the installation"):
        assert part in bye.reason
    assert bye.exit_code is None
    assert peer.is_closed
    assert desk.server.viewers == 0


@in_virtual_time
async def test_another_user_is_refused_and_told_so():
    desk = Desk(options={"read_uid": lambda peer: 4_711})
    peer = await desk.raw()
    await settle()
    assert "not to uid 4711" in peer.only(Bye).reason
    assert peer.is_closed
    inherited = await desk.raw(hello_of(), is_inherited=True)
    assert isinstance(inherited.read()[0], EngineHello)


@in_virtual_time
async def test_the_ninth_client_is_refused_and_the_eighth_served():
    desk = Desk()
    peers = [await desk.raw(hello_of()) for _ in range(9)]
    assert isinstance(peers[7].read()[0], EngineHello)
    assert "8 clients are connected already" in peers[8].only(Bye).reason
    peers[0].close()
    await settle()
    assert isinstance((await desk.raw(hello_of())).read()[0], EngineHello)


@in_virtual_time
async def test_a_command_finds_a_place_beside_eight_screens():
    desk = Desk()
    for _ in range(8):
        await desk.raw(hello_of())
    asking = [await desk.raw(hello_of(hz=0, seen=-1)) for _ in range(5)]
    asking[3].say(Command("1", "kill"))
    await settle()
    assert [command.name for _, command in desk.commands] == ["kill"]
    assert "8 clients are connected already" in asking[4].only(Bye).reason


@in_virtual_time
async def test_a_slow_reader_gets_events_beside_views_that_fill_its_buffer():
    desk = Desk(padding=60_000)
    peer = await desk.raw(hello_of(hz=30))
    views, events = 0, 0
    for _ in range(300):
        desk.publish()
        await asyncio.sleep(1 / 30)
        for message in peer.read(5_000):
            views += isinstance(message, View)
            events += len(message.events) if isinstance(message, EventMessage) else 0
    assert views > 10
    assert events > 100


@in_virtual_time
async def test_the_first_message_must_be_a_hello_and_come_soon():
    desk = Desk()
    hasty = await desk.raw()
    hasty.say(Command("1", "kill"))
    foreign = await desk.raw()
    foreign.send(b"\x00\x00\x00\x02hi")
    silent = await desk.raw()
    await settle()
    assert "must be its hello" in hasty.only(Bye).reason
    assert "no hello of protocol 1" in foreign.only(Bye).reason
    assert desk.commands == []
    await asyncio.sleep(4.5)
    assert not silent.read()
    assert not silent.is_closed
    await asyncio.sleep(1.5)
    assert "no hello came within 5 s" in silent.only(Bye).reason
    twice = await desk.raw(hello_of())
    twice.say(hello_of())
    await settle()
    assert "second hello" in twice.only(Bye).reason


@in_virtual_time
async def test_an_idle_client_is_dropped_and_one_that_beats_is_not():
    desk = Desk()
    idle, alive = await desk.raw(hello_of(hz=0)), await desk.raw(hello_of(hz=0))
    heard = []
    for _ in range(63):
        alive.say(Heartbeat(1, 1))
        await asyncio.sleep(1)
        heard += idle.read()
    assert "nothing was heard of this client for 60 s" in heard[-1].reason
    assert idle.is_closed
    alive.read()
    assert not alive.is_closed


@in_virtual_time
async def test_heartbeats_come_once_a_second():
    desk = Desk()
    peer = await desk.raw(hello_of(hz=0))
    await asyncio.sleep(5.1)
    peer.read()
    assert peer.beats == [1, 2, 3, 4, 5]


@in_virtual_time
async def test_a_view_is_made_once_for_all_and_only_when_somebody_wants_one():
    desk = Desk()
    await asyncio.sleep(2)
    assert desk.views == 0
    fast, slow, none = [await desk.raw(hello_of(hz=hz)) for hz in (20, 5, 0)]

    async def seen_within(seconds: float) -> list[int]:
        """Views that each of them got; they read often enough for a socket to hold the rest."""
        seen = [0, 0, 0]
        for _ in range(4):
            await asyncio.sleep(seconds / 4)
            seen = [n + kinds(p.read()).count("View") for n, p in zip(seen, (fast, slow, none), strict=True)]
        return seen

    seen = await seen_within(2.01)
    assert desk.views == pytest.approx(40, abs=1)
    assert seen == [pytest.approx(40, abs=1), pytest.approx(10, abs=1), 0]
    fast.say(Pace(0.0))
    slow.say(Pace(float("nan")))
    none.say(Pace(500.0))
    await settle()
    assert await seen_within(1.001) == [0, 0, pytest.approx(30, abs=1)]
    for peer in (fast, slow, none):
        peer.close()
    await asyncio.sleep(1)
    assert desk.server._ticks.hz == desk.server._beats.hz == 0.0


@in_virtual_time
async def test_rates_that_do_not_divide_each_other_are_kept_on_average():
    desk = Desk()
    fast, slow = await desk.raw(hello_of(hz=30)), await desk.raw(hello_of(hz=25))
    seen = [0, 0]
    for _ in range(20):
        await asyncio.sleep(0.1)
        seen = [n + kinds(peer.read()).count("View") for n, peer in zip(seen, (fast, slow), strict=True)]
    assert seen == [pytest.approx(60, abs=1), pytest.approx(50, abs=1)]


@in_virtual_time
async def test_who_wants_no_views_still_hears_events():
    desk = Desk()
    peer = await desk.raw(hello_of(hz=0))
    peer.read()
    desk.publish(2)
    await asyncio.sleep(0.11)
    assert [event.eseq for event in peer.only(EventMessage).events] == [1, 2]


@in_virtual_time
async def test_a_view_that_cannot_be_made_is_reported_and_the_next_one_comes():
    turns = itertools.count(1)

    def make_view() -> View:
        if next(turns) == 2:
            raise ValueError("no view today")
        return small_view(1)

    desk = Desk(options={"make_view": make_view})
    one, two = await desk.raw(hello_of(hz=10)), await desk.raw(hello_of(hz=10))
    await asyncio.sleep(0.55)
    assert [str(error) for error in desk.errors] == ["no view today"]
    assert kinds(one.read()).count("View") == kinds(two.read()).count("View") == 4


@in_virtual_time
async def test_a_view_larger_than_a_frame_is_reported_and_nobody_is_dropped():
    desk = Desk(padding=1 << 20)
    peer = await desk.raw(hello_of(hz=10))
    await asyncio.sleep(0.15)
    assert "too large for the link" in str(desk.errors[0])
    peer.read()
    assert not peer.is_closed


@in_virtual_time
async def test_a_thousand_senseless_frames_cost_the_sender_its_connection_and_nothing_else():
    desk = Desk()
    good, bad = await desk.raw(hello_of()), await desk.raw(hello_of())
    bad.send((struct.pack(">I", 1) + b"\xc1") * 999)
    await settle()
    bad.read()
    assert not bad.is_closed
    bad.send(struct.pack(">I", 1) + b"\xc1")
    await settle()
    assert "1,000 frames" in bad.only(Bye).reason
    assert bad.is_closed
    await asyncio.sleep(1)
    assert "View" in kinds(good.read())
    assert desk.errors == []


@in_virtual_time
async def test_a_frame_beyond_64_kib_closes_the_connection_with_a_reason():
    desk = Desk()
    peer = await desk.raw(hello_of())
    peer.send(struct.pack(">I", (1 << 16) + 1))
    await settle()
    assert "65,537 bytes" in peer.only(Bye).reason
    assert peer.is_closed


@in_virtual_time
async def test_the_owner_is_missed_when_it_is_gone_and_noticed_when_it_is_back():
    desk = Desk()
    owner = await desk.raw(hello_of(Role.OWNER), is_inherited=True)
    assert owner.only(EngineHello).role is Role.OWNER
    viewer = await desk.raw(hello_of(Role.VIEW))
    viewer.close()
    await settle()
    assert desk.owner == []
    owner.close()
    await settle()
    assert desk.owner == ["lost"]
    again = await desk.raw(hello_of(Role.OWNER))
    assert again.read()[0].role is Role.OWNER
    assert desk.owner == ["lost", "back"]
    again.say(Bye("quit"))
    await settle()
    assert desk.owner == ["lost", "back", "lost"]


@in_virtual_time
async def test_an_owner_that_dies_before_its_hello_is_lost_too():
    desk = Desk()
    owner = await desk.raw(is_inherited=True)
    owner.close()
    await settle()
    assert desk.owner == ["lost"]


@in_virtual_time
async def test_a_stopped_owner_is_lost_after_its_time_and_keeps_its_connection():
    desk = Desk(options={"owner_silent_s": 20.0})
    owner = await desk.raw(hello_of(Role.OWNER, hz=0), is_inherited=True)
    await asyncio.sleep(19)
    assert desk.owner == []
    await asyncio.sleep(2)
    assert desk.owner == ["lost"]
    await asyncio.sleep(100)
    assert desk.owner == ["lost"]
    owner.say(Heartbeat(1, 1))
    await settle()
    assert desk.owner == ["lost", "back"]
    owner.read()
    assert not owner.is_closed


@in_virtual_time
async def test_an_owner_callback_that_fails_is_reported():
    def fail() -> None:
        raise ValueError("no")

    desk = Desk(options={"on_owner_lost": fail})
    (await desk.raw(hello_of(Role.OWNER), is_inherited=True)).close()
    await settle()
    assert [str(error) for error in desk.errors] == ["no"]


@in_virtual_time
async def test_closing_tells_the_last_events_and_says_bye_to_all():
    desk = Desk()
    owner = await desk.raw(hello_of(Role.OWNER), is_inherited=True)
    peer, mute = await desk.raw(hello_of()), await desk.raw(hello_of())
    peer.say(Command("1", "take_control"))
    await settle()
    peer.read()
    owner.read()
    desk.publish()
    await desk.server.close(Bye("done", 0, (), {"BTC-USD": "abc"}))
    events, view, bye = peer.read()
    assert len(events.events) == 1
    assert isinstance(view, View), "how it ended is shown"
    assert bye == Bye("done", 0, (), {"BTC-USD": "abc"})
    assert peer.is_closed
    assert mute.read()[-1] == bye
    assert kinds(owner.read()) == ["EventMessage", "View", "Bye"], "control of an engine that ends"
    assert desk.server.viewers == 0
    late = await desk.raw()
    await settle()
    assert "ending" in late.only(Bye).reason
    assert desk.owner == []


@in_virtual_time
async def test_names_cannot_carry_terminal_commands():
    desk = Desk()
    await desk.raw(hello_of(name="\x1b[2Jconsole\n" + "x" * 100))
    assert desk.server.controller.startswith("[2Jconsolex")
    assert len(desk.server.controller) <= 64
