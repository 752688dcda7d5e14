"""Commands: who may ask what, that each id acts once, and that each gets one final answer."""

from __future__ import annotations

import asyncio

import pytest
from link_kit import Desk, hello_of, in_virtual_time, settle

from engine.link.commands import REMEMBERED
from engine.link.messages import Ack, Bye, Command, CommandName, EngineHello, Role, Verdict

STEERING = sorted(set(CommandName) - {"kill", "take_control"})


async def ask(peer, command_id: str, name: str, **options) -> list[Ack]:
    peer.say(Command(command_id, name, **options))
    await settle()
    return [message for message in peer.read() if isinstance(message, Ack)]


async def roles(*peers) -> list[list[Role]]:
    await settle()
    return [[m.role for m in peer.read() if isinstance(m, EngineHello)] for peer in peers]


@in_virtual_time
async def test_a_command_is_accepted_and_then_done_with_its_time():
    desk = Desk()
    peer = await desk.raw(hello_of())
    assert await ask(peer, "a", "flatten", arguments={"x": "1"}) == []
    ((asker, command),) = desk.commands
    assert (asker.name, command.name, command.arguments) == ("console pid 1", "flatten", {"x": "1"})
    assert desk.server.answer("a", Verdict.ACCEPTED, "cancelling")
    await asyncio.sleep(0.25)
    assert desk.server.answer("a", Verdict.DONE, "flat", ("c1",))
    await settle()
    accepted, done = [m for m in peer.read() if isinstance(m, Ack)]
    assert accepted == Ack("a", Verdict.ACCEPTED, "cancelling", 0.0)
    assert done == Ack("a", Verdict.DONE, "flat", pytest.approx(250), ("c1",))
    assert not desk.server.answer("a", Verdict.REJECTED, "second thoughts")
    assert not desk.server.answer("never asked", Verdict.DONE)


@in_virtual_time
async def test_the_same_id_again_returns_the_answer_and_does_nothing():
    desk = Desk()
    peer, other = await desk.raw(hello_of()), await desk.raw(hello_of(Role.VIEW))
    await ask(peer, "a", "pause")
    assert await ask(peer, "a", "pause") == []
    desk.server.answer("a", Verdict.ACCEPTED)
    await settle()
    assert len([m for m in peer.read() if isinstance(m, Ack)]) == 1
    (again,) = await ask(other, "a", "pause")
    assert again.verdict is Verdict.ACCEPTED
    desk.server.answer("a", Verdict.DONE, "paused")
    await settle()
    # Whoever asked last, from a new connection as a rule, hears the end.
    assert other.only(Ack).text == "paused"
    (again,) = await ask(peer, "a", "pause")
    assert (again.verdict, again.text) == (Verdict.DONE, "paused")
    assert len(desk.commands) == 1


@in_virtual_time
async def test_a_refused_id_stays_refused():
    desk = Desk()
    await desk.raw(hello_of())
    viewer = await desk.raw(hello_of(Role.VIEW))
    (refused,) = await ask(viewer, "a", "pause")
    await ask(viewer, "t", "take_control")
    assert await ask(viewer, "a", "pause") == [refused]
    assert desk.commands == []


@in_virtual_time
async def test_a_deadline_without_proof_is_answered_unknown_once():
    desk = Desk()
    peer = await desk.raw(hello_of())
    await ask(peer, "a", "flatten", deadline_s=2.0)
    desk.server.answer("a", Verdict.ACCEPTED)
    await asyncio.sleep(1.9)
    assert peer.only(Ack).verdict is Verdict.ACCEPTED
    await asyncio.sleep(0.2)
    ack = peer.only(Ack)
    assert (ack.verdict, ack.ms) == (Verdict.UNKNOWN, pytest.approx(2_000))
    assert "may have been carried out" in ack.text
    assert not desk.server.answer("a", Verdict.DONE)
    await asyncio.sleep(10)
    assert [m for m in peer.read() if isinstance(m, Ack)] == []


