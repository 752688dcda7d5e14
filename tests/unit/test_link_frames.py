"""Frames: what is told apart, what is left out, what is too much."""

from __future__ import annotations

import struct

import msgspec
import pytest

from engine.link.errors import LinkError
from engine.link.event_log import EventLog
from engine.link.events import Notice
from engine.link.frames import MOST_GARBAGE, of_client, of_engine, to_console, to_engine
from engine.link.messages import MOST_TO_CONSOLE, MOST_TO_ENGINE, Ack, Command, Heartbeat, Pace, Verdict


def frame(body: object) -> bytes:
    raw = body if isinstance(body, bytes) else msgspec.msgpack.encode(body)
    return struct.pack(">I", len(raw)) + raw


def test_a_frame_is_a_big_endian_length_and_a_msgpack_map():
    data = to_engine(Pace(5.0))
    assert data[:4] == (len(data) - 4).to_bytes(4, "big")
    assert msgspec.msgpack.decode(data[4:]) == {"kind": "pace", "hz": 5.0}


def test_keys_that_are_not_known_are_ignored():
    decoder = of_client()
    assert list(decoder.feed(frame({"kind": "pace", "hz": 2.0, "colour": "red"}))) == [Pace(2.0)]
    assert (decoder.unknown, decoder.garbage) == (0, 0)


@pytest.mark.parametrize(
    ("body", "unknown", "garbage"),
    [
        ({"kind": "from the future", "x": [1, {}]}, 1, 0),
        ({"kind": "pace", "hz": "fast"}, 0, 1),
        ({"kind": "pace"}, 0, 1),
        ({"kind": 7}, 0, 1),
        ({"hz": 1.0}, 0, 1),
        ([1, 2], 0, 1),
        (b"", 0, 1),
        (b"\xc1", 0, 1),
        (b"\x91" * 60_000, 0, 1),
        (b"\x81\xa4kind\xa2\xff\xfe", 0, 1),
        ({"kind": "state", "seq": 1}, 1, 0),
    ],
)
def test_an_unknown_kind_is_told_apart_from_garbage(body, unknown, garbage):
    decoder = of_client()
    assert list(decoder.feed(frame(body) + to_engine(Pace(3.0)))) == [Pace(3.0)]
    assert (decoder.unknown, decoder.garbage) == (unknown, garbage)


def test_the_thousandth_senseless_frame_of_a_client_is_the_last():
    decoder = of_client()
    assert list(decoder.feed(frame(b"\xc1") * (MOST_GARBAGE - 1) + to_engine(Pace(1.0)))) == [Pace(1.0)]
    with pytest.raises(LinkError, match="1,000 frames"):
        list(decoder.feed(frame(b"\xc1")))


def test_one_senseless_frame_of_an_engine_is_enough():
    decoder = of_engine()
    read = []
    with pytest.raises(LinkError):
        read.extend(decoder.feed(to_console(Heartbeat(1, 2)) + frame({"kind": "state"})))


def test_what_came_before_a_bad_frame_is_read():
    messages = of_engine().feed(to_console(Heartbeat(1, 2)) + struct.pack(">I", MOST_TO_CONSOLE + 1))
    assert next(messages) == Heartbeat(1, 2)
    with pytest.raises(LinkError, match="at most 1,048,576"):
        next(messages)


def test_the_largest_frame_passes_and_one_byte_more_is_not_sent():
    spare = MOST_TO_ENGINE - len(to_engine(Command("i", "set", {"k": "x" * 60_000}))) + 4
    largest = Command("i", "set", {"k": "x" * (60_000 + spare)})
    assert list(of_client().feed(to_engine(largest))) == [largest]
    with pytest.raises(LinkError, match="Command of 65,537 bytes is too large"):
        to_engine(Command("i", "set", {"k": "x" * (60_001 + spare)}))
    with pytest.raises(LinkError, match="not sent"):
        to_console(Ack("i", Verdict.DONE, "x" * MOST_TO_CONSOLE))


def test_the_log_numbers_from_one_and_keeps_the_last():
    log = EventLog(3)
    made = [log.publish(Notice, 5, 6, "BTC-USD", "info", "N", text=str(n)) for n in range(5)]
    assert [event.eseq for event in made] == [1, 2, 3, 4, 5]
    assert (log.last, log.lost) == (5, 2)
    assert log.after(0, 10) == tuple(made[2:])
    assert log.after(3, 1) == (made[3],)
    assert log.after(5, 10) == ()
    with pytest.raises(ValueError, match="keeps nothing"):
        EventLog(0)
