"""The client: greets, mirrors, asks, and comes back; nothing an engine sends can make it raise."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from link_kit import Desk, VirtualLoop, hello_of, in_virtual_time, new_client, settle, small_view

from engine.link.client import LinkChange, LinkClient
from engine.link.errors import LinkError
from engine.link.event_log import EventLog
from engine.link.frames import FrameDecoder, of_client, to_console
from engine.link.messages import (
    Ack,
    Bye,
    ClientHello,
    Command,
    CommandName,
    EngineHello,
    Heartbeat,
    Pace,
    Role,
    ToEngine,
    Verdict,
)
from engine.link.mirror import LinkState

HELLO, BYE, LOST = LinkChange.HELLO, LinkChange.BYE, LinkChange.LOST


class RawEngine:
    """An engine's end that is nothing but a socket."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.at_end.append(sock.close)
        self._decoder: FrameDecoder[ToEngine] = of_client()

    def say(self, *messages) -> None:
        self.sock.sendall(b"".join(to_console(message) for message in messages))

    def read(self, kind: type = object) -> list[ToEngine]:
        found: list[ToEngine] = []
        try:
            while data := self.sock.recv(1 << 16):
                found += self._decoder.feed(data)
        except BlockingIOError:
            pass
        return [message for message in found if isinstance(message, kind)]


def greeting(**changes) -> EngineHello:
    made = {"engine_id": "engine 1", "role": Role.CONTROL, "protocol": 1, **changes}
    return EngineHello(
        build="0.1.0",
        session="sim",
        pid=1,
        mode="sim",
        venue="simulator",
        products=(),
        settings={},
        started_wall_ns=0,
        speed=None,
        on_owner_lost="keep-running",
        last_event=0,
        **made,
    )


async def by_hand(client: LinkClient, *first) -> RawEngine:
    """Connect the client to an engine whose every byte the test writes."""
    ours, theirs = socket.socketpair()
    engine = RawEngine(theirs)
    engine.say(*(first or (greeting(),)))
    await client.adopt(ours)
    await settle()
    return engine


@in_virtual_time
async def test_a_client_says_hello_mirrors_and_beats():
    client, changes = new_client(Role.VIEW, hz=7.0, may_kill=False)
    engine = await by_hand(client)
    assert engine.read() == [ClientHello(1, "0.1.0", Role.VIEW, "console pid 1", 7.0, 0, False, "")]
    assert client.is_connected
    assert changes == [HELLO]
    engine.say(small_view(9))
    await asyncio.sleep(3.1)
    assert client.mirror.view == small_view(9)
    beats = engine.read(Heartbeat)
    assert [beat.counter for beat in beats] == [1, 2, 3]
    assert [beat.mono_ns // 10**8 for beat in beats] == [10, 20, 30]
    client.pace(2.0)
    await settle()
    assert engine.read() == [Pace(2.0)]


@in_virtual_time
async def test_silence_doubts_the_link_and_a_heartbeat_mends_it():
    desk = Desk()
    client, _ = await desk.client()
    loop = asyncio.get_running_loop()

    def state() -> LinkState:
        return client.mirror.state(int(loop.time() * 1e9))

    await asyncio.sleep(10)
    assert state() is LinkState.UP
    engine = await by_hand(client)
    await asyncio.sleep(3.1)
    assert state() is LinkState.SILENT
    await asyncio.sleep(2)
    assert state() is LinkState.DOWN
    engine.say(Heartbeat(1, 1))
    await settle()
    assert state() is LinkState.UP


@in_virtual_time
async def test_a_refusal_is_raised_with_its_reason():
    desk = Desk(options={"read_uid": lambda peer: 4_711})
    client, changes = new_client()
    with pytest.raises(LinkError, match="not to uid 4711"):
        await client.adopt(await desk.connect())
    assert changes == [BYE, LOST]
    assert not client.is_connected
    assert client.mirror.state(0) is LinkState.CONNECTING


@in_virtual_time
async def test_an_engine_that_says_nothing_is_given_up():
    ours, theirs = socket.socketpair()
    engine = RawEngine(theirs)
    client, changes = new_client()
    with pytest.raises(LinkError, match="did not say hello within 5 s"):
        await client.adopt(ours)
    assert changes == [LOST]
    assert engine.read(ClientHello)


@in_virtual_time
async def test_nobody_there_is_said_in_words(tmp_path):
    client, _ = new_client()
    with pytest.raises(LinkError, match=r"no engine answers at .*none\.sock \(No such file"):
        await client.connect(tmp_path / "none.sock")


@in_virtual_time
async def test_another_protocol_ends_the_link():
    client, _ = new_client()
    with pytest.raises(LinkError, match="speaks protocol 2, this client 1"):
        await by_hand(client, greeting(protocol=2))


@in_virtual_time
async def test_an_engine_that_makes_no_sense_is_left_with_a_reason():
    client, changes = new_client()
    engine = await by_hand(client)
    engine.sock.sendall(to_console(small_view(1)) + struct.pack(">I", 3) + b"\xc1\xc1\xc1")
    await settle()
    assert client.mirror.views == 1
    assert "cannot be understood" in client.reason
    assert changes == [HELLO, LOST]


@in_virtual_time
async def test_kinds_from_the_future_are_counted_and_change_nothing():
    client, _ = new_client()
    engine = await by_hand(client)
    body = b"\x81\xa4kind\xa5dance"
    engine.sock.sendall((struct.pack(">I", len(body)) + body) * 3)
    engine.say(small_view(1))
    await settle()
    assert client.mirror.views == 1
    engine.sock.close()
    await settle()
    assert client.unknown == 3
    assert "closed the connection" in client.reason


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_of_an_engine_end_in_a_closed_link_at_worst(data):
    @in_virtual_time
    async def run() -> None:
        unhandled: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: unhandled.append(context))
        client, changes = new_client()
        engine = await by_hand(client)
        engine.sock.sendall(struct.pack(">I", len(data)) + data)
        engine.sock.close()
        await settle()
        assert changes == [HELLO, LOST]
        assert unhandled == []

    run()