@pytest.mark.parametrize(
    ("asked", "used"), [(float("nan"), 5), (-1.0, 5), (0.0, 5), (float("inf"), 600), (0.5, 0.5)]
)
@in_virtual_time
async def test_deadlines_that_make_no_sense_are_bounded(asked, used):
    desk = Desk()
    client = await desk.raw(hello_of(Role.OWNER, hz=0, seen=-1), is_inherited=True)
    acks = await ask(client, "a", "flatten", deadline_s=asked)
    while not acks:
        await asyncio.sleep(0.5)
        acks = [m for m in client.read() if isinstance(m, Ack)]
    assert acks[0].ms == pytest.approx(used * 1_000)


@pytest.mark.parametrize("name", STEERING)
@in_virtual_time
async def test_only_the_controller_steers(name):
    desk = Desk()
    first = await desk.raw(hello_of(name="console pid 7"))
    second = await desk.raw(hello_of())
    (refused,) = await ask(second, "a", name)
    assert refused.verdict is Verdict.REJECTED
    assert "console pid 7 holds control" in refused.text
    assert "Take control first" in refused.text
    assert await ask(first, "b", name) == []
    first.close()
    await settle()
    (refused,) = await ask(second, "c", name)
    assert "nobody holds control" in refused.text
    assert [command.id for _, command in desk.commands] == ["b"]


@in_virtual_time
async def test_everybody_may_kill_unless_read_only():
    desk = Desk()
    await desk.raw(hello_of())
    viewer = await desk.raw(hello_of(Role.VIEW))
    reader = await desk.raw(hello_of(Role.VIEW, may_kill=False))
    assert await ask(viewer, "b", "kill") == []
    (refused,) = await ask(reader, "d", "kill")
    assert refused.verdict is Verdict.REJECTED
    (refused,) = await ask(reader, "e", "take_control")
    assert "read-only" in refused.text
    (refused,) = await ask(viewer, "f", "fly")
    assert "'fly' is no command" in refused.text
    assert "cancel_all" in refused.text
    assert [command.id for _, command in desk.commands] == ["b"]


@in_virtual_time
async def test_control_goes_back_and_forth_and_everybody_is_told_its_role():
    desk = Desk()
    owner = await desk.raw(hello_of(Role.OWNER, name="owner"), is_inherited=True)
    viewer = await desk.raw(hello_of(Role.VIEW, name="viewer"))
    third = await desk.raw(hello_of(Role.CONTROL, name="third"))
    assert await roles(owner, viewer, third) == [[Role.OWNER], [Role.VIEW], [Role.VIEW]]

    viewer.say(Command("1", "take_control"))
    await settle()
    assert desk.server.controller == "viewer"
    hello, ack = [m for m in viewer.read() if isinstance(m, EngineHello | Ack)]
    assert (hello.role, hello.history) == (Role.CONTROL, {})
    assert (ack.verdict, ack.text) == (Verdict.DONE, "you hold control; owner only watches now")
    assert await roles(owner, third) == [[Role.VIEW], []]
    assert (await ask(owner, "2", "pause"))[0].verdict is Verdict.REJECTED

    await ask(third, "4", "take_control")
    assert desk.server.controller == "third"
    assert await roles(owner, viewer) == [[], [Role.VIEW]]

    third.close()
    assert await roles(owner, viewer) == [[Role.OWNER], []]
    await ask(viewer, "8", "take_control")
    assert (await ask(owner, "9", "take_control"))[0].text == "you hold control; viewer only watches now"
    assert desk.server.controller == "owner"
    assert desk.commands == []


