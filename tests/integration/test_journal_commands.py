"""`journal` through the command line on sound journals: what each verb says in words and in JSON."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from durability.recovery_kit import journal_on
from session_kit import altered, record_session

import pinnacle_tui.cli as command_line
from engine.core.events import BookSnapshot, OrderFilled, Timer
from engine.persistence import snapshots
from engine.persistence.continuation import Continuation
from engine.persistence.directory import JournalDirectory
from engine.persistence.disk import DISK
from engine.persistence.format import MORE, RecordType, record_bytes
from engine.persistence.reader import JournalReader
from engine.persistence.records import decode, encode
from engine.persistence.scanner import Record
from engine.persistence.snapshots import snapshot_names
from engine.runtime.session_store import StoredSession

Output = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> StoredSession:
    """Of several small files, some of them archived, with saved states."""
    return record_session(
        tmp_path_factory.mktemp("s") / "sessions",
        "persistence.segment_kib=64",
        "persistence.snapshot_every=500",
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> StoredSession:
    """The same market, in one file and without a saved state."""
    return record_session(tmp_path_factory.mktemp("w") / "sessions")


def asked(session: StoredSession, *arguments: str) -> int:
    return command_line.main(["journal", *arguments, "--data-dir", str(session.path.parent)])


def objects(capsys: Output) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def on_disk(session: StoredSession) -> list[Record]:
    return list(JournalReader(str(session.path)).records())


# -- which journal ---------------------------------------------------------------------------------


def test_a_session_is_named_by_its_name_its_folder_or_the_folder_of_sessions(
    session: StoredSession, capsys: Output
) -> None:
    said = set()
    for wanted in (session.name, str(session.path), f"{session.path}/", str(session.path.parent)):
        assert asked(session, "stats", wanted) == 0
        said.add(capsys.readouterr().out)
    assert len(said) == 1


def test_a_bare_journal_is_told_in_ticks_and_lots(
    session: StoredSession, tmp_path: Path, capsys: Output
) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(session.path, bare)
    bare.chmod(0o700)
    (bare / "session.json").unlink()
    assert command_line.main(["journal", "dump", str(bare), "--type", "fill", "--json"]) == 0
    first = objects(capsys)[0]
    assert isinstance(first["price"], int)
    assert isinstance(first["size"], int)
    assert command_line.main(["journal", "dump", str(bare), "--type", "fill"]) == 0
    line = capsys.readouterr().out.splitlines()[0]
    assert f"{first['side']} {first['size']} lots at {first['price']} ticks" in line
    for verb in ("verify", "stats", "tail"):
        assert asked(session, verb, str(bare)) == 0
    assert command_line.main(["journal", "verify", "bare", "--deep", "--data-dir", str(tmp_path)]) == 0
    assert "left out: there is no session.json" in capsys.readouterr().out
    assert command_line.main(["journal", "repair", str(bare), "--truncate-at", "3000"]) == 0


# -- verify ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("deep", [(), ("--deep",)])
def test_verify_says_what_was_checked(session: StoredSession, capsys: Output, deep: tuple[str, ...]) -> None:
    records = on_disk(session)
    assert len(snapshot_names(str(session.path), DISK)) == 3
    assert asked(session, "verify", session.name, *deep) == 0
    said = capsys.readouterr().out
    assert f"{len(records):,} records, 1 to {records[-1].seq:,}" in said
    assert "every checksum, number and batch" in said
    assert "3 saved states by their digests" in said
    assert said.endswith("status: clean\n")
    assert ("3 saved states with what followed them came to the same" in said) == bool(deep)
    assert asked(session, "verify", session.name, "--json", *deep) == 0
    [answer] = objects(capsys)
    assert (answer["status"], answer["problems"], answer["exit_code"]) == ("clean", [], 0)
    assert (answer["records"], answer["first_seq"], answer["last_seq"]) == (len(records), 1, records[-1].seq)
    assert (answer["first_ns"], answer["last_ns"]) == (records[0].ts_ns, records[-1].ts_ns)
    if deep:
        events = Counter(record.kind for record in records)
        commands = events[RecordType.ORDER_INTENT] + events[RecordType.CANCEL_INTENT]
        assert answer["replay"]["commands"] == commands
        assert answer["replay"]["digests"] == events[RecordType.STATE_DIGEST]
        assert (answer["replay"]["states"], answer["replay"]["from_seq"]) == (3, 1)


def test_a_lie_with_right_checksums_is_found_by_a_deep_look_alone(
    whole: StoredSession, tmp_path: Path, capsys: Output
) -> None:
    lies = []

    def change(record: Record) -> bytes:
        value = decode(record.payload, record.seq)
        if isinstance(value, OrderFilled):
            lies.append(record.seq)
            told = [getattr(value, field) for field in value.__struct_fields__]
            told[value.__struct_fields__.index("size")] += 1
            return encode(OrderFilled(*told))
        return record.payload

    lying = altered(whole, tmp_path / "sim-btc-usd-0009", change)
    assert lies
    assert command_line.main(["journal", "verify", str(lying.path)]) == 0
    capsys.readouterr()
    assert command_line.main(["journal", "verify", str(lying.path), "--deep", "--json"]) == 6
    [answer] = objects(capsys)
    assert answer["status"] == "corrupt"
    assert answer["problems"][0]["seq"] >= lies[0]
    assert "on record is" in answer["problems"][0]["text"]


def test_a_state_that_lies_is_found_by_what_follows_it(
    session: StoredSession, tmp_path: Path, capsys: Output
) -> None:
    """An older state under the newest one's number: its digest is right, and it is not that state."""
    copy = tmp_path / session.name
    shutil.copytree(session.path, copy)
    copy.chmod(0o700)
    directory = JournalDirectory.open(str(copy))
    names = snapshot_names(str(copy), directory.disk)
    old, new = (snapshots.load(str(copy), name, directory.disk, directory.uuid) for name in names[-2:])
    snapshots.write(
        directory, seq=new.seq, ts_ns=new.ts_ns, body=old.body, record_crc=new.record_crc, crc_kind=2
    )
    directory.close()
    assert command_line.main(["journal", "verify", str(copy)]) == 0
    capsys.readouterr()
    assert command_line.main(["journal", "verify", str(copy), "--deep"]) == 6
    assert f"from the state after record {new.seq}" in capsys.readouterr().out


