"""Frames under fuzz: cut anywhere, mixed with garbage, too large; messages or a LinkError come."""

from __future__ import annotations

import contextlib
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.link.errors import LinkError
from engine.link.event_log import EventLog
from engine.link.events import Notice
from engine.link.frames import of_client, of_engine, to_console, to_engine
from engine.link.messages import (
    MOST_TO_ENGINE,
    Ack,
    Bye,
    ClientHello,
    Command,
    EventMessage,
    Heartbeat,
    Pace,
    Resync,
    Role,
    Verdict,
)

texts = st.text(max_size=20)
numbers = st.integers(min_value=-(2**63), max_value=2**64 - 1)
to_engines = st.one_of(
    st.builds(Command, texts, texts, st.dictionaries(texts, texts, max_size=3), st.floats(allow_nan=False)),
    st.builds(Heartbeat, numbers, numbers),
    st.builds(Pace, st.floats(allow_nan=False)),
    st.builds(Bye, texts, st.none() | numbers, st.lists(texts, max_size=3).map(tuple)),
    st.builds(ClientHello, numbers, texts, st.sampled_from(Role), texts, seen=numbers),
)
notices = st.builds(Notice, numbers, numbers, numbers, texts, texts, texts, texts)
to_consoles = st.one_of(
    st.builds(Ack, texts, st.sampled_from(Verdict), texts),
    st.builds(Heartbeat, numbers, numbers),
    st.builds(Resync, numbers, numbers),
    st.builds(EventMessage, st.lists(notices, max_size=4).map(tuple)),
)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted({min(cut, len(data)) for cut in cuts} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@given(st.lists(to_engines, max_size=8), st.lists(st.integers(0, 1_000), max_size=20))
def test_what_a_client_says_arrives_however_it_was_cut(messages, cuts):
    decoder = of_client()
    data = b"".join(to_engine(message) for message in messages)
    assert [m for piece in pieces(data, cuts) for m in decoder.feed(piece)] == messages
    assert (decoder.garbage, decoder.unknown) == (0, 0)


@given(st.lists(to_consoles, max_size=8), st.lists(st.integers(0, 1_000), max_size=20))
def test_what_an_engine_says_arrives_however_it_was_cut(messages, cuts):
    decoder = of_engine()
    data = b"".join(to_console(message) for message in messages)
    assert [m for piece in pieces(data, cuts) for m in decoder.feed(piece)] == messages


@given(st.binary(max_size=2_000), st.lists(st.integers(0, 2_000), max_size=8))
def test_any_bytes_at_all_lead_to_messages_or_a_link_error(data, cuts):
    for decoder in (of_client(), of_engine()):
        with contextlib.suppress(LinkError):
            for piece in pieces(data, cuts):
                for message in decoder.feed(piece):
                    assert isinstance(message, msgspec.Struct)


@given(st.lists(to_engines | st.binary(max_size=40).map(b"\xc1".__add__), max_size=10))
def test_garbage_between_messages_costs_only_itself(parts):
    decoder, garbage = of_client(), 0
    for part in parts:
        if isinstance(part, bytes):  # no msgpack begins with that byte
            garbage += 1
            assert list(decoder.feed(struct.pack(">I", len(part)) + part)) == []
        else:
            assert list(decoder.feed(to_engine(part))) == [part]
    assert decoder.garbage == garbage


@given(st.integers(min_value=MOST_TO_ENGINE + 1, max_value=2**32 - 1), st.binary(max_size=64))
def test_a_frame_that_is_too_large_is_refused_by_its_length_alone(length, start):
    with pytest.raises(LinkError, match=f"{length:,} bytes"):
        list(of_client().feed(struct.pack(">I", length) + start))


@given(st.integers(1, 7), st.lists(st.tuples(st.sampled_from("pr"), st.integers(0, 5)), max_size=60))
def test_a_reader_of_the_log_sees_every_event_or_is_told_how_many_are_lost(capacity, steps):
    log, seen, told, lost = EventLog(capacity), 0, [], 0
    for what, count in [*steps, ("r", 1_000)]:
        if what == "p":
            for _ in range(count):
                log.publish(Notice, 0, 0, "", "info", "N", "")
            continue
        if seen < log.lost:
            lost += log.lost - seen
            seen = log.lost
        events = log.after(seen, count)
        told += [event.eseq for event in events]
        seen += len(events)
    assert seen == log.last
    assert len(told) + lost == log.last
    assert told == sorted(set(told))
