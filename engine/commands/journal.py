"""`journal verify`, `repair` and `diff`: whether a journal is sound, and what to do where it is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from engine.commands.replay import verify as replay_verify
from engine.persistence.directory import JournalDirectory
from engine.persistence.disk import DISK
from engine.persistence.reader import CLEAN, CORRUPT, TORN, JournalReader, VerifyReport
from engine.persistence.records import Entry
from engine.persistence.repair import carry_out, plan
from engine.runtime.session_store import StoredSession, find

EXIT_OF = {CLEAN: 0, TORN: 1, CORRUPT: 6}
EXIT_DIFFERENT = 1
_META = "META.json"


def journal_folder(wanted: str, data_dir: Path) -> tuple[Path, StoredSession | None]:
    """The folder of a session's journal; a bare journal has no session. `UsageError` where there is none."""
    path = Path(wanted).expanduser()
    if (path / _META).is_file() and not (path / "session.json").is_file():
        return path, None
    session = find(wanted, data_dir)
    return session.path, session


def verify(
    wanted: str, data_dir: Path, *, is_deep: bool, progress: Callable[[int, int], None] = lambda *_: None
) -> dict[str, Any]:
    """Check all of a journal; `is_deep` adds the bytes between records and a replay of the session."""
    folder, session = journal_folder(wanted, data_dir)
    reader = JournalReader(str(folder))
    done, whole = 0, sum(path.stat().st_size for path in folder.rglob("*.pjl"))

    def told(checked: int) -> None:
        nonlocal done
        done += checked
        progress(done, whole)

    report = reader.verify(is_deep=is_deep, progress=told)
    answer = _report(folder, report)
    if is_deep and session is not None and report.status != CORRUPT:
        answer["replay"] = _replayed(session, answer)
    return answer


def _report(folder: Path, report: VerifyReport) -> dict[str, Any]:
    return {
        "v": 1,
        "journal": str(folder),
        "status": report.status,
        "segments": report.segments,
        "records": report.records,
        "bytes": report.bytes,
        "first_seq": report.first_seq,
        "last_seq": report.last_seq,
        "first_ns": report.first_ns,
        "last_ns": report.last_ns,
        "snapshots": report.snapshots,
        "torn_bytes": report.torn_bytes,
        "torn_records": report.torn_records,
        "problems": [
            {"file": each.file, "offset": each.offset, "text": each.text} for each in report.problems
        ],
        "exit_code": EXIT_OF[report.status],
    }


def _replayed(session: StoredSession, answer: dict[str, Any]) -> dict[str, Any]:
    """The session computed anew; a difference makes the journal corrupt."""
    found = replay_verify(str(session.path), session.path.parent)
    if found["first_divergence"] is not None:
        answer["status"], answer["exit_code"] = CORRUPT, EXIT_OF[CORRUPT]
        first = found["first_divergence"]
        text = (
            f"record {first['seq']}, {first['product']}: on record is {first['expected']}; computed anew it "
            f"is "
            f"{first['got']}"
        )
        answer["problems"].append({"file": str(session.path), "offset": None, "text": text})
    return {key: found[key] for key in ("events", "digests", "first_divergence", "from_seq")}


def verify_text(answer: Mapping[str, Any]) -> str:
    """The same for people."""
    said = (
        f"{answer['journal']}: {answer['segments']} files, {answer['bytes']:,} bytes, {answer['records']:,} "
        f"records "
        f"({answer['first_seq']} to {answer['last_seq']}), {answer['snapshots']} saved states: headers, "
        f"chain, "
        "checksums, numbers, batches and digests were checked"
    )
    if (replayed := answer.get("replay")) is not None:
        said += f"; {replayed['events']:,} events computed anew, {replayed['digests']} digests compared"
    lines = [said, f"status: {answer['status']}"]
    lines += [_problem(each) for each in answer["problems"]]
    return "\n".join(lines)


def _problem(problem: Mapping[str, Any]) -> str:
    at = "" if problem["offset"] is None else f" at offset {problem['offset']}"
    text = problem["text"]
    return text if problem["file"] in text else f"{problem['file']}{at}: {text}"


def repair(wanted: str, data_dir: Path, truncate_at: int, *, is_confirmed: bool) -> dict[str, Any]:
    """Drop everything from a record on, keeping a copy; without a confirmation only say what that means."""
    folder, _ = journal_folder(wanted, data_dir)
    directory = JournalDirectory.open(str(folder))
    try:
        decided = plan(str(folder), truncate_at, DISK)
        if is_confirmed:
            carry_out(directory, decided)
    finally:
        directory.close()
    return {
        "v": 1,
        "journal": str(folder),
        "is_done": is_confirmed,
        "truncate_at": decided.truncate_at,
        "cut": None if decided.segment is None else decided.segment.name,
        "files_kept": list(decided.segments_dropped),
        "states_kept": list(decided.snapshots_dropped),
        "exit_code": 0,
    }


def repair_text(answer: Mapping[str, Any]) -> str:
    """The same for people."""
    would = "was" if answer["is_done"] else "would be"
    parts = [f"everything from record {answer['truncate_at']} on {would} dropped"]
    if answer["cut"]:
        parts.append(f"{answer['cut']} {would} cut there and sealed, with a copy kept")
    if answer["files_kept"]:
        parts.append(f"kept as .broken {would}: {', '.join(answer['files_kept'])}")
    if answer["states_kept"]:
        parts.append(f"states behind it {would} kept as .broken: {', '.join(answer['states_kept'])}")
    said = "; ".join(parts)
    return said if answer["is_done"] else f"{said}. Nothing was changed; add --yes to do it"


def diff(one: str, other: str, data_dir: Path, *, with_times: bool) -> dict[str, Any]:
    """The first record in which two journals differ. Wall clocks of writing are left out unless asked for."""
    batches = [_entries(each, data_dir) for each in (one, other)]
    same = 0
    difference: dict[str, Any] | None = None
    for left, right in zip_longest(*batches):
        if _content(left, with_times) != _content(right, with_times):
            difference = {"one": _told(left), "other": _told(right)}
            break
        same += 1
    return {
        "v": 1,
        "records_equal": same,
        "first_difference": difference,
        "exit_code": 0 if difference is None else EXIT_DIFFERENT,
    }


def _entries(wanted: str, data_dir: Path) -> Iterator[Entry]:
    folder, _ = journal_folder(wanted, data_dir)
    for batch in JournalReader(str(folder)).batches():
        yield from batch


def _content(entry: Entry | None, with_times: bool) -> object:
    if entry is None:
        return None
    return (entry.seq, entry.value, entry.ts_ns) if with_times else (entry.seq, entry.value)


def _told(entry: Entry | None) -> dict[str, Any] | None:
    return None if entry is None else {"seq": entry.seq, "ts_ns": entry.ts_ns, "value": repr(entry.value)}


def diff_text(answer: Mapping[str, Any]) -> str:
    """The same for people."""
    equal = f"{answer['records_equal']:,} records are equal"
    found = answer["first_difference"]
    if found is None:
        return f"{equal}, and there are no others"

    def words(side: Mapping[str, Any] | None) -> str:
        return "ended" if side is None else f"record {side['seq']}: {side['value']}"

    return f"{equal}; then\n  one:   {words(found['one'])}\n  other: {words(found['other'])}"