@in_virtual_time
async def test_control_without_an_owner_is_free_after_its_holder_and_there_is_one_owner_only():
    desk = Desk()
    first, second = await desk.raw(hello_of(name="1")), await desk.raw(hello_of(name="2"))
    assert await roles(first, second) == [[Role.CONTROL], [Role.VIEW]]
    first.close()
    assert await roles(second) == [[]]
    assert desk.server.controller == ""
    assert (await ask(second, "a", "take_control"))[0].text == "you hold control"
    assert await roles(second) == [[]]
    # Nobody becomes the owner by asking for it; whoever has inherited the connection is, whatever it says.
    other = await desk.raw(hello_of(Role.OWNER, name="o"))
    owner = await desk.raw(hello_of(Role.VIEW, name="p"), is_inherited=True)
    assert await roles(other, owner) == [[Role.VIEW], [Role.VIEW]]
    second.close()
    assert await roles(other, owner) == [[], [Role.OWNER]]


@in_virtual_time
async def test_a_command_that_the_engine_fails_over_is_unknown_and_reported():
    def fail(peer, command) -> None:
        raise ValueError("boom")

    desk = Desk(options={"on_command": fail})
    peer = await desk.raw(hello_of())
    (ack,) = await ask(peer, "a", "pause")
    assert (ack.verdict, "boom" in ack.text) == (Verdict.UNKNOWN, True)
    assert [str(error) for error in desk.errors] == ["boom"]


@in_virtual_time
async def test_more_than_twenty_commands_a_second_are_refused_but_never_the_kill_switch():
    desk = Desk()
    peer = await desk.raw(hello_of())
    for number in range(20):
        assert await ask(peer, str(number), "pause") == []
    (refused,) = await ask(peer, "20", "pause")
    assert refused.verdict is Verdict.REJECTED
    assert "more than 20 commands" in refused.text
    assert await ask(peer, "k", "kill") == []
    await asyncio.sleep(1.1)
    peer.read()
    assert await ask(peer, "20", "pause") == []
    assert len(desk.commands) == 22


@in_virtual_time
async def test_the_last_thousand_answers_are_remembered_and_no_more():
    desk = Desk()
    peer = await desk.raw(hello_of(hz=0, seen=-1))
    acks = []
    for number in range(REMEMBERED + 1):
        peer.say(Command(str(number), "kill", deadline_s=600))
        await asyncio.sleep(0)
        acks += [m for m in peer.read() if isinstance(m, Ack)]
    await settle()
    acks += [m for m in peer.read() if isinstance(m, Ack)]
    assert [(ack.id, ack.verdict) for ack in acks] == [("0", Verdict.UNKNOWN)], "it was pushed out unanswered"
    desk.server.answer("1", Verdict.DONE)
    assert (await ask(peer, "1", "kill"))[0].verdict is Verdict.DONE
    assert not desk.server.answer("0", Verdict.DONE)
    peer.say(Command("0", "kill"))
    await settle()
    assert len(desk.commands) == REMEMBERED + 2, "nobody knows any more that it was asked before"


@in_virtual_time
async def test_an_endless_id_costs_the_connection():
    desk = Desk()
    peer = await desk.raw(hello_of())
    peer.say(Command("x" * 65, "kill"))
    await settle()
    assert "at most 64" in peer.only(Bye).reason
    assert desk.commands == []


@in_virtual_time
async def test_an_engine_that_ends_answers_what_is_open():
    desk = Desk()
    peer = await desk.raw(hello_of())
    await ask(peer, "a", "pause")
    await desk.server.close(Bye("ended", 0))
    ack, bye = [m for m in peer.read() if isinstance(m, Ack | Bye)]
    assert (ack.id, ack.verdict) == ("a", Verdict.UNKNOWN)
    assert bye.exit_code == 0


@in_virtual_time
async def test_an_answer_for_somebody_who_left_hurts_nobody():
    desk = Desk()
    peer = await desk.raw(hello_of())
    await ask(peer, "a", "pause")
    peer.close()
    await settle()
    assert desk.server.answer("a", Verdict.DONE, "paused")
    other = await desk.raw(hello_of())
    other.read()
    assert (await ask(other, "a", "pause"))[0].text == "paused"
