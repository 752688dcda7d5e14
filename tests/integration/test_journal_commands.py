"""`journal` through the command line: what each verb says in words and in JSON, and how it ends."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from session_kit import altered, record_session

import pinnacle_tui.cli as command_line
from engine.commands.journal_items import Item
from engine.commands.journal_objects import Objects
from engine.commands.journal_words import Words
from engine.core.events import (
    Alert,
    BookSnapshot,
    BookUpdate,
    CancelOrder,
    CancelRejected,
    FeedState,
    FeedStatus,
    OperatorAction,
    OperatorCommand,
    OrderAccepted,
    OrderCancelled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    Recovered,
    SettingsChange,
    Severity,
    StorageStatus,
    SubmitOrder,
    Timer,
    TradePrint,
)
from engine.core.order import Side
from engine.exchange.coinbase.products import catalogue
from engine.persistence.records import (
    TYPES,
    ArchiveDeleted,
    LogCut,
    Reconciled,
    SessionEnded,
    SessionStarted,
    SnapshotRef,
    StateDigest,
    decode,
    encode,
)
from engine.persistence.scanner import Record
from engine.runtime.session_store import StoredSession

Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> StoredSession:
    return record_session(
        tmp_path_factory.mktemp("s") / "sessions",
        "persistence.segment_kib=64",
        "persistence.snapshot_every=500",
    )


def asked(session: StoredSession, *arguments: str) -> int:
    return command_line.main(["journal", *arguments, "--data-dir", str(session.path.parent)])


def objects(capsys: Output) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("deep", [(), ("--deep",)])
def test_verify_says_what_was_checked(session: StoredSession, capsys: Output, deep: tuple[str, ...]) -> None:
    assert asked(session, "verify", session.name, *deep) == 0
    said = capsys.readouterr().out
    assert "every checksum, number and batch" in said
    assert said.endswith("status: clean\n")
    assert ("computed anew" in said) == bool(deep)
    assert asked(session, "verify", session.name, "--json", *deep) == 0
    [answer] = objects(capsys)
    assert (answer["status"], answer["problems"]) == ("clean", [])
    assert answer["records"] > 3_000


def test_a_lie_with_right_checksums_is_found_by_a_deep_look_alone(
    session: StoredSession, tmp_path: Path, capsys: Output
) -> None:
    whole = record_session(tmp_path / "whole")

    def change(record: Record) -> bytes:
        value = decode(record.payload, record.seq)
        if isinstance(value, OrderFilled):
            return encode(
                OrderFilled(
                    *(getattr(value, f) for f in value.__struct_fields__[:7]), value.size + 1, 0, True
                )
            )
        return record.payload

    lying = altered(whole, tmp_path / "sim-btc-usd-0009", change)
    assert command_line.main(["journal", "verify", str(lying.path)]) == 0
    capsys.readouterr()
    assert command_line.main(["journal", "verify", str(lying.path), "--deep"]) == 6
    assert "on record is" in capsys.readouterr().out


def test_dump_tells_every_record_in_its_order(session: StoredSession, capsys: Output) -> None:
    assert asked(session, "dump", session.name, "--json") == 0
    found = objects(capsys)
    seqs = [each["seq"] for each in found]
    assert seqs == sorted(seqs)
    assert {"order_intent", "order_ack", "fill", "timer_event", "market_event", "session"} <= {
        e["type"] for e in found
    }
    fill = next(each for each in found if each["type"] == "fill")
    assert re.fullmatch(r"\d+\.\d+", fill["price"])
    assert asked(session, "dump", session.name, "--from", "9", "--to", "12") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [int(line.split()[0]) for line in lines] == [seq for seq in seqs if 9 <= seq <= 12]
    assert asked(session, "dump", session.name, "--type", "fill", "--product", "BTC-USD", "--json") == 0
    fills = objects(capsys)
    assert fills == [each for each in found if each["type"] == "fill"]
    assert fills
    assert asked(session, "dump", session.name, "--product", "ETH-USD") == 0
    assert capsys.readouterr().out == ""


def test_stats_add_up(session: StoredSession, capsys: Output) -> None:
    assert asked(session, "stats", session.name, "--json") == 0
    [answer] = objects(capsys)
    assert sum(each["records"] for each in answer["types"].values()) == answer["records"]
    assert answer["archived"] > 0
    assert answer["snapshots"]
    assert asked(session, "stats", session.name) == 0
    said = capsys.readouterr().out
    assert "timer_event" in said
    assert "state after record" in said


def test_tail_tells_the_last_records(session: StoredSession, capsys: Output) -> None:
    assert asked(session, "tail", session.name, "-n", "3", "--json") == 0
    found = objects(capsys)
    assert len(found) == 3
    assert [each["event"] for each in found][-2:] == ["SessionEnded", "SegmentEnd"]
    assert asked(session, "tail", session.name, "-f", "-n", "2") == 0  # it has ended: nothing to follow
    assert "ended with 0" in capsys.readouterr().out


def test_diff_names_the_first_difference(session: StoredSession, tmp_path: Path, capsys: Output) -> None:
    whole = record_session(tmp_path / "one")
    again = record_session(tmp_path / "two")

    def change(record: Record) -> bytes:
        value = decode(record.payload, record.seq)
        if isinstance(value, Timer) and record.seq > 1_000:
            return encode(Timer(value.product, value.recv_ns + 1, value.wall_ns))
        return record.payload

    lying = altered(whole, tmp_path / "sim-btc-usd-0009", change)
    one, two, three = str(whole.path), str(again.path), str(lying.path)
    code = command_line.main(["journal", "diff", one, three, "--json"])
    [answer] = objects(capsys)
    assert code == answer["exit_code"] == 1
    assert answer["first_difference"]["a"]["seq"] > 1_000
    assert command_line.main(["journal", "diff", one, one]) == 0
    assert capsys.readouterr().out
    assert command_line.main(["journal", "diff", one, two]) == 0
    assert command_line.main(["journal", "diff", one, two, "--times"]) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("verify", "sim-btc-usd-9999"), 2, "there is no session"),
        (("dump", "{name}", "--type", "fills"), 2, "there are order_intent"),
        (("dump", "{name}", "--from", "0"), 2, "0"),
        (("repair", "{name}", "--truncate-at", "999999999"), 2, "records are sound up to"),
        (("stats", "/"), 2, "there is no session"),
    ],
)
def test_what_cannot_be_meant_is_said(
    session: StoredSession, capsys: Output, arguments: tuple[str, ...], code: int, said: str
) -> None:
    given = [each.replace("{name}", session.name) for each in arguments]
    assert asked(session, *given) == code
    assert said in capsys.readouterr().err


ONE_OF_EACH = (
    SubmitOrder("BTC-USD", 1, "id", Side.BUY, 1_000_000, 6_508_800, slot="B0"),
    SubmitOrder("BTC-USD", 1, "id", Side.SELL, 1_000_000, None, slot="B0"),
    CancelOrder("BTC-USD", 1, "id", "v", "replace"),
    OrderAccepted("BTC-USD", 1, 2, "id", "v"),
    OrderRejected("BTC-USD", 1, 2, "id", "BUSY", "busy"),
    OrderFilled("BTC-USD", 1, 2, "id", "f-1", Side.BUY, 6_508_800, 1_000_000, 5, True),
    OrderCancelled("BTC-USD", 1, 2, "id", 1_000_000),
    OrderExpired("BTC-USD", 1, 2, "id", 1_000_000, "its time"),
    CancelRejected("BTC-USD", 1, 2, "id", "UNKNOWN", "gone"),
    BookSnapshot("BTC-USD", 1, 2, [(6_508_800, 5)], []),
    BookUpdate("BTC-USD", 1, 2, [(6_508_800, 0)], [(6_508_900, 7)]),
    TradePrint("BTC-USD", 1, 2, 9, 6_508_800, 1_000_000, Side.SELL),
    FeedStatus("BTC-USD", 1, 2, FeedState.STALE, "a gap"),
    Timer("BTC-USD", 1, 2),
    OperatorCommand("BTC-USD", 1, 2, OperatorAction.CANCEL_ALL, "a person"),
    SettingsChange("BTC-USD", 1, 2, {"strategy.levels": "2", "engine.input": ""}),
    StorageStatus("BTC-USD", 1, 2, False, "DISK_SLOW", "slow"),
    Recovered("BTC-USD", 1, 2, "after a crash"),
    Alert("BTC-USD", 1, 2, Severity.ERROR, "FEED", "a gap"),
    SessionStarted("0.3.0", 12),
    SessionEnded("done", 0),
    StateDigest("BTC-USD", "ab" * 32),
    SnapshotRef(7, 1_000),
    LogCut(40, 1, "x.broken"),
    Reconciled("BTC-USD", "open orders", {"id": "confirmed"}),
    ArchiveDeleted(("a.pjl",), "too large"),
)


def test_every_kind_of_record_is_told_in_words_and_as_an_object() -> None:
    assert {type(value) for value in ONE_OF_EACH} == set(TYPES)
    known = {"BTC-USD": catalogue()["BTC-USD"]}
    words, bare, objects_of = Words(known), Words({}), Objects(known)
    for value in ONE_OF_EACH:
        entry = Item(5, 1_700_000_000_000_000_000, int(TYPES[type(value)]), value)
        line = words.line(entry)
        assert line.startswith("         5  2023-11-14 22:13:20.000Z  ")
        assert len(line) > 60
        assert bare.line(entry)
        told = objects_of.object(entry)
        assert json.loads(json.dumps(told))["seq"] == 5
        assert told["event"] == type(value).__name__
    assert "buy 0.01 BTC at 65,088" in words.line(Item(1, 1, 1, ONE_OF_EACH[0]))
    assert "buy 1000000 lots at 6508800 ticks" in bare.line(Item(1, 1, 1, ONE_OF_EACH[0]))