def test_a_deep_look_at_what_another_version_wrote_says_what_it_left_out(
    session: StoredSession, tmp_path: Path, capsys: Output
) -> None:
    copy = tmp_path / session.name
    shutil.copytree(session.path, copy)
    copy.chmod(0o700)
    told = json.loads((copy / "session.json").read_text())
    told["settings"]["strategy.of_tomorrow"] = "1"
    (copy / "session.json").write_text(json.dumps(told))
    assert command_line.main(["journal", "verify", str(copy), "--deep", "--json"]) == 2
    [answer] = objects(capsys)
    assert answer["status"] == "clean"
    assert "strategy.of_tomorrow" in answer["replay"]["left_out"]


def test_a_session_without_its_old_market_data_is_computed_anew_from_a_state(
    tmp_path: Path, capsys: Output
) -> None:
    thinned = record_session(
        tmp_path / "sessions",
        "persistence.segment_kib=64",
        "persistence.snapshot_every=200",  # often enough where a slow disk takes but some of them
        "persistence.market_data=off",
    )
    assert asked(thinned, "verify", thinned.name, "--deep", "--json") == 0
    [answer] = objects(capsys)
    states = [int(path.name[5:25]) for path in sorted(thinned.path.glob("*.psn"))]
    assert answer["replay"]["from_seq"] == states[0] + 1
    assert answer["replay"]["states"] == len(states) - 1 == 2
    assert asked(thinned, "stats", thinned.name) == 0
    assert "without most of their market data" in capsys.readouterr().out
    assert asked(thinned, "dump", thinned.name, "--type", "order_intent", "--json") == 0
    assert objects(capsys)[0]["seq"] < states[0]


