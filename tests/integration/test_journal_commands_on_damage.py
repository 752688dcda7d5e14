"""`journal` on what crashes, disks and people leave: the stated words and exit code, and nothing changed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from session_kit import record_session

import pinnacle_tui.cli as command_line
from engine.persistence.directory import JournalDirectory
from engine.persistence.format import COMMIT, HEADER_BYTES, WHOLE, SegmentHeader
from engine.persistence.reader import JournalReader
from engine.persistence.scanner import Record
from engine.runtime.session_store import StoredSession, load

Output = pytest.CaptureFixture[str]
READING = (("verify",), ("verify", "--deep"), ("dump",), ("stats",), ("tail",))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> StoredSession:
    return record_session(
        tmp_path_factory.mktemp("s") / "sessions",
        "persistence.segment_kib=64",
        "persistence.snapshot_every=500",
    )


@pytest.fixture
def session(recorded: StoredSession, tmp_path: Path) -> StoredSession:
    """A copy that may be damaged."""
    to = tmp_path / "sessions" / recorded.name
    shutil.copytree(recorded.path, to)
    to.chmod(0o700)
    return load(to)


def asked(session: StoredSession, verb: str, *arguments: str) -> int:
    return command_line.main(["journal", verb, str(session.path), *arguments])


def answer_of(capsys: Output) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def image_of(folder: Path) -> dict[str, tuple[str, int]]:
    """Every file's content and mode."""
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mode)
        for path in folder.rglob("*")
        if path.is_file() and path.name != "LOCK"
    }


