"""Sessions as whoever uses the program meets them: begun, killed, gone on with, refused, damaged, mended."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_process import Machine
from served_engine import short_folder

from engine.core.events import SettingsChange
from engine.persistence.format import THINNED, WHOLE
from engine.persistence.reader import JournalReader
from engine.persistence.records import ArchiveDeleted, Entry, SnapshotRef, StateDigest
from engine.runtime.session_store import StoredSession, load, sessions


@pytest.fixture
def here() -> Iterator[Machine]:
    with short_folder() as folder:
        machine = Machine(folder)
        try:
            yield machine
        finally:
            machine.close()


def stored(here: Machine) -> list[StoredSession]:
    return sessions(here.folder / "state" / "pinnacle-tui" / "sessions")


def short(here: Machine, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    """A run of some seconds of market at full speed: exit code, reports, errors."""
    given = ("--no-ui", "--json", "--seed", "7", "--duration", "20", "--speed", "max")
    code, out, err = here.run(*given, *arguments)
    return code, [json.loads(line) for line in out.splitlines()], err


def killed(here: Machine, *arguments: str) -> None:
    """A session that did not end in order, with orders of ours working."""
    engine = here.engine(*arguments)
    engine.process.send_signal(signal.SIGKILL)
    engine.process.wait()


def entries(session: StoredSession) -> list[Entry]:
    return [entry for batch in JournalReader(str(session.path)).batches() for entry in batch]


# -- which session ---------------------------------------------------------------------------------


def test_an_orderly_end_is_an_end_and_the_next_start_begins_another(here: Machine) -> None:
    digests = [short(here)[1][-1]["digest"] for _ in range(2)]
    assert digests[0] == digests[1]
    first, second = stored(here)
    assert (first.name, second.name) == ("sim-btc-usd-0001", "sim-btc-usd-0002")
    for session in (first, second):
        assert session.info.ended is not None
        assert session.info.ended.digests == {"BTC-USD": digests[0]}
        assert session.info.ended.exit_code == 0
        size = sum(path.stat().st_size for path in session.path.iterdir())
        assert size < 1 << 20, "a short session must not keep a whole segment"


def test_after_kill_9_the_next_start_goes_on_and_says_so(here: Machine) -> None:
    killed(here)
    code, reports, err = short(here)
    assert code == 0
    assert "session sim-btc-usd-0001 goes on: " in err
    recovered = next(each for each in reports if each.get("code") == "RECOVERED")
    assert recovered["severity"] == "warning"
    [session] = stored(here)
    assert session.info.ended is not None


def test_what_it_said_stands_in_the_order_of_things(here: Machine) -> None:
    killed(here)
    short(here)
    kinds = [type(entry.value).__name__ for entry in entries(stored(here)[0])]
    again = len(kinds) - 1 - kinds[::-1].index("SessionStarted")
    assert kinds[again : again + 2] == ["SessionStarted", "Recovered"]
    assert "Reconciled" in kinds[again:]
    assert kinds[-1] == "SessionEnded"


def test_new_leaves_it_as_it_is(here: Machine) -> None:
    killed(here)
    assert short(here, "--new")[0] == 0
    first, second = stored(here)
    assert first.info.ended is None
    assert second.info.ended is not None


def test_a_second_engine_on_one_session_is_refused(here: Machine) -> None:
    engine = here.engine()
    code, _, err = short(here)
    assert code == 3
    assert "session sim-btc-usd-0001 runs already" in err
    assert f"process {engine.process.pid}" in err
    assert "pinnacle-tui attach" in err
    assert "--new" in err
    assert len(stored(here)) == 1


def test_another_seed_cannot_go_on_with_it(here: Machine) -> None:
    killed(here)
    code, reports, err = short(here, "--seed", "8")
    assert (code, reports) == (2, [])
    assert "simulator.seed (7, now 8)" in err
    assert "--new" in err
    assert stored(here)[0].info.ended is None


def test_a_live_setting_is_changed_from_there(here: Machine) -> None:
    killed(here)
    assert short(here, "--set", "strategy.levels=2")[0] == 0
    [session] = stored(here)
    changes = [entry.value.changes for entry in entries(session) if isinstance(entry.value, SettingsChange)]
    assert changes == [{"strategy.levels": "2"}]


def test_another_market_has_sessions_of_its_own(here: Machine) -> None:
    killed(here)
    assert short(here, "--symbol", "ETH-USD")[0] == 0
    assert [session.name for session in stored(here)] == ["sim-btc-usd-0001", "sim-eth-usd-0002"]


def test_a_session_of_two_products_goes_on(here: Machine) -> None:
    both = ("--symbol", "BTC-USD", "--symbol", "ETH-USD")
    killed(here, *both)
    code, reports, err = short(here, *both)
    assert code == 0
    assert "goes on" in err
    assert {each["product"] for each in reports if each["type"] == "summary"} == {"BTC-USD", "ETH-USD"}
    assert here.run("replay", "sim-btc-usd-0001", "--verify")[0] == 0


def test_killed_between_its_last_word_and_its_end(here: Machine) -> None:
    short(here)
    [session] = stored(here)
    file = session.path / "session.json"
    told = json.loads(file.read_text())
    file.write_text(json.dumps(told | {"ended": None}))
    code, _, err = short(here)
    assert code == 0
    assert "goes on" not in err
    first, second = stored(here)
    assert first.info == load(first.path).info
    assert first.info.ended is not None
    assert first.info.ended.digests == told["ended"]["digests"]
    assert second.name == "sim-btc-usd-0002"


# -- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_folder_that_others_may_enter_is_refused_with_what_mends_it(here: Machine, mode: int) -> None:
    killed(here)
    [session] = stored(here)
    session.path.chmod(mode)
    code, _, err = short(here)
    assert code == 2
    assert f"chmod 700 {session.path}" in err
    session.path.chmod(0o700)
    assert short(here)[0] == 0


def test_a_link_in_place_of_a_file_is_refused(here: Machine) -> None:
    killed(here)
    [session] = stored(here)
    [segment] = session.path.glob("*.pjl")
    elsewhere = here.folder / "elsewhere"
    segment.rename(elsewhere)
    segment.symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    code, _, err = short(here)
    assert code in (2, 6, 74)
    assert str(segment) in err
    assert elsewhere.read_bytes() == before


def test_a_damaged_journal_is_refused_told_and_mended_only_when_told(here: Machine) -> None:
    killed(here, "--set", "persistence.durability=every", "--speed", "20")
    [session] = stored(here)
    [segment] = session.path.glob("*.pjl")
    data = bytearray(segment.read_bytes())
    data[4096 + 2_000] ^= 0x10
    segment.write_bytes(data)
    code, _, err = short(here)
    assert code == 6
    assert f"{segment} is damaged at offset " in err
    assert segment.read_bytes() == bytes(data)
    code, out, _ = here.run("journal", "verify", session.name, "--json")
    answer = json.loads(out)
    assert (code, answer["status"]) == (6, "corrupt")
    at = str(answer["last_seq"] + 1)
    assert f"--truncate-at {at}" in err
    code, out, _ = here.run("journal", "repair", session.name, "--truncate-at", at)
    assert code == 0
    assert "Nothing was changed" in out
    assert segment.read_bytes() == bytes(data)
    code, out, _ = here.run("journal", "repair", session.name, "--truncate-at", at, "--yes")
    assert code == 0
    assert [path.read_bytes() for path in session.path.glob("*.broken")] == [bytes(data)]
    code, _, err = short(here)
    assert code == 0
    assert "goes on" in err
    assert here.run("journal", "verify", session.name, "--deep")[0] == 0


def test_a_folder_that_cannot_hold_sessions(here: Machine) -> None:
    file = here.folder / "file"
    file.write_text("")
    code, _, err = short(here, "--data-dir", str(file / "below"))
    assert code == 2
    assert "--data-dir" in err


def test_a_session_that_does_not_say_what_it_is_keeps_nobody_from_another(here: Machine) -> None:
    short(here)
    [session] = stored(here)
    (session.path / "session.json").write_text("{")
    code, _, err = short(here)
    assert code == 6
    assert f"{session.path / 'session.json'} is damaged" in err
    assert short(here, "--new")[0] == 0
    assert (session.path.parent / "sim-btc-usd-0002" / "session.json").exists()
    assert here.run("sessions")[0] == 0


def test_live_is_never_without_a_safe_journal(here: Machine) -> None:
    for setting in ("persistence.durability=interval", "persistence.journal=false"):
        code, _, err = short(here, "--mode", "live", "--set", setting)
        assert code == 2
        assert "persistence." in err


# -- every key -------------------------------------------------------------------------------------


def test_data_dir(here: Machine) -> None:
    assert short(here, "--data-dir", str(here.folder / "mine"))[0] == 0
    assert [session.name for session in sessions(here.folder / "mine")] == ["sim-btc-usd-0001"]
    assert stored(here) == []


def test_journal(here: Machine) -> None:
    with_it = short(here)[1][-1]["digest"]
    without = short(here, "--set", "persistence.journal=false")[1][-1]["digest"]
    assert with_it == without
    assert len(stored(here)) == 1


def lags(here: Machine, *arguments: str) -> list[int]:
    short(here, *arguments)
    reader = JournalReader(str(stored(here)[-1].path))
    return [record.lag for record in reader.records()]


def test_durability(here: Machine) -> None:
    """In `every` an order leaves when its batch is on the disk, so no lag outgrows some batches."""
    worst = {mode: max(lags(here, "--set", f"persistence.durability={mode}")) for mode in ("none", "every")}
    assert worst["none"] > 1_000
    assert worst["every"] < 1_000


def test_sync_interval_ms(here: Machine) -> None:
    slow, fast = (max(lags(here, "--set", f"persistence.sync_interval_ms={ms}")) for ms in ("10000", "1"))
    assert fast < slow


def test_segment_kib(here: Machine) -> None:
    short(here, "--set", "persistence.segment_kib=64")
    segments = JournalReader(str(stored(here)[0].path)).segments()
    assert len(segments) > 2
    assert {segment.header.size for segment in segments[:-1]} == {64 << 10}
    assert segments[-1].header.flags & WHOLE


def test_digest_every(here: Machine) -> None:
    short(here, "--set", "persistence.digest_every=200")
    events = stored(here)[0].info.ended
    assert events is not None
    digests = [entry for entry in entries(stored(here)[0]) if isinstance(entry.value, StateDigest)]
    assert len(digests) == pytest.approx(events.events / 200, abs=events.events / 1_000)


SMALL = ("--set", "persistence.segment_kib=64", "--set", "persistence.snapshot_every=400")


def test_snapshot_every_and_snapshots_kept(here: Machine) -> None:
    short(here, *SMALL, "--set", "persistence.snapshots_kept=2", "--duration", "60")
    [session] = stored(here)
    saved = [entry for entry in entries(session) if isinstance(entry.value, SnapshotRef)]
    assert len(saved) > 4
    assert len(list(session.path.glob("snap-*.psn"))) in (2, 3)
    archived = list((session.path / "archive").glob("*.pjl"))
    assert archived
    assert here.run("journal", "verify", session.name, "--deep")[0] == 0


def test_snapshot_interval_s(here: Machine) -> None:
    engine = here.engine("--set", "persistence.snapshot_interval_s=1", "--duration", "3")
    assert engine.end()[0] == 0
    [session] = stored(here)
    saved = [entry for entry in entries(session) if isinstance(entry.value, SnapshotRef)]
    assert len(saved) in (2, 3)


@pytest.mark.parametrize(
    ("kept", "left"),
    [("full", {"Timer", "BookUpdate", "TradePrint"}), ("thinned", {"TradePrint"}), ("off", set())],
)
def test_market_data(here: Machine, kept: str, left: set[str]) -> None:
    short(here, *SMALL, "--set", f"persistence.market_data={kept}", "--duration", "60")
    [session] = stored(here)
    reader = JournalReader(str(session.path))
    archived = [segment for segment in reader.segments() if segment.folder.endswith("archive")]
    assert archived
    assert {bool(segment.header.flags & THINNED) for segment in archived} == {kept != "full"}
    last = archived[-1].header.first_seq - 1
    found = {type(entry.value).__name__ for batch in reader.batches(1, last) for entry in batch}
    assert found & {"Timer", "BookUpdate", "TradePrint"} == left
    assert {"SubmitOrder", "OrderAccepted"} <= found
    code, out, _ = here.run("replay", session.name, "--verify", "--json")
    answer = json.loads(out)
    assert code == 0
    assert (answer["from_seq"] == 1) == (kept == "full")


def test_archive_mib_is_told_of_and_archive_delete_deletes(here: Machine) -> None:
    limits = (*SMALL, "--set", "persistence.archive_mib=1", "--duration", "150")
    _, reports, _ = short(here, *limits)
    told = [each for each in reports if each.get("code") == "ARCHIVE"]
    assert len(told) == 1
    assert " MiB, more than 1; nothing is deleted" in told[0]["text"]
    size = archive_bytes(stored(here)[0])
    assert size > 1 << 20
    short(here, *limits, "--set", "persistence.archive_delete=true")
    session = stored(here)[1]
    assert archive_bytes(session) <= (1 << 20) + (64 << 10)
    deleted = [entry.value for entry in entries_kept(session) if isinstance(entry.value, ArchiveDeleted)]
    assert deleted
    assert all(note.files for note in deleted)


def archive_bytes(session: StoredSession) -> int:
    return sum(path.stat().st_size for path in (session.path / "archive").glob("*.pjl"))


def entries_kept(session: StoredSession) -> list[Entry]:
    reader = JournalReader(str(session.path), with_archive=False)
    first = reader.segments()[0].header.first_seq
    return [entry for batch in reader.batches(first) for entry in batch]


def test_archive_days_judges_by_age(tmp_path: Path) -> None:
    from engine.persistence.archive import delete_beyond
    from engine.persistence.directory import JournalDirectory
    from engine.persistence.format import SegmentHeader

    directory = JournalDirectory.create(str(tmp_path / "j"), created_ns=1)
    (tmp_path / "j" / "archive").mkdir(mode=0o700)
    day = 86_400_000_000_000
    for index, age in enumerate((9, 3)):
        header = SegmentHeader(4096, index, index + 1, (100 - age) * day, directory.uuid, 5)
        (tmp_path / "j" / "archive" / f"{index + 1:020}.pjl").write_bytes(header.pack())
    assert delete_beyond(directory, 10, 1 << 30, 100 * day) == []
    assert delete_beyond(directory, 5, 1 << 30, 100 * day) == [f"{1:020}.pjl"]
    directory.close()