@in_virtual_time
async def test_how_an_engine_ended_is_kept_until_another_one_greets():
    desk = Desk()
    client, changes = await desk.client()
    bye = Bye("stopped", 75, ("c1",), {"BTC-USD": "abc"})
    await desk.server.close(bye)
    await settle()
    assert changes == [HELLO, BYE, LOST]
    assert client.mirror.bye == bye
    assert client.reason == "stopped"
    assert client.mirror.state(0) is LinkState.ENDED
    await client.adopt(await Desk(engine_id="engine 2").connect())
    assert client.mirror.bye is None


@in_virtual_time
async def test_a_command_is_answered_and_forgotten():
    desk = Desk()
    client, _ = await desk.client()
    told = []
    pending = client.command(
        CommandName.SET, {"key": "a", "value": "1"}, on_change=lambda p: told.append(p.ack)
    )
    other = client.command(CommandName.PAUSE)
    await settle()
    assert [c.name for _, c in desk.commands] == ["set", "pause"]
    assert pending.command.id != other.command.id
    assert desk.commands[0][1] == pending.command
    desk.server.answer(pending.command.id, Verdict.ACCEPTED)
    desk.server.answer(pending.command.id, Verdict.DONE, "set")
    await settle()
    assert [ack.verdict for ack in told] == [Verdict.ACCEPTED, Verdict.DONE]
    assert list(client.mirror.pending) == [other.command.id]
    assert list(client._expiries) == [other.command.id]


@in_virtual_time
async def test_asking_waits_for_the_last_word():
    desk = Desk()
    client, _ = await desk.client(Role.VIEW)
    assert (await client.ask(CommandName.PAUSE)).verdict is Verdict.REJECTED
    asking = asyncio.ensure_future(client.ask(CommandName.KILL))
    await settle()
    desk.server.answer(desk.commands[0][1].id, Verdict.ACCEPTED)
    await settle()
    assert not asking.done()
    desk.server.answer(desk.commands[0][1].id, Verdict.DONE, "killed")
    assert (await asking).text == "killed"


@in_virtual_time
async def test_the_engines_own_unknown_comes_before_ours():
    desk = Desk()
    client, _ = await desk.client()
    ack = await client.ask(CommandName.FLATTEN, deadline_s=2.0)
    assert (ack.verdict, ack.ms) == (Verdict.UNKNOWN, pytest.approx(2_000))
    assert "no proof within 2 s" in ack.text


@in_virtual_time
async def test_an_engine_that_does_not_answer_leaves_a_command_unknown():
    client, _ = new_client()
    engine = await by_hand(client)
    told = []
    pending = client.command(CommandName.FLATTEN, deadline_s=2.0, on_change=lambda p: told.append(p.ack))
    await asyncio.sleep(2.4)
    assert told == []
    await asyncio.sleep(0.2)
    assert told == [pending.ack]
    assert pending.is_final
    assert told[0].verdict is Verdict.UNKNOWN
    assert "no answer in time: it may have been carried out" in told[0].text
    engine.say(Ack(pending.command.id, Verdict.DONE))
    await settle()
    assert len(told) == 1
    assert client.mirror.pending == {}