def write(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def records(session: StoredSession) -> list[Record]:
    return list(JournalReader(str(session.path)).records())


def of(session: StoredSession, record: Record) -> Path:
    return session.path / record.file


def torn(session: StoredSession, count: int = 2) -> int:
    """Only half of the record before the last `count` is there, as after a crash; the last whole record."""
    at = records(session)[-1 - count]
    file = of(session, at)
    size = file.stat().st_size
    write(file, at.offset + 20, bytes(size - at.offset - 20))
    header = SegmentHeader.unpack(file.read_bytes()[:HEADER_BYTES], file.name)
    write(file, 0, replace(header, flags=header.flags & ~WHOLE).pack())  # it was still being written
    return at.seq - 1


def flipped(session: StoredSession, place: float = 0.5) -> Record:
    """One byte of a record somewhere in the journal's files is another."""
    kept = [record for record in records(session) if of(session, record).exists()]
    record = kept[int(len(kept) * place)]
    write(of(session, record), record.offset + 33, bytes([record.payload[1] ^ 0x40]))
    return record


# -- torn ------------------------------------------------------------------------------------------


def test_a_torn_end_is_told_and_everything_before_it_is_read(session: StoredSession, capsys: Output) -> None:
    last = torn(session)
    before = image_of(session.path)
    assert asked(session, "verify", "--json") == 1
    answer = answer_of(capsys)
    assert (answer["status"], answer["exit_code"], answer["last_seq"]) == ("torn", 1, last)
    [problem] = answer["problems"]
    assert problem["seq"] == last + 1
    assert problem["file"].endswith(".pjl")
    assert problem["offset"] > HEADER_BYTES
    assert asked(session, "verify") == 1
    said = capsys.readouterr().out
    assert "status: torn: an end that a crash leaves; nothing that was acknowledged is missing" in said
    assert "the next start cuts them off and keeps a copy" in said
    assert asked(session, "dump", "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["seq"] == last
    for verb in ("stats", "tail"):
        assert asked(session, verb) == 0
        assert str(last) in capsys.readouterr().out.replace(",", "")
    assert image_of(session.path) == before


def test_a_deep_look_at_a_torn_journal_stays_torn(session: StoredSession, capsys: Output) -> None:
    torn(session, 1)
    file = session.path / "session.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"ended": None}))
    assert asked(session, "verify", "--deep", "--json") == 1
    answer = answer_of(capsys)
    assert answer["status"] == "torn"
    assert answer["replay"]["first_divergence"] is None
    assert answer["replay"]["states"] == 3


def test_a_file_that_a_crash_left_before_its_first_record(session: StoredSession, capsys: Output) -> None:
    last = records(session)[-1].seq
    empty = session.path / f"{last + 1:020}.pjl"
    empty.write_bytes(bytes(1 << 16))
    assert asked(session, "verify", "--json") == 1
    answer = answer_of(capsys)
    assert answer["problems"][0]["file"] == str(empty)
    assert "before its first record" in answer["problems"][0]["text"]
    for verb in ("dump", "stats", "tail"):
        assert asked(session, verb) == 0
        assert str(last) in capsys.readouterr().out.replace(",", "")


def test_a_last_file_that_was_cut_off_from_outside(session: StoredSession, capsys: Output) -> None:
    last = records(session)[-1]
    os.truncate(of(session, last), last.offset)
    assert asked(session, "verify") == 1
    assert "somebody cut it off" in capsys.readouterr().out


# -- corrupt ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0.01, 0.3, 0.7])
def test_damage_is_told_with_file_offset_and_number_and_what_to_do(
    session: StoredSession, capsys: Output, place: float
) -> None:
    record = flipped(session, place)
    before = image_of(session.path)
    assert asked(session, "verify", "--json") == 6
    answer = answer_of(capsys)
    problem = answer["problems"][0]
    assert (answer["status"], answer["exit_code"]) == ("corrupt", 6)
    assert problem["file"] == str(of(session, record))
    assert 0 < problem["offset"] <= record.offset
    assert problem["seq"] <= record.seq <= problem["seq"] + 40  # the batch that it is in
    assert asked(session, "verify") == 6
    said = capsys.readouterr().out
    assert "status: corrupt" in said
    assert f"journal repair {session.path} --truncate-at {problem['seq']}" in said
    assert asked(session, "verify", "--deep", "--json") == 6
    assert "damaged" in answer_of(capsys)["replay"]["left_out"]
    assert image_of(session.path) == before


def test_dump_and_stats_tell_what_is_before_the_damage(session: StoredSession, capsys: Output) -> None:
    whole = records(session)
    record = flipped(session)
    ends = [each.seq for each in whole if each.seq < record.seq and each.flags & COMMIT]
    assert asked(session, "dump", "--json") == 6
    seen = capsys.readouterr()
    seqs = [json.loads(line)["seq"] for line in seen.out.splitlines()]
    assert seqs == list(range(1, seqs[-1] + 1))
    assert seqs[-1] == ends[-1]  # of the last batch before the damage
    assert f"{of(session, record)} is damaged at offset" in seen.err
    assert asked(session, "dump", "--to", str(seqs[-1])) == 0
    capsys.readouterr()
    assert asked(session, "stats", "--json") == 6
    answer = answer_of(capsys)
    assert answer["last_seq"] == seqs[-1]
    assert "is damaged at offset" in answer["damage"]
    assert asked(session, "stats") == 6
    assert "counted up to the damage" in capsys.readouterr().out
    assert asked(session, "tail", "-n", "5") == 0  # the last file is sound
    assert asked(session, "tail", "-n", "100000") == 6
    assert command_line.main(["journal", "diff", str(session.path), str(session.path)]) == 6


def test_a_header_that_cannot_be_read_hides_no_other_file(session: StoredSession, capsys: Output) -> None:
    segments = JournalReader(str(session.path), with_archive=False).segments()
    bad = segments[1]
    write(Path(bad.path), 40, b"\xff")
    assert asked(session, "verify", "--json") == 6
    answer = answer_of(capsys)
    assert answer["segments"] == len(JournalReader(str(session.path))._listed()[0])
    [problem] = answer["problems"]
    assert problem["file"] == bad.path
    assert (problem["offset"], problem["seq"]) == (0, bad.header.first_seq)
    assert answer["records"] > 2_000
    assert asked(session, "dump", "--to", str(bad.header.first_seq - 1)) == 0
    capsys.readouterr()
    assert asked(session, "dump") == 6
    assert len(capsys.readouterr().out.splitlines()) == bad.header.first_seq - 1


def test_a_saved_state_that_cannot_be_read(session: StoredSession, capsys: Output) -> None:
    newest = sorted(session.path.glob("*.psn"))[-1]
    write(newest, 500, b"\xff\xff\xff\xff")
    assert asked(session, "verify", "--json") == 6
    answer = answer_of(capsys)
    assert answer["snapshots"] == 2
    assert answer["problems"][0]["file"] == str(newest)
    assert asked(session, "verify") == 6
    assert "The records are sound: the next start goes on from another state" in capsys.readouterr().out


def test_padding_that_is_not_zero_is_told_by_a_deep_look_alone(
    session: StoredSession, capsys: Output
) -> None:
    kept = [record for record in records(session) if of(session, record).exists()]
    record = next(record for record in kept[len(kept) // 2 :] if len(record.payload) % 8 == 3)
    at = record.offset + 32 + len(record.payload)
    write(of(session, record), at, b"\x01")
    assert asked(session, "verify") == 0
    capsys.readouterr()
    assert asked(session, "verify", "--deep", "--json") == 6
    [problem] = answer_of(capsys)["problems"]
    assert (problem["file"], problem["offset"]) == (str(of(session, record)), at)


# -- what is no journal ----------------------------------------------------------------------------


def _mode(path: Path) -> None:
    path.chmod(0o755)


def _of_another(path: Path) -> None:
    segment = next(path.glob("*.pjl"))
    header = SegmentHeader.unpack(segment.read_bytes()[:HEADER_BYTES], "")
    other = SegmentHeader(
        header.size, header.index, header.first_seq, header.created_ns, bytes(16), header.salt
    )
    write(segment, 0, other.pack())


def _of_tomorrow(path: Path) -> None:
    for segment in path.glob("*.pjl"):
        write(segment, 8, b"\x02")


def _foreign(path: Path) -> None:
    sorted(path.glob("*.pjl"))[-1].write_bytes(b"PK\x03\x04" * 5_000)


def _linked(path: Path) -> None:
    file = sorted(path.glob("*.pjl"))[-1]
    file.rename(path.parent / "elsewhere")
    file.symlink_to(path.parent / "elsewhere")


def _piped(path: Path) -> None:
    file = sorted(path.glob("*.pjl"))[-1]
    file.unlink()
    os.mkfifo(file, 0o600)


def _no_meta(path: Path) -> None:
    (path / "META.json").unlink()


def _bad_meta(path: Path) -> None:
    (path / "META.json").write_bytes(b"\x00" * 88)


def _linked_meta(path: Path) -> None:
    (path / "META.json").rename(path.parent / "meta")
    (path / "META.json").symlink_to(path.parent / "meta")


def _bad_session(path: Path) -> None:
    (path / "session.json").write_text("{")


def _strange_session(path: Path) -> None:
    (path / "session.json").unlink()
    (path / "session.json").mkdir()


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (_mode, 2, "chmod 700"),
        (_of_another, 6, "another journal"),
        (_of_tomorrow, 6, "newer version"),
        (_foreign, 6, "no journal segment"),
        (_linked, 2, "no regular file"),
        (_piped, 2, "no regular file"),
        (_no_meta, 2, "META.json is missing"),
        (_bad_meta, 6, "META.json is damaged"),
        (_linked_meta, 2, "no regular file"),
        (_bad_session, 6, "session.json is damaged"),
        (_strange_session, 2, "no session"),
    ],
)
@pytest.mark.parametrize("verb", READING, ids=" ".join)
def test_what_is_no_journal_of_ours_is_refused_in_words(
    session: StoredSession,
    capsys: Output,
    spoil: Callable[[Path], None],
    code: int,
    said: str,
    verb: tuple[str, ...],
) -> None:
    spoil(session.path)
    before = {path.name: path.lstat().st_mtime_ns for path in session.path.iterdir()}
    assert asked(session, *verb) == code
    seen = capsys.readouterr()
    assert said in seen.out + seen.err
    assert {path.name: path.lstat().st_mtime_ns for path in session.path.iterdir()} == before


@pytest.mark.parametrize("verb", READING, ids=" ".join)
def test_a_file_that_may_not_be_read(
    session: StoredSession, capsys: Output, monkeypatch: pytest.MonkeyPatch, verb: tuple[str, ...]
) -> None:
    secret = str(sorted(session.path.glob("*.pjl"))[-1])
    open_ = os.open

    def denied(path: str, *rest: Any, **named: Any) -> int:
        if path == secret:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return open_(path, *rest, **named)

    monkeypatch.setattr("engine.persistence.disk.os.open", denied)
    assert asked(session, *verb) == 74
    assert f"{secret} cannot be read: Permission denied" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("verify", "sim-btc-usd-0002"), "did you mean sim-btc-usd-0001?"),
        (("verify", "zzz"), "`pinnacle-tui sessions` lists them"),
        (("verify", ""), None),
        (("dump", "{name}", "--type", "fills"), "did you mean fill?"),
        (("dump", "{name}", "--from", "0"), "0 is not in the range"),
        (("dump", "{name}", "--to", "x"), "'x' is not a valid integer"),
        (("tail", "{name}", "-n", "-1"), "-1 is not in the range"),
        (("repair", "{name}"), "--truncate-at"),
        (("repair", "{name}", "--truncate-at", "1"), "1 is not in the range"),
        (("repair", "{name}", "--truncate-at", "999999999"), "records are sound up to"),
        (("repair", "{name}", "--truncate-at", "2"), "nothing of it would be left"),
        (("diff", "{name}"), "Missing argument"),
        (("stats", "/"), "there is no session"),
        (("stats", "/dev/null"), "there is no session"),
        (("stats", "x" * 300), "File name too long"),
        (("mend", "{name}"), "No such command"),
    ],
)
def test_what_cannot_be_meant_is_said(
    session: StoredSession, capsys: Output, arguments: tuple[str, ...], said: str | None
) -> None:
    given = [each.replace("{name}", session.name) for each in arguments]
    code = command_line.main(["journal", *given, "--data-dir", str(session.path.parent)])
    seen = capsys.readouterr()
    if said is None:  # the data folder itself: its newest session
        assert code == 0
        return
    assert code == 2
    assert said in seen.err
    assert seen.out == ""


