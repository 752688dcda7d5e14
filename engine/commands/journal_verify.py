"""`journal verify`: whether a journal is sound, where it is not, and what to do then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from engine.commands.journal_deep import computed_anew
from engine.commands.journal_source import Source, source
from engine.commands.journal_words import clock
from engine.core.errors import PinnacleError
from engine.persistence.directory import is_in_use
from engine.persistence.reader import CLEAN, CORRUPT, TORN, JournalReader, VerifyReport

EXIT_OF: Final = {CLEAN: 0, TORN: 1, CORRUPT: 6}
_LOOKS_AT_A_WRITER: Final = 5
Progress = Callable[[int, int], None]
"""Told of what was done, and of all there is."""


def no_progress(_done: int, _whole: int) -> None:
    """Nobody wants to know."""


def verify(wanted: str, data_dir: Path, *, is_deep: bool, progress: Progress = no_progress) -> dict[str, Any]:
    """Check all of a journal. `is_deep` adds the bytes between records, of which `progress` is told."""
    journal = source(wanted, data_dir)
    return _answer(journal, _checked(journal.reader(), is_deep, progress), is_deep)


def compute_anew(
    answer: dict[str, Any], wanted: str, data_dir: Path, progress: Progress = no_progress
) -> None:
    """Add to a deep answer what a replay says; `progress` is told of records.

    A journal that is not sound is not computed anew, nor one of which nobody knows the settings.
    """
    session = source(wanted, data_dir).session
    if session is None:
        answer["replay"] = {"left_out": "there is no session.json, so nobody knows what was traded, and how"}
        return
    if answer["status"] == CORRUPT:
        answer["replay"] = {"left_out": "what is damaged is not computed anew"}
        return
    try:
        found = computed_anew(session, progress)
    except PinnacleError as error:
        answer["replay"] = {"left_out": str(error)}
        answer["exit_code"] = max(answer["exit_code"], error.exit_code)
        return
    answer["replay"] = found
    first = found["first_divergence"]
    if first is not None:
        answer["status"], answer["exit_code"] = CORRUPT, EXIT_OF[CORRUPT]
        text = (
            f"record {first['seq']}, {first['product']}: on record is {first['expected']}; computed anew it "
            f"is {first['got']}"
        )
        answer["problems"].append(
            {"file": answer["journal"], "offset": None, "seq": first["seq"], "text": text}
        )


def _checked(reader: JournalReader, is_deep: bool, progress: Progress) -> VerifyReport:
    for _ in range(_LOOKS_AT_A_WRITER):
        whole = sum(segment.stat().st_size for segment in Path(reader.path).rglob("*.pjl"))
        done = 0

        def told(checked: int, whole: int = whole) -> None:
            nonlocal done
            done += checked
            progress(min(done, whole), whole)

        report = reader.verify(is_deep=is_deep, progress=told)
        # An engine that stood still half way through a batch looks like one that crashed there.
        if report.status != TORN or not is_in_use(reader.path):
            break
    return report


def _answer(journal: Source, report: VerifyReport, is_deep: bool) -> dict[str, Any]:
    return {
        "v": 1,
        "journal": str(journal.folder),
        "is_deep": is_deep,
        "is_in_use": is_in_use(str(journal.folder)),
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
            {"file": each.file, "offset": each.offset, "seq": each.seq, "text": each.text}
            for each in report.problems
        ],
        "exit_code": EXIT_OF[report.status],
    }


def verify_text(answer: Mapping[str, Any]) -> str:
    """The same for people."""
    in_use = " (an engine writes it just now)" if answer["is_in_use"] else ""
    lines = [
        f"{answer['journal']}{in_use}",
        f"  read      {answer['segments']:,} files of {answer['bytes']:,} bytes, {answer['records']:,} "
        "records" + (f", {answer['first_seq']:,} to {answer['last_seq']:,}" if answer["records"] else ""),
    ]
    if answer["records"]:
        lines.append(f"  written   {clock(answer['first_ns'])} to {clock(answer['last_ns'])}")
    between = ", the zeros between records" if answer["is_deep"] else ""
    lines += [
        "  checked   every header and that each file follows the one before, every checksum, number and "
        f"batch{between}; {answer['snapshots']} saved states by their digests",
        *_replay_lines(answer.get("replay")),
        f"status: {_STATUS[answer['status']]}",
        *(f"  {_place(problem)}{problem['text']}" for problem in answer["problems"]),
        *_advice(answer),
    ]
    return "\n".join(lines)


_STATUS: Final = {
    CLEAN: "clean",
    TORN: "torn: an end that a crash leaves; nothing that was acknowledged is missing",
    CORRUPT: "corrupt: something that was on the disk once cannot be read any more, or is not what it was",
}


def _replay_lines(replay: Mapping[str, Any] | None) -> list[str]:
    if replay is None:
        return []
    if "left_out" in replay:
        return [f"  replay    left out: {replay['left_out']}"]
    start = "from its first record" if replay["from_seq"] == 1 else f"from record {replay['from_seq']:,} on"
    return [
        f"  replay    {start}: {replay['events']:,} events and {replay['commands']:,} orders and cancels "
        f"computed anew, {replay['digests']:,} digests compared; {replay['states']} saved states with what "
        "followed them came to the same"
        if replay["first_divergence"] is None
        else f"  replay    {start}: {replay['events']:,} events computed anew, up to the first difference"
    ]


def _place(problem: Mapping[str, Any]) -> str:
    """The file and the offset, where the text does not name them itself."""
    file, offset, seq, text = problem["file"], problem["offset"], problem["seq"], problem["text"]
    if file in text:
        return ""
    at = "" if offset is None else f", offset {offset:,}"
    number = "" if seq is None or str(seq) in text else f", record {seq:,}"
    return f"{file}{at}{number}: "


def _advice(answer: Mapping[str, Any]) -> list[str]:
    if answer["status"] != CORRUPT:
        return []
    if all(problem["file"].endswith(".psn") for problem in answer["problems"]):
        return ["Nothing was changed. The records are sound: the next start goes on from another state"]
    seqs = [problem["seq"] for problem in answer["problems"] if problem["seq"] is not None]
    lines = ["Nothing was changed. Look for a sound copy of the folder first; keep this one as it is"]
    if seqs:
        lines.append(
            f"Without one: `pinnacle-tui journal repair {answer['journal']} --truncate-at {min(seqs)}` says "
            "what giving up everything from there on would mean"
        )
    return lines