@in_virtual_time
async def test_unanswered_commands_go_again_with_the_same_id_and_the_time_that_is_left():
    desk = Desk()
    client, _ = await desk.client()
    asking = asyncio.ensure_future(client.ask(CommandName.FLATTEN, deadline_s=10.0))
    await asyncio.sleep(4)
    await client.adopt(await desk.connect())
    await settle()
    assert len(desk.commands) == 1, "it was carried out twice"
    engine = await by_hand(client)
    (again,) = engine.read(Command)
    assert again.id == desk.commands[0][1].id
    assert again.deadline_s == pytest.approx(6.0)
    engine.say(Ack(again.id, Verdict.DONE, "flat"))
    assert (await asking).text == "flat"


@in_virtual_time
async def test_a_command_is_never_sent_to_another_engine():
    desk = Desk()
    client, _ = await desk.client()
    asking = asyncio.ensure_future(client.ask(CommandName.FLATTEN))
    await settle()
    other = Desk(engine_id="engine 2")
    await client.adopt(await other.connect())
    ack = await asking
    assert (ack.verdict, "is gone: it may have been" in ack.text) == (Verdict.UNKNOWN, True)
    assert other.commands == []


@in_virtual_time
async def test_what_was_asked_while_the_link_was_down_goes_out_when_it_is_up_or_is_rejected():
    client, _ = new_client()
    early = asyncio.ensure_future(client.ask(CommandName.KILL, deadline_s=3.0))
    late = asyncio.ensure_future(client.ask(CommandName.PAUSE, deadline_s=1.0))
    assert (await late).verdict is Verdict.REJECTED
    assert "there was no connection" in (await late).text
    engine = await by_hand(client)
    (command,) = engine.read(Command)
    assert (command.name, command.deadline_s) == ("kill", pytest.approx(1.5))
    engine.say(Ack(command.id, Verdict.DONE))
    assert (await early).verdict is Verdict.DONE


@in_virtual_time
async def test_a_new_connection_brings_what_was_missed_and_nothing_twice():
    desk = Desk(events=EventLog(50))
    client, changes = await desk.client()
    numbers = []
    client.mirror.on_event = lambda event: numbers.append(event.eseq)
    desk.publish(10)
    await asyncio.sleep(0.3)
    client.close()
    assert changes == [HELLO, LOST]
    desk.publish(20)
    await client.adopt(await desk.connect())
    await settle()
    assert numbers == list(range(1, 31))
    client.close()
    desk.publish(100)
    await client.adopt(await desk.connect())
    await settle()
    assert numbers == [*range(1, 31), *range(81, 131)]
    assert client.mirror.missed_events == 50


@in_virtual_time
async def test_another_engine_is_mirrored_from_its_first_event():
    client, _ = await (first := Desk()).client()
    first.publish(5)
    await asyncio.sleep(0.3)
    numbers = []
    client.mirror.on_event = lambda event: numbers.append(event.eseq)
    second = Desk(engine_id="engine 2")
    second.publish(8)
    await client.adopt(await second.connect())
    await settle()
    assert numbers == list(range(1, 9))
    assert len(client.mirror.log) == 8


@in_virtual_time
async def test_a_late_word_of_an_old_connection_is_ignored():
    client, changes = new_client()
    old = await by_hand(client)
    old.say(Bye("old", 1))
    new = await by_hand(client, greeting(engine_id="engine 2"))
    assert client.mirror.bye is None
    new.say(small_view(3))
    await settle()
    assert client.mirror.view == small_view(3)
    assert changes == [HELLO, LOST, HELLO]


@in_virtual_time
async def test_nothing_is_believed_after_a_goodbye():
    client, _ = new_client()
    engine = await by_hand(client)
    engine.say(Bye("over"), small_view(5))
    await settle()
    assert client.mirror.view is None


@in_virtual_time
async def test_closing_says_goodbye_and_leaves_no_command_open():
    client, changes = new_client()
    engine = await by_hand(client)
    pending = client.command(CommandName.PAUSE)
    client.close("quit")
    client.close("again")
    await settle()
    assert engine.read(Bye) == [Bye("quit")]
    assert pending.ack is not None
    assert pending.ack.verdict is Verdict.UNKNOWN
    assert changes == [HELLO, LOST]
    assert client._expiries == {}


@in_virtual_time
async def test_a_role_that_changes_is_told():
    desk = Desk()
    owner, changes = new_client(Role.OWNER)
    await owner.adopt(await desk.connect(is_inherited=True))
    viewer = await desk.raw(hello_of(Role.VIEW))
    assert owner.mirror.is_controller
    viewer.say(Command("1", "take_control"))
    await settle()
    assert not owner.mirror.is_controller
    assert changes == [HELLO, HELLO]