def test_a_bar_shows_rate_and_time_left_on_a_terminal(
    session: StoredSession, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert asked(session, "verify", session.name, "--deep") == 0
    seen = capsys.readouterr()
    assert re.search(r"checking .*100%.* [\d,]+ MiB/s", seen.err)
    assert re.search(r"computing anew .*100%.* [\d,]+ records/s", seen.err)
    assert "checking" not in seen.out
    assert asked(session, "verify", session.name, "--json") == 0
    assert capsys.readouterr().err == ""


# -- dump ------------------------------------------------------------------------------------------


def test_dump_tells_every_record_in_its_order(session: StoredSession, capsys: Output) -> None:
    assert asked(session, "dump", session.name, "--json") == 0
    found = objects(capsys)
    assert [each["seq"] for each in found] == [record.seq for record in on_disk(session)]
    assert [each["ts_ns"] for each in found] == [record.ts_ns for record in on_disk(session)]
    kinds = {RecordType(record.kind).name.lower() for record in on_disk(session)}
    assert {each["type"] for each in found} == kinds
    assert {"order_intent", "order_ack", "fill", "cancel_ack", "timer_event", "seal"} <= kinds
    fill = next(each for each in found if each["type"] == "fill")
    assert re.fullmatch(r"\d+(\.\d+)?", fill["price"])
    assert asked(session, "dump", session.name) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(found)
    intent = next(each for each in found if each["type"] == "order_intent")
    line = lines[intent["seq"] - 1]
    price = f"{float(intent['price']):,.2f}"
    assert re.match(rf" +{intent['seq']}  \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{{3}}Z  order_intent ", line)
    assert (
        f"{intent['side']} {intent['size']} BTC at {price} in {intent['slot']} ({intent['client_id']})"
        in line
    )


def test_dump_keeps_within_what_was_asked_for(session: StoredSession, capsys: Output) -> None:
    seqs = [record.seq for record in on_disk(session)]
    boundary = JournalReader(str(session.path)).segments()[1].header.first_seq
    for first, last in ((9, 12), (boundary - 2, boundary + 2), (1, 1), (seqs[-1], seqs[-1] + 100)):
        assert asked(session, "dump", session.name, "--from", str(first), "--to", str(last)) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [int(line.split()[0]) for line in lines] == [seq for seq in seqs if first <= seq <= last]
    assert asked(session, "dump", session.name, "--from", str(seqs[-1] + 1)) == 0
    assert capsys.readouterr().out == ""


def test_dump_of_one_type_and_one_product(session: StoredSession, capsys: Output) -> None:
    assert asked(session, "dump", session.name, "--json") == 0
    found = objects(capsys)
    for kind in {each["type"] for each in found}:
        assert asked(session, "dump", session.name, "--type", kind, "--json") == 0
        assert objects(capsys) == [each for each in found if each["type"] == kind]
    assert asked(session, "dump", session.name, "--product", "BTC-USD", "--json") == 0
    assert objects(capsys) == [each for each in found if each.get("product") == "BTC-USD"]
    assert asked(session, "dump", session.name, "--product", "ETH-USD") == 2
    assert "--product ETH-USD: the session has BTC-USD" in capsys.readouterr().err


def test_dump_of_an_event_that_is_split_over_records(tmp_path: Path, capsys: Output) -> None:
    book = BookSnapshot("BTC-USD", 1, 2, [(price, 5) for price in range(1, 20_000)], [])
    path = tmp_path / "j"
    directory = JournalDirectory.create(str(path), created_ns=1)
    journal = journal_on(directory, Continuation(), "group")
    journal.append(RecordType.TIMER_EVENT, encode(Timer("BTC-USD", 1, 2)))
    last = journal.append(RecordType.MARKET_EVENT, encode(book))
    journal.append(RecordType.TIMER_EVENT, encode(Timer("BTC-USD", 3, 4)))
    while journal.acked_seq < journal.last_seq:
        journal.step()
    parts = [record for record in JournalReader(str(path)).records() if record.flags & MORE]
    assert len(parts) > 2
    journal.close()
    directory.close()
    for first in (str(last), str(parts[1].seq)):
        assert command_line.main(["journal", "dump", str(path), "--from", first, "--json"]) == 0
        found = objects(capsys)
        assert [each["seq"] for each in found] == [last, last + 1]
        assert len(found[0]["bids"]) == 19_999
    assert command_line.main(["journal", "dump", str(path), "--to", str(last - 1)]) == 0
    assert "decide at" in capsys.readouterr().out
    assert command_line.main(["journal", "tail", str(path), "-n", "2"]) == 0
    assert "19,999 bids" in capsys.readouterr().out


def test_what_a_newer_version_may_add_is_told_by_its_number(
    whole: StoredSession, tmp_path: Path, capsys: Output
) -> None:
    newer = altered(whole, tmp_path / "sim-btc-usd-0009", lambda record: record.payload)
    file = next(newer.path.glob("*.pjl"))
    image = bytearray(file.read_bytes())
    [segment] = JournalReader(str(newer.path)).segments()
    first = next(iter(JournalReader(str(newer.path)).records()))
    for kind, code in ((0x0090, 0), (0x0017, 6)):
        head = segment.header
        image[first.offset : first.offset + 32 + len(first.payload)] = record_bytes(
            head.salt, head.crc_kind, first.seq, first.ts_ns, kind, first.flags, first.lag, first.payload
        )[: 32 + len(first.payload)]
        file.write_bytes(image)
        assert command_line.main(["journal", "dump", str(newer.path), "--to", "2"]) == code
        seen = capsys.readouterr()
        assert ("type_0x0090" in seen.out) == (code == 0)
        assert ("written by a newer version" in seen.err) == (code == 6)
        assert command_line.main(["journal", "stats", str(newer.path)]) == 0
        assert f"type_{kind:#06x}" in capsys.readouterr().out


# -- stats, tail, diff -----------------------------------------------------------------------------


def test_stats_add_up(session: StoredSession, capsys: Output) -> None:
    records = on_disk(session)
    assert asked(session, "stats", session.name, "--json") == 0
    [answer] = objects(capsys)
    assert answer["records"] == len(records)
    counted = Counter(RecordType(record.kind).name.lower() for record in records)
    assert {name: each["records"] for name, each in answer["types"].items()} == counted
    sizes = sum(len(record.payload) for record in records)
    assert sum(each["payload_bytes"] for each in answer["types"].values()) == sizes
    assert answer["lag_max"] == max(record.lag for record in records)
    assert answer["lag_mean"] == round(sum(record.lag for record in records) / len(records), 1)
    archived = list((session.path / "archive").iterdir())
    assert archived
    assert answer["archived"] == len(archived)
    assert answer["archive_bytes"] == sum(path.stat().st_size for path in archived)
    assert answer["segments"] == len(list(session.path.rglob("*.pjl")))
    assert answer["bytes"] == sum(path.stat().st_size for path in session.path.rglob("*") if path.is_file())
    assert [each["seq"] for each in answer["snapshots"]] == [
        int(path.name[5:25]) for path in sorted(session.path.glob("*.psn"))
    ]
    assert asked(session, "stats", session.name) == 0
    said = capsys.readouterr().out
    assert "timer_event" in said
    assert said.count("state after record") == 3


def test_tail_tells_the_last_records(session: StoredSession, capsys: Output) -> None:
    seqs = [record.seq for record in on_disk(session)]
    for count in (0, 1, 3, 700, len(seqs) + 10):
        assert asked(session, "tail", session.name, "-n", str(count), "--json") == 0
        assert [each["seq"] for each in objects(capsys)] == seqs[max(0, len(seqs) - count) :]
    assert asked(session, "tail", session.name, "-f", "-n", "2") == 0  # it has ended: nothing to follow
    assert "ended with 0" in capsys.readouterr().out


def test_two_runs_of_one_market_do_not_differ_whatever_their_files(
    session: StoredSession, whole: StoredSession, capsys: Output
) -> None:
    one, two = str(session.path), str(whole.path)
    assert any(record.kind == RecordType.SNAPSHOT_REF for record in on_disk(session))
    assert command_line.main(["journal", "diff", one, two, "--json"]) == 0
    [answer] = objects(capsys)
    assert answer["records_equal"] == answer["records_a"] == answer["records_b"] > 3_000
    assert answer["first_difference"] is None
    assert command_line.main(["journal", "diff", one, one, "--times"]) == 0
    assert "there are no others" in capsys.readouterr().out
    assert command_line.main(["journal", "diff", one, two, "--times"]) == 1


def test_diff_names_the_first_difference(whole: StoredSession, tmp_path: Path, capsys: Output) -> None:
    changed = []

    def change(record: Record) -> bytes:
        value = decode(record.payload, record.seq)
        if isinstance(value, Timer) and record.seq > 1_000:
            changed.append(record.seq)
            return encode(Timer(value.product, value.recv_ns + 1, value.wall_ns))
        return record.payload

    lying = altered(whole, tmp_path / "sim-btc-usd-0009", change)
    assert command_line.main(["journal", "diff", str(whole.path), str(lying.path), "--json"]) == 1
    [answer] = objects(capsys)
    a, b = answer["first_difference"]["a"], answer["first_difference"]["b"]
    assert a["seq"] == b["seq"] == changed[0]
    assert b["recv_ns"] == a["recv_ns"] + 1
    assert answer["records_a"] == answer["records_b"] > answer["records_equal"]
    assert command_line.main(["journal", "diff", str(whole.path), str(lying.path)]) == 1
    assert f"A {a['text']}" in capsys.readouterr().out


def test_wall_clocks_count_only_when_asked_for(whole: StoredSession, tmp_path: Path, capsys: Output) -> None:
    def change(record: Record) -> bytes:
        value = decode(record.payload, record.seq)
        if isinstance(value, Timer):
            return encode(Timer(value.product, value.recv_ns, value.wall_ns + 1))
        return record.payload

    later = altered(whole, tmp_path / "sim-btc-usd-0009", change)
    assert command_line.main(["journal", "diff", str(whole.path), str(later.path)]) == 0
    assert command_line.main(["journal", "diff", str(whole.path), str(later.path), "--times"]) == 1


def test_a_shorter_session_differs_where_it_ends(
    whole: StoredSession, tmp_path: Path, capsys: Output
) -> None:
    last = on_disk(whole)[-1].seq

    def change(record: Record) -> bytes | None:
        return None if record.seq > last - 3 else record.payload

    shorter = altered(whole, tmp_path / "sim-btc-usd-0009", change)
    assert command_line.main(["journal", "diff", str(shorter.path), str(whole.path), "--json"]) == 1
    [answer] = objects(capsys)
    assert answer["first_difference"]["a"] is None
    assert answer["records_b"] - answer["records_a"] in (1, 2)
    assert answer["first_difference"]["b"]["event"] in ("StateDigest", "SessionEnded")