# -- repair ----------------------------------------------------------------------------------------


def test_without_yes_a_repair_says_what_it_would_do_and_changes_nothing(
    session: StoredSession, capsys: Output
) -> None:
    before = image_of(session.path)
    unfinished = session.path / ".tmp-something"
    unfinished.write_bytes(b"x")
    kept = [record.seq for record in records(session) if of(session, record).exists()]
    batches = list(JournalReader(str(session.path)).batches(kept[len(kept) // 2]))[1:]
    batch = next(batch for batch in batches if len(batch) > 2)
    within, first = batch[1].seq, batch[0].seq
    assert asked(session, "repair", "--truncate-at", str(within)) == 0
    said = capsys.readouterr().out
    assert f"everything from record {first} on would be dropped" in said
    assert f"record {within} is in a batch with {first}, which goes as a whole" in said
    assert "Nothing was changed; add --yes to do it" in said
    assert "the session's end is among it" in said
    assert unfinished.exists()
    unfinished.unlink()
    assert image_of(session.path) == before


def test_a_repair_keeps_everything_it_cuts_away(session: StoredSession, capsys: Output) -> None:
    record = flipped(session)
    before = image_of(session.path)
    assert asked(session, "verify", "--json") == 6
    seq = answer_of(capsys)["problems"][0]["seq"]
    assert asked(session, "repair", "--truncate-at", str(seq + 1)) == 2
    assert f"records are sound up to {seq - 1}" in capsys.readouterr().err
    assert asked(session, "repair", "--truncate-at", str(seq), "--yes", "--json") == 0
    answer = answer_of(capsys)
    assert (answer["is_done"], answer["truncate_at"], answer["cut"]) == (True, seq, record.file)
    assert answer["files_kept"]
    assert answer["states_kept"]
    assert answer["is_end_dropped"]
    after = image_of(session.path)
    kept = {content for name, (content, _) in after.items() if name.endswith(".broken")}
    gone = {content for name, (content, _) in before.items() if after.get(name, ("",))[0] != content}
    assert gone - kept == {before["session.json"][0]}
    assert load(session.path).info.ended is None
    assert asked(session, "verify", "--deep") == 0
    capsys.readouterr()
    assert records(session)[-1].seq == seq  # the end mark
    assert asked(session, "stats") == 0
    assert "kept aside, never read again" in capsys.readouterr().out


def test_what_was_put_aside_once_is_not_overwritten_by_the_next_repair(
    session: StoredSession, capsys: Output
) -> None:
    segments = JournalReader(str(session.path), with_archive=False).segments()
    last = segments[-1]
    contents = []
    for _ in range(2):
        contents.append(Path(last.path).read_bytes())
        assert asked(session, "repair", "--truncate-at", str(last.header.first_seq), "--yes") == 0
        shutil.copy(session.path / f"{last.name}.broken", last.path)  # as if written anew
        write(Path(last.path), 5_000, b"!")
    kept = {path.read_bytes() for path in session.path.glob(f"{last.name}*.broken")}
    assert set(contents) <= kept


def test_a_damaged_header_can_be_given_up(session: StoredSession, capsys: Output) -> None:
    bad = JournalReader(str(session.path), with_archive=False).segments()[2]
    write(Path(bad.path), 40, b"\xff")
    first = bad.header.first_seq
    assert asked(session, "repair", "--truncate-at", str(first + 5), "--yes") == 2
    assert f"cut at {first}, its beginning, or before" in capsys.readouterr().err
    assert asked(session, "repair", "--truncate-at", str(first), "--yes") == 0
    assert asked(session, "verify", "--deep") == 0


def test_a_repair_of_what_is_in_use_is_refused(session: StoredSession, capsys: Output) -> None:
    directory = JournalDirectory.open(str(session.path))
    try:
        for confirmed in ((), ("--yes",)):
            assert asked(session, "repair", "--truncate-at", "3000", *confirmed) == 3
            assert "in use" in capsys.readouterr().err
        for verb in READING:
            assert asked(session, *verb) == 0
    finally:
        directory.close()
