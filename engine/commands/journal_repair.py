"""`journal repair`: giving up the end of a journal on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from engine.commands.journal_items import items
from engine.commands.journal_source import Source, source
from engine.persistence.directory import JournalDirectory, is_in_use
from engine.persistence.disk import DISK
from engine.persistence.errors import LockedError
from engine.persistence.records import SessionEnded
from engine.persistence.repair import Plan, carry_out, plan
from engine.runtime.session_store import write


def repair(wanted: str, data_dir: Path, truncate_at: int, *, is_confirmed: bool) -> dict[str, Any]:
    """Drop everything from a record on, keeping a copy; without a confirmation only say what that means.

    Raises `LockedError` beside a running engine, `UsageError` for a record that cannot be cut at.
    """
    journal = source(wanted, data_dir)
    path = str(journal.folder)
    if not is_confirmed:
        if is_in_use(path):
            raise LockedError(f"{path} is in use, and what an engine writes is not cut off; end it first")
        return _answer(journal, plan(path, truncate_at, DISK), truncate_at, is_done=False)
    directory = JournalDirectory.open(path)
    try:
        decided = plan(path, truncate_at, DISK)
        answer = _answer(journal, decided, truncate_at, is_done=True)
        carry_out(directory, decided)
        if journal.session is not None and answer["is_end_dropped"]:
            write(journal.folder, msgspec.structs.replace(journal.session.info, ended=None))
    finally:
        directory.close()
    return answer


def _answer(journal: Source, decided: Plan, asked_for: int, *, is_done: bool) -> dict[str, Any]:
    return {
        "v": 1,
        "journal": str(journal.folder),
        "is_done": is_done,
        "asked_for": asked_for,
        "truncate_at": decided.truncate_at,
        "cut": None if decided.segment is None else decided.segment.name,
        "files_kept": list(decided.segments_dropped),
        "states_kept": list(decided.snapshots_dropped),
        "is_end_dropped": _is_end_dropped(journal, decided.truncate_at),
        "exit_code": 0,
    }


def _is_end_dropped(journal: Source, cut_at: int) -> bool:
    """Whether the session has ended and its last record is among those that go."""
    if journal.session is None or journal.session.info.ended is None:
        return False
    left = items(journal.reader(), max(1, cut_at - 2), cut_at - 1)  # the last one may be a file's end mark
    return not any(isinstance(item.value, SessionEnded) for item in left)


def repair_text(answer: Mapping[str, Any]) -> str:
    """The same for people."""
    is_done, seq = answer["is_done"], answer["truncate_at"]
    is_nothing = not (answer["cut"] or answer["files_kept"] or answer["states_kept"])
    if is_nothing:
        return f"{answer['journal']}: there is nothing from record {seq} on. Nothing was changed"
    lines = [
        f"{answer['journal']}: everything from record {seq} on {'was' if is_done else 'would be'} dropped"
    ]
    if seq != answer["asked_for"]:
        lines.append(f"  record {answer['asked_for']} is in a batch with {seq}, which goes as a whole")
    if answer["cut"]:
        lines.append(f"  cut off before record {seq}, with a copy kept as .broken: {answer['cut']}")
    if answer["files_kept"]:
        lines.append(f"  whole files, renamed to .broken: {', '.join(answer['files_kept'])}")
    if answer["states_kept"]:
        lines.append(f"  states behind it, renamed to .broken: {', '.join(answer['states_kept'])}")
    if answer["is_end_dropped"]:
        lines.append("  the session's end is among it: the next start goes on with the session")
    lines.append(
        "Orders that the dropped records speak of may have reached the venue: the next start asks it what "
        "became of them"
    )
    if not is_done:
        lines.append("Nothing was changed; add --yes to do it")
    return "\n".join(lines)
