"""A peer that does not read: the engine never waits for it, and its memory stays bounded."""

from __future__ import annotations

import asyncio

from link_kit import Desk, hello_of, in_virtual_time, settle

from engine.link.event_log import EventLog
from engine.link.messages import Ack, Bye, Command, EventMessage, Resync, Verdict
from engine.link.peer import MOST_WAITING
from engine.link.view import View


def waiting(desk: Desk) -> int:
    return sum(peer.waiting for peer in desk.server._peers)


def told(messages) -> tuple[list[int], int]:
    """The numbers of the events that came, and how many were said to be missing."""
    numbers = [event.eseq for m in messages if isinstance(m, EventMessage) for event in m.events]
    return numbers, sum(m.missed for m in messages if isinstance(m, Resync))


@in_virtual_time
async def test_views_for_a_peer_that_does_not_read_are_dropped_and_the_newest_comes_first():
    desk = Desk(padding=5_000)
    frozen, awake = await desk.raw(hello_of(hz=30)), await desk.raw(hello_of(hz=30))
    read = 0
    for _ in range(80):
        await asyncio.sleep(0.1)
        assert waiting(desk) < 6_000, "more than one view waits"
        read += sum(isinstance(m, View) for m in awake.read())
    assert desk.views >= 239
    assert read >= 239
    dropped = desk.server.views_dropped
    assert dropped > 200
    views = [m.seq for m in await frozen.drain() if isinstance(m, View)]
    assert len(views) + dropped <= desk.views
    assert len(views) < 25, "old views were kept for it"
    assert views[-1] >= desk.views - 1, "the newest did not come as soon as there was room"
    assert desk.server.views_dropped == dropped
    frozen.close()
    await settle()
    assert desk.server.views_dropped == dropped, "forgotten with the peer"


@in_virtual_time
async def test_without_anybody_who_reads_no_view_is_made():
    desk = Desk(padding=5_000)
    await desk.raw(hello_of(hz=30))
    await asyncio.sleep(5)
    assert desk.views < 15
    assert desk.server.views_dropped > 120


@in_virtual_time
async def test_events_arrive_late_in_order_and_complete():
    desk = Desk(padding=3_000)
    peer = await desk.raw(hello_of(hz=10))
    for _ in range(60):
        desk.publish(100, "something happened that a person should know")
        await asyncio.sleep(0.1)
        assert waiting(desk) < 20_000
    numbers, missed = told(await peer.drain())
    assert missed == 0
    assert numbers == list(range(1, 6_001))


@in_virtual_time
async def test_events_that_are_not_kept_any_more_are_told_as_a_number():
    desk = Desk(events=EventLog(500))
    peer = await desk.raw(hello_of(hz=10))
    for _ in range(40):
        desk.publish(100, "something happened that a person should know")
        await asyncio.sleep(0.1)
        assert waiting(desk) < 20_000
    messages = await peer.drain()
    numbers, missed = told(messages)
    assert missed > 0
    assert len(numbers) + missed == 4_000
    assert numbers == sorted(set(numbers))
    assert numbers[-500:] == list(range(3_501, 4_001))
    resyncs = [m for m in messages if isinstance(m, Resync)]
    assert [m.upto for m in resyncs] == [3_500]


@in_virtual_time
async def test_views_come_through_a_flood_of_events():
    desk = Desk(padding=2_000, events=EventLog(10_000))
    peer = await desk.raw(hello_of(hz=10))
    seen = 0
    for _ in range(100):
        desk.publish(2_000, "more than a reader can take")
        await asyncio.sleep(0.01)
        seen += sum(isinstance(m, View) for m in peer.read())
    assert seen >= 9


@in_virtual_time
async def test_an_event_that_no_frame_can_carry_is_told_to_be_missing():
    desk = Desk()
    peer = await desk.raw(hello_of())
    desk.publish(10)
    desk.publish(1, "x" * (2 << 20))
    desk.publish(10)
    await asyncio.sleep(0.2)
    numbers, missed = told(await peer.drain())
    assert missed == 1
    assert numbers == [*range(1, 11), *range(12, 22)]


@in_virtual_time
async def test_a_peer_that_asks_and_never_reads_loses_its_connection():
    desk = Desk(
        options={
            "on_command": lambda peer, command: desk.server.answer(command.id, Verdict.DONE, "x" * 60_000)
        }
    )
    greedy, good = await desk.raw(hello_of(hz=0, seen=-1)), await desk.raw(hello_of())
    most, number = 0, 0
    while desk.server.viewers == 2:
        number += 1
        greedy.say(Command(str(number), "status"))
        await settle()
        most = max(most, waiting(desk))
    assert MOST_WAITING < most < MOST_WAITING + 61_000
    good.say(Command("good", "status"))
    await settle()
    assert [m.id for m in await good.drain() if isinstance(m, Ack)] == ["good"]


@in_virtual_time
async def test_closing_does_not_wait_for_a_peer_that_does_not_read():
    desk = Desk(padding=100_000)
    await desk.raw(hello_of(hz=10))
    await asyncio.sleep(1)
    before = asyncio.get_running_loop().time()
    await desk.server.close(Bye("done", 0))
    assert asyncio.get_running_loop().time() - before <= 1.01
