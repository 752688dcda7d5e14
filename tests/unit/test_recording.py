"""Reading recordings: exact times, and a word with file and line for everything that is wrong."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from engine.core.errors import RecordingError, UsageError
from engine.core.events import BookSnapshot, FeedState, FeedStatus
from engine.core.instrument import Instrument
from engine.exchange.coinbase.wire.sessions import Api, detect_api
from engine.exchange.recording import RecordingFeed, parse_time_ns, read_recording, recorded_api


def write(path: Path, *lines: object) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return path


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1786309548.1743748", 1786309548174374800),
        ("1618677817.07979", 1618677817079790000),
        ("1786309548", 1786309548000000000),
        ("1786309548.123456789", 1786309548123456789),
        ("2025-08-22T20:11:29.968996+00:00", 1755893489968996000),
        ("2016-03-12 00:08:51.403", 1457741331403000000),
        ("2025-08-22T22:11:29.968996+02:00", 1755893489968996000),
        ("2025-08-22T20:11:29Z", 1755893489000000000),
    ],
)
def test_times_are_exact(text: str, ns: int) -> None:
    assert parse_time_ns(text) == ns


@pytest.mark.parametrize(
    "text", ["soon", "NaN", "Infinity", "1e300", "1e999999999", "-1e999999999", "2025-13-01T00:00:00Z", "{}"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_time_ns(text)


def test_plain_and_gzip_read_the_same(tmp_path: Path) -> None:
    line = json.dumps({"ts": 1.5, "dir": "recv", "raw": '{"type":"status"}'}) + "\n"
    plain, packed, unnamed = tmp_path / "a.jsonl", tmp_path / "a.jsonl.gz", tmp_path / "b.jsonl"
    plain.write_text(line)
    packed.write_bytes(gzip.compress(line.encode()))
    unnamed.write_bytes(gzip.compress(line.encode()))
    read = [list(read_recording(path)) for path in (plain, packed, unnamed)]
    assert read[0] == read[1] == read[2]
    assert (read[0][0].line, read[0][0].wall_ns) == (1, 1_500_000_000)


def test_a_line_without_time_has_the_time_before(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        {"dir": "recv", "raw": "a"},
        {"recv_utc": "1970-01-01T00:00:02+00:00", "dir": "recv", "raw": "b"},
        {"ts": None, "dir": "recv", "raw": "c"},
        {"ts": "3", "dir": "recv", "raw": "d"},
    )
    assert [frame.wall_ns for frame in read_recording(path)] == [0, 2 * 10**9, 2 * 10**9, 3 * 10**9]


GOOD = {"ts": 1, "dir": "recv", "raw": "x"}


@pytest.mark.parametrize(
    "bad",
    [
        "{",
        "[]",
        '{"dir":"recv"}',
        '{"raw":"x"}',
        '{"dir":"recv","raw":5}',
        '{"dir":"sideways","raw":"x"}',
        '{"ts":"soon","dir":"recv","raw":"x"}',
        '{"ts":{},"dir":"recv","raw":"x"}',
        "[" * 100_000,
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, bad: str) -> None:
    path = write(tmp_path / "a.jsonl", GOOD, bad)
    with pytest.raises(RecordingError, match=r"a\.jsonl: line 2 is not a line of a recording"):
        list(read_recording(path))


def test_what_came_before_the_damage_is_given(tmp_path: Path) -> None:
    frames = read_recording(write(tmp_path / "a.jsonl", GOOD, "{"))
    assert next(frames).raw == "x"
    with pytest.raises(RecordingError):
        next(frames)


def test_cut_and_false_gzip_and_missing_files(tmp_path: Path) -> None:
    body = gzip.compress(
        "".join(json.dumps({**GOOD, "raw": str(n) * 50}) + "\n" for n in range(500)).encode()
    )
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(body[:-20])
    with pytest.raises(RecordingError, match=r"cut\.jsonl\.gz: .*ends early"):
        list(read_recording(cut))
    false = tmp_path / "false.jsonl.gz"
    false.write_text("{}\n")
    with pytest.raises(RecordingError, match=r"false\.jsonl\.gz: cannot be read"):
        list(read_recording(false))
    flipped = bytearray(body)
    flipped[len(body) // 2] ^= 0xFF
    (tmp_path / "flipped.jsonl.gz").write_bytes(flipped)
    with pytest.raises(RecordingError, match="flipped"):
        list(read_recording(tmp_path / "flipped.jsonl.gz"))
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(UsageError, match="cannot be opened") as refused:
            list(read_recording(path))
        assert str(refused.value).count(str(path)) == 1


def test_a_hole_of_more_than_six_hours_is_refused(tmp_path: Path) -> None:
    hours = 3600
    path = write(
        tmp_path / "a.jsonl", *({**GOOD, "ts": second} for second in (0, 10**9, 10**9 + 6 * hours, 1, 2))
    )
    assert len(list(read_recording(path))) == 5, "no time, exactly six hours, and back again"
    path = write(tmp_path / "b.jsonl", *({**GOOD, "ts": second} for second in (100, 101 + 6 * hours)))
    with pytest.raises(RecordingError, match=r"b\.jsonl: line 2 is 6\.0 hours later .* joined\?"):
        list(read_recording(path))


@pytest.mark.parametrize(
    ("direction", "raw", "api"),
    [
        ("connect", "wss://advanced-trade-ws.coinbase.com", Api.ADVANCED),
        ("connect", "wss://advanced-trade-ws-user.coinbase.com", Api.ADVANCED),
        ("connect", "wss://ws-feed.exchange.coinbase.com", Api.EXCHANGE),
        ("connect", "wss://ws-feed.pro.coinbase.com", Api.EXCHANGE),
        ("connect", "wss://example.org", None),
        ("send", '{"type":"subscribe","channel":"level2","product_ids":["BTC-USD"]}', Api.ADVANCED),
        ("send", '{"type":"subscribe","channels":["full"],"product_ids":["BTC-USD"]}', Api.EXCHANGE),
        ("recv", '{"channel":"heartbeats","sequence_num":0,"events":[]}', Api.ADVANCED),
        ("recv", '{"type":"match","product_id":"BTC-USD"}', Api.EXCHANGE),
        ("recv", '{"type":"error","message":"authentication failure"}', None),
        ("recv", "garbage", None),
    ],
)
def test_the_api_is_told_from_the_lines(direction: str, raw: str, api: Api | None) -> None:
    assert detect_api(direction, raw) is api


def test_a_recording_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="none of its lines"):
        recorded_api(write(tmp_path / "a.jsonl", GOOD))


def snapshot(product: str, bid: str, ask: str) -> str:
    return json.dumps({"type": "snapshot", "product_id": product, "bids": [[bid, "1"]], "asks": [[ask, "2"]]})


def test_the_feed_plays_at_recorded_times(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        {"ts": 100.0, "dir": "connect", "raw": "wss://ws-feed.exchange.coinbase.com"},
        {"ts": 100.5, "dir": "recv", "raw": snapshot("A-B", "9.5", "10")},
        {"ts": 100.25, "dir": "recv", "raw": snapshot("A-B", "9", "10")},
        {"ts": 102.0, "dir": "recv", "raw": snapshot("A-B", "8.5", "10")},
    )
    feed = RecordingFeed(path, {"A-B": Instrument.create("A-B", tick="0.5", lot="1")})
    assert (feed.next_due_ns(), feed.is_exhausted) == (0, False)
    assert feed.poll(499_999_999) == []
    assert feed.next_due_ns() == 500_000_000
    first = feed.poll(500_000_000)
    assert first == [
        BookSnapshot("A-B", 500_000_000, 100_500_000_000, [(19, 1)], [(20, 2)]),
        FeedStatus("A-B", 500_000_000, 100_500_000_000, FeedState.LIVE, "snapshot"),
        # The recorder's clock went back: the wall time is as recorded, the time we run on stands still.
        BookSnapshot("A-B", 500_000_000, 100_250_000_000, [(18, 1)], [(20, 2)]),
    ]
    assert feed.next_due_ns() == 2_000_000_000
    assert [event.recv_ns for event in feed.poll(10**12)] == [2_000_000_000]
    assert (feed.next_due_ns(), feed.is_exhausted, feed.lines) == (None, True, 4)
    assert feed.poll(10**15) == []


def test_the_feed_reads_no_further_than_the_next_line(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        {"ts": 1, "dir": "recv", "raw": snapshot("A-B", "9", "10")},
        {"ts": 2, "dir": "recv", "raw": snapshot("A-B", "9", "10")},
        "damaged",
    )
    feed = RecordingFeed(path, {"A-B": Instrument.create("A-B", tick="1", lot="1")})
    assert feed.poll(0)
    with pytest.raises(RecordingError, match="line 3"):
        feed.poll(10**12)
